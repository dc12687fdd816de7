#!/usr/bin/env bash
# usage: soak_s3.sh BUILD_DIR [OPTIONS OF soak.py]   Kills jobs that write to S3, with a real server that it starts and stops.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1
bash scripts/setup.sh scripts/dependencies-integration.txt
trap 'bash scripts/services/s3.sh stop "$build/s3"' EXIT
bash scripts/services/s3.sh start "$build/s3"
set -a
# shellcheck disable=SC1091  # written by what stands above
. "$build/s3/s3.env"
set +a
python3 -B scripts/soak.py "$build/logmill" "$build/soak-s3" --to-s3 "${@:2}"

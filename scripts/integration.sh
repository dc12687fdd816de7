#!/usr/bin/env bash
# usage: integration.sh BUILD_DIR   Tests with what is not logmill: readers of its output, fetched into the build folder, and the servers that it reads from.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1

if ! bash scripts/python_venv.sh "$build/integration-venv" duckdb pytz pyarrow; then
  echo "test-integration: duckdb, pytz and pyarrow could not be installed into $build/integration-venv; these tests need them" >&2
  exit 1
fi
export LOGMILL=$(cd "$build" && pwd)/logmill
export LOGMILL_BUILD=$(cd "$build" && pwd)
export PYTHONPATH=$PWD/tests/e2e:$PWD/scripts${PYTHONPATH:+:$PYTHONPATH}

bash scripts/setup.sh scripts/dependencies-integration.txt
trap 'bash scripts/services/s3.sh stop "$build/s3"; bash scripts/services/azure.sh stop "$build/azure"' EXIT
bash scripts/services/s3.sh start "$build/s3"
bash scripts/services/azure.sh start "$build/azure"
set -a
# shellcheck disable=SC1091  # written by what stands above
. "$build/s3/s3.env"
# shellcheck disable=SC1091
. "$build/azure/azure.env"
set +a
"$build/integration-venv/bin/python" -m unittest discover --verbose --start-directory tests/integration --pattern 'test_*.py'

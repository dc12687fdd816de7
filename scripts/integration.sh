#!/usr/bin/env bash
# usage: integration.sh BUILD_DIR   Tests that read logmill's output with readers from outside Debian. They are fetched into the build folder.
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
exec "$build/integration-venv/bin/python" -m unittest discover --verbose --start-directory tests/integration --pattern 'test_*.py'

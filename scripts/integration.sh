#!/usr/bin/env bash
# usage: integration.sh BUILD_DIR   Tests with what is not logmill: readers of its output, fetched into the build folder, and the servers that it reads from.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1

if ! bash scripts/python_venv.sh "$build/integration-venv" duckdb pytz pyarrow polars chdb pyspark pyiceberg; then
  echo "test-integration: duckdb, pytz, pyarrow, polars, chdb, pyspark and pyiceberg could not be installed into $build/integration-venv; these tests need them" >&2
  exit 1
fi
# DuckDB's Iceberg extension is a package of one version of DuckDB; without it its test is skipped.
if bash scripts/python_venv.sh "$build/duckdb-iceberg-venv" duckdb==1.4.4 duckdb-ext-avro==1.4.4.20260205 duckdb-ext-iceberg==1.4.4.20260205 pytz; then
  LOGMILL_DUCKDB_ICEBERG=$(cd "$build" && pwd)/duckdb-iceberg-venv/bin/python
  export LOGMILL_DUCKDB_ICEBERG
fi
export LOGMILL=$(cd "$build" && pwd)/logmill
export LOGMILL_BUILD=$(cd "$build" && pwd)
export PYTHONPATH=$PWD/tests/e2e:$PWD/scripts${PYTHONPATH:+:$PYTHONPATH}

bash scripts/setup.sh scripts/dependencies-integration.txt
export LOGMILL_NODE_MODULES=$LOGMILL_BUILD/integration-node/node_modules
if ! [ -d "$LOGMILL_NODE_MODULES/hyparquet-compressors" ]; then
  npm install --prefix "$LOGMILL_BUILD/integration-node" --no-audit --no-fund --loglevel error hyparquet hyparquet-compressors ||
    { echo "test-integration: hyparquet could not be installed from npm into $LOGMILL_BUILD/integration-node; these tests need it" >&2; exit 1; }
fi
trap 'bash scripts/services/s3.sh stop "$build/s3"; bash scripts/services/azure.sh stop "$build/azure"; bash scripts/services/opensearch.sh stop "$build/opensearch"' EXIT
bash scripts/services/s3.sh start "$build/s3"
bash scripts/services/azure.sh start "$build/azure"
bash scripts/services/opensearch.sh start "$build/opensearch"
set -a
# shellcheck disable=SC1091  # written by what stands above
. "$build/s3/s3.env"
# shellcheck disable=SC1091
. "$build/azure/azure.env"
# shellcheck disable=SC1091
. "$build/opensearch/opensearch.env"
set +a

# A process a file, as many at once as there are processors; the longest begin first. One log each: two that write at once would mix their lines.
export PYTHONPATH=$PWD/tests/integration:$PYTHONPATH python=$build/integration-venv/bin/python log=$build/integration-log
rm -rf "$log"
mkdir -p "$log"
run_one() {
  local name code=0
  name=$(basename "$1" .py)
  "$python" -m unittest --verbose "$name" >"$log/$name" 2>&1 || code=$?
  cat "$log/$name"
  return $code
}
export -f run_one
find tests/integration -name 'test_*.py' -size +0 -printf '%s %p\n' | sort -rn | cut -d' ' -f2 |
  xargs -P "$(nproc)" -I '{}' bash -c 'set -euo pipefail; run_one "$1"' _ '{}'

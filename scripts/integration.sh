#!/usr/bin/env bash
# usage: integration.sh BUILD_DIR   Tests with what is not logmill: readers of its output and the servers that it reads from, as integration_setup.sh fetches them.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1

bash scripts/integration_setup.sh "$build"
export LOGMILL=$(cd "$build" && pwd)/logmill
export LOGMILL_BUILD=$(cd "$build" && pwd)
[ ! -d "$build/duckdb-iceberg-venv" ] || export LOGMILL_DUCKDB_ICEBERG=$LOGMILL_BUILD/duckdb-iceberg-venv/bin/python
export PYTHONPATH=$PWD/tests/e2e:$PWD/scripts${PYTHONPATH:+:$PYTHONPATH}

export LOGMILL_NODE_MODULES=$LOGMILL_BUILD/integration-node/node_modules
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

# A process a file, two at once for each processor, for they wait for servers; the longest begin first. One log each: two that write at once would mix their lines.
export PYTHONPATH=$PWD/tests/integration:$PYTHONPATH python=$build/integration-venv/bin/python log=$build/integration-log
rm -rf "$log"
mkdir -p "$log"
run_one() {
  local name code=0 begin=$SECONDS
  name=$(basename "$1" .py)
  "$python" -m unittest --verbose "$name" >"$log/$name" 2>&1 || code=$?
  cat "$log/$name"
  echo "== $name took $((SECONDS - begin)) s"
  return $code
}
export -f run_one
{ printf 'tests/integration/test_%s.py\n' parquet_samples memory s3 readback security_lake && ls tests/integration/test_*.py; } | awk '!seen[$0]++' |
  xargs -P "$((2 * $(nproc)))" -I '{}' bash -c 'set -euo pipefail; run_one "$1"' _ '{}'

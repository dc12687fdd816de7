#!/usr/bin/env bash
# usage: integration_setup.sh BUILD_DIR   Fetches what integration.sh needs: readers of our output and servers, into BUILD_DIR and by apt. Does nothing when all is there.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p "$1"
build=$(cd "$1" && pwd)

bash scripts/setup.sh scripts/dependencies-integration.txt
if ! bash scripts/python_venv.sh "$build/integration-venv" duckdb pytz pyarrow polars chdb pyspark pyiceberg datafusion; then
  echo "test-integration: duckdb, pytz, pyarrow, polars, chdb, pyspark, pyiceberg and datafusion could not be installed into $build/integration-venv; these tests need them" >&2
  exit 1
fi
# DuckDB's Iceberg extension is a package of one version of DuckDB; without it its test is skipped.
bash scripts/python_venv.sh "$build/duckdb-iceberg-venv" duckdb==1.4.4 duckdb-ext-avro==1.4.4.20260205 duckdb-ext-iceberg==1.4.4.20260205 pytz ||
  rm -rf "$build/duckdb-iceberg-venv"
if ! [ -d "$build/integration-node/node_modules/hyparquet-compressors" ]; then
  npm install --prefix "$build/integration-node" --no-audit --no-fund --loglevel error hyparquet hyparquet-compressors ||
    { echo "test-integration: hyparquet could not be installed from npm into $build/integration-node; these tests need it" >&2; exit 1; }
fi
bash scripts/services/azure.sh install "$build/azure"
bash scripts/services/opensearch.sh install "$build/opensearch"

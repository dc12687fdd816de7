#!/usr/bin/env bash
# usage: demo.sh BUILD_DIR   The main job on a sample archive: what `make demo` shows. The program must be built.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1
work=$build/demo

say() { printf '\n== %s\n' "$*"; }

say "A sample archive: made up, with an intrusion in it, a few broken records, and one object that breaks off"
rm -rf "$work"
mkdir -p "$work"
python3 scripts/make_sample_archive.py "$work/evidence"

say "logmill run $work/evidence --to parquet:$work/lake --rejects $work/rejects --stats $work/stats.json"
code=0
"$build/logmill" run "$work/evidence" --to "parquet:$work/lake" --rejects "$work/rejects" --stats "$work/stats.json" || code=$?
if [ "$code" -ne 3 ]; then
  echo "demo: exit code 3 was expected and $code came" >&2
  exit 1
fi
echo
echo "Exit code 3, as it should be: the archive has broken records and objects that are not events. All else was read."
echo "What was rejected is kept, with its place and the reason:"
python3 - "$work/rejects" <<'PYTHON'
import json
import pathlib
import sys

for path in sorted(pathlib.Path(sys.argv[1]).glob("*.ndjson")):
    for reject in map(json.loads, path.read_text().splitlines()):
        place = f" at byte {reject['offset']:,}" if "offset" in reject else ""
        print(f"  {reject['code']}: {reject['message']}\n      {pathlib.PurePath(reject['uri']).name}{place}")
PYTHON

say "What came out, read by DuckDB"
if bash scripts/python_venv.sh "$build/demo-venv" duckdb pytz; then
  "$build/demo-venv/bin/python" scripts/demo_query.py "$work/lake"
else
  echo "DuckDB could not be had (no network?), so the files are listed instead. Any reader of Parquet opens them:"
  find "$work/lake" -name '*.parquet'
fi

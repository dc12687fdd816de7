#!/usr/bin/env bash
# usage: fuzz.sh [--part I/N] SECONDS [--in-all] | --build   Runs every fuzz target for SECONDS, or for SECONDS shared among them; or builds them only.
# --part: of the parsers' targets every N-th, from the I-th on; the others are always run. A crash leaves its input in build-asan/.
set -euo pipefail
cd "$(dirname "$0")/.."
part=0/1
[ "$1" != --part ] || { part=$2; shift 2; }
seconds=$1
jobs=$(nproc)

cmake --preset asan >/dev/null
targets=()
parsers=0
while read -r name; do
  # A parser's target has no source of its own.
  [ -e "tests/fuzz/$name.cpp" ] || (( parsers++ % ${part#*/} == ${part%/*} )) || continue
  targets+=("$name")
done <build-asan/fuzz_targets.txt
[ ${#targets[@]} -gt 0 ] || { echo "fuzz: there are no targets" >&2; exit 1; }
cmake --build build-asan -j "$jobs" --target "${targets[@]}"
[ "$seconds" != --build ] || exit 0
if [ "${2:-}" = --in-all ]; then
  seconds=$((seconds * jobs / ${#targets[@]}))
  [ "$seconds" -gt 0 ] || seconds=1
fi

run_one() {
  local name=$1 seconds=$2 corpus seeds
  corpus=build-asan/corpus/$name
  seeds=tests/fuzz/corpus/$name
  mkdir -p "$corpus"
  [ -d "$seeds" ] || seeds=
  if [ -e "build-asan/plugins/${name%_fuzz}.so" ]; then
    seeds="$seeds build-asan/seeds/$name"
    python3 scripts/fuzz_seeds.py "${name%_fuzz}" "build-asan/seeds/$name"
  fi
  # One log a target: two that write at once would mix their lines.
  # shellcheck disable=SC2086  # no seeds, no argument
  if "build-asan/tests/$name" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
      -artifact_prefix="build-asan/$name-" "$corpus" $seeds >"build-asan/$name.log" 2>&1; then
    echo "fuzz: $name: $(grep -o 'number_of_executed_units: .*' "build-asan/$name.log" | tr -s ' ')"
  else
    echo "fuzz: $name FAILED" >&2
    tail -n 60 "build-asan/$name.log" >&2
    return 1
  fi
}
export -f run_one

echo "fuzz: ${#targets[@]} targets, $seconds s each, $jobs at a time"
printf '%s\0' "${targets[@]}" | xargs -0 -P "$jobs" -I '{}' bash -c 'set -euo pipefail; run_one "$1" "$2"' _ '{}' "$seconds"

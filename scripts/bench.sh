#!/usr/bin/env bash
# usage: bench.sh BUILD_DIR [ARGUMENT OF GOOGLE BENCHMARK...]   Runs every benchmark, one after the other.
set -euo pipefail
build=$1
shift
mapfile -t benchmarks < <(find "$build/bench" -maxdepth 1 -name '*_bench' -type f -executable | sort)
[ ${#benchmarks[@]} -gt 0 ] || { echo "bench: there are no benchmarks in $build" >&2; exit 1; }
for benchmark in "${benchmarks[@]}"; do
  echo "== $(basename "$benchmark")"
  case $benchmark in
    */parser_bench) "$benchmark" ;;  # is not Google Benchmark's
    *) "$benchmark" "$@" ;;
  esac
done

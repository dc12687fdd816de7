#!/usr/bin/env bash
# usage: check.sh [STAGE...]   What is checked besides the tests, each stage by its name: format includes guard fuzz, which CI runs, and tidy asan tsan. All, if none is named.
set -euo pipefail
cd "$(dirname "$0")/.."
jobs=$(nproc)

stage_format() {
  git ls-files '*.cpp' '*.hpp' '*.h' | xargs clang-format-14 --dry-run --Werror
  echo "format: all sources are as clang-format lays them out"
}

stage_includes() { python3 scripts/check_includes.py; }

# Over few units that include many sources each: most of clang-tidy's time goes into the headers of others. Those of parsers are made for it, the others are the asan build's.
stage_tidy() {
  cmake --preset asan >/dev/null
  cmake --build build-asan -j "$jobs" --target logmill
  local units tidy=(clang-tidy-14 --quiet --extra-arg=-Wno-unknown-warning-option --config-file=.clang-tidy
    --checks=-bugprone-suspicious-include '--header-filter=.*/(sdk|core|plugins|sinks|cli)/.*\.(h|hpp|cpp)$')
  rm -rf build-asan/tidy
  python3 scripts/tidy_parsers.py build-asan/tidy "$jobs" |
    xargs -P "$jobs" -I '{}' "${tidy[@]}" '{}' -- -std=c++20 -march=x86-64-v2 -Isdk/include -Ibuild-asan/generated/include 2>/dev/null
  mapfile -t units < <(find "$PWD"/build-asan/{core,sinks,cli} -name 'unity_*.cxx' -not -path '*parquet_format*')
  printf '%s\n' "${units[@]}" | xargs -P "$jobs" -n 1 "${tidy[@]}" -p build-asan 2>/dev/null
  # What the release build alone compiles.
  cmake --preset release >/dev/null
  comm -23 <(git ls-files {core,sinks,cli}/'*.cpp' | sort) <(sed -n "s|^#include \"$PWD/\(.*\)\"|\1|p" "${units[@]}" | sort) |
    xargs -r -P "$jobs" -n 1 "${tidy[@]}" -p build 2>/dev/null
  echo "tidy: clang-tidy has nothing to say"
}

stage_asan() {
  cmake --preset asan >/dev/null
  cmake --build build-asan -j "$jobs"
  ctest --test-dir build-asan --output-on-failure -j "$jobs"
}

stage_tsan() {
  cmake --preset tsan >/dev/null
  cmake --build build-tsan -j "$jobs" --target pipeline_tests
  ctest --test-dir build-tsan --output-on-failure --label-regex '^pipeline$' --no-tests=error
}

# Instructions, which do not depend on how busy the machine is.
stage_guard() {
  cmake --preset release >/dev/null
  cmake --build build -j "$jobs" --target logmill
  python3 bench/guard --logmill build/logmill
}

stage_fuzz() { bash scripts/fuzz.sh 60 --in-all; }

stages=("$@")
[ ${#stages[@]} -gt 0 ] || stages=(format includes guard tidy asan tsan fuzz)
for stage in "${stages[@]}"; do
  declare -F "stage_$stage" >/dev/null || { echo "check: no stage is called $stage" >&2; exit 2; }
  echo "== check: $stage"
  begin=$SECONDS
  "stage_$stage"
  echo "== check: $stage took $((SECONDS - begin)) s"
done

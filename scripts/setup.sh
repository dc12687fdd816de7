#!/usr/bin/env bash
# usage: setup.sh [FILE]   Installs what FILE (scripts/dependencies.txt) names and the machine lacks, by apt. Says what it does; does nothing when nothing is missing.
# Where it cannot install (no Debian, no root, no network) it says what is missing and leaves it to the build to fail or not.
set -euo pipefail
cd "$(dirname "$0")/.."

# "npm unless npm": the package, but where there is such a program already, from wherever it came.
wanted=()
while read -r package word program; do
  [ "$word" = unless ] && command -v "$program" >/dev/null || wanted+=("$package")
done < <(sed -e 's/#.*//' -e 's/[[:space:]]*$//' -e '/^$/d' "${1:-scripts/dependencies.txt}")

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  echo "setup: this is not Debian. What logmill needs has these names there: ${wanted[*]}"
  echo "setup: going on with what is installed"
  exit 0
fi

missing=()
for package in "${wanted[@]}"; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "setup: all ${#wanted[@]} packages are installed"
  exit 0
fi

if [ "$(id -u)" -eq 0 ]; then
  as_root=()
elif command -v sudo >/dev/null; then
  as_root=(sudo)
else
  echo "setup: neither root nor sudo; these packages are missing: ${missing[*]}"
  echo "setup: going on with what is installed"
  exit 0
fi

echo "setup: installing by apt: ${missing[*]}"
"${as_root[@]}" apt-get update -q
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"

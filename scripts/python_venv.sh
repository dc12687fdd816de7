#!/usr/bin/env bash
# usage: python_venv.sh DIR PACKAGE...   Makes the virtual environment DIR, if need be, and installs the packages that it lacks.
set -euo pipefail
dir=$1
shift
[ -x "$dir/bin/python" ] && [ -x "$dir/bin/pip" ] || python3 -m venv "$dir"
missing=()
for package in "$@"; do
  "$dir/bin/python" -c "import ${package%%[=<>]*}" 2>/dev/null || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
echo "python: installing into $dir: ${missing[*]}"
"$dir/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check "${missing[@]}"

#!/usr/bin/env python3
"""Writes units that include the sources of all parsers, so that clang-tidy reads the SDK's headers once a unit: they are most of what it looks at in any parser.

usage: tidy_parsers.py OUT_DIR UNITS   Prints the units' names. More than UNITS if sources of a folder share a header: it is included once a unit.
"""
import os
import re
import subprocess
import sys


def main():
    out, count = sys.argv[1], int(sys.argv[2])
    sources = subprocess.run(["git", "ls-files", "plugins/*.cpp"], check=True, capture_output=True, text=True).stdout.split()
    units = [[] for _ in range(count)]
    for source in sources:
        with open(source) as file:
            own_headers = re.search(r'^#include "', file.read(), re.M)
        folder = os.path.dirname(source)
        free = [unit for unit in units if not own_headers or folder not in map(os.path.dirname, unit)]
        if not free:
            free = [[]]
            units += free
        min(free, key=len).append(source)
    os.makedirs(out, exist_ok=True)
    for number, unit in enumerate(units):
        name = os.path.join(out, f"parsers_{number}.cpp")
        with open(name, "w") as file:
            # What stands in a namespace below must have been included outside of it.
            headers = {line for source in unit for line in open(source) if line.startswith("#include <")}
            headers |= {line for source in unit for header in os.listdir(os.path.dirname(source)) if header.endswith(".hpp")
                        for line in open(os.path.join(os.path.dirname(source), header)) if line.startswith("#include <")}
            file.writelines(sorted(headers))
            for place, source in enumerate(unit):
                file.write(f'#define logmill_entry logmill_entry_{place}\nnamespace unit_{place} {{\n#include "{os.path.abspath(source)}"\n}}\n#undef logmill_entry\n')
        print(name)


if __name__ == "__main__":
    main()

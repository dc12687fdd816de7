#!/usr/bin/env python3
"""usage: fuzz_seeds.py PLUGIN DIRECTORY   What the golden tests of a plugin's parsers read, as seeds of its fuzz target: the target's three bytes in front."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LARGEST = 60_000


def main(plugin: str, directory: str) -> None:
    source = ""
    for lists in (ROOT / "plugins").rglob("CMakeLists.txt"):
        if added := re.search(rf"logmill_add_plugin\({plugin} SOURCES ([^)]+)\)", lists.read_text()):
            source = "".join((lists.parent / name).read_text() for name in added[1].split())
    out = pathlib.Path(directory)
    out.mkdir(parents=True, exist_ok=True)
    ids = re.findall(r'\.id = "([^"]+)"', source)
    for number, parser in enumerate(ids):
        for path in sorted((ROOT / "tests/golden" / parser / "input").rglob("*")):
            if path.is_file():
                # The first byte says which parser reads it, as far as one can tell from here.
                (out / f"{parser}-{path.name}"[-120:]).write_bytes(bytes([number, 64, number]) + path.read_bytes()[:LARGEST])


main(*sys.argv[1:])

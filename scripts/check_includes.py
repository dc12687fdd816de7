#!/usr/bin/env python3
"""Checks the dependency direction: sdk <- plugins, sinks; sdk <- core <- cli. Nothing includes upward, and plugins and sinks have no private way in."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SDK = re.compile(r"logmill/(plugin\.h|sink\.h|sink_sweep\.h|sink_ocsf\.h|sink_describe\.h|sink_schema\.h|storage\.h|http\.h|arrow\.h|sdk\.hpp|sdk/.*|ocsf/.*)$")
# Inside core no folder includes one that stands behind it here. Tables (conform) come before plugin_host, which checks plugins against them.
CORE = ("base", "config", "metrics", "object_store", "storage", "source", "decode", "detect", "frame", "unwrap", "conform", "version", "isolate", "plugin_host", "worker", "ledger", "pipeline", "catalog")
HOUSE = re.compile(r"(logmill/|\.\./)|^(" + "|".join(CORE) + ")/")


def allowed(path: pathlib.Path, name: str) -> bool:
    layer, folder = path.relative_to(ROOT).parts[:2]
    if not HOUSE.search(name):
        return True  # its own folder, common/, or a library
    if layer == "cli":
        return name == "logmill/core.hpp"
    if layer == "core" and not name.startswith(("logmill/", "../")):
        return folder in CORE and CORE.index(name.split("/")[0]) <= CORE.index(folder)
    return bool(SDK.match(name)) or (layer == "core" and name == "logmill/core.hpp")


wrong = []
for layer in ("sdk", "core", "plugins", "sinks", "cli"):
    for path in sorted((ROOT / layer).rglob("*")):
        if path.suffix in (".c", ".h", ".cpp", ".hpp"):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                include = re.match(r'\s*#\s*include\s*[<"]([^>"]+)[>"]', line)
                if include and not allowed(path, include[1]):
                    wrong.append(f"{path.relative_to(ROOT)}:{number}: {layer} must not include {include[1]}")
print("\n".join(wrong) or "includes: the dependency direction holds")
sys.exit(bool(wrong))

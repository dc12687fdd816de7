#!/usr/bin/env python3
"""Golden tests: every folder here has `input/`, a small archive, and what becomes of it: `expected.ndjson` (every event, whole) and `expected.rejects.ndjson`.

  golden.py [--update] [FOLDER...]      LOGMILL names the program; --update writes what it makes now, for a person to read with `git diff`

A folder is named after the parser that must read all of its input, or set it aside. Of the uri only what lies below `input/` counts; the time of files, which
the etag is made of, is set here.
"""
import difflib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
TIME = 1772323200  # 2026-03-01T00:00:00Z


def place(line: str) -> tuple:
    event = json.loads(line)
    lineage = event.get("lineage", event)
    return lineage["uri"], lineage.get("record", -1), lineage.get("item", 0)  # of an object as a whole: in front


def run(case: pathlib.Path) -> tuple[dict[str, list[str]], dict]:
    """What the program makes of the case: the lines of each expected file, and the statistics."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="logmill-golden-"))
    try:
        shutil.copytree(case / "input", folder / "input")
        for path in (folder / "input").rglob("*"):
            os.utime(path, (TIME, TIME))
        done = subprocess.run([os.environ["LOGMILL"], "run", "input", "--to", "ndjson:-", "--rejects", "rejects", "--stats", "stats.json", "--progress", "never"],
                              cwd=folder, capture_output=True, timeout=120, check=False)
        if done.returncode not in (0, 3):
            raise SystemExit(f"{case.name}: the program answered {done.returncode}\n{done.stderr.decode()}")
        rejects = [line for path in sorted((folder / "rejects").glob("*.ndjson")) for line in path.read_text(encoding="utf-8").splitlines()]
        return {
            "expected.ndjson": sorted(done.stdout.decode().splitlines(), key=place),
            "expected.rejects.ndjson": sorted(rejects, key=place),
        }, json.loads((folder / "stats.json").read_text())
    finally:
        shutil.rmtree(folder)


def leaves(value, path="") -> list[str]:
    """One line a value, so that a difference is read at a glance."""
    if isinstance(value, dict):
        return [line for key, child in value.items() for line in leaves(child, f"{path}.{key}" if path else key)] or [f"{path} = {{}}"]
    if isinstance(value, list):
        return [line for i, child in enumerate(value) for line in leaves(child, f"{path}[{i}]")] or [f"{path} = []"]
    return [f"{path} = {json.dumps(value, ensure_ascii=False)}"]


def readable(lines: list[str]) -> list[str]:
    out = []
    for line in lines:
        uri, record, _ = place(line)
        out += [f"-- {uri} record {record}", *leaves(json.loads(line))]
    return out


def check(case: pathlib.Path, update: bool) -> bool:
    made, stats = run(case)
    problems = []
    others = [parser for parser in stats["parsers"] if parser != case.name]
    if others:
        problems.append(f"objects were read by {', '.join(others)}")
    left = stats["not_read_whole"]
    if left["unrecognised"] or left["failed"]:
        problems.append(f"{left['unrecognised']} objects were not recognised, {left['failed']} failed")
    for name, lines in made.items():
        path = case / name
        if update:
            path.write_text("".join(line + "\n" for line in lines), encoding="utf-8") if lines else path.unlink(missing_ok=True)
            continue
        wanted = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        if wanted != lines:
            problems.append("\n".join(difflib.unified_diff(readable(wanted), readable(lines), f"{case.name}/{name}", "now", n=1, lineterm="")))
    if not update and not made["expected.ndjson"] and left["set_aside"] == 0:
        problems.append("nothing was read and nothing set aside")
    for problem in problems:
        print(f"{case.name}: {problem}")
    return not problems


def main() -> int:
    arguments = [a for a in sys.argv[1:] if a != "--update"]
    cases = [pathlib.Path(a).resolve() if (pathlib.Path(a) / "input").is_dir() else HERE / a for a in arguments]
    cases = cases or sorted(path.parent for path in HERE.glob("*/input"))
    missing = [case for case in cases if not (case / "input").is_dir()]
    if missing or not cases:
        raise SystemExit(f"no golden folder: {', '.join(map(str, missing)) or HERE}")
    good = [check(case, "--update" in sys.argv) for case in cases]
    print(f"{sum(good)} of {len(good)} golden folders are as they should be")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())

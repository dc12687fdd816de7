#!/usr/bin/env python3
"""usage: sources_doc.py LOGMILL [--check]   Writes docs/sources.md from what the installed parsers say of themselves; --check: fails if it is not current."""
import pathlib
import re
import subprocess
import sys

PAGE = pathlib.Path(__file__).resolve().parent.parent / "docs/sources.md"


def asked(program: str, *arguments: str) -> str:
    return subprocess.run([program, "plugins", *arguments], capture_output=True, text=True, check=True).stdout


def parser_ids(listing: str) -> list[str]:
    parsers = listing.split("\nSinks:")[0]
    return re.findall(r"^([a-z0-9._-]+)  ", parsers, re.MULTILINE)


def field(text: str, name: str) -> str:
    """What stands behind `name`, its continuation lines included."""
    found = re.search(rf"^  {name} +(.*(?:\n {{10,}}.*)*)", text, re.MULTILINE)
    return re.sub(r"\n +", "\n", found[1]) if found else ""


def page(program: str) -> str:
    rows, sections = [], []
    for parser in parser_ids(asked(program)):
        text = asked(program, "show", parser)
        head, *classes = re.split(r"\n\n(?=[a-z_]+ \(\d+\)\n)", text)
        title = head.split("\n")[0].split("  ", 1)[1].rsplit(", ", 1)[0]
        reads = " ".join((field(head, "reads") or "set aside: " + field(head, "sets aside")).split("\n"))
        names = [block.split(" ")[0] for block in classes]
        where = "<br>".join(f"`{key}`" for key in field(head, "keys").split() if key) or "told by content alone"
        rows.append(f"| `{parser}` | {title} | {reads} | {', '.join(names) or '–'} | {where} |".replace("\u2013", "-"))
        for block in classes:
            name, *columns = block.strip().split("\n")
            paths = [f"`{c.split()[0]}`" + (" = " + c.split("= ", 1)[1] if "= " in c else "") for c in columns if c.startswith("  ")]
            sections.append(f"### {parser}: {name}\n\n" + ", ".join(paths) + "\n")
    return "\n".join([
        "# Sources", "",
        "What each installed parser reads, how its objects are named, and the OCSF classes that it fills. Made by `scripts/sources_doc.py` from what the parsers say of",
        "themselves (`logmill plugins`). Objects are told by their content; a key only helps. What wraps logs (CloudWatch subscriptions and exports, EventBridge, SQS and SNS,",
        "`lookup-events`, CSV exports) is opened before: see [architecture.md](architecture.md). Field by field: the README of each plugin.", "",
        "| parser | source | reads | classes | object keys |", "|---|---|---|---|---|", *rows, "",
        "## What is mapped", "",
        "The attributes that a parser fills where the record has them; constants with their value. Everything else of a record is in `unmapped`.", "", *sections])


def main(program: str, *options: str) -> None:
    made = page(program)
    if "--check" not in options:
        PAGE.write_text(made, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != made:
        sys.exit("docs/sources.md is not what the parsers say: run scripts/sources_doc.py build/logmill")


main(*sys.argv[1:])

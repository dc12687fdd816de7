"""What the mapping tests share. A record goes in, its event comes out, and a test says which source field stands in which OCSF attribute."""
import copy
import json
import unittest  # noqa: F401  test files say mapping.unittest.main()

from e2e import Case


def at(event, path: str):
    """The value at "a.b.0.c", None if there is none."""
    for step in path.split("."):
        if isinstance(event, list):
            event = event[int(step)] if int(step) < len(event) else None
        else:
            event = event.get(step)
        if event is None:
            return None
    return event


def leaves(value, path: str = "") -> list[tuple[str, object]]:
    """Every value that is no object and no list, with its path."""
    if isinstance(value, dict):
        return [leaf for key, child in value.items() for leaf in leaves(child, f"{path}.{key}" if path else key)]
    if isinstance(value, list):
        return [leaf for child in value for leaf in leaves(child, f"{path}[]")]
    return [(path, value)]


def text_of(value) -> str:
    """So that "443" and 443, "true" and true are the same."""
    return value if isinstance(value, str) else json.dumps(value)


def outer(record: dict, **changes) -> dict:
    """`record` with changes of its own members; None takes one out."""
    return {key: value for key, value in (record | changes).items() if value is not None}


def core(event: dict) -> dict:
    """What is the same however the record came."""
    event = copy.deepcopy(event)
    for name in ("lineage", "unmapped"):
        event.pop(name, None)
    for name in ("uid", "log_source"):
        event["metadata"].pop(name, None)
    return event


class Mapping(Case):
    PARSER = ""  # that must read whatever read() is given

    def read(self, content: bytes | str, key: str = "x", code: int = 0, alone: bool = False) -> list[dict]:
        """The events of one object, in the order of its records. `alone`: what the parser calls foreign is offered to no other."""
        self.write(key, content)
        events = self.events(key, "--stats", "stats.json", "--validate", "full", *(["--plugin", self.PARSER] if alone else []), code=code)
        self.assertEqual(list(self.stats()["parsers"]), [self.PARSER])
        return sorted(events, key=lambda e: (e["lineage"]["record"], e["lineage"].get("item", 0)))

    def one(self, content: bytes | str | dict, key: str = "x") -> dict:
        events = self.read(json.dumps(content) if isinstance(content, dict) else content, key)
        self.assertEqual(len(events), 1)
        return events[0]

    def check(self, event: dict, wanted: dict) -> None:
        """`wanted`: OCSF path to value; None: the attribute is not there."""
        for path, value in wanted.items():
            with self.subTest(path=path):
                self.assertEqual(at(event, path), value)

    def nothing_lost(self, source, event: dict, told_otherwise: dict[str, str] | None = None) -> None:
        """Every leaf of the source record is a leaf of the event. `told_otherwise`: source path to the reason why its text is not there, such as
        "severity, as severity_id". null and "" and "-" say that there is nothing."""
        kept = {text_of(value) for key, child in event.items() if key != "lineage" for _, value in leaves(child)}
        reasons = dict(told_otherwise or {})
        for path, value in leaves(source):
            if value in (None, "", "-"):
                continue
            if path in reasons:
                continue
            self.assertIn(text_of(value), kept, f"{path} = {value!r} is nowhere in the event")
        unknown = set(reasons) - {path for path, _ in leaves(source)}
        self.assertFalse(unknown, "excused, but not in the record")

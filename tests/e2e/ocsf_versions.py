"""The same events in two versions of OCSF: what the newer one says and the older one does not. Standard library only.

    ocsf_versions.py NEWER.ndjson... -- OLDER.ndjson...

Every value of the newer event must stand in the older one, either where it was or in `unmapped` under its path: {"actor.app_name": "x"}, and below a list with a
place for each element: {"resources[].role": ["Target", null]}.
"""
import collections
import json
import pathlib
import sys

# Of the version itself, which is what differs.
DIFFER = {"metadata.version"}
# What an older version has for an attribute that took another's place.
BEFORE = {"actor.app_name": "actor.invoked_by"}
MISSING = object()


def leaves(value, way=()):
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, way + (key,))
    elif isinstance(value, list) and value:
        for i, inner in enumerate(value):
            yield from leaves(inner, way + (i,))
    elif value not in ({}, []):
        yield way, value


def at(value, way):
    for step in way:
        if isinstance(value, str) and value[:1] in "[{":  # an object within one of its own type
            value = json.loads(value)
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return MISSING
    return value


def path_of(way):
    out = ""
    for step in way:
        out += "[]" if isinstance(step, int) else ("." if out else "") + step
    return out


def in_unmapped(unmapped, way):
    """The value that has gone to `unmapped`, at whatever place of its way the version had nothing more."""
    for n in range(1, len(way) + 1):
        if isinstance(way[n - 1], int):
            continue
        for key in (path_of(way[:n]), "1.8.0:" + path_of(way[:n])):
            if key in unmapped:
                found = at(unmapped[key], [step for step in way[:n] if isinstance(step, int)] + list(way[n:]))
                if found is not MISSING:
                    yield found


def lost(newer, older):
    """(path, value) of what the older event does not have."""
    unmapped = older.get("unmapped", {})
    for way, value in leaves(newer):
        path = path_of(way)
        if path in DIFFER or at(older, way) == value or any(found == value for found in in_unmapped(unmapped, way)):
            continue
        if path in BEFORE and at(older, BEFORE[path].split(".")) == value:
            continue
        if path == "metadata.profiles[]" and value in older["metadata"].get("profiles", []) + unmapped.get("metadata.profiles", []):
            continue
        yield path, value


def no_key_twice(pairs):
    keys = collections.Counter(key for key, _ in pairs)
    assert not [key for key, n in keys.items() if n > 1], keys
    return dict(pairs)


def read(files):
    out = {}
    for file in files:
        for line in pathlib.Path(file).read_text(encoding="utf-8").split("\n")[:-1]:
            event = json.loads(line, object_pairs_hook=no_key_twice)
            assert event["metadata"]["uid"] not in out, event["metadata"]["uid"]
            out[event["metadata"]["uid"]] = event
    return out


def main():
    split = sys.argv.index("--")
    newer, older = read(sys.argv[1:split]), read(sys.argv[split + 1 :])
    gone = collections.Counter()
    example = {}
    for uid, event in newer.items():
        for path, value in lost(event, older[uid]) if uid in older else [("(event)", uid)]:
            gone[event["class_name"], path] += 1
            example.setdefault((event["class_name"], path), (value, uid))
    for key, n in gone.most_common(40):
        print(n, *key, example[key])
    print(f"{len(newer)} events, {len(older)} in the older version, {sum(gone.values())} values lost")
    sys.exit(1 if gone or len(newer) != len(older) else 0)


if __name__ == "__main__":
    main()

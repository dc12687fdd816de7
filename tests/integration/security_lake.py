"""Checks Parquet files against what a custom source of Amazon Security Lake has to be. Needs pyarrow.

    problems(lake: Path) -> ["ext/x/...: the rows are not in the order of time", ...]

The rules: Amazon Security Lake User Guide, "Collecting data from custom sources in Security Lake"; the schema: sdk/ocsf/ocsf-VERSION.txt.
"""
import collections
import datetime
import functools
import json
import pathlib
import re
import sys

import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
import ocsf_judge  # noqa: E402

VERSIONS = ("1.1.0", "1.3.0")
MOST_PAGE, MOST_GROUP = 1 << 20, 256 << 20
FOLDER = re.compile(r"ext/([^/]+)/region=([^/]+)/accountId=([^/]+)/eventDay=(\d{8})/[^/]+\.parquet")
SOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,19}")
SCALARS = {"integer_t": pa.int32(), "long_t": pa.int64(), "timestamp_t": pa.int64(), "port_t": pa.int32(), "boolean_t": pa.bool_(), "float_t": pa.float64()}


class Compact:
    """Thrift's compact protocol, as far as page headers need it."""

    def __init__(self, data: bytes, at: int):
        self.data, self.at = data, at

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def varint(self) -> int:
        out = shift = 0
        while True:
            b = self.byte()
            out |= (b & 127) << shift
            shift += 7
            if b < 128:
                return out

    def zigzag(self) -> int:
        n = self.varint()
        return n >> 1 ^ -(n & 1)

    def value(self, kind: int):
        if kind in (1, 2):
            return kind == 1
        if kind == 3:
            return self.byte()
        if kind in (4, 5, 6):
            return self.zigzag()
        if kind == 7:
            self.at += 8
        elif kind == 8:
            n = self.varint()
            self.at += n
        elif kind in (9, 10):
            head = self.byte()
            for _ in range(head >> 4 if head >> 4 != 15 else self.varint()):
                self.value(head & 15)
        elif kind == 12:
            return self.struct()
        return None

    def struct(self) -> dict:
        out, field = {}, 0
        while head := self.byte():
            field = field + (head >> 4) if head >> 4 else self.zigzag()
            out[field] = self.value(head & 15)
        return out


def pages(data: bytes, chunk):
    """(kind, bytes uncompressed) of each page of a column chunk: 0 and 3 are data, 2 is a dictionary."""
    at = chunk.dictionary_page_offset or chunk.data_page_offset
    end = at + chunk.total_compressed_size
    while at < end:
        reader = Compact(data, at)
        header = reader.struct()
        yield header[1], header[2]
        at = reader.at + header[3]


class Wanted:
    """The columns of a class, by OCSF's text."""

    def __init__(self, version: str):
        self.judge = ocsf_judge.Judge(version)

    def compare(self, owner: dict, fields, path: str, above: tuple, say, profiles: dict) -> None:
        there = {f.name: f.type for f in fields}
        stamps = {f"{a['name']}_dt" for a in owner["attributes"] if a["type"] == "timestamp_t"}
        for name in there.keys() - owner["by_name"].keys() - stamps:
            say(f"the column {path}{name} is not OCSF's")
        for name in stamps - there.keys():
            if owner["by_name"][name[:-3]]["flags"].get("profile") is None:
                say(f"the column {path}{name} is missing")
        for a in owner["attributes"]:
            profile = a["flags"].get("profile")
            if profile:
                profiles[profile].add(a["name"] in there)
            if a["name"] not in there:
                if profile is None:
                    say(f"the column {path}{a['name']} is missing")
                continue
            kind, where = there[a["name"]], f"{path}{a['name']}"
            if a["array"]:
                if not pa.types.is_list(kind):
                    say(f"the column {where} is no list")
                    continue
                kind = kind.value_type
            if "object" in a["flags"] and a["type"] not in above:
                if pa.types.is_struct(kind):
                    self.compare(self.judge.objects[a["type"]], kind, f"{where}.", (*above, a["type"]), say, profiles)
                else:
                    say(f"the column {where} is no struct")
                continue
            wanted = SCALARS.get(a["type"]) or SCALARS.get(self.judge.types.get(a["type"], ""), pa.string())
            if kind != wanted:
                say(f"the column {where} is {kind}, not {wanted}")
        if not above and there.get("time_dt") != pa.timestamp("ms", tz="UTC"):
            say("the column time_dt is no timestamp")


wanted_of = functools.cache(Wanted)


def account(row: dict) -> set:
    cloud = row.get("cloud") or {}
    uid = (cloud.get("account") or {}).get("uid")
    if cloud.get("provider") == "AWS":
        return {uid or "external"}
    return {f"external_{uid}" if uid else "external"}


def check(path: pathlib.Path, name: str, say, most_group: int = MOST_GROUP) -> set:
    """The classes in a file."""
    data = path.read_bytes()
    file = pq.ParquetFile(path)
    placed = FOLDER.fullmatch(name)
    if not placed:
        say("the folders are not ext/SOURCE/region=/accountId=/eventDay=")
    elif not SOURCE.fullmatch(placed[1]):
        say(f"{placed[1]} is no name of a source of at most 20 characters")
    for g in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(g)
        chunks = [group.column(c) for c in range(group.num_columns)]
        if sum(c.total_compressed_size for c in chunks) > most_group:
            say("a row group is larger than 256 MB")
        for c in chunks:
            if c.compression != "ZSTD":
                say(f"{c.path_in_schema} is compressed with {c.compression}")
            if c.total_uncompressed_size > MOST_PAGE and any(kind in (0, 3) and size > MOST_PAGE for kind, size in pages(data, c)):
                say(f"{c.path_in_schema} has a page larger than 1 MB")
            if ".list." in f".{c.path_in_schema}." and ".list.element" not in c.path_in_schema:
                say(f"{c.path_in_schema} is no list of three levels")
    time = file.schema_arrow.field("time") if "time" in file.schema_arrow.names else None
    if time is None:
        say("there is no time")
        return set()
    rows = file.read().to_pylist()
    if not rows:
        say("there are no rows")
        return set()
    times = [row["time"] for row in rows]
    if times != sorted(times):
        say("the rows are not in the order of time")
    classes = {row["class_uid"] for row in rows}
    if len(classes) != 1:
        say(f"the classes {sorted(classes)} are in one object")
    versions = {row["metadata"]["version"] for row in rows}
    if len(versions) != 1 or not versions <= set(VERSIONS):
        say(f"the versions are {sorted(versions)}")
        return classes
    wanted = wanted_of(versions.pop())
    profiles = collections.defaultdict(set)
    for uid in classes:
        wanted.compare(wanted.judge.classes[uid], file.schema_arrow, "", (), say, profiles)
    for profile in {p for row in rows for p in row["metadata"]["profiles"] or []} - {"datetime"}:
        if profiles.get(profile) == {False}:
            say(f"the columns of the profile {profile} are missing")
    if not all(isinstance(t, int) for t in times):
        return classes
    for row in rows:
        if row["unmapped"] is not None:
            json.loads(row["unmapped"])
        if "time_dt" in row and isinstance(row["time_dt"], datetime.datetime) and round(row["time_dt"].timestamp() * 1000) != row["time"]:
            say("time_dt is not time")
        if placed:
            day = datetime.datetime.fromtimestamp(row["time"] // 1000, datetime.timezone.utc).strftime("%Y%m%d")
            if day != placed[4]:
                say(f"a row of {day} is in eventDay={placed[4]}")
            if placed[3] not in account(row):
                say(f"a row of the account {account(row)} is in accountId={placed[3]}")
    return classes


def problems(lake: pathlib.Path, most_group: int = MOST_GROUP) -> list[str]:
    said = []
    classes = collections.defaultdict(set)
    for path in sorted(lake.rglob("*.parquet")):
        name = path.relative_to(lake).as_posix()
        found = check(path, name, lambda what: said.append(f"{name}: {what}"), most_group)
        if placed := FOLDER.fullmatch(name):
            classes[placed[1]] |= found
    for source, uids in classes.items():
        if len(uids) > 1:
            said.append(f"the source {source} has the classes {sorted(uids)}")
    return list(dict.fromkeys(said))


if __name__ == "__main__":
    found = problems(pathlib.Path(sys.argv[1]))
    print("\n".join(found[:60]))
    sys.exit(bool(found))

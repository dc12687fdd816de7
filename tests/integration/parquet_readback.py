"""Reads Parquet files back with readers of readers.py and compares every row with the JSON lines that say what was written.

    parquet_readback.py FOLDER    # of parquet_samples: FOLDER/lake/**.parquet, FOLDER/expected.ndjson

Rows are matched by the column `id`. Partition folders must agree with the rows in them. Exits with 1 and the first differences if something differs.
"""

import datetime
import glob
import json
import sys
import urllib.parse

import duckdb
import pyarrow.parquet as pq

import readers

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def plain(value):
    """A value as JSON would give it."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, datetime.datetime):
        if value.tzinfo is None:
            value = value.replace(tzinfo=datetime.timezone.utc)
        return round((value - EPOCH) / datetime.timedelta(milliseconds=1))
    return value.decode() if isinstance(value, bytes) else value


def text_of(row):
    return json.dumps(row, sort_keys=True, default=plain)


def differences(reader, rows, expected, texts):
    """`texts` are those of `expected`: rows of the same text are the same. Others may still be, as 1 and 1.0."""
    found = set()
    for row in rows:
        key = row["id"]
        if key in found:
            yield f"{reader}: row {key} is there twice"
        found.add(key)
        if key not in expected:
            yield f"{reader}: row {key} was never written"
        elif text_of(row) != texts[key]:
            row = plain(row)
            for name in expected[key].keys() | row.keys():
                if row.get(name) != expected[key].get(name):
                    yield f"{reader}: row {key}, {name}: {row.get(name)!r} instead of {expected[key].get(name)!r}"
    for missing in expected.keys() - found:
        yield f"{reader}: row {missing} is missing"


def folder_of(row):
    cloud = row["cloud"] or {}
    account = (cloud.get("account") or {}).get("uid")
    day = datetime.datetime.fromtimestamp(row["time"] // 1000, datetime.timezone.utc).strftime("%Y%m%d")
    return {"region": cloud.get("region") or "unknown", "accountId": account or "unknown", "eventDay": day}


def main(folder, names=tuple(readers.WHOLE)):
    with open(f"{folder}/expected.ndjson") as lines:
        expected = {row["id"]: row for row in map(json.loads, lines)}
    texts = {key: text_of(row) for key, row in expected.items()}
    paths = sorted(glob.glob(f"{folder}/lake/**/*.parquet", recursive=True))
    leftovers = [p for p in glob.glob(f"{folder}/lake/**", recursive=True, include_hidden=True) if p.endswith(".unpublished")]
    problems = [f"a temporary file was left: {p}" for p in leftovers]
    groups = 0
    for path in paths:
        file = pq.ParquetFile(path, page_checksum_verification=True)
        groups += file.metadata.num_row_groups
        if not file.metadata.created_by.startswith("logmill version "):
            problems.append(f"{path}: created_by is {file.metadata.created_by}")
        parts = dict(part.split("=", 1) for part in path.split("/") if "=" in part)
        for row in map(plain, file.read(columns=["id", "time", "cloud"]).to_pylist()) if parts else []:
            want = folder_of(row)
            for key, value in parts.items():
                if urllib.parse.unquote(value) != want[key]:
                    problems.append(f"{path}: row {row['id']} belongs to {want}")
        problems += check_statistics(file, path)
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    if paths:
        for name in names:
            problems += differences(name, readers.WHOLE[name](paths), expected, texts)
        # A filter that the statistics can answer must not lose rows.
        ids = sorted(expected)
        middle = ids[len(ids) // 2]
        count = connection.execute("SELECT count(*) FROM read_parquet(?, hive_partitioning = false) WHERE id >= ?", [paths, middle]).fetchone()[0]
        if count != sum(1 for i in ids if i >= middle):
            problems.append(f"duckdb: a filter on id finds {count} rows")
    elif expected:
        problems.append("no files")
    for problem in problems[:20]:
        print(problem)
    print(f"{len(expected)} rows, {len(paths)} files, {groups} row groups: {'equal' if not problems else str(len(problems)) + ' differences'}")
    return 1 if problems else 0


def check_statistics(file, path):
    """The bounds of every chunk hold what is in it; nulls are counted for columns that are not nested in lists."""
    for group in range(file.metadata.num_row_groups):
        table = file.read_row_group(group)
        columns = {name: table.column(name).to_pylist() for name in table.column_names}
        meta = file.metadata.row_group(group)
        for index in range(meta.num_columns):
            column = meta.column(index)
            if ".list." in column.path_in_schema:
                continue
            first, *rest = column.path_in_schema.split(".")
            cells = columns[first]
            for part in rest:
                cells = [c.get(part) if c is not None else None for c in cells]
            values = [plain(c) for c in cells if c is not None]
            statistics = column.statistics
            if statistics.null_count != len(cells) - len(values):
                yield f"{path}: {column.path_in_schema}: null_count {statistics.null_count} instead of {len(cells) - len(values)}"
            if statistics.has_min_max and values:
                low, high = plain(statistics.min), plain(statistics.max)
                key = str.encode if isinstance(low, str) else (lambda v: v)
                smallest, largest = min(values, key=key), max(values, key=key)
                if (low, high) != (smallest, largest):
                    yield f"{path}: {column.path_in_schema}: bounds {low!r} to {high!r} instead of {smallest!r} to {largest!r}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

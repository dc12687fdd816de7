#!/usr/bin/env python3
"""usage: demo_query.py LAKE   Shows a few rows of every table of a Parquet folder that logmill wrote, and asks two of them one question."""
import pathlib
import sys

import duckdb

lake = pathlib.Path(sys.argv[1])
database = duckdb.connect()
database.execute("SET TimeZone = 'UTC'")
database.execute("SET threads = 2")

# For each table the columns that a person looks at first; a table that is not named here shows these.
COMMON = "time, class_uid, activity_name, metadata.uid AS uid"
COLUMNS = {
    "api_activity": "time, actor.user.name AS who, api.operation, src_endpoint.ip AS address, status",
    "authentication": "time, user.name AS who, src_endpoint.ip AS address, activity_name, status",
    "account_change": "time, actor.user.name AS who, activity_name, user.name AS changed",
    "group_management": 'time, actor.user.name AS who, activity_name, "group".name AS into_group',
    "network_activity": "time, src_endpoint.ip AS source, dst_endpoint.ip AS destination, dst_endpoint.port, traffic.bytes",
    "base_event": "time, activity_name, status_code, metadata.product.name AS product",
    "detection_finding": "time, finding_info.title, status, severity",
}


def show(title: str, query: str) -> None:
    print(f"\n-- {title}\n{query}\n")
    result = database.execute(query)
    rows = [[column[0] for column in result.description], *([("" if v is None else str(v)) for v in row] for row in result.fetchall())]
    widths = [min(44, max(len(row[i]) for row in rows)) for i in range(len(rows[0]))]
    for row in rows:
        print("  " + "  ".join(cell[:width].ljust(width) for cell, width in zip(row, widths)).rstrip())


tables = sorted(path.name for path in lake.iterdir() if any(path.rglob("*.parquet")))
for table in tables:
    database.execute(f"CREATE VIEW {table} AS SELECT * FROM read_parquet('{lake / table}/**/*.parquet', union_by_name = true)")
    total = database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    show(f"{table}: {total:,} rows", f"SELECT {COLUMNS.get(table, COMMON)} FROM {table} ORDER BY time LIMIT 4")

if {"authentication", "network_activity"} <= set(tables):
    show("Who failed to sign in, and how much then went to that address?",
         "WITH failed AS (SELECT src_endpoint.ip AS address, count(*) AS failures FROM authentication WHERE status = 'Failure' GROUP BY 1),\n"
         "     sent AS (SELECT dst_endpoint.ip AS address, sum(traffic.bytes) AS bytes, count(*) AS flows FROM network_activity GROUP BY 1)\n"
         "SELECT address, failures, flows, bytes FROM failed JOIN sent USING (address) ORDER BY bytes DESC")

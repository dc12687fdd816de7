"""Reads Iceberg tables by DuckDB's own extension. A program of its own: the extension is had as a package for one version of DuckDB, which need not be that of the other tests.

usage: duckdb_iceberg.py COLUMNS METADATA...   The rows of all tables, a JSON array a line.
"""
import importlib.util
import json
import pathlib
import sys

import duckdb

database = duckdb.connect()
(root,) = importlib.util.find_spec("duckdb_ext").submodule_search_locations
for name in ("avro", "iceberg"):
    (file,) = pathlib.Path(root).rglob(f"{name}.duckdb_extension")
    database.load_extension(str(file))
for metadata in sys.argv[2:]:
    for row in database.execute(f"SELECT {sys.argv[1]} FROM iceberg_scan(?)", [metadata]).fetchall():
        print(json.dumps(row))

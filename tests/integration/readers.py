"""Readers of Parquet that nobody here wrote, each as a function from files to rows. Times come as datetimes or as milliseconds, JSON as text or bytes.

Their counters tell whether a filter was answered by statistics, bloom filters or page indexes: `*_row_groups` answer the row groups that were read, and all there are, `*_scanned` the rows of the row
groups and pages that were read; both also the `metadata.uid` of the rows that the filter leaves, in order.
"""
import json
import os
import pathlib
import re
import subprocess
import sys

import datafusion
import duckdb
import polars
import pyarrow.dataset
import pyarrow.parquet

HYPARQUET = pathlib.Path(__file__).with_name("hyparquet.mjs")


# ---- pyarrow ----


def pyarrow_rows(files: list) -> list:
    return [row for file in files for row in pyarrow.parquet.ParquetFile(file, page_checksum_verification=True).read().to_pylist()]


def pyarrow_row_groups(file, expression) -> tuple:
    fragment = next(pyarrow.dataset.dataset(file).get_fragments())
    subset = fragment.subset(expression)
    rows = subset.to_table(columns=["metadata"], filter=expression).to_pylist()
    return subset.num_row_groups, fragment.num_row_groups, sorted(row["metadata"]["uid"] for row in rows)


# ---- DuckDB ----


def duckdb_rows(files: list) -> list:
    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'")
    result = database.execute("SELECT * FROM read_parquet(?, hive_partitioning = false)", [[str(file) for file in files]])
    names = [column[0] for column in result.description]
    return [dict(zip(names, row)) for row in result.fetchall()]


def duckdb_row_groups(file, where: str, folder) -> tuple:
    database, profile = duckdb.connect(), pathlib.Path(folder) / "profile.json"
    database.execute("SET TimeZone = 'UTC'")
    database.execute("PRAGMA enable_profiling = 'json'")
    database.execute(f"PRAGMA profiling_output = '{profile}'")
    rows = database.execute(f"SELECT metadata.uid FROM '{file}' WHERE {where}").fetchall()
    query = json.loads(profile.read_text())["query"]
    return query["total_row_groups_scanned"], query["total_row_groups_to_scan"], sorted(row[0] for row in rows)


def duckdb_bloom(file, column: str, value: str) -> list:
    """For each row group whether the filter says that the value is not in it."""
    return [row[0] for row in duckdb.execute(f"SELECT bloom_filter_excludes FROM parquet_bloom_probe('{file}', ?, ?) ORDER BY row_group_id", [column, value]).fetchall()]


# ---- Polars ----


def polars_rows(files: list) -> list:
    return [row for file in files for row in polars.read_parquet(file).to_dicts()]


def polars_row_groups(file, filter_source: str) -> tuple:
    """In a process of its own: Polars says what it reads on standard error. `filter_source` is Python, with Polars as `pl`."""
    code = f"import polars as pl, json; print(json.dumps(pl.scan_parquet({str(file)!r}).filter({filter_source}).select(pl.col('metadata').struct.field('uid')).collect()['uid'].sort().to_list()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, "POLARS_VERBOSE": "1"})
    found = re.search(r"reading (\d+) / (\d+) row groups", done.stderr)
    assert found, done.stderr
    return int(found[1]), int(found[2]), json.loads(done.stdout)


# ---- hyparquet ----


def hyparquet(*arguments) -> list:
    done = subprocess.run(["node", "--input-type=module", "-", *map(str, arguments)], input=HYPARQUET.read_text(), capture_output=True, text=True, check=False,
                          cwd=pathlib.Path(os.environ["LOGMILL_NODE_MODULES"]).parent)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def hyparquet_rows(files: list) -> list:
    return hyparquet("rows", *files)


def hyparquet_row_groups(file, query: dict) -> tuple:
    ((read, there, _, uids),) = hyparquet("groups", file, json.dumps(query))
    return read, there, sorted(uids)


def hyparquet_scanned(file, query: dict) -> tuple:
    ((_, _, kept, uids),) = hyparquet("groups", file, json.dumps(query))
    return kept, sorted(uids)


# ---- Apache DataFusion (and the Rust implementation of Parquet) ----


def datafusion_rows(files: list) -> list:
    return [row for file in files for row in datafusion.SessionContext().read_parquet(str(file)).to_pylist()]


def datafusion_scanned(file, where: str, *, page_index: bool = True) -> tuple:
    """It knows columns that lie in no struct."""
    session = datafusion.SessionContext(datafusion.SessionConfig().set("datafusion.execution.parquet.enable_page_index", str(page_index).lower()))
    session.register_parquet("events", str(file))
    frame = session.sql(f"SELECT metadata['uid'] AS uid FROM events WHERE {where}")
    rows = sorted(row["uid"] for batch in frame.collect() for row in batch.to_pylist())
    (scan,) = [metrics for name, metrics in frame.execution_plan().collect_metrics() if name.startswith("DataSourceExec")]
    return sum(metric.value for metric in scan.metrics() if metric.name == "output_rows"), rows


# ---- Apache Spark ----

_spark = None


def spark():
    global _spark
    if _spark is None:
        os.environ["TZ"] = "UTC"
        os.environ["JAVA_TOOL_OPTIONS"] = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"  # it does not run long enough for better code to pay
        import time

        time.tzset()
        from pyspark.sql import SparkSession

        builder = SparkSession.builder.master("local[2]").appName("logmill-tests")
        settings = {"spark.ui.enabled": "false", "spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1", "spark.sql.session.timeZone": "UTC",
                    "spark.sql.shuffle.partitions": "2", "spark.ui.showConsoleProgress": "false"}
        for name, value in settings.items():
            builder = builder.config(name, value)
        _spark = builder.getOrCreate()
        _spark.sparkContext.setLogLevel("ERROR")
    return _spark


def spark_rows(files: list) -> list:
    return [row.asDict(recursive=True) for row in spark().read.parquet(*map(str, files)).collect()]


def spark_scanned(file, where: str, *, by: str) -> tuple:
    """`by`: what alone may skip row groups ("stats", "bloom") or pages ("columnindex"), or "none"."""
    session = spark()
    for name in ("stats", "dictionary", "bloom", "columnindex", "record"):
        session.conf.set(f"parquet.filter.{name}.enabled", str(name == by).lower())
    frame = session.read.parquet(str(file)).where(where).select("metadata.uid")
    rows = sorted(row[0] for row in frame.collect())
    return _scan(frame._jdf.queryExecution().executedPlan()).metrics().apply("numOutputRows").value(), rows


def _scan(plan):
    if plan.nodeName().startswith("Scan parquet"):
        return plan
    if plan.nodeName() == "AdaptiveSparkPlan":
        return _scan(plan.executedPlan())
    children = plan.children()
    for i in range(children.size()):
        if found := _scan(children.apply(i)):
            return found
    return None


WHOLE = {"pyarrow": pyarrow_rows, "duckdb": duckdb_rows, "polars": polars_rows, "hyparquet": hyparquet_rows, "spark": spark_rows, "datafusion": datafusion_rows}

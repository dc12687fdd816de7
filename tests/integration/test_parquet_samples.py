"""Random batches through the Parquet sink alone, read back by pyarrow and DuckDB (parquet_samples.cpp writes, parquet_readback.py compares)."""
import contextlib
import io
import os
import pathlib
import subprocess
import unittest

import parquet_readback
import readers
from e2e import Case

BUILD = pathlib.Path(os.environ["LOGMILL_BUILD"])


class ParquetSamples(Case):
    def test_rows_come_back_as_they_were_written(self):
        for seed, batches, rows, memory, options in ((1, 10, 500, 64 << 20, "{}"), (2, 40, 100, 64 << 20, '{"row_group_rows":1000}'), (3, 20, 3000, 8 << 20, "{}")):
            with self.subTest(seed=seed):
                folder = self.dir / str(seed)
                subprocess.run([BUILD / "tests/parquet_samples", BUILD / "sinks/parquet.so", folder, str(seed), str(batches), str(rows), str(memory), options],
                               check=True, stdout=subprocess.DEVNULL)
                with contextlib.redirect_stdout(io.StringIO()) as said:
                    self.assertEqual(parquet_readback.main(str(folder)), 0, said)
                self.assertIn("equal", said.getvalue())

    def test_pages_and_dictionaries_may_end_anywhere(self):
        others = sorted(readers.WHOLE.keys() - {"pyarrow", "duckdb"})
        for seed in range(1, 13):
            names = ("pyarrow", "duckdb", others[seed % len(others)])
            with self.subTest(seed=seed, readers=names):
                folder = self.dir / f"pages-{seed}"
                subprocess.run([BUILD / "tests/parquet_page_samples", folder, str(seed)], check=True)
                with contextlib.redirect_stdout(io.StringIO()) as said:
                    self.assertEqual(parquet_readback.main(str(folder), names), 0, said.getvalue())


if __name__ == "__main__":
    unittest.main()

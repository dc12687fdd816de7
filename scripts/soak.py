#!/usr/bin/env python3
"""Kills runs at random instants, many times, and compares what the next run makes of it with an undisturbed one. `make soak` calls it.

usage: soak.py LOGMILL FOLDER [--rounds 200] [--objects 2000] [--records 20] [--seed 1] [--checkpoint 256K] [--to-s3]

--to-s3 writes to buckets of the server that scripts/services/s3.sh has started; its s3.env is to be in the environment. FOLDER is made, and removed at the end if all went well; after a failure it holds the job that failed.
"""
import argparse
import json
import pathlib
import shutil
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests/e2e"), str(ROOT / "scripts")]
import killing  # noqa: E402
import make_sample_archive  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description="Kill runs at random instants and compare.")
    parser.add_argument("logmill", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--objects", type=int, default=2000)
    parser.add_argument("--records", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--checkpoint", default="256K")
    parser.add_argument("--to-s3", action="store_true")
    arguments = parser.parse_args()
    kind = killing.Job
    if arguments.to_s3:
        sys.path.insert(0, str(ROOT / "tests/integration"))
        from s3_server import S3Job as kind  # noqa: PLC0415
    folder = arguments.folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)  # what a soak that was stopped has left
    make_sample_archive.build_many(folder / "archive", arguments.objects, arguments.records)
    began = time.monotonic()
    figures = killing.rounds(str(arguments.logmill.resolve()), folder, folder / "archive", arguments.rounds, arguments.seed, arguments.checkpoint,
                             tell=lambda line: print(line, flush=True), kind=kind)
    shutil.rmtree(folder)
    print(json.dumps({**figures, "objects": arguments.objects, "seed": arguments.seed, "seconds": round(time.monotonic() - began)}))


if __name__ == "__main__":
    main()

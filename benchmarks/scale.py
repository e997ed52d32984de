"""Time and memory of every stage against rows and columns, sampling rate against workers; resumable.

python benchmarks/scale.py curves          # a line for each size, each in a process of its own
python benchmarks/scale.py workers         # sampled rows per second of one process and more
python benchmarks/scale.py registry        # 10,000,000 rows x 50 columns, from files to report and shards: memory curve
python benchmarks/scale.py pictures        # docs/images/scale-*.svg and the tables for docs/scale.md

Tables are those of `large_table.py`. Stages are functions of the package: `read_sample`, `split`, `fit` of `gan`
(effort quick), `sample_shards` of as many rows as the table has, `evaluate` with one replicate and one prediction, and
the pages. Seconds are CPU seconds of all processes of a stage; memory is the largest sum of the proportional set sizes
of these processes, looked at twenty times a second. `--results` names another file than results/scale.jsonl, `--keep`
a folder for the registry, which stays.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import large_table
import scale_pictures
import yaml

import synthclin as sc
from synthclin.progress import quiet
from synthclin.rules.validation import conform

ROOT = Path(__file__).parent
LINES = ROOT / "results" / "scale.jsonl"
SAMPLE, COLUMNS, SHARD = 20_000, 50, 50_000
SIZES = [
    *({"curve": "rows", "rows": rows, "sample": SAMPLE, "columns": COLUMNS} for rows in (50_000, 200_000, 800_000)),
    *({"curve": "sample", "rows": 200_000, "sample": n, "columns": COLUMNS} for n in (5_000, 20_000, 80_000)),
    *({"curve": "columns", "rows": 50_000, "sample": SAMPLE, "columns": n} for n in (10, 25, 100, 200)),
]
REGISTRY = {"rows": 10_000_000, "columns": 50, "sample": 100_000, "shard_rows": 200_000}


def processes(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    found = [pid]
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += processes(int(child))
    except OSError:
        pass
    return found


def gigabytes(pid: int) -> float:
    """Return the proportional set size of a process and its descendants."""
    total = 0
    for each in processes(pid):
        try:
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1e6


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of its ended children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


@contextmanager
def measured(stages: dict[str, dict[str, float]], name: str) -> Iterator[None]:
    """Note CPU seconds, seconds and the largest memory of a stage."""
    peak, ended = [0.0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.05):
            peak[0] = max(peak[0], gigabytes(os.getpid()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    cpu, start = cpu_seconds(), time.perf_counter()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
        stages[name] = {
            "cpu": round(cpu_seconds() - cpu, 2),
            "seconds": round(time.perf_counter() - start, 2),
            "gigabytes": round(max(peak[0], gigabytes(os.getpid())), 3),
        }


def one(size: dict, home: Path) -> dict:
    """Go through all stages once and return a line."""
    stages: dict[str, dict[str, float]] = {}
    with measured(stages, "make"):
        large_table.write(home / "table", size["rows"], size["columns"])
    schema = sc.Schema.model_validate(large_table.schema(size["columns"]))
    with quiet():
        with measured(stages, "read"):
            found = sc.read_sample(home / "table", size["sample"], schema)
        with measured(stages, "split"):
            train, holdout = sc.split(conform(found.table, schema), schema)
        with measured(stages, "fit"):
            model = sc.ConditionalGAN(schema, effort="quick").fit(train)
        with measured(stages, "sample"):
            sc.sample_shards(model, size["rows"], home / "shards", shard_rows=SHARD, workers=2)
        synthetic = sc.read_table(home / "shards" / "part-00000.parquet", schema).head(len(train))
        with measured(stages, "score"):
            report = sc.evaluate(
                synthetic,
                train=train,
                holdout=holdout,
                schema=schema,
                tasks=[{"task": "predict", "target": "flag_1"}],
                workers=2,
            )
        with measured(stages, "report"):
            report.save(home / "report.html")
    return size | {"epochs": sum("epoch" in line for line in model.training_["history"]), "stages": stages}


def curves(lines: Path) -> None:
    """Measure every size that has no line yet, each in a new process."""
    known = [json.loads(line) for line in lines.read_text().splitlines()] if lines.is_file() else []
    for size in SIZES:
        if not any(line.items() >= size.items() for line in known):
            words = [sys.executable, __file__, "--one", json.dumps(size), "--results", str(lines)]
            subprocess.run(words, check=True)


def workers(lines: Path) -> None:
    """Measure sampled rows per second of one process and of two, three times each, in turn."""
    schema = sc.Schema.model_validate(large_table.schema(COLUMNS))
    with quiet(), tempfile.TemporaryDirectory() as home:
        train = conform(large_table.batch(SAMPLE, COLUMNS, 0, 0), schema)
        model = sc.ConditionalGAN(schema, effort="quick").fit(train)
        for i in range(3):
            for count in (1, 2):
                start = time.perf_counter()
                sc.sample_shards(model, 160_000, f"{home}/{i}-{count}", shard_rows=20_000, workers=count)
                rate = round(160_000 / (time.perf_counter() - start))
                add(lines, {"curve": "workers", "workers": count, "rows_per_second": rate, "load": os.getloadavg()[0]})


def registry(lines: Path, home: Path) -> None:
    """Run a study of the registry and note its memory every second."""
    source = home / "registry"
    if not source.is_dir():
        large_table.write(source, REGISTRY["rows"], REGISTRY["columns"])
    study = {
        "version": 1,
        "name": "registry",
        "data": {"source": str(source), "sample": REGISTRY["sample"]},
        "schema": large_table.schema(REGISTRY["columns"]),
        "sampling": {"rows": REGISTRY["rows"], "shard_rows": REGISTRY["shard_rows"]},
        "evaluation": {"utility": [{"task": "predict", "target": "flag_1"}]},
        "privacy": {"release_check": True},
        "outputs": {"folder": str(home / "run")},
    }
    (home / "study.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    words = [sys.executable, "-m", "synthclin.cli", "run", str(home / "study.yaml"), "--overwrite"]
    start, memory = time.time(), []
    process = subprocess.Popen(words)
    while process.poll() is None:
        memory.append([round(time.time() - start), round(gigabytes(process.pid), 3)])
        time.sleep(1)
    manifest = json.loads((home / "run" / "manifest.json").read_text())
    add(lines, {"curve": "registry", **REGISTRY, "memory": memory, "stages": manifest["seconds"]})


def add(lines: Path, line: dict) -> None:
    """Append a line to the results."""
    with lines.open("a") as file:
        file.write(json.dumps(line) + "\n")


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", help="curves, workers, registry, pictures")
    parser.add_argument("--one", type=json.loads, metavar="SIZE")
    parser.add_argument("--results", type=Path, default=LINES)
    parser.add_argument("--keep", type=Path, help="folder for the registry, which stays")
    options = parser.parse_args()
    if options.one:
        with tempfile.TemporaryDirectory(dir=options.keep) as home:
            add(options.results, one(options.one, Path(home)))
    if "curves" in options.what:
        curves(options.results)
    if "workers" in options.what:
        workers(options.results)
    if "registry" in options.what:
        with tempfile.TemporaryDirectory() as home:
            registry(options.results, options.keep or Path(home))
    if "pictures" in options.what:
        scale_pictures.draw(options.results, ROOT.parent / "docs" / "images")


if __name__ == "__main__":
    main()

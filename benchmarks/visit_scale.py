"""Cost of a model of patients with visits: seconds and memory of a fit and of a sample of generated patients.

    python -m benchmarks.visit_scale --patients 5000 --visits 20 --columns 20 --out benchmarks/results/visit_scale.jsonl

Numbers are autocorrelated within a patient, levels change rarely, cells are missing at random, and the follow-up ends
after the last visit. Numbers of visits lie between half and all of `--visits`.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import resource
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

import synthclin as sc
from synthclin.progress import quiet
from synthclin.rules.validation import conform

STATIC = 4
"""Static columns beside the follow-up: sex, arm, age, died."""


def generated(patients: int, visits: int, columns: int, seed: int = 0) -> tuple[pd.DataFrame, sc.Schema]:
    """Return a typed table of visits and its schema; of the varying columns a third have levels."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(max(visits // 2, 1), visits + 1, patients)
    who = np.repeat(np.arange(patients), counts)
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    number = np.arange(len(who)) - first[who]
    gaps = np.where(number == 0, 0, rng.integers(60, 120, len(who)))
    day = np.cumsum(gaps) - np.cumsum(gaps)[first][who]
    last = day[first + counts - 1]
    age = rng.integers(25, 85, patients)
    found = {
        "patient": who,
        "sex": np.array(["F", "M"])[rng.integers(0, 2, patients)][who],
        "arm": np.array(["A", "B"])[rng.integers(0, 2, patients)][who],
        "age": age[who],
        "end": (last + rng.integers(0, 90, patients))[who],
        "died": (rng.random(patients) < age / 150).astype(int)[who],
        "day": day,
    }
    declared: dict[str, dict] = {
        "patient": {"type": "id", "role": "entity"},
        "sex": {"type": "category", "categories": ["F", "M"], "static": True},
        "arm": {"type": "category", "categories": ["A", "B"], "static": True, "role": "treatment"},
        "age": {"type": "integer", "range": [18, 105], "static": True},
        "end": {"type": "integer", "range": [0, 100_000], "static": True, "role": "time"},
        "died": {"type": "boolean", "values": [0, 1], "static": True, "role": "event"},
        "day": {"type": "integer", "range": [0, 100_000], "role": "visit"},
    }
    common = rng.normal(size=patients)
    for j in range(columns - STATIC - 2):
        if j % 3 == 2:
            change = rng.random(len(who)) < 0.1
            level = rng.integers(0, 4, len(who))
            at = np.maximum.accumulate(np.where(change | (number == 0), np.arange(len(who)), 0))
            found[f"level_{j}"] = level[at]
            declared[f"level_{j}"] = {"type": "ordinal", "categories": [0, 1, 2, 3]}
            continue
        own = 0.6 * common + 0.8 * rng.normal(size=patients)
        value = np.empty(len(who))
        noise = rng.normal(size=len(who))
        for k in range(visits):
            here = np.flatnonzero(number == k)
            before = noise[here] if k == 0 else value[here - 1]
            value[here] = 0.6 * before + 0.8 * noise[here]
        cells = np.round(np.exp(0.4 * (own[who] + 0.6 * value) + 3), 1)
        cells[rng.random(len(who)) < (0.1 if j % 2 else 0.0)] = np.nan
        found[f"value_{j}"] = cells
        declared[f"value_{j}"] = {"type": "number", "range": [0, 10_000], "decimals": 1, "missing": "allowed"}
    schema = sc.Schema.model_validate({"columns": declared, "constraints": ["day <= end"]})
    return conform(pd.DataFrame(found), schema), schema


def main() -> None:
    """Fit, sample as many patients, print the cost, and on demand the most expensive functions."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=5_000)
    parser.add_argument("--visits", type=int, default=20)
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--effort", default="quick")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    table, schema = generated(options.patients, options.visits, options.columns)
    started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    profile = cProfile.Profile() if options.profile else None
    times = [(time.perf_counter(), time.process_time())]
    with quiet():
        if profile is not None:
            profile.enable()
        model = sc.ConditionalGAN(schema, effort=options.effort, random_state=0).fit(table)
        times.append((time.perf_counter(), time.process_time()))
        fitted = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        synthetic = model.sample(options.patients, random_state=0)
        times.append((time.perf_counter(), time.process_time()))
        if profile is not None:
            profile.disable()
    record = {"patients": options.patients, "visits": len(table), "columns": table.shape[1], "effort": options.effort}
    record |= {"threads": options.threads, "synthetic_visits": len(synthetic)}
    for name, before, after in (("fit", *times[:2]), ("sample", *times[1:])):
        record |= {f"{name}_seconds": round(after[0] - before[0], 1), f"{name}_cpu": round(after[1] - before[1], 1)}
    record |= {"mib_before": started, "mib_fit": fitted}
    record["mib_sample"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    record["seconds"] = model.training_["seconds"]
    print(json.dumps(record))
    if options.out is not None:
        with options.out.open("a") as file:
            file.write(json.dumps(record) + "\n")
    if profile is not None:
        pstats.Stats(profile).sort_stats("cumulative").print_stats(60)


if __name__ == "__main__":
    main()

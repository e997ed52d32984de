"""Patients with visits: how like real patients synthetic ones are, judged on holdout patients.

    python -m benchmarks.visits FOLDER/pbcseq/data.csv --config configs/pbcseq.yaml --seeds 0 1 2 --out FILE.jsonl
    python -m benchmarks.visits FOLDER/heart_valve/data.csv FOLDER/aids/data.csv --models real visits rows par

`benchmarks/visit_tables.py` writes such tables. Without `--config` the schema is the one that `schema infer` guesses.
The holdout of each split has 30 % of the patients. The longitudinal model, rows treated as patients, PAR (in
an environment of its own), and the real training patients themselves are compared with them by
`benchmarks/visit_measures.py`. Rows treated as patients are put together at random, in the numbers of visits of real
patients. `tstr` is the mean R2 of the next value of each number from the history, predicted by a forest that was fitted
to synthetic patients, `trtr` to training patients. `membership`, `file` and `means` are AUCs of membership attacks on
patients by nearest synthetic patients, by the likelihood of the model file, and by residuals of its linear means.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import synthclin as sc
from benchmarks import par
from benchmarks.visit_measures import broken, by_likelihood, by_residuals, compare, membership, next_visit
from synthclin.inference import infer_schema
from synthclin.io.documents import read_yaml
from synthclin.progress import quiet
from synthclin.rules.validation import conform
from synthclin.schema import Schema

DRAWS = 3
MODELS = ("real", "visits", "rows", "par")


def grouped(rows: pd.DataFrame, train: pd.DataFrame, schema: Schema, seed: int) -> pd.DataFrame:
    """Return rows put together at random into patients, with the numbers of visits of training patients."""
    rng = np.random.default_rng(seed)
    sizes = train.groupby(train[schema.entity], sort=False).size().to_numpy()
    who = np.repeat(np.arange(len(sizes)), sizes)[: len(rows)]
    order = rng.permutation(len(rows))[: len(who)]
    table = rows.iloc[order].reset_index(drop=True)
    table[schema.entity] = [f"r{i}" for i in who]
    return table.sort_values([schema.entity, schema.visit_time], kind="stable").reset_index(drop=True)


def some(table: pd.DataFrame, schema: Schema, patients: int, seed: int) -> pd.DataFrame:
    """Return the rows of some patients, chosen at random."""
    names = table[schema.entity].unique()
    chosen = np.random.default_rng(seed).permutation(len(names))[:patients]
    return table[table[schema.entity].isin(names[chosen])].reset_index(drop=True)


def mean_of(found: list[dict[str, float]]) -> dict[str, float]:
    """Return the mean of each measure."""
    means = {key: float(np.mean([one[key] for one in found])) for key in found[0]}
    return {key: round(mean, 4) for key, mean in means.items() if np.isfinite(mean)}


def read(source: Path, config: Path | None) -> tuple[pd.DataFrame, Schema]:
    """Return a typed table of visits, sorted, and its schema."""
    if config is not None:
        document = read_yaml(config)
        schema = Schema.model_validate(document.get("schema", document))
        table = pd.read_csv(source)
    else:
        table = sc.read_table(source)
        schema = infer_schema(table)
    table = conform(table, schema)
    return table.sort_values([schema.entity, schema.visit_time], kind="stable").reset_index(drop=True), schema


def sampled(
    kind: str, train: pd.DataFrame, schema: Schema, sizes: list[int], seed: int, options: argparse.Namespace
) -> tuple[list[pd.DataFrame], dict[str, float], sc.ConditionalGAN | None]:
    """Return a synthetic table of each size in patients, seconds, and the fitted model where it has a likelihood."""
    start = time.perf_counter()
    if kind == "par":
        draws, fitted = par.sampled(train, schema, sizes, seed, options.environment)
        return draws, fitted, None
    if kind == "visits":
        model = sc.ConditionalGAN(schema, effort=options.effort, random_state=seed).fit(train)
        fitted = time.perf_counter() - start
        draws = [model.sample(size, random_state=100 + d) for d, size in enumerate(sizes)]
        return draws, {"fit_seconds": round(fitted, 1)}, model
    alone = schema.model_copy(update={"visits": "independent"})
    model = sc.ConditionalGAN(alone, effort=options.effort, random_state=seed).fit(train)
    fitted = time.perf_counter() - start
    draws = [
        some(grouped(model.sample(len(train), random_state=100 + d), train, schema, d), schema, size, d)
        for d, size in enumerate(sizes)
    ]
    return draws, {"fit_seconds": round(fitted, 1)}, None


def measured(
    kind: str, train: pd.DataFrame, holdout: pd.DataFrame, schema: Schema, seed: int, options: argparse.Namespace
) -> dict:
    """Return the measures of one model on one split."""
    patients, members = holdout[schema.entity].nunique(), train[schema.entity].nunique()
    record: dict = {}
    likelihood = None
    if kind == "real":
        draws, large = [some(train, schema, patients, d) for d in range(DRAWS)], []
    else:
        tables, record, likelihood = sampled(kind, train, schema, [patients] * DRAWS + [members] * 2, seed, options)
        draws, large = tables[:DRAWS], tables[DRAWS:]
    found = mean_of([compare(holdout, draw, schema, d) for d, draw in enumerate(draws)])
    found["violations"] = sum(broken(draw, schema) for draw in draws) if kind != "real" else 0
    real = next_visit(train, holdout, schema)
    if real:
        found["trtr"] = round(float(np.mean(list(real.values()))), 4)
    if large:
        synthetic = [next_visit(table, holdout, schema) for table in large]
        known = [n for n in real if all(n in one for one in synthetic)]
        if known:
            found["tstr"] = round(float(np.mean([one[n] for one in synthetic for n in known])), 4)
            found["trtr"] = round(float(np.mean([real[n] for n in known])), 4)
        found["membership"] = round(membership(train, holdout, large, schema), 4)
    if likelihood is not None:
        whole = pd.concat([train, holdout], ignore_index=True)
        who = pd.factorize(whole[schema.entity])[0]
        member = np.arange(members + patients) < members
        found["file"] = round(by_likelihood(likelihood.log_likelihood(whole), who, member), 4)
        found["means"] = round(by_residuals(likelihood.longitudinal_, train, holdout), 4)
    return found | {"patients": patients} | record


def main() -> None:
    """Measure every split and append the results to a file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", type=Path, nargs="+")
    parser.add_argument("--config", type=Path, help="YAML with the schema; inferred otherwise")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--effort", default="quick")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--models", nargs="+", default=["real", "visits", "rows"], choices=MODELS)
    parser.add_argument("--environment", type=Path, help="folder of the virtual environment `sdv`, for `par`")
    options = parser.parse_args()
    for source in options.sources:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table, schema = read(source, options.config)
        for seed in options.seeds:
            train, holdout = sc.split(table, schema, holdout=0.3, random_state=seed)
            for kind in options.models:
                start = time.process_time()
                record = {"data": source.parent.name, "model": kind, "seed": seed, "effort": options.effort}
                with quiet(), warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    try:
                        record |= measured(kind, train, holdout, schema, seed, options)
                    except par.PeerError as error:
                        record["failure"] = str(error)
                record["cpu_seconds"] = round(time.process_time() - start, 1)
                record["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
                print(json.dumps(record), flush=True)
                if options.out is not None:
                    with options.out.open("a") as file:
                        file.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()

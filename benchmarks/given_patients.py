"""Given patients with visits: imputed cells and forecast visits of holdout patients against what was measured.

    python -m benchmarks.given_patients FOLDER/pbcseq/data.csv --seeds 0 --out benchmarks/results/given_patients.jsonl

The model never saw the holdout patients, 30 % of each split. A share of the cells of their visits is emptied at random
and imputed ten times. For numbers the error is the root mean square error of the mean of the imputations over the
standard deviation, on the log scale of positive columns; for levels the share of cells in which the most frequent
imputation is wrong. The same of single imputations, of a model of rows (`visits: independent`), and of the last
observation carried forward, or backward where there is none before, else the mean. `covered` is the share of numbers
between the lowest and the highest of ten imputations, ideally 9 / 11. The forecast continues the first three visits of
patients with five and more.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import synthclin as sc
from benchmarks.visits import numeric
from synthclin.io.documents import read_yaml
from synthclin.progress import quiet
from synthclin.rules.rules import violations
from synthclin.rules.validation import conform
from synthclin.schema import Schema

COPIES = 10
HERE = Path(__file__).parent


def scaled(table: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return the columns as numbers, positive ones as their logarithms."""
    found = numeric(table, schema)
    for name in found:
        bounds = schema.columns[name].bounds
        if schema.columns[name].levels is None and bounds is not None and float(bounds[0]) > 0:
            found[name] = np.log(found[name])
    return found


def carried(values: pd.Series, patient: pd.Series) -> pd.Series:
    """Return the last observation carried forward, else backward, else the mean."""
    found = values.groupby(patient).ffill()
    return found.fillna(found.groupby(patient).bfill()).fillna(values.mean())


def errors(truth: np.ndarray, copies: np.ndarray, levels: bool) -> tuple[float, float]:
    """Return the error of the mean, or of the most frequent level, and that of single copies, (copies, cells)."""
    if levels:
        every = np.unique(copies)
        shares = np.stack([(copies == level).mean(axis=0) for level in every])
        return float((every[shares.argmax(axis=0)] != truth).mean()), float((copies != truth).mean())
    spread = truth.std()
    return tuple(float(np.sqrt(np.mean((x - truth) ** 2)) / spread) for x in (copies.mean(axis=0), copies))


def imputed(
    model: sc.ConditionalGAN, rows: sc.ConditionalGAN, table: pd.DataFrame, schema: Schema, share: float
) -> dict[str, Any]:
    """Return the errors by column, and their means."""
    rng, patient, truth = np.random.default_rng(1), table[schema.entity], scaled(table, schema)
    names = [name for name in schema.modelled if name not in schema.static and name != schema.visit_time]
    masks = {name: (rng.random(len(table)) < share) & table[name].notna().to_numpy() for name in names}
    holes = table.assign(**{name: table[name].mask(mask) for name, mask in masks.items()})
    start = time.process_time()
    tables = model.impute(holes, COPIES, random_state=3)
    spent = time.process_time() - start
    found = [scaled(one, schema) for one in tables]
    others = [scaled(one, schema) for one in rows.impute(holes, COPIES, random_state=3)]
    before, columns = scaled(holes, schema), {}
    for name, mask in masks.items():
        levels, real = schema.columns[name].levels is not None, truth[name].to_numpy()[mask]
        copies, alone = (np.stack([one[name].to_numpy()[mask] for one in each]) for each in (found, others))
        last = carried(before[name], patient).to_numpy()[mask]
        last = np.rint(last) if levels else last
        mean, single = errors(real, copies, levels)
        columns[name] = {
            "mean": mean, "single": single, "rows": errors(real, alone, levels)[0],
            "carried": errors(real, last[None], levels)[0],
        }  # fmt: skip
        if not levels:
            columns[name]["covered"] = float(((real >= copies.min(axis=0)) & (real <= copies.max(axis=0))).mean())
    return {
        "left": int(sum(one[name].isna().sum() for one in found for name in names)),
        "violations": int(sum(mask.sum() for one in tables for mask in violations(one, schema).values())),
        "cpu_seconds": round(spent, 1),
        "means": pd.DataFrame(columns).mean(axis=1).round(3).to_dict(),
        "columns": {name: {key: round(x, 3) for key, x in one.items()} for name, one in columns.items()},
    }


def forecast(model: sc.ConditionalGAN, table: pd.DataFrame, schema: Schema) -> dict[str, Any]:
    """Return by number the errors of the next two visits, of the forecast and of the last value carried forward."""
    entity, number = schema.entity, table.groupby(schema.entity).cumcount()
    several = table.groupby(entity)[schema.visit_time].transform("size") >= 5
    history = table[several & (number < 3)].reset_index(drop=True)
    ends = [name for name in schema.static if schema.columns[name].role in {"time", "event"}]
    blank = history.assign(**dict.fromkeys(ends))
    tables = [model.continue_(blank, visits=2, random_state=i)[0] for i in range(COPIES)]
    columns, real = {}, scaled(table[several].reset_index(drop=True), schema)
    real_number = number[several].to_numpy()
    for name in schema.modelled:
        if schema.columns[name].levels is not None or name in schema.static or name == schema.visit_time:
            continue
        last = carried(scaled(history, schema)[name], history[entity]).to_numpy()[2::3]
        both = []
        for ahead in (3, 4):
            truth = real[name].to_numpy()[real_number == ahead]
            copies = np.stack([scaled(one, schema)[name].to_numpy()[ahead::5] for one in tables])
            known = np.isfinite(truth)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a mean of missing cells
                mean = np.nanmean(copies, axis=0)
            known &= np.isfinite(mean)
            spread = truth[known].std()
            both.append([np.sqrt(np.mean((x - truth)[known] ** 2)) / spread for x in (mean, last)])
        columns[name] = {
            "mean": round(float(np.mean(both, axis=0)[0]), 3),
            "carried": round(float(np.mean(both, axis=0)[1]), 3),
        }
    return {
        "patients": int(history[entity].nunique()),
        "means": pd.DataFrame(columns).mean(axis=1).round(3).to_dict(),
        "columns": columns,
    }


def main() -> None:
    """Measure every split and append the results to a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("--config", type=Path, default=HERE.parent / "configs" / "pbcseq.yaml")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--shares", type=float, nargs="+", default=[0.1, 0.3])
    parser.add_argument("--effort", default="quick")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    schema = Schema.model_validate(read_yaml(args.config)["schema"])
    alone = schema.model_copy(update={"visits": "independent"})
    table = conform(pd.read_csv(args.source), schema)
    table = table.sort_values([schema.entity, schema.visit_time], kind="stable").reset_index(drop=True)
    for seed in args.seeds:
        train, holdout = sc.split(table, schema, holdout=0.3, random_state=seed)
        holdout = holdout.sort_values([schema.entity, schema.visit_time], kind="stable").reset_index(drop=True)
        with quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = sc.ConditionalGAN(schema, effort=args.effort, random_state=seed).fit(train)
            rows = sc.ConditionalGAN(alone, effort=args.effort, random_state=seed).fit(train)
            records = [{"share": share} | imputed(model, rows, holdout, schema, share) for share in args.shares]
            records.append({"forecast": forecast(model, holdout, schema)})
        for record in records:
            line = json.dumps({"data": args.source.parent.name, "seed": seed, "effort": args.effort} | record)
            print(line, flush=True)
            if args.out is not None:
                with args.out.open("a") as file:
                    file.write(line + "\n")


if __name__ == "__main__":
    main()

"""Patients with visits: how like real patients synthetic ones are, judged on holdout patients.

    python -m benchmarks.visits FOLDER/pbcseq/data.csv --seeds 0 1 2 --out benchmarks/results/visits.jsonl

The holdout of each split has 30 % of the patients. The longitudinal model, rows treated as patients, and the real
training patients themselves are compared with them, per patient: C2ST AUC of a random forest and of logistic regression
on features of each patient, error of the intraclass correlation and of the lag-1 correlation, and the
Kolmogorov-Smirnov distance of the gaps between visits. Rows treated as patients are put together at random, in the
numbers of visits of real patients.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import ks_2samp
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import synthclin as sc
from synthclin.io.documents import read_yaml
from synthclin.progress import quiet
from synthclin.rules.rules import violations
from synthclin.rules.validation import conform
from synthclin.schema import Schema
from synthclin.schema.visit_times import times_of

DRAWS = 3
HERE = Path(__file__).parent


def numeric(table: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return the modelled columns as numbers: codes of levels in their order."""
    found = {}
    for name in schema.modelled:
        column = schema.columns[name]
        if column.levels is not None:
            levels = {str(level): i for i, level in enumerate(column.levels)}
            found[name] = (
                table[name].astype(object).map(lambda cell, at=levels: at.get(str(cell), np.nan)).astype(float)
            )
        else:
            found[name] = pd.Series(times_of(table[name]), index=table.index)
    return pd.DataFrame(found)


def of_patients(table: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return one row of features per patient."""
    time_name = schema.visit_time
    values = numeric(table, schema)
    patient = pd.factorize(table[schema.entity])[0]
    groups = values.groupby(patient)
    found = {f"static {name}": groups[name].first() for name in schema.static}
    t = values[time_name]
    found["count"] = groups[time_name].size()
    found["first time"], found["last time"] = groups[time_name].first(), groups[time_name].last()
    gaps = t.groupby(patient).diff()
    for how in ("mean", "min", "max", "std"):
        found[f"gap {how}"] = gaps.groupby(patient).agg(how)
    for name in schema.static:
        if schema.columns[name].role == "time":
            found[f"slack {name}"] = found[f"static {name}"] - found["last time"]
    middle = t - groups[time_name].transform("mean")
    for name in values:
        if name in schema.static or name == time_name:
            continue
        one, by = values[name], groups[name]
        for how in ("first", "last", "mean", "std", "min", "max"):
            found[f"{name} {how}"] = by.agg(how)
        apart = one - by.transform("mean")
        known = one.notna()
        slope = (apart * middle).where(known).groupby(patient).sum() / (middle**2).where(known).groupby(patient).sum()
        found[f"{name} slope"] = slope.replace([np.inf, -np.inf], np.nan)
        found[f"{name} lag"] = (apart * apart.groupby(patient).shift()).groupby(patient).mean()
        found[f"{name} missing"] = one.isna().groupby(patient).mean()
    return pd.DataFrame(found).astype(float)


def c2st(real: pd.DataFrame, synthetic: pd.DataFrame, seed: int) -> tuple[float, float]:
    """Return the cross-validated AUC of a random forest and of logistic regression."""
    both = pd.concat([real, synthetic], ignore_index=True)
    both = both.fillna(both.median()).fillna(0.0)
    label = np.repeat([0, 1], [len(real), len(synthetic)])
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    models = (
        RandomForestClassifier(400, min_samples_leaf=2, random_state=seed, n_jobs=1),
        make_pipeline(StandardScaler(), LogisticRegression(C=0.05, max_iter=2_000)),
    )
    found = []
    for model in models:
        score = cross_val_predict(model, both.clip(-1e9, 1e9), label, cv=folds, method="predict_proba")[:, 1]
        found.append(float(roc_auc_score(label, score)))
    return found[0], found[1]


def icc(values: pd.Series, patient: np.ndarray) -> float:
    """Return the one-way intraclass correlation of a column."""
    known = values.notna().to_numpy()
    values, patient = values[known], patient[known]
    groups = values.groupby(patient)
    size, mean = groups.size(), groups.mean()
    k, n = len(size), len(values)
    if k < 3 or n <= k:
        return np.nan
    between = float((size * (mean - values.mean()) ** 2).sum()) / (k - 1)
    within = float(((values - groups.transform("mean")) ** 2).sum()) / (n - k)
    typical = (n - (size**2).sum() / n) / (k - 1)
    return (between - within) / max(between + (typical - 1) * within, 1e-12)


def lag1(values: pd.Series, patient: np.ndarray) -> float:
    """Return the correlation of a column with its value at the visit before."""
    before = values.groupby(patient).shift()
    return float(values.corr(before))


def compare(real: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema, seed: int) -> dict[str, float]:
    """Return the measures of one synthetic table against holdout patients."""
    sides = []
    for table in (real, synthetic):
        values = numeric(table, schema)
        sides.append((values, pd.factorize(table[schema.entity])[0]))
    names = [n for n in sides[0][0] if n not in schema.static and n != schema.visit_time]
    numbers = [n for n in names if schema.columns[n].levels is None]
    logged = []
    for values, patient in sides:
        copy = values.copy()
        for n in numbers:
            if schema.columns[n].is_numeric and (sides[0][0][n].dropna() > 0).all():
                copy[n] = np.log(copy[n].clip(lower=1e-9))
        logged.append((copy, patient))
    iccs = [[icc(values[n], patient) for n in names] for values, patient in logged]
    lags = [[lag1(values[n], patient) for n in names] for values, patient in logged]
    gaps = [values[schema.visit_time].groupby(patient).diff().dropna() for values, patient in sides]
    forest, logistic = c2st(of_patients(real, schema), of_patients(synthetic, schema), seed)
    return {
        "forest": forest,
        "logistic": logistic,
        "icc": float(np.nanmean(np.abs(np.subtract(*iccs)))),
        "icc_bias": float(np.nanmean(np.subtract(iccs[1], iccs[0]))),
        "lag1": float(np.nanmean(np.abs(np.subtract(*lags)))),
        "gap_ks": float(ks_2samp(gaps[0], gaps[1]).statistic),
    }


def broken(table: pd.DataFrame, schema: Schema) -> int:
    """Return how many guarantees a synthetic table breaks: rules, times that do not rise, statics that vary."""
    count = sum(int(mask.sum()) for mask in violations(table, schema).values())
    patient = pd.factorize(table[schema.entity])[0]
    values = numeric(table, schema)
    count += int((values[schema.visit_time].groupby(patient).diff().dropna() <= 0).sum())
    for name in schema.static:
        first = values[name].groupby(patient).transform("first")
        count += int((values[name].notna() & (values[name] != first)).sum())
        if schema.columns[name].role == "time" and not schema.columns[schema.visit_time].is_temporal:
            count += int((values[name] < values[schema.visit_time]).sum())
    return count


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
    return {key: round(float(np.mean([one[key] for one in found])), 4) for key in found[0]}


def main() -> None:
    """Measure every split and append the results to a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("--config", type=Path, default=HERE.parent / "configs" / "pbcseq.yaml")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--effort", default="quick")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--models", nargs="+", default=["real", "visits", "rows"])
    args = parser.parse_args()
    schema = Schema.model_validate(read_yaml(args.config)["schema"])
    table = conform(pd.read_csv(args.source), schema)
    table = table.sort_values([schema.entity, schema.visit_time], kind="stable").reset_index(drop=True)
    for seed in args.seeds:
        train, holdout = sc.split(table, schema, holdout=0.3, random_state=seed)
        patients = holdout[schema.entity].nunique()
        for kind in args.models:
            start = time.perf_counter()
            with quiet(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if kind == "real":
                    draws = [some(train, schema, patients, d) for d in range(DRAWS)]
                    count = 0
                elif kind == "visits":
                    model = sc.ConditionalGAN(schema, effort=args.effort, random_state=seed).fit(train)
                    fitted = time.perf_counter() - start
                    draws = [model.sample(patients, random_state=100 + d) for d in range(DRAWS)]
                    count = sum(broken(draw, schema) for draw in draws)
                else:
                    alone = schema.model_copy(update={"visits": "independent"})
                    model = sc.ConditionalGAN(alone, effort=args.effort, random_state=seed).fit(train)
                    draws = [
                        some(
                            grouped(model.sample(len(train), random_state=100 + d), train, schema, d),
                            schema,
                            patients,
                            d,
                        )
                        for d in range(DRAWS)
                    ]
                    count = sum(broken(draw, schema) for draw in draws)
            spent = time.perf_counter() - start
            record = {"data": args.source.parent.name, "model": kind, "seed": seed, "effort": args.effort}
            record |= mean_of([compare(holdout, draw, schema, d) for d, draw in enumerate(draws)])
            record |= {"violations": count, "patients": patients, "seconds": round(spent, 1)}
            if kind == "visits":
                record["fit_seconds"] = round(fitted, 1)
            print(json.dumps(record), flush=True)
            if args.out is not None:
                with args.out.open("a") as file:
                    file.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()

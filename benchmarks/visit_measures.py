"""Measures of patients with visits that share no code with the library's own scores; each is per patient or visit."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import ks_2samp
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.measures import neighbour_attack
from synthclin.models.visits.longitudinal import Longitudinal
from synthclin.models.visits.patient_rows import slacks
from synthclin.models.visits.transition_rows import transitions as transitions_of
from synthclin.models.visits.transitions import Patients
from synthclin.rules.rules import violations
from synthclin.schema import Schema
from synthclin.schema.visit_times import times_of

LEAST_NEXT = 30
"""Observed next values of holdout patients, below which a number is not predicted."""


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


def lagged(values: pd.Series, patient: np.ndarray, lag: int) -> float:
    """Return the correlation of a column with its value so many visits before."""
    before = values.groupby(patient).shift(lag)
    return float(values.corr(before)) if (values.notna() & before.notna()).sum() > 10 else np.nan


def transitions(values: pd.Series, patient: np.ndarray) -> pd.Series:
    """Return the shares of pairs of neighbouring visits with each pair of levels, a missing cell being one."""
    now = values.fillna(-1.0)
    before = now.groupby(patient).shift()
    pairs = pd.Series(list(zip(before[before.notna()], now[before.notna()], strict=True)))
    return pairs.value_counts(normalize=True)


def transition_tv(real: list, synthetic: list) -> float:
    """Return the mean total variation distance of transitions over columns."""
    apart = [a.sub(b, fill_value=0.0).abs().sum() / 2 for a, b in zip(real, synthetic, strict=True)]
    return float(np.mean(apart)) if apart else np.nan


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
    lags = {k: [[lagged(values[n], patient, k) for n in names] for values, patient in logged] for k in (1, 2, 3)}
    moves = [[transitions(values[n], patient) for n in names if n not in numbers] for values, patient in sides]
    gaps = [values[schema.visit_time].groupby(patient).diff().dropna() for values, patient in sides]
    forest, logistic = c2st(of_patients(real, schema), of_patients(synthetic, schema), seed)
    return {
        "forest": forest,
        "logistic": logistic,
        "icc": _mean(np.abs(np.subtract(*iccs))),
        "icc_bias": _mean(np.subtract(iccs[1], iccs[0])),
        **{f"lag{k}": _mean(np.abs(np.subtract(*found))) for k, found in lags.items()},
        "transition": transition_tv(*moves),
        "gap_ks": float(ks_2samp(gaps[0], gaps[1]).statistic),
    }


def _mean(found: np.ndarray) -> float:
    known = found[np.isfinite(found)]
    return float(known.mean()) if len(known) else np.nan


def next_values(table: pd.DataFrame, schema: Schema) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the history before each later visit as features, and the numbers at that visit, logged if positive."""
    values = numeric(table, schema)
    patient = pd.factorize(table[schema.entity])[0]
    time = schema.visit_time
    numbers = [n for n in values if n not in schema.static and n != time and schema.columns[n].levels is None]
    for n in numbers:
        bounds = schema.columns[n].bounds
        if schema.columns[n].is_numeric and bounds is not None and bounds[0] >= 0:
            values[n] = np.log1p(values[n].clip(lower=0))
    groups = values.groupby(patient)
    found = {f"static {n}": values[n] for n in schema.static if schema.columns[n].role != "time"}
    found |= {"number": groups.cumcount().astype(float), "time": values[time], "gap": groups[time].diff()}
    for n in [n for n in values if n not in schema.static and n != time]:
        filled = groups[n].ffill().groupby(patient)
        found[f"last {n}"] = filled.shift()
        found[f"mean {n}"] = (groups[n].cumsum() / values[n].notna().groupby(patient).cumsum()).groupby(patient).ffill()
        found[f"mean {n}"] = found[f"mean {n}"].groupby(patient).shift()
        found[f"before {n}"] = filled.shift(2)
    later = found["number"] > 0
    return pd.DataFrame(found)[later].reset_index(drop=True), values.loc[later, numbers].reset_index(drop=True)


def next_visit(fitted: pd.DataFrame, holdout: pd.DataFrame, schema: Schema, seed: int = 0) -> dict[str, float]:
    """Return by number the R2 on holdout patients of a random forest that predicts its next value from the history."""
    x, y = next_values(fitted, schema)
    there, truth = next_values(holdout, schema)
    middle = x.median().fillna(0.0)
    found = {}
    for n in y:
        here, known = y[n].notna(), truth[n].notna()
        if known.sum() < LEAST_NEXT or truth.loc[known, n].nunique() < 3 or here.sum() < LEAST_NEXT:
            continue
        forest = RandomForestRegressor(100, min_samples_leaf=5, max_features=0.4, random_state=seed, n_jobs=1)
        forest.fit(x[here].fillna(middle), y.loc[here, n])
        found[n] = float(r2_score(truth.loc[known, n], forest.predict(there[known].fillna(middle))))
    return found


def membership(train: pd.DataFrame, holdout: pd.DataFrame, synthetic: list[pd.DataFrame], schema: Schema) -> float:
    """Return the AUC of a membership attack on patients by the nearest synthetic patient."""
    features = [of_patients(table, schema).to_numpy() for table in (train, holdout)]
    return neighbour_attack(*features, np.concatenate([of_patients(table, schema).to_numpy() for table in synthetic]))


def by_likelihood(likelihood: np.ndarray, patient: np.ndarray, member: np.ndarray) -> float:
    """Return the AUC of a membership attack on patients by their mean log-likelihood per visit under the model file.

    Arguments:
        likelihood: (rows,) of each visit.
        patient: (rows,) number of its patient.
        member: (patients,) whether the model was fitted to it.
    """
    return float(roc_auc_score(member, pd.Series(likelihood).groupby(patient).mean()))


def by_residuals(model: Longitudinal, train: pd.DataFrame, holdout: pd.DataFrame) -> float:
    """Return the AUC of a membership attack on patients by the squared residuals of the stored linear means.

    Arguments:
        model: the fitted model, whose coefficients the attacker reads from the model file.
        train: visits of members, sorted.
        holdout: visits of others, sorted.
    """
    table = pd.concat([train, holdout], ignore_index=True)
    patient = pd.factorize(table[model.schema.entity])[0]
    first = np.unique(patient, return_index=True)[1]
    variables = model.visits.variables
    slack = slacks(model.schema, model.rows.follow_up, table, patient)
    known = Patients(np.bincount(patient), slack, *variables.statics(table.iloc[first]))
    found = transitions_of(table, patient, variables, known, model.visits.scales)
    squares = []
    for j, line in enumerate(variables.lines):
        if line.name in model.visits.means:
            value = found.rows[f"value {line.name}"].to_numpy(dtype=float)
            residual = value - model.visits.means[line.name].predict(found.features(j)[0])
            squares.append((residual / np.nanstd(residual)) ** 2)
    each = pd.DataFrame(squares).T.mean(axis=1).groupby(patient[found.at]).mean().dropna()
    return float(roc_auc_score(each.index < train[model.schema.entity].nunique(), -each))


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

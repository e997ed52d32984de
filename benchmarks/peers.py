"""Peers beside synthclin: SDV, TabularARGN and ARF on the same rows, measures and core, one after the other.

python benchmarks/peers.py heart_disease actg175 --environment FOLDER >> benchmarks/results/peers.jsonl
python benchmarks/peers.py FOLDER/support2 --only GaussianCopula --missing hospdead --environment FOLDER

The environments are made there if they are absent; peers run as processes of their own and are no dependencies (SDV's
licence is BSL 1.1). `mia` is the AUC of a nearest-neighbour membership attack. With `--missing OUTCOME` the line tells,
for the columns with missing cells, the log odds ratio of a missing cell by the outcome's most common level against the
others: in the training rows and in synthetic rows.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

import measures
import numpy as np
import pandas as pd
import quality
import tables

import synthclin as sc

PINNED = ("torch==2.13.0", "sdv==1.38.5", "pandas==2.3.3", "pyarrow")
SAMPLE = """
import json, sys, time
import pandas as pd
from sdv import single_table
from sdv.metadata import Metadata
name, source, rows, target, seed = sys.argv[1:]
table = pd.read_parquet(source)
metadata = Metadata.detect_from_dataframe(table)
import numpy, torch
numpy.random.seed(int(seed)), torch.manual_seed(int(seed))
start = time.perf_counter()
model = getattr(single_table, name + "Synthesizer")(metadata)
model.fit(table)
fitted = time.perf_counter()
synthetic = model.sample(int(rows))
synthetic.to_parquet(target)
warm = time.perf_counter()
model.sample(MANY)
end = time.perf_counter()
print(json.dumps({"fit_seconds": round(fitted - start, 1), "rows_per_second": round(MANY / (end - warm))}))
"""

ARGN = """
import json, sys, time
import pandas as pd
from mostlyai.engine import TabularARGN
_, source, rows, target, seed = sys.argv[1:]
table = pd.read_parquet(source)
start = time.perf_counter()
model = TabularARGN(random_state=int(seed))
model.fit(table)
fitted = time.perf_counter()
sampled = model.sample(n_samples=int(rows))
sampled.to_parquet(target)
warm = time.perf_counter()
model.sample(n_samples=MANY)
end = time.perf_counter()
print(json.dumps({"fit_seconds": round(fitted - start, 1), "rows_per_second": round(MANY / (end - warm))}))
"""
ARF = """
import json, sys, time
import numpy as np
import pandas as pd
from arfpy import arf
_, source, rows, target, seed = sys.argv[1:]
table = pd.read_parquet(source)
np.random.seed(int(seed))
# It takes no missing cells: numbers get the median, levels one of their own.
for name in table:
    number = pd.api.types.is_numeric_dtype(table[name])
    table[name] = table[name].fillna(table[name].median() if number else "missing")
    table[name] = table[name] if number else table[name].astype(object).astype("category")
start = time.perf_counter()
model = arf.arf(x=table, verbose=False)
model.forde()
fitted = time.perf_counter()
sampled = model.forge(n=int(rows))
for name in sampled.select_dtypes("category"):
    sampled[name] = sampled[name].astype(object).where(sampled[name].astype(str) != "missing")
sampled.to_parquet(target)
warm = time.perf_counter()
model.forge(n=MANY)
end = time.perf_counter()
print(json.dumps({"fit_seconds": round(fitted - start, 1), "rows_per_second": round(MANY / (end - warm))}))
"""
PEERS = {
    "TabularARGN": ("mostlyai", ("torch==2.13.0", "mostlyai-engine"), ARGN),
    "ARF": ("arf", ("arfpy==0.1.1", "numpy==1.26.4", "pandas==2.2.3", "scikit-learn==1.5.2", "pyarrow==17.0.0"), ARF),
}
"""Peers that are not SDV's, with the folder, the packages and the program of each."""

MANY = 20_000
"""Rows whose sampling is timed, after a first sample."""


def environment(folder: Path, packages: tuple[str, ...]) -> Path:
    """Return the interpreter of a peer's environment, made if absent."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *packages], check=True)
    return python


def measure(source: str, name: str, seed: int, options: argparse.Namespace) -> dict:
    """Return the line of one synthesizer; `synthclin` is one of them."""
    table, schema = tables.read(source)
    if options.rows and options.rows < len(table):
        table = table.sample(options.rows, random_state=0).reset_index(drop=True)
    train, holdout = sc.split(table, schema, holdout=0.2, random_state=seed)
    columns = list(schema.modelled)
    synthetic, facts = (
        _ours(train, schema, seed)
        if name == "synthclin"
        else sampled_by(name, train[columns], seed, options.environment, len(train))
    )
    synthetic = synthetic[columns]
    real, unseen, fake = measures.numbers([plain(part[columns]) for part in (train, holdout, synthetic)])
    target = options.target or quality.TARGETS.get(source)
    utility = {}
    if target:
        whole = {"synthetic": synthetic, "train": train, "holdout": holdout}
        auc = measures.utility({part: plain(rows[columns]) for part, rows in whole.items()}, target)
        utility = {"tstr_less_trtr": round(auc["tstr"] - auc["trtr"], 4)}
    return {
        "table": Path(source).name,
        "rows": len(train),
        "seed": seed,
        "synthesizer": name,
        **facts,
        "c2st_holdout": round(measures.c2st(unseen, fake), 4),
        "c2st_train": round(measures.c2st(real, fake), 4),
        "mia": round(measures.neighbour_attack(real, unseen, fake), 4),
        **utility,
        **_by_outcome(train, synthetic, options.missing),
    }


def _ours(train: pd.DataFrame, schema: sc.Schema, seed: int) -> tuple[pd.DataFrame, dict]:
    start = time.perf_counter()
    model = sc.ConditionalGAN(schema, random_state=seed).fit(train)
    fitted = time.perf_counter()
    synthetic = model.sample(len(train), random_state=seed)
    warm = time.perf_counter()
    model.sample(MANY, random_state=seed)
    end = time.perf_counter()
    return synthetic, {"fit_seconds": round(fitted - start, 1), "rows_per_second": round(MANY / (end - warm))}


def sampled_by(
    name: str, train: pd.DataFrame, seed: int, environments: Path, rows: int, many: int = MANY
) -> tuple[pd.DataFrame, dict]:
    """Return rows of a peer, and its seconds of fit and its rows per second over `many` rows."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "train.parquet", Path(folder) / "synthetic.parquet"
        plain(train).to_parquet(source)
        folder_name, packages, program = PEERS.get(name, ("sdv", PINNED, SAMPLE))
        python = environment(environments / folder_name, packages)
        program = program.replace("MANY", str(many))
        command = [str(python), "-c", program, name, str(source), str(rows), str(target)]
        done = subprocess.run([*command, str(seed)], check=True, capture_output=True, text=True)
        return pd.read_parquet(target), json.loads(done.stdout.splitlines()[-1])


def plain(table: pd.DataFrame) -> pd.DataFrame:
    """Return levels as text and numbers as floats, which every library reads alike."""
    columns = {}
    for name in table:
        if pd.api.types.is_numeric_dtype(table[name]) and not isinstance(table[name].dtype, pd.CategoricalDtype):
            columns[name] = table[name].astype("float64")
        else:
            columns[name] = table[name].astype("object").map(str, na_action="ignore")
    return pd.DataFrame(columns)


def _by_outcome(train: pd.DataFrame, synthetic: pd.DataFrame, outcome: str | None) -> dict:
    """Return log odds ratio and standard error, real and synthetic, per column with at least 2 % missing cells."""
    if outcome is None:
        return {}
    usual = str(train[outcome].mode()[0])
    found = {}
    for name in train.columns.drop(outcome):
        if not 0.02 <= train[name].isna().mean() <= 0.98 or name not in synthetic:
            continue
        found[name] = [_odds(part[name].isna(), part[outcome].astype(str) != usual) for part in (train, synthetic)]
    return {"missing_by": outcome, "log_odds": found}


def _odds(missing: pd.Series, event: pd.Series) -> list[float]:
    counts = (
        np.array([[(missing == m).to_numpy() & (event == e).to_numpy() for e in (0, 1)] for m in (0, 1)]).sum(2) + 0.5
    )
    ratio = np.log(counts[1, 1] * counts[0, 0] / counts[1, 0] / counts[0, 1])
    return [round(float(ratio), 3), round(float(np.sqrt((1 / counts).sum())), 3)]


def main() -> None:
    """Print a line for each table, seed and synthesizer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="+")
    parser.add_argument("--environment", type=Path, required=True, help="folder of the peers' virtual environments")
    parser.add_argument("--only", nargs="*", default=["synthclin", "CTGAN", "GaussianCopula"])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--target", help="column to predict")
    parser.add_argument("--missing", metavar="OUTCOME", help="report the association of missing cells with this column")
    options = parser.parse_args()
    for source in options.sources:
        for name in options.only:
            for seed in range(options.seeds):
                print(json.dumps(measure(source, name, seed, options)), flush=True)
                print(source, name, seed, file=sys.stderr)


if __name__ == "__main__":
    main()

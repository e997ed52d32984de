"""Differential privacy: closeness of tables, utility, detection and cost at several epsilons; resumable.

python benchmarks/dp.py --data FOLDER --tables adult support2 actg175 --epsilons 1 3 10 --seeds 0 1 2 3 4
python benchmarks/dp.py --summary benchmarks/results/dp.jsonl

Of adult 10,000 rows of the official training part are training rows and its test part the holdout; of the others 80 %
and the rest. Schemas are those of `configs/`, which declare every range; numbers that are computed in support2 are
rounded to a precision that a custodian would declare. `aim` and `mst` are `ConditionalGAN(dp=...)` at efforts standard
and quick, with rules; `graph` is the rows of the graphical model of `aim`, without a network and without rules; `real
rows` is the training table. Total variation is the mean over 1-, 2- and 3-way tables (200 random ones) of rows in 16
bins of equal width of the declared range, 50,000 synthetic rows against the holdout. TSTR is the AUC on the holdout
after training on as many synthetic rows as there are training rows. Noise has no seed: the seed is that of the split.
Each cell is a process of its own. Needs xgboost-cpu. `--opendp PYTHON` names an interpreter with `opendp[mbi]`, for
the models `OpenDP MST` and `OpenDP AIM`, which get the 16 bins as codes; their TSTR and C2ST are those of codes.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from itertools import combinations
from pathlib import Path

import measures
import numpy as np
import pandas as pd
import torch

import synthclin as sc
from synthclin.dp.budget import Budget
from synthclin.encoding import Encoded
from synthclin.errors import NoisyTrainingWarning
from synthclin.models.private_training import guarantee_of, private_rows
from synthclin.progress import quiet
from synthclin.rules.validation import conform
from synthclin.study.config import load
from synthclin.tables import read_table

ROOT = Path(__file__).parent
LINES = ROOT / "results" / "dp.jsonl"
DELTA = 1e-6
ROWS = 50_000
MODELS = ("real rows", "mst", "aim", "graph")
PEERS = {"OpenDP MST": "mst", "OpenDP AIM": "aim"}
TARGETS = {"adult": "income", "support2": "hospdead", "actg175": "cens"}
DECIMALS = {
    "support2": {
        **dict.fromkeys(("age", "alb", "bili", "crea", "temp", "wblc", "sps", "avtisst", "adlsc"), 1),
        **dict.fromkeys(("ph", "surv2m", "surv6m", "prg2m", "prg6m"), 2),
        **dict.fromkeys(("charges", "totcst", "totmcst", "meanbp", "hrt", "pafi", "glucose", "bun", "urine"), 0),
    }
}
BINS = 16
TABLES = 200


def read(name: str, data: Path, seed: int) -> tuple[pd.DataFrame, pd.DataFrame, sc.Schema]:
    """Return training rows, holdout rows and the schema."""
    if name == "actg175":
        table, schema = sc.datasets.load(name)
        table = conform(table, schema)
        return *sc.split(table, schema, holdout=0.2, random_state=seed), schema
    source = next((data / name).glob("data.csv*"))
    schema = load(ROOT.parent / "configs" / f"{name}.yaml", {"data.source": str(source)}).table_schema
    table = read_table(source, schema)
    for column, decimals in DECIMALS.get(name, {}).items():
        schema = schema.with_column(column, decimals=decimals)
        table[column] = table[column].round(decimals)
    if name != "adult":
        return *sc.split(table, schema, holdout=0.2, random_state=seed), schema
    train = table[table["split"] == "train"].sample(10_000, random_state=seed)
    holdout = table[table["split"] == "test"]
    schema = schema.model_copy(update={"columns": {k: v for k, v in schema.columns.items() if k != "split"}})
    return *(part[list(schema.columns)].reset_index(drop=True) for part in (train, holdout)), schema


def bins(table: pd.DataFrame, schema: sc.Schema) -> np.ndarray:
    """Return the (rows, columns) bin or level of each cell; the last is missing."""
    found = []
    for name in schema.modelled:
        column, cells = schema.columns[name], table[name]
        if column.levels is not None:
            code = pd.Categorical(cells.astype(object), categories=list(column.levels)).codes.astype(int)
            found.append(np.where(code < 0, len(column.levels), code))
            continue
        low, high = column.bounds
        x = cells.astype("float64").to_numpy(na_value=np.nan)
        place = np.clip((x - low) / max(high - low, 1e-9) * BINS, 0, BINS - 1)
        found.append(np.where(np.isnan(x), BINS, np.nan_to_num(place).astype(int)))
    return np.stack(found, axis=1)


def variation(a: np.ndarray, b: np.ndarray, way: int) -> float:
    """Return the mean total variation of the tables of `way` columns, of at most 200 of them."""
    whole = list(combinations(range(a.shape[1]), way))
    chosen = np.random.default_rng(1).permutation(len(whole))[:TABLES]
    size = int(max(a.max(), b.max())) + 1
    found = []
    for columns in (whole[i] for i in chosen):
        weights = size ** np.arange(way)
        keys = [part[:, columns] @ weights for part in (a, b)]
        shares = [np.bincount(key, minlength=size**way) / len(key) for key in keys]
        found.append(0.5 * np.abs(shares[0] - shares[1]).sum())
    return float(np.mean(found))


def synthetic(model: str, train: pd.DataFrame, schema: sc.Schema, epsilon: float) -> tuple[pd.DataFrame, dict]:
    """Return at least as many rows as needed, and facts about the fit."""
    dp = {"epsilon": epsilon, "delta": DELTA, "patients": len(train)}
    start = time.process_time()
    if model == "graph":
        rows = private_rows(train, schema, guarantee_of(dp), quick=False, random_state=0)
        record, seconds = rows.record, time.process_time() - start
        codes = rows.encoded.codes
        never = np.stack([column.never[codes[:, j]] for j, column in enumerate(rows.encoder.layout.columns)], 1)
        offsets = torch.rand(codes.shape, generator=torch.Generator().manual_seed(0))
        kept = torch.from_numpy(~never.any(1))
        table = rows.encoder.decode(Encoded(codes[kept], offsets[kept]))
    else:
        fitted = sc.ConditionalGAN(schema, effort="standard" if model == "aim" else "quick", dp=dp).fit(train)
        record, seconds = fitted.privacy_, time.process_time() - start
        table = fitted.sample(ROWS, random_state=1)
    facts = {"cpu_seconds": seconds, "tables": len(record.tables), "noise_share": record.verdict.one_way}
    return table, facts | {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def by_opendp(model: str, codes: pd.DataFrame, epsilon: float, python: str) -> tuple[pd.DataFrame, dict]:
    """Return rows of codes by OpenDP's mechanism, and facts about the fit."""
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        codes.to_csv(here / "codes.csv", index=False)
        (here / "sizes.json").write_text(json.dumps({name: int(column.max()) + 1 for name, column in codes.items()}))
        rho = Budget(epsilon, DELTA).rho
        arguments = ["codes.csv", "sizes.json", PEERS[model], repr(rho), str(ROWS), "out.csv"]
        command = [python, str(ROOT / "dp_opendp.py"), *arguments]
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        done = subprocess.run(command, cwd=here, capture_output=True, text=True, check=True, env=environment)
        # OpenDP adds a missing level to each column, which these codes do not have.
        table = pd.read_csv(here / "out.csv")[list(codes)].fillna(0).astype(int)
        return table, json.loads(done.stdout.splitlines()[-1])


def cell(name: str, data: Path, model: str, epsilon: float, seed: int, opendp: str) -> dict:
    """Return one line."""
    train, holdout, schema = read(name, data, seed)
    facts: dict = {}
    table = train
    names, target = list(schema.modelled), TARGETS[name]
    if model in PEERS:
        train, holdout = (pd.DataFrame(bins(part, schema), columns=names) for part in (train, holdout))
        table, facts = by_opendp(model, train, epsilon, opendp)
        a, b = table.to_numpy(), holdout.to_numpy()
    else:
        if model != "real rows":
            table, facts = synthetic(model, train, schema, epsilon)
        a, b = bins(table, schema), bins(holdout, schema)
    ways = {f"tv{way}": variation(a, b, way) for way in (1, 2, 3)}
    same_size = table[names].head(len(train))
    matrices = measures.numbers([same_size, holdout[names]])
    used = {"synthetic": same_size, "train": train[names], "holdout": holdout[names]}
    return {
        "table": name,
        "rows": len(train),
        "columns": len(names),
        "model": model,
        "epsilon": epsilon,
        "seed": seed,
        **ways,
        "tstr": measures.utility(used, target)["tstr"],
        "c2st": measures.c2st(matrices[1], matrices[0]),
        **facts,
    }


def summary(path: Path) -> None:
    """Print a table of medians, lowest and highest."""
    lines = pd.DataFrame([json.loads(line) for line in path.read_text().splitlines()])
    figures = ["tv1", "tv2", "tv3", "tstr", "c2st", "cpu_seconds", "peak_mb"]
    for name, of_table in lines.groupby("table", sort=False):
        print(f"\n**{name}**\n\n| model | epsilon | seeds | {' | '.join(figures)} |\n|{'---|' * (len(figures) + 3)}")
        for (epsilon, model), found in of_table.groupby(["epsilon", "model"]):
            cells = []
            for figure in figures:
                x, digits = found[figure].dropna(), 0 if figure in {"cpu_seconds", "peak_mb"} else 3
                ends = f" ({x.min():.{digits}f} to {x.max():.{digits}f})" if len(x) > 1 else ""
                cells.append(f"{x.median():.{digits}f}{ends}" if len(x) else "")
            print(f"| {model} | {epsilon:g} | {len(found)} | {' | '.join(cells)} |")


def main() -> None:
    """Measure what the file of lines does not hold yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder with adult/ and support2/")
    parser.add_argument("--tables", nargs="*", default=["adult", "support2", "actg175"])
    parser.add_argument("--models", nargs="*", default=list(MODELS))
    parser.add_argument("--epsilons", nargs="*", type=float, default=[1.0, 3.0, 10.0])
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--lines", type=Path, default=LINES)
    parser.add_argument("--opendp", default=sys.executable, metavar="PYTHON", help="interpreter with opendp[mbi]")
    parser.add_argument("--summary", type=Path, metavar="LINES")
    parser.add_argument("--cell", nargs=4, metavar=("TABLE", "MODEL", "EPSILON", "SEED"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.summary:
        summary(asked.summary)
        return
    if asked.cell:
        name, model, epsilon, seed = asked.cell
        warnings.simplefilter("ignore", NoisyTrainingWarning)
        with quiet():
            print(json.dumps(cell(name, asked.data, model, float(epsilon), int(seed), asked.opendp)))
        return
    lines = asked.lines.read_text().splitlines() if asked.lines.is_file() else []
    known = {tuple(json.loads(line)[key] for key in ("table", "model", "epsilon", "seed")) for line in lines}
    for seed in asked.seeds:
        for name in asked.tables:
            for model in asked.models:
                for epsilon in [0.0] if model == "real rows" else asked.epsilons:
                    if (name, model, epsilon, seed) in known:
                        continue
                    options = ["--data", asked.data, "--opendp", asked.opendp]
                    command = [sys.executable, __file__, *options, "--cell", name, model, epsilon, seed]
                    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
                    if done.returncode:
                        print(name, model, epsilon, seed, done.stderr.strip().splitlines()[-1], file=sys.stderr)
                        continue
                    with asked.lines.open("a") as file:
                        file.write(done.stdout.splitlines()[-1] + "\n")
                    print(name, model, epsilon, seed, flush=True)


if __name__ == "__main__":
    main()

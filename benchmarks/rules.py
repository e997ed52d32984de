"""Rules during sampling: violations, violation rates of the unconstrained model, speed, and C2ST AUC.

    python benchmarks/rules.py FOLDER/heart_disease FOLDER/support2 --rows 100000

Each argument is a table's folder with `data.csv` or `data.csv.gz`, named like the study in `configs/` that holds its
schema and rules. The model is fitted once. The same network then samples with and without the rules, so that only
the constraint masks differ. Cohorts of random conditions are sampled too, and their rows are checked like all others.
Seconds are of processor time.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
from measures import c2st, numbers
from scipy import stats

import synthclin as sc
from synthclin.encoding import TableEncoder
from synthclin.expressions import parse, quote_level, quote_name
from synthclin.rules.rules import violations
from synthclin.rules.validation import conform
from synthclin.sampling.sampler import CohortSampler
from synthclin.study.config import load

CONFIGS = Path(__file__).parents[1] / "configs"
SUPPORT = 30
"""Training rows that satisfy a random condition, at least."""


def broken_rows(rows: pd.DataFrame, schema: sc.Schema) -> int:
    """Return how many rows break a rule, or repeat an identifier."""
    ids = [name for name, column in schema.columns.items() if column.is_identifier and name in rows]
    repeated = [rows[name].duplicated() for name in ids]
    return int(pd.DataFrame([*violations(rows, schema).values(), *repeated]).any().sum())


def term(name: str, cells: pd.Series, cell: object, rng: np.random.Generator) -> str:
    """Return a condition on one column that its cell of one row satisfies: empty or not, a level, a set, a range."""
    column = quote_name(name)
    if pd.isna(cell):
        return f"{column} is missing"
    cell = cell.item() if isinstance(cell, np.generic) else cell
    if rng.random() < 0.1:
        return f"{column} is not missing"
    levels = cells.dropna().unique().tolist()
    if isinstance(cells.dtype, pd.CategoricalDtype) or len(levels) <= 12:
        others = [level for level in levels if level != cell]
        few = rng.permutation(len(others))[: rng.integers(0, 3)]
        if len(few) == 0:
            return f"{column} == {quote_level(cell)}"
        if rng.random() < 0.3:
            return f"not ({column} == {quote_level(others[few[0]])})"
        return f"{column} in [{', '.join(map(quote_level, [cell, *(others[i] for i in few)]))}]"
    values = np.sort(cells.dropna().astype(float).to_numpy())
    place, width = np.searchsorted(values, float(cell)), rng.uniform(0.1, 0.6) * len(values)
    low, high = (values[int(np.clip(place + side * width, 0, len(values) - 1))] for side in (-1, 1))
    return [f"{low:g} <= {column} <= {high:g}", f"{column} >= {low:g}", f"{column} < {high:g}"][rng.integers(3)]


def conditions(table: pd.DataFrame, schema: sc.Schema, many: int, rng: np.random.Generator) -> list[str]:
    """Return random conditions over one to four columns that enough rows of a table hold."""
    names = [name for name in schema.modelled if not pd.api.types.is_datetime64_any_dtype(table[name])]
    found: list[str] = []
    while len(found) < many:
        row = table.iloc[rng.integers(len(table))]
        chosen = rng.permutation(names)[: rng.integers(1, 5)]
        terms = [term(name, table[name], row[name], rng) for name in chosen]
        if len(terms) > 2 and rng.random() < 0.4:
            terms = [f"({terms[0]} or {terms[1]})", *terms[2:]]
        where = " and ".join(terms)
        if SUPPORT <= parse(where).evaluate(table).fillna(value=False).sum() < 0.9 * len(table):
            found.append(where)
    return found


def measure(folder: Path, options: argparse.Namespace) -> dict:
    (source,) = folder.glob("data.csv*")
    schema = load(CONFIGS / f"{folder.name}.yaml").table_schema
    # Masks are a matter of rows: visits count as patients here.
    schema = schema.model_copy(update={"visits": "independent"})
    table = conform(sc.read_table(source, schema, partial=True), schema)
    rng = np.random.default_rng(options.seed)
    if len(table) > options.most:
        table = table.iloc[np.sort(rng.permutation(len(table))[: options.most])].reset_index(drop=True)
    train, holdout = sc.split(table, schema, holdout=0.2, random_state=options.seed)
    start = time.process_time()
    model = sc.ConditionalGAN(schema, effort=options.effort, random_state=options.seed).fit(train)
    line: dict = {"table": folder.name, "seed": options.seed, "effort": options.effort, "training_rows": len(train)}
    line |= {"rules": len(schema.imposed), "fit_cpu_s": round(time.process_time() - start, 1)}
    ruled = model.encoder_.schema
    plain = sc.Schema(columns=ruled.columns)
    encoders = {"with": model.encoder_, "without": TableEncoder(plain, model.encoder_.codecs, model.encoder_.ties)}
    auc: dict[str, list[float]] = {}
    for kind, encoder in encoders.items():
        sampler = CohortSampler(model._sample, encoder, encoder.schema, options.seed)  # noqa: SLF001 - with other rules
        rows = options.rows if kind == "with" else max(10_000, options.replicates * len(holdout))
        start = time.process_time()
        sampled, facts = sampler.sample(rows)
        line[f"rows_per_cpu_s_{kind}"] = round(rows / (time.process_time() - start))
        line |= {
            f"rows_{kind}": rows,
            f"broken_{kind}": broken_rows(sampled, ruled),
            f"proposed_{kind}": facts.proposed,
        }
        auc[kind] = []
        for number in range(options.replicates):
            part = sampled.iloc[number * len(holdout) : (number + 1) * len(holdout)]
            auc[kind].append(c2st(*numbers([one[list(schema.modelled)] for one in (holdout, part)]), seed=number))
        line[f"c2st_{kind}"] = [round(one, 4) for one in auc[kind]]
    worse = np.subtract(auc["with"], auc["without"])
    half = stats.t.ppf(0.975, len(worse) - 1) * stats.sem(worse)
    line["worse"] = [round(float(worse.mean() + side * half), 4) for side in (-1, 0, 1)]
    line["unconstrained"] = {
        rule: round(share, 4) for rule, share in model.raw_violations(random_state=options.seed).items()
    }
    line["unconstrained"] = {rule: share for rule, share in line["unconstrained"].items() if share}
    line["cohorts"] = []
    for where in conditions(train, schema, options.cohorts, rng):
        start = time.process_time()
        try:
            cohort = model.sample(options.rows // 100, where=where, random_state=options.seed)
        except sc.ConditionError as error:
            line["cohorts"].append({"where": where, "refused": error.what})
            continue
        satisfied = parse(where).evaluate(cohort).fillna(value=False)
        line["cohorts"].append(
            {
                "where": where,
                "rows": len(cohort),
                "broken": broken_rows(cohort, ruled) + int((~satisfied).sum()),
                "probability": round(model.sample_facts_.probability, 4),
                "effective_sample_size": round(model.sample_facts_.effective),
                "proposed": model.sample_facts_.proposed,
                "cpu_s": round(time.process_time() - start, 1),
            }
        )
    return line


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--most", type=int, default=10_000, help="rows of a table that are taken")
    parser.add_argument("--cohorts", type=int, default=12)
    parser.add_argument("--replicates", type=int, default=5, help="synthetic replicates compared with the holdout")
    parser.add_argument("--effort", default="quick")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for one in arguments.tables:
        print(json.dumps(measure(one, arguments)), flush=True)

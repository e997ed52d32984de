"""Rules met while drawing: rows that break one, what the model alone would break, speed, and detection.

    python benchmarks/rules.py heart_disease actg175 FOLDER/support2 --rows 100000

The model is fitted once. The same network then draws with the rules and without them, so that what differs is the
guide alone. Cohorts are drawn too, and their rows are checked like all others. Seconds are of processor time.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import pandas as pd
from measures import c2st, numbers
from tables import read

import synthclin as sc
from synthclin.encoding import TableEncoder
from synthclin.models.sampling import CohortSampler
from synthclin.rules import violations

# What the `meta.json` of each table lists, beside ranges, as constraints.
RULES: dict[str, list] = {
    "heart_disease": [
        "trestbps is missing or trestbps == 0 or 80 <= trestbps <= 200",
        "chol <= 0 or chol >= 85",
        {"when": "site == 'switzerland'", "then": "chol == 0"},
    ],
    "actg175": [
        "days > 0",
        "(treat == 0 and arms == 0) or (treat == 1 and arms != 0)",
        "(r == 1 and cd496 is not missing) or (r == 0 and cd496 is missing)",
        "(str2 == 0 and strat == 1) or (str2 == 1 and strat != 1)",
        "cd40 >= 0 and cd420 >= 0 and cd80 >= 0 and cd820 >= 0",
    ],
    "support2": [
        {"when": "hospdead == '1'", "then": "death == '1'"},
        "d.time >= 3 and slos >= 0",
        "slos <= d.time",
        {"when": "hospdead == '1'", "then": "slos == d.time"},
        {"columns": ["dzgroup", "dzclass"], "combinations": "observed"},
        {"when": "dzclass == 'Cancer'", "then": "ca in ['yes', 'metastatic']"},
        "age >= 18",
        "surv6m <= surv2m",
        {"when": "hospdead == '1' and slos < 60", "then": "sfdm2 == '<2 mo. follow-up'"},
        {"when": "sfdm2 == '<2 mo. follow-up'", "then": "death == '1'"},
        {"when": "dnr == 'dnr after sadm'", "then": "dnrday >= 0"},
        {"when": "dnr == 'dnr before sadm'", "then": "dnrday <= 0"},
        {"when": "dnr == 'no dnr'", "then": "dnrday == slos"},
        "adlsc == adls",
        "6.8 <= ph <= 7.8",
        "31 <= temp <= 42",
    ],
}
TYPES = {"support2": {"adls": {"type": "integer", "range": [0, 7], "missing": "allowed"}}}
COHORTS = {
    "heart_disease": ["site == 'switzerland'", "age > 60 and trestbps > 140"],
    "actg175": ["arms == 0 and cd40 < 300", "cd420 > cd40"],
    "support2": ["hospdead == '1' and age >= 80", "d.time - slos < 30 and dnr == 'no dnr'"],
}


def with_rules(name: str, table: pd.DataFrame, schema: sc.Schema) -> tuple[pd.DataFrame, sc.Schema, sc.Schema]:
    """Return the table, and its schema with the rules and without."""
    for column, words in TYPES.get(name, {}).items():
        schema = schema.with_column(column, **words)
        table[column] = schema.columns[column].coerce(table[column].astype(object))[0]
    document = schema.model_dump(mode="json", exclude_none=True)
    return table, sc.Schema.model_validate(document | {"constraints": RULES[name]}), schema


def broken_rows(rows: pd.DataFrame, schema: sc.Schema) -> int:
    """Return how many rows break a rule."""
    return int(pd.DataFrame(violations(rows, schema)).any(axis=1).sum())


def measure(source: str, rows: int, effort: str, seed: int) -> dict:
    name = Path(source).name
    table, schema, plain = with_rules(name, *read(source))
    train, holdout = sc.split(table, schema, holdout=0.2, random_state=seed)
    start = time.process_time()
    model = sc.ConditionalGAN(schema, effort=effort, random_state=seed).fit(train)
    line: dict = {"table": name, "seed": seed, "effort": effort, "rows_learnt": len(train), "rules": len(RULES[name])}
    line |= {"fit_cpu_s": round(time.process_time() - start, 1), "rows": rows}
    bare = TableEncoder(plain, model.encoder_.codecs, model.encoder_.ties)
    drawn = {}
    for kind, encoder in (("with", model.encoder_), ("without", bare)):
        sampler = CohortSampler(model._sample, encoder, encoder.schema, seed)  # noqa: SLF001 - with other rules
        start = time.process_time()
        drawn[kind], facts = sampler.sample(rows)
        line[f"rows_per_cpu_s_{kind}"] = round(rows / (time.process_time() - start))
        line[f"broken_{kind}"] = broken_rows(drawn[kind], model.encoder_.schema)
        line[f"drawn_{kind}"] = facts.drawn
        real, synthetic = numbers(
            [part[list(schema.modelled)] for part in (holdout, drawn[kind].head(10 * len(holdout)))]
        )
        line[f"told_{kind}"] = round(c2st(real, synthetic), 4)
    line["raw"] = {rule: round(share, 4) for rule, share in model.raw_violations(random_state=seed).items() if share}
    line["cohorts"] = []
    for where in COHORTS[name]:
        cohort = model.sample(rows // 50, where=where, random_state=seed)
        facts = model.draw_
        line["cohorts"].append(
            {
                "where": where,
                "rows": len(cohort),
                "broken": broken_rows(cohort, model.encoder_.schema),
                "probability": round(facts.probability, 4),
                "effective": round(facts.effective),
                "drawn": facts.drawn,
            }
        )
    return line


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="+")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--effort", default="quick")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for one in arguments.tables:
        print(json.dumps(measure(one, arguments.rows, arguments.effort, arguments.seed)), flush=True)

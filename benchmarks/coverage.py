"""Coverage of the 95 % intervals of scores, for a perfect and for a wrong generator.

python benchmarks/coverage.py --studies 200 > benchmarks/results/coverage.jsonl
python benchmarks/coverage.py --studies 60 --scores detection utility --generators perfect
python benchmarks/coverage.py --table benchmarks/results/coverage.jsonl

Each study takes training, holdout and synthetic rows of a made-up trial with known hazards. The truth of a score is
its mean over all studies: what the same comparison gives on average.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

import synthclin as sc
from synthclin.evaluation import privacy, tasks, validity
from synthclin.evaluation.analyses import analysis_fits, proportional_hazards, replication, survival_fidelity
from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.fidelity import (
    associations,
    balance,
    detection,
    heaping,
    marginals,
    missing_dependence,
    missingness,
    pairs,
    precision_recall,
    propensity,
    rare_levels,
    sdmetrics,
    tails,
    triples,
    unseen_pairs,
    wasserstein,
)
from synthclin.evaluation.score import Score
from synthclin.evaluation.subgroups import headlines, representation
from synthclin.evaluation.utility import predictions

TRAIN, HOLDOUT = 400, 200
SCHEMA = sc.Schema.model_validate(
    {
        "columns": {
            "age": {"type": "integer", "range": [18, 95], "role": "baseline"},
            "sex": {"type": "category", "categories": ["F", "M"], "role": "baseline"},
            "site": {"type": "category", "categories": ["east", "north", "south", "west"]},
            "nyha": {"type": "ordinal", "categories": ["I", "II", "III", "IV"], "role": "baseline"},
            "arm": {
                "type": "category",
                "categories": ["control", "drug"],
                "role": "treatment",
                "allocation": {"control": 1, "drug": 1},
                "randomised": True,
            },
            "sbp": {"type": "integer", "range": [60, 260]},
            "dbp": {"type": "integer", "range": [20, 160]},
            "bnp": {"type": "number", "decimals": 0, "missing": "allowed"},
            "lvef": {"type": "integer", "range": [5, 90], "missing": "allowed"},
            "died": {"type": "boolean", "values": [0, 1], "role": "outcome"},
            "time": {"type": "number", "decimals": 2, "role": "time"},
            "end": {
                "type": "category",
                "categories": ["alive", "cardiac", "other"],
                "censored": "alive",
                "role": "event",
            },
        },
        "constraints": ["dbp < sbp - 20"],
    }
)
DIED = tasks.PredictTask(target="died")
COX = tasks.CoxTask(event="end", covariates=("age", "arm"))
SURVIVAL = tasks.SurvivalTask(event="end", by="arm", horizon=5)
ANALYSES = {
    "linear": tasks.LinearTask(target="sbp", covariates=("age", "arm")),
    "logistic": tasks.LogisticTask(target="died", covariates=("age", "nyha")),
    "compare": tasks.CompareTask(target="lvef", by="arm"),
    "mean survival": SURVIVAL,
}


def _cox(c: Comparison) -> list[Score]:
    found = analysis_fits.study(c, COX)
    return [
        replication.replicate(c, COX, found),
        *proportional_hazards.hazards(c, COX, found),
        *proportional_hazards.predictive_accuracy(c, COX, found),
    ]


def _groups(c: Comparison) -> list[Score]:
    """Return the scores of each group: which of them is the worst changes from study to study."""
    groups = headlines.Groups.of(c, "sex")
    return [
        replace(headline.compute(part), name=f"{headline.kind.name} in {level}")
        for headline in headlines.headlines()
        for level, part in groups.parts.items()
    ]


SCORES: dict[str, Callable[[Comparison], Score | Iterable[Score]]] = {
    "rules": validity.rules,
    "marginals": marginals.marginals,
    "wasserstein": wasserstein.wasserstein,
    "tails": tails.tails,
    "heaping": heaping.heaping,
    "rare levels": rare_levels.rare_levels,
    "missingness": missingness.missingness,
    "missing dependence": missing_dependence.missing_dependence,
    "pairs": pairs.pairs,
    "triples": triples.triples,
    "associations": associations.association_changes,
    "unseen pairs": unseen_pairs.unseen_pairs,
    "propensity": propensity.propensity,
    "precision": precision_recall.precision,
    "recall": precision_recall.recall,
    "survival": partial(survival_fidelity.followed, task=SURVIVAL),
    "representation": partial(representation.representation, by="site"),
    "prevalence": partial(representation.prevalence, by="site", task=DIED),
    **{name: partial(replication.replicate, task=task) for name, task in ANALYSES.items()},
    "detection": detection.detection,
    "logistic detection": detection.logistic_detection,
    "utility": partial(predictions.predict, task=DIED, by=["sex"]),
    "groups": _groups,
    "sdmetrics": lambda c: (sdmetrics.quality(c), sdmetrics.diagnostic(c)),
    "balance": balance.balance,
    "attacks": lambda c: (attack(c) for attack in privacy.ATTACKS[:-1]),
    "cox": _cox,
}


def trial(rows: int, rng: np.random.Generator, *, wrong: float = 0.0) -> pd.DataFrame:
    """Return patients; where `wrong` is above 0, numbers shrink, associations weaken and cells go missing at random."""
    age = np.clip(rng.normal(65, 12 * (1 - wrong), rows), 18, 95).round()
    sex, arm = rng.random(rows) < 0.4, rng.random(rows) < 0.5
    site = rng.choice(4, rows, p=[0.4, 0.3, 0.25, 0.05])
    risk = (1 - wrong) * ((age - 65) / 15 + 0.5 * sex) + rng.normal(0, 0.7, rows)
    nyha = np.digitize(risk + rng.normal(0, 0.8, rows), [-1, 0.2, 1.4])
    sbp = np.clip(130 + 8 * risk + rng.normal(0, 15, rows), 60, 260).round()
    dbp = np.clip(0.6 * sbp + rng.normal(0, 8 * (1 + wrong), rows), 20, 160).round()
    bnp = np.exp(6 + 0.8 * risk + rng.normal(0, 0.5, rows)).round()
    lvef = np.clip(45 - 6 * risk + 3 * arm * (1 - wrong) + rng.normal(0, 8, rows), 5, 90).round()
    lvef = np.where(rng.random(rows) < wrong, (lvef / 5).round() * 5, lvef)
    unknown = rng.random(rows) < np.where(nyha > 1, 0.1 + 0.2 * wrong, 0.4 - 0.2 * wrong)
    event = rng.exponential(6 * np.exp(-0.7 * risk + (0.7 - wrong) * arm))
    end = rng.uniform(1, 10 * (1 - wrong / 2), rows)
    cause = np.where(rng.random(rows) < 0.6 - wrong / 2, "cardiac", "other")
    return pd.DataFrame(
        {
            "age": pd.array(age.astype(int), dtype="Int64"),
            "sex": pd.Categorical(np.where(sex, "M", "F"), ["F", "M"]),
            "site": pd.Categorical.from_codes(site, ["east", "north", "south", "west"]),
            "nyha": pd.Categorical.from_codes(nyha, ["I", "II", "III", "IV"], ordered=True),
            "arm": pd.Categorical(np.where(arm, "drug", "control"), ["control", "drug"]),
            "sbp": pd.array(sbp.astype(int), dtype="Int64"),
            "dbp": pd.array(dbp.astype(int), dtype="Int64"),
            "bnp": np.where(unknown, np.nan, bnp),
            "lvef": pd.array(np.where(unknown & (rng.random(rows) < 0.8), None, lvef.astype(int)), dtype="Int64"),
            "died": pd.array((rng.random(rows) < 1 / (1 + np.exp(1 - risk))).astype(int), dtype="Int64"),
            "time": np.minimum(event, end).round(2),
            "end": pd.Categorical(np.where(event <= end, cause, "alive"), ["alive", "cardiac", "other"]),
        }
    )


def study(number: int, names: list[str], wrong: float, replicates: int) -> dict[str, tuple[float, float, float]]:
    """Return value, low and high of each score of one study."""
    rng = np.random.default_rng([number, int(100 * wrong)])
    c = Comparison.of(
        [trial(TRAIN, rng, wrong=wrong) for _ in range(replicates)],
        train=trial(TRAIN, rng),
        holdout=trial(HOLDOUT, rng),
        schema=SCHEMA,
        random_state=number,
    )
    found: dict[str, tuple[float, float, float]] = {}
    for name in names:
        scores: Any = SCORES[name](c)
        for score in [scores] if isinstance(scores, Score) else scores:
            found[score.name] = (score.value, score.low, score.high)
    return found


def table(lines: Iterable[str]) -> None:
    """Print a line for each score of the studies that `main` printed: what it is, and how often its interval holds it.

    In brackets: how many studies there were, and how wide the interval is on average, in widths that would be just
    right (3.92 standard deviations of the score).
    """
    found: defaultdict[str, dict[str, list[list[float]]]] = defaultdict(dict)
    generators: dict[str, None] = {}
    for line in map(json.loads, lines):
        generator = line["generator"] + (f", {line['replicates']} replicates" if line["replicates"] > 1 else "")
        generators[generator] = None
        for name, ends in line["scores"].items():
            found[name].setdefault(generator, []).append([np.nan if end is None else end for end in ends])
    print("| score |", " | ".join(generators), "|")
    print("|---" * (len(generators) + 1) + "|")
    for name, of in found.items():
        print(f"| {name} |", " | ".join(_coverage(of[each]) if each in of else "" for each in generators), "|")


def _coverage(ends: list[list[float]]) -> str:
    every = np.array(ends)
    value, low, high = every[~np.isnan(every).any(axis=1)].T
    if len(value) < 2:
        return "not assessable"
    covered = np.mean((low <= value.mean()) & (value.mean() <= high))
    right = 3.92 * value.std(ddof=1)
    wide = f"{(high - low).mean() / right:.2f}" if right > 0 else "always the same"
    return f"{value.mean():.3f}: {covered:.1%} ({len(value)}; {wide})"


def main() -> None:
    """Print a line for each study, or the table of lines printed before."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, metavar="LINES")
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="number of the first study")
    parser.add_argument("--replicates", type=int, default=1, help="synthetic replicates of each study")
    parser.add_argument("--scores", nargs="+", choices=SCORES, default=list(SCORES))
    parser.add_argument("--generators", nargs="+", choices=["perfect", "wrong"], default=["perfect", "wrong"])
    options = parser.parse_args()
    if options.table:
        table(options.table.read_text().splitlines())
        return
    for generator in options.generators:
        for number in range(options.first, options.first + options.studies):
            with threadpool_limits(limits=1):
                scores = study(number, options.scores, 0.3 * (generator == "wrong"), options.replicates)
            found = {name: [None if np.isnan(end) else round(end, 6) for end in ends] for name, ends in scores.items()}
            line = {"generator": generator, "study": number, "replicates": options.replicates, "scores": found}
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()

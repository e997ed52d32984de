"""Error rates of the default privacy gates: false alarms on holdout rows, and detection of a copy of the training rows.

python benchmarks/gates.py TABLE --train 736 --holdout 184 --repeats 200 >> benchmarks/results/gates.jsonl
python benchmarks/gates.py --summary benchmarks/results/gates.jsonl

Each repeat samples training rows, holdout rows and, in the place of synthetic ones, further rows of a large real table.
Canaries are left out: they can make a gate not assessable and never fail a table. The negative control
can only excuse a table, so it is computed only where a gate would fail without it; `--whole` always computes it.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable
from math import isnan
from pathlib import Path

import numpy as np
import pandas as pd
import tables
from threadpoolctl import threadpool_limits

import synthclin as sc
from synthclin.evaluation import privacy
from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.gates import default_gates, judge
from synthclin.evaluation.intervals import wilson
from synthclin.evaluation.privacy.attack import Attack
from synthclin.evaluation.privacy.attack_data import AttackData
from synthclin.evaluation.score import Score

SCORES = privacy.ATTACKS[:-1]
ORDER = ("PASS", "REVIEW", "NOT ASSESSABLE", "FAIL")


def one(
    table: pd.DataFrame, schema: sc.Schema, train: int, holdout: int, seed: int, *, copy: bool, whole: bool
) -> dict:
    """Return the verdicts on holdout rows, or on a copy of the training rows, as a line."""
    start = time.process_time()
    order = np.random.default_rng([20261123, seed]).permutation(len(table))
    ends = np.cumsum([train, holdout, train])
    if ends[-1] > len(table):
        raise SystemExit(f"{len(table)} rows are too few")
    train_rows, holdout_rows, ideal = (
        table.iloc[np.sort(order[end - size : end])].reset_index(drop=True)
        for end, size in zip(ends, (train, holdout, train), strict=True)
    )
    synthetic = train_rows.sample(frac=1, random_state=seed).reset_index(drop=True) if copy else ideal
    with threadpool_limits(limits=1):
        c = Comparison.of(synthetic, train=train_rows, holdout=holdout_rows, schema=schema, random_state=seed)
        data = AttackData.of(c)
        scores = [attack(c, data=data) if whole else alone(attack, c, data) for attack in SCORES]
    verdicts = judge(default_gates(scores), scores)
    return {
        "train": train,
        "holdout": holdout,
        "seed": seed,
        "synthetic": "copy" if copy else "holdout",
        "cpu_seconds": round(time.process_time() - start, 1),
        "status": {verdict.gate.score: verdict.status for verdict in verdicts},
        "score": {score.name: numbers(score) for score in scores},
    }


def alone(attack: Callable[..., Score], c: Comparison, data: AttackData) -> Score:
    """Return the score without negative control, unless its gate would fail then."""
    if not isinstance(attack, Attack):
        return attack(c, data=data)
    found = attack.find(data, c.synthetic)
    if isnan(found.value):
        return attack.kind.unassessable(" ".join(found.notes))
    reference = found.non_members
    score = attack.kind.score(
        found.value,
        found.interval,
        n=found.n,
        reference=None if reference is None else reference.value,
        reference_error=None if reference is None else reference.error,
        details=attack.kind.details.of(found.details | {"null": attack.null}),
    )
    fails = any(verdict.status == "FAIL" for verdict in judge(default_gates([score]), [score]))
    return attack(c, data=data) if fails else score


def numbers(score: Score) -> list[float | None]:
    """Return value, both ends of the interval, baseline and reference."""
    found = (score.value, score.low, score.high, score.baseline, score.reference)
    return [None if number is None or isnan(number) else round(number, 4) for number in found]


def summary(path: Path) -> None:
    """Print a table in Markdown for each size: the counts of each gate's verdicts."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for key in dict.fromkeys((line["table"], line["train"], line["holdout"], line["synthetic"]) for line in lines):
        part = [line for line in lines if (line["table"], line["train"], line["holdout"], line["synthetic"]) == key]
        print(f"\n{key[0]}, {key[1]:,} training, {key[2]:,} holdout rows, {key[3]} as synthetic, {len(part)} repeats\n")
        print(f"| gate | {' | '.join(status.lower() for status in ORDER)} | 95 % interval of the share failed |")
        print(f"|---|{'---|' * (len(ORDER) + 1)}")
        for gate in dict.fromkeys(gate for line in part for gate in line["status"]):
            counts = Counter(line["status"].get(gate, "PASS") for line in part)
            low, high = wilson(counts["FAIL"], len(part))
            cells = " | ".join(str(counts[status]) for status in ORDER)
            print(f"| {gate} | {cells} | {100 * low:.1f} to {100 * high:.1f} % |")
        failed = sum("FAIL" in line["status"].values() for line in part)
        low, high = wilson(failed, len(part))
        print(f"\nany gate failed: {failed}, 95 % interval of the share {100 * low:.1f} to {100 * high:.1f} %")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("table", nargs="?")
    parser.add_argument("--train", type=int, default=736)
    parser.add_argument("--holdout", type=int, default=184)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no repeat after so many")
    parser.add_argument("--copy", action="store_true")
    parser.add_argument("--whole", action="store_true", help="run every attack on holdout rows too")
    parser.add_argument("--summary", type=Path)
    given = parser.parse_args()
    if given.summary:
        summary(given.summary)
        return
    table, schema = tables.read(given.table)
    name, start = Path(given.table).name, time.monotonic()
    for seed in range(given.first, given.first + given.repeats):
        if time.monotonic() - start > given.seconds:
            break
        line = one(table, schema, given.train, given.holdout, seed, copy=given.copy, whole=given.whole)
        print(json.dumps({"table": name} | line), flush=True)


if __name__ == "__main__":
    main()

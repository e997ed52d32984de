"""Verdicts of the default privacy gates on the synthetic table of a model with the defaults, and on the model itself.

python benchmarks/release.py configs/heart_disease.yaml configs/actg175.yaml >> benchmarks/results/release.jsonl
python benchmarks/release.py configs/adult.yaml --set data.source=FOLDER/adult/data.csv.gz --rows 12500
python benchmarks/release.py --summary benchmarks/results/release.jsonl

Of the rows (or of `--rows` of them) 80 % are training rows, as many are sampled, and every attack is run, including
the canaries and the attack on the model file.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from gates import numbers
from threadpoolctl import threadpool_limits

import synthclin as sc
from synthclin.evaluation import privacy
from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.gates import MODEL_GATE, default_gates, judge
from synthclin.evaluation.privacy.attack_data import AttackData
from synthclin.progress import quiet
from synthclin.rules.validation import conform, without_violations
from synthclin.study.audit import audit
from synthclin.study.config import load


def one(study: Path, options: argparse.Namespace) -> dict:
    """Fit, sample, attack and judge, and return a line."""
    config = load(study, options.set)
    schema, shipped = config.table_schema, config.data.dataset
    table = conform(sc.datasets.load(shipped)[0], schema) if shipped else sc.read_table(config.data.source, schema)
    if options.rows and options.rows < len(table):
        table = table.sample(options.rows, random_state=0).reset_index(drop=True)
    table = without_violations(table, schema)[0]
    train, holdout = sc.split(table, schema, holdout=0.2, random_state=options.seed)
    clock = [time.process_time()]
    with quiet(), threadpool_limits(limits=1):
        model = sc.ConditionalGAN(schema, effort=options.effort, random_state=options.seed).fit(train)
        synthetic = model.sample(len(train), random_state=options.seed)
        clock.append(time.process_time())
        c = Comparison.of(synthetic, train=train, holdout=holdout, schema=schema, random_state=options.seed)
        data, scores = AttackData.of(c), []
        for attack in privacy.ATTACKS:
            scores.append(attack(c, data=data))
            clock.append(time.process_time())
        (on_model,) = audit(model, synthetic, train=train, holdout=holdout, random_state=options.seed)
    return {
        "table": config.name,
        "effort": options.effort,
        "seed": options.seed,
        "train": len(train),
        "holdout": len(holdout),
        "fit_seconds": round(clock[1] - clock[0], 1),
        "attack_seconds": round(clock[-2] - clock[1], 1),
        "canary_seconds": round(clock[-1] - clock[-2], 1),
        "status": {v.gate.score: v.status for v in judge(default_gates(scores), scores)}
        | {v.gate.score: v.status for v in judge([MODEL_GATE], [on_model])},
        "score": {score.name: numbers(score) for score in (*scores, on_model)},
    }


def summary(path: Path) -> None:
    """Print the verdicts in Markdown, a column for each table."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    heads = [f"{line['table']}, {line['train']:,} training, {line['holdout']:,} holdout rows" for line in lines]
    print(f"| gate | {' | '.join(heads)} |\n|---|{'---|' * len(lines)}")
    for name in dict.fromkeys(name for line in lines for name in line["status"]):
        print(f"| {name} | {' | '.join(_cell(line, name) for line in lines)} |")


def _cell(line: dict, name: str) -> str:
    value, low, high = line["score"][name][:3]
    status = line["status"].get(name, "PASS").lower()
    return status if value is None or low is None else f"{status}: {value:.3f} ({low:.3f} to {high:.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studies", nargs="*", type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--rows", type=int)
    parser.add_argument("--effort", default="standard")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--summary", type=Path)
    options = parser.parse_args()
    if options.summary:
        summary(options.summary)
    for study in options.studies:
        print(json.dumps(one(study, options)), flush=True)


if __name__ == "__main__":
    main()

"""Ablation of the training: quality of models whose plan leaves parts out, one after the other.

python benchmarks/ablation.py heart_disease actg175 --seeds 5 >> benchmarks/results/ablation.jsonl
python benchmarks/quality.py --summary benchmarks/results/ablation.jsonl
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from unittest import mock

import quality

from synthclin.models.families import gan
from synthclin.models.generator.training import plan_for

OFF = {"decay": 1e-4, "potentials": 0, "adversarial": 0, "folds": 0}

# Each line adds one part to the line before; the last one is the default.
STEPS = {
    "warm-up alone": set(),
    "+ weight decay": {"decay"},
    "+ pairwise potentials": {"decay", "potentials"},
    "+ adversarial": {"decay", "potentials", "adversarial"},
    "+ cross-validation, under 4,000 rows": set(OFF),
}


def main() -> None:
    """Print a JSON line for each table, seed and step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="+")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--replicates", type=int, default=2)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--target")
    parser.add_argument("--only", nargs="*", default=list(STEPS), choices=list(STEPS), metavar="STEP")
    options = parser.parse_args()
    options.set = []
    for source in options.sources:
        for step in options.only:
            options.tag = step
            for seed in range(options.seeds):
                with mock.patch.object(gan, "plan_for", _reduced(STEPS[step])):
                    print(json.dumps(quality.measure(source, seed, options)), flush=True)


def _reduced(parts: set[str]) -> object:
    left_out = {name: value for name, value in OFF.items() if name not in parts}
    return lambda *size: dataclasses.replace(plan_for(*size), **left_out)


if __name__ == "__main__":
    main()

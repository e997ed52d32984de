"""How well `synthclin schema infer` guesses: its schema of each table beside what a person wrote in `meta.json`.

    python benchmarks/inference.py FOLDER... > table.md

Each folder holds `data.csv` or `data.csv.gz` and `meta.json`, in which a person wrote the `kind` of each column. The
rules that people know are those of the schema of `configs/<name>.yaml`. One counts as found where guessed rules,
formulas or conditions of missingness tie the same columns together; what ties others together is beyond what people
wrote.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import synthclin as sc
from synthclin.inference import Inferred, infer
from synthclin.study.config import load

CONFIGS = Path(__file__).parents[1] / "configs"
TYPES = {
    "continuous": {"number", "duration"},
    "integer": {"integer", "duration"},
    "ordinal": {"ordinal"},
    "categorical": {"category", "code"},
    "boolean": {"boolean"},
    "datetime": {"date", "datetime"},
    "identifier": {"id"},
}
HEAD = (
    "table",
    "rows x columns",
    "seconds",
    "columns right",
    "guessed otherwise",
    "rules found",
    "rules missed",
    "beyond",
)


def main(folders: list[str]) -> None:
    print("| " + " | ".join(HEAD) + " |\n|" + "---|" * len(HEAD))
    with (Path(__file__).parent / "results" / "inference.jsonl").open("w") as results:
        for folder in map(Path, folders):
            cells = _line(folder)
            print("| " + " | ".join(cells) + " |", flush=True)
            results.write(json.dumps({"synthclin": sc.__version__, **dict(zip(HEAD, cells, strict=True))}) + "\n")


def _line(folder: Path) -> list[str]:
    """Return the cells of one table's line."""
    meta = json.loads((folder / "meta.json").read_text())
    table = sc.read_table(next(folder.glob("data.csv*")))
    start = time.perf_counter()
    inferred = infer(table)
    seconds = time.perf_counter() - start
    guessed = {name: column.type for name, column in inferred.schema.columns.items() if name in table}
    wrong = {
        name: f"{name} ({about['kind']}: {guessed[name]})"
        for name, about in meta["columns"].items()
        if guessed[name] not in TYPES[about["kind"]]
    }
    known = _known_rules(meta["name"])
    said = _said(inferred)
    found = {columns for columns in known if columns in said}
    missed = sorted(_named(columns) for columns in known - found)
    return [
        meta["name"],
        f"{len(table):,} x {table.shape[1]}",
        f"{seconds:.1f}",
        f"{len(guessed) - len(wrong)} of {len(guessed)}",
        "; ".join(wrong.values()) or "none",
        f"{len(found)} of {len(known)}",
        "; ".join(missed) or "none",
        str(len(said - known)),
    ]


def _named(columns: frozenset[str]) -> str:
    """Return the columns of a rule, the first three of many."""
    first = ", ".join(sorted(columns)[:3])
    return first if len(columns) <= 3 else f"{first} and {len(columns) - 3} more"


def _known_rules(name: str) -> set[frozenset[str]]:
    """Return the sets of columns that the rules of a study's schema tie together."""
    schema = load(CONFIGS / f"{name}.yaml").table_schema
    return {frozenset(rule.columns) for rule in schema.rules if len(rule.columns) > 1}


def _said(inferred: Inferred) -> set[frozenset[str]]:
    """Return the sets of columns that guessed rules, active or not, tie together."""
    rules = [rule for proposal in inferred.proposals for rule in proposal.rules]
    return {rule.columns for rule in (*rules, *inferred.schema.rules) if len(rule.columns) > 1}


if __name__ == "__main__":
    main(sys.argv[1:])

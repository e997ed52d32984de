"""Counts of the shareable edition, all together: no small cell follows from them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp

from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.disclosure import shared_count
from synthclin.evaluation.score_names import within
from synthclin.evaluation.sections import sections
from synthclin.report import Report
from synthclin.schema import Schema
from tests.report.conftest import example, made

AGES = (60, 70, 80)
SITES = ("A", "B", "C", "D", "E")
SCHEMA = Schema.model_validate(
    {
        "columns": {
            "site": {"type": "category", "categories": list(SITES), "missing": "allowed"},
            "stage": {"type": "ordinal", "categories": ["I", "II", "III", "IV"]},
            "chol": {"type": "number", "missing": "allowed"},
            "age": {"type": "integer", "range": [0, 120]},
        }
    }
)


def patients(rows: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return patients with small sites, stages and numbers of missing cells."""
    shares = rng.dirichlet(np.full(len(SITES), 0.7))
    site = rng.choice(np.array(SITES, dtype=object), rows, p=shares)
    site[rng.random(rows) < rng.choice([0.0, 0.01, 0.05])] = None
    chol = rng.normal(200, 40, rows).round()
    chol[rng.random(rows) < rng.choice([0.0, 0.01, 0.04, 0.2])] = np.nan
    stage = rng.choice(np.array(["I", "II", "III", "IV"], dtype=object), rows, p=rng.dirichlet(np.ones(4)))
    return pd.DataFrame(
        {
            "site": pd.Categorical(site, categories=SITES),
            "stage": pd.Categorical(stage, categories=["I", "II", "III", "IV"], ordered=True),
            "chol": chol,
            "age": pd.array(rng.normal(62, 12, rows).round().clip(0, 120).astype(int), dtype="Int64"),
        }
    )


def over(table: pd.DataFrame, age: int, *, equal: bool) -> int:
    return int(((table["age"] >= age) if equal else (table["age"] > age)).sum())


def internal(table: pd.DataFrame, synthetic: pd.DataFrame) -> Report:
    """Return a report with the counts of the table: panels, Table 1, cohorts, groups, attacks and scores."""
    compared = Comparison.of([synthetic], train=table, holdout=None, schema=SCHEMA, random_state=0)
    data = sections(compared)
    cohorts = [
        {
            "name": f"{age}{equal}",
            "rows": 100,
            "where": f"age {'>=' if equal else '>'} {age}",
            "probability_model": 0.1,
            "share_train": 0.1,
            "patients": count if (count := over(table, age, equal=equal)) >= 11 else None,
            "effective_sample_size": 50.0,
            "proposed": 1000,
        }
        for age in AGES
        for equal in (True, False)
    ]
    groups = [
        {"group": site, "value": 0.9, "low": 0.8, "high": 1.0, "reference": 0.9, "n": int(n)}
        for site, n in table["site"].value_counts().items()
        if n >= 11
    ]
    details = {"score": "fidelity.pairs", "column": "site", "worst": "A", "groups": groups, "not_judged": 1}
    scores = (
        made("fidelity.pairs", 0.9, 0.8, 1.0, n=len(table)),
        made("utility.died", -0.1, -0.2, 0.0, n=int(table["chol"].notna().sum())),
        made(within("site", "fidelity.pairs"), 0.9, 0.8, 1.0, n=len(table), details=details),
    )
    facts = {"rows": {"train": len(table), "holdout": 0, "synthetic": len(synthetic)}}
    return example(scores=scores, verdicts=(), sections=data | {"cohorts": cohorts}, provenance=facts)


def interval(count: int | None) -> tuple[float, float]:
    """Return what a published count tells: see `shared_count`."""
    if count is None:
        return 1, np.inf
    return (0, 0) if count == 0 else (11 if count == 20 else count - 5, count + 4)


class System:
    """Integer unknowns, which are the counts of the levels of each column, and intervals for sums of them."""

    def __init__(self) -> None:
        self.names: dict[str, int] = {}
        self.rows: list[tuple[list[int], float, float]] = []

    def add(self, names: list[str], bounds: tuple[float, float]) -> None:
        self.rows.append(([self.names.setdefault(name, len(self.names)) for name in names], *bounds))

    def ends(self, name: str, low: float, high: float) -> tuple[float, float] | None:
        """Return the smallest and the largest value of an unknown between two bounds; None if there is none."""
        size = len(self.names)
        matrix = np.zeros((len(self.rows), size))
        for i, (places, _, _) in enumerate(self.rows):
            matrix[i, places] += 1
        limits = LinearConstraint(matrix, [row[1] for row in self.rows], [row[2] for row in self.rows])
        bounds = Bounds(np.zeros(size), np.full(size, 10_000.0))
        bounds.lb[self.names[name]], bounds.ub[self.names[name]] = low, high
        found = []
        for sign in (1, -1):
            goal = np.zeros(size)
            goal[self.names[name]] = sign
            solved = milp(goal, constraints=limits, bounds=bounds, integrality=np.ones(size))
            if solved.x is None:
                return None
            found.append(round(solved.x[self.names[name]]))
        return found[0], found[1]


def system(document: dict[str, Any]) -> System:
    """Return all that the edition tells of the counts of sites, stages, missing cells and ages."""
    out, train = System(), interval(document["provenance"]["rows"]["train"])
    ages = ["under", *(f"{age}{part}" for age in AGES for part in ("", "+"))]
    out.add(ages, train)
    # The rows behind a score without the missing ones.
    out.add(["chol cells", "chol missing"], train)
    for score in document["scores"]:
        out.add(["chol cells"] if score["name"] == "utility.died" else ages, interval(score["n"]))
    for panel in document["sections"]["marginals"]:
        name = panel["column"]
        cells = [f"{name} {label}" for label in panel["labels"] or range(len(panel["real"]))]
        out.add([*cells, f"{name} missing"], train)
        for cell, count in zip([*cells, f"{name} missing"], [*panel["real"], panel["missing"]["real"]], strict=True):
            out.add([cell], interval(count))
    for group in document["scores"][-1]["details"]["groups"]:
        out.add([f"site {group['group']}"], interval(group["n"]))
    for block in document["sections"]["table_one"]:
        for row in block["levels"]:
            out.add([f"{block['column']} {row['level']}"], interval(row["real"]["n"]))
    for cohort in document["sections"]["cohorts"]:
        age, equal = cohort["name"][:2], cohort["name"][2:] == "True"
        if cohort["patients"] is not None:
            out.add(ages[ages.index(age if equal else f"{age}+") :], interval(cohort["patients"]))
    return out


def truth(table: pd.DataFrame) -> dict[str, int]:
    """Return the true counts of the unknowns that may be small."""
    counts = {f"site {site}": int((table["site"] == site).sum()) for site in SITES}
    counts |= {f"stage {stage}": int((table["stage"] == stage).sum()) for stage in ("I", "II", "III", "IV")}
    counts |= {f"{name} missing": int(table[name].isna().sum()) for name in ("site", "chol")}
    return counts | {f"{age}": int((table["age"] == age).sum()) for age in AGES}


@pytest.mark.parametrize("seed", range(25))
def test_no_small_cell_follows_from_all_counts_together(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = int(rng.choice([60, 184, 300, 800]))
    table, synthetic = patients(rows, rng), patients(rows, rng)
    document = internal(table, synthetic).shareable().to_dict()
    solver, checked = system(document), 0
    for name, count in truth(table).items():
        if name not in solver.names or not 0 < count < 11:
            continue
        checked += 1
        ends = solver.ends(name, 1, 10)
        assert ends is not None, "the true counts satisfy what is published"
        assert ends[0] <= count <= ends[1]
        assert ends[1] > ends[0], (name, count, ends)
    assert checked


def test_counts_that_were_solved_by_subtraction_are_not() -> None:
    # 26 patients of 70 or older less 20 over 70 are 6; 800 rows less 795 with a value are 5; 184 less 183 are 1.
    for larger, smaller in ((26, 20), (800, 795), (184, 183), (40, 29)):
        known = [interval(shared_count(n)) for n in (larger, smaller)]
        low, high = known[0][0] - known[1][1], known[0][1] - known[1][0]
        assert high - low >= 9


def test_every_real_count_is_a_multiple_of_ten() -> None:
    assert [shared_count(n) for n in (None, 0, 1, 10, 11, 15, 24, 25, 34, 35)] == [
        None, 0, None, None, 20, 20, 20, 30, 30, 40,
    ]  # fmt: skip
    rising = [shared_count(n) or 0 for n in range(2_000)]
    assert all(b >= a for a, b in pairwise(rising))
    rng = np.random.default_rng(3)
    document = internal(patients(184, rng), patients(184, rng)).shareable().to_dict()
    counts = [document["provenance"]["rows"]["train"], *(score["n"] for score in document["scores"])]
    counts += [count for panel in document["sections"]["marginals"] for count in panel["real"]]
    counts += [panel["missing"]["real"] for panel in document["sections"]["marginals"]]
    counts += [cohort["patients"] for cohort in document["sections"]["cohorts"]]
    counts += [group["n"] for group in document["scores"][-1]["details"]["groups"]]
    assert all(count is None or count % 10 == 0 for count in counts)
    assert "183" not in str(counts)
    assert "184" not in str(counts)

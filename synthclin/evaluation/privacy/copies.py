"""Exact copies: synthetic rows that repeat the row of one training patient, in every column."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synthclin.evaluation.features import Features
from synthclin.evaluation.intervals import wilson
from synthclin.evaluation.privacy.attack import Attack, Found
from synthclin.evaluation.privacy.classes import counted, numbered
from synthclin.evaluation.score import Definition
from synthclin.schema.patients import patients

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.privacy.attack_data import AttackData
    from synthclin.evaluation.score import Score
    from synthclin.schema import Schema

__all__ = ["copies", "repeated"]

COPIES = Definition(
    "privacy.copies",
    "Are synthetic rows copies of patients?",
    "lower",
    "share of synthetic rows that equal, in every modelled column at schema precision, a training row that no other "
    "training patient shares; every row counts where the table has the training rows in the training table's "
    "proportions; Wilson interval; none found is no all-clear (DCR Delusion: Yao et al., arXiv:2505.01524)",
)


def copies(
    c: Comparison,
    *,
    by: Sequence[str] = (),  # noqa: ARG001 (all attacks are called alike)
    data: AttackData | None = None,  # noqa: ARG001
) -> Score:
    """Score how many synthetic rows repeat one training patient; without a holdout only what is found is told."""
    found = _count(c.train, c.train_patients, c.synthetic)
    if c.holdout is None and not found.value:
        why = "No copy was found; without a holdout nothing tells whether one would have been."
        return COPIES.unassessable(why, n=found.n, details=found.details)
    fresh = None if c.holdout is None else _count(c.train, c.train_patients, c.holdout)
    # Where the whole training table is repeated nothing excuses it, least of all that other tables are alike.
    excused = fresh if not found.details["whole_table"] else None
    negative = (
        {}
        if fresh is None
        else {
            "value": fresh.value,
            "low": fresh.interval.low,
            "high": fresh.interval.high,
            "rows": fresh.n,
        }
    )
    return COPIES.score(
        found.value,
        found.interval,
        n=found.n,
        baseline=None if excused is None else _count(c.train, c.train_patients, c.shuffled).value,
        reference=None if excused is None else excused.value,
        notes=[
            *found.notes,
            "The real-data reference is the share of held-out real rows that are such copies."
            if excused is not None
            else "",
        ],
        details=found.details | {"null": 0.0, "negative_control": negative},
    )


def repeated(schema: Schema, train: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> dict[str, int]:
    """Return how many rows of each table equal, in every modelled column, the row of one training patient.

    A count and no filter: leaving these rows out would tell an attacker where training rows lie (ReconSyn: Ganev and
    De Cristofaro, arXiv:2312.05114).

    Example:
        >>> import pandas as pd
        >>> from synthclin.schema import Schema
        >>> schema = Schema.model_validate({"columns": {"age": {"type": "integer"}}})
        >>> train = pd.DataFrame({"age": pd.array([41, 41, 63], "Int64")})
        >>> repeated(schema, train, {"synthetic": pd.DataFrame({"age": pd.array([41, 63, 63, 70], "Int64")})})
        {'synthetic': 2}
    """
    features = Features.of(schema, [train, *tables.values()])
    real = features.values(train)
    told = {}
    for name, table in tables.items():
        numbers, learnt = numbered(features.values(table), real)
        each = np.unique(np.column_stack([learnt, patients(train, schema)]), axis=0)[:, 0]
        told[name] = int((counted(numbers, each) == 1).sum())
    return told


def _count(train: NDArray[np.float64], whose: NDArray[np.int64], synthetic: NDArray[np.float64]) -> Found:
    numbers, real = numbered(synthetic, train)
    # A patient's own repeated row is still one patient's.
    each = np.unique(np.column_stack([real, whose]), axis=0)[:, 0]
    holders = counted(numbers, each)
    whole = bool(_same_proportions(numbers, real))
    copied = len(numbers) if whole else int((holders == 1).sum())
    shared = int((holders > 1).sum())
    notes = [
        "The table has the training rows in the training table's proportions." if whole else "",
        f"{shared} further rows equal rows that several training patients share, so they point to nobody."
        if shared and not whole
        else "",
    ]
    details = {"copies": copied, "copies_of_repeated_rows": shared, "whole_table": whole}
    return Found(copied / len(numbers), wilson(copied, len(numbers)), len(numbers), tuple(notes), details)


def _same_proportions(numbers: NDArray[np.int64], real: NDArray[np.int64]) -> bool:
    size = int(max(numbers.max(), real.max())) + 1
    drawn, given = np.bincount(numbers, minlength=size), np.bincount(real, minlength=size)
    return bool((drawn * len(real) == given * len(numbers)).all())


def _run(data: AttackData, synthetic: NDArray[np.float64]) -> Found:
    rows = data.train.rows
    return _count(rows, np.arange(len(rows)), synthetic)


canary_rows = Attack(COPIES, _run)

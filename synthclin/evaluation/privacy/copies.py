"""Exact copies: synthetic rows that equal the row of one member in every column."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synthclin.evaluation import questions
from synthclin.evaluation.features import Features
from synthclin.evaluation.intervals import wilson
from synthclin.evaluation.kind import Kind, Limit, convention
from synthclin.evaluation.privacy.attack import Attack, Found, Reference, no_baseline
from synthclin.evaluation.privacy.details import CopyDetails
from synthclin.evaluation.privacy.equivalence_classes import counted, numbered
from synthclin.language import tr
from synthclin.schema.patients import patients
from synthclin.wording import number, share

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.privacy.attack_data import AttackData
    from synthclin.evaluation.score import Score
    from synthclin.schema import Schema

__all__ = ["copies", "repeated"]

_MOST_NAMED = 100
_OWN_WEIGHT = 3
_PAIR = 2


def _copied_rows(score: Score) -> str:
    details = COPIES.read(score)
    if details is None or details.copies is None:
        return ""
    counts = {"copies": number(details.copies, 0), "rows": number(score.n, 0)}
    if score.reference is None:
        return tr("{copies} of {rows} synthetic rows equal the row of one training patient.", **counts)
    return tr(
        "{copies} of {rows} synthetic rows equal the row of one training patient; of holdout rows {share} do.",
        share=share(score.reference, 1),
        **counts,
    )


COPIES = Kind(
    name="privacy.copies",
    question="Are synthetic rows copies of patients?",
    better="lower",
    method=(
        "share of synthetic rows that equal, in every modelled column at schema precision, a training row that no"
        " other training patient shares; every row counts where the table has the training rows in the training "
        "table's proportions; Wilson interval; absence of copies does not prove privacy (DCR Delusion: Yao et "
        "al., arXiv:2505.01524)"
    ),
    section="privacy",
    label="Exact copies",
    unit="share of synthetic rows",
    ideal=0.0,
    details=CopyDetails,
    asked=questions.COPIES,
    limit=Limit("<=", 0.0, 0.005, convention("without leakage members are copied no more than non-members"), null=0.0),
    fail_text="rows are copies of training rows",
    review_text="rows may be copies of training rows",
    action="Some synthetic rows equal the row of one training patient in every column.",
    scale="percent",
    answer=_copied_rows,
    shared=CopyDetails.shared,
    counts="synthetic",
)


def copies(
    c: Comparison,
    *,
    by: Sequence[str] = (),  # noqa: ARG001 (all attacks have one signature)
    data: AttackData | None = None,  # noqa: ARG001
) -> Score:
    """Score the share of exact copies; without a holdout it is assessable only where copies are found.

    The detail ``copied_rows`` has the numbers of at most 100 copies, from 1, in the order of the synthetic table.
    """
    found = _count(c.train, c.train_patients, c.synthetic)
    if c.holdout is None and not found.value:
        why = tr("No copy was found; without a holdout the share among non-members is not known.")
        return COPIES.unassessable(why, n=found.n, details=found.details | {"null": 0.0, "negative_control": None})
    # A copy of the whole training table has no excuse, even where holdout rows are equal too.
    reference = None if c.holdout is None or found.details["whole_table"] else _unused(c)
    holdout = None if c.holdout is None else _count(c.train, c.train_patients, c.holdout)
    negative = (
        None
        if holdout is None
        else {"value": holdout.value, "low": holdout.interval.low, "high": holdout.interval.high, "rows": holdout.n}
    )
    return COPIES.score(
        found.value,
        found.interval,
        n=found.n,
        reference=None if reference is None else reference.value,
        reference_error=None if reference is None else reference.error,
        notes=[
            *found.notes,
            ""
            if reference is None
            else tr(
                "The real-data reference is the share of such copies among holdout rows, and among training patients, "
                "each with the others."
            ),
            no_baseline(),
        ],
        details=found.details | {"null": 0.0, "negative_control": negative},
    )


def _unused(c: Comparison) -> Reference:
    """Return the share of rows of other patients that are such copies by coincidence, with its interval.

    Holdout rows, and each training patient's rows with those of all others as the training table: they equal the row of
    exactly one other patient where two share it. A training patient has a third of the weight of a holdout row: a pair
    is one event, and other training patients would share other rows.
    """
    assert c.holdout is not None
    numbers, real = numbered(c.holdout, c.train)
    each = _one_of_each_patient(real, c.train_patients)
    shared = int((counted(each, each) == _PAIR).sum())
    copied = int((counted(numbers, each) == 1).sum()) + shared / _OWN_WEIGHT
    n = len(numbers) + len(each) // _OWN_WEIGHT
    return Reference(copied / n, wilson(copied, n))


def repeated(schema: Schema, train: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> dict[str, int]:
    """Return the number of exact copies in each table: rows equal, in every modelled column, to one patient's row.

    They are counted and not filtered: a filter would show an attacker where training rows are (ReconSyn: Ganev and De
    Cristofaro, arXiv:2312.05114).

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
    counts = {}
    for name, table in tables.items():
        numbers, of_train = numbered(features.values(table), real)
        each = _one_of_each_patient(of_train, patients(train, schema))
        counts[name] = int((counted(numbers, each) == 1).sum())
    return counts


def _count(train: NDArray[np.float64], whose: NDArray[np.int64], synthetic: NDArray[np.float64]) -> Found:
    numbers, real = numbered(synthetic, train)
    holders = counted(numbers, _one_of_each_patient(real, whose))
    whole = bool(_same_proportions(numbers, real))
    copied = len(numbers) if whole else int((holders == 1).sum())
    shared = int((holders > 1).sum())
    notes = [
        tr("The table has the training rows in the training table's proportions.") if whole else "",
        tr(
            "{rows} further rows equal rows that several training patients share, so they do not identify anybody.",
            rows=shared,
        )
        if shared and not whole
        else "",
    ]
    places = np.flatnonzero((holders == 1) | whole)[:_MOST_NAMED]
    details = {
        "copies": copied,
        "copies_of_repeated_rows": shared,
        "whole_table": whole,
        "copied_rows": (places + 1).tolist(),
    }
    return Found(copied / len(numbers), wilson(copied, len(numbers)), len(numbers), tuple(notes), details)


def _one_of_each_patient(numbers: NDArray[np.int64], whose: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the class numbers without repetitions: equal rows of one patient count once."""
    each: NDArray[np.int64] = np.unique(np.column_stack([numbers, whose]), axis=0)[:, 0]
    return each


def _same_proportions(numbers: NDArray[np.int64], real: NDArray[np.int64]) -> bool:
    size = int(max(numbers.max(), real.max())) + 1
    synthetic_counts, real_counts = np.bincount(numbers, minlength=size), np.bincount(real, minlength=size)
    return bool((synthetic_counts * len(real) == real_counts * len(numbers)).all())


def _run(data: AttackData, synthetic: NDArray[np.float64]) -> Found:
    rows = data.train.rows
    return _count(rows, np.arange(len(rows)), synthetic)


copies_attack = Attack(COPIES, _run)

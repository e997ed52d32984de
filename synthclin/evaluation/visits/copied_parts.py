"""Copied parts of patients: visits, or runs of gaps between visits, that exactly one training patient has."""

from __future__ import annotations

from functools import partial
from math import hypot
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from synthclin.evaluation import questions
from synthclin.evaluation.intervals import wilson
from synthclin.evaluation.kind import Kind, Limit, convention
from synthclin.evaluation.privacy.attack import Reference, no_baseline
from synthclin.evaluation.privacy.details import CopyDetails
from synthclin.evaluation.privacy.equivalence_classes import numbered
from synthclin.evaluation.score import Interval, Score, details_of
from synthclin.evaluation.visits.pool import PatientPool
from synthclin.language import tr
from synthclin.wording import number, share

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison

__all__ = ["COPIED_GAPS", "COPIED_VISITS", "copied_gaps", "copied_visits"]

_RUN = 3
_FEWEST_CELLS = 3
_DIGITS = 6
_MOST_NAMED = 100
_OWN_WEIGHT = 3
_PAIR = 2

_COINCIDENCE = (
    ", minus the share among holdout patients, and among training patients, each with the others; interval from two "
    "Wilson intervals (project convention)"
)


def _copied_patients(parts: str, score: Score) -> str:
    details = details_of(score, CopyDetails)
    if details is None or details.copies is None:
        return ""
    counts = {"copies": number(details.copies, 0), "patients": number(score.n, 0)}
    if parts == "gaps":
        found = tr("Synthetic patients with three gaps of one training patient: {copies} of {patients}.", **counts)
    else:
        found = tr("Synthetic patients with a visit of one training patient: {copies} of {patients}.", **counts)
    if details.negative_control is None:
        return found
    return f"{found} {tr('Of other real patients {share} do.', share=share(details.negative_control.value, 1))}"


def _kind(name: str, question: str, method: str, label: str, parts: str) -> Kind[CopyDetails]:
    return Kind(
        name=name,
        question=question,
        better="lower",
        method=method,
        section="privacy",
        label=label,
        unit="synthetic patients in excess of other real patients",
        ideal=0.0,
        details=CopyDetails,
        asked=questions.COPIES,
        limit=Limit(
            "<=", 0.0, 0.01, convention("without leakage members are copied no more than non-members"), null=0.0
        ),
        needs=frozenset({"visits"}),
        fail_text="parts of training patients are copied",
        review_text="parts of training patients may be copied",
        action="Some synthetic patients have visits or gaps of one training patient.",
        answer=partial(_copied_patients, parts),
        shared=CopyDetails.shared,
    )


COPIED_GAPS = _kind(
    "privacy.copied_gaps",
    "Are the gaps between visits those of a training patient?",
    "share of synthetic patients of 4 visits and more with three gaps in a row that exactly one training patient has "
    "in a row" + _COINCIDENCE,
    "Copied gaps",
    "gaps",
)
COPIED_VISITS = _kind(
    "privacy.copied_visits",
    "Are visits those of a training patient?",
    "share of synthetic patients with a visit that equals, in all columns that differ between visits but for its time, "
    "visits of exactly one training patient; visits with fewer than 3 known cells are left out" + _COINCIDENCE,
    "Copied visits",
    "visits",
)


class _Parts(NamedTuple):
    """Parts of patients that may be copied.

    Arguments:
        cells: (parts, cells); equal rows are equal parts.
        patient: (parts,) the place of the patient.
    """

    cells: NDArray[np.float64]
    patient: NDArray[np.int64]


def copied_gaps(c: Comparison) -> Score:
    """Score the share of synthetic patients with three gaps in a row of one training patient."""
    pool = PatientPool.of(c)
    gaps = np.round(pool.visits.gaps, _DIGITS)[:, None]
    runs = np.hstack([gaps, *(pool.visits.before(gaps, lag) for lag in range(1, _RUN))])
    whole = ~np.isnan(runs).any(axis=1)
    return _score(COPIED_GAPS, pool, _Parts(runs[whole], pool.visits.patient[whole]))


def copied_visits(c: Comparison) -> Score:
    """Score the share of synthetic patients with a visit of one training patient."""
    pool = PatientPool.of(c)
    cells = pool.visits.values[:, list(pool.columns)]
    known = (~np.isnan(cells)).sum(axis=1) >= min(_FEWEST_CELLS, max(1, cells.shape[1]))
    return _score(COPIED_VISITS, pool, _Parts(cells[known], pool.visits.patient[known]))


def _score(kind: Kind[CopyDetails], pool: PatientPool, parts: _Parts) -> Score:
    real = len(pool.train) + (0 if pool.holdout is None else len(pool.holdout))
    given = parts.patient < real + len(pool.synthetic)
    parts = _Parts(parts.cells[given], parts.patient[given])
    synthetic = np.isin(parts.patient, pool.synthetic)
    if not parts.cells.shape[1] or not synthetic.any():
        return kind.unassessable(tr("No synthetic patient has enough visits."))
    (number_of,) = numbered(parts.cells)
    holders = _holders(number_of, parts.patient, pool)
    copies = np.unique(parts.patient[synthetic & (holders == 1)])
    many = len(np.unique(parts.patient[synthetic]))
    reference = _reference(parts, holders, pool)
    shared = np.setdiff1d(parts.patient[synthetic & (holders > 1)], copies)
    found = wilson(len(copies), many)
    excess = len(copies) / many - reference.value
    return kind.score(
        excess,
        Interval(
            excess - hypot(len(copies) / many - found.low, reference.interval.high - reference.value),
            excess + hypot(found.high - len(copies) / many, reference.value - reference.interval.low),
        ),
        n=many,
        reference=0.0,
        notes=[
            tr(
                "The share of real patients who have such a part by coincidence, {share}, is subtracted.",
                share=share(reference.value, 1),
            ),
            no_baseline(),
        ],
        details={
            "copies": len(copies),
            "copies_of_repeated_rows": len(shared),
            "whole_table": False,
            "copied_rows": _first_rows(pool, copies[:_MOST_NAMED]),
            "null": 0.0,
            "negative_control": {
                "value": reference.value,
                "low": reference.interval.low,
                "high": reference.interval.high,
                "rows": len(pool.train) if pool.holdout is None else len(pool.holdout),
            },
        },
    )


def _holders(number_of: NDArray[np.int64], patient: NDArray[np.int64], pool: PatientPool) -> NDArray[np.int64]:
    """(parts,) the number of training patients that have an equal part."""
    training = np.isin(patient, pool.train)
    each = np.unique(np.column_stack([number_of, patient])[training], axis=0)[:, 0]
    counts: NDArray[np.int64] = np.bincount(each, minlength=int(number_of.max()) + 1).astype(np.int64)
    return counts[number_of]


def _reference(parts: _Parts, holders: NDArray[np.int64], pool: PatientPool) -> Reference:
    """Return the share of real patients who have a part of one other training patient by coincidence.

    A training patient has a third of the weight of a holdout patient: a pair is one event.
    """
    training = np.isin(parts.patient, pool.train)
    unused = np.isin(parts.patient, np.empty(0) if pool.holdout is None else pool.holdout)
    copied = len(np.unique(parts.patient[unused & (holders == 1)]))
    own = len(np.unique(parts.patient[training & (holders == _PAIR)]))
    n = len(np.unique(parts.patient[unused])) + len(np.unique(parts.patient[training])) // _OWN_WEIGHT
    found = copied + own / _OWN_WEIGHT
    return Reference(found / max(n, 1), wilson(found, max(n, 1)))


def _first_rows(pool: PatientPool, copies: NDArray[np.int64]) -> list[int]:
    """Return the row numbers, from 1, of the first visits of synthetic patients in their table."""
    visits = pool.visits
    rows: list[int] = (visits.places[visits.starts[copies]] + 1).tolist()
    return sorted(rows)

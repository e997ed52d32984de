"""Prediction of a patient's next visit: trained on synthetic or on real patients, tested on holdout patients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import StrictStr

from synthclin.evaluation import questions
from synthclin.evaluation.details import Details, Finite
from synthclin.evaluation.disclosure import Published, round_to_or_none
from synthclin.evaluation.intervals import learners_gap, resamples
from synthclin.evaluation.kind import Kind, Limit, convention
from synthclin.evaluation.labels import column_name
from synthclin.evaluation.visits.next_visit_models import NextVisitTest
from synthclin.evaluation.visits.pool import PatientPool
from synthclin.evaluation.visits.terms import FEW_VISITS
from synthclin.language import tr
from synthclin.wording import number

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.score import Score

__all__ = ["NEXT_VALUES", "NextValue", "NextValueDetails", "next_values"]

_MOST_PATIENTS = 2_000
_MOST_TESTED = 8_000  # visits
_MIN_TESTED = 20
_SAMPLES = 200
_FEW_SAMPLES = 50  # of models of halves, which only estimate a variance
_SPLITS = 2
_MOST_NAMED = 5


class NextValue(Details):
    """Performance of the prediction of one column at the next visit, tested on holdout patients."""

    column: StrictStr
    """Name of the column."""
    measure: StrictStr
    """R2 of ranks for numbers and ordered levels, the Gini coefficient for others."""
    real: Finite | None
    """Trained on training patients."""
    synthetic: Finite | None
    """Trained on synthetic patients, mean over replicates."""


class NextValueDetails(Details):
    """Details of the prediction of next visits."""

    columns: list[NextValue]
    """The columns, the largest loss first."""

    def shared(self, _published: Published) -> NextValueDetails:
        """Return rounded performances."""
        return NextValueDetails(
            columns=[
                one.model_copy(update={key: round_to_or_none(one[key], 0.01) for key in ("real", "synthetic")})
                for one in self.columns
            ]
        )


def _answer(score: Score) -> str:
    details = NEXT_VALUES.read(score)
    if details is None or not details.columns:
        return ""
    real = np.mean([one.real for one in details.columns if one.real is not None])
    synthetic = np.mean([one.synthetic for one in details.columns if one.synthetic is not None])
    return tr(
        "Mean over columns {synthetic} when trained on synthetic patients, {real} on real ones; largest loss: "
        "{column}.",
        synthetic=number(float(synthetic)),
        real=number(float(real)),
        column=column_name(details.columns[0].column, 30),
    )


NEXT_VALUES = Kind(
    name="visits.next_values",
    question="Do models trained on the synthetic table predict the next visit of real patients?",
    better="higher",
    method=(
        "mean over columns of R2 (ranks of numbers and ordered levels) or the Gini coefficient 2 AUC - 1 (levels) of a "
        "penalised linear regression on the last and the mean observed value of each column, its missingness, static "
        "columns, time, gap and number of the visit, tested on holdout patients, trained on synthetic minus trained on "
        "as many training patients; interval from 200 bootstrap samples of the holdout patients, and from the variance "
        "between models of halves of the training patients, or of several synthetic replicates (train synthetic, test "
        "real: Esteban, Hyland and Raetsch, arXiv:1706.02633)"
    ),
    section="visits",
    label="Prediction of next visits",
    unit="trained on synthetic minus on real patients",
    ideal=0.0,
    details=NextValueDetails,
    asked=questions.VISITS,
    limit=Limit(">=", -0.05, -0.10, convention("a twentieth of the explained variance may be lost")),
    needs=frozenset({"visits", "holdout"}),
    fail_text="models of next visits predict real patients worse",
    review_text="models of next visits may predict real patients worse",
    action="Do not train models of the course of patients on this table.",
    answer=_answer,
    shared=NextValueDetails.shared,
)


def _mean_of_columns(figures: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (samples,) means of (columns, samples) figures, NaN left out; NaN where every figure is."""
    known = (~np.isnan(figures)).sum(axis=0)
    means: NDArray[np.float64] = np.divide(
        np.nansum(figures, axis=0), known, out=np.full(len(known), np.nan), where=known > 0
    )
    return means


def _left_out(columns: list[str]) -> list[str]:
    """Return the note on columns that are not tested; empty where all are."""
    if not columns:
        return []
    names = ", ".join(column_name(name, 30) for name in columns[:_MOST_NAMED])
    if len(columns) > _MOST_NAMED:
        names += tr(" and {n} more", n=len(columns) - _MOST_NAMED)
    return [
        tr(
            "Not assessed, because too few values are known or differ at later visits of holdout patients: {columns}.",
            columns=names,
        )
    ]


def next_values(c: Comparison) -> Score:
    """Score the loss of predictions of next visits from training on synthetic patients."""
    pool = PatientPool.of(c)
    if pool.holdout is None or len(pool.holdout) < _MIN_TESTED:
        return NEXT_VALUES.unassessable(tr("It takes {patients} holdout patients to test on.", patients=_MIN_TESTED))
    rng = c.rng("visits", "next values")
    tested = rng.permutation(pool.holdout)
    tested = np.sort(tested[np.cumsum(pool.visits.counts[tested]) <= _MOST_TESTED])
    weights = np.vstack([np.ones((1, len(tested)), dtype=np.int64), resamples(len(tested), _SAMPLES, rng)])
    test = NextVisitTest.of(pool, tested, weights)
    if not test.columns:
        return NEXT_VALUES.unassessable(
            tr("No column has {visits} known values at later visits of holdout patients.", visits=FEW_VISITS)
        )
    size = min(len(pool.train), *map(len, pool.replicates), _MOST_PATIENTS)

    def some(places: NDArray[np.intp]) -> NDArray[np.intp]:
        return rng.permutation(places)[:size]

    def halves(places: NDArray[np.intp]) -> NDArray[np.float64]:
        order = some(places)
        return np.stack([_mean_of_columns(test.performance(order[i::2], _FEW_SAMPLES)) for i in range(2)])

    real = test.performance(some(pool.train))
    replicates = np.stack([test.performance(some(places)) for places in pool.replicates])
    shuffled = test.performance(some(pool.train) + pool.shift)
    gaps = np.stack([_mean_of_columns(one) for one in replicates]) - _mean_of_columns(real)
    columns = [
        NextValue(
            column=name,
            measure="R2 of ranks" if is_ordered else "Gini (2 AUC - 1)",
            real=real[i, 0],
            synthetic=replicates[:, i, 0].mean(),
        )
        for i, (name, is_ordered) in enumerate(test.columns.items())
    ]
    return NEXT_VALUES.score(
        gaps[:, 0].mean(),
        learners_gap(
            gaps,
            [halves(pool.train) for _ in range(_SPLITS)],
            # Several replicates show the variance between them directly.
            [halves(pool.synthetic) for _ in range(_SPLITS if len(pool.replicates) == 1 else 0)],
            most=2.0,
        ),
        n=len(tested),
        baseline=float(shuffled[:, 0].mean() - real[:, 0].mean()),
        reference=0.0,
        notes=[
            tr("The real-data reference is 0 by definition: the result of training on real rows is subtracted."),
            *_left_out(test.left_out),
        ],
        details=NextValueDetails(columns=sorted(columns, key=lambda one: (one.synthetic or 0) - (one.real or 0))),
        replicates=gaps[:, 0].tolist(),
    )

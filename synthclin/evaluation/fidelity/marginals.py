"""Marginal distributions: one minus the Kolmogorov-Smirnov or total variation distance of each column."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import StrictBool, StrictStr

from synthclin.evaluation import questions
from synthclin.evaluation.details import Details, Share
from synthclin.evaluation.disclosure import Published, round_to, round_to_or_none, rounding_step, suppressed_share
from synthclin.evaluation.fidelity.columns import observed
from synthclin.evaluation.fidelity.estimate import estimate_fidelity
from synthclin.evaluation.kind import Kind, Limit, Reason, WorstPart, convention
from synthclin.evaluation.labels import column_name
from synthclin.evaluation.score import no_baseline
from synthclin.language import tr
from synthclin.schema.patients import MIN_PATIENTS
from synthclin.wording import number

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.fidelity.spread import Against
    from synthclin.evaluation.score import Score

__all__ = ["MARGINALS", "ColumnAgreement", "MarginalDetails", "agreements", "ks_similarity", "marginals"]

_FAR, _TOO_FAR = 0.2, 0.3  # agreement of a column below that of holdout rows


class ColumnAgreement(Details):
    """Marginal agreement of one column."""

    column: StrictStr
    """Name of the column."""
    value: Share
    """Agreement with training rows, 0 to 1."""
    reference: Share | None
    """Agreement of holdout rows with training rows; None without a holdout."""
    measure: StrictStr
    """``1 - KS`` for numbers and dates, ``1 - TVD`` for levels."""
    missing_real: Share | None
    """Share of missing training cells; None where it rests on 1 to 10 rows."""
    missing_synthetic: Share
    """Share of missing synthetic cells."""
    constant_synthetic: StrictBool
    """Whether the column varies in training rows and not in synthetic ones."""


class MarginalDetails(Details):
    """Details of the marginal distributions."""

    columns: list[ColumnAgreement]
    """The columns, furthest from real first."""

    def shared(self, published: Published) -> MarginalDetails:
        """Return the rounded agreements, in the order of these ones, with the missing shares of published counts."""
        size, coarser = rounding_step(published.train), rounding_step(published.holdout or published.train)
        return MarginalDetails(
            columns=[
                one.model_copy(
                    update={
                        "value": min(round_to(one.value, size), 1.0),
                        "reference": round_to_or_none(one.reference, coarser),
                        "missing_real": published.missing.get(one.column),
                    }
                )
                for one in self.columns
            ]
        )


def _furthest(score: Score) -> str:
    details = MARGINALS.read(score)
    if details is None or not details.columns:
        return ""
    low = details.columns[0]
    worst = tr("Furthest from real: {column}, at {value}.", column=column_name(low.column, 30), value=number(low.value))
    if score.reference is None:
        return worst
    return f"{worst} {tr('Holdout rows reach {reference} on average.', reference=number(score.reference))}"


def _worst_column(details: MarginalDetails) -> WorstPart | None:
    for column in details.columns:
        if column.constant_synthetic:
            reason = Reason(
                tr("Column '{column}' does not vary in synthetic rows.", column=column.column),
                tr("A column does not vary in synthetic rows."),
            )
            return WorstPart("FAIL", reason)
    lost = [(column.reference - column.value, column) for column in details.columns if column.reference is not None]
    gap, worst = max(lost, key=lambda one: one[0], default=(0.0, None))
    if worst is None or gap <= _FAR:
        return None
    reason = Reason(
        tr(
            "Column '{column}' agrees by {value}; holdout rows reach {reference}.",
            column=worst.column,
            value=f"{worst.value:.2f}",
            reference=f"{worst.reference:.2f}",
        ),
        tr("A column agrees less than holdout rows do."),
    )
    return WorstPart("FAIL" if gap > _TOO_FAR else "REVIEW", reason)


MARGINALS = Kind(
    name="fidelity.marginals",
    question="Does each column look like the real one?",
    better="higher",
    method=(
        "mean over columns of 1 - Kolmogorov-Smirnov distance of observed values (numbers, dates) or 1 - total "
        "variation distance with missing as a level (levels), against as many training rows, mean of 10 random halves"
        " of the real rows (Massey, JASA 46:68-78, 1951)"
    ),
    section="fidelity",
    label="Marginals",
    unit="mean agreement of columns",
    ideal=1.0,
    details=MarginalDetails,
    asked=questions.MARGINALS,
    limit=Limit(">=", 0.90, 0.80, convention("distributions then differ by a tenth of the rows at most")),
    fail_text="columns differ from the real ones",
    review_text="columns may differ from the real ones",
    action="Check these columns before use.",
    answer=_furthest,
    worst_part=_worst_column,
    shared=MarginalDetails.shared,
    counts="real",
    is_headline=True,
)


def marginals(c: Comparison) -> Score:
    """Score the similarity of each column's marginal distribution."""
    lines = c.features.is_numeric
    found = estimate_fidelity(c, lambda real: agreements(real, lines), "marginals")
    missing = [np.isnan(rows).mean(axis=0) for rows in (c.train, c.synthetic)]
    columns = [
        {
            "column": name,
            "value": found.parts[j],
            "reference": found.reference_parts[j],
            "measure": "1 - KS" if lines[j] else "1 - TVD",
            "missing_real": suppressed_share(missing[0][j], len(c.train)),
            "missing_synthetic": missing[1][j],
            "constant_synthetic": _varies(c.train[:, j]) and len(np.unique(observed(c.synthetic, j))) < 2,
        }
        for j, name in enumerate(c.features.names)
    ]
    return found.score(
        MARGINALS,
        baseline=False,
        notes=[no_baseline()],
        details={"columns": sorted(columns, key=lambda row: row["value"])},
    )


def _varies(cells: NDArray[np.float64]) -> bool:
    """Return whether 11 observed cells or more differ from the most frequent value."""
    counts = np.unique(cells[~np.isnan(cells)], return_counts=True)[1]
    return bool(len(counts)) and int(counts.sum() - counts.max()) >= MIN_PATIENTS


def agreements(real: NDArray[np.float64], is_numeric: NDArray[np.bool_]) -> Against:
    """Return the comparison of marginal distributions with `real`: 1 - KS or 1 - TVD of each column, 0 to 1.

    Arguments:
        real: (rows, columns).
        is_numeric: (columns,) 1 - KS of the observed values where true, else 1 - TVD with missing as a level.

    Returns:
        From (other rows, columns) to (columns,); 0 where one table has no observed number in a column, 1 where neither
        has one.
    """
    columns = [
        ks_similarity(observed(real, j)) if numeric else _tvd_similarity(real[:, j])
        for j, numeric in enumerate(is_numeric)
    ]
    return lambda other: np.array([agreement(other[:, j]) for j, agreement in enumerate(columns)]).clip(0, 1)


def ks_similarity(real: NDArray[np.float64]) -> Callable[[NDArray[np.float64]], float]:
    """Return the function 1 - KS of other cells; the two distributions are furthest apart at a real step."""
    steps, counts = np.unique(real, return_counts=True)
    upto = np.cumsum(counts) / max(len(real), 1)
    below = upto - counts / max(len(real), 1)

    def agreement(cells: NDArray[np.float64]) -> float:
        other = np.sort(cells[~np.isnan(cells)])
        if not len(real) or not len(other):
            return float(len(real) == len(other))
        before = np.abs(np.searchsorted(other, steps, "left") / len(other) - below)
        after = np.abs(np.searchsorted(other, steps, "right") / len(other) - upto)
        return 1 - float(max(before.max(), after.max()))

    return agreement


def _tvd_similarity(real: NDArray[np.float64]) -> Callable[[NDArray[np.float64]], float]:
    """Return the function 1 - TVD of other cells, missing as a level."""

    def shares(cells: NDArray[np.float64], size: int) -> NDArray[np.float64]:
        return np.bincount(np.nan_to_num(cells, nan=-1).astype(int) + 1, minlength=size) / len(cells)

    first = shares(real, 0)

    def agreement(cells: NDArray[np.float64]) -> float:
        second = shares(cells, len(first))
        return 1 - float(np.abs(np.pad(first, (0, len(second) - len(first))) - second).sum()) / 2

    return agreement

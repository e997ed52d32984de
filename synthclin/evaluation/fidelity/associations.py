"""Associations between columns: those that synthetic rows lost, and those that they invented."""

from __future__ import annotations

from math import copysign
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field, StrictStr, model_validator
from scipy.stats import norm

from synthclin.evaluation import questions
from synthclin.evaluation.answers import reference_reached
from synthclin.evaluation.comparison import subsample
from synthclin.evaluation.details import Correlation, Count, Details, Finite, Pair, Share
from synthclin.evaluation.disclosure import CORRELATION_STEP, Published, round_to, round_to_or_none
from synthclin.evaluation.features import Codebook
from synthclin.evaluation.fidelity.association_measures import associations, changes
from synthclin.evaluation.fidelity.estimate import AGAINST, estimate_fidelity
from synthclin.evaluation.kind import Kind, Limit, Reason, RelativeLimit, WorstPart, convention
from synthclin.evaluation.score import Z
from synthclin.language import tr
from synthclin.wording import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.fidelity.estimate import FidelityEstimate
    from synthclin.evaluation.fidelity.spread import Against
    from synthclin.evaluation.score import Score

__all__ = ["ASSOCIATIONS", "AssociationDetails", "Change", "association_changes", "change_of"]

_MOST_ROWS = 20_000
_DEPENDENT = 0.03  # mean absolute association of a column beyond its sampling error
_LOST = 0.75  # share of the dependence of a column on others
_PASS_LOST, _REVIEW_LOST = 0.25, 0.5  # share of the way from the reference to the baseline
_KEPT = 0.5  # share of the dependence of a declared outcome, at its lower confidence bound, that rows must have
_ERROR_RATE = 0.05  # of the tests of all associations of an outcome together
_LEAST_DEPENDENCE = 0.005  # a smaller distance from the reference to the baseline is no dependence to lose
_SOURCE = convention("a quarter (review: half) of the dependence that shuffling loses may be lost")


class Change(Details):
    """An association, -1 to 1, in real and in synthetic rows."""

    columns: Pair
    """The two columns."""
    real: Correlation
    """Its strength in training rows."""
    synthetic: Correlation
    """Its strength in synthetic rows."""
    change: Annotated[float, Field(ge=-2, le=2)]
    """The difference, in the direction of the real association: below 0 where it is weaker or reversed."""


def change_of(real: float | None, synthetic: float | None) -> float | None:
    """Return how much stronger an association is in synthetic rows, in the direction of the real one; None without it.

    Example:
        >>> round(change_of(-0.4, -0.1), 3), round(change_of(0.2, -0.1), 3)
        (-0.3, -0.3)
    """
    if real is None:
        return None
    now = synthetic or 0.0
    return (-now if real < 0 else now) - abs(real)


class LostDependence(Details):
    """The column that has lost most of its dependence on others."""

    column: StrictStr
    """Name of the column."""
    lost: Finite
    """Share of the way from its real-data reference to its independence baseline."""
    value: Finite
    """Its mean absolute change of associations."""
    reference: Finite
    """The same of holdout rows."""
    baseline: Finite
    """The same of shuffled rows."""


class LostOutcome(Details):
    """The declared outcome that has lost most of its dependence on other columns, and more than half of it."""

    column: StrictStr
    """Name of the outcome."""
    associations: Count
    """Number of columns on which it depends significantly in training rows."""
    real: Share
    """Mean strength of these associations in training rows."""
    synthetic: Correlation
    """The same in synthetic rows, in the direction of training rows."""


class AssociationDetails(Details):
    """Details of the associations."""

    columns: list[StrictStr]
    """The columns of the matrices."""
    real: list[list[Correlation | None]]
    """Matrix of associations of training rows; None where one is not defined."""
    synthetic: list[list[Correlation | None]]
    """Matrix of associations of synthetic rows, mean over replicates."""
    mean_change_synthetic: Finite | None
    """Mean absolute change."""
    mean_change_reference: Finite | None
    """Mean absolute change of holdout rows."""
    largest_change_synthetic: Finite | None
    """Largest absolute change of a pair in halves of the rows, whose associations vary more than those of all rows."""
    largest_change_reference: Finite | None
    """The same of holdout rows."""
    worst_column: LostDependence | None
    """The column that has lost most of its dependence; None where no column depends on others."""
    lost_outcome: LostOutcome | None
    """The declared outcome that has lost most of its dependence; None where each has kept half of it, or had none."""
    lost: list[Change]
    """The associations that are weaker in synthetic rows, the largest change first."""
    invented: list[Change]
    """The associations that are stronger in synthetic rows, the largest change first."""

    @model_validator(mode="after")
    def _square(self) -> AssociationDetails:
        sizes = {len(self.columns), len(self.real), len(self.synthetic)}
        if {*sizes, *map(len, self.real), *map(len, self.synthetic)} != {len(self.columns)}:
            raise ValueError("a matrix is not square, or its size is not the number of columns")
        return self

    def shared(self, _published: Published) -> AssociationDetails:
        """Return real associations rounded to tenths, and the changes from these."""

        def coarse(changes: list[Change]) -> list[Change]:
            found = []
            for one in changes:
                real = round_to(one.real, CORRELATION_STEP)
                # A weak association that becomes 0 keeps its direction.
                change = (change_of(real, one.synthetic) or 0.0) if real else copysign(one.synthetic, one.change)
                change = round(change, 6)
                if abs(one.change) >= CORRELATION_STEP:
                    found.append(Change(columns=one.columns, real=real, synthetic=one.synthetic, change=change))
            return found

        return AssociationDetails(
            columns=self.columns,
            real=[[round_to_or_none(x, CORRELATION_STEP) for x in row] for row in self.real],
            synthetic=self.synthetic,
            mean_change_synthetic=round_to_or_none(self.mean_change_synthetic, 0.01),
            mean_change_reference=round_to_or_none(self.mean_change_reference, 0.01),
            largest_change_synthetic=round_to_or_none(self.largest_change_synthetic, 0.01),
            largest_change_reference=round_to_or_none(self.largest_change_reference, 0.01),
            worst_column=None,
            lost_outcome=None,
            lost=coarse(self.lost),
            invented=coarse(self.invented),
        )


def _between_references(score: Score) -> str:
    if score.reference is None or score.baseline is None:
        return reference_reached(score)
    return tr(
        "Holdout rows reach {reference}, rows with shuffled columns {baseline}.",
        reference=number(score.reference),
        baseline=number(score.baseline),
    )


def _worst_part(details: AssociationDetails) -> WorstPart | None:
    """Return the verdict on a column without its dependence, or else on an outcome with less than half of it."""
    column, outcome = details.worst_column, details.lost_outcome
    if column is not None and column.lost > _LOST:
        reason = Reason(
            tr("Column '{column}' has lost its dependence on the others.", column=column.column),
            tr("A column has lost its dependence on the others."),
        )
        return WorstPart("FAIL", reason)
    if outcome is not None:
        reason = Reason(
            tr(
                "Outcome '{column}' has lost more than half of its dependence on the other columns.",
                column=outcome.column,
            ),
            tr("An outcome has lost more than half of its dependence on the other columns."),
        )
        return WorstPart("REVIEW", reason)
    return None


def _limit(score: Score) -> Limit | None:
    """Return the limits between holdout rows and the same rows with shuffled columns; None without dependence."""
    details = ASSOCIATIONS.read(score)
    if score.baseline is None or score.reference is None or details is None:
        return None
    whole = score.baseline - score.reference
    clear = whole > max(_LEAST_DEPENDENCE, Z * (score.reference_error or 0.0))
    if not clear and _worst_part(details) is None:
        return None
    whole = max(whole, _LEAST_DEPENDENCE)
    limit, review = (round(score.reference + part * whole, 4) for part in (_PASS_LOST, _REVIEW_LOST))
    return Limit("<=", limit, review, _SOURCE)


ASSOCIATIONS = Kind(
    name="fidelity.associations",
    question="Are associations between columns lost or invented?",
    better="lower",
    method=(
        "mean over pairs of columns of the absolute difference of their association (Spearman's correlation, "
        f"bias-corrected Cramer's V or the correlation ratio on ranks, by type), small ones included, {AGAINST} "
        "(Bergsma, J Korean Stat Soc 42:323-328, 2013); a declared outcome must keep half of its significant "
        "associations"
    ),
    section="fidelity",
    label="Associations",
    unit="mean absolute difference",
    ideal=0.0,
    details=AssociationDetails,
    asked=questions.ASSOCIATIONS,
    limit=RelativeLimit("relative to holdout rows and to shuffled rows", _SOURCE, _limit),
    fail_text="associations of columns are lost",
    review_text="associations of columns may be lost",
    action="Columns depend on each other less, or otherwise, than in real patients.",
    answer=_between_references,
    worst_part=_worst_part,
    shared=AssociationDetails.shared,
    counts="real",
    is_headline=True,
)


def association_changes(c: Comparison, outcomes: Sequence[str] = ()) -> Score:
    """Score the mean absolute change of associations; the details list those lost and invented.

    Arguments:
        c: the tables.
        outcomes: columns that tasks predict or analyse; one that has lost its dependence is named.
    """
    if len(c.features) < 2:
        return ASSOCIATIONS.unassessable(tr("There is only one column."))
    upper = np.triu_indices(len(c.features), 1)

    def measure(real: NDArray[np.float64]) -> Against:
        codebook = Codebook.of(c.features, real)
        of_real = associations(c.features, codebook, real)
        # An association that cannot be computed in the other table, as of a constant column, counts as 0.
        return lambda other: np.abs(np.nan_to_num(associations(c.features, codebook, other)) - of_real)[upper]

    found = estimate_fidelity(c, measure, "associations", high=2.0)
    # The matrices are of whole tables, to limit spurious associations of few rows.
    train = subsample(c.train, _MOST_ROWS, c.rng("associations", "train"))
    codebook = Codebook.of(c.features, train)
    real = associations(c.features, codebook, train)
    matrices = [
        np.nan_to_num(associations(c.features, codebook, subsample(rows, _MOST_ROWS, c.rng("associations", "draw", i))))
        for i, rows in enumerate(c.replicates)
    ]
    synthetic = np.mean(matrices, axis=0)
    known = ~np.isnan(found.parts)
    details: dict[str, Any] = {
        "columns": c.features.names,
        "real": real.round(4),
        "synthetic": synthetic.round(4),
        "mean_change_synthetic": found.value,
        "mean_change_reference": found.reference,
        "largest_change_synthetic": found.parts[known].max() if known.any() else None,
        "largest_change_reference": np.nan
        if np.isnan(found.reference_parts).all()
        else np.nanmax(found.reference_parts),
    }
    details["worst_column"] = _worst_column(c.features.names, found)
    patients = len(np.unique(c.train_patients))
    details["lost_outcome"] = _lost_outcome(c.features.names, real, synthetic, patients, outcomes)
    return found.score(ASSOCIATIONS, details=details | changes(c.features, real, synthetic))


def _worst_column(names: tuple[str, ...], found: FidelityEstimate) -> dict[str, Any] | None:
    """Return the column that has lost most of its dependence on others, of those that depend on others clearly.

    ``lost`` is the share of the way from its real-data reference to its independence baseline.
    """
    first, second = np.triu_indices(len(names), 1)
    rows: list[dict[str, Any]] = []
    for j, name in enumerate(names):
        of_column = (first == j) | (second == j)
        parts = [each[of_column] for each in (found.parts, found.reference_parts, found.baseline_parts)]
        known = ~np.isnan(parts).any(axis=0)
        if not known.any():
            continue
        value, reference, baseline = (float(each[known].mean()) for each in parts)
        if baseline - reference > _DEPENDENT:
            lost = (value - reference) / (baseline - reference)
            rows.append({"column": name, "lost": lost, "value": value, "reference": reference, "baseline": baseline})
    return max(rows, key=lambda row: row["lost"], default=None)


def _lost_outcome(
    names: tuple[str, ...],
    real: NDArray[np.float64],
    synthetic: NDArray[np.float64],
    patients: int,
    outcomes: Sequence[str],
) -> dict[str, Any] | None:
    """Return the outcome that has lost most of its dependence; None where each has kept enough of it.

    Only associations count that are significant in training rows (Bonferroni over the columns). Of these, synthetic
    rows must have half of what the training rows show at the lower end of the 95 % interval, because the strongest
    associations of few rows are strong in part by chance. The standard error is that of a correlation of independent
    columns, one over the root of the number of patients.
    """
    error = patients**-0.5
    least = error * norm.isf(_ERROR_RATE / 2 / max(len(names) - 1, 1))
    lost: dict[float, dict[str, Any]] = {}
    for j in (names.index(name) for name in dict.fromkeys(outcomes) if name in names):
        strength, kept = np.abs(real[j]), synthetic[j] * np.sign(real[j])
        counted = (np.arange(len(names)) != j) & (np.nan_to_num(strength) > least)
        if counted.any() and kept[counted].sum() < _KEPT * (strength[counted] - Z * error).sum():
            before, after = float(strength[counted].mean()), float(kept[counted].mean())
            details = {"associations": int(counted.sum()), "real": before, "synthetic": after}
            lost.setdefault(after / before, {"column": names[j]} | details)
    return lost[min(lost)] if lost else None

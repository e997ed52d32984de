"""The worst column or term of a score, which a mean over many would hide: the verdict that it alone deserves."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from synthclin.evaluation.score import Score

__all__ = ["WorstPart", "worst_part"]

_NORMAL = NormalDist()
_DIFFERS, _DIFFERS_CLEARLY = 0.05, 0.005  # error rates of the worst term of an analysis, for all terms together
_FAR, _TOO_FAR = 0.2, 0.3  # agreement of a column below that of holdout rows
_LOST = 0.75  # share of the dependence of a column on others


class WorstPart(NamedTuple):
    """The verdict on the worst part of a score, and its reason as a sentence."""

    status: Literal["REVIEW", "FAIL"]
    reason: str


def worst_part(score: Score) -> WorstPart | None:
    """Return the verdict on the worst part of a score; None where it deserves no worse one than the mean.

    Arguments:
        score: of an analysis, whose worst term counts, or of marginals or associations, whose worst column counts.
    """
    details = score.details
    if worst := details.get("worst_term"):
        return _term(worst)
    if score.name == "fidelity.marginals":
        return _column(details.get("columns", []))
    lost = details.get("worst_column") if score.name == "fidelity.associations" else None
    if lost and lost["lost"] > _LOST:
        return WorstPart("FAIL", f"Column '{lost['column']}' has lost its dependence on the others.")
    return None


def _term(worst: Mapping[str, Any]) -> WorstPart | None:
    """Return the verdict on the largest difference of estimates, limits corrected for the number of terms."""
    limit, clear = (_NORMAL.inv_cdf(1 - rate / (2 * worst["terms"])) for rate in (_DIFFERS, _DIFFERS_CLEARLY))
    if worst["difference"] <= limit:
        return None
    reason = f"The estimates of '{worst['term']}' are {worst['difference']:.1f} standard errors apart."
    return WorstPart("FAIL" if worst["difference"] > clear else "REVIEW", reason)


def _column(columns: list[Mapping[str, Any]]) -> WorstPart | None:
    for column in columns:
        if column.get("constant_synthetic"):
            return WorstPart("FAIL", f"Column '{column['column']}' does not vary in synthetic rows.")
    known = [column for column in columns if None not in (column["value"], column["reference"])]
    worst = max(known, key=lambda column: column["reference"] - column["value"], default=None)
    if worst is None or worst["reference"] - worst["value"] <= _FAR:
        return None
    reached = f"{worst['value']:.2f}; holdout rows reach {worst['reference']:.2f}"
    status: Literal["REVIEW", "FAIL"] = "FAIL" if worst["reference"] - worst["value"] > _TOO_FAR else "REVIEW"
    return WorstPart(status, f"Column '{worst['column']}' agrees by {reached}.")

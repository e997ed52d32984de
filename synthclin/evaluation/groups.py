"""Types of the details of scores that are computed within groups of patients."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StrictStr

from synthclin.evaluation.details import Count, Details, Finite
from synthclin.evaluation.disclosure import Published, round_to_or_none, rounding_step, shared_count

__all__ = ["GroupDetails", "GroupScore"]

Ends = Annotated[list[Finite | None], Field(min_length=3, max_length=3)]

_STEP = 0.01


class GroupScore(Details):
    """A score of one group; None for what the score does not have."""

    group: StrictStr
    """Name of the group."""
    value: Finite | None
    """The score."""
    low: Finite | None
    """Lower end of its 95 % interval."""
    high: Finite | None
    """Upper end of its 95 % interval."""
    baseline: Finite | None
    """Its independence baseline."""
    reference: Finite | None
    """Its real-data reference."""
    n: Count | None
    """Number of rows behind the score."""
    log_ratio: Finite | None
    """Log of the synthetic over the real share of the group."""
    brier: Ends | None
    """Difference of the Brier scores, with its interval."""
    sensitivity: Ends | None
    """Difference of the true positive rates, with its interval."""
    false_alarms: Ends | None
    """Difference of the false positive rates, with its interval."""

    @classmethod
    def of(cls, group: str, **figures: Any) -> GroupScore:  # noqa: ANN401 (figures have several types)
        """Return the score of a group with these figures, and None for all others."""
        return cls.model_validate(dict.fromkeys(cls.model_fields) | {"group": group} | figures)


class GroupDetails(Details):
    """Details of a score within groups."""

    score: StrictStr
    """Name of the score of the whole table; empty where there is none."""
    column: StrictStr
    """The column whose levels are the groups."""
    worst: StrictStr | None
    """The worst group, whose value is the score."""
    groups: list[GroupScore]
    """The groups that are large enough."""
    not_judged: Count | None
    """Number of groups that are too small."""

    def shared(self, _published: Published, *, is_fitted: bool = False, has_reference: bool = True) -> GroupDetails:
        """Return rounded scores of the groups, with their size to tens.

        Arguments:
            is_fitted: whether the score comes from predicted probabilities, which are not shares of patients.
            has_reference: whether the number of real rows behind the real-data reference is known.
        """
        groups = []
        for group in self.groups:
            if group.n is None:
                continue
            size = _STEP if is_fitted else rounding_step(group.n)
            ends = {key: round_to_or_none(group[key], size) for key in ("value", "low", "high", "reference")}
            if not has_reference:
                ends["reference"] = None
            groups.append(GroupScore.of(group.group, n=shared_count(group.n), **ends))
        return GroupDetails(score=self.score, column=self.column, worst=self.worst, groups=groups, not_judged=None)

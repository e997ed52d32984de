"""Types of the details of scores that are computed within groups of patients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, StrictStr

from synthclin.evaluation.details import Count, Details, Finite
from synthclin.evaluation.disclosure import (
    Published,
    round_down,
    round_unless_emptied,
    round_up,
    rounding_step,
    shared_count,
)

if TYPE_CHECKING:
    from synthclin.evaluation.score import Direction

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

    def shared(
        self, published: Published, *, better: Direction = "lower", is_fitted: bool = False, has_reference: bool = True
    ) -> GroupDetails:
        """Return the scores of the groups, rounded to the worse side, with their size to tens.

        Arguments:
            published: what the shareable edition tells beside.
            better: whether a higher or a lower score is better.
            is_fitted: whether the score comes from predicted probabilities, which are not shares of patients.
            has_reference: whether the number of real rows behind the real-data reference is known.
        """
        worse = round_down if better == "higher" else round_up
        groups = []
        for group in self.groups:
            if group.n is None or group.value is None:
                continue
            # The reference rests on the holdout rows of the group, about as large a part of the holdout.
            of_holdout = group.n * published.holdout / published.train if published.holdout else group.n
            size, coarser = (_STEP if is_fitted else rounding_step(max(1, int(n))) for n in (group.n, of_holdout))
            groups.append(
                GroupScore.of(
                    group.group,
                    value=worse(group.value, size),
                    low=None if group.low is None else round_down(group.low, size),
                    high=None if group.high is None else round_up(group.high, size),
                    reference=round_unless_emptied(group.reference, coarser) if has_reference else None,
                    n=shared_count(group.n),
                )
            )
        return GroupDetails(score=self.score, column=self.column, worst=self.worst, groups=groups, not_judged=None)

    @property
    def worst_group(self) -> GroupScore | None:
        """The score of the worst group; None where it is not among the groups."""
        return next((group for group in self.groups if group.group == self.worst), None)

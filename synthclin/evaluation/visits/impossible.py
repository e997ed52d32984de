"""Impossible patients: doubled visit times, static columns that differ, visits after the end of follow-up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from synthclin.evaluation import questions
from synthclin.evaluation.details import Count, Details
from synthclin.evaluation.disclosure import Published, suppressed_count
from synthclin.evaluation.kind import Kind, Limit, convention
from synthclin.evaluation.score import Interval, Score
from synthclin.evaluation.visits.pool import PatientPool
from synthclin.language import tr
from synthclin.schema.visit_times import comparable
from synthclin.wording import number

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison

__all__ = ["VISIT_RULES", "Fault", "VisitFault", "VisitRuleDetails", "fault_name", "visit_rules"]

_CLOSE = 1e-9  # differences of decimals are exact to this

Fault = Literal[
    "doubled times", "unknown times", "varying static columns", "after follow-up", "number of visits", "schedule"
]
"""What makes a patient impossible."""


class VisitFault(Details):
    """Patients with one fault."""

    fault: Fault
    """The fault."""
    synthetic: Count
    """Number of synthetic patients."""
    real: Count | None
    """Number of training patients; None for 1 to 10."""


class VisitRuleDetails(Details):
    """Details of the impossible patients."""

    faults: list[VisitFault]
    """The faults that are checked, the one of most synthetic patients first."""

    def shared(self, _published: Published) -> VisitRuleDetails:
        """Return the faults without numbers of training patients, but for 0."""
        return VisitRuleDetails(
            faults=[one.model_copy(update={"real": 0 if one.real == 0 else None}) for one in self.faults]
        )


def fault_name(fault: Fault) -> str:
    """Return a fault as text."""
    texts: dict[Fault, str] = {
        "doubled times": tr("two visits at one time"),
        "unknown times": tr("a visit without a time"),
        "varying static columns": tr("a static column that differs between visits"),
        "after follow-up": tr("a visit after the end of follow-up"),
        "number of visits": tr("fewer or more visits than declared"),
        "schedule": tr("a visit outside the declared schedule"),
    }
    return texts[fault]


def _answer(score: Score) -> str:
    broken = score.n - round(score.value * score.n)
    return tr(
        "Synthetic patients with impossible visits: {broken} of {patients}.",
        broken=number(broken, 0),
        patients=number(score.n, 0),
    )


VISIT_RULES = Kind(
    name="validity.visits",
    question="Are there impossible patients?",
    better="higher",
    method=(
        "share of synthetic patients without two visits at one time, a visit without a time, a static column that "
        "differs, a visit after the end of follow-up, or more, fewer or other visits than the schema declares; a "
        "census of the patients, so its interval is the number itself (project convention)"
    ),
    section="visits",
    label="Possible patients",
    unit="share of patients with possible visits",
    ideal=1.0,
    details=VisitRuleDetails,
    asked=questions.RULES,
    limit=Limit(">=", 0.99, 0.95, convention("at most 1 % of patients may be impossible")),
    needs=frozenset({"visits"}),
    fail_text="impossible patients remain",
    review_text="impossible patients may remain",
    action="Remove or repair patients with impossible visits before use.",
    scale="percent",
    answer=_answer,
    shared=VisitRuleDetails.shared,
    counts="public",
)


def visit_rules(c: Comparison) -> Score:
    """Score the share of synthetic patients whose visits are possible."""
    pool = PatientPool.of(c)
    found = _faults(pool)
    impossible = np.any(list(found.values()), axis=0)
    faults = [
        VisitFault(
            fault=fault,
            synthetic=int(mask[pool.synthetic].sum()),
            real=suppressed_count(int(mask[pool.train].sum())),
        )
        for fault, mask in found.items()
    ]

    def share(places: NDArray[np.intp]) -> float:
        return float(1 - impossible[places].mean())

    value = share(pool.synthetic)
    return VISIT_RULES.score(
        value,
        Interval(value, value),
        n=len(pool.synthetic),
        reference=None if pool.holdout is None else share(pool.holdout),
        details=VisitRuleDetails(faults=sorted(faults, key=lambda one: -one.synthetic)),
    )


def _faults(pool: PatientPool) -> dict[Fault, NDArray[np.bool_]]:
    """Return by fault that can occur the (patients,) mask of the patients who have it."""
    visits, schema, features = pool.visits, pool.c.schema, pool.c.features
    start = visits.starts

    def of_patients(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return visits.sums(mask.astype(np.float64)) > 0

    static = [j for j, name in enumerate(features.names) if schema.columns[name].static]
    cells = np.nan_to_num(visits.values[:, static], nan=-np.inf)
    found: dict[Fault, NDArray[np.bool_]] = {
        "doubled times": of_patients(visits.gaps == 0),
        "unknown times": of_patients(np.isnan(visits.time)),
        "varying static columns": of_patients((cells != cells[start][visits.patient]).any(axis=1)),
    }
    last = np.maximum.reduceat(np.nan_to_num(pool.clock, nan=-np.inf), start)
    # As the model does, only a follow-up that no real patient's visits exceed is one.
    ends = [visits.values[start, features.names.index(name)] for name in comparable(schema)]
    after = [last > end + _CLOSE for end in ends]
    after = [mask for mask in after if not mask[pool.train].any()]
    if after:
        found["after follow-up"] = np.any(after, axis=0)
    plan = schema.planned
    if plan.least > 1 or plan.highest is not None:
        found["number of visits"] = (visits.counts < plan.least) | (visits.counts > (plan.highest or np.inf))
    if plan.schedule:
        near = np.abs(pool.clock[:, None] - np.array(plan.schedule)).min(axis=1)
        found["schedule"] = of_patients(near > plan.window + _CLOSE)
    return found

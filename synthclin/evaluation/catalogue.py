"""The catalogue of scores: every kind there is, and the kind that a name belongs to."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from synthclin.evaluation.analyses.analysis_kinds import ANALYSES, analysis_kind, treatment_kind
from synthclin.evaluation.analyses.hazard_kinds import brier_kind, concordance_kind, constancy_kind, ratio_kind
from synthclin.evaluation.analyses.survival_kinds import SURVIVAL_KINDS
from synthclin.evaluation.details import Details
from synthclin.evaluation.fidelity.associations import ASSOCIATIONS
from synthclin.evaluation.fidelity.balance import BALANCE
from synthclin.evaluation.fidelity.detection import DETECTION, LOGISTIC
from synthclin.evaluation.fidelity.heaping import HEAPING
from synthclin.evaluation.fidelity.marginals import MARGINALS
from synthclin.evaluation.fidelity.missing_dependence import MISSING_DEPENDENCE
from synthclin.evaluation.fidelity.missingness import MISSINGNESS
from synthclin.evaluation.fidelity.pairs import PAIRS
from synthclin.evaluation.fidelity.precision_recall import PRECISION, RECALL
from synthclin.evaluation.fidelity.propensity import PMSE
from synthclin.evaluation.fidelity.rare_levels import RARE_LEVELS
from synthclin.evaluation.fidelity.sdmetrics import DIAGNOSTIC, QUALITY
from synthclin.evaluation.fidelity.tails import TAILS
from synthclin.evaluation.fidelity.triples import TRIPLES
from synthclin.evaluation.fidelity.unseen_pairs import UNSEEN_PAIRS
from synthclin.evaluation.fidelity.wasserstein import WASSERSTEIN
from synthclin.evaluation.kind import Kind, Limit, Need
from synthclin.evaluation.labels import are_labels_shown
from synthclin.evaluation.privacy.attribute_inference import ATTRIBUTE_INFERENCE
from synthclin.evaluation.privacy.canaries import SMALLEST_LEAK
from synthclin.evaluation.privacy.copies import COPIES
from synthclin.evaluation.privacy.epsilon import EPSILON_LOWER_BOUND, TABLE_EPSILON_LOWER_BOUND
from synthclin.evaluation.privacy.identity_disclosure import IDENTITY_DISCLOSURE
from synthclin.evaluation.privacy.linkability import LINKABILITY
from synthclin.evaluation.privacy.membership import MEMBERSHIP
from synthclin.evaluation.privacy.membership_tpr import MEMBERSHIP_TPR
from synthclin.evaluation.privacy.model_membership import MODEL_MEMBERSHIP
from synthclin.evaluation.privacy.near_copies import NEAR_COPIES
from synthclin.evaluation.privacy.relative_f1 import RELATIVE_F1
from synthclin.evaluation.privacy.shadows import SHADOW_MODEL, SHADOW_TABLE
from synthclin.evaluation.privacy.singling_out import SINGLING_OUT
from synthclin.evaluation.privacy.uniques import DISCLOSIVE_KEYS, REPLICATED_UNIQUES
from synthclin.evaluation.subgroups.group_kinds import group_kind, prevalence_kind, representation_kind
from synthclin.evaluation.utility.model_classification import classification_kind
from synthclin.evaluation.utility.prediction_kinds import (
    calibration_kind,
    group_prediction_kind,
    importance_kind,
    prediction_kind,
)
from synthclin.evaluation.validity import RAW_RULES, RULES
from synthclin.evaluation.visits.autocorrelation import AUTOCORRELATION
from synthclin.evaluation.visits.copied_parts import COPIED_GAPS, COPIED_VISITS
from synthclin.evaluation.visits.icc import ICC
from synthclin.evaluation.visits.impossible import VISIT_RULES
from synthclin.evaluation.visits.missing_runs import MISSING_RUNS
from synthclin.evaluation.visits.next_values import NEXT_VALUES
from synthclin.evaluation.visits.regularity import REGULARITY
from synthclin.evaluation.visits.schedule import SCHEDULE
from synthclin.evaluation.visits.transitions import TRANSITIONS
from synthclin.evaluation.visits.windows import WINDOWS
from synthclin.language import language

__all__ = ["FAMILIES", "KINDS", "Family", "find_kind", "headline_kinds", "kind_of", "names_of"]

KINDS: tuple[Kind[Any], ...] = (
    RULES,
    RAW_RULES,
    VISIT_RULES,
    MARGINALS,
    WASSERSTEIN,
    TAILS,
    HEAPING,
    RARE_LEVELS,
    PAIRS,
    TRIPLES,
    ASSOCIATIONS,
    UNSEEN_PAIRS,
    MISSINGNESS,
    MISSING_DEPENDENCE,
    PMSE,
    PRECISION,
    RECALL,
    DETECTION,
    LOGISTIC,
    BALANCE,
    SCHEDULE,
    REGULARITY,
    ICC,
    AUTOCORRELATION,
    TRANSITIONS,
    MISSING_RUNS,
    WINDOWS,
    NEXT_VALUES,
    COPIES,
    NEAR_COPIES,
    COPIED_GAPS,
    COPIED_VISITS,
    MEMBERSHIP,
    MEMBERSHIP_TPR,
    RELATIVE_F1,
    SINGLING_OUT,
    LINKABILITY,
    ATTRIBUTE_INFERENCE,
    IDENTITY_DISCLOSURE,
    REPLICATED_UNIQUES,
    DISCLOSIVE_KEYS,
    TABLE_EPSILON_LOWER_BOUND,
    SMALLEST_LEAK,
    MODEL_MEMBERSHIP,
    EPSILON_LOWER_BOUND,
    SHADOW_TABLE,
    SHADOW_MODEL,
    QUALITY,
    DIAGNOSTIC,
)
"""The kinds with one name each, in the order of the report."""


class Family(NamedTuple):
    """Kinds of score that a task or a column of groups has one of each.

    Arguments:
        prefix: the start of their names.
        kind: the kind, by the rest of its name; it raises KeyError where there is none.
        examples: the rest of a name of each kind that differs in its details or limits.
    """

    prefix: str
    kind: Callable[[str], Kind[Any]]
    examples: tuple[str, ...]

    @property
    def pattern(self) -> str:
        """A gate's name for all scores of the family."""
        return f"{self.prefix}*"

    @property
    def limit(self) -> Limit | None:
        """The default limits that all scores of the family have; None where there are none."""
        limit = self.kind(self.examples[0]).limit
        return limit if isinstance(limit, Limit) else None

    @property
    def details(self) -> tuple[type[Details], ...]:
        """The types of the details of its kinds."""
        return tuple(dict.fromkeys(self.kind(example).details for example in self.examples))


_HAZARDS: dict[str, Callable[[str], Kind[Any]]] = {
    "hazards": ratio_kind,
    "proportional": constancy_kind,
    "concordance": concordance_kind,
    "brier": brier_kind,
}


def _survival_kind(rest: str) -> Kind[Any]:
    measure, _, event = rest.partition(".")
    return (SURVIVAL_KINDS | _HAZARDS)[measure](event)


def _of_survival(measure: str) -> Callable[[str, str], Kind[Any]]:
    return lambda by, event: group_kind(by, SURVIVAL_KINDS[measure](event))


def _of_analysis(task: str) -> Callable[[str, str], Kind[Any]]:
    return lambda by, target: group_kind(by, analysis_kind(f"{task}.{target}"))


_GROUPED: dict[str, Callable[[str, str], Kind[Any]]] = {
    "prevalence": prevalence_kind,
    "utility": group_prediction_kind,
    **{measure: _of_survival(measure) for measure in SURVIVAL_KINDS},
    **{task: _of_analysis(task) for task in ANALYSES},
}
"""The kinds of score of a task within groups: by column and by target."""


def _group_kind(rest: str) -> Kind[Any]:
    """Return the kind of a score within groups: ``COLUMN.SCORE``, or ``COLUMN.MEASURE.TARGET``."""
    if rest.endswith(".representation"):
        return representation_kind(rest.removesuffix(".representation"))
    for headline in headline_kinds():
        tail = f".{headline.name.partition('.')[2]}"
        if rest.endswith(tail):
            return group_kind(rest.removesuffix(tail), headline)
    for measure, kind in _GROUPED.items():
        by, found, target = rest.partition(f".{measure}.")
        if found:
            return kind(by, target)
    raise KeyError(rest)


FAMILIES = (
    Family("utility.", prediction_kind, ("COLUMN",)),
    Family("calibration.", calibration_kind, ("COLUMN",)),
    Family("importance.", importance_kind, ("COLUMN",)),
    Family("classification.", classification_kind, ("COLUMN",)),
    Family("treatment.", treatment_kind, ("cox.COLUMN",)),
    Family("inference.", analysis_kind, ("cox.COLUMN",)),
    Family("survival.", _survival_kind, tuple(f"{measure}.COLUMN" for measure in (SURVIVAL_KINDS | _HAZARDS))),
    Family("subgroups.", _group_kind, ("COLUMN.representation",)),
)
"""The kinds whose names end in a column, or in a task."""

_BY_NAME = {kind.name: kind for kind in KINDS}


def find_kind(name: str) -> Kind[Any] | None:
    """Return the kind of the score called `name`; None where there is no such score.

    Its texts are in the language of the report, and have the labels of the columns while those are shown.

    Example:
        >>> find_kind("utility.died").label, find_kind("fidelity.beauty")
        ('Prediction of died', None)
    """
    if name in _BY_NAME:
        return _BY_NAME[name].in_language()
    made_anew = are_labels_shown() or language() != "en"
    kind = _of_family(name) if made_anew else _kept_of_family(name)
    return None if kind is None else kind.in_language()


def _of_family(name: str) -> Kind[Any] | None:
    family = next((family for family in FAMILIES if name.startswith(family.prefix)), None)
    try:
        return None if family is None else family.kind(name.removeprefix(family.prefix))
    except KeyError:
        return None


_kept_of_family = cache(_of_family)


def kind_of(name: str) -> Kind[Any]:
    """Return the kind of the score called `name`.

    Raises:
        KeyError: no score has this name.
    """
    kind = find_kind(name)
    if kind is None:
        raise KeyError(name)
    return kind


def headline_kinds() -> tuple[Kind[Any], ...]:
    """Return the kinds that are repeated in each subgroup."""
    return tuple(kind for kind in KINDS if kind.is_headline)


def names_of(*needs: Need) -> tuple[str, ...]:
    """Return the names of the scores that need all of `needs`, and nothing else but a holdout.

    Example:
        >>> names_of("trial")
        ('fidelity.balance',)
    """
    return tuple(kind.name for kind in KINDS if kind.needs - {"holdout"} == set(needs))

"""The questions of page one, in their order: each is answered by one score or by several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "ASSOCIATIONS",
    "ATTRIBUTES",
    "COPIES",
    "DETECTION",
    "EPSILON",
    "HEAPING",
    "LEAST_LEAK",
    "MARGINALS",
    "MEMBERSHIP",
    "MODEL_MEMBERSHIP",
    "PREDICTIONS",
    "QUESTIONS",
    "RAW_RULES",
    "RULES",
    "SINGLING_OUT",
    "STUDIES",
    "TREATMENT",
    "VISITS",
    "Group",
    "Question",
]


Group = Literal["privacy", "use", "power"]
"""The parts of page one."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question of page one.

    Arguments:
        text: the question.
        group: the part of page one that asks it.
        kind: plural noun for the scores that answer it together.
    """

    text: str
    group: Group
    kind: str = "measures"


MEMBERSHIP = Question("Can someone infer who was in the training data?", "privacy")
MODEL_MEMBERSHIP = Question("Does the model file tell who was in the training data?", "privacy")
ATTRIBUTES = Question("Can a sensitive attribute be inferred?", "privacy")
SINGLING_OUT = Question("Can a patient be singled out or linked?", "privacy")
COPIES = Question("Are synthetic rows copies of patients?", "privacy")
EPSILON = Question("How much does the model depend on a single patient?", "privacy")
TREATMENT = Question("Is the effect of the treatment that of real patients?", "use", "analyses")
STUDIES = Question("Does it give the same clinical answers?", "use", "analyses")
PREDICTIONS = Question("Do models trained on it predict real patients?", "use", "targets")
RULES = Question("Are there impossible records?", "use")
RAW_RULES = Question("Are rules met without constraints?", "use")
MARGINALS = Question("Does each column look like the real one?", "use")
ASSOCIATIONS = Question("Do columns depend on each other as in the real table?", "use")
HEAPING = Question("Are numbers and dates rounded as in the real table?", "use")
VISITS = Question("Do visits follow each other as in real patients?", "use")
DETECTION = Question("Can a classifier separate synthetic from real rows?", "use")
LEAST_LEAK = Question("How small a leak is detected?", "power")

QUESTIONS = (
    MEMBERSHIP,
    MODEL_MEMBERSHIP,
    EPSILON,
    ATTRIBUTES,
    SINGLING_OUT,
    COPIES,
    TREATMENT,
    STUDIES,
    PREDICTIONS,
    RULES,
    RAW_RULES,
    MARGINALS,
    ASSOCIATIONS,
    HEAPING,
    VISITS,
    DETECTION,
    LEAST_LEAK,
)

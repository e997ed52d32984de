"""A lower bound of epsilon from one run: pairs of a member and a non-member, and how often the member is recognised."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, Any

import numpy as np

from synthclin.dp.one_run_bound import epsilon_bound
from synthclin.evaluation import questions
from synthclin.evaluation.kind import Kind
from synthclin.evaluation.privacy.attack_data import AttackData, why_not
from synthclin.evaluation.privacy.details import EpsilonDetails
from synthclin.evaluation.privacy.model_membership import likelihood_scores
from synthclin.evaluation.privacy.neighbourhood import Neighbourhood
from synthclin.evaluation.privacy.shared_values import shared_surprisal
from synthclin.evaluation.score import Interval
from synthclin.language import tr
from synthclin.wording import number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.score import Score

__all__ = ["EPSILON_LOWER_BOUND", "TABLE_EPSILON_LOWER_BOUND", "epsilon_lower_bound", "table_epsilon"]

DELTA = 1e-5
_ERROR = 0.05
_GUESSED = (1.0, 0.5, 0.2, 0.05)  # share of the pairs in which the attacker does not abstain

_METHOD = (
    "as many members and non-members as there are of both are paired at random; in each pair an attacker guesses which "
    "one is the member, {}, or abstains where the scores are close; epsilon-differential privacy, delta 1e-5, with "
    "replacement of one patient allows a share of e^eps / (1 + e^eps) of right guesses (Steinke, Nasr and Jagielski, "
    "NeurIPS 2023, arXiv:2305.08846); largest epsilon that is rejected at 5 %, Bonferroni-corrected for the "
    "attacks and for guesses on 100, 50, 20 and 5 % of the pairs; holds where patients were split at random; a lower "
    "bound proves leakage, and a small one no absence of it"
)


def _proven_on_model(score: Score) -> str:
    details, bound = score.details, number(score.value, 2)
    if not isinstance(details, EpsilonDetails):
        return tr("Attacks on the model file prove an epsilon of at least {bound}.", bound=bound)
    return tr(
        "Attacks on the model file prove an epsilon of at least {bound}; with as many patients they could prove {most} "
        "at most.",
        bound=bound,
        most=number(details.most_certifiable, 1),
    )


def _proven_on_table(score: Score) -> str:
    details, bound = score.details, number(score.value, 2)
    if not isinstance(details, EpsilonDetails):
        return tr("Attacks on the table prove an epsilon of at least {bound}.", bound=bound)
    return tr(
        "Attacks on the table prove an epsilon of at least {bound}; with as many patients they could prove {most} at "
        "most.",
        bound=bound,
        most=number(details.most_certifiable, 1),
    )


EPSILON_LOWER_BOUND = Kind(
    name="privacy.epsilon_lower_bound",
    question="Which privacy loss of the model is proven by attacks?",
    better="lower",
    method=_METHOD.format(
        "by the likelihood of the model file (plain, relative to independent columns, and calibrated)"
    ),
    section="privacy",
    label="Epsilon proven on the model file",
    unit="lower bound of epsilon, 95 %",
    ideal=0.0,
    details=EpsilonDetails,
    asked=questions.EPSILON,
    needs=frozenset({"holdout", "model"}),
    fail_text="attacks prove a privacy loss of the model file",
    review_text="attacks may prove a privacy loss of the model file",
    action="Differential privacy with a smaller epsilon is excluded.",
    answer=_proven_on_model,
    shared=EpsilonDetails.shared,
    is_lower_bound=True,
)
TABLE_EPSILON_LOWER_BOUND = Kind(
    name="privacy.table_epsilon_lower_bound",
    question="Which privacy loss of the table is proven by attacks?",
    better="lower",
    method=_METHOD.format("by the nearest synthetic row, or by exact numbers shared with one"),
    section="privacy",
    label="Epsilon proven on the table",
    unit="lower bound of epsilon, 95 %",
    ideal=0.0,
    details=EpsilonDetails,
    asked=questions.EPSILON,
    needs=frozenset({"holdout"}),
    fail_text="attacks prove a privacy loss of the table",
    review_text="attacks may prove a privacy loss of the table",
    action="Differential privacy with a smaller epsilon is excluded.",
    answer=_proven_on_table,
    shared=EpsilonDetails.shared,
    is_lower_bound=True,
)


@dataclass(frozen=True, slots=True)
class _Guesses:
    """Guesses of one attack: on how many pairs, how many of them right, and the bound from them."""

    attack: str
    guesses: int
    correct: int
    bound: float


def epsilon_lower_bound(
    c: Comparison, members: NDArray[np.float64], others: NDArray[np.float64], *, by: Sequence[str] = ()
) -> Score:
    """Score the lower bound of epsilon by the likelihoods of a model.

    Arguments:
        c: the tables; the synthetic one is not used.
        members: (rows,) log-likelihood of each training row under the model, in nats.
        others: (rows,) the same for each holdout row.
        by: is not used.

    Returns:
        The score, whose value and both ends are the bound. Its details: ``estimate`` of epsilon without its error,
        ``most_certifiable`` with as many patients, ``pairs``, ``guesses``, ``correct``, ``strongest_attack``, ``delta``
        and the ``attacks``.
    """
    reason = why_not(c)
    if reason:
        return EPSILON_LOWER_BOUND.unassessable(reason, n=len(others))
    data = AttackData.of(c, by)
    train, control = data.attacked()
    return _score(EPSILON_LOWER_BOUND, data, len(train), likelihood_scores(data, train, control, members, others))


def table_epsilon(c: Comparison, *, by: Sequence[str] = (), data: AttackData | None = None) -> Score:
    """Score the lower bound of epsilon by attacks on the table, which know no non-member."""
    reason = why_not(c)
    if reason:
        return TABLE_EPSILON_LOWER_BOUND.unassessable(reason, n=0 if c.holdout is None else len(c.holdout))
    data = AttackData.of(c, by) if data is None else data
    sides = data.attacked()
    near, shared = [], []
    for side in sides:
        visits = side.visits
        near.append(visits.largest(-Neighbourhood.closest(data, c.synthetic, visits.rows)[0, :, 0]))
        shared.append(visits.largest(shared_surprisal(c.synthetic, visits.rows, data.features.is_numeric)))
    attack_scores = {"nearest row": np.concatenate(near), "shared exact values": np.concatenate(shared)}
    return _score(TABLE_EPSILON_LOWER_BOUND, data, len(sides[0]), attack_scores)


def _score(
    kind: Kind[EpsilonDetails], data: AttackData, members: int, attack_scores: Mapping[str, NDArray[np.float64]]
) -> Score:
    """Return the best bound; scores have members first."""
    rng = data.rng("epsilon")
    n = min(members, len(next(iter(attack_scores.values()))) - members)
    first, second = (rng.permutation(size)[:n] for size in (members, len(next(iter(attack_scores.values()))) - members))
    error = _ERROR / (len(attack_scores) * len(_GUESSED))
    found = [
        _guess(name, scores[:members][first] - scores[members:][second], max(1, round(share * n)), error, rng)
        for name, scores in attack_scores.items()
        for share in _GUESSED
    ]
    best = max(found, key=lambda guesses: (guesses.bound, guesses.correct / guesses.guesses))
    most = max(epsilon_bound(n, one.guesses, one.guesses, error=error, delta=DELTA) for one in found)
    share = min(max(best.correct / best.guesses, 0.5), 1 - 0.5 / best.guesses)
    details: dict[str, Any] = {
        "estimate": round(log(share / (1 - share)), 4),
        "most_certifiable": round(most, 4),
        "pairs": n,
        "guesses": best.guesses,
        "correct": best.correct,
        "strongest_attack": best.attack,
        "delta": DELTA,
        "null": 0.0,
        "attacks": [
            {"name": name, "value": round(max(one.bound for one in found if one.attack == name), 4)}
            for name in attack_scores
        ],
    }
    return kind.score(
        best.bound,
        Interval(best.bound, best.bound),
        n=n,
        notes=[
            tr("With {pairs} pairs no attack could prove more than {most}.", pairs=f"{n:,}", most=f"{most:.2f}"),
            tr("No privacy loss is proven.") if not best.bound else "",
            tr("A bound has neither independence baseline nor real-data reference."),
        ],
        details=details,
    )


def _guess(attack: str, lead: NDArray[np.float64], guesses: int, error: float, rng: np.random.Generator) -> _Guesses:
    """Return the guesses on the pairs whose scores are furthest apart.

    Arguments:
        attack: its name.
        lead: (pairs,) the score of the member less that of the non-member; only its size chooses the pairs.
        guesses: number of pairs with a guess.
        error: probability that the bound exceeds epsilon.
        rng: guesses between equal scores.
    """
    # A guess between equal scores is right half of the time.
    right = np.where(lead == 0, rng.random(len(lead)) < 0.5, lead > 0)
    chosen = np.argsort(-np.abs(lead), kind="stable")[:guesses]
    correct = int(right[chosen].sum())
    return _Guesses(attack, guesses, correct, epsilon_bound(len(lead), guesses, correct, error=error, delta=DELTA))

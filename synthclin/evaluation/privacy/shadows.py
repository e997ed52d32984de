"""Shadow model attack: membership inference with models that the attacker trained with and without each target.

The attacker knows the algorithm and patients of the same population, and trains shadow models on random halves of them.
The targets are outliers by nearest-neighbour distance, because an average over all patients hides their risk. Shadow
models: Stadler et al., USENIX Security 2022, arXiv:2011.07018, and TAPAS, arXiv:2211.06550; outliers: Meeus et al.,
Achilles' Heels, arXiv:2306.10308; standardising each signal by the shadow models of the same target: LiRA, Carlini et
al., IEEE S&P 2022, arXiv:2112.03570.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict

from synthclin.evaluation import questions
from synthclin.evaluation.features import Codebook
from synthclin.evaluation.kind import Kind, Limit, convention
from synthclin.evaluation.privacy.attack_data import TOP_DECILE, AttackData, PatientSample, few, why_not
from synthclin.evaluation.privacy.details import MembershipDetails, success_rates
from synthclin.evaluation.privacy.neighbourhood import Neighbourhood
from synthclin.evaluation.privacy.risk import AttackOutcome, AttackTrials, area, decisive, ranks
from synthclin.evaluation.roc import auc, roc_points, true_positive_rate
from synthclin.language import tr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.score import Score

__all__ = ["Targets", "shadow_scores", "unattacked"]

_ENOUGH = 30
_MOST = 200
_QUERIES = 60
_FEWEST_MODELS = 4

_METHOD = (
    "AUC of an attacker who trained shadow models on random halves of training and holdout patients and {}; targets "
    "are outliers by nearest-neighbour distance (Achilles' Heels: Meeus et al., arXiv:2306.10308); each signal is "
    "standardised by the shadow models and weighted by logistic regression over them, whose members are known (after "
    "LiRA: Carlini et al., arXiv:2112.03570), or only the nearest row is used, because no shadow model copies rows; "
    "the better is chosen on half of the patients and judged on the others; members against non-members; 0.5 is "
    "chance; Newcombe interval"
)
SHADOW_TABLE = Kind(
    name="privacy.shadow_table",
    question="Can someone who trains shadow models tell from the table that a rare patient was in the training data?",
    better="lower",
    method=_METHOD.format("uses the synthetic rows (distances in several sets of columns, counts of matching rows)"),
    section="privacy",
    label="Shadow models, by table",
    unit="AUC, 0.5 is chance",
    ideal=0.0,
    details=MembershipDetails,
    asked=questions.MEMBERSHIP,
    limit=Limit(
        "<=", 0.65, 0.80, convention("outliers are attacked, who are easier than the average; 0.5 is chance"), null=0.5
    ),
    needs=frozenset({"holdout", "shadow models"}),
    fail_text="membership of patients can be inferred",
    review_text="membership of patients may be inferred",
    action="Membership of rare patients can be inferred.",
    answer=partial(success_rates, "Shadow models, by table"),
    shared=MembershipDetails.shared,
)
SHADOW_MODEL = Kind(
    name="privacy.shadow_model",
    question=(
        "Can someone who trains shadow models tell from the model file that a rare patient was in the training data?"
    ),
    better="lower",
    method=_METHOD.format("has the model file: the likelihood of the row, in addition to the signals of the table"),
    section="privacy",
    label="Shadow models, by model",
    unit="AUC, 0.5 is chance",
    ideal=0.0,
    details=MembershipDetails,
    asked=questions.MODEL_MEMBERSHIP,
    needs=frozenset({"holdout", "shadow models"}),
    fail_text="the model file reveals members",
    review_text="the model file may reveal members",
    action="Membership of rare patients can be inferred.",
    answer=partial(success_rates, "Shadow models, by model"),
    shared=MembershipDetails.shared,
)


@dataclass(frozen=True, slots=True)
class Targets:
    """The targets of the attack, outliers among members and non-members, and the signals of a table around them.

    Arguments:
        data: the input of all attacks.
        train: the members.
        control: the non-members.
        decile: the lowest outlier decile of the targets.
    """

    data: AttackData
    train: PatientSample
    control: PatientSample
    decile: int

    @classmethod
    def of(cls, c: Comparison) -> Targets | str:
        """Return at most 200 members and 200 non-members of the fewest top deciles with 30 of each, or the reason."""
        reason = why_not(c)
        if reason:
            return reason
        data = AttackData.of(c)
        sides = data.train, data.control
        enough = [t for t in range(TOP_DECILE + 1) if min((side.decile >= t).sum() for side in sides) >= _ENOUGH]
        decile = max(enough, default=0)
        train, control = (
            few(side.where(side.decile >= decile), _MOST, data.rng("targets", i)) for i, side in enumerate(sides)
        )
        return cls(data, train, control, decile)

    def __len__(self) -> int:
        return len(self.train) + len(self.control)

    def signals(self, synthetic: NDArray[np.float64]) -> NDArray[np.float64]:
        """(targets, signals) nearness of synthetic rows to each target, members first; larger is nearer."""
        rows = np.vstack([self.train.rows, self.control.rows])
        near = Neighbourhood.closest(self.data, synthetic, rows)
        return np.column_stack([*-near[:, :, 0], *-near.mean(axis=2), *self._matches(synthetic, rows)])

    def _matches(self, synthetic: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """(sizes, targets) mean logarithm of how many rows agree with a target in random sets of 2, 3 or 4 columns."""
        features = self.data.features
        book = Codebook.of(features, self.data.population.rows)
        synthetic_codes, target_codes = (book.codes(features, part) for part in (synthetic, rows))
        rng = self.data.rng("queries")
        sizes = [size for size in (2, 3, 4) if size <= len(features)] or [1]
        signals = np.zeros((len(sizes), len(rows)))
        for place, size in enumerate(sizes):
            for _ in range(_QUERIES // len(sizes)):
                columns = rng.permutation(len(features))[:size]
                equal = np.ones((len(rows), len(synthetic)), dtype=bool)
                for j in columns:
                    equal &= target_codes[:, j, None] == synthetic_codes[None, :, j]
                signals[place] += np.log1p(equal.sum(axis=1))
        return signals


def shadow_scores(
    targets: Targets,
    released: NDArray[np.float64],
    shadows: NDArray[np.float64],
    in_training: NDArray[np.bool_],
) -> tuple[Score, Score]:
    """Score the shadow model attack, with the table only and with the model file.

    Arguments:
        targets: the patients.
        released: (targets, signals) of the released table and model; the last signal is the likelihood under the model.
        shadows: (models, targets, signals) the same of each shadow model.
        in_training: (models, targets) whether the target is a member of the shadow model.

    Returns:
        ``privacy.shadow_table`` and ``privacy.shadow_model``.
    """
    if len(shadows) < _FEWEST_MODELS:
        return unattacked(tr("Fewer than {models} shadow models are not enough.", models=_FEWEST_MODELS))
    table = slice(0, released.shape[1] - 1)
    return (
        _judged(SHADOW_TABLE, targets, released[:, table], shadows[:, :, table], in_training),
        _judged(SHADOW_MODEL, targets, released, shadows, in_training),
    )


def unattacked(why: str) -> tuple[Score, Score]:
    """Return both scores without a value."""
    return SHADOW_TABLE.unassessable(why), SHADOW_MODEL.unassessable(why)


def _judged(
    kind: Kind[MembershipDetails],
    targets: Targets,
    released: NDArray[np.float64],
    shadows: NDArray[np.float64],
    in_training: NDArray[np.bool_],
) -> Score:
    expected = shadows.mean(axis=0)
    # Pooled over targets, because a few shadow models do not estimate the variance of each target.
    spread = (shadows - expected).std(axis=(0, 1))
    spread[spread == 0] = 1.0
    models, n, signals = shadows.shape
    known = ((shadows - expected) / spread).reshape(models * n, signals)
    member = in_training.reshape(-1)
    shadow = np.repeat(np.arange(models), n)
    regression = LogisticRegression(C=0.1, max_iter=1_000)
    beyond = (released - expected) / spread
    attack_scores = {
        "logistic regression on shadow models": regression.fit(known, member).decision_function(beyond),
        # Shadow models do not copy rows, so the logistic regression cannot fit that signal.
        "nearest row, shadow-calibrated": beyond[:, 0],
    }
    # Cross-validated AUC on members of the left-out shadow models: the power of the attack.
    folds = GroupKFold(min(models, 8))
    elsewhere = cross_val_predict(regression, known, member, groups=shadow, cv=folds, method="decision_function")
    worst = decisive([_outcome(name, scores, targets) for name, scores in attack_scores.items()], area)
    value, interval = area(worst.train, worst.control)
    scores = np.concatenate([worst.train.hit, worst.control.hit])
    truth = np.arange(n) < len(targets.train)
    return kind.score(
        value,
        interval,
        n=len(targets.control),
        notes=[_target_note(targets), tr("{models} shadow models.", models=models)],
        details=MembershipDetails.of(
            {
                "strongest_attack": worst.name,
                "naive_baseline": 0.5,
                "null": 0.5,
                "models": models,
                "shadow_auc": round(float(auc(elsewhere, member)[0]), 4),
                "tpr_at_1_percent": true_positive_rate(scores, truth, 0.01),
                "tpr_at_10_percent": true_positive_rate(scores, truth, 0.10),
                "roc": roc_points(scores, truth),
                "n_members": len(targets.train),
                "n_non_members": len(targets.control),
            }
        ),
    )


def _outcome(name: str, scores: NDArray[np.float64], targets: Targets) -> AttackOutcome:
    scores, members = ranks(scores), len(targets.train)
    return AttackOutcome(
        name, AttackTrials(targets.train, scores[:members]), AttackTrials(targets.control, scores[members:]), 0.5
    )


def _target_note(targets: Targets) -> str:
    if targets.decile == 0:
        return tr("Targets are all patients, at most {most} members and as many non-members.", most=_MOST)
    return tr(
        "Targets are the rarest {share} % of patients, at most {most} members and as many non-members.",
        share=10 * (TOP_DECILE + 1 - targets.decile),
        most=_MOST,
    )

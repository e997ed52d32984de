"""Shadow models: what those trained with a patient and those trained without show of the patient tells who was in.

The attacker knows the algorithm and people like the patients, trains models on random halves of them, and learns from
these how a model betrays whom it learnt from. Aimed at the patients who stand most alone, because an average over all
hides them. Shadow pool: Stadler et al., USENIX Security 2022, arXiv:2011.07018, and TAPAS, arXiv:2211.06550; the most
vulnerable: Meeus et al., Achilles' Heels, arXiv:2306.10308; each signal against what models show of the same patient:
LiRA, Carlini et al., IEEE S&P 2022, arXiv:2112.03570.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict

from synthclin.evaluation.features import Codebook
from synthclin.evaluation.privacy.attack_data import TOP_DECILE, AttackData, PatientSample, few, why_not
from synthclin.evaluation.privacy.neighbourhood import Neighbourhood
from synthclin.evaluation.privacy.risk import AttackOutcome, AttackTrials, area, decisive, ranks
from synthclin.evaluation.roc import auc, roc_points, true_positive_rate
from synthclin.evaluation.score import Definition

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
    "AUC of an attacker who trained shadow models on random halves of training and held-out patients and {} around the "
    "patients who stand most alone (Achilles' Heels: Meeus et al., arXiv:2306.10308); each signal is compared with "
    "what the shadows show of the same patient and weighed by logistic regression over the shadows, whose members are "
    "known (after LiRA: Carlini et al., arXiv:2112.03570), or the nearest row is taken alone, because no shadow copies "
    "rows; the better is chosen on half of the patients and judged on the others; training patients "
    "against unused ones; 0.5 is a coin toss; "
    "Newcombe interval"
)
TABLE = Definition(
    "privacy.shadow_table",
    "Can someone who trains models of their own tell from the table that a rare patient was in the training data?",
    "lower",
    _METHOD.format("looks at the synthetic rows (distances in several sets of columns, counts of matching rows)"),
)
MODEL = Definition(
    "privacy.shadow_model",
    "Can someone who trains models of their own tell from the model file that a rare patient was in the training data?",
    "lower",
    _METHOD.format("holds the model file: the likelihood of the row, beside what the table's attacker sees"),
)


@dataclass(frozen=True, slots=True)
class Targets:
    """The patients of both sides who stand most alone, and how an attacker looks at a table around them.

    Arguments:
        data: where they come from.
        train: those who were in training.
        control: those who were not.
        decile: the most common of the tenths that they are from.
    """

    data: AttackData
    train: PatientSample
    control: PatientSample
    decile: int

    @classmethod
    def of(cls, c: Comparison) -> Targets | str:
        """Return at most 200 a side, from as few of the rarest tenths as hold 30 a side, or why there are none."""
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
        """(targets, signals) what a table shows around each target, those of training first; large is near."""
        rows = np.vstack([self.train.rows, self.control.rows])
        synthetic = self.data.published(synthetic)
        near = Neighbourhood.closest(self.data, synthetic, rows)
        return np.column_stack([*-near[:, :, 0], *-near.mean(axis=2), *self._matches(synthetic, rows)])

    def _matches(self, synthetic: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """(sizes, targets) mean logarithm of how many rows agree with a target in random sets of 2, 3 or 4 columns."""
        features = self.data.features
        book = Codebook.of(features, self.data.population.rows)
        drawn, wanted = (book.codes(features, part) for part in (synthetic, rows))
        rng = self.data.rng("queries")
        sizes = [size for size in (2, 3, 4) if size <= len(features)] or [1]
        told = np.zeros((len(sizes), len(rows)))
        for place, size in enumerate(sizes):
            for _ in range(_QUERIES // len(sizes)):
                columns = rng.permutation(len(features))[:size]
                met = np.ones((len(rows), len(synthetic)), dtype=bool)
                for j in columns:
                    met &= wanted[:, j, None] == drawn[None, :, j]
                told[place] += np.log1p(met.sum(axis=1))
        return told


def shadow_scores(
    targets: Targets,
    released: NDArray[np.float64],
    shadows: NDArray[np.float64],
    held: NDArray[np.bool_],
) -> tuple[Score, Score]:
    """Score what shadow models tell of the targets, from the table alone and from the model file.

    Arguments:
        targets: the patients.
        released: (targets, signals) around each target, of the table and model that are judged; the last signal is the
            likelihood under the model.
        shadows: (models, targets, signals) the same of each shadow model.
        held: (models, targets) whose row each shadow model learnt.

    Returns:
        ``privacy.shadow_table`` and ``privacy.shadow_model``.
    """
    if len(shadows) < _FEWEST_MODELS:
        return unattacked(f"Fewer than {_FEWEST_MODELS} shadow models tell nothing.")
    table = slice(0, released.shape[1] - 1)
    return (
        _judged(TABLE, targets, released[:, table], shadows[:, :, table], held),
        _judged(MODEL, targets, released, shadows, held),
    )


def unattacked(why: str) -> tuple[Score, Score]:
    """Return both scores without a value."""
    return TABLE.unassessable(why), MODEL.unassessable(why)


def _judged(
    definition: Definition,
    targets: Targets,
    released: NDArray[np.float64],
    shadows: NDArray[np.float64],
    held: NDArray[np.bool_],
) -> Score:
    expected = shadows.mean(axis=0)
    # Not each target's own spread: a few shadows would show it badly.
    spread = (shadows - expected).std(axis=(0, 1))
    spread[spread == 0] = 1.0
    models, n, signals = shadows.shape
    known = ((shadows - expected) / spread).reshape(models * n, signals)
    member = held.reshape(-1)
    pool = np.repeat(np.arange(models), n)
    weigher = LogisticRegression(C=0.1, max_iter=1_000)
    beyond = (released - expected) / spread
    says = {
        "weighed by shadows": weigher.fit(known, member).decision_function(beyond),
        # What shadows never do they teach nobody to weigh: that a row is copied.
        "nearest row beyond shadows": beyond[:, 0],
    }
    # How well it tells members of shadow models that it did not learn from: its power.
    folds = GroupKFold(min(models, 8))
    elsewhere = cross_val_predict(weigher, known, member, groups=pool, cv=folds, method="decision_function")
    worst = decisive([_outcome(name, said, targets) for name, said in says.items()], area)
    value, interval = area(worst.train, worst.control)
    scores = np.concatenate([worst.train.hit, worst.control.hit])
    truth = np.arange(n) < len(targets.train)
    return definition.score(
        value,
        interval,
        n=len(targets.control),
        notes=[_whom(targets), f"{models} shadow models."],
        details={
            "attack": worst.name,
            "naive": 0.5,
            "null": 0.5,
            "models": models,
            "among_shadows": round(float(auc(elsewhere, member)[0]), 4),
            "tpr_at_1_percent": true_positive_rate(scores, truth, 0.01),
            "tpr_at_10_percent": true_positive_rate(scores, truth, 0.10),
            "roc": roc_points(scores, truth),
            "members": len(targets.train),
            "controls": len(targets.control),
        },
    )


def _outcome(name: str, says: NDArray[np.float64], targets: Targets) -> AttackOutcome:
    says, members = ranks(says), len(targets.train)
    return AttackOutcome(
        name, AttackTrials(targets.train, says[:members]), AttackTrials(targets.control, says[members:]), 0.5
    )


def _whom(targets: Targets) -> str:
    deciles = TOP_DECILE + 1 - targets.decile
    part = "all patients" if targets.decile == 0 else f"the rarest {10 * deciles} % of patients"
    return f"Attacked are {part}, at most {_MOST} a side."

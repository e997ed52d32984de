"""Selection of a model family by cross-validation: calibrated out-of-fold likelihood and out-of-fold utility."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.metrics import r2_score, roc_auc_score
from torch import Tensor

from synthclin.encoding import Layout
from synthclin.models.calibrated_rows import likelihood_by_strength
from synthclin.models.distributed import one_thread
from synthclin.models.generator.calibration import best_strengths
from synthclin.models.generator.cross_validation import fold_numbers
from synthclin.models.sequential_synthesizer import SequentialSynthesizer
from synthclin.sampling.sequential import sample_codes
from synthclin.seeds import stream_seed, torch_generator

__all__ = ["Choice", "Trial", "best_of", "folds_of", "trial_of"]

FOLDS = 3

ONE_FOLD_FROM = 20_000
"""Rows from which one fold is scored: its rows are many enough."""

STRENGTHS = torch.tensor([0.0, 0.25, 0.5, 0.75, 0.9, 1.0])
"""Strengths of the conditional distribution of a column, of which out-of-fold rows choose one."""

CONFIRMED = 2.0
"""Standard errors by which shrinkage must raise a column's out-of-fold likelihood to be kept."""

LEAST_GAIN = 0.02
"""Score by which another family must exceed the default to be taken, beside the standard error of the gain."""

LEAST_SIGNAL = 0.03
"""AUC above .5, or R2, of real rows below which a target says nothing of utility."""

SYNTHETIC_ROWS = 4
"""Sampled rows per training row for the utility: it is then that of the model and not of one small sample."""

MOST_ROWS = 4_000
"""Rows that a forest is trained on, at most."""

LOGITS_AT_ONCE = 2_048


@dataclass(frozen=True, slots=True)
class Trial:
    """Out-of-fold figures of one family.

    Arguments:
        family: its name.
        nll: calibrated negative log-likelihood of each fold's rows, in nats per row.
        utility: by target, of each fold, AUC (or R2 of a number) of a forest trained on sampled rows, on the fold.
        real: by target, of each fold, that of a forest trained on the real training rows.
        strengths: of each column, by which its conditional distribution is shrunk towards the marginal one.
    """

    family: str
    nll: list[float]
    utility: dict[str, list[float]]
    real: dict[str, list[float]]
    strengths: list[float]

    def to_dict(self) -> dict[str, Any]:
        """Return the trial as plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen among the candidates.

    Arguments:
        best: the family with the highest score.
        default: the family that is taken unless another is better beyond noise.
        gain: of the best family over the default.
        noise: what the gain must exceed.
        scores: by family the share of dependence and utility that it reaches, 0 to 1, mean over folds.
    """

    best: str
    default: str
    gain: float
    noise: float
    scores: dict[str, float]

    @property
    def chosen(self) -> str:
        """The best family if its gain exceeds the noise, else the default."""
        return self.best if self.gain > self.noise else self.default


def folds_of(patient: NDArray[np.int64], seed: int) -> list[NDArray[np.bool_]]:
    """Return (rows,) masks of the rows that each fold scores; all rows of a patient are in one."""
    count = FOLDS if len(patient) < ONE_FOLD_FROM else 5
    fold = fold_numbers(patient, count, stream_seed(seed, "selection"))
    masks = [fold == k for k in range(int(fold.max()) + 1)]
    return masks if count == FOLDS else masks[:1]


def trial_of(
    name: str,
    fitted: Callable[[NDArray[np.bool_]], SequentialSynthesizer],
    codes: Tensor,
    shares: Sequence[Tensor],
    layout: Layout,
    folds: Sequence[NDArray[np.bool_]],
    targets: Sequence[str],
    seed: int,
) -> Trial:
    """Return the out-of-fold figures of one family.

    Arguments:
        name: of the family.
        fitted: returns a model fitted to the rows of a mask.
        codes: (rows, columns).
        shares: (codes,) marginal distribution of each column.
        layout: the columns.
        folds: masks of the rows that each fold scores.
        targets: names of columns to predict.
        seed: of sampled rows and forests.
    """
    nll: list[float] = []
    cells: list[Tensor] = []
    utility: dict[str, list[float]] = {name: [] for name in targets}
    real: dict[str, list[float]] = {name: [] for name in targets}
    for number, outside in enumerate(folds):
        model = fitted(~outside)
        rows, inside = codes[torch.from_numpy(outside)], codes[torch.from_numpy(~outside)]
        with torch.no_grad(), one_thread():
            generator = torch_generator(seed, "selection", number, device=model._device())  # noqa: SLF001
            state = model._row_state(generator)  # noqa: SLF001
            if model.is_calibrated:
                # What a family shrinks itself is not shrunk again, by models of fewer rows.
                nll.append(-float(model._log_likelihood(rows).double().mean()))  # noqa: SLF001
            else:
                parts = rows.to(generator.device).split(LOGITS_AT_ONCE)
                found = [likelihood_by_strength(state, layout.order, part, shares, STRENGTHS) for part in parts]
                cells.append(torch.cat(found, dim=1))
            wanted = min(SYNTHETIC_ROWS * len(inside), MOST_ROWS)
            sampled = sample_codes(state, layout.order, wanted, generator).codes.cpu() if targets else inside
        for target in targets:
            for figures, source in ((utility, sampled), (real, inside[:MOST_ROWS])):
                figures[target].append(_utility(source.numpy(), rows.numpy(), target, layout, number))
    strengths = torch.ones(len(layout))
    if cells:
        chosen = _confirmed_strengths(torch.cat(cells, dim=1), STRENGTHS)
        nll = [-float(_at(each, chosen).sum()) / each.shape[1] for each in cells]
        strengths = STRENGTHS[chosen]
    return Trial(name, [round(value, 5) for value in nll], utility, real, strengths.tolist())


def best_of(trials: Mapping[str, Trial], default: str, baseline: str) -> Choice:
    """Return the family with the highest score; the default where none exceeds it beyond noise.

    The score of a family is the mean of two shares: of the gain in log-likelihood of the best family over the baseline,
    and of the AUC beyond chance (or the R2) that forests trained on real rows reach. Without targets it is the first.

    Arguments:
        trials: by family.
        default: the family that is taken unless another is better by more than a standard error over folds.
        baseline: the family of independent columns.
    """
    nll = {name: np.array(trial.nll) for name, trial in trials.items()}
    lowest = min(float(values.mean()) for values in nll.values())
    gain = float(nll[baseline].mean()) - lowest
    scores = {}
    for name, trial in trials.items():
        parts = [(nll[baseline] - nll[name]) / gain if gain > 0 else np.ones(len(nll[name]))]
        useful = [share for target in trial.utility if (share := _share(trial, target)) is not None]
        if useful:
            parts.append(np.mean(useful, axis=0))
        scores[name] = np.mean(parts, axis=0)
    means = {name: round(float(score.mean()), 4) for name, score in scores.items()}
    best = max(means, key=lambda name: means[name])
    more = scores[best] - scores[default]
    error = float(more.std(ddof=1) / math.sqrt(len(more))) if len(more) > 1 else 0.0
    return Choice(best, default, round(float(more.mean()), 4), round(max(error, LEAST_GAIN), 4), means)


def _share(trial: Trial, target: str) -> NDArray[np.float64] | None:
    """Return the share of real utility of each fold, 0 to 1; None where the target cannot be predicted."""
    found, real = np.array(trial.utility[target]), np.array(trial.real[target])
    if not np.isfinite(real).all() or float(real.mean()) < LEAST_SIGNAL:
        return None
    share: NDArray[np.float64] = np.clip(np.nan_to_num(found) / float(real.mean()), 0.0, 1.0)
    return share


def _utility(train: NDArray[np.int64], test: NDArray[np.int64], target: str, layout: Layout, seed: int) -> float:
    """Return the AUC above .5 (mean of each code against the others), or the R2, of a forest; NaN where undefined."""
    place = layout.names.index(target)
    column = layout.columns[place]
    # What is predicted is a level, not that it is missing.
    kept = [rows[rows[:, place] != column.missing] if column.missing is not None else rows for rows in (train, test)]
    (x, y), (unseen, truth) = ((np.delete(rows, place, axis=1), rows[:, place]) for rows in kept)
    forest = {"n_estimators": 100, "min_samples_leaf": 5, "random_state": seed, "n_jobs": 1}
    if len(truth) < 2 or len(y) < 2:
        return math.nan
    if column.kind == "ordered" and column.cardinality > 10:
        predicted = RandomForestRegressor(**forest, max_features=1 / 3).fit(x, y).predict(unseen)
        return round(float(r2_score(truth, predicted)), 5)
    model = RandomForestClassifier(**forest).fit(x, y)
    chance = dict(zip(model.classes_.tolist(), model.predict_proba(unseen).T, strict=True))
    areas = [
        float(roc_auc_score(truth == code, chance.get(code, np.zeros(len(truth))))) - 0.5
        for code in np.unique(truth).tolist()
        if 0 < (truth == code).sum() < len(truth)
    ]
    return round(float(np.mean(areas)), 5) if areas else math.nan


def _confirmed_strengths(likelihood: Tensor, strengths: Tensor) -> Tensor:
    """Return the index of each column's strength, (columns,): the last, unless another is better beyond noise."""
    best = best_strengths(likelihood.sum(1), strengths)
    gain = _at(likelihood, best) - likelihood[-1]
    error = gain.std(dim=0, correction=0) / math.sqrt(max(len(gain), 1))
    return torch.where(gain.mean(0) > CONFIRMED * error, best, len(strengths) - 1)


def _at(likelihood: Tensor, chosen: Tensor) -> Tensor:
    """Return the (rows, columns) log-likelihood at the chosen strength of each column."""
    return likelihood.gather(0, chosen[None, None].expand(1, likelihood.shape[1], -1))[0]

"""Linear mean of a number given a patient's history: ridge regression, its penalty cross-validated by patients.

A network learns too little persistence from a few hundred transitions; a linear mean has most of it (Hoerl & Kennard
1970, doi:10.1080/00401706.1970.10488634). The network then learns the distribution of the residual.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from synthclin.seeds import numpy_generator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from torch import Tensor

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

__all__ = ["FOLDS", "LinearMean"]

PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0, 10_000.0, 30_000.0)
"""Penalties of the standardised coefficients, in rows."""

FREE = 0.01
"""Multiple of the penalty for features that are hardly penalised, such as the last value."""

FOLDS = 5


@dataclass(frozen=True, slots=True)
class LinearMean:
    """Linear mean: `constant + features @ weights`.

    Arguments:
        weights: (features,) float32.
        constant: float32, as a (1,) array.
    """

    weights: NDArray[np.float32]
    constant: NDArray[np.float32]

    @classmethod
    def fit(cls, features: Floats, target: Floats, patient: Ints, free: NDArray[np.bool_], seed: int) -> Self:
        """Return the ridge regression of the (rows,) target whose penalty predicts other patients best.

        Arguments:
            features: (rows, features).
            target: (rows,).
            patient: (rows,) number of each row's patient: all rows of a patient are in one fold.
            free: (features,) which are hardly penalised.
            seed: of the folds.

        Example:
            >>> x = np.random.default_rng(1).normal(size=(60, 2))
            >>> mean = LinearMean.fit(x, 1 + 2 * x[:, 0], np.arange(60), np.array([True, False]), seed=1)
            >>> mean.weights.round(1).tolist()
            [2.0, 0.0]
        """
        return cls.judged(features, target, patient, free, seed)[0]

    @classmethod
    def judged(
        cls, features: Floats, target: Floats, patient: Ints, free: NDArray[np.bool_], seed: int
    ) -> tuple[Self, float]:
        """Return the mean of `fit`, and the share of variance that it explains out of fold; below 0 for none."""
        average, spread = features.mean(0), features.std(0)
        used = spread > 1e-9
        scaled = np.where(used, (features - average) / np.where(used, spread, 1.0), 0.0)
        names, number = np.unique(patient, return_inverse=True)
        fold = numpy_generator(seed, "folds of the mean").permutation(len(names))[number] % min(FOLDS, len(names))
        factor = np.where(free, FREE, 1.0)
        folds = int(fold.max()) + 1 if len(names) > 1 else 0
        by_fold, whole = np.zeros((folds, len(PENALTIES))), 0.0
        for k in range(folds):
            inside, outside = fold != k, fold == k
            whole += float(np.square(target[outside] - target[inside].mean()).sum())
            for i, weights in enumerate(_path(scaled[inside], target[inside], factor)):
                by_fold[k, i] = np.square(target[outside] - target[inside].mean() - scaled[outside] @ weights).sum()
        errors, best = by_fold.sum(0), _largest(by_fold)
        weights = _path(scaled, target, factor)[best]
        plain = np.where(used, weights / np.where(used, spread, 1.0), 0.0)
        constant = target.mean() - scaled.mean(0) @ weights - average @ plain
        explained = 1 - float(errors[best]) / whole if whole > 0 else 0.0
        return cls(plain.astype(np.float32), np.array([constant], dtype=np.float32)), explained

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], prefix: str, features: int) -> Self:
        """Return the mean from its tensors; raises LookupError or ValueError where they have another shape."""
        weights, constant = tensors[f"{prefix}.weights"], tensors[f"{prefix}.constant"]
        if weights.shape != (features,) or constant.shape != (1,):
            raise ValueError("coefficients of other features")
        return cls(weights.numpy(), constant.numpy())

    def predict(self, features: Floats) -> Floats:
        """Return the (rows,) means."""
        # Row by row in a fixed order: the mean of a row may not depend on the other rows.
        return np.asarray(np.einsum("rf,f->r", features, self.weights.astype(np.float64)) + float(self.constant[0]))


def _largest(by_fold: Floats) -> int:
    """Return the index of the largest penalty whose (folds, penalties) error is within a standard error of the least.

    Coefficients tell less of the patients behind them, and the prediction is as good (Breiman et al. 1984).
    """
    if not len(by_fold):
        return int(by_fold.shape[1]) - 1
    least = int(by_fold.sum(0).argmin())
    apart = by_fold - by_fold[:, [least]]
    error = apart.std(0, ddof=1) * np.sqrt(len(by_fold)) if len(by_fold) > 1 else np.zeros(by_fold.shape[1])
    return int(np.flatnonzero(apart.sum(0) <= error)[-1])


def _path(scaled: Floats, target: Floats, factor: Floats) -> list[Floats]:
    """Return the coefficients at every penalty; the penalty of feature j is multiplied by `factor[j]`."""
    average = scaled.mean(0)
    apart = scaled - average
    gram, moment = apart.T @ apart, apart.T @ (target - target.mean())
    return [np.linalg.solve(gram + np.diag(penalty * factor + 1e-6), moment) for penalty in PENALTIES]

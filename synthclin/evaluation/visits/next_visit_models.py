"""Penalised linear regressions of a patient's next visit on the visits before, and their test on holdout patients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from synthclin.evaluation.roc import auc
from synthclin.evaluation.utility.prediction_metrics import r2
from synthclin.evaluation.visits.terms import FEW_VISITS, VisitTerms, mean_by

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.visits.pool import PatientPool

__all__ = ["NextVisitTest", "history"]

_RIDGE = 0.02  # of the number of visits, on predictors of unit variance
_FARTHEST = 5.0  # standard deviations of a predictor
_WORST = -1.0
_MIN_CLASS = 5
_MANY = 0.5  # share of known visits


@dataclass(frozen=True, slots=True)
class NextVisitTest:
    """The test of predictions of a visit from those before, on the visits of holdout patients.

    Arguments:
        pool: the patients.
        terms: the columns as numbers.
        predictors: (visits, predictors) without NaN.
        columns: the tested columns, and whether R2 measures them; else 2 AUC - 1 does.
        targets: (targets,) the tested terms.
        column: (targets,) the place of the column of each in `columns`.
        rows: by target, the places of the test visits with a known value.
        weights: by target, (samples, visits) how often each visit is in each bootstrap sample of the patients.
    """

    pool: PatientPool
    terms: VisitTerms
    predictors: NDArray[np.float64]
    columns: dict[str, bool]
    targets: NDArray[np.intp]
    column: NDArray[np.intp]
    rows: tuple[NDArray[np.intp], ...]
    weights: tuple[NDArray[np.int64], ...]

    @property
    def left_out(self) -> list[str]:
        """The columns of visits that cannot be tested: few known values, or values that do not differ."""
        names = [self.pool.c.features.columns[j].name for j in self.pool.columns]
        return [name for name in names if name not in self.columns]

    @classmethod
    def of(cls, pool: PatientPool, patients: NDArray[np.intp], weights: NDArray[np.int64]) -> NextVisitTest:
        """Prepare the test on some holdout patients.

        Arguments:
            pool: the patients.
            patients: (patients,) places of those to test on.
            weights: (samples, patients) how often each is in each bootstrap sample; the first sample is all of them.
        """
        terms = VisitTerms.of(pool)
        visits = pool.visits.visits_of(patients)
        owner = np.repeat(np.arange(len(patients)), pool.visits.counts[patients])
        later = pool.visits.number[visits] > 0
        kinds = {feature.name: feature.kind for feature in pool.c.features.columns}
        in_training = pool.is_training(known=pool.visits.number > 0)
        targets, rows, by_target = [], [], []
        for k, column in enumerate(terms.column):
            y = terms.x[:, k]
            known = later & ~np.isnan(y[visits])
            tested = y[visits[known]]
            ordered = kinds[terms.names[column]] != "levels"
            if min(len(tested), (~np.isnan(y[in_training])).sum()) < FEW_VISITS:
                continue
            if np.ptp(tested) == 0 or (not ordered and min(tested.sum(), (1 - tested).sum()) < _MIN_CLASS):
                continue
            targets.append(k)
            rows.append(visits[known])
            by_target.append(weights[:, owner[known]])
        chosen = np.array(targets, dtype=np.intp)
        met = list(dict.fromkeys(terms.column[chosen].tolist()))
        return cls(
            pool,
            terms,
            _predictors(pool, terms) if targets else np.empty((0, 0)),
            {terms.names[column]: kinds[terms.names[column]] != "levels" for column in met},
            chosen,
            np.array([met.index(column) for column in terms.column[chosen]], dtype=np.intp),
            tuple(rows),
            tuple(by_target),
        )

    def performance(self, patients: NDArray[np.intp], samples: int | None = None) -> NDArray[np.float64]:
        """(columns, samples) R2 or 2 AUC - 1 of regressions that are fitted to the visits of some patients.

        A column that these patients never vary in is predicted by a constant. Figures below -1 count as -1.
        NaN where the values of a column do not differ in a bootstrap sample.

        Arguments:
            patients: places of the patients to train on.
            samples: how many of the bootstrap samples are tested, the first ones; None for all.
        """
        visits = self.pool.visits.visits_of(patients)
        visits = visits[self.pool.visits.number[visits] > 0]
        x = self.predictors[visits]
        whole = x.T @ x
        figures: list[NDArray[np.float64]] = []
        for k, rows, every in zip(self.targets, self.rows, self.weights, strict=True):
            weights = every[:samples]
            y = self.terms.x[visits, k]
            known = ~np.isnan(y)
            # The products of few unknown visits are subtracted, which is faster than those of the known ones.
            products = whole - x[~known].T @ x[~known] if known.sum() > _MANY * len(known) else x[known].T @ x[known]
            slopes = _solved(products, x[known], y[known])
            predicted, true = self.predictors[rows] @ slopes, self.terms.x[rows, k]
            if list(self.columns.values())[self.column[len(figures)]]:
                figure = r2(predicted, true, weights)
            else:
                figure = 2 * auc(predicted.round(12), true == 1, weights) - 1
            figures.append(np.maximum(figure, _WORST))
        found = np.empty((len(self.columns), len(figures[0])))
        for sample, of_sample in enumerate(np.array(figures).T):
            found[:, sample] = mean_by(self.column, len(self.columns), of_sample)
        return found


def _solved(products: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the slopes of a penalised regression; the last predictor, the constant, has no penalty."""
    penalty = np.full(x.shape[1], _RIDGE * max(len(x), 1))
    penalty[-1] = 1e-9
    return np.asarray(np.linalg.solve(products + np.diag(penalty), x.T @ y), dtype=np.float64)


def history(x: NDArray[np.float64], first: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the last and the mean known value before each visit; NaN where there is none.

    Arguments:
        x: (visits, terms), the visits of a patient together and in order; NaN where missing.
        first: (visits,) the place of the first visit of the patient of each visit.

    Example:
        >>> last, mean = history(np.array([[1.0], [np.nan], [3.0], [7.0]]), np.array([0, 0, 0, 3]))
        >>> last[:, 0].tolist(), mean[:, 0].tolist()
        ([nan, 1.0, 1.0, nan], [nan, 1.0, 1.0, nan])
    """
    rows = np.arange(len(x))
    seen = np.maximum.accumulate(np.where(np.isnan(x), -1, rows[:, None]), axis=0)
    at = np.vstack([np.full((1, x.shape[1]), -1), seen[:-1]])
    last = np.where(at >= first[:, None], np.take_along_axis(x, np.maximum(at, 0), axis=0), np.nan)
    none = np.zeros((1, x.shape[1]))
    total, many = (np.vstack([none, np.cumsum(part, axis=0)]) for part in (np.nan_to_num(x), ~np.isnan(x)))
    count = many[rows] - many[first]
    mean = np.divide(total[rows] - total[first], count, out=np.full(x.shape, np.nan), where=count > 0)
    return last, mean


def _predictors(pool: PatientPool, terms: VisitTerms) -> NDArray[np.float64]:
    """(visits, predictors): history, static columns, time and gap, standardised by training visits, and a constant."""
    visits, features = pool.visits, pool.c.features
    first = visits.starts[visits.patient]
    static = [visits.values[:, j] for j, name in enumerate(features.names) if pool.c.schema.columns[name].static]
    gap = np.nan_to_num(visits.gaps)
    timing = [visits.number, pool.clock - gap, np.log1p(np.maximum(gap, 0.0)), visits.time[first]]
    found = np.column_stack([*history(terms.x, first), *static, *timing])
    missing = np.isnan(found)
    here = pool.is_training(known=visits.number > 0)
    many = np.maximum((~missing[here]).sum(axis=0), 1)
    middle = np.nansum(found[here], axis=0) / many
    spread = np.sqrt(np.nansum((found[here] - middle) ** 2, axis=0) / many)
    varies = spread > 1e-9
    whole = (np.where(missing, middle, found) - middle)[:, varies] / spread[varies]
    share = missing[here].mean(axis=0)
    holes = missing[:, (share > 0) & (share < 1)]
    return np.column_stack([whole.clip(-_FARTHEST, _FARTHEST), holes, np.ones(len(found))])

"""Baseline balance of a randomised trial: standardised mean differences between the arms."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from pydantic import StrictStr

from synthclin.evaluation.details import Details, Finite
from synthclin.evaluation.features import Codebook
from synthclin.evaluation.intervals import recentred, resamples
from synthclin.evaluation.kind import Kind
from synthclin.language import tr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.score import Score

__all__ = ["BALANCE", "BalanceDetails", "balance"]

_BOOTSTRAP = 200
_MOST_LISTED = 10


class TermBalance(Details):
    """Balance of one number, or of one level."""

    term: StrictStr
    """Name of the column, and of the level."""
    synthetic: Finite | None
    """Mean absolute standardised difference between arms of synthetic rows."""
    real: Finite | None
    """The same of training rows."""


class BalanceDetails(Details):
    """Details of the baseline balance."""

    terms: list[TermBalance]
    """The terms, the least balanced in synthetic rows first."""


BALANCE = Kind(
    name="fidelity.balance",
    question="Are the arms of the trial as alike at baseline as randomisation makes them?",
    better="lower",
    method=(
        "mean absolute standardised difference between arms over the numbers and levels known before randomisation "
        "(Austin, Stat Med 28:3083-3107, 2009), mean over pairs of arms and synthetic replicates; the real-data "
        "reference is that of the training rows; interval from 200 bootstrap samples of the rows of each replicate"
    ),
    section="fidelity",
    label="Balance of the arms",
    unit="mean absolute standardised difference",
    ideal=0.0,
    details=BalanceDetails,
    needs=frozenset({"trial"}),
)


def balance(c: Comparison) -> Score:
    """Score the mean absolute standardised difference of baseline columns between arms."""
    arm, before = c.schema.randomised, c.schema.before_randomisation
    if arm is None or not before:
        return BALANCE.unassessable(tr("No column is known before the randomisation. Give it the role baseline."))
    place = c.features.names.index(arm)
    terms, names = _terms(c, before)
    spread = np.nanstd(_matrix(c.train, terms), axis=0)
    terms = [term for term, sd in zip(terms, spread, strict=True) if sd > 0]
    names = [name for name, sd in zip(names, spread, strict=True) if sd > 0]

    def differences(rows: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (samples, terms) mean absolute differences over pairs of arms, in standard deviations."""
        matrix = _matrix(rows, terms) / spread[spread > 0]
        known, filled = (~np.isnan(matrix)).astype(np.float64), np.nan_to_num(matrix)
        means = []
        for level in np.unique(rows[~np.isnan(rows[:, place]), place]):
            here = rows[:, place] == level
            counts = weights[:, here] @ known[here]
            means.append(np.divide(weights[:, here] @ filled[here], counts, where=counts > 0, out=counts * np.nan))
        if len(means) < 2:
            return np.full((len(weights), len(terms)), np.nan)
        return _mean_known(np.array([np.abs(a - b) for a, b in combinations(means, 2)]), axis=0)

    def bootstrap(rows: NDArray[np.float64], table: int) -> NDArray[np.float64]:
        """Return (samples,) scores of bootstrap samples of one replicate; empty for fewer than 11 rows."""
        samples = resamples(len(rows), _BOOTSTRAP, c.rng("balance", "bootstrap", table)).astype(np.float64)
        return _mean_known(differences(rows, samples), axis=1) if len(samples) else np.empty(0)

    if not terms:
        return BALANCE.unassessable(tr("No column known before the randomisation varies."))
    each = np.array([differences(rows, np.ones((1, len(rows))))[0] for rows in c.replicates])
    if np.isnan(each).all():
        return BALANCE.unassessable(
            tr("The synthetic rows lack an arm, or every column known before the randomisation.")
        )
    parts = _mean_known(each, axis=0)
    real = differences(c.train, np.ones((1, len(c.train))))[0]
    value = float(_mean_known(parts, axis=0))
    samples = [bootstrap(rows, table) for table, rows in enumerate(c.replicates)]
    replicates = np.mean(samples, axis=0) if all(map(len, samples)) else np.empty(0)
    worst = np.argsort(-np.nan_to_num(parts), kind="stable")[:_MOST_LISTED]
    return BALANCE.score(
        value,
        recentred(value, replicates, high=max(1.0, value)),
        n=len(c.synthetic),
        reference=float(_mean_known(real, axis=0)),
        notes=[tr("Shuffling columns balances the arms, so there is no independence baseline.")],
        details={"terms": [{"term": names[k], "synthetic": parts[k], "real": real[k]} for k in worst]},
        replicates=_mean_known(each, axis=1).tolist(),
    )


def _mean_known(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Return means over an axis, NaN left out; NaN where no value is known."""
    known = ~np.isnan(values)
    counts, sums = known.sum(axis=axis), np.where(known, values, 0.0).sum(axis=axis)
    means: NDArray[np.float64] = np.divide(sums, counts, out=np.full(np.shape(sums), np.nan), where=counts > 0)
    return means


def _terms(c: Comparison, before: tuple[str, ...]) -> tuple[list[tuple[int, float | None]], list[str]]:
    """Return column and level (None for a number or a date) of each term, and its name."""
    codebook, terms, names = Codebook.of(c.features, c.train), [], []
    for j, feature in enumerate(c.features.columns):
        if feature.name not in before:
            continue
        for level in codebook.kept[j] if feature.kind == "levels" else [None]:
            terms.append((j, level))
            names.append(feature.name if level is None else f"{feature.name}: {feature.levels[int(level)]}")
    return terms, names


def _matrix(rows: NDArray[np.float64], terms: list[tuple[int, float | None]]) -> NDArray[np.float64]:
    """(rows, terms) values, NaN where missing."""
    cells = [np.where(np.isnan(rows[:, j]), np.nan, rows[:, j] if at is None else rows[:, j] == at) for j, at in terms]
    return np.column_stack(cells) if cells else np.empty((len(rows), 0))

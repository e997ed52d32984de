"""The design matrix of a regression, fixed by the training rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from synthclin.schema.patients import MIN_PATIENTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.features import Feature

__all__ = ["Design", "design_of", "groups_of", "is_treatment", "place_of"]


@dataclass(frozen=True, slots=True)
class Design:
    """Design matrix: numbers per real standard deviation, levels as contrasts with the most frequent one."""

    terms: tuple[str, ...]
    lines: tuple[tuple[int, float, float], ...]
    levels: tuple[tuple[int, float], ...]

    @property
    def places(self) -> tuple[int, ...]:
        """The place of the column of each term."""
        return (*(j for j, _, _ in self.lines), *(j for j, _ in self.levels))

    def matrix(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """(rows, terms), NaN where a covariate is missing."""
        numbers = [(rows[:, j] - mean) / sd for j, mean, sd in self.lines]
        levels = [np.where(np.isnan(rows[:, j]), np.nan, rows[:, j] == level) for j, level in self.levels]
        return np.column_stack([*numbers, *levels])


def place_of(c: Comparison, name: str) -> int:
    """Return the place of a column."""
    return c.features.names.index(name)


def groups_of(feature: Feature, train: NDArray[np.float64]) -> list[float]:
    """Return the levels with at least 11 training rows, the most frequent first, then in their order."""
    counts = np.bincount(train[~np.isnan(train)].astype(int), minlength=len(feature.levels))
    frequent = np.flatnonzero(counts >= MIN_PATIENTS)
    if not len(frequent):
        return []
    first = frequent[np.argmax(counts[frequent])]
    return [float(first), *(float(level) for level in frequent if level != first)]


def design_of(c: Comparison, names: tuple[str, ...]) -> Design:
    """Return the design matrix of some columns, fixed by the training rows."""
    terms: list[str] = []
    lines, levels = [], []
    for name in names:
        j = place_of(c, name)
        feature, seen = c.features.columns[j], c.train[:, j]
        if feature.kind == "line":
            sd = float(np.nanstd(seen)) if (~np.isnan(seen)).any() else 0.0
            if sd > 0:
                lines.append((j, float(np.nanmean(seen)), sd))
                terms.append(f"{name} (per SD)")
    for name in names:
        j = place_of(c, name)
        feature = c.features.columns[j]
        if feature.kind != "line":
            base, *others = groups_of(feature, c.train[:, j]) or [0.0]
            for level in others:
                levels.append((j, level))
                terms.append(f"{name}: {feature.levels[int(level)]} against {feature.levels[int(base)]}")
    return Design(tuple(terms), tuple(lines), tuple(levels))


def is_treatment(c: Comparison, name: str | None) -> bool:
    """Return whether a column has the role treatment."""
    return name is not None and c.schema.columns[name].role == "treatment"

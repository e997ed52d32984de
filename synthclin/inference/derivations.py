"""Inference of derived columns: sums, differences, ratios, indices, times between dates."""

from __future__ import annotations

from itertools import combinations, permutations
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from synthclin.expressions import parse, quote_name
from synthclin.schema.patients import MIN_PATIENTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Formula", "as_numbers", "formulas"]

PROBED = 300  # rows of the first test of a formula
LEAST_ROWS = 30
MOST_PAIRS = 1_300
LEAST_VALUES = 10
NEARLY = 0.98  # a formula that holds in fewer of the rows is chance
PREVIEWED = 40  # rows of these that decide whether a formula is tested at all
LEAST_PREVIEWED = 8
FACTORS = (1, 10, 100, 1_000, 10_000, 1_000_000, 7, 12, 24, 60, 365, 365.25, 30.4375, 2.54, 0.45359237, 703)


class Formula(NamedTuple):
    """A formula by which a column may be derived from others.

    Arguments:
        column: its name.
        text: the formula, as `derive` takes it.
        sources: names of the columns in it.
        rows: the number of rows with all of them.
        satisfied: the number of these in which it holds to the last decimal.
        complete: whether the column is missing exactly where one of the sources is.
    """

    column: str
    text: str
    sources: tuple[str, ...]
    rows: int
    satisfied: int
    complete: bool

    @property
    def certain(self) -> bool:
        """Whether no row of the table contradicts it."""
        return self.satisfied == self.rows and self.complete


class _Step(NamedTuple):
    """A formula of two columns, up to a factor."""

    text: str
    values: Floats
    scaled: bool


def formulas(
    table: pd.DataFrame, numbers: Sequence[str], dates: Sequence[str], steps: Mapping[str, float]
) -> list[Formula]:
    """Return the numeric columns that two others determine, at most one formula for each.

    Arguments:
        table: typed.
        numbers: names of its columns of numbers.
        dates: names of its columns of dates and datetimes.
        steps: by name the last decimal that a number is written with, 0 where it is not rounded.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> table = pd.DataFrame({"weight": rng.normal(80, 9, 200).round(1), "height": rng.normal(170, 8, 200).round()})
        >>> table["bmi"] = (table["weight"] / (table["height"] / 100) ** 2).round(1)
        >>> [found] = formulas(table, list(table), [], {"weight": 0.1, "height": 1, "bmi": 0.1})
        >>> found.column, found.text, found.certain
        ('bmi', 'weight / height ** 2 * 10000', True)
    """
    probe = table.iloc[np.linspace(0, len(table) - 1, min(len(table), PROBED)).astype(int)]
    columns = {name: as_numbers(probe[name]) for name in (*numbers, *dates)}
    targets = {name: columns[name] for name in numbers if _varies(columns[name])}
    found: dict[frozenset[str], Formula] = {}
    for sources in (*_pairs(dates), *_pairs(numbers)):
        parts = {name: columns[name] for name in sources}
        others = {name: cells for name, cells in targets.items() if name not in sources}
        for step in _steps(sources, parts, dates=sources[0] in dates):
            for name, text in _candidates(step, others, steps):
                group = frozenset((name, *sources))
                if group in found or any(name == formula.column for formula in found.values()):
                    continue
                formula = _whole(name, text, sources, table, steps[name])
                if formula is not None:
                    found[group] = formula
    return list(found.values())


def as_numbers(series: pd.Series[Any]) -> Floats:
    """Return numbers, or days since 1970, as (rows,) float64 with NaN where a cell is missing."""
    if series.dtype.kind == "M":
        return np.asarray((series - pd.Timestamp(0)) / pd.Timedelta(days=1), dtype=np.float64)
    return np.asarray(series.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)


def _pairs(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield pairs of columns; of very many, pairs of nearby columns, since related columns are mostly adjacent."""
    few = len(names) ** 2 <= 2 * MOST_PAIRS
    reach = len(names) if few else max(MOST_PAIRS // len(names), 1)
    return (
        (names[first], names[second]) for first, second in combinations(range(len(names)), 2) if second - first <= reach
    )


def _varies(cells: Floats) -> bool:
    known = cells[~np.isnan(cells)]
    return len(known) >= LEAST_ROWS and len(np.unique(known)) >= LEAST_VALUES


def _steps(sources: tuple[str, str], parts: Mapping[str, Floats], *, dates: bool) -> Iterator[_Step]:
    """Yield the candidate formulas of two columns, simple ones first."""
    with np.errstate(all="ignore"):
        if not dates:
            a, b = sources
            yield _Step(f"{quote_name(a)} + {quote_name(b)}", parts[a] + parts[b], scaled=False)
            yield _Step(f"{quote_name(a)} * {quote_name(b)}", parts[a] * parts[b], scaled=True)
        for a, b in permutations(sources):
            first, second = quote_name(a), quote_name(b)
            yield _Step(f"{first} - {second}", parts[a] - parts[b], scaled=dates)
            if not dates:
                yield _Step(f"{first} / {second}", parts[a] / parts[b], scaled=True)
                yield _Step(f"{first} / {second} ** 2", parts[a] / parts[b] ** 2, scaled=True)


def _candidates(step: _Step, others: Mapping[str, Floats], steps: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    """Yield names of columns that match a formula on the probed rows, each with its formula."""
    if not others:
        return
    names = list(others)
    values = np.where(np.isfinite(step.values), step.values, np.nan)
    cells = np.stack(list(others.values()))
    usual = _usual_ratios(cells, values) if step.scaled else _equal(cells, values, [steps[name] for name in names])
    for place in np.flatnonzero(~np.isnan(usual)):
        name, rows = names[place], ~np.isnan(cells[place]) & ~np.isnan(values)
        if int(rows.sum()) < LEAST_ROWS:
            continue
        for text, factor, floor in _scalings(step, float(usual[place])):
            computed = np.floor(values[rows] * factor) if floor else values[rows] * factor
            if np.mean(_agree(cells[place, rows], computed, steps[name])) >= NEARLY:
                yield name, text
                break


def _equal(cells: Floats, values: Floats, steps: list[float]) -> Floats:
    """Return (columns,) 1 where a column is equal to `values` in most of the first rows, NaN elsewhere."""
    first = cells[:, :PREVIEWED]
    known = ~np.isnan(first) & ~np.isnan(values[:PREVIEWED])
    agree = _agree(first, values[:PREVIEWED], np.array(steps)[:, np.newaxis])
    return np.where(agree.sum(axis=1) >= 0.9 * known.sum(axis=1), 1.0, np.nan)


def _usual_ratios(cells: Floats, values: Floats) -> Floats:
    """Return (columns,) the median ratio to `values` in the rows with the largest values, NaN where it varies.

    Rounding changes a ratio little there, and rounding down by a few percent.
    """
    largest = np.argsort(np.where(np.isnan(values), 0.0, -np.abs(values)))[:PREVIEWED]
    with np.errstate(all="ignore"):
        ratios = np.sort(cells[:, largest] / values[largest], axis=1)  # NaN last
        known = (~np.isnan(ratios)).sum(axis=1)
        places = np.stack([np.minimum(1, known), known // 2, known - 2], axis=1).clip(0, ratios.shape[1] - 1)
        low, usual, high = np.take_along_axis(ratios, places, axis=1).T
        steady = (known >= LEAST_PREVIEWED) & (np.abs(high / low - 1) < 0.2)
    return np.where(steady, usual, np.nan)


def _scalings(step: _Step, usual: float) -> Iterator[tuple[str, float, bool]]:
    """Yield candidate factors of a formula, with its text and whether it is rounded down."""
    if not step.scaled:
        yield step.text, 1.0, False
        return
    difference = " - " in step.text
    grouped = f"({step.text})" if difference else step.text
    for factor in FACTORS:
        for scale, sign in ((factor, "*"), (1 / factor, "/")):
            if not abs(usual / scale - 1) < 0.2:
                continue
            text = step.text if factor == 1 else f"{grouped} {sign} {factor!r}"
            yield text, scale, False
            if difference:
                yield f"floor({text})", scale, True


def _agree(cells: Floats, computed: Floats, step: float | Floats) -> NDArray[np.bool_]:
    """Return where two columns agree to the last decimal."""
    slack = np.where(np.asarray(step) > 0, 0.5 * np.asarray(step), 1e-6 * np.abs(cells))
    return np.abs(cells - computed) <= slack + 1e-9 * (1 + np.abs(cells))


def _whole(name: str, text: str, sources: tuple[str, str], table: pd.DataFrame, step: float) -> Formula | None:
    """Return the formula tested on all rows; None where one of the sources alone agrees as well."""
    cells = as_numbers(table[name])
    computed = as_numbers(parse(text).compute(table))
    both = ~np.isnan(computed) & ~np.isnan(cells)
    agree = _agree(cells[both], computed[both], step)
    alone = [np.sum(~_agree(cells[both], as_numbers(table[source])[both], step)) for source in sources]
    if int(both.sum()) < LEAST_ROWS or agree.mean() < NEARLY or min(alone) < MIN_PATIENTS:
        return None
    complete = bool(np.array_equal(np.isnan(computed), np.isnan(cells)))
    return Formula(name, text, sources, int(both.sum()), int(agree.sum()), complete)

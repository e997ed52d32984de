"""Bordering values: a cell that no value of the training data suits takes a value that the given cells determine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from synthclin.sampling.row_domains import RowDomains

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from numpy.typing import NDArray

    from synthclin.encoding import TableEncoder
    from synthclin.sampling.equalities import Equalities
    from synthclin.sampling.masks import ConstraintMask
    from synthclin.sampling.observed import Partial
    from synthclin.schema.columns import Column

    Bools = NDArray[np.bool_]
    Ints = NDArray[np.int64]

__all__ = ["with_borders"]

_SWEEPS = 8
"""Sweeps over the rows at most: each cell that is filled in may leave the next one without a value."""


def with_borders(
    partial: Partial,
    rows: Ints,
    mask: ConstraintMask,
    encoder: TableEncoder,
    asked: Collection[str],
    equalities: Equalities,
) -> Partial:
    """Return rows in which cells without any value take a bordering one, as far as there is one.

    A given value beyond the training data may leave another cell no value of the training data: in a rule such as
    ``visit <= last_contact`` the cell then takes the given value itself, or the next one where the rule is strict. Of
    several such values it is the one nearest to the training data.

    Arguments:
        partial: partially observed rows.
        rows: numbers of those in which rules leave some cell no value.
        mask: of the rules.
        encoder: of the modelled columns.
        asked: the columns whose missing cells are imputed.
        equalities: the equality rules, solved for each of their columns.
    """
    for _ in range(_SWEEPS):
        domains = RowDomains(mask, encoder, partial.part(rows), asked)
        cells, changed = partial.cells.copy(), False
        for name, some in domains.emptied().items():
            value = _nearest(domains, name, some, equalities)
            found = value.notna().to_numpy()
            if found.any():
                cells.loc[rows[some[found]], name] = value[found].astype(cells[name].dtype).array
                changed = True
        if not changed:
            break
        partial = partial.filled(cells, encoder).deduced(encoder, equalities)
    return partial


def _nearest(domains: RowDomains, name: str, rows: Ints, equalities: Equalities) -> pd.Series:
    """Return for each row that bordering value which is nearest to the training data; missing where there is none."""
    column = domains.encoder.schema.columns[name]
    best = pd.Series([None] * len(rows), dtype=column.dtype)
    if not (column.is_numeric or column.is_temporal):
        return best
    distance = np.full(len(rows), np.inf)
    for value in _candidates(domains, name, rows, equalities):
        typed, unread = column.coerce(value.reset_index(drop=True))
        valid = (typed.notna() & ~unread).to_numpy()
        for problem in column.problems(typed):
            valid &= ~problem.mask.to_numpy() | (problem.severity != "error")
        some = np.flatnonzero(valid)
        if len(some):
            some = some[domains.admits(name, typed.iloc[some].reset_index(drop=True), rows[some])]
            away = domains.distance(name, typed.iloc[some].reset_index(drop=True))
            closer = away < distance[some]
            distance[some[closer]] = away[closer]
            best.iloc[some[closer]] = typed.iloc[some[closer]].array
    return best


def _candidates(domains: RowDomains, name: str, rows: Ints, equalities: Equalities) -> Iterator[pd.Series]:
    """Yield (rows,) values at which a rule's two sides are equal, and their neighbours."""
    cells, column = domains.partial.cells.iloc[rows], domains.encoder.schema.columns[name]
    for rule in (*equalities.every, *equalities.borders):
        if rule.column == name and set(rule.needs) <= set(cells):
            yield from _neighbours(rule.value(cells), column)


def _neighbours(cells: pd.Series, column: Column) -> Iterator[pd.Series]:
    """Yield for each number or date the nearest value of a column, the next one above it and the next one below."""
    if column.resolution is not None:
        day, next_one = cells.dt.floor(column.resolution), pd.Timedelta(1, column.resolution)
        yield from (day, day + next_one, day - next_one)
        return
    value = cells.astype("Float64").astype(float)
    decimals = column.decimal_places
    step = column.value_step or (None if decimals is None else 10.0**-decimals)
    if step is None:
        yield value
        return
    nearest = (value / step).round()
    for multiple in (nearest, nearest + 1, nearest - 1):
        number = multiple * step
        yield number if decimals is None else number.round(decimals)

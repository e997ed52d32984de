"""Which cells a column's law sees themselves, beside the hidden units that sum up all of them.

In a table of few columns each sees all columns before it. In a wide one that would make a network quadratic in the
columns, so that columns share a view of those that tell most of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from synthclin.encoding.layout import ColumnLayout
from synthclin.models.code_features import code_positions

__all__ = ["ReceptiveField", "find_receptive_fields", "receptive_fields_of", "whole_receptive_field"]

MOST_SEEN = 64
"""Columns that one view shows; a table of no more has one view of everything."""

SHARING = 32
"""Columns of a wider table that share a view; the other half of it are columns before them."""

CLASSES = 8
"""Into which the codes of a column are put to see what it tells of others; *missing* is one more."""

ENOUGH = 8_192
"""Rows from which that is seen well enough."""


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """What some columns are shown.

    Arguments:
        members: neighbours in the order of drawing.
        sees: ascending, the members themselves among them; a member is shown those of them that stand before it.
    """

    members: tuple[int, ...]
    sees: tuple[int, ...]


def whole_receptive_field(columns: int) -> tuple[ReceptiveField, ...]:
    """Return the single view in which every column is shown all columns before it."""
    return (ReceptiveField(tuple(range(columns)), tuple(range(columns))),)


def receptive_fields_of(columns: int, before: Sequence[Sequence[int]]) -> tuple[ReceptiveField, ...]:
    """Return the views of a table in which view i shows its members, and the columns `before[i]` ahead of them.

    Raises:
        ValueError: they are not views of so many columns.
    """
    if not isinstance(before, list) or len(before) != (1 if columns <= MOST_SEEN else -(-columns // SHARING)):
        raise ValueError("not as many views as columns need")
    if columns <= MOST_SEEN:
        if before != [[]]:
            raise ValueError("columns ahead of the first view")
        return whole_receptive_field(columns)
    fields = []
    for start, shown in zip(range(0, columns, SHARING), before, strict=True):
        known = isinstance(shown, list) and len(shown) <= MOST_SEEN - SHARING
        known = known and all(type(t) is int and 0 <= t < start for t in shown)
        if not known or sorted(set(shown)) != list(shown):
            raise ValueError("not columns ahead of the view, in order")
        members = tuple(range(start, min(start + SHARING, columns)))
        fields.append(ReceptiveField(members, (*shown, *members)))
    return tuple(fields)


def find_receptive_fields(
    columns: Sequence[ColumnLayout], frequencies: Sequence[Tensor], codes: Tensor
) -> tuple[ReceptiveField, ...]:
    """Return the views of a table of (rows, columns) codes, both in the order of drawing.

    Those ahead of its members that a view shows are the ones with the highest mutual information with one of them, by
    the plug-in estimate over at most 9 classes of each column.
    """
    if len(columns) <= MOST_SEEN:
        return whole_receptive_field(len(columns))
    # Every so many rows: a table may be sorted.
    rows = codes[:: -(-len(codes) // ENOUGH)].cpu()
    classes = [
        _classes(column, share)[rows[:, t]] for t, (column, share) in enumerate(zip(columns, frequencies, strict=True))
    ]
    flags = functional.one_hot(torch.stack(classes), CLASSES + 1).float()
    before = []
    for start in range(0, len(columns), SHARING):
        told = [
            _mutual_information(part, flags[start : start + SHARING]).amax(1) for part in flags[:start].split(SHARING)
        ]
        most = torch.cat([torch.zeros(0), *told]).argsort(descending=True, stable=True)[: MOST_SEEN - SHARING]
        before.append(sorted(most.tolist()))
    return receptive_fields_of(len(columns), before)


def _classes(column: ColumnLayout, frequency: Tensor) -> Tensor:
    """Return the class of each code, (codes,): a stretch of the line, or one of the commonest levels or the rest."""
    if column.kind == "ordered":
        classes = (code_positions(column, frequency) * CLASSES).long()
    else:
        rank = frequency.argsort(descending=True, stable=True).argsort()
        classes = rank.clamp(max=CLASSES - 1)
    if column.missing is not None:
        classes[column.missing] = CLASSES
    return classes


def _mutual_information(these: Tensor, those: Tensor) -> Tensor:
    """Return nats that columns tell of each other: (m, rows, classes), (k, rows, classes) -> (m, k)."""
    first, second = (part.transpose(1, 2).flatten(0, 1) for part in (these, those))
    rows, width = these.shape[1:]
    joint = (first @ second.T / rows).unflatten(1, (-1, width)).unflatten(0, (-1, width))
    apart = joint.sum(3, keepdim=True) * joint.sum(1, keepdim=True)
    return torch.xlogy(joint, joint / apart.clamp_min(1e-12)).sum((1, 3))

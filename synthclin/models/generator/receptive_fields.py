"""Receptive fields: the context columns that an output head reads directly, beside the hidden units.

In a table of few columns the receptive field of each column is all columns before it. In a wide table that would make
the network quadratic in the columns, so columns share a field of those with the highest mutual information.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from synthclin.encoding.layout import ColumnLayout
from synthclin.models.generator.code_features import code_positions

__all__ = ["ReceptiveField", "find_receptive_fields", "receptive_fields_of", "whole_receptive_field"]

MOST_CONTEXT = 64
"""Columns in one receptive field; a table of no more columns has a single field of all."""

SHARING = 32
"""Columns of a wider table that share a receptive field; its other half are columns before them."""

CLASSES = 8
"""Classes of a column's codes in the estimate of mutual information; *missing* is one more."""

ENOUGH = 8_192
"""Rows that suffice for that estimate."""


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """Receptive field of a group of columns: the context columns that their head reads.

    Arguments:
        members: output columns, consecutive in the order of sampling.
        context: context columns in ascending order, including the members; a member depends on those before it.
    """

    members: tuple[int, ...]
    context: tuple[int, ...]


def whole_receptive_field(columns: int) -> tuple[ReceptiveField, ...]:
    """Return the single receptive field in which every column depends on all columns before it."""
    return (ReceptiveField(tuple(range(columns)), tuple(range(columns))),)


def receptive_fields_of(columns: int, before: Sequence[Sequence[int]]) -> tuple[ReceptiveField, ...]:
    """Return the receptive fields of a table; field i has its members and the context columns `before[i]`.

    Raises:
        ValueError: they are not receptive fields of so many columns.
    """
    if not isinstance(before, list) or len(before) != (1 if columns <= MOST_CONTEXT else -(-columns // SHARING)):
        raise ValueError("not as many receptive fields as columns need")
    if columns <= MOST_CONTEXT:
        if before != [[]]:
            raise ValueError("columns before the first receptive field")
        return whole_receptive_field(columns)
    fields = []
    for start, context in zip(range(0, columns, SHARING), before, strict=True):
        valid = isinstance(context, list) and len(context) <= MOST_CONTEXT - SHARING
        valid = valid and all(type(t) is int and 0 <= t < start for t in context)
        if not valid or sorted(set(context)) != list(context):
            raise ValueError("not ascending columns before the members")
        members = tuple(range(start, min(start + SHARING, columns)))
        fields.append(ReceptiveField(members, (*context, *members)))
    return tuple(fields)


def find_receptive_fields(
    columns: Sequence[ColumnLayout], frequencies: Sequence[Tensor], codes: Tensor
) -> tuple[ReceptiveField, ...]:
    """Return the receptive fields of a table of (rows, columns) codes; columns are in the order of sampling.

    The context columns before the members are those with the highest mutual information with any member, by the
    plug-in estimate over at most 9 classes of each column.
    """
    if len(columns) <= MOST_CONTEXT:
        return whole_receptive_field(len(columns))
    # Every so many rows: a table may be sorted.
    rows = codes[:: -(-len(codes) // ENOUGH)].cpu()
    classes = [
        _classes(column, share)[rows[:, t]] for t, (column, share) in enumerate(zip(columns, frequencies, strict=True))
    ]
    flags = functional.one_hot(torch.stack(classes), CLASSES + 1).float()
    before = []
    for start in range(0, len(columns), SHARING):
        information = [
            _mutual_information(part, flags[start : start + SHARING]).amax(1) for part in flags[:start].split(SHARING)
        ]
        most = torch.cat([torch.zeros(0), *information]).argsort(descending=True, stable=True)[: MOST_CONTEXT - SHARING]
        before.append(sorted(most.tolist()))
    return receptive_fields_of(len(columns), before)


def _classes(column: ColumnLayout, frequency: Tensor) -> Tensor:
    """Return the class of each code, (codes,): a quantile interval, or one of the most frequent levels or the rest."""
    if column.kind == "ordered":
        classes = (code_positions(column, frequency) * CLASSES).long()
    else:
        rank = frequency.argsort(descending=True, stable=True).argsort()
        classes = rank.clamp(max=CLASSES - 1)
    if column.missing is not None:
        classes[column.missing] = CLASSES
    return classes


def _mutual_information(these: Tensor, those: Tensor) -> Tensor:
    """Return the mutual information of columns, in nats: (m, rows, classes), (k, rows, classes) -> (m, k)."""
    first, second = (part.transpose(1, 2).flatten(0, 1) for part in (these, those))
    rows, width = these.shape[1:]
    joint = (first @ second.T / rows).unflatten(1, (-1, width)).unflatten(0, (-1, width))
    apart = joint.sum(3, keepdim=True) * joint.sum(1, keepdim=True)
    return torch.xlogy(joint, joint / apart.clamp_min(1e-12)).sum((1, 3))

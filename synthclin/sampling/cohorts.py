"""Conditions of a cohort: predicates split into constraints per column, and wanted shares by raking."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Self, TypeVar

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from synthclin.encoding import Encoded
from synthclin.errors import ConditionError, ConfigError
from synthclin.expressions import Expression, parse
from synthclin.schema import Schema
from synthclin.schema.columns import Level
from synthclin.schema.conditions import check_levels, check_visits, column_remedy
from synthclin.schema.visit_times import visits_in

if TYPE_CHECKING:
    from synthclin.encoding import TableEncoder

__all__ = [
    "FEW_EVENTS",
    "Cohort",
    "Condition",
    "allocate",
    "check_condition",
    "rake",
    "require_condition",
    "split_where",
]

Floats = NDArray[np.float64]
Share = TypeVar("Share", bound=Hashable)

FEW_EVENTS = 30
"""Training patients below which a cohort, or a mixed level, rests on few events.

A project convention: of ten models of a table with 15 to 28 deaths, three gave dead patients the scores of living ones.
"""

_SUM_TOLERANCE = 1e-6
_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"


class Cohort(BaseModel):
    """Request for a conditional sample: number of rows, predicate, wanted proportions.

    Arguments:
        name: of letters, digits, ``-`` and ``_``; also the name of the cohort's file.
        rows: how many rows.
        where: a predicate that every row satisfies.
        mix: wanted shares of the levels of one or several columns; the shares of each column sum to 1.

    Example:
        >>> Cohort(name="balanced", rows=100, mix={"arm": {"A": 0.5, "B": 0.5}}).rows
        100
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)

    name: Annotated[str, StringConstraints(pattern=_NAME)]
    rows: Annotated[int, Field(gt=0, strict=True)]
    where: str | None = None
    mix: dict[str, dict[Level, Annotated[float, Field(gt=0, le=1)]]] | None = None

    @field_validator("name", mode="before")
    @classmethod
    def _name_has_plain_signs(cls, name: object) -> object:
        if isinstance(name, str) and not re.fullmatch(_NAME, name):
            raise ValueError("has other signs than letters, digits, - and _. Write it like older-women.")
        return name

    @field_validator("where")
    @classmethod
    def _where_parses(cls, where: str | None) -> str | None:
        if where is not None:
            try:
                predicate = parse(where, "where")
            except ConfigError as error:
                raise ValueError(f"{error.what}. {error.remedy}") from None
            if not predicate.is_predicate:
                raise ValueError("a number, not a condition. Compare it with something.")
        return where

    @field_validator("mix")
    @classmethod
    def _shares_sum_to_one(cls, mix: dict[str, dict[Level, float]] | None) -> dict[str, dict[Level, float]] | None:
        for name, shares in (mix or {}).items():
            total = sum(shares.values())
            if abs(total - 1) > _SUM_TOLERANCE:
                raise ValueError(f"the shares of {name!r} sum to {total:g}. Make them sum to 1.")
        return mix or None

    @property
    def predicate(self) -> Expression | None:
        """The parsed `where`."""
        return None if self.where is None else parse(self.where)

    def holds(self, table: pd.DataFrame, schema: Schema | None = None) -> pd.Series[bool]:
        """Return which rows of a typed table satisfy `where` and have one of the wanted levels, (rows,).

        Arguments:
            table: the rows.
            schema: of the table; needed where `where` has functions of visits, whose patients it names.

        Example:
            >>> cohort = Cohort(name="older", rows=9, where="age >= 70", mix={"sex": {"F": 1.0}})
            >>> cohort.holds(pd.DataFrame({"age": [80, 80, 60], "sex": ["F", "M", "F"]})).tolist()
            [True, False, False]
        """
        satisfied = pd.Series(data=True, index=table.index)
        if self.where is not None:
            visits = None if schema is None else visits_in(table, schema)
            satisfied &= parse(self.where).evaluate(table, visits=visits).fillna(value=False).astype(bool)
        for name, shares in (self.mix or {}).items():
            satisfied &= table[name].isin(list(shares))
        return satisfied


def require_condition(where: object, mix: object) -> None:
    """Raise ConfigError unless `where` is text or None, and `mix` shares of levels that sum to 1, or None.

    Example:
        >>> require_condition("age >= 70", {"arm": {"A": 0.5, "B": 0.5}})
    """
    if where is not None and not isinstance(where, str):
        raise ConfigError("where", "it is no text", 'Write a condition, such as "age >= 70".')
    columns = {} if mix is None else mix
    if not (isinstance(columns, Mapping) and all(map(_are_shares, columns.values()))):
        remedy = "Give {column: {level: share}}, such as {'arm': {'A': 0.5, 'B': 0.5}}."
        raise ConfigError("mix", "it has no shares of levels", remedy)
    for name, shares in columns.items():
        if abs(sum(shares.values()) - 1) > _SUM_TOLERANCE or min(shares.values(), default=0) < 0:
            what = f"the shares sum to {sum(shares.values()):g}"
            raise ConfigError(f"mix.{name}", what, "Make them positive and sum to 1.")


def _are_shares(shares: object) -> bool:
    return isinstance(shares, Mapping) and all(isinstance(share, int | float) for share in shares.values())


@dataclass(frozen=True, slots=True)
class Condition:
    """Predicate, split into weights per column for importance sampling and a check of decoded rows.

    Arguments:
        weights: by index of a column in the layout, the (cardinality,) share of each code's mass that is allowed.
        residual: the whole predicate, to be checked on decoded rows; None if every row satisfies the condition.
        predicates: by index of a column in the layout, the part of the predicate on that column alone.
    """

    weights: dict[int, Floats]
    residual: Expression | None
    predicates: dict[int, Expression]

    def restrict(self, encoded: Encoded, encoder: TableEncoder, generator: np.random.Generator) -> Encoded:
        """Return rows whose offsets are resampled inside the condition where a bin straddles its border."""
        offsets = encoded.offsets.clone()
        for j, predicate in self.predicates.items():
            codes = encoded.codes[:, j].numpy()
            share = self.weights[j][codes]
            rows = np.flatnonzero((share > 0) & (share < 1))
            if len(rows):
                name = encoder.layout.names[j]
                sampled = encoder.restrict(name, codes[rows], offsets[rows, j].numpy(), predicate, generator)
                offsets[rows, j] = torch.from_numpy(sampled)
        return Encoded(encoded.codes, offsets)

    def interpolated(self, encoder: TableEncoder) -> tuple[str, ...]:
        """Return the columns whose allowed values are all strictly inside bins, so that the model interpolates them."""
        inside = (j for j, share in self.weights.items() if share.max() < 1 - _SUM_TOLERANCE)
        return tuple(encoder.layout.names[j] for j in inside)

    @classmethod
    def none(cls) -> Self:
        """Return the condition that every row satisfies."""
        return cls({}, None, {})


def split_where(where: str | Expression | None, encoder: TableEncoder) -> Condition:
    """Return the condition of a predicate: weights per column of an encoded table, and a check of decoded rows.

    The conjuncts that name one modelled column become that column's weights. All others, and those on derived
    columns, are checked on decoded rows.

    Raises:
        ConfigError: it does not parse, is no predicate, or names a column that is unknown or not modelled.
        ConditionError: no code of some column satisfies its part.
    """
    if where is None:
        return Condition.none()
    whole = parse(where, "where") if isinstance(where, str) else where
    check_condition(whole, encoder.schema)

    parts: dict[int, list[Expression]] = {}
    for part in whole.conjuncts():
        # The code of an anchored date is a distance, not a date.
        if len(part.columns) == 1 and (name := next(iter(part.columns))) in encoder.codecs.keys() - encoder.anchors:
            parts.setdefault(encoder.layout.names.index(name), []).append(part)
    # Joined before they are weighted: shares of a bin below 65 and above 60 do not multiply.
    predicates = {j: _joined(conjuncts) for j, conjuncts in sorted(parts.items())}
    weights = {j: encoder.allowed(encoder.layout.names[j], predicate) for j, predicate in predicates.items()}
    for j, weight in weights.items():
        if not weight.any():
            name = encoder.layout.names[j]
            raise ConditionError(
                f"where `{whole.text}`",
                f"no code of column {name!r} satisfies `{predicates[j].text}`",
                "Widen it; values and levels of too few patients are never sampled.",
            )
    return Condition(weights, whole, predicates)


def check_condition(condition: Expression, schema: Schema) -> None:
    """Raise ConfigError unless a condition is a predicate on modelled or derived columns and declared levels.

    Where patients have visits, it may not differ between the visits of one.
    """
    where = f"where `{condition.text}`"
    if not condition.is_predicate:
        raise ConfigError(where, "a number, not a condition", "Compare it with something.")
    columns = schema.columns
    for name in sorted(condition.columns):
        if name not in columns:
            known = [*schema.modelled, *(n for n, c in columns.items() if c.derive)]
            raise ConfigError(where, f"names {name!r}, which is no column", column_remedy(name, schema, known))
        if not columns[name].modelled and columns[name].derive is None:
            raise ConfigError(where, f"names {name!r}, which is not modelled", "Use another column.")
    check_visits(condition, schema, where)
    check_levels(condition, schema, where)


def allocate(shares: Mapping[Share, float], rows: int) -> dict[Share, int]:
    """Return how many of `rows` each key gets, by the largest remainder method: whole numbers that sum to `rows`.

    Each count is its exact share rounded up or down. Equal remainders are rounded up in the order given.

    Example:
        >>> allocate({"F": 0.5, "M": 0.3, "X": 0.2}, 7)
        {'F': 4, 'M': 2, 'X': 1}
    """
    weights = np.array(list(shares.values()), dtype=np.float64)
    if rows < 0 or not len(weights) or not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
        raise ValueError("rows must be >= 0, and shares finite, >= 0 and not all 0")
    exact = weights / weights.max()
    exact = exact / exact.sum() * rows
    # A rounding error such as that of 0.1 + 0.2 must not cost a row.
    counts = np.floor(exact + 1e-9).astype(np.int64)
    remainder = exact - counts
    for i in np.argsort(-remainder.round(9), kind="stable")[: rows - int(counts.sum())]:
        counts[i] += 1
    return dict(zip(shares, counts.tolist(), strict=True))


def rake(joint: Floats, margins: Sequence[Floats], *, tolerance: float = 1e-9, rounds: int = 10_000) -> Floats:
    """Return the distribution with the wanted margins nearest to `joint`, by iterative proportional fitting (raking).

    Nearest in relative entropy (Deming and Stephan 1940, doi:10.1214/aoms/1177731829).

    Arguments:
        joint: weights >= 0 of every combination, one axis per margin.
        margins: per axis the wanted shares; each sums to 1.
        tolerance: largest absolute error of a margin of the result.
        rounds: sweeps over the axes at most.

    Raises:
        ConditionError: no distribution has both the margins and the support of `joint`.

    Example:
        >>> rake(np.array([[4.0, 1.0], [1.0, 4.0]]), [np.array([0.5, 0.5]), np.array([0.5, 0.5])]).tolist()
        [[0.4, 0.1], [0.1, 0.4]]
    """
    if joint.shape != tuple(len(margin) for margin in margins) or (joint < 0).any():
        raise ValueError("joint must have one axis per margin, and no weight below 0")
    probabilities = joint / joint.sum() if joint.any() else joint.astype(np.float64)
    for _ in range(rounds):
        off = 0.0
        for axis, margin in enumerate(margins):
            others = tuple(other for other in range(probabilities.ndim) if other != axis)
            have = probabilities.sum(axis=others)
            if (margin[have <= 0] > 0).any():
                raise ConditionError("mix", "a wanted level never occurs", "Leave it out, or widen `where`.")
            off = max(off, float(np.abs(have - margin).max()))
            factor = np.divide(margin, have, out=np.zeros_like(have), where=have > 0)
            probabilities = probabilities * np.expand_dims(factor, others)
        if off <= tolerance:
            return probabilities
    raise ConditionError(
        "mix", "the wanted shares contradict each other: no combination of levels has them all", "Mix fewer columns."
    )


def _joined(parts: list[Expression]) -> Expression:
    if len(parts) == 1:
        return parts[0]
    return parse(" and ".join(f"({part.text})" for part in parts), parts[0].where)

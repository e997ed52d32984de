"""A first schema, guessed from a table: every guess says why, and a person confirms it."""

from __future__ import annotations

import difflib
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from synthclin.columns import Boolean, Id, Ordinal, reading
from synthclin.documents import dump_yaml, parse_yaml, validate
from synthclin.errors import ConfigError, DataError
from synthclin.inference import names
from synthclin.inference.calendar import moments_column
from synthclin.inference.evidence import Guess, Refusal, count
from synthclin.inference.numeric import guess_numbers
from synthclin.inference.textual import guess_texts
from synthclin.schema import Schema
from synthclin.validation import conform

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synthclin.columns import AnyColumn

__all__ = ["Inferred", "infer", "to_commented_yaml"]


@dataclass(frozen=True, slots=True)
class Inferred:
    """A guessed schema and the reasons for it.

    Arguments:
        schema: accepts the table that it was guessed from.
        evidence: for each column, why it was guessed so, in short sentences of counts.
    """

    schema: Schema
    evidence: dict[str, list[str]]


def infer(table: pd.DataFrame, declared: Mapping[str, AnyColumn] | None = None) -> Inferred:
    """Guess what each column of a table means.

    Ranges are rounded outward to a public grid, so that they do not hold the values of the extreme patients; levels
    are listed as they stand in the table.

    Arguments:
        table: as `synthclin.tables.read_table` returns it, or any other table.
        declared: columns that are known already; they are taken as they are.

    Raises:
        DataError: no schema fits, or a column must be declared first because a guess could do harm: direct
            identifiers, and text with about as many values as rows. All such columns are named.
        ConfigError: a declared column is not in the table.

    Example:
        >>> table = pd.DataFrame({"age": range(40, 80), "nyha": ["I", "II", "III", "II"] * 10, "died": [0, 1] * 20})
        >>> inferred = infer(table.sample(frac=1, random_state=0))
        >>> {name: column.type for name, column in inferred.schema.columns.items()}
        {'age': 'integer', 'nyha': 'ordinal', 'died': 'boolean'}
        >>> inferred.evidence["died"]
        ['all 40 cells are 0 or 1']
    """
    known = dict(declared or {})
    _check(table, known)
    guesses: dict[str, Guess] = {}
    refusals: dict[str, Refusal] = {}
    for name in table.columns:
        found = Guess(known[name], ["declared"]) if name in known else _guess(name, table[name])
        if isinstance(found, Refusal):
            refusals[name] = found
        else:
            guesses[name] = found
    if refusals:
        _refuse(refusals)
    entity = None if any(column.role == "entity" for column in known.values()) else _entity(table, guesses, known)
    if entity is not None:
        guesses[entity] = Guess(
            _with(guesses[entity].column, role="entity"), [*guesses[entity].evidence, "names the patient"]
        )
    schema = validate(Schema, {"columns": {name: guess.column for name, guess in guesses.items()}}, "declared")
    conform(table, schema)
    return Inferred(schema, {name: list(guess.evidence) for name, guess in guesses.items()})


def to_commented_yaml(inferred: Inferred) -> str:
    """Return the schema as YAML in which a comment above each column says why it was guessed so.

    Example:
        >>> print(to_commented_yaml(infer(pd.DataFrame({"died": [0, 1, 1], "age": [64, 71, None]}))), end="")
        # Guessed from a table. Confirm each column, then add units, rules and descriptions.
        columns:
          # guessed: all 3 cells are 0 or 1
          died:
            type: boolean
            values: [0, 1]
          # guessed: all 2 cells are whole numbers; range: the extremes, rounded outward; empty: 1 of 3 cells; the
          # name is one that others may know
          age:
            type: integer
            range: [64, 71]
            missing: allowed
            disclosure: quasi_identifier
    """
    lines = ["# Guessed from a table. Confirm each column, then add units, rules and descriptions.", "columns:"]
    for name, words in parse_yaml(inferred.schema.to_yaml(), "schema")["columns"].items():
        reasons = inferred.evidence[name]
        comment = "declared" if reasons == ["declared"] else f"guessed: {'; '.join(reasons)}"
        lines += textwrap.wrap(comment, 110, initial_indent="  # ", subsequent_indent="  # ")
        lines.append(textwrap.indent(dump_yaml({name: words}), "  ").rstrip("\n"))
    return "\n".join(lines) + "\n"


def _check(table: pd.DataFrame, declared: Mapping[str, AnyColumn]) -> None:
    """Refuse what no schema can describe."""
    columns = list(table.columns)
    if not all(isinstance(name, str) and name.strip() and name.isprintable() for name in columns):
        raise DataError("table", "a column name is empty or not printable text", "Name each column by printable text.")
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise DataError("table", f"several columns are named '{twice[0]}'", "Give each column a name of its own.")
    for size, noun in ((len(columns), "columns"), (len(table), "rows")):
        if size < 2:
            raise DataError("table", f"too small, with {size} {noun}", f"Give a table with at least two {noun}.")
    for name in declared:
        if name not in columns:
            close = difflib.get_close_matches(name, columns, n=1)
            remedy = f"Did you mean '{close[0]}'?" if close else "Declare columns of the table alone."
            raise ConfigError(f"column '{name}'", "declared, but not in the table", remedy)


def _guess(name: str, series: pd.Series) -> Guess | Refusal:
    """Guess one column."""
    rows, cells = len(series), series[series.notna().to_numpy()].reset_index(drop=True)
    if cells.empty:
        return Refusal("every cell is missing", "Remove the column.")
    found = _by_kind(name, cells, rows)
    if isinstance(found, Refusal):
        return found
    changes: dict[str, object] = {}
    evidence = list(found.evidence)
    if len(cells) < rows:
        changes["missing"] = "allowed"
        evidence.append(f"empty: {count(rows - len(cells), rows)}")
    if found.column.modelled and names.knowable(name):
        changes["disclosure"] = "quasi_identifier"
        evidence.append("the name is one that others may know")
    return Guess(_with(found.column, **changes), evidence)


def _by_kind(name: str, cells: pd.Series, rows: int) -> Guess | Refusal:
    """Guess a column without missing cells by the kind of value it holds."""
    if isinstance(cells.dtype, pd.CategoricalDtype):
        levels = cells.cat.categories.tolist()
        if cells.cat.ordered and len(levels) > 1 and all(isinstance(level, str | int | float) for level in levels):
            return Guess(Ordinal(categories=tuple(levels)), ["an ordered categorical column"])
        cells = cells.astype(cells.cat.categories.dtype)
    kind = pd.api.types.infer_dtype(cells, skipna=True)
    if kind == "boolean":
        return Guess(Boolean(), [f"{count(len(cells), len(cells))} are true or false"])
    if kind in {"integer", "floating", "mixed-integer-float", "decimal"}:
        return guess_numbers(name, reading.numbers(cells)[0], rows)
    if kind in {"date", "datetime", "datetime64"}:
        return moments_column(cells)
    if kind == "string":
        return guess_texts(name, cells.to_numpy(dtype=object), rows)
    return Refusal(
        "its cells are of several kinds, or of one that no column type holds", "Write them as text or numbers."
    )


def _with(column: AnyColumn, **changes: object) -> AnyColumn:
    """Return a column in which some words are replaced."""
    return type(column).model_validate({**column.model_dump(), **changes})


def _entity(table: pd.DataFrame, guesses: Mapping[str, Guess], declared: Mapping[str, AnyColumn]) -> str | None:
    """Return the column that names the patient: one that repeats before one that does not."""
    ids = [name for name, guess in guesses.items() if isinstance(guess.column, Id) and name not in declared]
    named = [name for name in ids if names.identifies_person(name)] or (ids if len(ids) == 1 else [])
    return min(named, key=lambda name: table[name].nunique(), default=None)


def _refuse(refusals: Mapping[str, Refusal]) -> None:
    """Raise one error that names every column that cannot be guessed."""
    (first, reason), *others = refusals.items()
    lines = [f"column '{name}': {other.what}. {other.remedy}" for name, other in others]
    raise DataError(f"column '{first}'", reason.what, "\n".join([reason.remedy, *lines]))

"""Schema inference: a first schema from a table, with evidence for each guess, for a person to confirm."""

from __future__ import annotations

import difflib
import re
import warnings
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from synthclin.errors import ConfigError, DataError
from synthclin.inference import name_hints
from synthclin.inference.commented_yaml import comments_of
from synthclin.inference.date_columns import datetime_column, guess_compact_dates
from synthclin.inference.guesses import Cells, Guess, Proposal, Refusal, count, left_out, patients_per, rare, too_rare
from synthclin.inference.labelled_columns import described, guess_labelled, is_coded_missing, merged
from synthclin.inference.longitudinal import VisitGuess, guess_visits, numbered_entity
from synthclin.inference.notations import guess_clock_numbers
from synthclin.inference.number_columns import guess_numbers
from synthclin.inference.pair_columns import guess_pair
from synthclin.inference.relations import relate
from synthclin.inference.text_columns import guess_texts
from synthclin.io.documents import validate
from synthclin.rules.validation import Finding, conform
from synthclin.rules.visits import rows_as_patients
from synthclin.schema import Schema
from synthclin.schema.arguments import require_table
from synthclin.schema.codebook import Entry, codebook
from synthclin.schema.columns import Boolean, Category, Id, Ordinal, parsing
from synthclin.schema.patients import MIN_PATIENTS, numbered
from synthclin.schema.schema import provide_inference
from synthclin.schema.split_columns import missing_together

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from synthclin.schema.codebook import Code
    from synthclin.schema.columns import AnyColumn

_CELL = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?|[0-9]{4}-[0-9]{2}-[0-9]{2}.*|[0-9]{1,2}[./][0-9]{1,2}[./][0-9]{2,4}")

HEAD = 2_000  # rows searched for a column's name

__all__ = ["Inferred", "infer", "infer_schema"]


@dataclass(frozen=True, slots=True)
class Inferred:
    """An inferred schema and its evidence.

    Arguments:
        schema: the table conforms to it; no row violates its constraints.
        evidence: the reasons for each column's guess, in short sentences of counts.
        hints: for some columns, optional lines of YAML, such as missing-value codes.
        proposals: rules between columns with their evidence; the active ones are the constraints of the schema.
        rows: the number of rows searched for rules; no row of the table violates them.
        untold: a warning where patients have several rows and no column tells the visits apart.
    """

    schema: Schema
    evidence: dict[str, list[str]]
    hints: dict[str, list[str]] = field(default_factory=dict)
    proposals: tuple[Proposal, ...] = ()
    rows: int = 0
    untold: Finding | None = None

    @property
    def inactive(self) -> int:
        """The number of proposed rules whose evidence is too weak to be constraints of the schema."""
        return sum(len(proposal.rules) for proposal in self.proposals if not proposal.active)

    @property
    def left_out(self) -> tuple[str, ...]:
        """Names of the columns that are not modelled until they are declared."""
        return tuple(name for name, reasons in self.evidence.items() if left_out(reasons))


def infer(table: pd.DataFrame, declared: Mapping[str, AnyColumn] | None = None) -> Inferred:
    """Infer a schema: the type of each column of a table, and rules between columns.

    Nothing of fewer than `MIN_PATIENTS` patients is in it. Ranges are rounded outward to a public grid, so that they do
    not disclose the values of extreme patients; rarer levels are not listed and are read as missing. Direct
    identifiers, and text with about as many values as rows, are left out as `type: text`.

    Arguments:
        table: as `synthclin.tables.read_table` returns it, or any other table.
        declared: known columns, which stay unchanged.

    Raises:
        DataError: no schema fits, or the table seems to lack its header line.
        ConfigError: a declared column is not in the table.

    Example:
        >>> table = pd.DataFrame({"age": range(40, 88), "nyha": ["I", "II", "III", "II"] * 12, "died": [0, 1] * 24})
        >>> inferred = infer(table.sample(frac=1, random_state=0))
        >>> {name: column.type for name, column in inferred.schema.columns.items()}
        {'age': 'integer', 'nyha': 'ordinal', 'died': 'boolean'}
        >>> inferred.evidence["died"]
        ['all 48 cells are 0 or 1']
    """
    require_table(table)
    known = dict(declared or {})
    _check(table, known)
    entries = codebook(table)
    guesses = _with_pairs(table, _guesses(table, known, entries, None), known, None)
    typed_entity = next((name for name, column in known.items() if column.role == "entity"), None)
    entity = _entity(table, guesses, known) if typed_entity is None else None
    if typed_entity is None and entity is None and (entity := numbered_entity(table, guesses, known)) is not None:
        guesses[entity] = Guess(Id(), ["each value in neighbouring rows that agree in other columns"])
    person = entity or typed_entity
    if person is not None and table[person].duplicated().any():
        # Rare is what few patients have: with several rows each, these are fewer than rows.
        patient = numbered(table[person])
        again = _with_pairs(table, _guesses(table, known, entries, patient), known, patient)
        guesses = again | ({} if entity is None else {entity: guesses[entity]})
    if entity is not None:
        guess = guesses[entity]
        guesses[entity] = guess._replace(
            column=_with(guess.column, role="entity"), evidence=[*guess.evidence, "identifies the patient"]
        )
    schema = validate(Schema, {"columns": {name: guess.column for name, guess in guesses.items()}}, "declared")
    typed = conform(table, schema)
    found = relate(typed, schema, known)
    for name, changes in found.changes.items():
        schema = schema.with_column(name, **changes) if changes else schema
    given = {rule.text for name in schema.columns for rule in missing_together(schema.columns, name)}
    proposals = tuple(one for one in found.proposals if not given.issuperset(rule.text for rule in one.rules))
    rules = [rule for proposal in proposals if proposal.active for rule in proposal.rules]
    visits = guess_visits(typed, schema, known)
    told = {visits.time, visits.follow_up}
    columns = {name: _with_visits(column, name, visits) for name, column in schema.columns.items()}
    planned = {"visits": {"schedule": visits.schedule}} if visits.schedule else {}
    schema = validate(Schema, {"columns": columns, "constraints": rules, **planned}, "inferred")
    conform(table, schema)
    reasons = {name: of for name, column in schema.columns.items() if (of := column.reason_for) is not None}
    inferred = Inferred(
        schema,
        {
            name: list(dict.fromkeys([*guess.evidence, *found.evidence[name], *visits.reasons(name)]))
            for name, guess in guesses.items()
        }
        | {name: [f"why a cell of {of} is missing"] for name, of in reasons.items()},
        {
            name: [hint for hint in (*guess.hints, *found.hints[name]) if name not in told or "role:" not in hint]
            for name, guess in guesses.items()
        }
        | {name: [] for name in reasons},
        proposals,
        found.rows,
        rows_as_patients(typed, schema),
    )
    return replace(inferred, schema=schema.with_comments(comments_of(inferred)))


def infer_schema(table: pd.DataFrame) -> Schema:
    """Return the schema that `infer` guesses from a table; the same as ``Schema.infer(table)``.

    Its `to_yaml` has the evidence as comments. A warning names each column that is left out, with the reason and the
    remedy.

    Example:
        >>> schema = infer_schema(pd.DataFrame({"age": [40, 51, 62] * 20, "sex": ["F", "M", "F"] * 20}))
        >>> schema.columns["sex"].type
        'category'
    """
    inferred = infer(table)
    for name in inferred.left_out:
        warnings.warn(f"column '{name}': {'. '.join(inferred.evidence[name])}.", stacklevel=3)
    if inferred.untold is not None:
        warnings.warn(str(inferred.untold), stacklevel=3)
    return inferred.schema


provide_inference(infer_schema)


def _check(table: pd.DataFrame, declared: Mapping[str, AnyColumn]) -> None:
    """Refuse a table that no schema can describe."""
    columns = list(table.columns)
    if _lacks_names(table):
        # The message leaves them out: they are the cells of a patient.
        remedy = "Put the names into the first line."
        raise DataError("table", "its first line seems to hold cells instead of column names", remedy)
    if not all(isinstance(name, str) and name.strip() and name.isprintable() for name in columns):
        raise DataError("table", "a column name is empty or not printable text", "Name each column by printable text.")
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise DataError("table", f"several columns are named '{twice[0]}'", "Give each column a name of its own.")
    for size, noun in ((len(columns), "columns"), (len(table), "rows")):
        if size < 2:
            raise DataError("table", f"too small, with {size} {noun}", f"Give a table with at least two {noun}.")
    parts = {part for column in declared.values() for part in column.parts or ()}
    for name in declared:
        if name not in columns and name not in parts:
            close = difflib.get_close_matches(name, columns, n=1)
            remedy = f"Did you mean '{close[0]}'?" if close else "Declare columns of the table alone."
            raise ConfigError(f"column '{name}'", "declared, but not in the table", remedy)


def _lacks_names(table: pd.DataFrame) -> bool:
    """Whether the names of at least two columns, and a third of all, look like cells: numbers, dates, values below.

    Example:
        >>> _lacks_names(pd.DataFrame({"64": [71, 58], "F": ["F", "M"], "2021-03-04": ["2021-03-09", "2021-04-01"]}))
        True
    """
    head = table.head(HEAD)
    odd = sum(
        _CELL.fullmatch(name) is not None or name in {cell for cell in head.iloc[:, place] if isinstance(cell, str)}
        for place, name in enumerate(table.columns)
        if isinstance(name, str)
    )
    return odd >= max(2, len(table.columns) / 3)


def _guesses(
    table: pd.DataFrame,
    known: Mapping[str, AnyColumn],
    entries: Mapping[str, Entry],
    patient: NDArray[np.int64] | None,
) -> dict[str, Guess]:
    """Return a guess per column; `known` columns are declared. See `_guess`."""
    return {
        name: Guess(known[name], ["declared"])
        if name in known
        else _guess(name, table[name], entries.get(name, Entry()), patient)
        for name in table.columns
    }


def _with_pairs(
    table: pd.DataFrame, guesses: dict[str, Guess], known: Mapping[str, AnyColumn], patient: NDArray[np.int64] | None
) -> dict[str, Guess]:
    """Return the guesses with two columns after each one whose cells hold two numbers."""
    whole: dict[str, Guess] = {}
    for name, guess in guesses.items():
        two = None if guess.pair is None else guess_pair(name, table[name], guess.pair, guesses, patient)
        whole |= two or {name: guess}
        whole |= {part: Guess(known[part], ["declared"]) for part in guess.column.parts or () if part in known}
    return whole


def _guess(name: str, series: pd.Series, entry: Entry, patient: NDArray[np.int64] | None) -> Guess:
    """Guess one column; a refused one becomes text, which is not modelled."""
    rows, coded = len(series), is_coded_missing(series, entry).to_numpy()
    blank = _is_blank(series) & ~coded
    known = series.notna().to_numpy() & ~coded & ~blank
    cells = series[known].reset_index(drop=True)
    if cells.empty:
        return Refusal("every cell is missing", "Remove the column").as_text()
    at = Cells(rows, np.flatnonzero(known), None if patient is None else patient[known])
    found = guess_labelled(cells, entry, at.patient) or _by_kind(name, cells, at, tuple(entry.missing))
    if isinstance(found, Refusal):
        return found.as_text()
    changes: dict[str, object] = {}
    evidence = list(found.evidence)
    declared, comments = described(entry, found.column)
    changes |= declared
    if entry.missing and found.column.modelled:
        changes["missing_codes"] = merged(entry.missing, found.column.missing_codes)
        evidence.append(f"declared missing by the file: {count(int(coded.sum()), rows)}")
        known |= coded
    if blank.any() and found.column.modelled:
        changes["other"] = "missing"
        evidence.append(f"blank text, read as missing: {count(int(blank.sum()), rows)}")
    if not known.all():
        changes["missing"] = "allowed"
        if (empty := int(rows - known.sum() - blank.sum())) > 0:
            evidence.append(f"empty: {count(empty, rows)}")
    if found.column.modelled and name_hints.knowable(name):
        changes["disclosure"] = "quasi_identifier"
        evidence.append("the name is one that others may know")
    return Guess(_with(found.column, **changes), evidence, (*found.hints, *comments))


def _is_blank(series: pd.Series) -> NDArray[np.bool_]:
    """Return (rows,) which cells are text of no character but blanks."""
    if not (series.dtype == object or isinstance(series.dtype, pd.StringDtype)):
        return np.zeros(len(series), dtype=np.bool_)
    return np.array([isinstance(cell, str) and not cell.strip() for cell in series], dtype=np.bool_)


def _by_kind(name: str, cells: pd.Series, at: Cells, missing: Sequence[Code]) -> Guess | Refusal:
    """Guess a column without missing cells by the type of its values; `missing` are its missing-value codes."""
    if isinstance(cells.dtype, pd.CategoricalDtype):
        levels = cells.cat.categories.tolist()
        if cells.cat.ordered and len(levels) > 1 and all(isinstance(level, str | int | float) for level in levels):
            return _ordered(cells, levels, at.patient)
        cells = cells.astype(cells.cat.categories.dtype)
    kind = pd.api.types.infer_dtype(cells, skipna=True)
    if kind == "boolean":
        return _truth(cells, at.patient)
    if kind in {"integer", "floating", "mixed-integer-float", "decimal"}:
        return _numeric(name, parsing.numbers(cells)[0], at, missing)
    if kind in {"date", "datetime", "datetime64"}:
        return datetime_column(cells, at)
    if kind == "string":
        return guess_texts(name, cells.to_numpy(dtype=object), at)
    return Refusal(
        "its cells are of several types, or of one that no column type covers", "Write them as text or numbers."
    )


def _numeric(name: str, numbers: NDArray[np.float64], at: Cells, missing: Sequence[Code]) -> Guess | Refusal:
    """Guess a column of numbers, or of dates written as whole numbers."""
    with np.errstate(invalid="ignore"):
        whole = bool(np.all(np.isfinite(numbers) & (numbers == np.round(numbers))))
    free = whole and not missing and not name_hints.identifies(name)
    dated = (guess_compact_dates(numbers, at) or guess_clock_numbers(numbers)) if free else None
    return dated or guess_numbers(name, numbers, at, missing)


def _ordered(cells: pd.Series, levels: list[Any], patient: NDArray[np.int64] | None) -> Guess | Refusal:
    """Return the guess of an ordered categorical column; levels of few patients are read as missing."""
    people = patients_per(cells.cat.codes.to_numpy().astype(np.intp), patient, len(levels))
    few = (people > 0) & (people < MIN_PATIENTS)
    if not few.any():
        return Guess(Ordinal(categories=tuple(levels)), ["an ordered categorical column"])
    kept = tuple(level for level, some in zip(levels, people, strict=True) if some >= MIN_PATIENTS)
    if not kept:
        return too_rare(len(levels))
    kind = Ordinal if len(kept) > 1 else Category
    column = kind.model_validate({"categories": kept, "other": "missing", "missing": "allowed"})
    return Guess(column, ["an ordered categorical column", *rare(people[people > 0])])


def _truth(cells: pd.Series, patient: NDArray[np.int64] | None) -> Guess | Refusal:
    """Return the guess of a column of true and false; a value of few patients is read as missing."""
    truths = cells.to_numpy(dtype=np.intp)
    people = patients_per(truths, patient, 2)
    if (people >= MIN_PATIENTS).all() or not people.all():
        return Guess(Boolean(), [f"{count(len(cells), len(cells))} are true or false"])
    if people.max() < MIN_PATIENTS:
        return too_rare(2)
    column = Category(categories=(bool(people.argmax()),), other="missing", missing="allowed")
    return Guess(column, [f"{count(int(np.sum(truths == people.argmax())), len(cells))} hold one value", *rare(people)])


def _with(column: AnyColumn, **changes: object) -> AnyColumn:
    """Return a column with some keys replaced."""
    return type(column).model_validate({**column.model_dump(), **changes})


def _with_visits(column: AnyColumn, name: str, visits: VisitGuess) -> AnyColumn:
    """Return a column with its part in visits."""
    if name == visits.time and column.role is None:
        return _with(visits.column or column, role="visit")
    if name == visits.follow_up:
        return _with(column, static=True, role="time")
    return _with(column, static=True) if name in visits.static and column.derive is None else column


def _entity(table: pd.DataFrame, guesses: Mapping[str, Guess], declared: Mapping[str, AnyColumn]) -> str | None:
    """Return the patient identifier column: a repeating one before one without repeats."""
    ids = [name for name, guess in guesses.items() if guess.column.is_identifier and name not in declared]
    named = [name for name in ids if name_hints.identifies_person(name)] or (ids if len(ids) == 1 else [])
    return min(named, key=lambda name: table[name].nunique(), default=None)

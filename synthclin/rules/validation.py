"""Validation of a table against a schema, and its typed form. Findings name rows and columns, never a value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthclin.errors import ConfigError, DataError
from synthclin.rules.contradictions import contradiction, emptied_levels
from synthclin.schema import Schema
from synthclin.schema.arguments import require_schema, require_table
from synthclin.schema.columns import Column, MissingReason, Severity
from synthclin.schema.combinations import Combinations
from synthclin.schema.constraints import Rule
from synthclin.schema.patients import patients
from synthclin.schema.split_columns import separated, sources

__all__ = [
    "UNDECLARED",
    "Finding",
    "check",
    "conform",
    "contradictions",
    "examine",
    "judge",
    "readable_cells",
    "refuse_contradiction",
    "valid_rows",
    "without_violations",
]

UNDECLARED = "undeclared value"
"""The level that stands for every undeclared one in a table that is judged."""

LINES = 10  # findings in an error
PRINTED_ROWS = 5  # row numbers in a line
LISTED_ROWS = 1_000  # row numbers in a finding

_REMEDIES = {
    "error": "Correct the rows or the rule, or choose `on_violation: drop` or `keep` for it.",
    "drop": "They are left out, by `on_violation: drop`.",
    "keep": "They stay in the training rows; no synthetic row violates it.",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One violation of a schema (error), or an oddity for review (warning).

    Arguments:
        where: the table, column or rule.
        what: the fact, with counts and the first row numbers; never a cell value.
        remedy: the action, as a sentence.
        count: the number of rows concerned; 0 if it is not about rows.
        total: the number of rows in the table.
        rows: numbers of these rows, data rows counted from 1; the first 1,000 at most.
        severity: ``error`` or ``warning``.
        readable: whether the cells can be parsed and are only not allowed.
    """

    where: str
    what: str
    remedy: str
    count: int = 0
    total: int = 0
    rows: tuple[int, ...] = ()
    severity: Severity = "error"
    readable: bool = False

    def __str__(self) -> str:
        return f"{self.where}: {self.what}. {self.remedy}"


def conform(table: pd.DataFrame, schema: Schema, *, judged: bool = False) -> pd.DataFrame:
    """Return the typed table of a schema: its columns, in its order, in their canonical dtypes.

    A text column that is absent stays absent. Constraints are not checked here; see `without_violations`.

    Arguments:
        table: any table.
        schema: what its columns mean.
        judged: whether it is a synthetic table, in which scores count the violations: a value outside the declaration
            is one there too where `other` reads it as missing in real tables, and an undeclared level becomes
            `UNDECLARED`, so that no name is told.

    Returns:
        a new table with rows numbered from 0. The function is idempotent.

    Raises:
        DataError: naming every problem, a line each, ten at most.

    Example:
        >>> from synthclin.schema import Schema
        >>> schema = Schema.model_validate({"columns": {"age": {"type": "integer", "range": [18, 105]},
        ...                                             "sex": {"type": "category", "categories": ["F", "M"]}}})
        >>> conform(pd.DataFrame({"sex": ["F", "M"], "age": ["64", "71"]}), schema).dtypes.astype(str).to_dict()
        {'age': 'Int64', 'sex': 'category'}
        >>> conform(pd.DataFrame({"sex": ["F", "X"], "age": [64, 7]}), schema)
        Traceback (most recent call last):
        ...
        synthclin.errors.DataError: column 'age': 1 of 2 rows (2) holds a value outside its `range`. Widen `range`, ...
        column 'sex': 1 of 2 rows (2) holds a value outside its 2 categories. Add it to `categories`, or recode it.
    """
    findings, typed = examine(table, schema.without_other() if judged else schema)
    errors = [each for each in findings if each.severity == "error" and not (judged and each.readable)]
    if errors:
        first, *others = errors
        lines = [first.remedy, *map(str, others[: LINES - 1])]
        if len(errors) > LINES:
            lines.append(f"... and {len(errors) - LINES:,} more. `synthclin schema check` lists them all.")
        raise DataError(first.where, first.what, "\n".join(lines))
    return _with_undeclared(typed, table, schema) if judged else typed


def readable_cells(table: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return the typed table of a schema, whatever its cells hold: no cell and no rule stops it.

    Cells that are no value of their column's type are missing, values outside a range stay. Each row depends on the
    same row of `table` alone, which differential privacy needs. Raises DataError where columns are absent, unknown or
    repeated.
    """
    findings, typed = examine(table, schema)
    for each in findings:
        if each.severity == "error" and not each.readable and not each.count:
            raise DataError(each.where, each.what, each.remedy)
    return typed


def valid_rows(typed: pd.DataFrame, schema: Schema) -> NDArray[np.bool_]:
    """Return which rows of `readable_cells` satisfy all declarations, and every rule but those that keep violations."""
    valid = np.ones(len(typed), dtype=np.bool_)
    for name in schema.modelled:
        column = schema.columns[name]
        for problem in column.problems(typed[name]):
            valid &= (problem.severity != "error") | ~problem.mask.to_numpy(dtype=np.bool_)
        if not column.may_be_missing:
            valid &= typed[name].notna().to_numpy()
    for rule in schema.rules:
        if rule.on_violation != "keep" and set(rule.columns) <= set(typed.columns):
            valid &= ~rule.broken(typed).to_numpy(dtype=np.bool_)
    return valid


def _with_undeclared(typed: pd.DataFrame, table: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return a typed table in which each undeclared level is `UNDECLARED` instead of missing."""
    table = separated(table, schema.columns)[0].set_axis(typed.index)
    for name, column in schema.without_other().columns.items():
        if name not in typed or not isinstance(typed[name].dtype, pd.CategoricalDtype):
            continue
        _, undeclared = column.coerce(table[name])
        if undeclared.any():
            typed[name] = typed[name].cat.add_categories([UNDECLARED]).mask(undeclared, UNDECLARED)
    return typed


def check(table: pd.DataFrame, schema: Schema) -> list[Finding]:
    """Return all violations of the schema and its rules in `table`, errors first, then warnings.

    Example:
        >>> from synthclin.schema import Schema
        >>> schema = Schema.model_validate({"columns": {"sbp": {"type": "integer"}, "dbp": {"type": "integer"}},
        ...                                 "constraints": ["dbp < sbp"]})
        >>> for finding in check(pd.DataFrame({"sbp": [120, 80], "dbp": [80, 120]}), schema):
        ...     print(finding.severity, "-", finding)
        error - rule 'dbp < sbp': 1 of 2 rows (2) violates it. Correct the rows or the rule, or choose ...
    """
    findings, typed = examine(table, schema)
    findings += contradictions(schema)
    findings += [found for rule in schema.rules if (found := judge(rule, typed)) is not None]
    return sorted(findings, key=lambda finding: finding.severity != "error")


def refuse_contradiction(schema: Schema) -> None:
    """Raise ConfigError, naming the rules, if they leave a column without a value, or together without a level.

    Example:
        >>> from synthclin.schema import Schema
        >>> whole = {"type": "integer", "range": [0, 9]}
        >>> refuse_contradiction(Schema.model_validate({"columns": {"a": whole, "b": whole},
        ...                                             "constraints": ["a < b", "b < a"]}))
        Traceback (most recent call last):
        ...
        synthclin.errors.ConfigError: column 'b': no value is left by the rules 'a < b', 'b < a'. Correct one of them.
    """
    for found in contradictions(schema):
        if found.severity == "error":
            raise ConfigError(found.where, found.what, found.remedy)


def without_violations(table: pd.DataFrame, schema: Schema) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return a typed table without the rows that rules with `on_violation: drop` leave out, and the number per rule.

    A rule between visits leaves out all visits of a patient who violates it: without one of them, the next would
    follow another visit. It is judged on the visits that other rules leave.

    Raises:
        DataError: rows violate a rule with `on_violation: error`; it names their numbers.

    Example:
        >>> from synthclin.schema import Schema
        >>> rule = {"then": "dbp < sbp", "on_violation": "drop"}
        >>> schema = Schema.model_validate({"columns": {"sbp": {"type": "integer"}, "dbp": {"type": "integer"}},
        ...                                 "constraints": [rule]})
        >>> rows, dropped = without_violations(pd.DataFrame({"sbp": [120, 80], "dbp": [80, 120]}), schema)
        >>> len(rows), dropped
        (1, {'dbp < sbp': 1})
    """
    errors = [found for rule in schema.rules if (found := judge(rule, table)) and found.severity == "error"]
    if errors:
        first, *others = errors
        raise DataError(first.where, first.what, "\n".join([first.remedy, *map(str, others[: LINES - 1])]))
    dropped: dict[str, int] = {}
    rules = [rule for rule in schema.rules if rule.on_violation == "drop"]
    for between in (False, True):
        masks = {rule.text: rule.broken(table) for rule in rules if bool(rule.visit_functions) == between}
        if between and masks:
            patient = patients(table, schema)
            masks = {text: mask.groupby(patient).transform("any") for text, mask in masks.items()}
        counts = {text: int(mask.sum()) for text, mask in masks.items() if mask.any()}
        if counts:
            broken = np.any([mask.to_numpy(dtype=np.bool_) for mask in masks.values()], axis=0)
            table, dropped = table[~broken].reset_index(drop=True), dropped | counts
    return table, dropped


def contradictions(schema: Schema) -> list[Finding]:
    """Return the first column, if there is one, with an empty domain under the rules, or else the emptied levels.

    A level that several rules exclude together is an error. A single rule may exclude one on purpose, as a warning.
    """
    found = contradiction(schema)
    if found is not None:
        what = f"no value is left by {_named(found.rules)}"
        return [Finding(f"column {found.column!r}", what, f"Correct {_one_of(found.rules)}.")]
    return [
        Finding(
            f"column {empty.column!r}",
            f"no row can have its level {empty.level!r} under {_named(empty.rules)}",
            f"Correct {_one_of(empty.rules)}, or remove the level.",
            severity="warning" if len(empty.rules) == 1 else "error",
        )
        for empty in emptied_levels(schema)
    ]


def _named(rules: tuple[str, ...]) -> str:
    return f"{'the rule' if len(rules) == 1 else 'the rules'} {', '.join(map(repr, rules))}"


def _one_of(rules: tuple[str, ...]) -> str:
    return "it" if len(rules) == 1 else "one of them"


def examine(table: pd.DataFrame, schema: Schema) -> tuple[list[Finding], pd.DataFrame]:
    """Return the findings on the rows, columns and cells of `table`, and its known columns, typed."""
    require_table(table)
    require_schema(schema)
    table, unread_pairs = separated(table, schema.columns)
    findings = list(_shape(table, schema))
    findings += [each for name, mask in unread_pairs.items() for each in _unread_pairs(name, schema, mask)]
    no_pair = {part: mask for name, mask in unread_pairs.items() for part in schema.columns[name].parts or ()}
    typed: dict[str, pd.Series[Any]] = {}
    for name, column in schema.columns.items():
        places = np.flatnonzero(table.columns == name)
        if len(places) == 1 and len(table) and column.reason_for is None:
            series = table.iloc[:, places[0]].set_axis(pd.RangeIndex(len(table)))
            typed[name], unread = column.coerce(series)
            coded = pd.Series(no_pair.get(name, False), index=series.index, dtype=bool)
            unread &= ~coded
            if isinstance(kind := schema.columns.get(MissingReason.name(name)), MissingReason):
                unique = table.loc[:, ~table.columns.duplicated()].set_axis(series.index)
                typed[MissingReason.name(name)] = kind.read_reasons(column, unique)
                coded = typed[MissingReason.name(name)].notna()
            findings += _faults(name, column, typed[name], unread, coded)
    for parts in sources(schema.columns).values():
        if set(parts) <= set(typed) and any(schema.columns[part].other is not None for part in parts):
            whole = typed[parts[0]].notna() & typed[parts[1]].notna()
            typed |= {part: typed[part].where(whole) for part in parts}
    return findings, pd.DataFrame(typed)


def _unread_pairs(name: str, schema: Schema, mask: NDArray[np.bool_]) -> Iterator[Finding]:
    """Yield the finding on cells that do not hold two numbers, unless a part reads them as missing."""
    parts = schema.columns[name].parts or ()
    if all(schema.columns[part].other is None for part in parts):
        fact = f"hold something other than two numbers with {schema.columns[name].part_separator!r} between them"
        remedy = "Fill in the missing half, recode the cell as missing, or declare `other: missing` for both parts."
        yield from _rows(f"column {name!r}", pd.Series(mask), fact, remedy)


def _shape(table: pd.DataFrame, schema: Schema) -> Iterator[Finding]:
    """Yield findings on the shape and the column names of a table."""
    if len(table) < 2:
        yield Finding("table", f"has {'one row' if len(table) else 'no rows'}", "Give at least two.")
    if len(schema.modelled) < 2:
        count = "one column" if schema.modelled else "no column"
        yield Finding("table", f"has {count} to model", "Give at least two that are neither id, text nor derived.")
    if not set(table.columns) & set(schema.columns):
        # The names are left out: without a header line they would be the cells of a patient.
        what = f"none of its {table.shape[1]:,} columns is in the schema"
        yield Finding("table", what, "Check that this is the right table, and that its first line has the names.")
        return
    needed = [name for name, column in schema.columns.items() if not column.is_free_text and column.reason_for is None]
    absent = [name for name in needed if name not in table]
    for twin in dict.fromkeys(table.columns[table.columns.duplicated()]):
        places = np.flatnonzero(table.columns == twin) + 1
        if twin in schema.columns or not absent:
            yield Finding(f"column {twin!r}", f"is in the table {len(places)} times", "Rename or remove the others.")
        else:
            what = f"its columns {' and '.join(map(str, places))} have the same name"
            yield Finding("table", what, "Give each a name of its own.")
    for name in absent:
        remedy = "Add it to the table, or remove it from the schema."
        yield Finding(f"column {name!r}", "is in the schema, but not in the table", remedy)
    undeclared = [name for name in dict.fromkeys(table.columns) if name not in schema.columns]
    if absent and undeclared:
        # Where columns are absent, an undeclared name may be a cell of a patient.
        what = f"{len(undeclared):,} of its columns {'is' if len(undeclared) == 1 else 'are'} not in the schema"
        remedy = "Check that its first line holds the names; add what is new to the schema, by `type: text` to leave it"
        yield Finding("table", what, f"{remedy} out.")
        return
    for other in undeclared:
        remedy = "Add it to the schema; `type: text` leaves it out."
        yield Finding(f"column {other!r}", "is in the table, but not in the schema", remedy)


def _faults(
    name: str, column: Column, typed: pd.Series[Any], unread: pd.Series[bool], coded: pd.Series[bool]
) -> Iterator[Finding]:
    """Yield findings on the cells of one column, some of which are `coded` as missing."""
    where, missing = f"column {name!r}", typed.isna() & ~unread
    what, remedy = column.unreadable
    # An undeclared level counts as missing.
    level = column.levels is not None
    yield from _rows(where, unread, f"hold {what}", remedy, readable=level)
    if missing.all() and column.modelled:
        remedy = "Declare `type: text` to leave it out, or remove it."
        yield Finding(where, "every cell is missing", remedy, readable=True)
    elif not column.may_be_blank:
        # A visit without a time or a patient has no place in the table; they may not be declared missing.
        needed = column.role in ("visit", "entity")
        remedy = "Fill them in, or remove the rows." if needed else "Declare `missing: allowed`, or fill them in."
        yield from _rows(where, missing & ~coded, "hold no value", remedy, readable=True)
    for problem in column.problems(typed):
        fact = f"hold {problem.what}"
        yield from _rows(where, problem.mask, fact, problem.remedy, problem.severity, readable=True)
    if column.modelled and not unread.any() and len(typed.dropna().unique()) == 1:
        remedy = "It carries no information; remove it, unless it is intended."
        yield Finding(where, "every value is the same", remedy, severity="warning")


def judge(rule: Rule | Combinations, typed: pd.DataFrame, broken: NDArray[np.bool_] | None = None) -> Finding | None:
    """Return the finding on a rule, None if no row violates it or a column of it is absent.

    Arguments:
        rule: the rule to check.
        typed: the rows, in canonical types.
        broken: (rows,) which rows violate it, if that is known already.
    """
    if not set(rule.columns) <= set(typed.columns):
        return None
    where = f"rule {rule.text!r}"
    severity: Severity = "error" if rule.on_violation == "error" else "warning"
    if rule.on_violation == "drop" and rule.visit_functions:
        remedy = "All visits of their patients are left out, by `on_violation: drop`."
    else:
        remedy = _REMEDIES[rule.on_violation]
    try:
        mask = rule.broken(typed) if broken is None else pd.Series(broken, index=typed.index)
    except ConfigError as error:
        return Finding(where, error.what, error.remedy)
    return next(_rows(where, mask, "violate it", remedy, severity), None)


def _rows(
    where: str,
    mask: pd.Series[bool],
    fact: str,
    remedy: str,
    severity: Severity = "error",
    *,
    readable: bool = False,
) -> Iterator[Finding]:
    """Yield a finding on the rows in `mask`, if there are any; `fact` begins with a verb in the plural."""
    rows = np.flatnonzero(mask) + 1
    if len(rows):
        verb, _, rest = fact.partition(" ")
        listed = ", ".join(map(str, rows[:PRINTED_ROWS])) + (", ..." if len(rows) > PRINTED_ROWS else "")
        what = f"{len(rows):,} of {len(mask):,} rows ({listed}) {verb + 's' if len(rows) == 1 else verb} {rest}"
        first = tuple(rows[:LISTED_ROWS].tolist())
        yield Finding(where, what, remedy, len(rows), len(mask), first, severity, readable)

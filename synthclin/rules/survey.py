"""Survey of a table before a run: each column and rule in one line, by counts, never by a value."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthclin.rules.validation import Finding, contradictions, examine, judge
from synthclin.rules.visits import examine_visits, rows_as_patients
from synthclin.schema import Schema
from synthclin.schema.columns import Column, MissingReason
from synthclin.schema.patients import MIN_PATIENTS, patients
from synthclin.schema.split_columns import separated
from synthclin.schema.units import mixed_units

__all__ = ["ColumnView", "RuleView", "Survey", "survey"]

PARTS = 10  # equal intervals of a declared range, to show how much of it is used


@dataclass(frozen=True, slots=True)
class ColumnView:
    """One column of a table and its declaration.

    Arguments:
        name: its name.
        type: its type.
        unit: its unit, if one is declared.
        declared: its range or how many levels it has, in words.
        observed: how many intervals or levels the cells use.
        missing: the number of missing cells.
        share: their share of the rows.
        violations: the number of cells that violate the declaration.
        notes: findings for review.
    """

    name: str
    type: str
    unit: str | None
    declared: str
    observed: str
    missing: int
    share: float
    violations: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RuleView:
    """One rule: its text, the number of rows that violate it, and the first row numbers, counted from 1."""

    text: str
    violations: int
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Survey:
    """A survey of a table and its schema.

    Arguments:
        rows: the number of rows.
        patients: the number of patients; None where their column is absent.
        columns: each declared column that it has.
        rules: each rule whose columns it has.
        findings: as `synthclin.rules.validation.check` returns them.
    """

    rows: int
    patients: int | None
    columns: tuple[ColumnView, ...]
    rules: tuple[RuleView, ...]
    findings: tuple[Finding, ...]

    @property
    def valid(self) -> bool:
        """Whether the table can be used: no finding is an error."""
        return all(finding.severity != "error" for finding in self.findings)


def survey(table: pd.DataFrame, schema: Schema) -> Survey:
    """Return a survey of a table against its schema, for a person to read.

    It contains counts only, never a cell's value. An interval of a range, or a level, counts as used if it has at least
    eleven patients.

    Arguments:
        table: any table; columns that are absent or cannot be read are among the findings.
        schema: what its columns should be.

    Example:
        >>> schema = Schema.model_validate({"columns": {
        ...     "age": {"type": "integer", "unit": "a", "range": [0, 100]},
        ...     "sex": {"type": "category", "categories": ["F", "M", "X"]}}, "constraints": ["age >= 18"]})
        >>> seen = survey(pd.DataFrame({"age": [40, 45] * 20, "sex": ["F", "M"] * 20}), schema)
        >>> [(column.declared, column.observed, column.notes) for column in seen.columns]
        [('0 to 100', '1 of 10 parts', ()), ('3 levels', '2 of 3 levels', ('levels of fewer than 11 patients: 1',))]
        >>> [(rule.text, rule.violations) for rule in seen.rules]
        [('age >= 18', 0)]
    """
    found, typed = examine(table, schema)
    table, _ = separated(table, schema.columns)
    broken = {rule.text: finding for rule in schema.rules if (finding := judge(rule, typed)) is not None}
    findings = sorted(
        [*found, *contradictions(schema), *broken.values(), *_visits(typed, schema)],
        key=lambda finding: finding.severity != "error",
    )
    patient = None if schema.entity is not None and schema.entity not in typed else patients(typed, schema)
    if patient is None or len(patient) != len(table):
        patient = np.arange(len(table), dtype=np.int64)
    rules = tuple(
        RuleView(rule.text, broken[rule.text].count, broken[rule.text].rows) if rule.text in broken
        else RuleView(rule.text, 0, ())
        for rule in schema.rules
        if set(rule.columns) <= set(typed.columns)
    )  # fmt: skip
    columns = tuple(
        replace(view, notes=(*view.notes, *_lost(table, typed, schema, view.name)))
        for view in (_view(name, schema.columns[name], typed[name], patient, found) for name in typed.columns)
    )
    known = schema.entity is None or schema.entity in typed
    return Survey(len(table), len(np.unique(patient)) if known else None, columns, rules, tuple(findings))


def _visits(typed: pd.DataFrame, schema: Schema) -> list[Finding]:
    """Return the findings on patients with several rows."""
    if schema.entity is None or schema.entity not in typed:
        return []
    untold = rows_as_patients(typed, schema)
    return [*([] if untold is None else [untold]), *examine_visits(typed, schema)]


def _lost(table: pd.DataFrame, typed: pd.DataFrame, schema: Schema, name: str) -> list[str]:
    """Return the note on cells that `other: missing` reads as missing, if there are any."""
    if schema.columns[name].other is None:
        return []
    lost = table[name].notna().to_numpy() & typed[name].isna().to_numpy()
    if (reasons := MissingReason.name(name)) in typed:
        lost &= typed[reasons].isna().to_numpy()
    return [f"outside the declaration, and read as missing: {int(lost.sum()):,}"] if lost.any() else []


def _view(
    name: str, column: Column, cells: pd.Series[Any], patient: NDArray[np.int64], findings: list[Finding]
) -> ColumnView:
    about = [finding for finding in findings if finding.where == f"column {name!r}"]
    wrong = sum(finding.count for finding in about if finding.severity == "error")
    declared, observed, notes = _filled(column, cells, patient)
    notes += [finding.what for finding in about if finding.severity == "warning" and not finding.count]
    missing = int(cells.isna().sum())
    unread = sum(
        finding.count for finding in about if finding.severity == "error" and column.unreadable[0] in finding.what
    )
    missing -= unread  # an unreadable cell is missing in the typed table
    return ColumnView(
        name=name,
        type=column.type,
        unit=column.unit,
        declared=declared,
        observed=observed,
        missing=missing,
        share=missing / max(len(cells), 1),
        violations=wrong,
        notes=tuple(notes),
    )


def _filled(column: Column, cells: pd.Series[Any], patient: NDArray[np.int64]) -> tuple[str, str, list[str]]:
    """Return the declared range or levels, their use, and notes."""
    if not column.modelled:
        formula = column.derive
        return ("" if formula is None else f"computed: {formula}"), "", []
    if column.is_numeric or column.is_temporal:
        return _range(column, cells, patient)
    codes, levels = pd.factorize(cells)
    declared = column.levels
    satisfied = _patients_per_code(codes, patient, len(levels))
    total = len(levels) if declared is None else len(declared)
    rare = total - int(np.sum(satisfied >= MIN_PATIENTS))
    notes = [f"levels of fewer than {MIN_PATIENTS} patients: {rare}"] if rare else []
    return ("" if declared is None else _levels(total)), f"{total - rare} of {_levels(total)}", notes


def _range(column: Column, cells: pd.Series[Any], patient: NDArray[np.int64]) -> tuple[str, str, list[str]]:
    calendar = column.is_temporal
    notes = []
    if not calendar:
        values = cells.to_numpy(dtype=np.float64, na_value=np.nan)
        spikes = np.isin(values, column.spike_values)
        if mix := mixed_units(values[~spikes]):
            notes.append(f"two units? {mix.lower:,} and {mix.upper:,} cells lie apart as {mix.units} do")
    bounds = column.bounds
    if bounds is None:
        return "", "", [*notes, "no range is declared"]
    declared = f"{bounds[0]} to {bounds[1]}" if calendar else f"{bounds[0]:.15g} to {bounds[1]:.15g}"
    low, high = (float(pd.Timestamp(bound).value) if calendar else float(bound) for bound in bounds)
    if high == low:
        return declared, "", notes
    numbers = cells.astype("int64").astype(float).where(cells.notna()).to_numpy() if calendar else values
    parts = np.floor(np.clip((numbers - low) / (high - low), 0, 1 - 1e-12) * PARTS)
    inside = ~np.isnan(numbers) & (numbers >= low) & (numbers <= high)
    satisfied = _patients_per_code(np.where(inside, np.nan_to_num(parts), -1).astype(np.int64), patient, PARTS)
    used = int(np.sum(satisfied >= MIN_PATIENTS))
    return declared, f"{used} of {PARTS} parts", notes


def _levels(count: int) -> str:
    return "1 level" if count == 1 else f"{count:,} levels"


def _patients_per_code(codes: NDArray[np.int64], patient: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Return (size,) the number of patients with each code; codes below 0 are ignored."""
    known = codes >= 0
    pairs = np.unique(np.stack([codes[known], patient[known]]), axis=1)
    return np.bincount(pairs[0], minlength=size).astype(np.int64)

"""Linear means in the table of patients: first values given what is static, and how long a patient is followed.

Some hundred patients show that those with few visits before death have higher values, but a regression on pairs of
codes has too many coefficients for it. As at later visits, the network then learns the distribution of the residual.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from synthclin.expressions import parse
from synthclin.models.visits.line import Line, spikes_of
from synthclin.models.visits.linear_mean import FOLDS, LinearMean
from synthclin.models.visits.patient_rows import PatientRows
from synthclin.models.visits.transitions import Scales, indicators
from synthclin.models.visits.variables import MISSING, Variables
from synthclin.schema import Schema
from synthclin.schema.columns import Column, MissingReason, Number
from synthclin.schema.visit_times import times_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

__all__ = ["FirstVisits"]

PATIENTS_PER_FREE = 15
"""Patients for each feature that is hardly penalised."""

LEAST_EXPLAINED = 0.03
"""Cross-validated share of variance above which a linear mean is used; else the values keep their spikes."""


@dataclass(frozen=True, slots=True)
class FirstVisits:
    """Columns of the table of patients that are modelled as residuals of a linear mean.

    Arguments:
        rows: the table of patients.
        variables: the columns of the visits.
        scales: of time.
        means: by column its linear mean, in the order in which they are computed.
    """

    rows: PatientRows
    variables: Variables
    scales: Scales
    means: dict[str, LinearMean]

    @classmethod
    def fit(
        cls, people: pd.DataFrame, rows: PatientRows, variables: Variables, scales: Scales, limit: int, seed: int
    ) -> Self:
        """Return the means that predict other patients; a column with spikes has none.

        Arguments:
            people: (patients, columns) of `PatientRows.table`.
            rows: its schema.
            variables: the columns of the visits.
            scales: of time.
            limit: fewest patients at a spike.
            seed: of the folds.
        """
        found = cls(rows, variables, scales, {})
        known: list[Floats] = [found._base(people)]
        patient = np.arange(len(people))
        for name in found._candidates():
            target = found._read(name, people)
            features, here = np.concatenate(known, axis=1), np.isfinite(target)
            free = np.zeros(features.shape[1], dtype=np.bool_)
            free[known[0].shape[1] : known[0].shape[1] + 2] = True  # the length of follow-up, where it is known
            # Few against the patients, and the first that anybody compares: arm, sex, age, event.
            static = found._static_width()
            free[:static] = static * PATIENTS_PER_FREE <= here.sum()
            spiky = name != rows.count and bool(spikes_of(target[here], patient[here], limit))
            if here.sum() > 2 * FOLDS and name != rows.count and not spiky:
                mean, explained = LinearMean.judged(features[here], target[here], patient[here], free, seed)
                if explained > LEAST_EXPLAINED:
                    found.means[name] = mean
            known.append(found._known(name, target, people))
        return found

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        tensors: Mapping[str, Tensor],
        rows: PatientRows,
        variables: Variables,
        scales: Scales,
    ) -> Self:
        """Return the means from plain data; raises LookupError, TypeError or ValueError where they do not fit."""
        found = cls(rows, variables, scales, {})
        if set(tensors) != set(names_of(names)) or not set(names) <= set(found._candidates()[1:]):
            raise ValueError("means of other columns")
        for i, name in enumerate(names):
            found.means[name] = LinearMean.of(tensors, f"first.{i}", found._width(name))
        return found

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The coefficients."""
        found: dict[str, Tensor] = {}
        for i, mean in enumerate(self.means.values()):
            found[f"first.{i}.weights"] = torch.from_numpy(mean.weights)
            found[f"first.{i}.constant"] = torch.from_numpy(mean.constant)
        return found

    @property
    def schema(self) -> Schema:
        """The schema of the table that the network models: residuals in the place of some columns."""
        whole = self.rows.schema
        columns: dict[str, Column] = {}
        for name, column in whole.columns.items():
            if name in self.means:
                missing = "allowed" if column.may_be_missing else "never"
                columns[name] = Number(missing=missing)
            elif column.reason_for is None and not self._computed_from_means(name):
                columns[name] = column
        kept = set(columns) - set(self.means) | {MissingReason.name(name) for name in columns}
        rules = [rule for rule in whole.constraints if set(rule.columns) <= kept]
        return Schema.model_validate({"columns": columns, "constraints": rules})

    def table(self, people: pd.DataFrame) -> pd.DataFrame:
        """Return the typed table that the network models."""
        schema, found, known = self.schema, people.copy(), [self._base(people)]
        for name in self._candidates():
            target = self._read(name, people)
            if name in self.means:
                found[name] = target - self.means[name].predict(np.concatenate(known, axis=1))
            known.append(self._known(name, target, people))
        return found[list(schema.columns)]

    def decoded(self, sampled: pd.DataFrame) -> tuple[pd.DataFrame, Bools]:
        """Return the table of patients of a sampled table, and which (patients,) are inside all bounds."""
        people, possible = sampled.copy(), np.ones(len(sampled), dtype=np.bool_)
        for name in self.rows.schema.columns:
            if name not in people:
                blank = pd.Series([None] * len(people), dtype=object)
                people[name] = self.rows.schema.columns[name].coerce(blank)[0]
        known = [self._base(people)]
        for name in self._candidates():
            if name in self.means:
                residual = sampled[name].to_numpy(dtype=np.float64)
                value = residual + self.means[name].predict(np.concatenate(known, axis=1))
                possible &= self._write(name, value, people)
            known.append(self._known(name, self._read(name, people), people))
        return people, possible

    def completed(self, sampled: pd.DataFrame, before: pd.DataFrame, holes: Mapping[str, Bools]) -> pd.DataFrame:
        """Return rows of patients whose holes are those of a completed table of residuals; other cells stay.

        Arguments:
            sampled: (patients, columns) as the network models them, completed.
            before: (patients, columns) with the known cells.
            holes: by column, which (patients,) cells are taken from `sampled`.
        """
        people = before.copy()
        for name, hole in holes.items():
            if name in sampled and name not in self.means:
                people[name] = people[name].where(~hole, sampled[name].astype(people[name].dtype))
        known = [self._base(people)]
        for name in self._candidates():
            if name in self.means and name in holes:
                residual = sampled[name].to_numpy(dtype=np.float64, na_value=np.nan)
                written = people.copy()
                self._write(name, residual + self.means[name].predict(np.concatenate(known, axis=1)), written)
                people[name] = people[name].where(~holes[name], written[name])
            known.append(self._known(name, self._read(name, people), people))
        return people

    def _candidates(self) -> list[str]:
        """Return the number of visits, a feature alone, and the first values in no rule, which may have a mean."""
        ruled = {name for rule in self.rows.schema.imposed for name in rule.columns}
        lines = [line.name for line in self.variables.lines if line.name in self.rows.schema.columns]
        return [
            self.rows.count,
            *(name for name in lines if name not in ruled and self._line(name).days is None),
        ]

    def _line(self, name: str) -> Line:
        return next(line for line in self.variables.lines if line.name == name)

    def _base(self, people: pd.DataFrame) -> Floats:
        """Return the (patients, features) that every mean has: static columns and the levels of the first visit."""
        numbers, codes = self.variables.statics(people)
        parts = [numbers, *(indicators(codes[:, j], held) for j, held in enumerate(self.variables.static_levels))]
        for levels in self.variables.levels:
            if levels.name in people:
                now = levels.read(people[levels.name])
                parts += [indicators(now, levels), np.asarray(now == MISSING, dtype=np.float64)[:, None]]
        return np.concatenate([np.zeros((len(people), 0)), *parts], axis=1)

    def _known(self, name: str, value: Floats, people: pd.DataFrame) -> Floats:
        """Return the (patients, features) of a column for the means after it."""
        if name != self.rows.count:
            return np.column_stack([np.nan_to_num(value), ~np.isfinite(value)])
        count = people[name].to_numpy(dtype=np.int64)
        slack = np.full(len(people), np.nan) if self.rows.slack is None else times_of(people[self.rows.slack])
        # What the follow-up will be, about: by far the most telling part.
        length = np.log1p((self.scales.elapsed(count) + np.nan_to_num(slack)) / self.scales.span)
        after = np.log1p(np.nan_to_num(slack) / self.scales.slack)
        parts = [np.column_stack([length, length**2, value, 1 / count, after, ~np.isfinite(slack)])]
        _, codes = self.variables.statics(people)
        for j, levels in enumerate(self.variables.static_levels):
            parts.append(indicators(codes[:, j], levels) * length[:, None])
        return np.concatenate(parts, axis=1)

    def _static_width(self) -> int:
        """Return the number of features of static columns."""
        held = sum(len(levels.codes) + 1 for levels in self.variables.static_levels)
        return len(self.variables.static_lines) + held

    def _width(self, name: str) -> int:
        """Return the number of features of a column's mean."""
        held = sum(len(levels.codes) + 1 for levels in self.variables.static_levels)
        first = [levels for levels in self.variables.levels if levels.name in self.rows.schema.columns]
        width = self._static_width() + sum(len(levels.codes) + 2 for levels in first)
        for other in self._candidates():
            if other == name:
                return width
            width += 6 + held if other == self.rows.count else 2
        raise ValueError("no column with a mean")

    def _read(self, name: str, people: pd.DataFrame) -> Floats:
        """Return the (patients,) values of a column on the scale of its mean."""
        if name == self.rows.count:
            return np.asarray(np.log(people[name].to_numpy(dtype=np.float64)))
        return self._line(name).read(people[name], np.zeros(len(people)))

    def _write(self, name: str, value: Floats, people: pd.DataFrame) -> Bools:
        """Write the typed cells of (patients,) values into the table, and return which are possible."""
        column, known = self.rows.schema.columns[name], np.isfinite(value)
        plain = np.nan_to_num(value)
        line, none = self._line(name), np.zeros(len(people))
        people[name] = column.coerce(line.write(plain, none).mask(~known))[0]
        return np.asarray(~known | line.possible(plain, none))

    def _computed_from_means(self, name: str) -> bool:
        """Whether a column is computed from one that is modelled as a residual."""
        formula = self.rows.schema.columns[name].derive
        sources = set() if formula is None else parse(formula).columns
        return any(source in self.means or self._computed_from_means(source) for source in sources)


def names_of(means: Sequence[str]) -> list[str]:
    """Return the names of the tensors of so many means."""
    return [f"first.{i}.{part}" for i in range(len(means)) for part in ("weights", "constant")]

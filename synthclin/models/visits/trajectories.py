"""Sampling of the visits of many patients side by side, visit by visit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from synthclin.models.visits.history import History
from synthclin.models.visits.patient_rows import PatientRows
from synthclin.models.visits.transitions import Patients
from synthclin.models.visits.visit_model import VisitModel, planned_times
from synthclin.models.visits.visit_rules import StepRules, VisitMemory
from synthclin.rules.rules import finish, violations
from synthclin.schema import Schema
from synthclin.schema.visit_times import times_of
from synthclin.seeds import numpy_generator, torch_generator

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

__all__ = ["WHO", "Trajectories", "resolution_of"]

PROPOSALS = (1, 4, 16)
"""Proposals of a visit in each round until one satisfies bounds and rules; then the patient's visits begin anew."""

MORE_PROPOSALS = (*PROPOSALS, 64)
"""The same where rules between visits refuse some."""

WHO = "\0patient"
"""Column with the number of the patient; no column of a schema has such a name."""


@dataclass(slots=True)
class _Run:
    """State of sampling: patients, their visits, what is known of them, and the last typed levels by column."""

    people: pd.DataFrame
    first: pd.DataFrame
    patients: Patients
    history: History
    memory: VisitMemory
    last: dict[str, NDArray[np.object_]]
    alive: Bools


@dataclass(frozen=True, slots=True)
class Trajectories:
    """Sampler of visits.

    Arguments:
        schema: of the visits.
        rows: the table of patients.
        model: of the second and later visits.
    """

    schema: Schema
    rows: PatientRows
    model: VisitModel
    _between: StepRules = field(init=False)
    _of_a_row: Schema = field(init=False)

    def __post_init__(self) -> None:
        unknown = [name for name in (self.rows.follow_up,) if name is not None]
        object.__setattr__(self, "_between", StepRules.of(self.schema, unknown))
        object.__setattr__(self, "_of_a_row", self.rows.of_any_visit())

    def sample(self, people: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, Bools]:
        """Return the visits of the patients in order, and which patients satisfy every bound and rule."""
        run = self._begin(people)
        parts = [run.first[list(self.schema.modelled)].assign(**{WHO: np.arange(len(people))})]
        for k in range(1, int(run.patients.count.max(initial=1))):
            waiting = np.flatnonzero(run.alive & (run.patients.count > k))
            for attempt, proposals in enumerate(MORE_PROPOSALS if self._between.rules else PROPOSALS):
                if not len(waiting):
                    break
                source = torch_generator(seed, "visit", k, attempt), numpy_generator(seed, "visit", k, attempt)
                rows = self._visit(run, np.repeat(waiting, proposals), source)
                parts.append(rows)
                waiting = np.setdiff1d(waiting, rows[WHO].to_numpy())
            run.alive[waiting] = False
        table = pd.concat(parts, ignore_index=True).sort_values(WHO, kind="stable").reset_index(drop=True)
        self._end(table, run)
        broken = _violated(self._finished(table), self.schema)
        run.alive[np.unique(table[WHO].to_numpy()[broken])] = False
        return table, run.alive

    def _begin(self, people: pd.DataFrame) -> _Run:
        """Return the state after the first visits."""
        variables, whole = self.model.variables, people.copy()
        for name in self.schema.modelled:
            if name not in whole:
                whole[name] = self.schema.columns[name].coerce(pd.Series([None] * len(people), dtype=object))[0]
        slack = np.full(len(people), np.nan) if self.rows.slack is None else times_of(people[self.rows.slack])
        count = people[self.rows.count].to_numpy(dtype=np.int64)
        history = History(len(people), len(variables.lines), len(variables.levels))
        if self.schema.planned.schedule and not variables.dated:
            first = planned_times(times_of(whole[variables.time]), np.full(len(people), np.nan), self.schema.planned)
            whole[variables.time] = _time_cells(first, self.schema)
        time, none = times_of(whole[variables.time]), np.zeros(len(people))
        history.observe(np.arange(len(people)), time, none, *variables.read(whole))
        known = Patients(count, slack, *variables.statics(whole))
        last = {levels.name: whole[levels.name].astype(object).to_numpy() for levels in variables.levels}
        memory = self._between.begin(finish(whole, self.schema))
        alive = ~self._between.broken_first(memory, count)
        return _Run(people, whole, known, history, memory, last, alive)

    def _visit(self, run: _Run, who: Ints, source: tuple[torch.Generator, np.random.Generator]) -> pd.DataFrame:
        """Return a visit of each patient of whom one of the proposals is possible, and add it to the history."""
        model, history = self.model, run.history
        cells, codes, ratio, possible = model.sample(who, run.patients, history, self.schema.planned, source)
        time = cells.pop("time").to_numpy()
        for j, levels in enumerate(model.variables.levels):
            # Several rare levels may share a code: those that stay are copied.
            stays = (codes[:, j] >= 0) & (codes[:, j] == history.level[who, j])
            cells[levels.name] = np.where(stays, run.last[levels.name][who], cells[levels.name].astype(object))
        rows = self._rows(run.first.iloc[who], cells, time)
        whole, broken = self._judged(rows, run.people.iloc[who])
        possible &= ~broken
        possible &= ~self._between.broken(whole, who, run.memory, run.patients.count)
        if self.rows.follow_up is not None:
            possible &= self._reachable(time, run.patients.slack[who], history.start[who])
        done, first = np.unique(who[possible], return_index=True)
        chosen = np.flatnonzero(possible)[first]
        rows = rows.iloc[chosen]
        # As they are written: rules may have emptied cells.
        history.observe(done, time[chosen], ratio[chosen], *model.variables.read(rows))
        run.memory.add(done, whole.iloc[chosen])
        for name, last in run.last.items():
            seen = rows[name].notna().to_numpy()
            last[done[seen]] = rows[name].astype(object).to_numpy()[seen]
        return rows.assign(**{WHO: done})

    def _end(self, table: pd.DataFrame, run: _Run) -> None:
        """Write the follow-up time of each patient: the last visit and the slack after it."""
        if (follow_up := self.rows.follow_up) is None:
            return
        column = self.schema.columns[follow_up]
        ends = run.history.time + run.patients.slack
        if self.model.variables.dated:
            ends = ends - run.history.start
        ends = np.round(ends, 9 if column.decimal_places is None else column.decimal_places)
        table[follow_up] = column.coerce(pd.Series(ends[table[WHO].to_numpy()]))[0]

    def _rows(self, static: pd.DataFrame, cells: pd.DataFrame, time: Floats) -> pd.DataFrame:
        """Return whole typed rows of visits."""
        rows = static[list(self.schema.modelled)].reset_index(drop=True)
        for name in map(str, cells):
            rows[name] = self.schema.columns[name].coerce(cells[name])[0]
        rows[self.model.variables.time] = _time_cells(time, self.schema)
        for name, column in self.schema.columns.items():
            if (explained := column.reason_for) is not None and name in rows:
                rows[explained] = rows[explained].mask(rows[name].notna())
        return rows

    def _judged(self, rows: pd.DataFrame, people: pd.DataFrame) -> tuple[pd.DataFrame, Bools]:
        """Return whole rows, and which violate a rule on rows that needs no follow-up.

        Cells that `missing_when` empties are emptied in `rows` too.
        """
        schema = self._of_a_row
        extra = {name: people[name].to_numpy() for name in schema.columns if name in people and name not in rows}
        whole = finish(rows.assign(**extra), schema)
        for name in rows.columns.intersection(whole.columns):
            rows[name] = whole[name].to_numpy() if rows[name].dtype != whole[name].dtype else whole[name]
        broken = _violated(whole[[name for name in whole if name not in extra]], schema)
        if absent := [name for name in self._between.columns if name not in whole]:
            whole = whole.assign(**finish(rows, self.schema)[absent])
        return whole, broken

    def _finished(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return whole visits; those of a patient have one identifier."""
        whole, entity = finish(table, self.schema), self.schema.entity
        assert entity is not None
        first = np.unique(table[WHO].to_numpy(), return_index=True)[1]
        names = whole[entity].iloc[first]
        whole[entity] = names.iloc[pd.factorize(table[WHO])[0]].array
        return whole

    def _reachable(self, time: Floats, slack: Floats, start: Floats) -> Bools:
        """Return which times leave the follow-up inside its range."""
        assert self.rows.follow_up is not None
        highest: Any = (self.schema.columns[self.rows.follow_up].bounds or (0, np.inf))[1]
        ends = time - (start if self.model.variables.dated else 0.0) + np.nan_to_num(slack)
        return np.asarray(ends <= float(highest))


def _violated(rows: pd.DataFrame, schema: Schema) -> Bools:
    """Return which rows violate a rule or hold a cell that is not valid."""
    broken = np.zeros(len(rows), dtype=np.bool_)
    for mask in violations(rows, schema).values():
        broken |= mask.to_numpy(dtype=np.bool_)
    return broken


def resolution_of(schema: Schema) -> float:
    """Return the least distance of two visits, in the unit of the visit time or in days."""
    assert schema.visit_time is not None
    column = schema.columns[schema.visit_time]
    if column.is_temporal:
        return 1.0 if column.resolution == "D" else 60 / 86_400
    return 1e-9 if column.decimal_places is None else 10.0**-column.decimal_places


def _time_cells(time: Floats, schema: Schema) -> pd.Series:
    """Return the typed cells of visit times."""
    assert schema.visit_time is not None
    column = schema.columns[schema.visit_time]
    if column.is_temporal:
        seconds = np.rint(np.nan_to_num(time) * 86_400).astype(np.int64)
        stamps = seconds.astype("datetime64[s]").astype("datetime64[ns]")
        return pd.Series(np.where(np.isfinite(time), stamps, np.datetime64("NaT")))
    decimals = column.decimal_places
    return column.coerce(pd.Series(time if decimals is None else np.round(time, decimals)))[0]

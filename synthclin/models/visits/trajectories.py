"""Sampling of the visits of many patients side by side, visit by visit."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from synthclin.models.visits.history import History
from synthclin.models.visits.patient_rows import PatientRows
from synthclin.models.visits.transitions import Patients
from synthclin.models.visits.visit_model import VisitModel, planned_times
from synthclin.models.visits.visit_rules import StepRules, VisitMemory
from synthclin.rules.rules import computed, finish, violations
from synthclin.schema import Schema
from synthclin.schema.visit_times import times_of
from synthclin.seeds import numpy_generator, torch_generator

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import torch
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

__all__ = ["WHO", "Run", "Trajectories", "any_of", "resolution_of"]

PROPOSALS = (1, 4, 16)
"""Proposals of a visit in each round until one satisfies bounds and rules; then the patient's visits begin anew."""

MORE_PROPOSALS = (*PROPOSALS, 64)
"""The same where rules between visits refuse some."""

WHO = "\0patient"
"""Column with the number of the patient; no column of a schema has such a name."""


@dataclass(slots=True)
class Run:
    """State of sampling.

    Arguments:
        people: (patients, columns) rows of patients.
        first: (patients, columns) typed first visits.
        patients: what is known of each beside the visits.
        history: of the visits so far.
        memory: of what rules between visits name.
        last: by column of levels, the (patients,) last typed level.
        alive: (patients,) who has had a possible visit each time.
        limit: (patients,) last possible time of a visit.
    """

    people: pd.DataFrame
    first: pd.DataFrame
    patients: Patients
    history: History
    memory: VisitMemory
    last: dict[str, NDArray[np.object_]]
    alive: Bools
    limit: Floats

    def take(self, index: Ints) -> Run:
        """Return the state of some patients, (index,), who may repeat."""
        people, first = (part.iloc[index].reset_index(drop=True) for part in (self.people, self.first))
        last = {name: cells[index] for name, cells in self.last.items()}
        history, memory = self.history.take(index), self.memory.take(index)
        return Run(people, first, self.patients[index], history, memory, last, self.alive[index], self.limit[index])


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
    between: StepRules = field(init=False)
    _of_a_row: Schema = field(init=False)

    def __post_init__(self) -> None:
        unknown = [name for name in (self.rows.follow_up,) if name is not None]
        object.__setattr__(self, "between", StepRules.of(self.schema, unknown))
        object.__setattr__(self, "_of_a_row", self.rows.of_any_visit())

    def sample(self, people: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, Bools]:
        """Return the visits of the patients in order, and which patients satisfy every bound and rule."""
        run = self.begin(people)
        parts = [run.first[list(self.schema.modelled)].assign(**{WHO: np.arange(len(people))})]
        table = pd.concat([*parts, *self.grow(run, seed)], ignore_index=True)
        table = table.sort_values(WHO, kind="stable").reset_index(drop=True)
        self.end(table, run)
        broken = any_of(violations(self.finished(table), self.schema), len(table))
        run.alive[np.unique(table[WHO].to_numpy()[broken])] = False
        return table, run.alive

    def grow(self, run: Run, seed: int) -> Iterator[pd.DataFrame]:
        """Yield further visits, numbered in `WHO`, of all patients who have not all of theirs; kill the impossible."""
        proposed = MORE_PROPOSALS if self.between.rules else PROPOSALS
        for k in range(int(run.history.number.min(initial=1)), int(run.patients.count.max(initial=1))):
            waiting = np.flatnonzero(run.alive & (run.patients.count > k) & (run.history.number == k))
            for attempt, proposals in enumerate(proposed):
                if not len(waiting):
                    break
                source = torch_generator(seed, "visit", k, attempt), numpy_generator(seed, "visit", k, attempt)
                rows = self._visit(run, np.repeat(waiting, proposals), source)
                yield rows
                waiting = np.setdiff1d(waiting, rows[WHO].to_numpy())
            run.alive[waiting] = False

    def begin(self, people: pd.DataFrame) -> Run:
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
        memory = self.between.begin(finish(whole, self.schema))
        alive = ~any_of(self.between.broken_first(memory, count), len(people))
        return Run(people, whole, known, history, memory, last, alive, np.full(len(people), np.inf))

    def _visit(self, run: Run, who: Ints, source: tuple[torch.Generator, np.random.Generator]) -> pd.DataFrame:
        """Return a visit of each patient of whom one of the proposals is possible, and add it to the history."""
        model, history = self.model, run.history
        cells, codes, ratio, possible = model.sample(who, run.patients, history, self.schema.planned, source)
        time = cells.pop("time").to_numpy()
        for j, levels in enumerate(model.variables.levels):
            # Several rare levels may share a code: those that stay are copied.
            stays = (codes[:, j] >= 0) & (codes[:, j] == history.level[who, j])
            cells[levels.name] = np.where(stays, run.last[levels.name][who], cells[levels.name].astype(object))
        rows = self.visit_rows(run.first.iloc[who], cells, time)
        whole, broken = self.judged(run, rows, who)
        possible &= ~any_of(broken, len(who)) & (time <= run.limit[who])
        if self.rows.follow_up is not None:
            possible &= self._reachable(time, run.patients.slack[who], history.start[who])
        done, first = np.unique(who[possible], return_index=True)
        chosen = np.flatnonzero(possible)[first]
        self.add(run, done, rows.iloc[chosen], whole.iloc[chosen], ratio[chosen])
        return rows.iloc[chosen].assign(**{WHO: done})

    def add(self, run: Run, who: Ints, rows: pd.DataFrame, whole: pd.DataFrame, ratio: Floats) -> None:
        """Add the next visit of the patients `who`, each once, to their state; `whole` has derived columns too."""
        # As they are written: rules may have emptied cells.
        variables = self.model.variables
        run.history.observe(who, times_of(rows[variables.time]), ratio, *variables.read(rows))
        run.memory.add(who, whole)
        for name, last in run.last.items():
            seen = rows[name].notna().to_numpy()
            last[who[seen]] = rows[name].astype(object).to_numpy()[seen]

    def end(self, table: pd.DataFrame, run: Run) -> None:
        """Write the follow-up time of each patient: the last visit and the slack after it."""
        if (follow_up := self.rows.follow_up) is None:
            return
        column = self.schema.columns[follow_up]
        ends = run.history.time + run.patients.slack
        if self.model.variables.dated:
            ends = ends - run.history.start
        ends = np.round(ends, 9 if column.decimal_places is None else column.decimal_places)
        table[follow_up] = column.coerce(pd.Series(ends[table[WHO].to_numpy()]))[0]

    def visit_rows(self, static: pd.DataFrame, cells: pd.DataFrame, time: Floats) -> pd.DataFrame:
        """Return whole typed rows of visits."""
        rows = static[list(self.schema.modelled)].reset_index(drop=True)
        for name in map(str, cells):
            rows[name] = self.schema.columns[name].coerce(cells[name])[0]
        rows[self.model.variables.time] = _time_cells(time, self.schema)
        for name, column in self.schema.columns.items():
            if (explained := column.reason_for) is not None and name in rows:
                rows[explained] = rows[explained].mask(rows[name].notna())
        return rows

    def judged(self, run: Run, rows: pd.DataFrame, who: Ints) -> tuple[pd.DataFrame, dict[str, Bools]]:
        """Return whole rows of next visits, and which violate each rule that needs no follow-up, by its text.

        Cells that `missing_when` empties are emptied in `rows` too.
        """
        schema, people = self._of_a_row, run.people.iloc[who]
        extra = {name: people[name].to_numpy() for name in schema.columns if name in people and name not in rows}
        whole = computed(rows.assign(**extra), schema)
        for name in rows.columns.intersection(whole.columns):
            rows[name] = whole[name].to_numpy() if rows[name].dtype != whole[name].dtype else whole[name]
        found = violations(whole[[name for name in whole if name not in extra]], schema)
        broken = {text: mask.to_numpy(dtype=np.bool_) for text, mask in found.items()}
        if absent := [name for name in self.between.columns if name not in whole]:
            whole = whole.assign(**computed(rows, self.schema)[absent])
        return whole, broken | self.between.broken(whole, who, run.memory, run.patients.count)

    def finished(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return whole visits; those of a patient have one identifier."""
        whole, entity = finish(table, self.schema), self.schema.entity
        assert entity is not None
        first = np.unique(table[WHO].to_numpy(), return_index=True)[1]
        names = whole[entity].iloc[first]
        whole[entity] = names.iloc[pd.factorize(table[WHO])[0]].array
        return whole

    def shortened(self, run: Run) -> Patients:
        """Return what is known of patients, with no more follow-up after the last visit than its range allows."""
        time = run.history.time - (run.history.start if self.model.variables.dated else 0.0)
        return replace(run.patients, slack=np.minimum(run.patients.slack, np.maximum(self._longest() - time, 0.0)))

    def _reachable(self, time: Floats, slack: Floats, start: Floats) -> Bools:
        """Return which times leave the follow-up inside its range."""
        ends = time - (start if self.model.variables.dated else 0.0) + np.nan_to_num(slack)
        return np.asarray(ends <= self._longest())

    def _longest(self) -> float:
        """Return the longest follow-up of its range."""
        if self.rows.follow_up is None:
            return np.inf
        highest: Any = (self.schema.columns[self.rows.follow_up].bounds or (0, np.inf))[1]
        return float(highest)


def any_of(broken: Mapping[str, Any], rows: int) -> Bools:
    """Return which of (rows,) violate one of several rules; `broken` has the violations by rule."""
    found = np.zeros(rows, dtype=np.bool_)
    for mask in broken.values():
        found |= np.asarray(mask, dtype=np.bool_)
    return found


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

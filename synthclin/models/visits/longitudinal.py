"""Generative model of a longitudinal table: patients first, then their visits one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from synthclin.errors import ConditionError, ConfigError, ModelFormatError
from synthclin.expressions import parse, quote_level, quote_name
from synthclin.models.visits.history import History
from synthclin.models.visits.patient_rows import PatientRows, follow_up_of, slacks
from synthclin.models.visits.transitions import Patients
from synthclin.models.visits.variables import Variables
from synthclin.models.visits.visit_model import RowModel, VisitModel
from synthclin.rules.rules import finish, violations
from synthclin.schema import Schema
from synthclin.schema.visit_times import times_of
from synthclin.schema.columns import Id
from synthclin.schema.patients import patients as patients_of
from synthclin.seeds import numpy_generator, stream_seed, torch_generator

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from synthclin.encoding import TableEncoder
    from synthclin.models.callbacks import Callback
    from synthclin.sampling.sample_facts import SampleFacts
    from synthclin.schema.columns import Level

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

__all__ = ["Longitudinal"]

PROPOSALS = (1, 4, 16)
"""Proposals of a visit in each round until one satisfies bounds and rules; then the patient's visits begin anew."""

RESTARTS = 2
"""Times that the visits of a patient begin anew; then another patient is sampled."""

ROUNDS = 40
"""Rounds in which patients who satisfy no condition or rule are replaced."""

MOST_PATIENTS = 200_000
"""Patients of one round at most."""


@dataclass(slots=True)
class Longitudinal:
    """Model of patients with visits.

    Arguments:
        schema: of the visits; its identifiers are new.
        rows: the table of patients.
        patients: fitted model of that table.
        visits: model of the second and later visits; None where each patient has one.
    """

    schema: Schema
    rows: PatientRows
    patients: Any
    visits: VisitModel

    @classmethod
    def fit(
        cls,
        table: pd.DataFrame,
        schema: Schema,
        encoder: TableEncoder,
        make: Callable[[Schema, int], RowModel],
        *,
        limit: int,
        seed: int,
        callback: Callback | None = None,
    ) -> Self:
        """Fit the model to typed visits, sorted by patient and time.

        Arguments:
            table: (rows, columns).
            schema: of the table.
            encoder: of all rows: gives the codes of levels and the lattices of numbers.
            make: returns an unfitted model of rows for a schema and the number of its context columns.
            limit: smallest number of patients behind what is stored.
            seed: of everything random.
            callback: of both trainings.
        """
        patient = patients_of(table, schema)
        first = np.unique(patient, return_index=True)[1]
        follow_up = follow_up_of(schema, table, patient)
        slack = slacks(schema, follow_up, table, patient)
        unknown = tuple(name for name in schema.modelled if table[name].iloc[first].isna().all())
        rows = PatientRows.of(schema, follow_up, unknown)
        people = rows.table(table, patient, slack)
        model = make(rows.schema, 0)
        model.fit(people, callback=callback, checked=True)
        variables = Variables.fit(table, schema, encoder, patient, follow_up, limit)
        known = Patients(np.bincount(patient), slack, *variables.statics(table.iloc[first]))
        visits = VisitModel.fit(
            table, patient, variables, known, make, limit=limit, resolution=_resolution(schema), seed=seed,
            callback=callback,
        )  # fmt: skip
        return cls(schema, rows, model, visits)

    def sample(
        self,
        n: int,
        where: str | None,
        mix: Mapping[str, Mapping[Level, float]] | None,
        seed: int,
        id_start: int | None = None,
    ) -> tuple[pd.DataFrame, SampleFacts]:
        """Return all visits of exactly `n` patients who satisfy `where` and have the shares of `mix`.

        Raises:
            ConfigError: a condition names a column that differs between visits.
            ConditionError: so many patients cannot be sampled.
        """
        imposed, checked = self._split(where, mix)
        tables: list[pd.DataFrame] = []
        facts: SampleFacts | None = None
        wanted: list[tuple[str | None, Any, int]] = [(imposed, mix, n)]
        proposed, accepted, number = 0, 0, 0
        while wanted:
            failed: list[pd.DataFrame] = []
            for condition, shares, count in wanted:
                number += 1
                if number > 1_000 or (number > ROUNDS and not accepted):
                    raise self._out_of_reach(where, n, accepted, proposed)
                here = stream_seed(seed, "patients", number)
                people, found = self.patients._sampler(here).sample(count, condition, shares)  # noqa: SLF001
                facts = found if facts is None else facts
                visits, good = self._visits(people, here)
                if checked is not None and count:
                    static = visits.groupby("#").head(1)
                    good[static["#"].to_numpy()] &= checked.evaluate(static).fillna(False).to_numpy(dtype=bool)
                proposed, accepted = proposed + count, accepted + int(good.sum())
                kept = visits[good[visits["#"].to_numpy()]].copy()
                kept["#"] = kept["#"] + (len(tables) + 1) * MOST_PATIENTS * 1_000
                tables.append(kept)
                failed.append(people[~good])
            again = pd.concat(failed, ignore_index=True)
            wanted = self._again(again, imposed, mix)
        table = pd.concat(tables, ignore_index=True)
        who = pd.factorize(table.pop("#"))[0]
        if facts is None or not n:
            facts = self.patients._sampler(seed).sample(0, imposed, mix)[1]  # noqa: SLF001
        return self._numbered(table, who, id_start), facts

    @property
    def inner(self) -> dict[str, Any]:
        """The two models of rows, by the name of their folders."""
        return {"patients": self.patients, "visits": self.visits.rows}

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return coefficients and plain data: the state in the model folder beside the two inner models."""
        rows = {"follow_up": self.rows.follow_up, "columns": list(self.rows.schema.columns)}
        return self.visits.tensors, {"visits": self.visits.facts, "patients": rows}

    @classmethod
    def restored(
        cls, encoder: TableEncoder, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], inner: Mapping[str, Any]
    ) -> Self:
        """Return the model from the content of a model folder; raises ModelFormatError where it does not fit."""
        schema, people, rows = encoder.schema, inner["patients"], inner["visits"]
        try:
            told, columns = facts["patients"], list(people.encoder_.schema.columns)
            missing = tuple(name for name in schema.modelled if name not in columns)
            of = PatientRows.of(schema, told["follow_up"], missing)
            if told["columns"] != columns or list(of.schema.columns) != columns:
                raise ValueError("other columns of patients")
            visits = VisitModel.of(facts["visits"], tensors, schema, encoder, rows)
        except (LookupError, TypeError, ValueError, AttributeError):
            what = "the models of patients and visits do not fit the table"
            raise ModelFormatError("model.json", what, "Take all files from the same model folder.") from None
        return cls(schema, replace(of, schema=people.encoder_.schema), people, visits)

    def training(self) -> dict[str, Any]:
        """Return facts about both trainings, as plain data."""
        each = {name: model.training_ for name, model in self.inner.items()}
        people = each["patients"]
        return people | {
            "parameters": sum(one["parameters"] for one in each.values()),
            "history": [{"model": name} | line for name, one in each.items() for line in one["history"]],
            "seconds": {f"{name} {key}": value for name, one in each.items() for key, value in one["seconds"].items()},
        }

    def raw_violations(self, n: int, seed: int) -> dict[str, float]:
        """Return the violation rate of each rule on first visits without constraint mask, by rule text."""
        found: dict[str, float] = self.patients.raw_violations(n, seed)
        known = {rule.text for rule in self.schema.imposed}
        return {text: share for text, share in found.items() if text in known}

    def log_likelihood(self, table: pd.DataFrame) -> Floats:
        """Return the log-likelihood of each typed visit given those before, (rows,), in nats."""
        patient = patients_of(table, self.schema)
        order = np.lexsort((times_of(table[self.visits.variables.time]), patient))
        rows, who = table.iloc[order].reset_index(drop=True), patient[order]
        slack = slacks(self.schema, self.rows.follow_up, rows, who)
        first = np.unique(who, return_index=True)[1]
        people = self.rows.table(rows, who, slack)
        known = Patients(np.bincount(who), slack, *self.visits.variables.statics(rows.iloc[first]))
        likelihood = self.visits.log_likelihood(rows, who, known)
        likelihood[first] += self.patients.typed_log_likelihood(people)
        found = np.empty(len(table))
        found[order] = likelihood
        return found

    def _again(
        self, failed: pd.DataFrame, imposed: str | None, mix: Mapping[str, Mapping[Level, float]] | None
    ) -> list[tuple[str | None, Any, int]]:
        """Return the requests for patients in the place of failed ones, of the same mixed levels."""
        if not len(failed):
            return []
        if not mix:
            return [(imposed, None, len(failed))]
        found = []
        for levels, rows in failed.groupby(list(mix), observed=True):
            terms = [f"{quote_name(name)} == {quote_level(getattr(level, 'item', lambda one=level: one)())}" for name, level in zip(mix, levels, strict=True)]
            found.append((" and ".join([*([f"({imposed})"] if imposed else []), *terms]), None, len(rows)))
        return found

    def _split(self, where: str | None, mix: Any) -> tuple[str | None, Any]:  # noqa: ANN401
        """Return the part of a condition that is imposed on patients, and the part that is checked afterwards."""
        static = self._static()
        for name in mix or ():
            if name in self.schema.columns and name not in static:
                raise _differs(f"mix.{name}", name)
        if where is None:
            return None, None
        whole = parse(where, "where")
        for name in sorted(whole.columns & set(self.schema.columns)):
            if name not in static:
                raise _differs(f"where `{where}`", name)
        imposed, checked = [], []
        for part in whole.conjuncts():
            late = part.columns & set(self.schema.columns) - self.rows.known_columns()
            (checked if late else imposed).append(f"({part.text})")
        return " and ".join(imposed) or None, parse(" and ".join(checked)) if checked else None

    def _static(self) -> set[str]:
        """Return the columns that are the same at each visit, with those derived from them alone."""
        found = set(self.schema.static)
        for name in self.schema.computed:
            formula = self.schema.columns[name].derive
            if formula is not None and parse(formula).columns <= found:
                found.add(name)
        return found

    def _visits(self, people: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, Bools]:
        """Return all visits of the patients, with the patient's number as column `#`, and which patients are whole."""
        good = np.zeros(len(people), dtype=np.bool_)
        parts, waiting = [], np.arange(len(people))
        for restart in range(RESTARTS):
            if not len(waiting):
                break
            rows, whole = self._trajectories(people.iloc[waiting].reset_index(drop=True), stream_seed(seed, restart))
            last = restart == RESTARTS - 1
            rows = rows if last else rows[whole[rows["#"].to_numpy()]]
            parts.append(rows.assign(**{"#": waiting[rows["#"].to_numpy()]}))
            good[waiting[whole]] = True
            waiting = waiting[~whole]
        if not parts:
            parts.append(self._trajectories(people, seed)[0])
        return pd.concat(parts, ignore_index=True).sort_values("#", kind="stable").reset_index(drop=True), good

    def _trajectories(self, people: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, Bools]:
        """Return the visits of the patients in order, and which patients satisfy every bound and rule."""
        model, variables = self.visits, self.visits.variables
        whole = people.copy()
        for name in self.schema.modelled:
            if name not in whole:
                whole[name] = pd.Series([None] * len(people), dtype=object)
                whole[name] = self.schema.columns[name].coerce(whole[name])[0]
        count = people[self.rows.count].to_numpy(dtype=np.int64)
        slack = np.full(len(people), np.nan)
        if self.rows.slack is not None:
            slack = times_of(people[self.rows.slack])
        known = Patients(count, slack, *variables.statics(whole))
        values, codes = variables.read(whole)
        history = History(len(people), len(variables.lines), len(variables.levels))
        everyone = np.arange(len(people))
        history.observe(everyone, times_of(whole[variables.time]), np.zeros(len(people)), values, codes)
        alive = np.ones(len(people), dtype=np.bool_)
        parts = [whole[list(self.schema.modelled)].assign(**{"#": everyone})]
        for k in range(1, int(count.max(initial=1))):
            waiting = everyone[alive & (count > k)]
            for attempt, proposals in enumerate(PROPOSALS):
                if not len(waiting):
                    break
                source = torch_generator(seed, "visit", k, attempt), numpy_generator(seed, "visit", k, attempt)
                who = np.repeat(waiting, proposals)
                cells, values, codes, ratio, possible = model.sample(who, known, history, self.schema.planned, source)
                time = cells.pop("time").to_numpy()
                rows = self._rows(whole.iloc[who], cells, time)
                possible &= ~self._broken(rows, people.iloc[who])
                if self.rows.follow_up is not None:
                    possible &= self._reachable(time, slack[who], history.start[who])
                done, first = np.unique(who[possible], return_index=True)
                chosen = np.flatnonzero(possible)[first]
                parts.append(rows.iloc[chosen].assign(**{"#": done}))
                history.observe(done, time[chosen], ratio[chosen], values[chosen], codes[chosen])
                waiting = np.setdiff1d(waiting, done)
            alive[waiting] = False
        table = pd.concat(parts, ignore_index=True).sort_values("#", kind="stable").reset_index(drop=True)
        if (follow_up := self.rows.follow_up) is not None:
            start = history.start if self.schema.columns[variables.time].is_temporal else np.zeros(len(people))
            ends = pd.Series(np.round(history.time - start + slack, 9))
            decimals = self.schema.columns[follow_up].decimal_places
            ends = ends if decimals is None else ends.round(decimals)
            typed = self.schema.columns[follow_up].coerce(ends)[0]
            table[follow_up] = typed.iloc[table["#"].to_numpy()].to_numpy()
            table[follow_up] = self.schema.columns[follow_up].coerce(table[follow_up])[0]
        broken = self._violated(finish(table, self.schema), self.schema)
        alive[np.unique(table["#"].to_numpy()[broken])] = False
        return table, alive

    def _rows(self, static: pd.DataFrame, cells: pd.DataFrame, time: Floats) -> pd.DataFrame:
        """Return whole typed rows of visits."""
        rows = static[list(self.schema.modelled)].reset_index(drop=True)
        for name in cells:
            column = self.schema.columns[name]
            rows[name] = cells[name] if cells[name].dtype == rows[name].dtype else column.coerce(cells[name])[0]
        rows[self.visits.variables.time] = _time_cells(time, self.schema)
        for name, column in self.schema.columns.items():
            if (explained := column.reason_for) is not None and name in rows:
                rows[explained] = rows[explained].mask(rows[name].notna())
        return rows

    def _broken(self, rows: pd.DataFrame, people: pd.DataFrame) -> Bools:
        """Return which rows violate a rule that needs no follow-up; cells that `missing_when` empties are emptied."""
        schema = self.rows.schema
        extra = {name: people[name].to_numpy() for name in schema.columns if name in people and name not in rows}
        whole = finish(rows.assign(**extra), schema)
        for name in rows.columns.intersection(whole.columns):
            rows[name] = whole[name].to_numpy() if rows[name].dtype != whole[name].dtype else whole[name]
        return self._violated(whole[[name for name in whole if name not in extra]], schema)

    @staticmethod
    def _violated(rows: pd.DataFrame, schema: Schema) -> Bools:
        broken = np.zeros(len(rows), dtype=np.bool_)
        for mask in violations(rows, schema).values():
            broken |= mask.to_numpy(dtype=np.bool_)
        return broken

    def _reachable(self, time: Floats, slack: Floats, start: Floats) -> Bools:
        """Return which times leave the follow-up inside its range."""
        assert self.rows.follow_up is not None
        bounds = self.schema.columns[self.rows.follow_up].bounds
        if bounds is None:
            return np.ones(len(time), dtype=np.bool_)
        temporal = self.schema.columns[self.visits.variables.time].is_temporal
        ends = time - (start if temporal else 0.0) + np.nan_to_num(slack)
        return np.asarray(ends <= float(bounds[1]))

    def _numbered(self, table: pd.DataFrame, who: Ints, id_start: int | None) -> pd.DataFrame:
        """Return the whole table with new identifiers, one per patient in the column of the role entity."""
        whole = finish(table, self.schema, id_start)
        entity = self.schema.entity
        assert entity is not None
        column = self.schema.columns[entity]
        assert isinstance(column, Id)
        names = np.array(column.fresh(int(who.max(initial=-1)) + 1, id_start), dtype=object)
        whole[entity] = pd.Series(names[who], index=whole.index, dtype=column.dtype)
        return whole

    def _out_of_reach(self, where: str | None, n: int, accepted: int, proposed: int) -> ConditionError:
        place = "constraints" if where is None else f"where `{where}`"
        what = f"only {accepted:,} of {proposed:,} sampled patients satisfy it and all rules, {n:,} are wanted"
        return ConditionError(place, what, "Widen the condition, or ask for fewer patients.")


def _differs(place: str, name: str) -> ConfigError:
    what = f"names {name!r}, which differs between the visits of a patient"
    return ConfigError(place, what, "Use columns with `static: true`, and choose among the sampled visits afterwards.")


def _resolution(schema: Schema) -> float:
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

"""Generative model of a longitudinal table: patients first, then their visits one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from synthclin.errors import ConditionError, ConfigError, ModelFormatError
from synthclin.expressions import parse, quote_level, quote_name
from synthclin.models.visits.first_visits import FirstVisits
from synthclin.models.visits.patient_rows import PatientRows, follow_up_of, slacks
from synthclin.models.visits.trajectories import WHO, Trajectories, resolution_of
from synthclin.models.visits.transitions import Patients, Scales
from synthclin.models.visits.variables import Variables
from synthclin.models.visits.visit_model import RowModel, VisitModel
from synthclin.rules.rules import finish
from synthclin.schema import Schema
from synthclin.schema.columns import Id
from synthclin.schema.patients import patients as patients_of
from synthclin.schema.visit_times import of_patients, times_of
from synthclin.seeds import stream_seed

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from synthclin.encoding import TableEncoder
    from synthclin.models.callbacks import Callback
    from synthclin.models.checkpoints import Checkpoint
    from synthclin.sampling.sample_facts import SampleFacts
    from synthclin.schema.columns import Level

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

__all__ = ["TRAININGS", "Longitudinal"]

TRAININGS = ("patients", "visits")
"""Names of the two trainings, in the order in which they run."""

RESTARTS = 2
"""Times that the visits of a patient begin anew; then another patient is sampled."""

MOST_OF_A_ROUND = 10**8
"""More than the patients of any request, so that numbers of several rounds differ."""

ROUNDS = 20
"""Rounds in which patients who satisfy no condition or rule are replaced."""

CHUNK = 8_192
"""Patients whose visits are sampled side by side: bounds the memory of any request."""


@dataclass(slots=True)
class Longitudinal:
    """Model of patients with visits.

    Arguments:
        schema: of the visits; its identifiers are new.
        rows: the table of patients.
        first: its columns that are residuals of a linear mean.
        patients: fitted model of that table.
        visits: model of the second and later visits.
        trained: number of training patients; not kept in a model folder.
    """

    schema: Schema
    rows: PatientRows
    first: FirstVisits
    patients: Any
    visits: VisitModel
    trained: int | None = None

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
        parts: Mapping[str, Checkpoint] | None = None,
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
            parts: by training, one of `TRAININGS`, where its state is saved; none by default.
            callback: of both trainings.
        """
        kept = {name: (parts or {}).get(name) for name in TRAININGS}
        patient = patients_of(table, schema)
        first = np.unique(patient, return_index=True)[1]
        follow_up = follow_up_of(schema, table, patient)
        slack = slacks(schema, follow_up, table, patient)
        unknown = tuple(name for name in schema.modelled if table[name].iloc[first].isna().all())
        rows = PatientRows.of(schema, follow_up, unknown)
        people = rows.table(table, patient, slack)
        variables = Variables.fit(table, schema, encoder, patient, follow_up, limit)
        scales = Scales.fit(times_of(table[variables.time]), patient, slack, limit)
        means = FirstVisits.fit(people, rows, variables, scales, limit, seed)
        model = make(means.schema, 0)
        model.fit(means.table(people), checkpoint=kept["patients"], callback=callback, checked=True)
        known = Patients(np.bincount(patient), slack, *variables.statics(table.iloc[first]))
        visits = VisitModel.fit(
            table, patient, variables, known, scales, make, limit=limit, resolution=resolution_of(schema), seed=seed,
            checkpoint=kept["visits"], callback=callback,
        )  # fmt: skip
        return cls(schema, rows, means, model, visits, len(people))

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
                sampled, found = self.patients._sampler(here).sample(count, condition, shares)  # noqa: SLF001
                facts = found if facts is None else facts
                people, possible = self.first.decoded(sampled)
                visits, good = self._visits(people, here, possible)
                if checked is not None and count:
                    static = finish(visits, self.schema).assign(**{WHO: visits[WHO]}).groupby(WHO).head(1)
                    good[static[WHO].to_numpy()] &= checked.evaluate(static).fillna(False).to_numpy(dtype=bool)
                proposed, accepted = proposed + count, accepted + int(good.sum())
                kept = visits[good[visits[WHO].to_numpy()]].copy()
                kept[WHO] += len(tables) * MOST_OF_A_ROUND
                tables.append(kept)
                failed.append(people[~good])
            again = pd.concat(failed, ignore_index=True)
            wanted = self._again(again, imposed, mix)
        table = pd.concat(tables, ignore_index=True)
        who = pd.factorize(table.pop(WHO))[0]
        if facts is None or not n:
            facts = self.patients._sampler(seed).sample(0, imposed, mix)[1]  # noqa: SLF001
        return self._numbered(table, who, id_start), facts

    @property
    def inner(self) -> dict[str, Any]:
        """The two models of rows, by the name of their folders."""
        return dict(zip(TRAININGS, (self.patients, self.visits.rows), strict=True))

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return coefficients and plain data: the state in the model folder beside the two inner models."""
        rows = {"follow_up": self.rows.follow_up, "columns": list(self.rows.schema.columns)}
        facts = {"visits": self.visits.facts, "first": list(self.first.means), "patients": rows}
        return self.visits.tensors | self.first.tensors, facts

    @classmethod
    def restored(
        cls, encoder: TableEncoder, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], inner: Mapping[str, Any]
    ) -> Self:
        """Return the model from the content of a model folder; raises ModelFormatError where it does not fit."""
        schema, people, rows = encoder.schema, inner["patients"], inner["visits"]
        misfit = ModelFormatError(
            "model.json",
            "the models of patients and visits do not fit the table",
            "Take all files from the same model folder.",
        )
        try:
            told = set(facts["patients"]["columns"])
            missing = tuple(name for name in schema.modelled if name not in told)
            of = PatientRows.of(schema, facts["patients"]["follow_up"], missing)
            mean = {name: tensors[name] for name in tensors if name.startswith("mean.")}
            visits = VisitModel.of(facts["visits"], mean, schema, encoder, rows)
            of_first = {name: tensors[name] for name in tensors if name not in mean}
            first = FirstVisits.of(facts["first"], of_first, of, visits.variables, visits.scales)
            if list(people.encoder_.schema.columns) != list(first.schema.columns):
                raise misfit
        except (LookupError, TypeError, ValueError, AttributeError):
            raise misfit from None
        return cls(schema, of, first, people, visits)

    def training(self) -> dict[str, Any]:
        """Return facts about both trainings, as plain data."""
        each = {name: model.training_ for name, model in self.inner.items()}
        people: dict[str, Any] = each["patients"]
        # The others are residuals, or columns that a table of visits lacks.
        known = set(self.rows.schema.columns) & set(self.schema.columns) - set(self.first.means)
        return people | {
            "confirmed": [one for one in people["confirmed"] if one["column"] in known],
            "lost": [one for one in people["lost"] if {one["first"], one["second"]} <= known],
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
        likelihood[first] += self.patients.typed_log_likelihood(self.first.table(people))
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
        found: list[tuple[str | None, Any, int]] = []
        for levels, rows in failed.groupby(list(mix), observed=True):
            terms = [
                f"{quote_name(name)} == {quote_level(getattr(level, 'item', lambda one=level: one)())}"
                for name, level in zip(mix, levels, strict=True)
            ]
            found.append((" and ".join([*([f"({imposed})"] if imposed else []), *terms]), None, len(rows)))
        return found

    def _split(self, where: str | None, mix: Any) -> tuple[str | None, Any]:  # noqa: ANN401
        """Return the part of a condition that is imposed on patients, and the part that is checked afterwards."""
        static = of_patients(self.schema)
        for name in mix or ():
            if name in self.schema.columns and name not in static:
                raise _differs(f"mix.{name}", name)
        if where is None:
            return None, None
        whole = parse(where, "where")
        for name in sorted(whole.columns & set(self.schema.columns)):
            if name not in static:
                raise _differs(f"where `{where}`", name)
        imposed: list[str] = []
        checked: list[str] = []
        for part in whole.conjuncts():
            late = part.columns & set(self.schema.columns) - self.rows.known_columns()
            (checked if late else imposed).append(f"({part.text})")
        return " and ".join(imposed) or None, parse(" and ".join(checked)) if checked else None

    def _visits(self, people: pd.DataFrame, seed: int, possible: Bools) -> tuple[pd.DataFrame, Bools]:
        """Return the visits, numbered in the column `WHO`, of the patients who are whole, and which these are."""
        trajectories = Trajectories(self.schema, self.rows, self.visits)
        good = np.zeros(len(people), dtype=np.bool_)
        parts = [trajectories.sample(people.iloc[:0], seed)[0]]
        for start in range(0, len(people), CHUNK):
            waiting = start + np.flatnonzero(possible[start : start + CHUNK])
            for restart in range(RESTARTS):
                if not len(waiting):
                    break
                chosen = people.iloc[waiting].reset_index(drop=True)
                rows, whole = trajectories.sample(chosen, stream_seed(seed, start, restart))
                rows = rows[whole[rows[WHO].to_numpy()]]
                parts.append(rows.assign(**{WHO: waiting[rows[WHO].to_numpy()]}))
                good[waiting[whole]] = True
                waiting = waiting[~whole]
        parts = [part for part in parts if len(part)] or parts[:1]
        return pd.concat(parts, ignore_index=True).sort_values(WHO, kind="stable").reset_index(drop=True), good

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

"""Generative model of a longitudinal table: patients first, then their visits one after the other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from synthclin.errors import ModelFormatError
from synthclin.models.visits.first_visits import FirstVisits
from synthclin.models.visits.given.continuation import Wanted, continue_visits
from synthclin.models.visits.given.visit_imputation import impute_visits
from synthclin.models.visits.patient_requests import sample_patients
from synthclin.models.visits.patient_rows import PatientRows, follow_up_of, slacks
from synthclin.models.visits.trajectories import WHO, Trajectories, resolution_of
from synthclin.models.visits.transitions import Patients, Scales
from synthclin.models.visits.variables import Variables
from synthclin.models.visits.visit_model import RowModel, VisitModel
from synthclin.rules.rules import finish
from synthclin.schema import Schema
from synthclin.schema.columns import Id
from synthclin.schema.patients import patients as patients_of
from synthclin.schema.visit_times import times_of
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
        visits_encoder: of all visits.
        trained: number of training patients; not kept in a model folder.
    """

    schema: Schema
    rows: PatientRows
    first: FirstVisits
    patients: Any
    visits: VisitModel
    visits_encoder: TableEncoder
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
        return cls(schema, rows, means, model, visits, encoder, len(people))

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
        table, facts = sample_patients(self, n, where, mix, seed)
        who = pd.factorize(table.pop(WHO))[0]
        return self._numbered(table, who, id_start), facts

    def sampled_rows(
        self, n: int, where: str | None, mix: Mapping[str, Mapping[Level, float]] | None, seed: int
    ) -> tuple[pd.DataFrame, SampleFacts]:
        """Return rows of patients, as the model of patients has them, and facts about them."""
        found: tuple[pd.DataFrame, SampleFacts] = self.patients._sampler(seed).sample(n, where, mix)  # noqa: SLF001
        return found

    def impute(
        self, table: pd.DataFrame, imputations: int, columns: Collection[str] | None, seed: int
    ) -> list[pd.DataFrame]:
        """Return completed copies of a table of visits; see `synthclin.models.visits.given.visit_imputation`."""
        return impute_visits(self, table, imputations, columns, seed)

    def continued(self, table: pd.DataFrame, wanted: Wanted, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return patients with further visits, and which cells are sampled; see `continue_visits`."""
        return continue_visits(self, table, wanted, seed)

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
        return cls(schema, of, first, people, visits, encoder)

    def training(self) -> dict[str, Any]:
        """Return facts about both trainings, as plain data."""
        each = {name: model.training_ for name, model in self.inner.items()}
        people: dict[str, Any] = each["patients"]
        # The others are residuals, or columns that a table of visits lacks.
        known = set(self.rows.schema.columns) & set(self.schema.columns) - set(self.first.means)
        seconds = {name: one.get("seconds", {}) for name, one in each.items()}
        found = {
            "parameters": sum(one.get("parameters", 0) for one in each.values()),
            "history": [{"model": name} | line for name, one in each.items() for line in one.get("history", ())],
            "seconds": {f"{name} {key}": value for name, parts in seconds.items() for key, value in parts.items()},
        }
        if "confirmed" in people:  # not every family has it
            found["confirmed"] = [one for one in people["confirmed"] if one["column"] in known]
            found["lost"] = [one for one in people["lost"] if {one["first"], one["second"]} <= known]
        return people | found

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

    def sampled_visits(self, people: pd.DataFrame, seed: int, possible: Bools) -> tuple[pd.DataFrame, Bools]:
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

"""Imputation of tables of visits: of the rows of patients first, then of their visits by a particle filter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from synthclin.errors import DataError
from synthclin.models.visits.given.particles import Particles
from synthclin.models.visits.given.reading import Reading, read_visits
from synthclin.models.visits.patient_rows import refuse_early_follow_up, slacks
from synthclin.models.visits.trajectories import Trajectories
from synthclin.progress import track
from synthclin.sampling.completion import finished
from synthclin.sampling.equalities import Equalities
from synthclin.sampling.imputation import Imputer
from synthclin.seeds import numpy_generator, stream_seed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.models.visits.given.given_visits import GivenVisits
    from synthclin.models.visits.longitudinal import Longitudinal
    from synthclin.schema import Schema

    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

__all__ = ["impute_visits"]

COMPLETIONS = (12, 48, 192)
"""Completions of a patient that go through the visits side by side; more for those without a possible one."""

AT_ONCE = 8_192
"""Completions at a time: bounds the memory of any request."""

LISTED = 5
"""Row numbers in an error."""

MOST_RULES = 3
"""Rules in an error."""


def impute_visits(
    model: Longitudinal, table: pd.DataFrame, imputations: int, columns: Collection[str] | None, seed: int
) -> list[pd.DataFrame]:
    """Return `imputations` completed copies of a table of visits; see `Synthesizer.impute`.

    The row of each patient (static columns, the first visit) is completed by the model of patients, then each later
    visit by that of visits; completions are weighted by the known cells of all visits, before and after a hole.
    """
    reading = read_visits(table, model.visits_encoder, columns, "impute")
    given = reading.visits
    refuse_early_follow_up(model.schema, model.rows.follow_up, given.table, given.patient)
    copies = [given.table.copy() for _ in range(imputations)]
    some = np.unique(given.patient[given.holes.to_numpy(dtype=np.bool_).any(axis=1)])
    at_once = AT_ONCE // COMPLETIONS[0]
    with track("imputing", total=len(some) * imputations, unit="patients") as step:
        for start in range(0, len(some), at_once):
            chosen = some[start : start + at_once]
            for i, copy in enumerate(copies):
                # Completions of one filter have ancestors in common: two imputations take two filters.
                _complete(model, given, chosen, copy, stream_seed(seed, "patients", start, i))
                step(len(chosen))
    return [_assembled(table, model.schema, reading, copy, columns) for copy in copies]


def _complete(model: Longitudinal, given: GivenVisits, chosen: Ints, copy: pd.DataFrame, seed: int) -> None:
    """Fill the holes of some patients into a copy of the sorted table."""
    equalities, waiting, violated = Equalities(model.visits_encoder, model.schema), chosen, Counter[str]()
    for attempt, size in enumerate(COMPLETIONS):
        failed: list[Ints] = []
        for start in range(0, len(waiting), AT_ONCE // size):
            some = waiting[start : start + AT_ONCE // size]
            here = stream_seed(seed, "completions", attempt, start)
            table, at, possible, found = _filtered(model, given.of(some), size, equalities, here)
            violated.update(found)
            failed.append(some[~possible])
            rows = np.flatnonzero(np.isin(given.patient, some))
            for name in given.holes:
                hole = given.holes[name].to_numpy()[rows[at]]
                if hole.any():
                    filled = copy[name].array.copy()
                    filled[rows[at[hole]]] = table[name].astype(copy[name].dtype).array[hole]
                    copy[name] = filled
        waiting = np.concatenate(failed)
        if not len(waiting):
            return
    raise _no_completion(given, waiting, violated)


def _filtered(
    model: Longitudinal, given: GivenVisits, size: int, equalities: Equalities, seed: int
) -> tuple[pd.DataFrame, Ints, Bools, Counter[str]]:
    """Return completed visits of the patients who have a possible completion, and who of all these are.

    Returns:
        the visits, the given row of each, (patients,) who has a completion, and how many others violate each rule.
    """
    people, differs = _people(model, given, size, seed)
    people = _solved(model, given, people, equalities)
    trajectories = Trajectories(model.schema, model.rows, model.visits)
    weight = np.zeros(len(people))
    particles = Particles(trajectories, given, size, trajectories.begin(people), weight, equalities=equalities)
    particles.advance(seed, differs)
    particles.refuse()
    which, possible = particles.chosen(numpy_generator(seed, "choice"))
    table, at = particles.finished(which[possible])
    particles.end(table)
    return table, at, possible, particles.violated


def _people(model: Longitudinal, given: GivenVisits, size: int, seed: int) -> tuple[pd.DataFrame, Bools]:
    """Return the completed rows of patients, `size` of each, and which patients had an unknown cell there."""
    slack = slacks(model.schema, model.rows.follow_up, given.table, given.patient)
    people = model.rows.table(given.table, given.patient, slack)
    holes = given.holes.iloc[given.first].reset_index(drop=True)
    unknown = {name: holes[name].to_numpy() for name in map(str, people) if name in holes and holes[name].any()}
    if model.rows.slack is not None and model.rows.follow_up in holes:
        blank = holes[model.rows.follow_up].to_numpy() & people[model.rows.slack].isna().to_numpy()
        unknown |= {model.rows.slack: blank} if blank.any() else {}
    everybody = people.iloc[np.repeat(np.arange(len(people)), size)].reset_index(drop=True)
    differs = np.zeros(len(people), dtype=np.bool_)
    for mask in unknown.values():
        differs |= mask
    if not differs.any():
        return everybody, differs
    some = np.flatnonzero(differs)
    lacking = people.iloc[some].reset_index(drop=True)
    masks = {name: mask[some] for name, mask in unknown.items()}
    # Residuals of known first values depend on unknown cells: they are known once these are completed.
    late = {name for name in model.first.means if name in lacking}
    found = _imputed_rows(model, lacking, masks, late, size, stream_seed(seed, "rows", 1))
    found = _imputed_rows(model, found, {name: np.repeat(mask, size) for name, mask in masks.items()}, set(), 1,
                          stream_seed(seed, "rows", 2))  # fmt: skip
    places = (some[:, None] * size + np.arange(size)).ravel()
    for name in map(str, found):
        cells = everybody[name].array.copy()
        cells[places] = found[name].astype(everybody[name].dtype).array
        everybody[name] = cells
    return everybody, differs


def _solved(model: Longitudinal, given: GivenVisits, people: pd.DataFrame, equalities: Equalities) -> pd.DataFrame:
    """Return completed rows of patients whose first visits satisfy the equality rules."""
    rows = given.first[np.repeat(np.arange(len(given.first)), len(people) // len(given.first))]
    names = [name for name in map(str, people) if name in given.holes and given.holes[name].to_numpy()[rows].any()]
    if not names:
        return people
    filled = given.table.iloc[rows].reset_index(drop=True)
    filled = filled.assign(**{name: people[name].array for name in names})
    solved = given.solved(filled, rows, equalities, model.schema)
    return people.assign(**{name: solved[name].array for name in names})


def _imputed_rows(
    model: Longitudinal, people: pd.DataFrame, holes: dict[str, Bools], late: set[str], size: int, seed: int
) -> pd.DataFrame:
    """Return rows of patients whose holes are sampled from the model of patients, `size` of each.

    Arguments:
        model: has the model of patients.
        people: (patients, columns), with a value or none in a hole.
        holes: by column, which (patients,) cells are sampled.
        late: columns whose residuals are not known yet.
        size: completions per patient.
        seed: of everything random.
    """
    schema = _kept(model.first.schema)
    table = model.first.table(people)
    asked = {name for name in {*holes, *late} if name in schema.modelled}
    for name in asked:
        unknown = holes.get(name, np.zeros(len(people), dtype=np.bool_))
        table[name] = table[name].mask(unknown | np.full(len(people), name in late))
    inner = model.patients
    imputer = Imputer(inner._sample, inner.encoder_, schema, seed)  # noqa: SLF001 (the contract of an inner model)
    copies = imputer.complete(table[list(schema.modelled)], size, asked) if asked else [table] * size
    whole = pd.concat(copies, ignore_index=True)
    # The copies one after the other: here those of a patient are neighbours.
    order = np.argsort(np.tile(np.arange(len(people)), size), kind="stable")
    whole = whole.iloc[order].reset_index(drop=True)
    before = people.iloc[np.repeat(np.arange(len(people)), size)].reset_index(drop=True)
    free = {name: np.repeat(mask, size) for name, mask in holes.items()}
    return model.first.completed(whole, before, free)


def _kept(schema: Schema) -> Schema:
    """Return the schema whose rules never leave out a row: given cells may violate them."""
    rules = tuple(rule.model_copy(update={"on_violation": "keep"}) for rule in schema.constraints)
    return schema.model_copy(update={"constraints": rules})


def _no_completion(given: GivenVisits, patients: Ints, violated: Counter[str]) -> DataError:
    rules = ", ".join(repr(text) for text, _ in violated.most_common(MOST_RULES))
    rows = given.first[patients]
    listed = ", ".join(map(str, sorted(rows[:LISTED] + 1))) + (", ..." if len(rows) > LISTED else "")
    what = f"no completion of {len(patients):,} of {len(given.first):,} patients satisfies {rules or 'every range'}"
    where = f"in the order of patients and times their first visits are rows {listed}"
    remedy = "Correct their given cells or the rules, or leave columns out by `columns`."
    return DataError("impute", f"{what}; {where}", remedy)


def _assembled(
    table: pd.DataFrame, schema: Schema, reading: Reading, completed: pd.DataFrame, columns: Collection[str] | None
) -> pd.DataFrame:
    """Return the imputed table in the order of the given one, with the columns that it lacked last."""
    back = np.empty(len(completed), dtype=np.int64)
    back[reading.order] = np.arange(len(completed))
    modelled = list(schema.modelled)
    filled = completed[modelled].iloc[back].reset_index(drop=True)
    whole = finished(schema, reading.partial.cells, filled).set_axis(table.index)
    asked = set(modelled if columns is None else columns)
    added = [
        name
        for name, column in schema.columns.items()
        if name not in table and (name in asked or column.derive is not None or column.reason_for in table)
    ]
    ours = {*modelled, *schema.computed} & set(whole)
    return pd.DataFrame(
        {name: whole[name] if name in ours else table[name] for name in [*table, *added]}, index=table.index
    )

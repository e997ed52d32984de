"""Continuation of given patients: further visits sampled from their history, a forecast under the model.

The number of visits and the end of follow-up of a given patient are unknown. Both are proposed from all values that are
possible after the given visits, and weighted by the likelihood of the patient's row and of the given visits (importance
sampling); the visits that follow are then sampled one after the other, as those of new patients.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from synthclin.errors import ConditionError, ConfigError, DataError
from synthclin.expressions import quote_level
from synthclin.models.visits.given.continued_table import assembled
from synthclin.models.visits.given.particles import Particles
from synthclin.models.visits.given.reading import read_visits
from synthclin.models.visits.given.visit_completion import log_widths
from synthclin.models.visits.patient_rows import refuse_early_follow_up, slacks
from synthclin.models.visits.trajectories import WHO, Run, Trajectories
from synthclin.progress import track
from synthclin.rules.rules import violations
from synthclin.rules.validation import examine
from synthclin.schema.visit_times import times_of
from synthclin.seeds import numpy_generator, stream_seed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.models.visits.given.given_visits import GivenVisits
    from synthclin.models.visits.longitudinal import Longitudinal
    from synthclin.schema import Schema
    from synthclin.schema.columns import Level

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

__all__ = ["Wanted", "continue_visits"]

ENDS = 256
"""Proposed numbers of visits and ends of follow-up of a patient."""

COMPLETIONS = 16
"""Proposals of a patient, resampled from those by weight, whose further visits are sampled."""

ROUNDS = 4
"""Times that further visits begin anew for patients without a possible continuation."""

AT_ONCE = 4_096
"""Completions at a time: bounds the memory of any request."""

NEAR = 0.5
"""Standard deviation of the log ratio of the proposed to the given time left, where the follow-up is given."""

CLOSE = 0.1
"""The same of the end of a sampled trajectory, as a share of the time left."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for.

    Arguments:
        visits: further visits of each patient; None for all until a time.
        until: the last time of a visit, as a number of the unit of the visit time or days since 1970.
        changes: static columns and their new level or number, for all patients.
    """

    visits: int | None
    until: float | None
    changes: Mapping[str, Level]


def continue_visits(
    model: Longitudinal, table: pd.DataFrame, wanted: Wanted, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return given patients with further visits, and which cells are sampled; see `Synthesizer.continue_`."""
    schema = model.schema
    _check(table, wanted, schema)
    ends = _endpoint(model)
    changed = table.assign(**wanted.changes) if wanted.changes else table
    if wanted.changes and len(changed):
        _check_changes(changed, wanted, schema, ends)
    reading = read_visits(changed, model.visits_encoder, [name for name in ends if name in table], "continue_")
    given = reading.visits
    refuse_early_follow_up(model.schema, model.rows.follow_up, given.table, given.patient)
    _check_room(given, wanted, schema)
    parts: list[pd.DataFrame] = []
    number, at_once = len(given.first), AT_ONCE // COMPLETIONS
    with track("continuing", total=number, unit="patients") as step:
        for start in range(0, number, at_once):
            chosen = np.arange(start, min(start + at_once, number))
            found = _continued(model, given.of(chosen), wanted, stream_seed(seed, "patients", start))
            parts.append(found.assign(**{WHO: found[WHO].to_numpy() + start}))
            step(len(chosen))
    return assembled(table, changed, schema, reading, pd.concat(parts, ignore_index=True), wanted.changes)


def _check(table: pd.DataFrame, wanted: Wanted, schema: Schema) -> None:
    absent = [
        name
        for name, column in schema.columns.items()
        if column.modelled and column.reason_for is None and name not in {*table, schema.visit_time}
    ]
    if absent:
        raise DataError("table", f"column {absent[0]!r} is absent", "Add it, empty where it is unknown.")
    for name in wanted.changes:
        if name not in schema.static:
            what = f"{name!r} is no static column"
            raise ConfigError("continue_: `set`", what, f"Choose from {', '.join(schema.static)}.")


def _check_changes(changed: pd.DataFrame, wanted: Wanted, schema: Schema, ends: list[str]) -> None:
    """Raise ConfigError where `set` has a level or number that the schema does not allow; an unknown end is allowed."""
    wrong = {one.where for one in examine(changed.head(1), schema)[0] if one.severity == "error"}
    for name, value in wanted.changes.items():
        if f"column {name!r}" not in wrong or (value is None and name in ends):
            continue
        column, remedy = schema.columns[name], "Give a value that the schema allows."
        if column.levels is not None:
            remedy = f"Choose from {', '.join(map(quote_level, column.levels))}."
        elif column.bounds is not None:
            remedy = f"Give a value in its `range`, from {column.bounds[0]} to {column.bounds[1]}."
        raise ConfigError("continue_: `set`", f"the value of {name!r} is none that the schema allows", remedy)


def _endpoint(model: Longitudinal) -> list[str]:
    """Return the columns of the end of follow-up: its time and the events at that time."""
    schema, follow_up = model.schema, model.rows.follow_up
    if follow_up is None:
        return []
    events = [
        name for name in schema.static if schema.columns[name].role == "event" and schema.time_of(name) == follow_up
    ]
    return [follow_up, *events]


def _check_room(given: GivenVisits, wanted: Wanted, schema: Schema) -> None:
    """Raise DataError where patients would have more visits than the schema allows."""
    most = schema.planned.highest
    over = 0 if most is None or wanted.visits is None else int((given.count + wanted.visits > most).sum())
    if over:
        what = f"{over:,} of {len(given.first):,} patients would have more than {most} visits, the most of the schema"
        raise DataError("continue_", what, "Ask for fewer `visits`, leave these patients out, or use `until`.")


def _continued(model: Longitudinal, given: GivenVisits, wanted: Wanted, seed: int) -> pd.DataFrame:
    """Return all visits of some patients, given ones first, numbered in `WHO`."""
    waiting, parts = np.arange(len(given.first)), list[pd.DataFrame]()
    for attempt in range(ROUNDS):
        found, done = _round(model, given.of(waiting), wanted, seed, attempt)
        parts.append(found.assign(**{WHO: waiting[found[WHO].to_numpy()]}))
        waiting = waiting[~done]
        if not len(waiting):
            break
    if len(waiting):
        number = len(given.first)
        what = f"{len(waiting):,} of {number:,} patients have no further visits that satisfy every rule and range"
        remedy = "Ask for fewer, use `until`, or empty the follow-up and the event of patients whose follow-up goes on."
        raise ConditionError("continue_", what, remedy)
    return pd.concat(parts, ignore_index=True).sort_values(WHO, kind="stable").reset_index(drop=True)


def _round(
    model: Longitudinal, given: GivenVisits, wanted: Wanted, seed: int, attempt: int
) -> tuple[pd.DataFrame, Bools]:
    """Return the visits of those patients for whom sampled ends have a possible continuation, and who they are."""
    begun = seed if attempt == 0 else stream_seed(seed, "round", attempt)
    trajectories = Trajectories(model.schema, model.rows, model.visits)
    people, log_weight = _ends(model, given, wanted, stream_seed(begun, "ends"))
    particles = Particles(trajectories, given, COMPLETIONS, trajectories.begin(people), log_weight, judged=False)
    particles.run.alive[:] = True
    particles.advance(begun, np.ones(len(given.first), dtype=np.bool_))
    return _grown(model, particles, wanted, stream_seed(seed, "visits", attempt), last=attempt == ROUNDS - 1)


def _ends(model: Longitudinal, given: GivenVisits, wanted: Wanted, seed: int) -> tuple[pd.DataFrame, Floats]:
    """Return rows of patients with sampled ends, `COMPLETIONS` of each, and their log weights."""
    rng, rows, encoder = numpy_generator(seed, "ends"), model.rows, model.patients.encoder_
    slack = slacks(model.schema, rows.follow_up, given.table, given.patient)
    people = rows.table(given.table, given.patient, slack)
    size = len(people)
    everybody = people.iloc[np.repeat(np.arange(size), ENDS)].reset_index(drop=True)
    current = np.repeat(given.count, ENDS)
    least = current + (wanted.visits or 0)
    most = model.schema.planned.highest or max(_most_visits(model), int(least.max()))
    count = least + np.floor(rng.random(len(least)) * (np.maximum(most, least) - least + 1)).astype(np.int64)
    everybody[rows.count] = pd.array(count, dtype="Int64")
    left = np.zeros(len(everybody))
    if rows.slack is not None and rows.slack in encoder.codecs:
        place = encoder.layout.names.index(rows.slack)
        column = encoder.layout.columns[place]
        codes = np.flatnonzero(~column.never & (np.arange(column.cardinality) != column.missing))
        cells = encoder.codecs[rows.slack].decode(rng.choice(codes, len(everybody)), rng.random(len(everybody)))
        everybody[rows.slack] = cells.astype(everybody[rows.slack].dtype)
        left = times_of(everybody[rows.slack])
    for name in _endpoint(model)[1:]:
        hole = given.holes[name].to_numpy()[given.first]
        if hole.any():
            column = encoder.layout.columns[encoder.layout.names.index(name)]
            codes = np.flatnonzero(~column.never & (np.arange(column.cardinality) != column.missing))
            cells = encoder.codecs[name].decode(rng.choice(codes, len(everybody)), rng.random(len(everybody)))
            everybody[name] = everybody[name].where(~np.repeat(hole, ENDS), cells.astype(everybody[name].dtype))
    weight = _row_likelihood(model, everybody)
    rest = np.repeat(_time_left(model, given), ENDS)
    if np.isfinite(rest).any():
        scales = model.visits.scales
        ahead = scales.elapsed(count) - scales.elapsed(current) + np.nan_to_num(left)
        step = model.visits.resolution
        off = np.log((np.maximum(ahead, 0) + step) / (np.maximum(np.nan_to_num(rest), 0) + step)) / NEAR
        weight = weight - np.where(np.isfinite(rest), 0.5 * off**2, 0.0)
    # Resampled with replacement: all of them then have the same weight.
    table = weight.reshape(size, ENDS)
    share = np.exp(table - table.max(axis=1, keepdims=True))
    ends = np.cumsum(share, axis=1) / share.sum(axis=1, keepdims=True)
    points = (np.arange(COMPLETIONS) + rng.random((size, 1))) / COMPLETIONS
    which = np.minimum((points[:, :, None] > ends[:, None, :]).sum(axis=2), ENDS - 1)
    index = (np.arange(size)[:, None] * ENDS + which).ravel()
    return everybody.iloc[index].reset_index(drop=True), np.zeros(len(index))


def _row_likelihood(model: Longitudinal, people: pd.DataFrame) -> Floats:
    """Return the log density of complete rows of patients, (patients,), up to a constant of each patient."""
    inner = model.first.table(people)
    found = np.asarray(model.patients.typed_log_likelihood(inner), dtype=np.float64)
    for name in model.first.means:
        codec = model.patients.encoder_.codecs[name]
        known = inner[name].notna().to_numpy()
        found = found - np.where(known, log_widths(codec)[codec.encode(inner[name])[0]], 0.0)
    return found


def _most_visits(model: Longitudinal) -> int:
    """Return the greatest number of visits that the model samples."""
    encoder, name = model.patients.encoder_, model.rows.count
    if name not in encoder.codecs:
        return 1
    high = encoder.codecs[name].ends()[1] if hasattr(encoder.codecs[name], "ends") else pd.Series([1])
    return int(high.max())


def _time_left(model: Longitudinal, given: GivenVisits) -> Floats:
    """Return the (patients,) time from the last given visit to the given end of follow-up; NaN where it is unknown."""
    name = model.rows.follow_up
    if name is None:
        return np.full(len(given.first), np.nan)
    slack = slacks(model.schema, name, given.table, given.patient)
    return np.where(given.holes[name].to_numpy()[given.first], np.nan, slack)


def _grown(
    model: Longitudinal, particles: Particles, wanted: Wanted, seed: int, *, last: bool
) -> tuple[pd.DataFrame, Bools]:
    """Return the visits of those patients who have a possible continuation, numbered in `WHO`, and who they are.

    In the last round a completion without a possible next visit ends with the visits that it has.
    """
    trajectories, given, owner = particles.trajectories, particles.given, particles.owner
    # Completions by weight: a few may stand for all.
    weight = particles.log_weight.reshape(-1, COMPLETIONS)
    keys = weight[:, None, :] + numpy_generator(seed, "start").gumbel(size=(len(weight), COMPLETIONS, COMPLETIONS))
    index = (keys.argmax(axis=2) + np.arange(len(weight))[:, None] * COMPLETIONS).ravel()
    run = particles.run.take(index)
    run.alive[:] = True
    left = _time_left(model, given)[owner[index]]
    run.limit = np.where(np.isfinite(left), run.history.time + np.nan_to_num(left), np.inf)
    before = run.history.number.copy()
    new = list(trajectories.grow(run, seed))
    table, at = particles.finished_of(index)
    names = list(table)
    table = _joined([table, *(part[[name for name in names if name in part]] for part in new)], model.schema)
    at = np.concatenate([at, np.full(len(table) - len(at), -1)])
    order = np.argsort(table[WHO].to_numpy(), kind="stable")
    table, at = table.iloc[order].reset_index(drop=True), at[order]
    run.patients = trajectories.shortened(run)
    _write_ends(model, table, run, given, owner[index])
    table, at = _cut(table, at, wanted, trajectories)
    enough = np.bincount(table[WHO].to_numpy(), minlength=len(index)) >= before + (wanted.visits or 0)
    # A given follow-up may end the visits, and nothing after `until` is asked for; a completion that died otherwise
    # has no possible next visit.
    finished = np.isfinite(left) | (wanted.visits is not None)
    if wanted.until is not None:
        finished |= (run.history.time > wanted.until) | (last & (run.history.number >= model.schema.planned.least))
    good = enough & (run.alive | finished)
    good &= _allowed(table, at, trajectories, given, len(index))
    score = np.where(good, 0.0, -np.inf)
    ends = run.history.time + np.nan_to_num(run.patients.slack)
    off = (ends - run.limit) / np.maximum(CLOSE * np.nan_to_num(left), model.visits.resolution)
    score -= np.where(np.isfinite(left), np.minimum(0.5 * np.nan_to_num(off, posinf=0, neginf=0) ** 2, 1e6), 0.0)
    keys = score + numpy_generator(seed, "choice").gumbel(size=len(score))
    best = keys.reshape(-1, COMPLETIONS).argmax(axis=1) + np.arange(len(weight)) * COMPLETIONS
    done = good[best]
    chosen = best[done]
    table = table[np.isin(table[WHO].to_numpy(), chosen)].copy()
    table[WHO] = owner[index][table[WHO].to_numpy()]
    return table.reset_index(drop=True), np.asarray(done)


def _cut(table: pd.DataFrame, at: Ints, wanted: Wanted, trajectories: Trajectories) -> tuple[pd.DataFrame, Ints]:
    """Return the visits without those that are not asked for."""
    fresh = at < 0
    if wanted.visits is not None:
        kept = ~fresh | (pd.Series(fresh).groupby(table[WHO].to_numpy()).cumsum().to_numpy() <= wanted.visits)
    else:
        time = times_of(table[trajectories.model.variables.time])
        kept = ~fresh | (time <= (np.inf if wanted.until is None else wanted.until))
    return table[kept].reset_index(drop=True), at[kept]


def _joined(parts: list[pd.DataFrame], schema: Schema) -> pd.DataFrame:
    """Return visits one after the other, typed; those of given patients may have levels that the model lacks."""
    plain = [
        part.assign(**{name: part[name].astype(object) for name in map(str, part) if part[name].dtype == "category"})
        for part in parts
    ]
    table = pd.concat(plain, ignore_index=True)
    return table.assign(
        **{name: schema.columns[name].coerce(table[name])[0] for name in map(str, table) if name != WHO}
    )


def _write_ends(model: Longitudinal, table: pd.DataFrame, run: Run, given: GivenVisits, owner: Ints) -> None:
    """Write the follow-up of each patient: the given one, or the sampled one."""
    name = model.rows.follow_up
    if name is None:
        return
    Trajectories(model.schema, model.rows, model.visits).end(table, run)
    first = given.first[owner[table[WHO].to_numpy()]]
    hole = given.holes[name].to_numpy()[first]
    table[name] = table[name].where(hole, given.table[name].iloc[first].array)


def _allowed(table: pd.DataFrame, at: Ints, trajectories: Trajectories, given: GivenVisits, size: int) -> Bools:
    """Return which completions violate no rule beyond what given cells violate by themselves."""
    found = np.ones(size, dtype=np.bool_)
    broken = violations(trajectories.finished(table), trajectories.schema)
    between = {rule.text for rule in trajectories.schema.rules if rule.visit_functions}
    for text, mask in broken.items():
        wrong = mask.to_numpy(dtype=np.bool_)
        exempt = given.broken.get(text)
        if exempt is not None and text not in between:
            wrong = wrong & ~np.where(at >= 0, exempt[np.maximum(at, 0)], False)
        elif exempt is not None:
            # A patient whose given visits violate it cannot satisfy it any more, in these.
            wrong = wrong & ~((at >= 0) & exempt[np.maximum(at, 0)])
        found[np.unique(table[WHO].to_numpy()[wrong])] = False
    return found

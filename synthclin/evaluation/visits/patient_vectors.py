"""One row per patient: static columns, the first visit, and summaries of all visits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from synthclin.evaluation.comparison import Tables
from synthclin.evaluation.features import Feature, Features
from synthclin.evaluation.summaries import Summary, summary_name
from synthclin.evaluation.visits.trajectories import Trajectories, visit_times
from synthclin.schema.columns import Number
from synthclin.schema.visit_times import comparable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.schema import Schema
    from synthclin.schema.columns import Column

__all__ = ["PatientSummary", "first_visits", "patient_vectors", "summaries_of"]

_DIGITS = 10
_TWO = 2  # levels, which are a number
_FLAT = 1e-12  # sum of squares of times


def first_visits(c: Comparison) -> Comparison:
    """Return the comparison with one row per patient: the static columns and the first visit.

    Tables without declared visits are returned as they are.
    """
    if c.schema.visit_time is None:
        return c
    found = [_trajectories(c, *table) for table in _tables(c)]
    return _of_patients(c, c.features, [each.values[each.starts] for each in found], found)


def patient_vectors(c: Comparison) -> Comparison:
    """Return the comparison with one row per patient: static columns, the first visit, and summaries of all visits.

    The summaries of a number or an ordered level are its last value, mean, standard deviation, slope over time,
    extremes, and the mean product of the deviations of neighbouring visits; of a level without an order the last one,
    the share of visits at which it changes, and of two levels the share of the second, its slope and its product; of
    all of them the share of missing cells. The number of visits, the gaps and the follow-up after the last visit are
    beside them. Tables without declared visits are returned as they are.
    """
    if c.schema.visit_time is None:
        return c
    found = [_trajectories(c, *table) for table in _tables(c)]
    summaries = [summaries_of(c.features, c.schema, each) for each in found]
    features = [*c.features.columns, *(_feature(c.features, one) for one in summaries[0])]
    rows = [
        np.column_stack([each.values[each.starts], *(one.cells for one in of_table)])
        for each, of_table in zip(found, summaries, strict=True)
    ]
    kept = [
        j
        for j, feature in enumerate(features)
        # A summary that is constant in all tables tells nothing, such as the missing share of a complete column.
        if feature.summary is None or len(np.unique(np.concatenate([part[:, j] for part in rows]))) > 1
    ]
    return _of_patients(c, Features(tuple(features[j] for j in kept)), [part[:, kept] for part in rows], found)


class PatientSummary(NamedTuple):
    """A summary of the visits of each patient.

    Arguments:
        summary: which one.
        column: the summarised column; empty for one of the times of visits.
        is_level: whether the cells are levels of the column.
        cells: (patients,).
    """

    summary: Summary
    column: str
    is_level: bool
    cells: NDArray[np.float64]


def summaries_of(features: Features, schema: Schema, visits: Trajectories) -> list[PatientSummary]:
    """Return the summaries of the visits of each patient, the times of visits first."""
    assert schema.visit_time is not None
    names, last = features.names, visits.starts + visits.counts - 1
    is_moment = schema.columns[schema.visit_time].is_temporal
    clock = visits.since_first if is_moment else visits.time
    found = [PatientSummary("count", "", False, visits.counts.astype(np.float64))]
    moments = zip(_GAPS, _moments(visits, visits.gaps), strict=True)
    found += [PatientSummary(summary, "", False, _rounded(cells)) for summary, cells in moments]
    found.append(PatientSummary("last", schema.visit_time, False, _rounded(clock[last])))
    for name in comparable(schema):
        after = visits.values[visits.starts, names.index(name)] - clock[last]
        found.append(PatientSummary("follow-up", name, False, _rounded(after)))
    for j, feature in enumerate(features.columns):
        declared = schema.columns[feature.name]
        if not (declared.static or feature.name == schema.visit_time or declared.reason_for is not None):
            found += _of_column(visits, clock, j, feature)
    return found


_GAPS: tuple[Summary, ...] = ("gap mean", "gap sd", "gap min", "gap max")
_MOMENTS: tuple[Summary, ...] = ("mean", "sd", "min", "max")


def _of_column(visits: Trajectories, clock: NDArray[np.float64], j: int, feature: Feature) -> Iterator[PatientSummary]:
    """Yield the summaries of one column."""
    name, cells = feature.name, visits.values[:, j]
    is_level = feature.kind != "line"
    final = visits.starts + visits.counts - 1
    yield PatientSummary("last", name, is_level, cells[final])
    yield PatientSummary("missing", name, False, _mean(visits, np.isnan(cells) * 1.0))
    if feature.kind == "levels":
        before = visits.before(cells)
        moved = np.where(np.isnan(cells) | np.isnan(before), np.nan, cells != before)
        yield PatientSummary("changes", name, False, _rounded(_mean(visits, moved)))
        if len(feature.levels) > _TWO:
            return
    moments = dict(zip(_MOMENTS, _moments(visits, cells), strict=True))
    for summary, each in moments.items():
        if summary == "mean" or feature.kind != "levels":
            yield PatientSummary(summary, name, False, _rounded(each))
    apart = cells - moments["mean"][visits.patient]
    yield PatientSummary("lag", name, False, _rounded(_mean(visits, apart * visits.before(apart))))
    known = ~np.isnan(cells)
    middle = clock - _mean(visits, np.where(known, clock, np.nan))[visits.patient]
    spread = visits.sums(np.where(known, middle**2, 0.0))
    slope = np.divide(visits.sums(apart * middle), spread, out=np.full(len(spread), np.nan), where=spread > _FLAT)
    yield PatientSummary("slope", name, False, _rounded(slope))


def _moments(visits: Trajectories, cells: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return mean, standard deviation, minimum and maximum of each patient's known cells; NaN where there are few."""
    mean = _mean(visits, cells)
    count = visits.sums(~np.isnan(cells) * 1.0)
    squares = visits.sums((cells - mean[visits.patient]) ** 2)
    sd = np.sqrt(np.divide(squares, count - 1, out=np.full(len(count), np.nan), where=count > 1))
    ends = [
        how.reduceat(np.where(np.isnan(cells), fill, cells), visits.starts)
        for how, fill in ((np.minimum, np.inf), (np.maximum, -np.inf))
    ]
    return [mean, sd, *(np.where(count > 0, end, np.nan) for end in ends)]


def _mean(visits: Trajectories, cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """(patients,) the mean of the known cells; NaN without one."""
    count = visits.sums(~np.isnan(cells) * 1.0)
    found: NDArray[np.float64] = np.divide(visits.sums(cells), count, out=np.full(len(count), np.nan), where=count > 0)
    return found


def _rounded(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return cells with ten significant digits: equal visits give equal summaries, in any order of a sum."""
    size = np.where(np.isfinite(cells) & (cells != 0), np.abs(cells), 1.0)
    step = 10.0 ** (np.floor(np.log10(size)) - _DIGITS + 1)
    found: NDArray[np.float64] = np.round(cells / step) * step
    return found + 0.0


def _feature(features: Features, one: PatientSummary) -> Feature:
    """Return the feature of a summary; the summaries of a sensitive column are sensitive."""
    source = None if not one.column else features.columns[features.names.index(one.column)]
    name = summary_name(one.summary, one.column)
    if source is not None and one.is_level:
        return replace(source, name=name, summary=one.summary, summarised=one.column)
    is_sensitive = source is not None and source.column.disclosure == "sensitive"
    column = Number(type="number", disclosure="sensitive" if is_sensitive else None)
    return Feature(name, "line", column, summary=one.summary, summarised=one.column)


def _of_patient(column: Column) -> Column:
    """Return a column of the first visit; its time is no time of a visit any more."""
    return column.model_copy(update={"role": None}) if column.role == "visit" else column


def _tables(c: Comparison) -> list[tuple[NDArray[np.float64], NDArray[np.int64]]]:
    """Return training, holdout if there is one, and the synthetic replicates, each with its patients."""
    real = [(c.train, c.train_patients)]
    if c.holdout is not None and c.holdout_patients is not None:
        real.append((c.holdout, c.holdout_patients))
    return [*real, *zip(c.replicates, c.synthetic_patients, strict=True)]


def _trajectories(c: Comparison, rows: NDArray[np.float64], who: NDArray[np.int64]) -> Trajectories:
    return Trajectories.of(rows, visit_times(c.features, c.schema, rows), who)


def _of_patients(
    c: Comparison, features: Features, rows: Sequence[NDArray[np.float64]], found: Sequence[Trajectories]
) -> Comparison:
    """Return the comparison of patients, in the order of `_tables`."""
    real = 1 if c.holdout is None else 2
    first = [each.places[each.starts] for each in found]
    shuffled = c.rng("visits", "patients").permuted(rows[0], axis=0)
    known = c.schema.columns
    columns = {
        feature.name: feature.column if feature.summary else _of_patient(known[feature.name])
        for feature in features.columns
    }
    others = {name: column for name, column in known.items() if name not in columns}
    holdout = c.tables.holdout
    return replace(
        c,
        schema=c.schema.model_copy(update={"columns": columns | others, "constraints": (), "visits": "independent"}),
        features=features,
        tables=Tables(
            c.tables.synthetic.iloc[first[real]].reset_index(drop=True),
            c.tables.train.iloc[first[0]].reset_index(drop=True),
            None if holdout is None else holdout.iloc[first[1]].reset_index(drop=True),
            c.tables.shuffled.iloc[: len(first[0])].reset_index(drop=True),
        ),
        train=rows[0],
        holdout=rows[1] if real > 1 else None,
        replicates=tuple(rows[real:]),
        shuffled=shuffled,
        train_patients=np.arange(len(rows[0]), dtype=np.int64),
        holdout_patients=np.arange(len(rows[1]), dtype=np.int64) if real > 1 else None,
        synthetic_patients=tuple(np.arange(len(each), dtype=np.int64) for each in rows[real:]),
    )

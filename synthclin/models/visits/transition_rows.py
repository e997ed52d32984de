"""The second and later visits of a table as rows: context, moves, and values relative to their linear means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from synthclin.encoding import TableEncoder
from synthclin.models.visits.history import History
from synthclin.models.visits.linear_mean import LinearMean
from synthclin.models.visits.moves import MOVES, moves_of
from synthclin.models.visits.transitions import Patients, Scales, context, features, label, labels_of, own_features
from synthclin.models.visits.variables import MISSING, POOLED, Levels, Variables
from synthclin.schema import Schema
from synthclin.schema.visit_times import times_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

__all__ = [
    "ENTITY",
    "Transitions",
    "context_columns",
    "inner_schema",
    "is_target",
    "numbered_visits",
    "relative",
    "transitions",
    "typed",
]

ENTITY = "patient"
"""Column of the patient in the table of transitions."""


@dataclass(frozen=True, slots=True)
class Transitions:
    """The second and later visits of a table, in the order of their numbers.

    Arguments:
        rows: (visits, columns) context, moves and values.
        at: (visits,) row of each in the table.
        common: (visits, features) shared by all linear means.
        own: by line its (visits, features).
        free: by line which of its own features are hardly penalised.
    """

    rows: pd.DataFrame
    at: Ints
    common: Floats
    own: list[Floats]
    free: list[NDArray[np.bool_]]

    def features(self, line: int) -> tuple[Floats, NDArray[np.bool_]]:
        """Return the features of a line's mean, and which are hardly penalised."""
        whole = np.concatenate([self.own[line], self.common], axis=1)
        return whole, np.concatenate([self.free[line], np.zeros(self.common.shape[1], dtype=np.bool_)])


def transitions(
    table: pd.DataFrame, patient: Ints, variables: Variables, patients: Patients, scales: Scales
) -> Transitions:
    """Return the second and later visits of a typed table, sorted by patient and time, with the context of each."""
    time = times_of(table[variables.time])
    first, number = numbered_visits(patient)
    values, codes = variables.read(table)
    history = History(len(first), len(variables.lines), len(variables.levels))
    at = np.flatnonzero(number == 0)
    history.observe(patient[at], time[at], np.zeros(len(at)), values[at], codes[at])
    parts: list[pd.DataFrame] = []
    shared: list[Floats] = []
    owned: list[list[Floats]] = [[] for _ in variables.lines]
    free: list[NDArray[np.bool_]] = [np.zeros(0, dtype=np.bool_) for _ in variables.lines]
    order: list[Ints] = []
    for k in range(1, int(number.max(initial=0)) + 1):
        at = np.flatnonzero(number == k)
        who = patient[at]
        ratio = scales.ratio(time[at] - history.time[who], number[at])
        columns: dict[str, Any] = {"ratio": ratio}
        moved = np.where(np.isfinite(values[at]), values[at] - np.nan_to_num(history.last[who]), 0.0)
        moved = np.where(history.seen[who] > 0, moved, 0.0)
        for j, line in enumerate(variables.lines):
            mine, free[j] = own_features(history, who, j, line, ratio, moved[:, :j])
            owned[j].append(mine)
            now, last = values[at, j], history.last[who, j]
            told = moves_of(~np.isfinite(now), now == last, line.at_spike(now))
            columns[f"move {line.name}"] = told
            columns[f"value {line.name}"] = np.where(told == "new", values[at, j], np.nan)
        for j, levels in enumerate(variables.levels):
            code, before_it = codes[at, j], history.level[who, j]
            stays = (code == before_it) | ((code == POOLED) & (before_it != MISSING))
            told = moves_of(code == MISSING, stays)
            columns[f"move {levels.name}"] = told
            columns[f"level {levels.name}"] = labels_of(np.where(told == "new", codes[at, j], MISSING)).to_numpy()
        shared.append(features(variables, scales, patients, history, who, ratio, codes[at]))
        before = context(variables, scales, patients, history, who)
        parts.append(pd.concat([before, pd.DataFrame(columns)], axis=1))
        order.append(at)
        history.observe(who, time[at], ratio, values[at], codes[at])
    own = [np.concatenate(each) for each in owned]
    return Transitions(pd.concat(parts, ignore_index=True), np.concatenate(order), np.concatenate(shared), own, free)


def relative(
    found: Transitions, variables: Variables, moves: Mapping[str, tuple[str, ...]], means: Mapping[str, LinearMean]
) -> pd.DataFrame:
    """Return the rows with residuals in the place of values, and rare moves in that of more frequent ones."""
    rows = found.rows.copy()
    for j, line in enumerate(variables.lines):
        target = rows[f"value {line.name}"].to_numpy(dtype=np.float64)
        if "stay" not in moves[line.name]:
            again = (rows[f"move {line.name}"] == "stay").to_numpy()
            target = np.where(again, rows[f"last {line.name}"].to_numpy(dtype=np.float64), target)
            rows[f"move {line.name}"] = np.where(again, "new", rows[f"move {line.name}"])
        mean = means[line.name].predict(found.features(j)[0]) if line.name in means else 0.0
        rows[f"value {line.name}"] = target - mean
    for name, kept in moves.items():
        told = rows[f"move {name}"]
        rows[f"move {name}"] = told.where(told.isin(kept), kept[0])
    return rows


def numbered_visits(patient: Ints) -> tuple[Ints, Ints]:
    """Return (patients,) the first row of each patient, and (rows,) the number of each visit from 0."""
    first = np.unique(patient, return_index=True)[1]
    return first, np.arange(len(patient)) - first[patient]


def is_target(name: str) -> bool:
    """Whether a column is sampled, and not context."""
    return name == "ratio" or name.startswith(("move ", "level ", "value "))


def context_columns(encoder: TableEncoder) -> int:
    """Return the number of context columns of a fitted model of visits."""
    return sum(not is_target(name) for name in encoder.codecs)


def inner_schema(
    variables: Variables, rows: pd.DataFrame, patient: Ints, moves: Mapping[str, tuple[str, ...]], limit: int
) -> tuple[Schema, int]:
    """Return the schema of the rows, context first, and the number of context columns."""
    number: dict[str, Any] = {"type": "number", "missing": "allowed"}
    whole: dict[str, Any] = {"type": "integer", "missing": "allowed"}
    of = {levels.name: levels for levels in variables.levels}
    static = {levels.name: levels for levels in variables.static_levels}

    def levelled(levels: Levels) -> dict[str, Any]:
        names = [label(code) for code in sorted(levels.codes)]
        kind = "ordinal" if levels.ordered and len(names) > 1 else "category"
        return {"type": kind, "categories": names, "missing": "allowed"}

    candidates: dict[str, dict[str, Any]] = {"number": whole, "left": whole}
    candidates |= {"time": number, "gap before": number, "slack": number}
    candidates |= {f"static {name}": levelled(levels) for name, levels in static.items()}
    for name in [*of, *(line.name for line in variables.lines)]:
        candidates |= {f"last {name}": levelled(of[name]) if name in of else number, f"age {name}": whole}
        if name in of:
            # Some patients change often: a trait that the last level does not tell.
            candidates[f"changes {name}"] = whole
    columns: dict[str, dict[str, Any]] = {ENTITY: {"type": "id", "role": "entity"}}
    kept = {name: one for name, one in candidates.items() if _informative(rows[name], one, patient, limit)}
    columns |= kept
    targets: dict[str, dict[str, Any]] = {"ratio": {"type": "number"}}
    for name, names in moves.items():
        if len(names) > 1:
            targets[f"move {name}"] = {"type": "category", "categories": [m for m in MOVES if m in names]}
    targets |= {f"level {name}": levelled(levels) for name, levels in of.items() if "new" in moves[name]}
    targets |= {f"value {line.name}": number for line in variables.lines if "new" in moves[line.name]}
    columns |= {name: one for name, one in targets.items() if _informative(rows[name], one, patient, limit)}
    return Schema.model_validate({"columns": columns, "visits": "independent"}), len(kept)


def _informative(cells: pd.Series, column: Mapping[str, Any], patient: Ints, limit: int) -> bool:
    """Whether enough patients have different cells, so that an encoder can describe the column."""
    codes, found = pd.factorize(cells, use_na_sentinel=True)
    if column["type"] in {"number", "integer"}:
        known = codes >= 0
        commonest = np.bincount(codes[known]).argmax() if known.any() else -1
        others = len(np.unique(patient[known & (codes != commonest)]))
        return len(np.unique(patient[known])) >= 2 * max(limit, 1) and others >= max(limit, 1)
    each = [len(np.unique(patient[codes == code])) for code in range(-1, len(found))]
    return sum(one >= max(limit, 1) for one in each) >= 2


def typed(rows: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return the columns of an inner schema in canonical types."""
    return pd.DataFrame({name: column.coerce(rows[name])[0] for name, column in schema.columns.items()})

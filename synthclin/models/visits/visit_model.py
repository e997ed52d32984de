"""Model of the second and later visits: one row per visit given the patient's history."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from synthclin.models.visits.history import History
from synthclin.models.visits.linear_mean import LinearMean
from synthclin.models.visits.moves import MOVES, VisitMask, kept_moves
from synthclin.models.visits.transitions import Patients, Scales, context, features, label, labels_of, own_features, own_width, shared_width
from synthclin.models.visits.variables import MISSING, POOLED, Variables
from synthclin.sampling.sequential import Imposed
from synthclin.schema import Schema
from synthclin.schema.visit_times import times_of
from synthclin.schema.visits import Visits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.encoding import Encoded, TableEncoder
    from synthclin.models.callbacks import Callback

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

__all__ = ["RowModel", "VisitModel"]

ENTITY = "patient"
"""Column of the patient in the table of transitions."""


class RowModel(Protocol):
    """A model of rows, as the two inner models of a longitudinal one are."""

    encoder_: TableEncoder
    training_: dict[str, Any]

    def fit(self, table: pd.DataFrame, *, callback: Callback | None = None, checked: bool = False) -> RowModel:
        """Fit the model."""

    def typed_log_likelihood(self, table: pd.DataFrame) -> Floats:
        """Return the log-likelihood of typed rows, (rows,), in nats."""

    def _sample(self, rows: int, generator: torch.Generator, imposed: Imposed) -> tuple[Encoded, Tensor]:
        """Sample rows under what is imposed."""


@dataclass(slots=True)
class VisitModel:
    """Conditional distribution of each visit given those before: a network over the distance in time, moves and residuals.

    A row of its table has the context first and then, in the order of sampling, the standardised log distance from the
    visit before, the move of each column (`stay`, `new` or `missing`), the level of each column of levels that is new,
    and of each number that is new the residual of its linear mean.

    Arguments:
        variables: the columns.
        scales: of time.
        moves: by column the moves that occur.
        means: by line its linear mean.
        rows: the network over rows; None where no column of a visit varies beyond the context.
    """

    variables: Variables
    scales: Scales
    moves: dict[str, tuple[str, ...]]
    means: dict[str, LinearMean]
    rows: RowModel
    resolution: float
    _mask: VisitMask | None = field(default=None, init=False)

    @classmethod
    def fit(
        cls,
        table: pd.DataFrame,
        patient: Ints,
        variables: Variables,
        patients: Patients,
        make: Callable[[Schema, int], RowModel],
        *,
        limit: int,
        resolution: float,
        seed: int,
        callback: Callback | None = None,
    ) -> VisitModel:
        """Fit the model to a typed table, sorted by patient and time.

        Arguments:
            table: (rows, columns).
            patient: (rows,) from 0, rising.
            variables: the columns.
            patients: of the table.
            make: returns a model of rows for a schema and the number of its context columns.
            limit: smallest number of patients behind what is stored.
            resolution: least distance of two visits.
            seed: of everything random.
            callback: of the training.
        """
        first, number = _numbered(patient)
        scales = Scales.fit(times_of(table[variables.time]), number, patient, patients.slack, limit)
        values, codes = variables.read(table)
        moves = kept_moves(variables, values, codes, number, patient, limit)
        found = transitions(table, patient, variables, patients, scales)
        of = patient[found.at]
        means: dict[str, LinearMean] = {}
        for j, line in enumerate(variables.lines):
            if "new" in moves[line.name]:
                target = found.rows[f"value {line.name}"].to_numpy(dtype=np.float64)
                if "stay" not in moves[line.name]:
                    again = (found.rows[f"move {line.name}"] == "stay").to_numpy()
                    target = np.where(again, found.rows[f"last {line.name}"].to_numpy(dtype=np.float64), target)
                whole, hardly = found.features(j)
                known = np.isfinite(target)
                means[line.name] = LinearMean.fit(whole[known], target[known], of[known], hardly, seed)
        rows = _relative(found, variables, moves, means)
        schema, given = _schema(variables, rows, of, moves, limit)
        rows[ENTITY] = of.astype(str)
        network = make(schema, given)
        network.fit(_typed(rows, schema), callback=callback, checked=True)
        return cls(variables, scales, moves, means, network, resolution)

    def log_likelihood(self, table: pd.DataFrame, patient: Ints, patients: Patients) -> Floats:
        """Return the log-likelihood of each visit given those before, (rows,), in nats; 0 for first visits."""
        likelihood = np.zeros(len(table))
        if (np.bincount(patient) > 1).any():
            found = transitions(table, patient, self.variables, patients, self.scales)
            rows = _relative(found, self.variables, self.moves, self.means).assign(**{ENTITY: "0"})
            likelihood[found.at] = self.rows.typed_log_likelihood(_typed(rows, self.rows.encoder_.schema))
        return likelihood

    @property
    def facts(self) -> dict[str, Any]:
        """The fitted numbers beside the network and the coefficients, as plain data."""
        return {
            "variables": self.variables.state,
            "scales": self.scales.state,
            "moves": {name: list(moves) for name, moves in self.moves.items()},
            "means": list(self.means),
            "resolution": self.resolution,
        }

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The coefficients of the linear means, by number of the column."""
        found: dict[str, Tensor] = {}
        for i, mean in enumerate(self.means.values()):
            found[f"mean.{i}.weights"] = torch.from_numpy(mean.weights)
            found[f"mean.{i}.constant"] = torch.from_numpy(mean.constant)
        return found

    @classmethod
    def of(
        cls, facts: Mapping[str, Any], tensors: Mapping[str, Tensor], schema: Schema, encoder: TableEncoder, rows: RowModel
    ) -> VisitModel:
        """Return the model from plain data; raises LookupError, TypeError or ValueError where it does not fit."""
        variables, scales = Variables.of(schema, encoder, facts["variables"]), Scales.of(facts["scales"])
        moves = {name: tuple(moves) for name, moves in facts["moves"].items()}
        names = {each.name for each in (*variables.lines, *variables.levels)}
        if set(moves) != names or not all(kept and set(kept) <= set(MOVES) for kept in moves.values()):
            raise ValueError("moves of other columns")
        wanted = [line.name for line in variables.lines if "new" in moves[line.name]]
        if facts["means"] != wanted or set(tensors) != {
            f"mean.{i}.{part}" for i in range(len(wanted)) for part in ("weights", "constant")
        }:
            raise ValueError("means of other columns")
        places = [line.name for line in variables.lines]
        shared = shared_width(variables)
        means = {}
        for i, name in enumerate(wanted):
            weights, constant = (tensors[f"mean.{i}.{part}"] for part in ("weights", "constant"))
            if weights.shape != (own_width(places.index(name)) + shared,) or constant.shape != (1,):
                raise ValueError("coefficients of other features")
            means[name] = LinearMean(weights.numpy(), constant.numpy())
        resolution = float(facts["resolution"])
        if not resolution > 0:
            raise ValueError("no distance")
        return cls(variables, scales, moves, means, rows, resolution)

    def mask(self) -> VisitMask:
        """Return the mask of codes that contradict the context or each other."""
        if self._mask is None:
            self._mask = VisitMask(self.variables, self.rows.encoder_, self.moves)
        return self._mask

    def sample(
        self, who: Ints, patients: Patients, history: History, plan: Visits, seed: tuple[torch.Generator, np.random.Generator]
    ) -> tuple[pd.DataFrame, Floats, Ints, Floats, NDArray[np.bool_]]:
        """Sample the next visit of the patients `who`.

        Returns:
            (visits, columns) cells, (visits, lines) values, (visits, levels) codes, (visits,) standardised log
            distances, and which (visits,) are possible: inside all bounds.
        """
        generator, rng = seed
        encoder, variables, scales = self.rows.encoder_, self.variables, self.scales
        rows = context(variables, scales, patients, history, who)
        schema = encoder.schema
        for name in schema.modelled:
            if name not in rows:
                rows[name] = None
        rows[ENTITY] = "0"
        encoded = encoder.encode(_typed(rows, schema))
        known = encoded.codes.clone()
        given = sum(not _is_target(name) for name in encoder.layout.names)
        known[:, given:] = -1
        forbidden = {
            j: torch.from_numpy(column.never) for j, column in enumerate(encoder.layout.columns) if column.never.any()
        }
        mask = self.mask()
        sampled, weight = self.rows._sample(  # noqa: SLF001 (the contract of an inner model)
            len(who), generator, Imposed(forbidden=forbidden, code_mask=mask, known=known)
        )
        possible = np.array(weight.isfinite().numpy())
        sampled.codes[~weight.isfinite()] = 0
        cells = _decoded(encoder, sampled, given)
        number = history.number[who]
        time, ratio = self._time(cells, history, who, number, plan)
        columns: dict[str, pd.Series] = {}
        codes = np.full((len(who), len(variables.levels)), MISSING, dtype=np.int64)
        for j, levels in enumerate(variables.levels):
            move = self._move(cells, levels.name)
            last = history.level[who, j]
            new = np.full(len(who), MISSING, dtype=np.int64)
            if f"level {levels.name}" in cells:
                told = cells[f"level {levels.name}"].astype(object)
                new = np.array([MISSING if pd.isna(each) else int(each[1:]) for each in told], dtype=np.int64)
            codes[:, j] = np.where(move == "stay", last, np.where(move == "new", new, MISSING))
            columns[levels.name] = levels.write(codes[:, j], rng)
        common = features(variables, scales, patients, history, who, ratio, codes)
        values = np.full((len(who), len(variables.lines)), np.nan)
        moved = np.zeros((len(who), len(variables.lines)))
        for j, line in enumerate(variables.lines):
            move, last = self._move(cells, line.name), history.last[who, j]
            new = np.full(len(who), np.nan)
            if line.name in self.means:
                mine, _ = own_features(history, who, j, ratio, moved[:, :j])
                new = self.means[line.name].predict(np.concatenate([mine, common], axis=1))
                if f"value {line.name}" in cells:
                    new = new + cells[f"value {line.name}"].to_numpy(dtype=np.float64)
            value = np.where(move == "stay", last, np.where(move == "new", new, np.nan))
            wanted = (move == "new") & np.isfinite(value)
            possible &= ~wanted | line.possible(np.nan_to_num(value), time)
            written = line.write(np.nan_to_num(value), time).mask(~np.isfinite(value))
            # As it is written, rounded: the next visit knows no other digits.
            values[:, j] = np.where(move == "stay", last, line.read(written, time))
            columns[line.name] = written
            moved[:, j] = np.where(np.isfinite(values[:, j]) & (history.seen[who, j] > 0), values[:, j] - last, 0.0)
        table = pd.DataFrame(columns)
        table["time"] = time
        return table, values, codes, ratio, possible & np.isfinite(time)

    def _move(self, cells: pd.DataFrame, name: str) -> NDArray[np.object_]:
        kept = self.moves[name]
        if f"move {name}" in cells:
            return cells[f"move {name}"].astype(object).to_numpy()
        return np.full(len(cells), kept[0], dtype=object)

    def _time(
        self, cells: pd.DataFrame, history: History, who: Ints, number: Ints, plan: Visits
    ) -> tuple[Floats, Floats]:
        """Return times of the next visits and their standardised log distances; NaN where a schedule has ended."""
        ratio = cells["ratio"].to_numpy(dtype=np.float64) if "ratio" in cells else np.zeros(len(who))
        gap = self.scales.median(number) * np.exp(np.clip(ratio, -20, 20))
        before = history.time[who]
        steps = np.maximum(np.rint(gap / self.resolution), 1) if self.resolution > 1e-6 else gap / self.resolution
        time = before + steps * self.resolution
        if plan.schedule:
            time = _planned(time, before, history.start[who], plan, self.resolution)
        return time, self.scales.ratio(time - before, number)


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
    first, number = _numbered(patient)
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
            mine, free[j] = own_features(history, who, j, ratio, moved[:, :j])
            owned[j].append(mine)
            told = _moves_of(values[at, j], history.last[who, j])
            columns[f"move {line.name}"] = told
            columns[f"value {line.name}"] = np.where(told == "new", values[at, j], np.nan)
        for j, levels in enumerate(variables.levels):
            told = _moves_of(codes[at, j], history.level[who, j])
            columns[f"move {levels.name}"] = told
            columns[f"level {levels.name}"] = labels_of(np.where(told == "new", codes[at, j], MISSING)).to_numpy()
        shared.append(features(variables, scales, patients, history, who, ratio, codes[at]))
        before = context(variables, scales, patients, history, who)
        parts.append(pd.concat([before, pd.DataFrame(columns)], axis=1))
        order.append(at)
        history.observe(who, time[at], ratio, values[at], codes[at])
    own = [np.concatenate(each) for each in owned]
    return Transitions(pd.concat(parts, ignore_index=True), np.concatenate(order), np.concatenate(shared), own, free)


def _relative(
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


def _numbered(patient: Ints) -> tuple[Ints, Ints]:
    """Return (patients,) the first row of each patient, and (rows,) the number of each visit from 0."""
    first = np.unique(patient, return_index=True)[1]
    return first, np.arange(len(patient)) - first[patient]


def _planned(time: Floats, before: Floats, start: Floats, plan: Visits, resolution: float) -> Floats:  # noqa: ARG001
    """Return the times moved into the window of the nearest planned visit after the one before; NaN without any."""
    planned = np.array(plan.schedule, dtype=np.float64)
    slot = np.abs(before[:, None] - planned).argmin(1)
    apart = np.abs(time[:, None] - planned)
    apart[np.arange(len(planned)) <= slot[:, None]] = np.inf
    nearest = apart.argmin(1)
    found = np.clip(time, planned[nearest] - plan.window, planned[nearest] + plan.window)
    return np.where(np.isfinite(apart.min(1)), found, np.nan)


def _moves_of(now: NDArray[Any], last: NDArray[Any]) -> NDArray[np.object_]:
    """Return the move of each cell from its last observed value or code."""
    if now.dtype.kind == "f":
        missing, stays = ~np.isfinite(now), now == last
    else:
        missing, stays = now == MISSING, (now == last) | ((now == POOLED) & (last != MISSING))
    return np.where(missing, "missing", np.where(stays, "stay", "new")).astype(object)


def _is_target(name: str) -> bool:
    return name == "ratio" or name.startswith(("move ", "level ", "value "))


def _decoded(encoder: TableEncoder, sampled: Encoded, given: int) -> pd.DataFrame:
    """Return the sampled columns; a code that is never sampled is missing."""
    codes, offsets = sampled.codes.numpy(), sampled.offsets.numpy()
    found = {}
    for j, (name, codec) in enumerate(encoder.codecs.items()):
        if j >= given:
            never = encoder.layout.columns[j].never[codes[:, j]]
            cells = codec.decode(codes[:, j], offsets[:, j])
            found[name] = cells.mask(never)
    return pd.DataFrame(found, index=pd.RangeIndex(len(codes)))


def _schema(
    variables: Variables, rows: pd.DataFrame, patient: Ints, moves: Mapping[str, tuple[str, ...]], limit: int
) -> tuple[Schema, int]:
    """Return the schema of the rows, context first, and the number of context columns."""
    number: dict[str, Any] = {"type": "number", "missing": "allowed"}
    whole: dict[str, Any] = {"type": "integer", "missing": "allowed"}
    of = {levels.name: levels for levels in variables.levels}
    static = {levels.name: levels for levels in variables.static_levels}

    def levelled(levels: Any) -> dict[str, Any]:  # noqa: ANN401 - of `Levels`
        names = [label(code) for code in sorted(levels.codes)]
        kind = "ordinal" if levels.ordered and len(names) > 1 else "category"
        return {"type": kind, "categories": names, "missing": "allowed"}

    candidates: dict[str, dict[str, Any]] = {"number": whole, "left": whole}
    candidates |= {"time": number, "gap before": number, "slack": number}
    candidates |= {f"static {name}": levelled(levels) for name, levels in static.items()}
    for name in [*of, *(line.name for line in variables.lines)]:
        candidates |= {f"last {name}": levelled(of[name]) if name in of else number, f"age {name}": whole}
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
    return sum(one >= max(limit, 1) for one in each) >= 2  # noqa: PLR2004


def _typed(rows: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return the columns of an inner schema in canonical types."""
    return pd.DataFrame({name: column.coerce(rows[name])[0] for name, column in schema.columns.items()})

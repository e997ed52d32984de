"""Model of the second and later visits: one row per visit given the patient's history."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from synthclin.errors import DataError
from synthclin.models.visits.history import History
from synthclin.models.visits.linear_mean import LinearMean
from synthclin.models.visits.moves import MOVES, SPIKES, VisitMask, kept_moves, values_after
from synthclin.models.visits.transition_rows import (
    ENTITY,
    inner_schema,
    is_target,
    numbered_visits,
    relative,
    transitions,
    typed,
)
from synthclin.models.visits.transitions import (
    Patients,
    Scales,
    code_of,
    context,
    features,
    own_features,
    own_width,
    shared_width,
)
from synthclin.models.visits.variables import MISSING, Variables
from synthclin.sampling.sequential import Imposed
from synthclin.schema import Schema
from synthclin.schema.visits import Visits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.encoding import Encoded, TableEncoder
    from synthclin.models.callbacks import Callback
    from synthclin.models.checkpoints import Checkpoint

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

__all__ = ["RowModel", "VisitModel", "planned_times"]


class RowModel(Protocol):
    """A model of rows, as the two inner models of a longitudinal one are."""

    encoder_: TableEncoder
    training_: dict[str, Any]

    def fit(
        self,
        table: pd.DataFrame,
        *,
        checkpoint: Checkpoint | None = None,
        callback: Callback | None = None,
        checked: bool = False,
    ) -> RowModel:
        """Fit the model."""

    def typed_log_likelihood(self, table: pd.DataFrame) -> Floats:
        """Return the log-likelihood of typed rows, (rows,), in nats."""

    def _sample(self, rows: int, generator: torch.Generator, imposed: Imposed) -> tuple[Encoded, Tensor]:
        """Sample rows under what is imposed."""


@dataclass(slots=True)
class VisitModel:
    """Conditional distribution of each visit given those before: a network over distance in time, moves, residuals.

    A row of its table has the context first and then, in the order of sampling, the standardised log distance from the
    visit before, the move of each column (`stay`, `new` or `missing`), the level of each column of levels that is new,
    and of each number that is new the residual of its linear mean.

    Arguments:
        variables: the columns.
        scales: of time.
        moves: by column the moves that occur.
        means: by line its linear mean.
        rows: the network over rows.
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
        scales: Scales,
        make: Callable[[Schema, int], RowModel],
        *,
        limit: int,
        resolution: float,
        seed: int,
        checkpoint: Checkpoint | None = None,
        callback: Callback | None = None,
    ) -> VisitModel:
        """Fit the model to a typed table, sorted by patient and time.

        Arguments:
            table: (rows, columns).
            patient: (rows,) from 0, rising.
            variables: the columns.
            patients: of the table.
            scales: of time.
            make: returns a model of rows for a schema and the number of its context columns.
            limit: smallest number of patients behind what is stored.
            resolution: least distance of two visits.
            seed: of everything random.
            checkpoint: of the training.
            callback: of the training.

        Raises:
            DataError: there are too few patients with several visits.
        """
        _, number = numbered_visits(patient)
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
        rows = relative(found, variables, moves, means)
        schema, given = inner_schema(variables, rows, of, moves, limit)
        if not schema.modelled:
            people = len(np.unique(of))
            what = f"{people:,} patients with several visits are too few: no column of their visits can be modelled"
            raise DataError("table", what, "Give more patients, or declare `visits: independent`.")
        rows[ENTITY] = of.astype(str)
        network = make(schema, given)
        network.fit(typed(rows, schema), checkpoint=checkpoint, callback=callback, checked=True)
        return cls(variables, scales, moves, means, network, resolution)

    def log_likelihood(self, table: pd.DataFrame, patient: Ints, patients: Patients) -> Floats:
        """Return the log-likelihood of each visit given those before, (rows,), in nats; 0 for first visits."""
        likelihood = np.zeros(len(table))
        if (np.bincount(patient) > 1).any():
            found = transitions(table, patient, self.variables, patients, self.scales)
            rows = relative(found, self.variables, self.moves, self.means).assign(**{ENTITY: "0"})
            likelihood[found.at] = self.rows.typed_log_likelihood(typed(rows, self.rows.encoder_.schema))
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
        cls,
        facts: Mapping[str, Any],
        tensors: Mapping[str, Tensor],
        schema: Schema,
        encoder: TableEncoder,
        rows: RowModel,
    ) -> VisitModel:
        """Return the model from plain data; raises LookupError, TypeError or ValueError where it does not fit."""
        variables, scales = Variables.of(schema, encoder, facts["variables"]), Scales.of(facts["scales"])
        moves = {name: tuple(moves) for name, moves in facts["moves"].items()}
        names = {*(line.name for line in variables.lines), *(levels.name for levels in variables.levels)}
        if set(moves) != names or not all(kept and set(kept) <= set(MOVES) for kept in moves.values()):
            raise ValueError("moves of other columns")
        wanted = [line.name for line in variables.lines if "new" in moves[line.name]]
        if facts["means"] != wanted or set(tensors) != {
            f"mean.{i}.{part}" for i in range(len(wanted)) for part in ("weights", "constant")
        }:
            raise ValueError("means of other columns")
        for line in variables.lines:
            if not set(moves[line.name]) & set(SPIKES) <= set(SPIKES[: len(line.spikes)]):
                raise ValueError("moves to other spikes")
        shared = shared_width(variables)
        means = {}
        for j, line in enumerate(variables.lines):
            if line.name in wanted:
                prefix = f"mean.{wanted.index(line.name)}"
                means[line.name] = LinearMean.of(tensors, prefix, own_width(j, line) + shared)
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
        self,
        who: Ints,
        patients: Patients,
        history: History,
        plan: Visits,
        seed: tuple[torch.Generator, np.random.Generator],
    ) -> tuple[pd.DataFrame, Ints, Floats, NDArray[np.bool_]]:
        """Sample the next visit of the patients `who`.

        Returns:
            (visits, columns) cells with the time as column `time`, (visits, levels) codes, (visits,) standardised log
            distances, and which (visits,) are possible: inside all bounds.
        """
        generator, rng = seed
        encoder, variables, scales = self.rows.encoder_, self.variables, self.scales
        rows = context(variables, scales, patients, history, who)
        before = [name for name in encoder.codecs if not is_target(name)]
        known = torch.full((len(who), len(encoder.layout)), -1)
        for j, name in enumerate(before):
            told = encoder.schema.columns[name].coerce(rows[name])[0]
            known[:, j] = torch.from_numpy(encoder.codecs[name].encode(told)[0])
        forbidden = {
            j: torch.from_numpy(column.never) for j, column in enumerate(encoder.layout.columns) if column.never.any()
        }
        mask = self.mask()
        sampled, weight = self.rows._sample(  # noqa: SLF001 (the contract of an inner model)
            len(who), generator, Imposed(forbidden=forbidden, code_mask=mask, known=known)
        )
        possible = np.array(weight.isfinite().numpy())
        sampled.codes[~weight.isfinite()] = 0
        cells = _decoded(encoder, sampled, len(before))
        number = history.number[who]
        time, ratio = self._time(cells, history, who, number, plan)
        columns: dict[str, Any] = {"time": time}
        codes = self._levels(cells, history, who, rng, columns)
        shared = features(variables, scales, patients, history, who, ratio, codes)
        possible &= self._lines(cells, history, who, shared, ratio, columns)
        return pd.DataFrame(columns), codes, ratio, possible & np.isfinite(time)

    def _levels(
        self, cells: pd.DataFrame, history: History, who: Ints, rng: np.random.Generator, columns: dict[str, Any]
    ) -> Ints:
        """Add the typed levels of the visits to `columns` and return their (visits, levels) codes."""
        codes = np.full((len(who), len(self.variables.levels)), MISSING, dtype=np.int64)
        for j, levels in enumerate(self.variables.levels):
            move = self._move(cells, levels.name)
            new = np.full(len(who), MISSING, dtype=np.int64)
            if f"level {levels.name}" in cells:
                told = cells[f"level {levels.name}"].astype(object)
                new = np.array([MISSING if pd.isna(each) else code_of(each) for each in told], dtype=np.int64)
            codes[:, j] = np.where(move == "stay", history.level[who, j], np.where(move == "new", new, MISSING))
            columns[levels.name] = levels.write(codes[:, j], rng)
        return codes

    def _lines(
        self, cells: pd.DataFrame, history: History, who: Ints, shared: Floats, ratio: Floats, columns: dict[str, Any]
    ) -> NDArray[np.bool_]:
        """Add the typed numbers of the visits to `columns` and return which (visits,) are inside all bounds."""
        time, possible = columns["time"], np.ones(len(who), dtype=np.bool_)
        moved = np.zeros((len(who), len(self.variables.lines)))
        for j, line in enumerate(self.variables.lines):
            move, last = self._move(cells, line.name), history.last[who, j]
            new = np.full(len(who), np.nan)
            if line.name in self.means:
                mine, _ = own_features(history, who, j, line, ratio, moved[:, :j])
                new = self.means[line.name].predict(np.concatenate([mine, shared], axis=1))
                if f"value {line.name}" in cells:
                    new = new + cells[f"value {line.name}"].to_numpy(dtype=np.float64)
            value = values_after(move, last, new, line)
            known = np.isfinite(value)
            possible &= ~((move == "new") & known) | line.possible(np.nan_to_num(value), time)
            columns[line.name] = line.write(np.nan_to_num(value), time, away=move == "new").mask(~known)
            # As it is written, rounded: later columns and visits know no other digits.
            value = np.where(move == "stay", last, line.read(columns[line.name], time))
            moved[:, j] = np.where(np.isfinite(value) & (history.seen[who, j] > 0), value - last, 0.0)
        return possible

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
            start = history.start[who] if self.variables.dated else np.zeros(len(who))
            time = start + planned_times(time - start, before - start, plan)
        return time, self.scales.ratio(time - before, number)


def planned_times(time: Floats, before: Floats, plan: Visits) -> Floats:
    """Return the times moved into the window of the nearest planned visit after the one before; NaN without any.

    Example:
        >>> plan = Visits(schedule=(0, 28, 56), window=3)
        >>> planned_times(np.array([20.0, 70.0, 60.0]), np.array([1.0, 27.0, 57.0]), plan).tolist()
        [25.0, 59.0, nan]
    """
    planned = np.array(plan.schedule, dtype=np.float64)
    # Before the first visit no slot is taken.
    slot = np.where(np.isfinite(before), np.abs(np.nan_to_num(before)[:, None] - planned).argmin(1), -1)
    apart = np.abs(time[:, None] - planned)
    apart[np.arange(len(planned)) <= slot[:, None]] = np.inf
    nearest = apart.argmin(1)
    found = np.clip(time, planned[nearest] - plan.window, planned[nearest] + plan.window)
    return np.where(np.isfinite(apart.min(1)), found, np.nan)


def _decoded(encoder: TableEncoder, sampled: Encoded, given: int) -> pd.DataFrame:
    """Return the sampled columns; a code that is never sampled is missing."""
    codes, offsets = sampled.codes.numpy(), sampled.offsets.numpy()
    found = {}
    for j, (name, codec) in enumerate(encoder.codecs.items()):
        if j >= given:
            never = encoder.layout.columns[j].never[codes[:, j]]
            cells = codec.decode(codes[:, j], offsets[:, j])
            found[name] = cells.mask(never) if never.any() else cells
    return pd.DataFrame(found, index=pd.RangeIndex(len(codes)))

"""Completion of a visit: its unknown cells are sampled given its known ones and the visits before it.

Candidates are weighted by the likelihood of the known cells (sequential importance sampling: Liu & Chen 1998,
doi:10.1080/01621459.1998.10473765). A known number is known to the network as the residual of its linear mean, which
depends on the levels of the visit and on the numbers before it: its code follows while the row is sampled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from synthclin.encoding.line_codec import LineCodec
from synthclin.models.visits.moves import moves_of, values_after
from synthclin.models.visits.transition_rows import ENTITY, is_target, typed
from synthclin.models.visits.transitions import code_of, context, features, label, own_features
from synthclin.models.visits.variables import MISSING, POOLED
from synthclin.sampling.sequential import CodeMask, Imposed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.encoding.codecs import Codec
    from synthclin.models.visits.history import History
    from synthclin.models.visits.transitions import Patients
    from synthclin.models.visits.visit_model import VisitModel

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]
    Texts = NDArray[np.object_]

__all__ = ["CompletedVisits", "KnownVisits", "complete_visits", "log_widths"]


@dataclass(frozen=True, slots=True)
class KnownVisits:
    """What is known of one visit each of several patients.

    Arguments:
        time: (visits,) of the visit.
        values: (visits, lines) on their scales, NaN where missing or to be imputed.
        codes: (visits, levels), MISSING where missing or to be imputed.
        line_holes: (visits, lines) which numbers are imputed.
        level_holes: (visits, levels) which levels are imputed.
    """

    time: Floats
    values: Floats
    codes: Ints
    line_holes: Bools
    level_holes: Bools

    def __getitem__(self, part: slice | Ints) -> KnownVisits:
        time, values, codes = self.time[part], self.values[part], self.codes[part]
        return KnownVisits(time, values, codes, self.line_holes[part], self.level_holes[part])


@dataclass(frozen=True, slots=True)
class CompletedVisits:
    """Completed visits.

    Arguments:
        cells: typed cells of lines and levels; those of known cells have no meaning.
        codes: (visits, levels) codes, known ones among them.
        ratio: (visits,) standardised log distance from the visit before.
        possible: (visits,) whether the imputed numbers are inside their bounds.
        log_weight: (visits,) log-likelihood of the known cells given what was sampled before each; -inf if impossible.
    """

    cells: pd.DataFrame
    codes: Ints
    ratio: Floats
    possible: Bools
    log_weight: Floats


def complete_visits(
    model: VisitModel,
    who: Ints,
    patients: Patients,
    history: History,
    known: KnownVisits,
    seed: tuple[torch.Generator, np.random.Generator],
) -> CompletedVisits:
    """Return a completion of the next visit of the patients `who`, weighted by its known cells."""
    generator, rng = seed
    encoder, names = model.rows.encoder_, model.rows.encoder_.layout.names
    ratio = model.scales.ratio(known.time - history.time[who], history.number[who])
    told = _moves(model, known, history, who)
    codes = _known_codes(model, context(model.variables, model.scales, patients, history, who), known, told, ratio)
    offsets = rng.random((len(who), len(names)), dtype=np.float32)
    residuals = _Residuals(model, who, patients, history, known, ratio, told, offsets)
    mask = _Required(model.mask(), residuals.required())
    given = sum(not is_target(name) for name in names)
    forbidden = {
        j: torch.from_numpy(column.never) for j, column in enumerate(encoder.layout.columns) if column.never.any()
    }
    encoded, weight = model.rows._sample(  # noqa: SLF001 (the contract of an inner model)
        len(who),
        generator,
        Imposed(
            forbidden=forbidden, code_mask=mask, reference_mask=mask, known=codes, context=given, deduced=residuals
        ),
    )
    parts = residuals.parts or [residuals]
    start = 0
    for part in parts:
        size = len(part.who)
        part.decode(len(model.variables.lines), dict(enumerate(encoded.codes[start : start + size].unbind(1))))
        start += size
    cells = pd.concat([pd.DataFrame(part.cells, index=range(len(part.who))) for part in parts], ignore_index=True)
    now = np.concatenate([part.now for part in parts])
    for j, levels in enumerate(model.variables.levels):
        cells[levels.name] = levels.write(now[:, j], rng)
    log_weight = weight.double().numpy() - np.concatenate([part.log_width for part in parts])
    possible = np.concatenate([part.possible for part in parts]) & np.isfinite(log_weight)
    return CompletedVisits(cells, now, ratio, possible, np.where(possible, log_weight, -np.inf))


def _known_codes(
    model: VisitModel, before: pd.DataFrame, known: KnownVisits, told: Mapping[str, Texts], ratio: Floats
) -> Tensor:
    """Return the (visits, columns) codes of context and known cells, -1 where a code is sampled or follows."""
    encoder, rows = model.rows.encoder_, before.assign(ratio=ratio)
    for name, moves in told.items():
        rows[f"move {name}"] = moves
    for j, levels in enumerate(model.variables.levels):
        new = (told[levels.name] == "new") & (known.codes[:, j] >= 0)
        rows[f"level {levels.name}"] = [
            label(code) if here else None for code, here in zip(known.codes[:, j].tolist(), new, strict=True)
        ]
    for name in encoder.schema.modelled:
        if name not in rows:
            rows[name] = None
    rows[ENTITY] = "0"
    codes = encoder.encode(typed(rows, encoder.schema)).codes.clone()
    for place, name in enumerate(encoder.layout.names):
        kind, _, column = name.partition(" ")
        if kind == "move":
            codes[torch.from_numpy(told[column] == None), place] = -1  # noqa: E711 (of each cell)
        elif kind == "level":
            # Of a level that is new and has no code of its own, the code is unknown.
            sampled = (told[column] == None) | ((told[column] == "new") & rows[name].isna().to_numpy())  # noqa: E711
            codes[torch.from_numpy(sampled), place] = -1
        elif kind == "value":
            codes[:, place] = -1
    return codes


def _moves(model: VisitModel, known: KnownVisits, history: History, who: Ints) -> dict[str, Texts]:
    """Return by column the (visits,) moves of known cells; None where it is unknown, or too rare to be a move."""
    found: dict[str, Texts] = {}
    for j, line in enumerate(model.variables.lines):
        value, last = known.values[:, j], history.last[who, j]
        told = moves_of(~np.isfinite(value), value == last, line.at_spike(value))
        if "stay" not in model.moves[line.name] and "new" in model.moves[line.name]:
            told[told == "stay"] = "new"
        found[line.name] = _kept(told, known.line_holes[:, j], model.moves[line.name])
    for j, levels in enumerate(model.variables.levels):
        code, last = known.codes[:, j], history.level[who, j]
        stays = (code == last) | ((code == POOLED) & (last != MISSING))
        told = moves_of(code == MISSING, stays)
        found[levels.name] = _kept(told, known.level_holes[:, j], model.moves[levels.name])
    return found


def _kept(told: Texts, holes: Bools, moves: tuple[str, ...]) -> Texts:
    told[holes | ~np.isin(told, moves)] = None
    return told


def log_widths(codec: Codec) -> Floats:
    """Return the (codes,) log of the width of each bin of a column, 0 for other codes.

    Candidates with other means have residuals in bins of other widths: their densities are compared, not their codes.
    """
    if not isinstance(codec, LineCodec):
        return np.zeros(codec.cardinality)
    low, high = (end.to_numpy(dtype=np.float64, na_value=np.nan) for end in codec.ends())
    return np.asarray(np.log(np.where(high > low, high - low, 1.0)))


class _Residuals:
    """Numbers of a visit while it is sampled: the codes of known residuals, and the values of imputed ones.

    A `synthclin.sampling.sequential.Deduced`.
    """

    def __init__(
        self,
        model: VisitModel,
        who: Ints,
        patients: Patients,
        history: History,
        known: KnownVisits,
        ratio: Floats,
        told: Mapping[str, Texts],
        offsets: NDArray[np.float32],
    ) -> None:
        self.model, self.who, self.patients, self.history = model, who, patients, history
        self.known, self.ratio, self.told, self.offsets = known, ratio, told, offsets
        self.place = {name: j for j, name in enumerate(model.rows.encoder_.layout.names)}
        self.line = {f"value {line.name}": j for j, line in enumerate(model.variables.lines)}
        self.names = list(self.place)
        self.done, self.shared = 0, np.zeros((0, 0))
        self.now = known.codes.copy()
        self.moved = np.zeros(known.values.shape)
        self.possible, self.log_width = np.ones(len(who), dtype=np.bool_), np.zeros(len(who))
        self.cells: dict[str, pd.Series[Any]] = {}
        self.parts: list[_Residuals] = []

    def rows(self, part: slice) -> _Residuals:
        """Return the state of some of the visits, which is kept as a part of this one."""
        told = {name: moves[part] for name, moves in self.told.items()}
        found = _Residuals(
            self.model, self.who[part], self.patients, self.history, self.known[part], self.ratio[part], told,
            self.offsets[part],
        )  # fmt: skip
        self.parts.append(found)
        return found

    def required(self) -> dict[int, Tensor]:
        """Return by index of a column of moves the (codes, visits) that would leave an imputed cell empty."""
        variables, found = self.model.variables, dict[int, Tensor]()
        holes = {line.name: self.known.line_holes[:, j] for j, line in enumerate(variables.lines)}
        holes |= {levels.name: self.known.level_holes[:, j] for j, levels in enumerate(variables.levels)}
        for name, code in self.model.mask().move_code.items():
            if "missing" in code and holes[name].any():
                place = self.place[f"move {name}"]
                masked = torch.zeros(self.model.rows.encoder_.layout.columns[place].cardinality, len(self.who))
                masked[code["missing"], torch.from_numpy(holes[name])] = -torch.inf
                found[place] = masked
        return found

    def __call__(self, column: int, sampled: Mapping[int, Tensor]) -> Tensor | None:
        """Return the codes of the next column where they follow from known cells: residuals of known numbers."""
        name = self.names[column]
        if name not in self.line:
            return None
        j = self.line[name]
        self.decode(j, sampled)
        codec, layout = self.model.rows.encoder_.codecs[name], self.model.rows.encoder_.layout.columns[column]
        told, value = self.told[name.partition(" ")[2]], self.known.values[:, j]
        known = (told == "new") & np.isfinite(value)
        codes = codec.encode(pd.Series(np.where(known, value - self._mean(j), 0.0)))[0]
        self.log_width += np.where(known, log_widths(codec)[codes], 0.0)
        empty = -1 if layout.missing is None else layout.missing
        blank = (told != None) & (told != "new")  # noqa: E711 (of each cell)
        return torch.from_numpy(np.where(known, codes, np.where(blank, empty, -1)))

    def decode(self, upto: int, sampled: Mapping[int, Tensor]) -> None:
        """Compute the levels, and the first `upto` numbers, from the codes sampled so far."""
        if not self.shared.size:
            self._decode_levels(sampled)
        model, time = self.model, self.known.time
        for j in range(self.done, upto):
            line, last = model.variables.lines[j], self.history.last[self.who, j]
            hole, move = self.known.line_holes[:, j], self._move(line.name, sampled)
            new = np.full(len(self.who), np.nan)
            if line.name in model.means:
                new = self._mean(j)
                if (place := self.place.get(f"value {line.name}")) is not None:
                    codes = sampled[place].cpu().numpy()
                    residual = model.rows.encoder_.codecs[self.names[place]].decode(codes, self.offsets[:, place])
                    new = new + residual.to_numpy(dtype=np.float64, na_value=np.nan)
            value = values_after(move, last, new, line)
            known = np.isfinite(value)
            self.possible &= ~hole | ~((move == "new") & known) | line.possible(np.nan_to_num(value), time)
            self.cells[line.name] = line.write(np.nan_to_num(value), time, away=move == "new").mask(~known)
            value = np.where(move == "stay", last, line.read(self.cells[line.name], time))
            value = np.where(hole, value, self.known.values[:, j])
            seen = np.isfinite(value) & (self.history.seen[self.who, j] > 0)
            self.moved[:, j] = np.where(seen, value - last, 0.0)
        self.done = max(self.done, upto)

    def _decode_levels(self, sampled: Mapping[int, Tensor]) -> None:
        model, encoder = self.model, self.model.rows.encoder_
        for j, levels in enumerate(model.variables.levels):
            move, new = self._move(levels.name, sampled), np.full(len(self.who), MISSING, dtype=np.int64)
            if (place := self.place.get(f"level {levels.name}")) is not None:
                every = np.arange(encoder.layout.columns[place].cardinality)
                never = encoder.layout.columns[place].never | (every == encoder.layout.columns[place].missing)
                texts = encoder.codecs[self.names[place]].decode(np.where(never, 0, every), np.zeros(len(every)))
                of = [
                    MISSING if none or pd.isna(text) else code_of(str(text))
                    for text, none in zip(texts.astype(object), never, strict=True)
                ]
                new = np.array(of, dtype=np.int64)[sampled[place].cpu().numpy()]
            last = self.history.level[self.who, j]
            found = np.where(move == "stay", last, np.where(move == "new", new, MISSING))
            self.now[:, j] = np.where(self.known.level_holes[:, j], found, self.known.codes[:, j])
        self.shared = features(
            model.variables, model.scales, self.patients, self.history, self.who, self.ratio, self.now
        )

    def _move(self, name: str, sampled: Mapping[int, Tensor]) -> Texts:
        """Return the (visits,) moves of a column, known or sampled."""
        moves = self.model.moves[name]
        found = np.full(len(self.who), moves[0], dtype=object)
        if (code := self.model.mask().move_code.get(name)) is not None:
            at = sampled[self.place[f"move {name}"]].cpu().numpy()
            for move, number in code.items():
                found[at == number] = move
        told = self.told[name]
        return np.where(told == None, found, told)  # noqa: E711 (of each cell)

    def _mean(self, j: int) -> Floats:
        name = self.model.variables.lines[j].name
        mine, _ = own_features(self.history, self.who, j, self.model.variables.lines[j], self.ratio, self.moved[:, :j])
        return self.model.means[name].predict(np.concatenate([mine, self.shared], axis=1))


class _Required(CodeMask):
    """Constraint mask of a visit that also keeps imputed cells from being empty.

    Arguments:
        inner: the mask of moves and levels that contradict each other.
        masked: by column, (codes, visits) -inf where a code would leave an imputed cell empty.
    """

    def __init__(self, inner: CodeMask, masked: Mapping[int, Tensor]) -> None:
        self.inner, self.masked = inner, masked

    def __call__(self, column: int, sampled: Mapping[int, Tensor]) -> Tensor | None:
        """Return the (codes, visits) mask of the next column; None where nothing is masked."""
        found = self.inner(column, sampled)
        if column not in self.masked:
            return found
        required = self.masked[column] if found is None else found + self.masked[column].to(found.device)
        # Where a column has no other move left, the cell stays empty.
        none = ~required.isfinite().any(0)
        return required.where(~none, torch.zeros_like(required) if found is None else found)

    def rows(self, part: slice) -> _Required:
        """Return the mask of some of the visits."""
        return _Required(self.inner.rows(part), {j: mask[:, part] for j, mask in self.masked.items()})

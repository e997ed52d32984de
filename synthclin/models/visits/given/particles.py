"""Particle filter over the visits of given patients: completions of each, weighted by what is known of later visits.

Sequential Monte Carlo (Gordon, Salmond & Smith 1993, doi:10.1049/ip-f-2.1993.0015): several completions of each patient
go through the visits side by side. Each visit completes its unknown cells and multiplies the weight of a completion by
the likelihood of the known cells given the history of that completion; where few completions carry the weight, they are
resampled. A completion at the end is thus a sample given the whole trajectory, earlier and later visits.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from synthclin.models.visits.given.visit_completion import complete_visits
from synthclin.models.visits.trajectories import WHO, Run, Trajectories, any_of
from synthclin.models.visits.variables import MISSING
from synthclin.rules.rules import finish, violations
from synthclin.sampling.sequential import UNLIKELY
from synthclin.seeds import numpy_generator, torch_generator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from synthclin.models.visits.given.given_visits import GivenVisits
    from synthclin.models.visits.given.visit_completion import KnownVisits
    from synthclin.sampling.equalities import Equalities

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

__all__ = ["Particles"]

ATTEMPTS = 10
"""Times that an impossible completion of a visit is replaced by another one."""

AHEAD = 4
"""Next visits whose known cells a completion must not bring into conflict with rules between visits."""


class _Proposal(NamedTuple):
    """Completed visits, (visits,) which of them are whole and possible, and their log weights."""

    rows: pd.DataFrame
    whole: Bools
    log_weight: Floats


@dataclass(slots=True)
class Particles:
    """Completions of given patients, `size` of each.

    Arguments:
        trajectories: sampler of visits.
        given: the visits of the patients.
        size: completions per patient.
        run: the state of all (patients * size) completions; those of a patient are neighbours.
        log_weight: (completions,) log importance weights.
        judged: whether impossible completions are refused.
        equalities: rules that are solved for imputed cells; None where no cell of a visit is imputed.
        violated: how many refused completions violate each rule, by its text.
    """

    trajectories: Trajectories
    given: GivenVisits
    size: int
    run: Run
    log_weight: Floats
    judged: bool = True
    equalities: Equalities | None = None
    violated: Counter[str] = field(default_factory=Counter)
    _frames: list[pd.DataFrame] = field(default_factory=list)
    _places: list[Ints] = field(default_factory=list)

    @property
    def owner(self) -> Ints:
        """(completions,) the patient of each."""
        return np.repeat(np.arange(len(self.given.first)), self.size)

    def advance(self, seed: int, weighted: Bools) -> None:
        """Go through all given visits.

        Arguments:
            seed: of everything random.
            weighted: (patients,) whether completions differ already at the first visit.
        """
        given, owner, first = self.given, self.owner, self.given.first
        known = given.known(self.trajectories.model.variables)
        differs, count = weighted.copy(), given.count
        has_hole = np.asarray(given.holes.to_numpy(dtype=np.bool_).any(axis=1), dtype=np.bool_)
        rows = self._first_rows(owner, first)
        self._keep(np.arange(len(owner)), rows)
        for k in range(1, int(count.max(initial=1))):
            who = np.flatnonzero(count[owner] > k)
            at = first[owner[who]] + k
            differs[given.patient[at[has_hole[at]]]] = True
            rows = given.table.iloc[at].reset_index(drop=True)
            for name in self._static():
                rows[name] = self.run.first[name].iloc[who].array
            active = np.flatnonzero(differs[owner[who]])
            ratio = self._ratio(who, known.time[at])
            if len(active):
                self._complete(rows, who, at, active, known, (seed, k))
            whole, _ = self.trajectories.judged(self.run, rows.copy(), who)
            self.trajectories.add(self.run, who, rows, whole, ratio)
            self._keep(who, rows)
            self._resample(numpy_generator(seed, "resampling", k))

    def finished(self, which: Ints | None = None) -> tuple[pd.DataFrame, Ints]:
        """Return the visits of some completions, numbered in `WHO`, and the given row of each; all by default."""
        every = np.arange(len(self.log_weight)) if which is None else which
        table, at = self.finished_of(every)
        return table.assign(**{WHO: every[table[WHO].to_numpy()]}), at

    def finished_of(self, index: Ints) -> tuple[pd.DataFrame, Ints]:
        """Return the visits of the completions `index`, which may repeat, numbered by their place in it."""
        parts, rows, numbers = [], [], []
        for k, (frame, place) in enumerate(zip(self._frames, self._places, strict=True)):
            here = np.flatnonzero(place[index] >= 0)
            parts.append(frame.iloc[place[index[here]]])
            rows.append(self.given.first[self.owner[index[here]]] + k)
            numbers.append(here)
        number, at = np.concatenate(numbers), np.concatenate(rows)
        order = np.argsort(number, kind="stable")
        table = pd.concat(parts, ignore_index=True).iloc[order].reset_index(drop=True)
        return table.assign(**{WHO: number[order]}), at[order]

    def refuse(self) -> None:
        """Set the weight of completions that violate a rule to 0; the trajectories are whole then."""
        table, at = self.finished()
        self.end(table)
        broken = {
            text: mask.to_numpy(dtype=np.bool_)
            for text, mask in violations(self.trajectories.finished(table), self.trajectories.schema).items()
        }
        fresh = self._fresh(broken, at)
        self.log_weight[np.unique(table[WHO].to_numpy()[fresh])] = -np.inf

    def end(self, table: pd.DataFrame) -> None:
        """Write the follow-up of each patient into completed visits: the given one, or the sampled one."""
        self.trajectories.end(table, self.run)
        name = self.trajectories.rows.follow_up
        if name is None:
            return
        given = self.given.table[name].iloc[self.given.first[self.owner[table[WHO].to_numpy()]]]
        hole = self.given.holes[name].iloc[self.given.first[self.owner[table[WHO].to_numpy()]]].to_numpy()
        table[name] = table[name].where(hole, given.array)

    def chosen(self, rng: np.random.Generator) -> tuple[Ints, Bools]:
        """Return a completion of each patient by weight, and the (patients,) who have a possible one."""
        weight = self.log_weight.reshape(-1, self.size)
        possible = np.asarray(np.isfinite(weight).any(axis=1), dtype=np.bool_)
        keys = np.where(possible[:, None], weight, 0.0) + rng.gumbel(size=weight.shape)
        return np.asarray(keys.argmax(axis=1) + np.arange(len(weight)) * self.size), possible

    def _fresh(self, broken: Mapping[str, Bools], rows: Ints) -> Bools:
        """Return which completed rows violate a rule that the given cells do not violate by themselves."""
        fresh = self.given.fresh(broken, rows)
        self.violated.update({text: int(mask.sum()) for text, mask in fresh.items() if mask.any()})
        return any_of(fresh, len(rows))

    def _first_rows(self, owner: Ints, first: Ints) -> pd.DataFrame:
        rows = self.given.table.iloc[first[owner]].reset_index(drop=True)
        for name in self.trajectories.rows.schema.columns:
            if name in rows and name in self.given.holes:
                hole = self.given.holes[name].to_numpy()[first[owner]]
                rows[name] = rows[name].where(~hole, self.run.first[name].array)
        whole = finish(rows, self.trajectories.schema)
        broken = self.trajectories.between.broken_first(self.trajectories.between.begin(whole), self.run.patients.count)
        self.log_weight[self._fresh(broken, first[owner])] = -np.inf
        return rows

    def _static(self) -> list[str]:
        return [name for name in self.trajectories.schema.static if name in self.trajectories.rows.schema.columns]

    def _ratio(self, who: Ints, time: Floats) -> Floats:
        history = self.run.history
        return self.trajectories.model.scales.ratio(time - history.time[who], history.number[who])

    def _complete(
        self, rows: pd.DataFrame, who: Ints, at: Ints, active: Ints, known: KnownVisits, seed: tuple[int, int]
    ) -> None:
        """Fill the holes of visits in place, and add the likelihood of their known cells to the weights."""
        waiting = active
        for attempt in range(ATTEMPTS):
            if not len(waiting):
                return
            some, at_some = who[waiting], at[waiting]
            # The last attempts look no further than this visit: later cells may be imputed as well.
            ahead = attempt < ATTEMPTS - 2
            proposal = self._proposed(rows.iloc[waiting], some, at_some, known[at_some], (*seed, attempt), ahead)
            last = attempt == ATTEMPTS - 1
            taken = proposal.whole if self.judged and not last else np.ones(len(waiting), dtype=np.bool_)
            for name in map(str, rows):
                cells = rows[name].array.copy()
                cells[waiting[taken]] = proposal.rows[name].array[taken]
                rows[name] = cells
            self.log_weight[some[taken]] += proposal.log_weight[taken]
            waiting = waiting[~taken]

    def _proposed(
        self, rows: pd.DataFrame, who: Ints, at: Ints, known: KnownVisits, seed: tuple[int, int, int], ahead: bool
    ) -> _Proposal:
        """Return a completion of a visit each of the completions `who`."""
        run, holes, trajectories = self.run, self.given.holes, self.trajectories
        source = torch_generator(seed[0], "completion", *seed[1:]), numpy_generator(seed[0], "completion", *seed[1:])
        found = complete_visits(trajectories.model, who, run.patients, run.history, known, source)
        filled = rows.reset_index(drop=True)
        for name in map(str, found.cells):
            hole = holes[name].to_numpy()[at]
            if hole.any():
                cells = self._carried(name, found.cells[name], found.codes, who)
                typed = trajectories.schema.columns[name].coerce(cells)[0]
                filled[name] = filled[name].where(~hole, typed.astype(filled[name].dtype))
        if self.equalities is not None:
            filled = self.given.solved(filled, at, self.equalities, trajectories.schema)
        judged = filled.copy()
        whole, broken = trajectories.judged(run, judged, who)
        empty = np.zeros(len(who), dtype=np.int64)
        for name in holes.columns.intersection(judged.columns):
            hole = holes[name].to_numpy()[at]
            if hole.any():
                empty += hole & filled[name].isna().to_numpy()
                # Rules may have emptied it.
                filled[name] = filled[name].where(~hole, judged[name].astype(filled[name].dtype))
        good = found.possible & ~self._fresh(broken, at)
        kept = good & (empty == 0)
        if ahead and self.judged and trajectories.between.rules:
            kept &= ~self._refused_later(whole, who, at)
        return _Proposal(filled, kept, np.where(good, found.log_weight + UNLIKELY * empty, -np.inf))

    def _refused_later(self, whole: pd.DataFrame, who: Ints, at: Ints) -> Bools:
        """Return which completed visits leave the known cells of the next ones in conflict with a rule between visits.

        Until they are imputed, unknown cells of the next visits are taken to be those of this one.
        """
        between, given, local = self.trajectories.between, self.given, np.arange(len(who))
        memory, count = self.run.memory.take(who), self.run.patients.count[who]
        memory.add(local, whole)
        refused, before = np.zeros(len(who), dtype=np.bool_), whole[list(between.columns)].reset_index(drop=True)
        left = given.count[self.owner[who]] - self.run.history.number[who] - 1
        for step in range(1, AHEAD + 1):
            there = left >= step
            if not there.any():
                break
            next_ = np.where(there, at + step, at)
            rows = given.table.iloc[next_][list(between.columns)].reset_index(drop=True)
            unknown = {
                name: given.holes[name].to_numpy()[next_] if name in given.holes else rows[name].isna().to_numpy()
                for name in between.columns
            }
            for name, hole in unknown.items():
                rows[name] = rows[name].where(~hole, before[name].astype(rows[name].dtype))
            broken = given.fresh(between.broken(rows, local, memory, count), next_)
            for rule in between.rules:
                certain = np.logical_or.reduce([unknown[name] for name in between.columns if name in rule.columns])
                refused |= broken[rule.text] & there & ~certain
            memory.add(local, rows)
            before = rows
        return refused

    def _carried(self, name: str, cells: pd.Series, codes: Ints, who: Ints) -> pd.Series:
        """Return sampled cells; of levels that stay, the last one: several rare levels may share a code."""
        for j, levels in enumerate(self.trajectories.model.variables.levels):
            if levels.name == name:
                stays = (codes[:, j] != MISSING) & (codes[:, j] == self.run.history.level[who, j])
                return pd.Series(np.where(stays, self.run.last[name][who], cells.astype(object)), dtype=object)
        return cells

    def _keep(self, who: Ints, rows: pd.DataFrame) -> None:
        place = np.full(len(self.log_weight), -1, dtype=np.int64)
        place[who] = np.arange(len(who))
        self._frames.append(rows[[name for name in rows if name != WHO]])
        self._places.append(place)

    def _resample(self, rng: np.random.Generator) -> None:
        """Resample the completions of the patients of whom few carry the weight."""
        weight = self.log_weight.reshape(-1, self.size)
        highest = weight.max(axis=1, keepdims=True)
        share = np.where(np.isfinite(highest), np.exp(weight - np.where(np.isfinite(highest), highest, 0.0)), 0.0)
        total = share.sum(axis=1)
        effective = np.divide(total**2, np.square(share).sum(axis=1), out=np.zeros_like(total), where=total > 0)
        some = np.flatnonzero((total > 0) & (effective < self.size / 2))
        if not len(some):
            return
        index = np.arange(len(self.log_weight))
        for patient in some:
            ends = np.cumsum(share[patient]) / total[patient]
            # Systematic resampling: one random number for all completions of a patient.
            points = (np.arange(self.size) + rng.random()) / self.size
            of = np.minimum(np.searchsorted(ends, points), self.size - 1)
            index[patient * self.size : (patient + 1) * self.size] = patient * self.size + of
            self.log_weight[patient * self.size : (patient + 1) * self.size] = (
                np.log(total[patient] / self.size) + (highest[patient, 0])
            )
        self.run = self.run.take(index)
        self._places = [place[index] for place in self._places]

"""The input of every attack: members, non-members, the reference population and the adversary's knowledge."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from synthclin.errors import ConfigError
from synthclin.evaluation.comparison import subsample
from synthclin.evaluation.intervals import partition
from synthclin.evaluation.privacy.adversary_knowledge import Knowledge
from synthclin.evaluation.privacy.distances import ReferencePopulation
from synthclin.language import tr
from synthclin.seeds import numpy_generator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.features import Features

__all__ = ["TOP_DECILE", "AttackData", "AttackedGroup", "PatientSample", "Visits", "few", "why_not"]

TOP_DECILE = 9
"""The last of the deciles 0 to 9 of `PatientSample.decile`: the outliers."""

_MIN_PATIENTS = 20
_MIN_GROUP = 30
_MOST_ATTACKED = 2_000
_MOST_ATTACKED_ROWS = 6_000
_MOST_PREDICATED = 5_000
_MOST_VISITS = 8
_MOST_COMPARED = 5_000
_MOST_SPLITS = 5

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Visits:
    """All rows of several patients, at most 8 random ones each, those of one patient together.

    Arguments:
        rows: (rows, columns) as `Features.values`.
        places: (rows,) the place of each row in its table.
        patient: (rows,) the place of its patient in the sample, rising.
    """

    rows: NDArray[np.float64]
    places: NDArray[np.intp]
    patient: NDArray[np.intp]

    @property
    def repeated(self) -> bool:
        """Whether a patient has several rows."""
        return len(self.patient) > 0 and len(self.patient) > self.patient[-1] + 1

    def largest(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """(patients,) the largest score of a patient's rows."""
        return np.maximum.reduceat(scores, self._first) if len(scores) else scores

    def mean(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """(patients, ...) the mean score of a patient's rows."""
        if not len(scores):
            return scores
        counts = np.bincount(self.patient).reshape(-1, *[1] * (scores.ndim - 1))
        means: NDArray[np.float64] = np.add.reduceat(scores, self._first, axis=0) / counts
        return means

    @property
    def _first(self) -> NDArray[np.intp]:
        return np.flatnonzero(np.diff(self.patient, prepend=-1))


@dataclass(frozen=True, slots=True)
class PatientSample:
    """A sample of members or of non-members: one random row for each patient, and the other rows beside it.

    Arguments:
        rows: (patients, columns) as `Features.values`.
        places: (patients,) the place of the row in its table.
        decile: (patients,) decile 0 to 9 of the nearest-neighbour distance to the reference population.
        half: (patients,) random half: an attack is selected on one half and evaluated on the other.
        table: (all rows, columns) the table that the patients are of; None where each has one row.
        visits_from: (patients,) where the patient's rows begin in `order`.
        visit_counts: (patients,) number of the patient's rows.
        order: (all rows,) places in `table`, rows of one patient together, the sampled row first.
    """

    rows: NDArray[np.float64]
    places: NDArray[np.intp]
    decile: NDArray[np.intp]
    half: NDArray[np.bool_]
    table: NDArray[np.float64] | None = None
    visits_from: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, dtype=np.intp))
    visit_counts: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, dtype=np.intp))
    order: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, dtype=np.intp))

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def outliers(self) -> NDArray[np.bool_]:
        """(patients,) mask of the top-decile outliers by nearest-neighbour distance."""
        outliers: NDArray[np.bool_] = self.decile == TOP_DECILE
        return outliers

    def where(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> PatientSample:
        """Return a subset of the patients."""
        one = PatientSample(self.rows[chosen], self.places[chosen], self.decile[chosen], self.half[chosen])
        if self.table is None:
            return one
        begin, counts = self.visits_from[chosen], self.visit_counts[chosen]
        return replace(one, table=self.table, visits_from=begin, visit_counts=counts, order=self.order)

    @property
    def all_rows(self) -> NDArray[np.float64]:
        """(all rows, columns) the table that the patients are of, or their rows where each has one."""
        return self.rows if self.table is None else self.table

    @property
    def visits(self) -> Visits:
        """The rows of each patient, at most 8."""
        if self.table is None:
            return Visits(self.rows, self.places, np.arange(len(self), dtype=np.intp))
        counts = np.minimum(self.visit_counts, _MOST_VISITS)
        patient = np.repeat(np.arange(len(self), dtype=np.intp), counts)
        within = np.arange(len(patient)) - np.repeat(np.cumsum(counts) - counts, counts)
        places = self.order[self.visits_from[patient] + within]
        return Visits(self.table[places], places, patient)

    def and_then(self, other: PatientSample) -> PatientSample:
        """Return the patients of both samples, each with one row."""
        both = self, other
        return PatientSample(
            rows=np.vstack([side.rows for side in both]),
            places=np.concatenate([side.places for side in both]),
            decile=np.concatenate([side.decile for side in both]),
            half=np.concatenate([side.half for side in both]),
        )


@dataclass(frozen=True, slots=True)
class AttackedGroup:
    """A subgroup of patients: one level of a column, or one quartile group of a number."""

    column: str
    level: str
    place: int
    low: float
    high: float

    def holds(self, rows: NDArray[np.float64]) -> NDArray[np.bool_]:
        """(rows,) mask of the rows in the subgroup."""
        cells = rows[:, self.place]
        inside: NDArray[np.bool_] = (cells > self.low) & (cells <= self.high)
        return inside


@dataclass(frozen=True, slots=True)
class AttackData:
    """The targets and the knowledge of an attack; the synthetic table is an argument of each attack.

    Arguments:
        features: the columns.
        knowledge: the known and the sensitive columns.
        train: members, patients of the training table.
        control: non-members, patients of the holdout; no attack is fitted to a non-member and evaluated on it.
        population: reference population of outlier deciles.
        groups: subgroups with enough members and non-members.
        seed: seed of all streams.
        kept: cache of results for the same rows.
    """

    features: Features
    knowledge: Knowledge
    train: PatientSample
    control: PatientSample
    population: ReferencePopulation
    groups: tuple[AttackedGroup, ...]
    seed: int
    kept: dict[tuple[str, ...], Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, c: Comparison, by: Sequence[str] = ()) -> AttackData:
        """Sample one row of each patient of both tables; the holdout must pass `why_not`.

        Raises:
            ConfigError: `by` names a column that is not modelled.
        """
        assert c.holdout is not None
        assert c.holdout_patients is not None
        for name in by:
            if name not in c.features.names:
                raise ConfigError(f"by '{name}'", "it is no column that is modelled", "Name another column.")
        train = _one_each(c.train, c.train_patients, c.rng("privacy", "train"))
        population, decile = ReferencePopulation.of(c.features, train.rows, c.rng("privacy", "crowd"))
        train = replace(train, decile=decile, half=_half(len(train), c.rng("privacy", "halves", 0)))
        control = _one_each(c.holdout, c.holdout_patients, c.rng("privacy", "control"))
        half = _half(len(control), c.rng("privacy", "halves", 1))
        control = replace(control, decile=population.decile(control.rows), half=half)
        groups = tuple(
            group
            for name in by
            for group in _groups(c.features, name, train.rows)
            if min(group.holds(side.rows).sum() for side in (train, control)) >= _MIN_GROUP
        )
        return cls(c.features, Knowledge.of(c), train, control, population, groups, c.seed)

    def rng(self, *path: str | int) -> np.random.Generator:
        """Return the random generator of the stream `path`; equal paths give equal numbers."""
        return numpy_generator(self.seed, "evaluation", "privacy", *path)

    def once(self, what: str, work: Callable[[], T], *rows: NDArray[np.float64]) -> T:
        """Return `work()`, which depends on these rows and the non-members; the result is cached."""
        key = (what, *(blake2b(each.tobytes()).hexdigest() for each in (self.control.rows, *rows)))
        if key not in self.kept:
            self.kept[key] = work()
        known: T = self.kept[key]
        return known

    def once_for_members(self, what: str, work: Callable[[], T]) -> T:
        """Return `work()`, which depends on the members alone; the result is cached."""
        if (what,) not in self.kept:
            self.kept[what,] = work()
        known: T = self.kept[what,]
        return known

    def with_own_cache(self) -> AttackData:
        """Return a copy with its own cache, for tables that are attacked only once."""
        return replace(self, kept=dict(self.kept))

    def attacked(self) -> tuple[PatientSample, PatientSample]:
        """Return at most 2,000 members and 2,000 non-members, and 6,000 rows of each, for attacks by distance."""
        return few(self.train, _attackable(self.train), self.rng("attacked", 0)), few(
            self.control, _attackable(self.control), self.rng("attacked", 1)
        )

    def compared(self) -> tuple[PatientSample, PatientSample]:
        """Return at most 5,000 members and 5,000 non-members, for attacks without distances."""
        return few(self.train, _MOST_COMPARED, self.rng("compared", 0)), few(
            self.control, _MOST_COMPARED, self.rng("compared", 1)
        )

    def predicated(self, synthetic: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return at most 5,000 synthetic rows, for predicates that are counted in them."""
        return subsample(synthetic, _MOST_PREDICATED, self.rng("published"))

    @property
    def subsampling_note(self) -> str:
        """The sizes of the subsamples of attacks by distance, as a sentence; empty where all patients are attacked.

        Distances to synthetic rows are always to all of them.
        """
        (members, of_members), (others, of_others) = (
            (min(_attackable(side), len(side)), len(side)) for side in (self.train, self.control)
        )
        numbers = {
            "members": f"{members:,}",
            "of_members": f"{of_members:,}",
            "others": f"{others:,}",
            "of_others": f"{of_others:,}",
        }
        if members < of_members and others < of_others:
            return tr(
                "Where distances are measured, a random {members} of {of_members} members and {others} of {of_others} "
                "non-members are attacked.",
                **numbers,
            )
        if members < of_members:
            return tr(
                "Where distances are measured, a random {members} of {of_members} members are attacked.", **numbers
            )
        if others < of_others:
            return tr(
                "Where distances are measured, a random {others} of {of_others} non-members are attacked.", **numbers
            )
        return ""

    def splits(self) -> tuple[list[PatientSample], PatientSample]:
        """Return at most five disjoint splits of the members, and a sample of non-members of the size of a split.

        A split has at most 5,000 patients.
        """
        size = min(len(self.train), len(self.control), _MOST_COMPARED)
        order = self.rng("hands").permutation(len(self.train))[: size * _MOST_SPLITS]
        splits = [self.train.where(np.sort(order[i : i + size])) for i in range(0, len(order) - size + 1, size)]
        return splits, few(self.control, size, self.rng("hands", "control"))

    def negative(self) -> Iterator[tuple[NDArray[np.float64], AttackData]]:
        """Yield the negative controls: half of the non-members as synthetic rows, with the other half as control."""
        first, second = partition(len(self.control), 2, self.rng("negative"))
        for chosen, rest in ((first, second), (second, first)):
            rows = self.control.where(chosen).visits.rows
            yield rows, replace(self, control=self.control.where(rest), groups=())


def why_not(c: Comparison) -> str:
    """Return why no attack is possible; empty where one is."""
    if c.holdout is None or c.holdout_patients is None:
        return tr("There is no holdout, so there are no known non-members.")
    if c.holdout_patients.max() + 1 < _MIN_PATIENTS:
        return tr("The holdout has fewer than {patients} patients.", patients=_MIN_PATIENTS)
    if c.train_patients.max() + 1 < _MIN_PATIENTS:
        return tr("The training table has fewer than {patients} patients.", patients=_MIN_PATIENTS)
    return ""


def _one_each(table: NDArray[np.float64], patients: NDArray[np.int64], rng: np.random.Generator) -> PatientSample:
    """Return one random row of each patient, in their order in the table; no decile and half yet."""
    order = rng.permutation(len(patients))
    order = order[np.argsort(patients[order], kind="stable")]
    first = np.flatnonzero(np.diff(patients[order], prepend=-1))
    counts = np.diff(first, append=len(order))
    by_place = np.argsort(order[first])
    places = order[first][by_place]
    none = PatientSample(table[places], places, np.zeros(len(places), dtype=np.intp), np.zeros(len(places), dtype=bool))
    if len(places) == len(order):
        return none
    return replace(none, table=table, visits_from=first[by_place], visit_counts=counts[by_place], order=order)


def _attackable(side: PatientSample) -> int:
    """Return how many patients are attacked by distance."""
    if side.table is None:
        return _MOST_ATTACKED
    return min(_MOST_ATTACKED, int(_MOST_ATTACKED_ROWS / np.minimum(side.visit_counts, _MOST_VISITS).mean()))


def _half(n: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """(n,) mask of a random half."""
    half = np.zeros(n, dtype=bool)
    half[partition(n, 2, rng)[0]] = True
    return half


def few(side: PatientSample, most: int, rng: np.random.Generator) -> PatientSample:
    """Return a random sample of at most `most` patients."""
    return side if len(side) <= most else side.where(np.sort(rng.choice(len(side), most, replace=False)))


def _groups(features: Features, name: str, rows: NDArray[np.float64]) -> Iterator[AttackedGroup]:
    place = features.names.index(name)
    feature, cells = features.columns[place], rows[:, place]
    if feature.kind != "line":
        for i, level in enumerate(feature.levels):
            yield AttackedGroup(name, str(level), place, i - 0.5, i + 0.5)
        return
    seen = cells[~np.isnan(cells)]
    if len(seen):
        ends = np.unique(np.concatenate([[-np.inf], np.quantile(seen, [0.25, 0.5, 0.75]), [np.inf]]))
        for i, (low, high) in enumerate(pairwise(ends)):
            yield AttackedGroup(name, f"part {i + 1} of {len(ends) - 1} by rank", place, float(low), float(high))

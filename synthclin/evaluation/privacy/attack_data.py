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
from synthclin.seeds import numpy_generator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.features import Features

__all__ = ["TOP_DECILE", "AttackData", "AttackedGroup", "PatientSample", "few", "why_not"]

TOP_DECILE = 9
"""The last of the deciles 0 to 9 of `PatientSample.decile`: the outliers."""

_MIN_PATIENTS = 20
_MIN_GROUP = 30
_MOST_ATTACKED = 2_000
_MOST_SYNTHETIC = 5_000
_MOST_COMPARED = 5_000
_MOST_SPLITS = 5

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PatientSample:
    """A sample of members or of non-members, one random row for each patient.

    Arguments:
        rows: (patients, columns) as `Features.values`.
        places: (patients,) the place of the row in its table.
        decile: (patients,) decile 0 to 9 of the nearest-neighbour distance to the reference population.
        half: (patients,) random half: an attack is selected on one half and evaluated on the other.
    """

    rows: NDArray[np.float64]
    places: NDArray[np.intp]
    decile: NDArray[np.intp]
    half: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def outliers(self) -> NDArray[np.bool_]:
        """(patients,) mask of the top-decile outliers by nearest-neighbour distance."""
        outliers: NDArray[np.bool_] = self.decile == TOP_DECILE
        return outliers

    def where(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> PatientSample:
        """Return a subset of the patients."""
        return PatientSample(self.rows[chosen], self.places[chosen], self.decile[chosen], self.half[chosen])

    def and_then(self, other: PatientSample) -> PatientSample:
        """Return the patients of both samples."""
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
        places = _one_each(c.train_patients, c.rng("privacy", "train"))
        rows = c.train[places]
        population, decile = ReferencePopulation.of(c.features, rows, c.rng("privacy", "crowd"))
        train = PatientSample(rows, places, decile, _half(len(rows), c.rng("privacy", "halves", 0)))
        places = _one_each(c.holdout_patients, c.rng("privacy", "control"))
        rows = c.holdout[places]
        control = PatientSample(rows, places, population.decile(rows), _half(len(rows), c.rng("privacy", "halves", 1)))
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

    def with_own_cache(self) -> AttackData:
        """Return a copy with its own cache, for tables that are attacked only once."""
        return replace(self, kept=dict(self.kept))

    def attacked(self) -> tuple[PatientSample, PatientSample]:
        """Return at most 2,000 members and 2,000 non-members, for attacks by distance."""
        return few(self.train, _MOST_ATTACKED, self.rng("attacked", 0)), few(
            self.control, _MOST_ATTACKED, self.rng("attacked", 1)
        )

    def compared(self) -> tuple[PatientSample, PatientSample]:
        """Return at most 5,000 members and 5,000 non-members, for attacks without distances."""
        return few(self.train, _MOST_COMPARED, self.rng("compared", 0)), few(
            self.control, _MOST_COMPARED, self.rng("compared", 1)
        )

    def published(self, synthetic: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return at most 5,000 synthetic rows, for attacks by distance."""
        return subsample(synthetic, _MOST_SYNTHETIC, self.rng("published"))

    def subsampling_note(self, synthetic: NDArray[np.float64]) -> str:
        """Return the sizes of the subsamples of attacks by distance, as a sentence; empty where all rows are used."""
        sizes = [(len(synthetic), _MOST_SYNTHETIC, "synthetic rows")]
        sizes += [(len(self.train), _MOST_ATTACKED, "members")]
        sizes += [(len(self.control), _MOST_ATTACKED, "non-members")]
        parts = [f"{most:,} of {n:,} {name}" for n, most, name in sizes if n > most]
        return f"Where distances are measured, a random {' and '.join(parts)} are used." if parts else ""

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
            yield self.control.rows[chosen], replace(self, control=self.control.where(rest), groups=())


def why_not(c: Comparison) -> str:
    """Return why no attack is possible; empty where one is."""
    if c.holdout is None or c.holdout_patients is None:
        return "There is no holdout, so there are no known non-members."
    if c.holdout_patients.max() + 1 < _MIN_PATIENTS:
        return f"The holdout has fewer than {_MIN_PATIENTS} patients."
    if c.train_patients.max() + 1 < _MIN_PATIENTS:
        return f"The training table has fewer than {_MIN_PATIENTS} patients."
    return ""


def _one_each(patients: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.intp]:
    """(patients,) the place of one random row of each patient."""
    order = rng.permutation(len(patients))
    first = np.unique(patients[order], return_index=True)[1]
    return np.sort(order[first])


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

"""The patients of all tables in one pool, and the comparison of some of them with others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from synthclin.evaluation.features import Features
from synthclin.evaluation.fidelity.estimate import estimate_fidelity
from synthclin.evaluation.visits.trajectories import Trajectories, visit_times

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.fidelity.estimate import FidelityEstimate

__all__ = ["AGAINST_PATIENTS", "AgainstPatients", "PatientMeasure", "PatientPool", "visit_columns"]

AGAINST_PATIENTS = (
    "synthetic patients against as many training patients, all visits of a patient together, mean of 10 random halves "
    "of the real patients"
)
"""What `PatientPool.estimate` compares, as a part of the method of a score."""

AgainstPatients = Callable[["NDArray[np.intp]"], "NDArray[np.float64]"]
"""From (patients,) places of other patients to (parts,) values; their mean is the score."""
PatientMeasure = Callable[["NDArray[np.intp]"], AgainstPatients]
"""From (patients,) places of real patients to the comparison of others with them."""


@dataclass(frozen=True, slots=True)
class PatientPool:
    """The patients of all tables: training, holdout, synthetic replicates, and real ones with shuffled visits.

    Arguments:
        c: the tables.
        visits: the visits of all patients.
        columns: places of the columns that may differ between the visits of a patient, the visit time left out.
        train: (patients,) places of the training patients.
        holdout: (patients,) places of the holdout patients; None without a holdout.
        replicates: (patients,) places of the patients of each synthetic replicate.
        shift: what is added to the place of a real patient for the one with the same times and shuffled values.
    """

    c: Comparison
    visits: Trajectories
    columns: tuple[int, ...]
    train: NDArray[np.intp]
    holdout: NDArray[np.intp] | None
    replicates: tuple[NDArray[np.intp], ...]
    shift: int

    @classmethod
    def of(cls, c: Comparison) -> PatientPool:
        """Put the patients of all tables of a longitudinal schema into a pool."""
        real = [(c.train, c.train_patients)]
        if c.holdout is not None and c.holdout_patients is not None:
            real.append((c.holdout, c.holdout_patients))
        synthetic = list(zip(c.replicates, c.synthetic_patients, strict=True))
        columns = visit_columns(c)

        def trajectories(rows: NDArray[np.float64], who: NDArray[np.int64]) -> Trajectories:
            return Trajectories.of(rows, visit_times(c.features, c.schema, rows), who)

        found = [trajectories(*table) for table in (*real, *synthetic)]
        found += [part.shuffled(columns, c.rng("visits", "shuffle", i)) for i, part in enumerate(found[: len(real)])]
        ends = np.cumsum([0, *map(len, found)])
        places = [np.arange(*ends[i : i + 2]) for i in range(len(found))]
        return cls(
            c,
            Trajectories.joined(found),
            columns,
            places[0],
            places[1] if len(real) > 1 else None,
            tuple(places[len(real) : len(real) + len(synthetic)]),
            int(ends[len(real) + len(synthetic)]),
        )

    @property
    def synthetic(self) -> NDArray[np.intp]:
        """(patients,) places of the patients of the released synthetic table."""
        return self.replicates[0]

    @property
    def clock(self) -> NDArray[np.float64]:
        """(visits,) the visit time; of dates the days since the first visit of the patient."""
        assert self.c.schema.visit_time is not None
        is_moment = self.c.schema.columns[self.c.schema.visit_time].is_temporal
        return self.visits.since_first if is_moment else self.visits.time

    def is_training(self, *, known: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
        """(visits,) mask of the visits of training patients, of those that are `known`."""
        here = self.visits.patient < len(self.train)
        return here if known is None else here & known

    def estimate(
        self,
        measure: PatientMeasure,
        stream: str,
        *,
        most: int = 5_000,
        low: float = 0.0,
        high: float = 1.0,
    ) -> FidelityEstimate:
        """Estimate a score of patients by repeated comparisons; see `estimate_fidelity`.

        The interval is that of patients: all visits of one are on one side. The independence baseline is the score of
        real patients with shuffled values at their own times, the real-data reference that of other real patients.

        Arguments:
            measure: from real patients to a function of other patients that returns (parts,).
            stream: name of the random stream.
            most: largest number of patients of each kind.
            low: smallest possible value.
            high: largest possible value.
        """

        def by_places(real: NDArray[np.float64]) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
            against = measure(real[:, 0].astype(np.intp))
            return lambda other: against(other[:, 0].astype(np.intp))

        return estimate_fidelity(
            self._by_patient(),
            by_places,
            f"visits {stream}",
            most=most,
            low=low,
            high=high,
            independent=lambda rest: rest + self.shift,
        )

    def _by_patient(self) -> Comparison:
        """Return the comparison whose rows are patients, and whose only column is their place in the pool."""

        def rows(places: NDArray[np.intp]) -> NDArray[np.float64]:
            return places[:, None].astype(np.float64)

        def each(places: NDArray[np.intp]) -> NDArray[np.int64]:
            return np.arange(len(places), dtype=np.int64)

        return replace(
            self.c,
            features=Features(self.c.features.columns[:1]),
            train=rows(self.train),
            holdout=None if self.holdout is None else rows(self.holdout),
            replicates=tuple(map(rows, self.replicates)),
            shuffled=rows(self.train + self.shift),
            train_patients=each(self.train),
            holdout_patients=None if self.holdout is None else each(self.holdout),
            synthetic_patients=tuple(map(each, self.replicates)),
        )


def visit_columns(c: Comparison) -> tuple[int, ...]:
    """Return the places of the columns that may differ between the visits of a patient, but for the visit time."""
    schema = c.schema
    return tuple(
        j
        for j, name in enumerate(c.features.names)
        if not schema.columns[name].static and name != schema.visit_time and schema.columns[name].reason_for is None
    )

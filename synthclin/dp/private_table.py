"""Private table: the only object that holds rows, and the noisy tables that leave it."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NoReturn

import numpy as np

from synthclin.dp.ledger import Ledger
from synthclin.dp.noise import gaussian, noisy_max
from synthclin.errors import ConfigError

__all__ = ["NoisyTable", "PrivateTable", "one_way_tables", "require_one_way"]

_CELLS = 10_000_000  # cells of one table
_LONGEST_NAME = 60  # characters of a column's name in the ledger
_KEPT = 10_000  # cells of an exact table that is kept for the next selection
_UNIT = 1024  # tables, weights and penalties of a selection are whole multiples of 1 / _UNIT
_HUGE = 2**30 * _UNIT  # a total or penalty; with weights of at most 1,024 scores stay below 2**62


@dataclass(frozen=True, eq=False)
class NoisyTable:
    """Counts of a contingency table with noise; differentially private, so free to use and to release.

    Arguments:
        columns: the indices of its columns.
        values: the noisy counts; one axis per column, as long as its cardinality. Cells may be negative.
        variance: the variance of the noise in each cell; same shape.
        rho: what the measurement cost, in rho of zCDP.
    """

    columns: tuple[int, ...]
    values: np.ndarray
    variance: np.ndarray
    rho: float

    def __post_init__(self) -> None:
        if self.values.shape != self.variance.shape or self.values.ndim != len(self.columns):
            raise ConfigError("noisy table", "axes of values, variance and columns differ", "Give one axis a column.")

    def summed(self, maps: Sequence[np.ndarray]) -> NoisyTable:
        """Return the table of merged codes: counts and variances of merged cells add up.

        Arguments:
            maps: one array per column, as in `PrivateTable.recoded`: the merged code of each code.

        Example:
            >>> table = NoisyTable((0,), np.array([5.0, 1.0, 2.0]), np.full(3, 4.0), rho=0.1)
            >>> merged = table.summed([np.array([0, 1, 1])])
            >>> merged.values.tolist(), merged.variance.tolist()
            ([5.0, 3.0], [4.0, 8.0])
        """
        if len(maps) != len(self.columns):
            raise ConfigError("noisy table", "there is not one map per column", "Give one map a column.")
        values, variance = self.values.astype(float), self.variance.astype(float)
        for axis, given in enumerate(maps):
            to = require_map(given, self.values.shape[axis])
            indicator = np.eye(int(to.max()) + 1)[to]  # (codes, merged codes)
            values, variance = (
                np.moveaxis(np.tensordot(a, indicator, (axis, 0)), -1, axis) for a in (values, variance)
            )
        return NoisyTable(self.columns, values, variance, self.rho)


class PrivateTable:
    """Rows of codes behind differential privacy: only noisy tables and choices leave it, each in the ledger first.

    Neighbouring tables differ in all rows of one patient. At most `at_most` rows of a patient are kept, chosen at
    random from the entropy of the operating system, so counts change by at most `at_most` (in L1 and in L2 norm).

    Arguments:
        codes: (rows, columns) whole numbers, each from 0 to the cardinality of its column less 1.
        cardinalities: how many codes each column has; declared, never counted.
        ledger: where each measurement enters its cost before its noise is sampled.
        patient: (rows,) an identifier of each row's patient; None where each row is a patient of its own.
        at_most: how many rows of a patient are kept; declared.
        names: of the columns, for the ledger; by default their indices.

    Raises:
        ConfigError: the arrays do not fit, or a code is outside its column.

    Example:
        >>> ledger = Ledger(1.0)
        >>> table = PrivateTable(np.array([[0, 1], [1, 1], [0, 0]]), [2, 2], ledger)
        >>> table
        PrivateTable(columns=2, at_most=1, rows not shown)
        >>> table.measure((0, 1), 0.5, "both columns").values.shape
        (2, 2)
        >>> [entry.what for entry in ledger.entries]
        ['both columns']
    """

    __slots__ = ("_at_most", "_cardinalities", "_codes", "_counts", "_ledger", "_names", "_patients")

    def __init__(
        self,
        codes: np.ndarray,
        cardinalities: Sequence[int],
        ledger: Ledger,
        *,
        patient: np.ndarray | None = None,
        at_most: int = 1,
        names: Sequence[str] | None = None,
    ) -> None:
        self._cardinalities = _require_cardinalities(cardinalities)
        self._at_most = _require_at_most(at_most, patient)
        self._ledger = ledger
        self._names = tuple(map(str, range(len(self._cardinalities)) if names is None else names))
        codes = _require_codes(codes, self._cardinalities)
        if patient is not None:
            codes, self._patients = _at_most_each(codes, np.asarray(patient), self._at_most)
        else:
            self._patients = len(codes)
        self._codes = np.ascontiguousarray(codes.T)
        self._counts: dict[tuple[int, ...], np.ndarray] = {}

    def __repr__(self) -> str:
        return f"PrivateTable(columns={len(self._cardinalities)}, at_most={self._at_most}, rows not shown)"

    def __reduce_ex__(self, protocol: Any) -> NoReturn:  # noqa: ANN401 (pickle's signature)
        raise ConfigError("private table", "cannot be pickled or copied: it holds rows", "Keep its noisy tables.")

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """How many codes each column has."""
        return self._cardinalities

    @property
    def at_most(self) -> int:
        """How many rows of one patient are kept: the sensitivity of counts."""
        return self._at_most

    @property
    def ledger(self) -> Ledger:
        """Where costs are entered."""
        return self._ledger

    def measure(self, columns: Sequence[int], rho: float, what: str | None = None) -> NoisyTable:
        """Return the contingency table of some columns with discrete Gaussian noise.

        Arguments:
            columns: different column indices, in the order of the table's axes.
            rho: its cost, of zCDP; the noise has sd = at_most / sqrt(2 rho).
            what: its name in the ledger, by default "table of" and the columns.

        Raises:
            ConfigError: the ledger has less than `rho`, or the columns are unknown or have too many cells.
        """
        columns = self._require_columns(columns)
        mechanism = gaussian(rho, self._at_most)
        self._ledger.spend(mechanism.cost, self._name(columns) if what is None else what)
        values = mechanism.release(self._count(columns)).astype(float)
        return NoisyTable(columns, values, np.full(values.shape, mechanism.sd**2), mechanism.cost)

    def select(
        self,
        candidates: Sequence[tuple[int, ...]],
        model_tables: Sequence[np.ndarray],
        weights: Sequence[float] | np.ndarray,
        penalties: Sequence[float] | np.ndarray,
        rho: float,
        what: str,
    ) -> int:
        """Return the index of a candidate table that a model fits badly, chosen by the exponential mechanism.

        The score is weight * (L1 distance between exact table and model table - penalty), in whole multiples of
        2 ** -20: tables, weights and penalties are rounded to multiples of 2 ** -10, so scores have no rounding error.
        A patient has up to `at_most` rows, so the L1 distance changes by at most `at_most`, and the sensitivity is
        `at_most` times the largest weight.

        Arguments:
            candidates: column indices of each table.
            model_tables: the expected counts by the model; shaped as the tables.
            weights: one positive number per candidate.
            penalties: one number of at least 0 per candidate, what noise alone would add to the distance; above 2 ** 30
                it counts as 2 ** 30.
            rho: the cost, of zCDP.
            what: its name in the ledger.

        Source: McKenna et al. 2022, arXiv 2201.12677, algorithm 2.

        Raises:
            ConfigError: the ledger has less than `rho`, or the arguments do not fit.
        """
        known = [self._require_columns(one) for one in candidates]
        if not known or not len(known) == len(model_tables) == len(weights) == len(penalties):
            raise ConfigError("private table", "selection needs one model table, weight and penalty a candidate", _FIT)
        scale, penalty = _whole(weights), _whole(penalties)
        models = [_whole(table) for table in model_tables]
        shapes = [tuple(self._cardinalities[j] for j in one) for one in known]
        if [table.shape for table in models] != shapes or scale.min() < 1 or penalty.min() < 0:
            raise ConfigError("private table", "a model table, weight or penalty has another form", _FIT)
        if scale.max() > _UNIT * _UNIT or max(float(np.abs(table).sum(dtype=float)) for table in models) > _HUGE:
            raise ConfigError("private table", "a weight exceeds 1,024 or a model a thousand million rows", _FIT)
        penalty = np.minimum(penalty, _HUGE)
        largest = int(scale.max())
        mechanism = noisy_max(rho, self._at_most * largest * _UNIT)
        self._ledger.spend(mechanism.cost, what)
        distances = [_distance(self._count(one), table) for one, table in zip(known, models, strict=True)]
        return mechanism.release(scale * (np.array(distances, np.int64) - penalty))

    def count(self, rho: float, what: str) -> int:
        """Return a noisy number of patients, at least 1; one patient changes it by 1 whatever their rows.

        Raises:
            ConfigError: the ledger has less than `rho`.
        """
        mechanism = gaussian(rho, 1)
        self._ledger.spend(mechanism.cost, what)
        return max(1, int(mechanism.release(np.array([self._patients], np.int64))[0]))

    def recoded(self, maps: Sequence[np.ndarray]) -> PrivateTable:
        """Return the same rows with merged codes; it spends from the same ledger.

        Arguments:
            maps: one array per column: the merged code of each code, 0 to the number of merged codes less 1. They must
                be declared, or made from noisy tables.

        Raises:
            ConfigError: a map does not fit its column.
        """
        if len(maps) != len(self._cardinalities):
            raise ConfigError("private table", "there is not one map per column", _FIT)
        known = [require_map(one, size) for one, size in zip(maps, self._cardinalities, strict=True)]
        other = object.__new__(PrivateTable)
        other._at_most, other._ledger, other._patients = self._at_most, self._ledger, self._patients
        other._names = self._names
        other._cardinalities = tuple(int(to.max()) + 1 for to in known)
        other._codes = np.stack([to[column] for to, column in zip(known, self._codes, strict=True)])
        other._counts = {}
        return other

    def _name(self, columns: tuple[int, ...]) -> str:
        """Return the name of a table in the ledger, in which long names of columns are cut."""
        return f"table of {' and '.join(self._names[j][:_LONGEST_NAME] for j in columns)}"

    def _require_columns(self, columns: Sequence[int]) -> tuple[int, ...]:
        known = tuple(int(j) for j in columns)
        if not known or len(set(known)) < len(known) or not all(0 <= j < len(self._cardinalities) for j in known):
            raise ConfigError("private table", "columns must be different indices of its columns", _FIT)
        if np.prod([float(self._cardinalities[j]) for j in known]) > _CELLS:
            raise ConfigError("private table", f"a table would have more than {_CELLS:,} cells", "Take fewer columns.")
        return known

    def _count(self, columns: tuple[int, ...]) -> np.ndarray:
        """Return the exact contingency table; it never leaves this object."""
        if columns in self._counts:
            return self._counts[columns]
        shape = tuple(self._cardinalities[j] for j in columns)
        cell = np.ravel_multi_index(tuple(self._codes[j] for j in columns), shape)
        counts: np.ndarray = np.bincount(cell, minlength=math.prod(shape)).reshape(shape)
        if counts.size <= _KEPT:
            self._counts[columns] = counts
        return counts


_FIT = "Give arguments that fit its columns."


def require_map(given: np.ndarray, codes: int) -> np.ndarray:
    """Return a map from codes to merged codes as int64.

    Raises:
        ConfigError: it has another length, or its merged codes are not 0, 1, ... without a gap.
    """
    to = np.asarray(given)
    fits = to.shape == (codes,) and np.issubdtype(to.dtype, np.integer)
    if not fits or not np.array_equal(np.unique(to), np.arange(int(to.max()) + 1)):
        what = "a map must give each code a merged code, numbered from 0 without a gap"
        raise ConfigError("merged codes", what, "Number the merged codes from 0.")
    return to.astype(np.int64)


def one_way_tables(table: PrivateTable, rho: float) -> list[NoisyTable]:
    """Return the noisy table of each column, in their order; they share `rho` equally."""
    columns = len(table.cardinalities)
    return [table.measure((j,), rho / columns) for j in range(columns)]


def require_one_way(table: PrivateTable, one_way: Sequence[NoisyTable]) -> None:
    """Raise ConfigError unless there is a one-way table of each column, in their order and of the same codes."""
    found = [(one.columns, one.values.shape) for one in one_way]
    if found != [((j,), (size,)) for j, size in enumerate(table.cardinalities)]:
        what = "there is not one noisy one-way table per column, in their order and of the same codes"
        raise ConfigError(
            "dp: one-way tables", what, "Measure each column, and merge tables and rows by the same maps."
        )


def _require_cardinalities(cardinalities: Sequence[int]) -> tuple[int, ...]:
    known = tuple(int(k) for k in cardinalities)
    if not known or min(known) < 1:
        raise ConfigError("private table", "each column needs at least one code", "Declare its levels or bins.")
    return known


def _require_at_most(at_most: int, patient: np.ndarray | None) -> int:
    if not (isinstance(at_most, int) and 1 <= at_most <= 10_000):
        raise ConfigError("private table", "at_most must be a whole number from 1 to 10,000", "Declare it.")
    if at_most > 1 and patient is None:
        what = "several rows a patient are allowed, but nothing says which rows are of one patient"
        raise ConfigError("private table", what, "Give the patient of each row.")
    return at_most


def _require_codes(codes: np.ndarray, cardinalities: tuple[int, ...]) -> np.ndarray:
    codes = np.asarray(codes)
    if codes.ndim != 2 or codes.shape[1] != len(cardinalities) or not np.issubdtype(codes.dtype, np.integer):
        raise ConfigError("private table", "codes must be whole numbers, (rows, columns)", _FIT)
    for j, (column, size) in enumerate(zip(codes.T, cardinalities, strict=True)):
        if len(column) and (column.min() < 0 or column.max() >= size):
            raise ConfigError("private table", f"column {j} has a code outside its cardinality", "Declare its levels.")
    return codes.astype(np.int64)


def _at_most_each(codes: np.ndarray, patient: np.ndarray, most: int) -> tuple[np.ndarray, int]:
    """Return at most so many rows of each patient, chosen at random, in a random order, and the number of patients."""
    if patient.shape != (len(codes),):
        raise ConfigError("private table", "there is not one patient identifier per row", _FIT)
    try:
        missing = bool((patient != patient).any())  # noqa: PLR0124 (NaN and NaT differ from themselves)
        _, number = np.unique(patient, return_inverse=True)
    except TypeError:
        what = "patient identifiers are missing or of different types"
        raise ConfigError("private table", what, "Give all of them as text or as numbers.") from None
    if missing:
        raise ConfigError("private table", "patient identifiers are missing", "Give each row its patient.")
    key = np.frombuffer(os.urandom(8 * len(codes)), np.uint64)
    order = np.lexsort((key, number))
    ordered = number[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(ordered) else np.zeros(0, np.int64)
    sizes = [b - a for a, b in pairwise([*starts.tolist(), len(ordered)])]
    place = np.arange(len(ordered)) - np.repeat(starts, sizes)
    return codes[order[place < most]], len(starts)


def _whole(values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return numbers as whole multiples of 1 / _UNIT."""
    scaled = np.asarray(values, float) * _UNIT
    if not np.isfinite(scaled).all():
        raise ConfigError("private table", "a model table, weight or penalty is not finite", _FIT)
    whole: np.ndarray = np.rint(np.clip(scaled, -(2.0**52), 2.0**52)).astype(np.int64)
    return whole


def _distance(exact: np.ndarray, model: np.ndarray) -> int:
    return int(np.abs(exact * _UNIT - model).sum())

"""Singling-out attack: predicates that hold for one synthetic row only, tested on members and non-members."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from synthclin.evaluation import questions
from synthclin.evaluation.kind import Kind, Limit, convention
from synthclin.evaluation.privacy.attack import Attack, Found, judged
from synthclin.evaluation.privacy.attack_data import PatientSample
from synthclin.evaluation.privacy.details import AttackDetails, success_rates
from synthclin.evaluation.privacy.risk import AttackOutcome, AttackTrials, relative
from synthclin.language import tr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.privacy.attack_data import AttackData

__all__ = ["singling_out"]

_GUESSES = 500
_PROPOSALS = 10  # per guess
_FEWEST_COLUMNS, _MOST_COLUMNS = 3, 7
_EQUAL, _AT_MOST, _AT_LEAST, _MISSING = range(4)

SINGLING_OUT = Kind(
    name="privacy.singling_out",
    question="Can a patient be singled out with the table?",
    better="lower",
    method=(
        "predicates that hold for exactly one synthetic row (univariate: extremes, unique values and levels; "
        "multivariate: 3 to 7 random columns, numbers on their side of the median) and succeed where they hold for "
        "exactly one patient; as many members as non-members at a time; R = (t - c) / (1 - c) of the stronger of both"
        " attacks, chosen on half of the predicates and judged on the others (Anonymeter: Giomi et al., PoPETs "
        "2023-0055; chance by Cohen and Nissim, PNAS 117:8344-8352, 2020), interval from two Wilson intervals"
    ),
    section="privacy",
    label="Singling out",
    unit="patients at risk in excess of non-members",
    ideal=0.0,
    scale="one in",
    details=AttackDetails,
    asked=questions.SINGLING_OUT,
    limit=Limit("<=", 0.05, 0.10, convention("CNIL and Anonymeter (Giomi et al. 2023) set no limit"), null=0.0),
    needs=frozenset({"holdout"}),
    fail_text="patients can be singled out or linked",
    review_text="patients may be singled out or linked",
    action="The table describes single patients.",
    answer=partial(success_rates, "Singling out"),
    shared=AttackDetails.shared,
)


@dataclass(frozen=True, slots=True)
class _Guesses:
    """Predicates: (guesses, parts) column, comparison and value; (guesses,) the synthetic row of origin."""

    column: NDArray[np.intp]
    comparison: NDArray[np.intp]
    value: NDArray[np.float64]
    source: NDArray[np.intp]

    def where(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> _Guesses:
        return _Guesses(self.column[chosen], self.comparison[chosen], self.value[chosen], self.source[chosen])

    def counts(self, rows: NDArray[np.float64]) -> NDArray[np.intp]:
        """(guesses,) number of rows for which each predicate holds."""
        holds = np.ones((len(self.column), len(rows)), dtype=bool)
        for part in range(self.column.shape[1]):
            cells = rows[:, self.column[:, part]].T
            value, comparison = self.value[:, part, None], self.comparison[:, part, None]
            holds &= np.select(
                [comparison == _EQUAL, comparison == _AT_MOST, comparison == _AT_LEAST],
                [cells == value, cells <= value, cells >= value],
                np.isnan(cells),
            )
        found: NDArray[np.intp] = holds.sum(axis=1)
        return found


def _single_out(data: AttackData, synthetic: NDArray[np.float64]) -> Found:
    rng = data.rng("singling out")
    some = data.predicated(synthetic)
    attacks = {"one column": (_univariate(data, synthetic), synthetic)}
    if len(data.features) >= _FEWEST_COLUMNS:
        attacks["several columns"] = (_multivariate(data, some, rng), some)
    splits, control = data.splits()
    weight = 1 / max(len(synthetic), 1)
    naive = len(control) * weight * (1 - weight) ** (len(control) - 1)
    outcomes = []
    for name, (found, rows) in attacks.items():
        if not len(found.column):
            continue
        guesses = found.where(np.sort(rng.permutation(len(found.column))[:_GUESSES]))
        about = _about(data, rows, guesses, rng)
        hits = [(guesses.counts(split.rows) == 1).astype(float) for split in splits]
        train = AttackTrials(about.where(np.tile(np.arange(len(about)), len(splits))), np.concatenate(hits))
        outcomes.append(
            AttackOutcome(name, train, AttackTrials(about, (guesses.counts(control.rows) == 1).astype(float)), naive)
        )
    return judged(data, outcomes, relative, tr("No predicate holds for exactly one synthetic row."))


def _about(
    data: AttackData, synthetic: NDArray[np.float64], guesses: _Guesses, rng: np.random.Generator
) -> PatientSample:
    """Return the synthetic rows of origin in place of patients; the predicate of an outlier targets an outlier."""
    rows = synthetic[guesses.source]
    return PatientSample(rows, guesses.source, data.population.decile(rows), rng.random(len(rows)) < 0.5)


def _univariate(data: AttackData, rows: NDArray[np.float64]) -> _Guesses:
    """Return predicates of one column: unique values, levels, extremes and missing values."""
    column, comparison, value, source = [], [], [], []
    for j, cells in enumerate(rows.T):
        unknown = np.flatnonzero(np.isnan(cells))
        values, first, times = np.unique(cells[~np.isnan(cells)], return_index=True, return_counts=True)
        place = np.flatnonzero(~np.isnan(cells))[first]
        once = [(_EQUAL, i) for i in np.flatnonzero(times == 1).tolist()]
        if data.features.is_numeric[j] and len(values):
            once += [(sign, i) for sign, i in ((_AT_MOST, 0), (_AT_LEAST, len(values) - 1)) if times[i] == 1]
        column += [j] * len(once)
        comparison += [sign for sign, _ in once]
        value += [values[i] for _, i in once]
        source += [place[i] for _, i in once]
        if len(unknown) == 1:
            column, comparison, value, source = (
                [*column, j],
                [*comparison, _MISSING],
                [*value, 0.0],
                [*source, unknown[0]],
            )
    shape = (len(column), 1)
    return _Guesses(
        np.array(column, dtype=np.intp).reshape(shape),
        np.array(comparison, dtype=np.intp).reshape(shape),
        np.array(value, dtype=np.float64).reshape(shape),
        np.array(source, dtype=np.intp),
    )


def _multivariate(data: AttackData, rows: NDArray[np.float64], rng: np.random.Generator) -> _Guesses:
    """Return predicates of random synthetic rows on 3 to 7 random columns, those that hold for one row only."""
    columns, most = rows.shape[1], min(_MOST_COLUMNS, rows.shape[1])
    proposals = _PROPOSALS * _GUESSES
    source = rng.integers(len(rows), size=proposals)
    column = np.argsort(rng.random((proposals, columns)), axis=1)[:, :most]
    # The unused parts of a short predicate repeat its first column, which changes nothing.
    parts = rng.integers(_FEWEST_COLUMNS, most + 1, size=proposals)
    column = np.where(np.arange(most) < parts[:, None], column, column[:, :1])
    value = rows[source[:, None], column]
    middle = np.array([np.median(seen) if len(seen := cells[~np.isnan(cells)]) else 0.0 for cells in rows.T])
    comparison = np.where(value >= middle[column], _AT_LEAST, _AT_MOST)
    comparison = np.where(data.features.ordered[column], comparison, _EQUAL)
    comparison = np.where(np.isnan(value), _MISSING, comparison)
    found: list[_Guesses] = []
    all_guesses = _Guesses(column, comparison, value, source)
    for start in range(0, proposals, _GUESSES):
        some = all_guesses.where(np.arange(start, start + _GUESSES))
        found.append(some.where(some.counts(rows) == 1))
        if sum(len(each.source) for each in found) >= _GUESSES:
            break
    return _Guesses(
        *(
            np.concatenate([getattr(each, name) for each in found])
            for name in ("column", "comparison", "value", "source")
        )
    )


singling_out = Attack(SINGLING_OUT, _single_out)

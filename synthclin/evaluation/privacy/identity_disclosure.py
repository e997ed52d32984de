"""Identity disclosure: is a patient found by what is known of them, and is something new learnt of them then."""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING

import numpy as np

from synthclin.evaluation.privacy.attack import Attack, Found
from synthclin.evaluation.privacy.classes import counted, numbered, similar, stepped
from synthclin.evaluation.privacy.risk import AttackOutcome, AttackTrials, by_group
from synthclin.evaluation.score import Definition, Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.privacy.attack_data import AttackData, PatientSample

__all__ = ["identity_disclosure"]

_MOST_COMPARED = 500

IDENTITY_DISCLOSURE = Definition(
    "privacy.identity_disclosure",
    "How likely is a patient identified and something new learnt of them?",
    "lower",
    "mean over training patients, 5,000 at most, of 1 / f where a synthetic row agrees in the quasi-identifiers, f "
    "being how many agree in them (no population is declared, so the sample stands for it, and no error in the data "
    "is assumed), times the share of these synthetic rows that give away a sensitive value rarer than expected; "
    "the independence baseline is no lower than the same mean over unused patients, had they taken part; Wilson interval (El Emam, "
    "Mosquera and Bass, J Med Internet Res 22:e23139, 2020)",
)


def _identify(data: AttackData, synthetic: NDArray[np.float64]) -> Found:
    if not data.knowledge.sensitive_columns or not data.knowledge.keys:
        return Found.nothing("There is no column left that an attacker could know, or none that they could want.")
    sides = [
        AttackTrials(side, _disclosed(data, synthetic, side, unused=bool(i))) for i, side in enumerate(data.compared())
    ]
    outcome = AttackOutcome("identity disclosure", sides[0], sides[1], nan)

    def alone(train: AttackTrials, _: AttackTrials) -> tuple[float, Interval]:
        return train.rate, train.interval

    return Found(
        sides[0].rate,
        sides[0].interval,
        len(sides[0]),
        (data.knowledge.note,),
        {
            "attack": outcome.name,
            "control": sides[1].told(),
            "train": sides[0].told(),
            **by_group(outcome, data.groups, alone),
        },
        unused=sides[1].rate,
    )


def _disclosed(
    data: AttackData, synthetic: NDArray[np.float64], side: PatientSample, *, unused: bool
) -> NDArray[np.float64]:
    """(patients,) the chance that each is found and something new is learnt, the unused as if they had taken part."""
    train, out = data.train.rows, np.zeros(len(side))
    assigned = np.arange(len(side)) % len(data.knowledge.keys)
    for i, keys in enumerate(data.knowledge.keys):
        place = np.flatnonzero(assigned == i)
        numbers = numbered(*stepped(data.features, keys, train, side.rows[place], train, synthetic))
        size = counted(numbers[0], numbers[1]) + unused
        learnt = np.zeros(len(place))
        for sensitive in data.knowledge.sensitive_columns:
            if sensitive not in keys:
                learnt = np.maximum(learnt, _share_given_away(data, synthetic, side.rows[place], sensitive, numbers))
        out[place] = learnt / np.maximum(size, 1)
    return out


def _share_given_away(
    data: AttackData,
    synthetic: NDArray[np.float64],
    rows: NDArray[np.float64],
    sensitive: int,
    numbers: list[NDArray[np.int64]],
) -> NDArray[np.float64]:
    """(patients,) the share of synthetic rows with their key that give their secret away, where it is a rare one."""
    train = data.train.rows
    cells = train[~np.isnan(train[:, sensitive]), sensitive]
    compared = data.rng("identity", sensitive).permutation(cells)[:_MOST_COMPARED]
    alike = similar(data.features, sensitive, train, compared[:, None], compared[None, :]).mean()
    own = similar(data.features, sensitive, train, rows[:, sensitive, None], compared[None, :]).mean(axis=1)
    order = np.argsort(numbers[2], kind="stable")
    first, last = (np.searchsorted(numbers[2][order], numbers[0], side) for side in ("left", "right"))
    share = np.zeros(len(rows))
    for i in np.flatnonzero((last > first) & (own < alike)):
        guesses = synthetic[order[first[i] : last[i]], sensitive]
        share[i] = similar(data.features, sensitive, train, rows[i, sensitive], guesses).mean()
    return share


identity_disclosure = Attack(IDENTITY_DISCLOSURE, _identify)

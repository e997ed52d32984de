"""Identity disclosure risk: re-identification by quasi-identifiers, times the share of new sensitive information."""

from __future__ import annotations

from functools import partial
from math import nan
from typing import TYPE_CHECKING

import numpy as np

from synthclin.evaluation import questions
from synthclin.evaluation.kind import Kind, Limit, convention
from synthclin.evaluation.privacy.attack import Attack, Found, Reference
from synthclin.evaluation.privacy.details import AttackDetails, success_rates
from synthclin.evaluation.privacy.equivalence_classes import counted, numbered, similar, stepped
from synthclin.evaluation.privacy.risk import AttackOutcome, AttackTrials, by_group
from synthclin.evaluation.score import Interval
from synthclin.language import tr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.privacy.attack_data import AttackData, PatientSample

__all__ = ["identity_disclosure"]

_MOST_COMPARED = 500

IDENTITY_DISCLOSURE = Kind(
    name="privacy.identity_disclosure",
    question="How likely is a patient identified with new sensitive information?",
    better="lower",
    method=(
        "mean over members, 5,000 at most, of 1 / f where a synthetic row agrees in the quasi-identifiers, f "
        "being the number of members who agree in them (the sample in place of the population, data without "
        "error), times the share of these synthetic rows that disclose a sensitive value rarer than expected; the"
        " real-data reference is the same mean over non-members, as if they had taken part; Wilson interval (El "
        "Emam, Mosquera and Bass, J Med Internet Res 22:e23139, 2020)"
    ),
    section="privacy",
    label="Identity disclosure",
    unit="patients identified, on average",
    ideal=0.0,
    scale="one in",
    details=AttackDetails,
    asked=questions.ATTRIBUTES,
    limit=Limit(
        "<=",
        0.05,
        0.09,
        "0.09: El Emam et al. 2020, EMA Policy 0070, Health Canada PRCI; 0.05: "
        + convention("it keeps a distance from 0.09"),
        null=0.0,
    ),
    needs=frozenset({"holdout"}),
    fail_text="sensitive attributes can be inferred",
    review_text="sensitive attributes may be inferred",
    action="Patients can be identified by known values, with new information.",
    answer=partial(success_rates, "Identity disclosure"),
    shared=AttackDetails.shared,
)


def _identify(data: AttackData, synthetic: NDArray[np.float64]) -> Found:
    if not data.knowledge.sensitive_columns or not data.knowledge.keys:
        return Found.nothing(tr("There is no known column, or no sensitive one, for the attack."))
    sides = [
        AttackTrials(side, _disclosed(data, synthetic, side, non_members=bool(i)))
        for i, side in enumerate(data.compared())
    ]
    outcome = AttackOutcome("identity disclosure", sides[0], sides[1], nan)

    def members_only(train: AttackTrials, _: AttackTrials) -> tuple[float, Interval]:
        return train.rate, train.interval

    return Found(
        sides[0].rate,
        sides[0].interval,
        len(sides[0]),
        (data.knowledge.note,),
        {
            "strongest_attack": outcome.name,
            "non_members": sides[1].summary(),
            "members": sides[0].summary(),
            **by_group(outcome, data.groups, members_only),
        },
        non_members=Reference(sides[1].rate, sides[1].interval),
    )


def _disclosed(
    data: AttackData, synthetic: NDArray[np.float64], side: PatientSample, *, non_members: bool
) -> NDArray[np.float64]:
    """(patients,) the risk of each patient; non-members as if they had taken part."""
    train, out = data.train.rows, np.zeros(len(side))
    assigned = np.arange(len(side)) % len(data.knowledge.keys)
    for i, keys in enumerate(data.knowledge.keys):
        place = np.flatnonzero(assigned == i)
        numbers = numbered(*stepped(data.features, keys, train, side.rows[place], train, synthetic))
        size = counted(numbers[0], numbers[1]) + non_members
        disclosed = np.zeros(len(place))
        for sensitive in data.knowledge.sensitive_columns:
            if sensitive not in keys:
                disclosed = np.maximum(
                    disclosed, _share_disclosed(data, synthetic, side.rows[place], sensitive, numbers)
                )
        out[place] = disclosed / np.maximum(size, 1)
    return out


def _share_disclosed(
    data: AttackData,
    synthetic: NDArray[np.float64],
    rows: NDArray[np.float64],
    sensitive: int,
    numbers: list[NDArray[np.int64]],
) -> NDArray[np.float64]:
    """(patients,) the share of synthetic rows with their key that disclose the sensitive value, where it is rare."""
    train = data.train.rows
    cells = train[~np.isnan(train[:, sensitive]), sensitive]
    compared = data.rng("identity", sensitive).permutation(cells)[:_MOST_COMPARED]
    expected = similar(data.features, sensitive, train, compared[:, None], compared[None, :]).mean()
    own = similar(data.features, sensitive, train, rows[:, sensitive, None], compared[None, :]).mean(axis=1)
    order = np.argsort(numbers[2], kind="stable")
    first, last = (np.searchsorted(numbers[2][order], numbers[0], side) for side in ("left", "right"))
    share = np.zeros(len(rows))
    for i in np.flatnonzero((last > first) & (own < expected)):
        guesses = synthetic[order[first[i] : last[i]], sensitive]
        share[i] = similar(data.features, sensitive, train, rows[i, sensitive], guesses).mean()
    return share


identity_disclosure = Attack(IDENTITY_DISCLOSURE, _identify)

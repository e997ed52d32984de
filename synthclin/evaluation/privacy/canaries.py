"""Positive control: canaries, training rows among the synthetic rows, and the smallest share that an attack detects."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Any

import numpy as np

from synthclin.evaluation import questions
from synthclin.evaluation.details import NoDetails
from synthclin.evaluation.kind import Kind, Limit, convention
from synthclin.evaluation.leak_free import beyond_leak_free
from synthclin.evaluation.privacy.attack_data import AttackData, why_not
from synthclin.evaluation.privacy.copies import copies_attack
from synthclin.evaluation.privacy.details import LeakDetails
from synthclin.evaluation.privacy.membership_tpr import membership_tpr
from synthclin.evaluation.privacy.near_copies import near_copies
from synthclin.evaluation.privacy.singling_out import singling_out
from synthclin.evaluation.privacy.uniques import disclosive_keys, replicated_uniques
from synthclin.evaluation.score import Interval
from synthclin.language import tr

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.privacy.attack import Attack, Reference
    from synthclin.evaluation.score import Score

__all__ = ["smallest_leak"]

_SHARES = (0.005, 0.01, 0.02, 0.05)
_REPEATS = 3
_KINDS = ("exact", "jittered")
_STEP = 0.02  # how far a jittered number moves at most, in ranks
_RESAMPLED = 0.05  # probability that a jittered level is resampled
_ATTACKS: tuple[Attack, ...] = (
    copies_attack,
    near_copies,
    membership_tpr,
    singling_out,
    replicated_uniques,
    disclosive_keys,
)

SMALLEST_LEAK = Kind(
    name="privacy.smallest_leak",
    question="How small a leak would these attacks have detected on this table?",
    better="lower",
    method=(
        "canaries: 0.5, 1, 2 and 5 % of the synthetic rows are replaced by training rows, exact and jittered "
        "(numbers by up to 2 % of their ranks, one level in 20 resampled), three times each; they are detected "
        "where in all three an attack that raises no alarm on the table itself is significantly beyond chance, "
        "and beyond holdout rows where these are; attacks, in turn, that a few rows can move: copies, near "
        "copies, TPR at 1 % FPR, singling out, RepU and DiSCO; the smallest share at which both kinds are "
        "detected; a property of the attacks, so there is neither independence baseline nor real-data reference "
        "(project convention)"
    ),
    section="privacy",
    label="Smallest leak detected",
    unit="share of canaries among synthetic rows",
    ideal=0.0,
    details=LeakDetails,
    asked=questions.LEAST_LEAK,
    limit=Limit("<=", 0.01, 0.05, convention("attacks that miss canaries of 5 % of the rows show nothing")),
    needs=frozenset({"holdout"}),
    fail_text="the attacks miss leaks",
    review_text="the attacks may miss smaller leaks than this",
    action="A pass of these attacks is weak evidence.",
    scale="percent",
    answer=lambda score: tr("Canaries are detected from {share}\u00a0% of rows on.", share=f"{100 * score.value:g}"),
    shared=lambda details, _: details,
)


def smallest_leak(
    c: Comparison,
    *,
    by: Sequence[str] = (),  # noqa: ARG001 (all attacks are called alike)
    data: AttackData | None = None,
) -> Score:
    """Score the smallest share of canaries that the attacks detect; NaN where they detect none."""
    reason = why_not(c)
    if reason:
        return SMALLEST_LEAK.unassessable(reason)
    data = AttackData.of(c) if data is None else data
    nulls = {attack: _leak_free(attack, data, c) for attack in _ATTACKS}
    silent = {attack: null for attack, null in nulls.items() if not _alarmed(attack, null, data, c.synthetic)}
    curve = [row for kind in _KINDS for row in _curve(c, data, silent, kind)]
    seen = [share for share in _SHARES if all(row["detected_by"] for row in curve if row["share"] == share)]
    details: dict[str, Any] = {
        "canaries": curve,
        "false_alarms_on_table": [each.kind.name for each in _ATTACKS if each not in silent],
    }
    blind = _blind(curve)
    if not seen:
        if len(silent) < len(_ATTACKS):
            blind = tr("Attacks raise an alarm on the table itself, so the detection of canaries cannot be measured.")
        return SMALLEST_LEAK.unassessable(blind, n=len(c.synthetic), details=details)
    least = min(seen)
    return SMALLEST_LEAK.score(least, Interval(least, least), n=len(c.synthetic), notes=[blind], details=details)


def _blind(curve: Sequence[dict[str, Any]]) -> str:
    """Return the largest undetected leak of each kind, as a sentence; empty if there is none."""
    exact, jittered = (
        max((row["share"] for row in curve if row["kind"] == kind and not row["detected_by"]), default=0.0)
        for kind in _KINDS
    )
    shares = {"exact": f"{100 * exact:g}", "jittered": f"{100 * jittered:g}"}
    if exact and jittered:
        return tr(
            "These attacks could not have detected {exact} % of the rows copied exactly nor {jittered} % of the rows "
            "copied with small changes: a pass does not exclude such a leak.",
            **shares,
        )
    if exact:
        return tr(
            "These attacks could not have detected {exact} % of the rows copied exactly: a pass does not exclude such "
            "a leak.",
            **shares,
        )
    if jittered:
        return tr(
            "These attacks could not have detected {jittered} % of the rows copied with small changes: a pass does not "
            "exclude such a leak.",
            **shares,
        )
    return ""


def _leak_free(attack: Attack, data: AttackData, c: Comparison) -> Reference:
    """Return what non-members reach in an attack on the table itself."""
    return attack.leak_free(data, attack.find(data, c.synthetic))


def _curve(c: Comparison, data: AttackData, nulls: Mapping[Attack, Reference], kind: str) -> list[dict[str, Any]]:
    """Return for each share the first attack that detects the canaries in every repeat.

    An attack that misses a larger leak is not run on a smaller one, which it could only detect by chance. Attacks after
    the first that detects are not run, because distances in a large table take minutes.
    """
    left, curve = list(nulls), []
    for share in reversed(_SHARES):
        repeats = [(_with_canaries(c, data, share, kind, repeat), data.with_own_cache()) for repeat in range(_REPEATS)]
        while left and not all(_alarmed(left[0], nulls[left[0]], own, rows) for rows, own in repeats):
            left.pop(0)
        names = [attack.kind.name for attack in left[:1]]
        curve.append({"share": share, "kind": kind, "rows": _rows(c, share), "detected_by": names})
    return curve[::-1]


def _alarmed(attack: Attack, null: Reference, data: AttackData, rows: NDArray[np.float64]) -> bool:
    found = attack.find(data, rows)
    if isnan(found.value):
        return False
    score = attack.kind.score(
        found.value,
        found.interval,
        n=found.n,
        reference=null.value,
        reference_error=null.error,
        details=NoDetails(),
    )
    return beyond_leak_free(score, attack.null)


def _rows(c: Comparison, share: float) -> int:
    return max(1, round(share * len(c.synthetic)))


def _with_canaries(c: Comparison, data: AttackData, share: float, kind: str, repeat: int) -> NDArray[np.float64]:
    """Return the synthetic rows with a share of them replaced by canaries."""
    rng = data.rng("spike", kind, str(share), repeat)
    rows, n = c.synthetic.copy(), _rows(c, share)
    patients = data.train.rows[rng.choice(len(data.train), min(n, len(data.train)), replace=False)]
    if kind == "jittered":
        patients = jittered(patients, data.train.rows, data.features.is_numeric, rng)
    rows[rng.choice(len(rows), len(patients), replace=False)] = patients
    return rows


def jittered(
    rows: NDArray[np.float64], real: NDArray[np.float64], is_numeric: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return jittered rows: numbers moved by up to 2 % of their ranks among `real`, one level in 20 resampled."""
    out = rows.copy()
    for j, moved in enumerate(is_numeric):
        known = ~np.isnan(rows[:, j])
        seen = np.sort(real[~np.isnan(real[:, j]), j])
        if moved and len(seen):
            place = np.searchsorted(seen, rows[known, j]) + rng.uniform(-_STEP, _STEP, known.sum()) * len(seen)
            out[known, j] = seen[np.clip(place.round().astype(int), 0, len(seen) - 1)]
        elif len(seen):
            resampled = known & (rng.random(len(rows)) < _RESAMPLED)
            out[resampled, j] = rng.choice(seen, int(resampled.sum()))
    return out

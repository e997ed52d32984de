"""Privacy audits: lower bounds of epsilon from canaries, found by running a mechanism."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from synthclin.dp.budget import Budget
from synthclin.dp.ledger import Ledger
from synthclin.dp.one_run_bound import epsilon_bound
from synthclin.dp.private_table import NoisyTable, PrivateTable
from synthclin.errors import ConfigError

__all__ = ["Audit", "audit", "audit_pair", "audit_selection", "cell_canaries"]

_COLUMNS = 3  # audit columns, in each of which a canary has a code of its own
_SHARES = (1.0, 0.5, 0.2, 0.1)  # of the canaries that are guessed about, those with the clearest scores

Mechanism = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Audit:
    """Result of a privacy audit. It can refute a claim, never prove it.

    Arguments:
        claimed: the epsilon that the mechanism claims.
        bound: a lower bound of its true epsilon, with the confidence below.
        certifiable: the largest bound that this audit could have found, if every guess had been right.
        confidence: the probability that the bound holds.
        guesses: how many guesses were made for the bound.
        right: how many of them were right.
    """

    claimed: float
    bound: float
    certifiable: float
    confidence: float
    guesses: int
    right: int

    @property
    def violated(self) -> bool:
        """Whether the bound exceeds the claim: the mechanism is not as private as it says."""
        return self.bound > self.claimed


def audit(mechanism: Mechanism, m: int, epsilon: float, delta: float, *, confidence: float = 0.95) -> Audit:
    """Return the audit of one run: each canary is present by a fair coin, and is guessed to be present or absent.

    Half of the guesses are "present", for the canaries with the highest scores, half "absent". Bounds of several
    numbers of guesses are taken together, each with its share of the error.

    Arguments:
        mechanism: called once with a boolean array (m,), which canaries are present; returns (m,) scores, the higher
            the likelier is a canary to be present. `cell_canaries` makes one.
        m: the number of canaries; 1,000 can certify at most about 5.4.
        epsilon: the claim, for one canary more or less.
        delta: the claim.
        confidence: of the bound.

    Source: Steinke, Nasr and Jagielski 2023, arXiv 2305.08846.

    Raises:
        ConfigError: there are fewer than 20 canaries, or scores are not one finite number a canary.

    Example:
        >>> leaky = audit(lambda present: present.astype(float), 1000, epsilon=1, delta=1e-6)
        >>> leaky.violated, 4 < leaky.bound < leaky.certifiable < 5.5
        (True, True)
    """
    if m < 20:
        raise ConfigError("privacy audit", "fewer than 20 canaries show nothing", "Take 1,000.")
    present = np.unpackbits(np.frombuffer(os.urandom(m // 8 + 1), np.uint8))[:m].astype(bool)
    scores = np.asarray(mechanism(present.copy()), float)
    if scores.shape != (m,) or not np.isfinite(scores).all():
        raise ConfigError("privacy audit", "scores are not one finite number per canary", "Correct the mechanism.")
    order = np.argsort(scores, kind="stable")
    error = (1 - confidence) / len(_SHARES)
    found = []
    for share in _SHARES:
        half = int(m * share / 2)
        right = int(present[order[m - half :]].sum() + (~present[order[:half]]).sum())
        bound, most = (epsilon_bound(m, 2 * half, count, error=error, delta=delta) for count in (right, 2 * half))
        found.append((bound, 2 * half, right, most))
    bound, guesses, right, _ = max(found)
    return Audit(epsilon, bound, max(most for *_, most in found), confidence, guesses, right)


def cell_canaries(fit: Callable[[PrivateTable], Sequence[NoisyTable]], epsilon: float, delta: float) -> Mechanism:
    """Return a mechanism for `audit`: canaries with cells of their own, scored by the noisy tables of a fit.

    Canary i has code i in each of three columns, so no canary shares a cell with another. Its score is the
    log-likelihood ratio of its cells in all tables.

    Arguments:
        fit: given a private table with three columns of m codes and a ledger for the budget, returns all noisy tables
            that it measured.
        epsilon: the budget.
        delta: the budget.

    Example:
        >>> def one_way(table):
        ...     return [table.measure((j,), table.ledger.rho / 3, "one-way table") for j in range(3)]
        >>> audit(cell_canaries(one_way, 3, 1e-6), 1000, epsilon=3, delta=1e-6).violated
        False
    """
    rho = Budget(epsilon, delta).rho

    def mechanism(present: np.ndarray) -> np.ndarray:
        codes = np.repeat(np.flatnonzero(present)[:, None], _COLUMNS, axis=1)
        tables = fit(PrivateTable(codes, [len(present)] * _COLUMNS, Ledger(rho)))
        scores = np.zeros(len(present))
        cells = np.arange(len(present))
        for table in tables:
            own = (cells,) * len(table.columns)
            scores += (table.values[own] - 0.5) / table.variance[own]
        return scores

    return mechanism


def audit_pair(
    mechanism: Callable[[bool], bool], runs: int, epsilon: float, delta: float, *, confidence: float = 0.95
) -> Audit:
    """Return the audit of many runs on two neighbouring tables: what one run shows about the patient between them.

    Arguments:
        mechanism: called with whether the patient is present; returns the guess of an attacker who sees its result.
        runs: how many on each table.
        epsilon: the claim, for one patient more or less.
        delta: the claim.
        confidence: of the bound.

    Source: Jagielski, Ullman and Oprea 2020, arXiv 2006.07709: Clopper-Pearson intervals of both error rates.

    Example:
        >>> audit_pair(lambda present: present, 200, epsilon=1, delta=1e-6).violated
        True
    """
    hits = sum(bool(mechanism(True)) for _ in range(runs))
    alarms = sum(bool(mechanism(False)) for _ in range(runs))
    error = (1 - confidence) / 4  # two error rates, and both directions
    bound = max(
        0.0, *(_ratio(*counts, runs, delta, error) for counts in ((hits, alarms), (runs - alarms, runs - hits)))
    )
    most = max(0.0, _ratio(runs, 0, runs, delta, error))
    return Audit(epsilon, bound, most, confidence, 2 * runs, hits + runs - alarms)


def audit_selection(
    fit: Callable[[PrivateTable, Sequence[NoisyTable], float], object],
    rho: float,
    runs: int,
    *,
    at_most: int = 1,
    confidence: float = 0.95,
) -> Audit:
    """Return the audit of the first selection of a fit, AIM or MST, by many runs on two neighbouring tables.

    The one-way tables are given without noise, so the first model is the same in each run. Two thirds of the pairs of
    three columns come closer to it by the patient between the tables and one comes further away, by a row each: no
    patient changes the scores more. A run ends where the fit measures the pair that it has selected. The claim is that
    of the exponential mechanism whose cost the fit entered first.

    Arguments:
        fit: called with a private table, its one-way tables and `rho`, as `aim` and `mst` are.
        rho: the cost of the fit, of zCDP.
        runs: how many on each table.
        at_most: rows per patient; the patient between the tables has as many.
        confidence: of the bound.
    """
    half = 50
    ordinary = np.repeat([[0, 0, 1], [1, 1, 0]], half, axis=0)
    canary = np.ones((at_most, 3), np.int64)
    exact = np.full(2, float(half))
    one_way = [NoisyTable((j,), exact, np.full(2, 1e-6), rho) for j in range(3)]
    costs: list[float] = []

    def run(present: bool) -> bool:
        codes = np.concatenate([ordinary, canary]) if present else ordinary
        patient = np.minimum(np.arange(len(codes)), len(ordinary))
        ledger = Ledger(rho)
        table = _Selected(codes, [2, 2, 2], ledger, patient=patient, at_most=at_most)
        try:
            fit(table, one_way, rho)
        except _SelectionMadeError as selected:
            costs.append(ledger.entries[0].rho)
            return selected.columns == (0, 1)
        raise ConfigError("privacy audit", "the fit measured no pair", "Give a fit that selects pairs.")

    run(present=False)
    return audit_pair(run, runs, math.sqrt(8 * costs[0]), 0.0, confidence=confidence)


class _SelectionMadeError(Exception):
    """End of a run: the columns that a fit is about to measure."""

    def __init__(self, columns: tuple[int, ...]) -> None:
        self.columns = columns
        super().__init__("a pair is selected")


class _Selected(PrivateTable):
    """Private table that tells which columns are measured first, in place of measuring them."""

    __slots__ = ()

    def measure(self, columns: Sequence[int], rho: float, what: str | None = None) -> NoisyTable:  # noqa: ARG002
        raise _SelectionMadeError(tuple(columns))


def _ratio(often: int, seldom: int, runs: int, delta: float, error: float) -> float:
    """Return a lower bound of log((P(event | one table) - delta) / P(event | the other))."""
    low = float(beta.ppf(error, often, runs - often + 1)) if often else 0.0
    high = float(beta.ppf(1 - error, seldom + 1, runs - seldom)) if seldom < runs else 1.0
    return math.log((low - delta) / high) if low > delta else -math.inf

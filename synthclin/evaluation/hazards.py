"""Does a Cox regression find the same hazards in the synthetic table, and does it predict who comes first."""

from __future__ import annotations

from math import hypot, sqrt
from typing import TYPE_CHECKING

import numpy as np

from synthclin.evaluation.analyses import endpoint, study
from synthclin.evaluation.comparison import subsample
from synthclin.evaluation.curves import concordance
from synthclin.evaluation.intervals import Z, recentred, resamples
from synthclin.evaluation.names import hazard_names
from synthclin.evaluation.samples import likeness
from synthclin.evaluation.score import Definition, Interval, Score

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.samples import Against
    from synthclin.evaluation.tasks import CoxTask

__all__ = ["hazards", "ranking"]

_MOST_ROWS = 1_000  # the library takes a second for a Cox regression of them
_MIN_EVENTS = 10
_BOOTSTRAP = 200


def hazards(c: Comparison, task: CoxTask) -> Score:
    """Score how far the logarithms of the hazard ratios are from those of real patients.

    Raises:
        ConfigError: the task names a column that it cannot use.
    """
    definition = Definition(
        hazard_names(task.event)[0],
        f"Are the hazard ratios for '{task.event}' those of real patients?",
        "lower",
        "mean over terms of the absolute difference of the log hazard ratios of a Cox regression (Efron's ties, "
        f"statsmodels), numbers per real standard deviation, at most {_MOST_ROWS:,} rows against as many training "
        "rows, mean of 4 random halves of the real rows (Cox, JRSS B 34:187-220, 1972)",
    )
    found = study(c, task)
    if not found.terms:
        return definition.unassessable("No term is left: covariates do not vary, or are too few.")

    def measure(real: NDArray[np.float64]) -> Against:
        of_real = found.run(real)[0]
        return lambda other: np.abs(found.run(other)[0] - of_real)

    alike = likeness(c, measure, definition.name, rounds=4, most=_MOST_ROWS, halves=8, high=np.inf)
    parts = zip(found.terms, alike.parts, alike.fresh, strict=True)
    terms = [{"term": term, "value": value, "ceiling": fresh} for term, value, fresh in parts]
    return alike.score(definition, details={"terms": terms})


def ranking(c: Comparison, task: CoxTask) -> Score:
    """Score whether a Cox regression learnt from synthetic rows ranks real patients as well as one from real rows.

    Raises:
        ConfigError: the task names a column that it cannot use.
    """
    definition = Definition(
        hazard_names(task.event)[1],
        f"Does a Cox regression trained on the synthetic table tell which real patient reaches '{task.event}' first?",
        "higher",
        "concordance on the holdout, weighted by the inverse chance of being censored, of a Cox regression trained on "
        f"synthetic rows minus one trained on as many real rows, at most {_MOST_ROWS:,}; interval from {_BOOTSTRAP} "
        "bootstrap samples of the holdout's patients, paired, with the variance between synthetic tables (Uno et al., "
        "Stat Med 30:1105-1117, 2011)",
    )
    found, end = study(c, task), endpoint(c, task)
    if c.holdout is None or c.holdout_patients is None:
        return definition.unassessable("There is no holdout: nothing tells how real patients would be ranked.")
    assert found.matrix is not None
    usable = ~np.isnan(found.matrix(c.holdout)).any(axis=1) if found.terms else np.zeros(len(c.holdout), dtype=bool)
    usable &= ~np.isnan(c.holdout[:, end.time]) & ~np.isnan(end.event(c.holdout))
    places = subsample(np.flatnonzero(usable).astype(float), _MOST_ROWS, c.rng(definition.name, "test")).astype(int)
    test = c.holdout[places]
    times, events, x = test[:, end.time], end.event(test) == 1, found.matrix(test)
    if events.sum() < _MIN_EVENTS:
        return definition.unassessable(f"The holdout has fewer than {_MIN_EVENTS} events with known covariates.")
    clusters = np.unique(c.holdout_patients[places], return_inverse=True)[1]
    samples = resamples(len(test), _BOOTSTRAP, c.rng(definition.name, "bootstrap"), clusters)
    weights = np.vstack([np.ones((1, len(test))), samples])

    size = min(_MOST_ROWS, len(c.train), *map(len, c.draws))

    def ranked(rows: NDArray[np.float64], stream: str) -> NDArray[np.float64]:
        learnt = found.run(subsample(rows, size, c.rng(definition.name, stream)))[0]
        return concordance(x @ np.nan_to_num(learnt), times, events, weights, end.horizon)

    real = ranked(c.train, "real")
    gaps = np.array([ranked(rows, f"synthetic {i}") for i, rows in enumerate(c.draws)]) - real
    value, replicates = float(gaps[:, 0].mean()), gaps[:, 1:].mean(axis=0)
    low, high = recentred(value, replicates[~np.isnan(replicates)], -1.0, 1.0)
    between = Z * float(gaps[:, 0].std(ddof=1)) / sqrt(len(gaps)) if len(gaps) > 1 else 0.0
    return definition.score(
        value,
        Interval(value - hypot(low - value, between), value + hypot(high - value, between)),
        n=len(test),
        floor=float((ranked(c.shuffled, "shuffled") - real)[0]),
        ceiling=0.0,
        notes=["The ceiling is 0 by definition: what real training rows reach is subtracted."],
        details={"real": real[0], "synthetic": real[0] + value, "rows": size},
    )

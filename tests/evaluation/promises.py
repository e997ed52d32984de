"""What every score of a table that can be judged comes with."""

from __future__ import annotations

import re
from math import inf

from synthclin.evaluation.score import Score

_SOURCE = re.compile(r"\([^()]*(\d{4}|project convention|sdmetrics|scipy|SDMetrics|SDNist)[^()]*\)")


def is_whole(score: Score) -> bool:
    """Say whether it has an interval, floor, ceiling or why there is none, its rows, a direction and a source."""
    assert -inf < score.low <= score.value <= score.high < inf, score.name
    told = score.note + score.method
    # The score that is computed again in each group says of itself why it has no floor.
    assert score.baseline is not None or "baseline" in told or "score" in score.details, score.name
    assert score.reference is not None or "reference" in told, score.name
    assert score.n > 0, score.name
    assert score.better in {"higher", "lower"}
    assert _SOURCE.search(score.method), score.name
    return True

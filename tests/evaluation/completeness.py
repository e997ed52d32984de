"""The fields that every assessable score has."""

from __future__ import annotations

import re
from math import inf

from synthclin.evaluation.score import Score

_SOURCE = re.compile(r"\([^()]*(\d{4}|project convention|sdmetrics|scipy|SDMetrics|SDNist)[^()]*\)")


def is_whole(score: Score) -> bool:
    """Check interval, baseline, reference or a note why there is none, number of rows, direction and source."""
    assert -inf < score.low <= score.value <= score.high < inf, score.name
    text = score.note + score.method
    # A score that is repeated in each group has the note of the score itself.
    assert score.baseline is not None or "baseline" in text or "score" in score.details, score.name
    assert score.reference is not None or "reference" in text, score.name
    assert score.n > 0, score.name
    assert score.better in {"higher", "lower"}
    assert _SOURCE.search(score.method), score.name
    return True

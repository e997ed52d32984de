"""A gate: a limit of one score, and its text in a configuration."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from synthclin.errors import ConfigError

__all__ = ["Gate", "parse_gate"]

_GATE = re.compile(r"(?P<score>\S.*?[^\s<>=!])\s*(?P<op>>=|<=|>|<)\s*(?P<limit>[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?)")
_BY_USER = "set by user"
_SHARES, _NO_SHARE = {"fidelity", "inference", "privacy", "utility", "validity"}, 10.0


@dataclass(frozen=True, slots=True)
class Gate:
    """A limit of one score.

    Arguments:
        score: the name of the score; a name that ends in ``.*`` is for every score of its group.
        op: one of ``>= <= > <``.
        limit: the limit for PASS; NaN in the shareable edition where it follows from holdout rows.
        review: the limit for REVIEW; None for a strict gate, which gives only PASS or FAIL.
        source: the origin of the limit.
        null: the value of an attack without leakage; a score significantly beyond it is never NOT ASSESSABLE. Where the
            limit is the null itself, an interval that contains it passes.
        alarm: whether the gate applies only to a score beyond the null, so that it can fail a table and never pass one.
    """

    score: str
    op: str
    limit: float
    review: float | None = None
    source: str = _BY_USER
    null: float | None = None
    alarm: bool = False

    @property
    def text(self) -> str:
        """The gate as text."""
        limit = "a limit from holdout rows" if math.isnan(self.limit) else f"{self.limit:g}"
        return f"{self.score} {self.op} {limit}"


def parse_gate(text: str) -> Gate:
    """Parse a gate from its text.

    Raises:
        ConfigError: the text is no score, comparison and number.

    Example:
        >>> gate = parse_gate("fidelity.marginals >= 0.90")
        >>> gate.score, gate.op, gate.limit
        ('fidelity.marginals', '>=', 0.9)
    """
    found = _GATE.fullmatch(text.strip()) if isinstance(text, str) else None
    limit = float(found["limit"]) if found else math.nan
    if found is None or not math.isfinite(limit) or "." not in found["score"].strip("."):
        if isinstance(text, str) and text.rstrip().endswith("%"):
            what = "the limit is a percentage"
            raise ConfigError(f"gate {text!r}"[:200], what, "Write a share, such as 0.9 for 90 %.")
        what = "it is no score, comparison and number" if isinstance(text, str) else "it is no text"
        raise ConfigError(f"gate {text!r}"[:200], what, "Write one such as 'fidelity.marginals >= 0.90'.")
    if abs(limit) >= _NO_SHARE and found["score"].split(".")[0] in _SHARES:
        what = f"the limit {found['limit']} is no share"
        raise ConfigError(f"gate {text!r}"[:200], what, f"Write {limit / 100:g} for {limit:g} %.")
    return Gate(found["score"], found["op"], limit)

"""One column in the shareable edition: suppressed counts, rounded summaries, and figures from published counts."""

from __future__ import annotations

from itertools import accumulate
from math import floor, log10
from typing import TYPE_CHECKING, Any

import numpy as np

from synthclin.evaluation.disclosure import round_to, suppress
from synthclin.evaluation.sections import multinomial_difference
from synthclin.report.record.section_data import Cell, Histogram, LevelRow, Missing, Summary, TableOneBlock

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["agreement", "shared_block", "shared_panel"]

_FEW_CELLS = 5  # with fewer bins, mean and SD would reveal the counts of a nearly categorical number
_ENOUGH = 44  # observed values, so that at least 11 lie beyond each quartile


def shared_panel(panel: Histogram) -> Histogram:
    """Return a histogram after primary and secondary suppression, with missing values as one more cell."""
    *real, missing = suppress([*panel.real, panel.missing.real], [*panel.synthetic, panel.missing.synthetic])
    empty = Missing(real=missing, synthetic=panel.missing.synthetic)
    return panel.model_copy(update={"real": real, "missing": empty})


def shared_block(block: TableOneBlock, panel: Histogram) -> TableOneBlock:
    """Return a column of Table 1 computed from its shared panel."""
    suppressed = None in panel.real or panel.missing.real is None
    shared: dict[str, Any] = {"missing": panel.missing, "difference": None}
    if block.kind == "line":
        known = sum(count or 0 for count in panel.real)
        real = None if block.real is None or known < _ENOUGH else _summary(block.real, suppressed, len(panel.real))
        shared |= {"real": real, "difference": _line_difference(real, block.synthetic)}
        return block.model_copy(update=shared)
    known = 0 if suppressed else sum(count or 0 for count in panel.real)
    synthetic_rows = sum(panel.synthetic)
    shared["levels"] = [
        LevelRow(level=label, real=_cell(a, known), synthetic=_cell(b, synthetic_rows))
        for label, a, b in zip(panel.labels, panel.real, panel.synthetic, strict=True)
    ]
    if not suppressed:
        counts = [np.array(side, dtype=np.int64) for side in (panel.real, panel.synthetic)]
        shared["difference"] = multinomial_difference(*counts)
    return block.model_copy(update=shared)


def _cell(count: int | None, of: int) -> Cell:
    return Cell(n=count, percent=None if count is None or not of else round(100 * count / of, 1))


def _summary(summary: Summary, suppressed: bool, cells: int) -> Summary:
    """Return quartiles with two digits of their SD, and mean and SD where no count is suppressed."""
    spread = summary.sd or 0.0
    size = 10.0 ** (floor(log10(spread)) - 1) if spread > 0 else 0.0
    quartiles = {key: _quartile(getattr(summary, key), size) for key in ("q1", "median", "q3")}
    if suppressed or cells < _FEW_CELLS or not size or summary.mean is None:
        return Summary(mean=None, sd=None, **quartiles)
    return Summary(mean=round_to(summary.mean, 2 * size), sd=round_to(spread, 2 * size), **quartiles)


def _quartile(value: float | str | None, size: float) -> float | str | None:
    """Return a rounded quartile; for a date its month."""
    if isinstance(value, str):
        return f"{value[:7]}-01"
    return None if value is None else round_to(value, size) if size else value


def _line_difference(real: Summary | None, synthetic: Summary | None) -> float | None:
    if real is None or synthetic is None or None in (real.mean, real.sd, synthetic.mean, synthetic.sd):
        return None
    assert real.mean is not None
    assert synthetic.mean is not None
    pooled = (((real.sd or 0.0) ** 2 + (synthetic.sd or 0.0) ** 2) / 2) ** 0.5
    return round((synthetic.mean - real.mean) / pooled, 2) if pooled > 0 else None


def agreement(panel: Histogram) -> dict[str, Any]:
    """Return the agreement of a column, computed from the published counts of its panel.

    Example:
        >>> empty = Missing(real=0, synthetic=0)
        >>> counts = {"real": [60, 40], "synthetic": [50, 50]}
        >>> panel = Histogram(column="sex", kind="levels", labels=["F", "M"], missing=empty, **counts)
        >>> agreement(panel)["value"]
        0.9
    """
    published = [(a, b) for a, b in zip(panel.real, panel.synthetic, strict=True) if a is not None]
    real, synthetic = (_shares([pair[side] for pair in published]) for side in (0, 1))
    gaps = [a - b for a, b in zip(real, synthetic, strict=True)]
    line = panel.kind == "line"
    distance = max(map(abs, accumulate(gaps)), default=0.0) if line else sum(map(abs, gaps)) / 2
    rows = sum(count or 0 for count in panel.real) + (panel.missing.real or 0)
    empty = None if panel.missing.real is None or None in panel.real else panel.missing.real / max(rows, 1)
    synthetic_rows = sum(panel.synthetic) + panel.missing.synthetic
    return {
        "column": panel.column,
        "value": round(min(max(1 - distance, 0.0), 1.0), 3),
        "reference": None,
        "measure": "1 - KS" if line else "1 - TVD",
        "missing_real": empty,
        "missing_synthetic": panel.missing.synthetic / max(synthetic_rows, 1),
    }


def _shares(counts: Sequence[int]) -> list[float]:
    total = sum(counts)
    return [count / total if total else 0.0 for count in counts]

"""One column in the shareable edition: suppressed counts, rounded summaries, and figures from published counts."""

from __future__ import annotations

from math import floor, log10
from typing import Any

from synthclin.evaluation.disclosure import round_to, shared_count, suppress
from synthclin.report.record.section_data import Cell, Histogram, LevelRow, Missing, Summary, TableOneBlock

__all__ = ["shared_block", "shared_missing", "shared_panel"]

_FEW_CELLS = 5  # with fewer bins, mean and SD would reveal the counts of a nearly categorical number
_DIFFERENCE_STEP = 0.05
_ENOUGH = 44  # observed values, so that at least 11 lie beyond each quartile


def shared_panel(panel: Histogram) -> Histogram:
    """Return a histogram after suppression and rounding to tens, with missing values as one more cell."""
    cells = suppress([*panel.real, panel.missing.real], [*panel.synthetic, panel.missing.synthetic])
    *real, missing = map(shared_count, cells)
    empty = Missing(real=missing, synthetic=panel.missing.synthetic)
    return panel.model_copy(update={"real": real, "missing": empty})


def shared_block(block: TableOneBlock, panel: Histogram) -> TableOneBlock:
    """Return a column of Table 1 computed from its shared panel."""
    suppressed = None in panel.real or panel.missing.real is None
    shared: dict[str, Any] = {"missing": panel.missing, "difference": None}
    if block.kind == "line":
        known = sum(count or 0 for count in panel.real)
        real = None if block.real is None or known < _ENOUGH else _summary(block.real, suppressed, len(panel.real))
        if real is not None and real.mean is not None and block.difference is not None:
            shared["difference"] = round_to(block.difference, _DIFFERENCE_STEP)
        return block.model_copy(update=shared | {"real": real})
    known = 0 if suppressed else sum(count or 0 for count in panel.real)
    synthetic_rows = sum(panel.synthetic)
    shared["levels"] = [
        LevelRow(level=label, real=_cell(a, known, 0), synthetic=_cell(b, synthetic_rows, 1))
        for label, a, b in zip(panel.labels, panel.real, panel.synthetic, strict=True)
    ]
    if not suppressed and block.difference is not None:
        shared["difference"] = round_to(block.difference, _DIFFERENCE_STEP)
    return block.model_copy(update=shared)


def _cell(count: int | None, of: int, digits: int) -> Cell:
    return Cell(n=count, percent=None if count is None or not of else round(100 * count / of, digits))


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


def shared_missing(panel: Histogram) -> float | None:
    """Return the share of missing real cells, computed from published counts; None where one is suppressed.

    Example:
        >>> counts = {"real": [60, 40], "synthetic": [50, 50], "missing": Missing(real=20, synthetic=0)}
        >>> shared_missing(Histogram(column="sex", kind="levels", labels=["F", "M"], **counts))
        0.17
    """
    if panel.missing.real is None or None in panel.real:
        return None
    rows = sum(count or 0 for count in panel.real) + panel.missing.real
    return round(panel.missing.real / max(rows, 1), 2)

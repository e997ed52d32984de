"""The section on synthetic rows alone: their characteristics, and the rows per bin of each column."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthclin.evaluation.labels import column_name, level_name
from synthclin.language import tr
from synthclin.report.pages.figures import DataTable, Figure, Row, Section
from synthclin.report.pages.marginal_figures import bin_names
from synthclin.wording import number, plain, share, significant, unit_name

if TYPE_CHECKING:
    from synthclin.report.record.section_data import Histogram, SectionData, TableOneBlock

__all__ = ["synthetic_section"]


def synthetic_section(data: SectionData) -> Section:
    """Return the characteristics of the synthetic rows, and for each column the rows per bin, folded."""
    total = data.rows.get("synthetic", 0)
    lines = tuple(row for block in data.table_one for row in _rows(block, total))
    figure = Figure(
        title=tr("Characteristics of the synthetic rows"),
        how=tr("They estimate those of the patients, with the noise that the guarantee requires."),
        table=DataTable(
            tr("Table 1. Synthetic rows"),
            (tr("Characteristic"), tr("Synthetic, n\u00a0=\u00a0{n}", n=number(total, 0))),
            lines,
        ),
        note=tr("Percentages are of observed values."),
        data=tuple(_bins(panel) for panel in data.marginals),
    )
    return Section("synthetic", tr("What do the synthetic rows look like?"), tr("Synthetic rows"), figures=(figure,))


def _rows(block: TableOneBlock, total: int) -> list[Row]:
    name, unit = column_name(block.column, 40), f", {unit_name(block.unit)}" if block.unit else ""
    missing = block.missing.synthetic
    last = [Row(tr("missing, n (%)"), (_count(missing, share(missing / max(total, 1), 1)),), level=True)] * bool(
        missing
    )
    if block.kind == "line":
        found = block.synthetic
        quartiles = [] if found is None else [_cell(value) for value in (found.median, found.q1, found.q3)]
        cell = f"{quartiles[0]} ({quartiles[1]}, {quartiles[2]})" if quartiles else "\u2013"
        return [Row(f"{name}, {tr('median (IQR)')}{unit}", (cell,)), *last]
    levels = [
        Row(
            level_name(block.column, row.level, 40),
            (_count(row.synthetic.n or 0, f"{number(row.synthetic.percent or 0.0, 1)}\u00a0%"),),
            level=True,
        )
        for row in block.levels
    ]
    return [Row(f"{name}, n (%)", ("",)), *levels, *last]


def _count(n: int, part: str) -> str:
    return f"{number(n, 0)} ({part})"


def _cell(value: float | str | None) -> str:
    return plain(value[:10], 10) if isinstance(value, str) else significant(value)


def _bins(panel: Histogram) -> DataTable:
    counts = [*panel.synthetic, panel.missing.synthetic]
    rows = (Row(name, (number(n, 0),)) for name, n in zip([*bin_names(panel), tr("missing")], counts, strict=True))
    caption = tr("{column}: rows per bin", column=column_name(panel.column, 60))
    return DataTable(caption, (tr("Bin"), tr("Synthetic")), tuple(rows))

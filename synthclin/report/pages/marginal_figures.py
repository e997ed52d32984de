"""Figures of marginal distributions: one panel per column, real against synthetic."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

from synthclin.evaluation.labels import column_name, level_name
from synthclin.language import tr
from synthclin.report.charts.axes import ticks
from synthclin.report.charts.charts import category_panel, numeric_panel
from synthclin.report.pages.figures import DataTable, Figure, Panel, Row
from synthclin.report.record.section_data import edge_position
from synthclin.wording import count, number, plain, share, significant, unit_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synthclin.evaluation.fidelity.marginals import ColumnAgreement
    from synthclin.report.record.section_data import Histogram

__all__ = ["bin_names", "distance_name", "marginals_figure"]

_FEW_PANELS = 12
_MOST_LEVELS = 8


def marginals_figure(
    panels: Sequence[Histogram],
    columns: Sequence[ColumnAgreement],
    rows: Mapping[str, int],
    distances: tuple[str, DataTable] | None,
) -> Figure | None:
    """Return a panel per column, worst first; panels after the first twelve are folded.

    Arguments:
        panels: histograms on shared bins.
        columns: agreement of each column with the real one.
        rows: numbers of rows of ``train`` and ``synthetic``.
        distances: what the distances of the columns show, and their table.
    """
    if not panels:
        return None
    known = {column.column: column for column in columns}
    rank = {column.column: i for i, column in enumerate(sorted(columns, key=lambda column: column.value))}
    ordered = sorted(panels, key=lambda panel: rank.get(panel.column, len(rank)))
    totals = {key: max(rows.get(key, 0), 1) for key in ("train", "synthetic")}
    built = [_panel(panel, known.get(panel.column), totals, labelled=place == 0) for place, panel in enumerate(ordered)]
    shown, rest = built[:_FEW_PANELS], built[_FEW_PANELS:]
    number_shown = tr("{n} of {all} columns", n=len(shown), all=len(built)) if rest else tr("All columns")
    return Figure(
        title=tr("Each column, real and synthetic") if distances is None else distances[0],
        how=tr(
            "{columns}, worst first. Outline or upper bar: real. Filled area or lower bar: "
            "synthetic. The pair of bars at the right of each panel is the share of missing values; the "
            "full height is 100 %.",
            columns=number_shown,
        ),
        panels=tuple(shown),
        more=tuple(rest),
        note=tr(
            "Bins and categories with fewer than 11 real patients are pooled with their neighbour "
            "before drawing. The first and last bin of a number are open, so no extreme value is shown. "
            "A question mark, a gap or the word suppressed replaces a count that would reveal fewer "
            "than 11 patients. KS distance: the largest gap between two cumulative distributions. Total "
            "variation: half the sum of all absolute differences between shares."
        ),
        data=(*([] if distances is None else [distances[1]]), *(_panel_table(panel) for panel in ordered)),
    )


def distance_name(measure: str) -> str:
    """Return the name of the distance that an agreement of columns is 1 less."""
    names = {"1 - KS": tr("KS distance"), "1 - TVD": tr("total variation")}
    return names.get(measure, plain(measure, 20))


def _panel(panel: Histogram, agreement: ColumnAgreement | None, totals: dict[str, int], *, labelled: bool) -> Panel:
    name = column_name(panel.column, 40)
    missing = (
        None if panel.missing.real is None else panel.missing.real / totals["train"],
        panel.missing.synthetic / totals["synthetic"],
    )
    real = _shares(panel.real, totals["train"] - (panel.missing.real or 0))
    known = totals["synthetic"] - panel.missing.synthetic
    synthetic = [n / max(known, 1) for n in panel.synthetic]
    distance = "" if agreement is None else number(1 - agreement.value)
    measure = "" if agreement is None else distance_name(agreement.measure)
    desc = tr(
        "{measure} {distance}; missing {real} real, {synthetic} synthetic.",
        measure=measure,
        distance=distance,
        real=_share_or_suppressed(missing[0]),
        synthetic=share(missing[1]),
    ).strip()
    unit = unit_name(panel.unit) if panel.unit else "" if panel.kind == "line" else tr("category")
    if panel.kind == "line":
        places, ticks = _axis(panel.edges)
        widths = [right - left for left, right in pairwise(places)]
        picture = numeric_panel(
            name,
            places,
            [None if h is None else h / w for h, w in zip(real, widths, strict=True)],
            [h / w for h, w in zip(synthetic, widths, strict=True)],
            missing,
            ticks,
            desc=desc,
            labelled=labelled,
        )
    else:
        named = [level_name(panel.column, label, 40) for label in panel.labels]
        labels, real, synthetic = _few_levels(panel.labels, named, real, synthetic)
        picture = category_panel(name, labels, real, synthetic, missing, desc=desc, labelled=labelled)
    return Panel(heading=name, unit=unit, label=measure, value=distance, picture=picture)


def _shares(counts: Sequence[int | None], total: int) -> list[float | None]:
    return [None if n is None else n / max(total, 1) for n in counts]


def _share_or_suppressed(value: float | None) -> str:
    return tr("suppressed") if value is None else share(value)


def _few_levels(
    levels: list[str], labels: list[str], real: list[float | None], synthetic: list[float]
) -> tuple[list[str], list[float | None], list[float]]:
    """Return the labels of the most frequent levels, the others pooled for the chart; the data table lists all."""
    if len(labels) <= _MOST_LEVELS:
        return labels, real, synthetic
    # A level that is already pooled stays pooled, whatever its count.
    single = [i for i, level in enumerate(levels) if not level.startswith("other (")]
    frequent = sorted(sorted(single, key=lambda i: -(real[i] or 0.0))[: _MOST_LEVELS - 1])
    pooled = [i for i in range(len(labels)) if i not in frequent]
    hidden = any(real[i] is None for i in pooled)
    rest = None if hidden else math.fsum(real[i] or 0.0 for i in pooled)
    return (
        [*(labels[i] for i in frequent), tr("all others")],
        [*(real[i] for i in frequent), rest],
        [*(synthetic[i] for i in frequent), math.fsum(synthetic[i] for i in pooled)],
    )


def _axis(edges: Sequence[float | str]) -> tuple[list[float], list[tuple[float, str]]]:
    """Return bin edges on an axis from 0 to 1, and its ticks; open bins have the median width of the others."""
    if not edges:
        return [0.0, 1.0], []
    values = [edge_position(edge) for edge in edges]
    gaps = sorted(right - left for left, right in pairwise(values))
    outer = gaps[len(gaps) // 2] if gaps else max(abs(values[0]), 1.0)
    low, high = values[0] - outer, values[-1] + outer
    span = high - low or 1.0
    places = [0.0, *((value - low) / span for value in values), 1.0]
    if isinstance(edges[0], str):
        chosen = [0, len(edges) - 1] if len(edges) > 1 else [0]
        return places, [((values[i] - low) / span, _moment(str(edges[i]))) for i in chosen]
    round_ones = ticks(values[0], values[-1])
    return places, [((x - low) / span, significant(x) if abs(x) < 1e5 else number(x, 0)) for x in round_ones]


def _moment(text: str) -> str:
    return plain(text[:10], 10)


def bin_names(panel: Histogram) -> list[str]:
    """Return the name of each bin or level of a histogram."""
    if panel.kind == "line":
        edges = [plain(edge, 19) if isinstance(edge, str) else significant(edge) for edge in panel.edges]
        names = [tr("all values")] if not edges else [tr("below {edge}", edge=edges[0])]
        names += [tr("{a} to below {b}", a=a, b=b) for a, b in pairwise(edges)]
        names += [tr("{edge} and above", edge=edges[-1])] if edges else []
    else:
        names = [level_name(panel.column, label, 60) for label in panel.labels]
    return names


def _panel_table(panel: Histogram) -> DataTable:
    names = bin_names(panel)
    rows = [Row(n, (count(a), number(b, 0))) for n, a, b in zip(names, panel.real, panel.synthetic, strict=True)]
    rows.append(Row(tr("missing"), (count(panel.missing.real), number(panel.missing.synthetic, 0))))
    return DataTable(
        tr("{column}: rows per bin", column=column_name(panel.column, 60)),
        (tr("Bin"), tr("Real"), tr("Synthetic")),
        tuple(rows),
    )

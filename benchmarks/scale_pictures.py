"""Pictures and tables of `scale.py`, from its lines."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

STAGES = ("read", "fit", "sample", "score", "report")
COLOURS = ("#0b6e99", "#b4513d", "#3f7f3f", "#7a4f9a", "#8a6d1f")
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 640, 300, 62, 44, 34
AXES = {
    "rows": ("rows", "rows of the table, sample of 20,000 patients, 50 columns"),
    "sample": ("sample", "patients of the sample, table of 200,000 rows, 50 columns"),
    "columns": ("columns", "columns, table of 50,000 rows, sample of 20,000 patients"),
}
MIDDLE = 50_000
"""Rows of the table of both curves, that of rows and that of columns."""

Points = list[tuple[float, float]]


def draw(lines: Path, folder: Path) -> None:
    """Write a picture for each curve, and print the tables of `docs/scale.md`."""
    found = [json.loads(line) for line in lines.read_text().splitlines()]
    for curve, (key, label) in AXES.items():
        known = sorted((line for line in found if line["curve"] == curve), key=lambda line: line[key])
        known += [line for line in found if curve == "columns" and line["curve"] == "rows" and line["rows"] == MIDDLE]
        known.sort(key=lambda line: line[key])
        if not known:
            continue
        for measure, unit in (("cpu", "CPU seconds"), ("gigabytes", "memory, GB")):
            series = {s: [(line[key], line["stages"][s][measure]) for line in known] for s in STAGES}
            if measure == "gigabytes":
                series.pop("report")
            picture = plot(series, label, unit, log_x=True, log_y=measure == "cpu")
            (folder / f"scale-{curve}-{measure}.svg").write_text(picture)
        print(f"\n{label}:\n\n| {key} | {' | '.join(f'{s}, CPU s (GB)' for s in STAGES)} |")
        print("|---" * (1 + len(STAGES)) + "|")
        for line in known:
            cells = [f"{line['stages'][s]['cpu']:.1f} ({line['stages'][s]['gigabytes']:.2f})" for s in STAGES]
            print(f"| {line[key]:,} | {' | '.join(cells)} |")
    rates = {n: [x["rows_per_second"] for x in found if x["curve"] == "workers" and x["workers"] == n] for n in (1, 2)}
    if all(rates.values()):
        print("\nrows per second:", {n: (statistics.median(each), min(each), max(each)) for n, each in rates.items()})
    for line in (line for line in found if line["curve"] == "registry"):
        memory = [(s / 60, gigabytes) for s, gigabytes in line["memory"]]
        label = "minutes: 10,000,000 rows x 50 columns, from files to report and shards"
        (folder / "scale-memory.svg").write_text(plot({"all processes": memory}, label, "memory, GB"))
        print("\nregistry:", max(gigabytes for _, gigabytes in memory), "GB at most;", line["stages"])


def plot(series: dict[str, Points], across: str, up: str, *, log_x: bool = False, log_y: bool = False) -> str:
    """Return a picture of curves, on axes that are linear or logarithmic."""
    xs = [x for points in series.values() for x, _ in points]
    ys = [y for points in series.values() for _, y in points]
    x_place, x_ticks = _axis(xs, LEFT, WIDTH - 110, log=log_x)
    y_place, y_ticks = _axis(ys if log_y else [0, *ys], HEIGHT - BOTTOM, TOP, log=log_y)
    parts = [
        f'<line x1="{LEFT}" y1="{y_place(y):.1f}" x2="{WIDTH - 110}" y2="{y_place(y):.1f}" stroke="#ddd"/>'
        f'<text x="{LEFT - 6}" y="{y_place(y) + 4:.1f}" text-anchor="end">{_short(y)}</text>'
        for y in y_ticks
    ]
    parts += [
        f'<text x="{x_place(x):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{_short(x)}</text>'
        for x in x_ticks
    ]
    last = -99.0
    for (name, points), colour in sorted(zip(series.items(), COLOURS, strict=False), key=lambda one: -one[0][1][-1][1]):
        line = " ".join(f"{x_place(x):.1f},{y_place(y):.1f}" for x, y in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.8"/>')
        if len(points) < 30:
            parts += [f'<circle cx="{x_place(x):.1f}" cy="{y_place(y):.1f}" r="3" fill="{colour}"/>' for x, y in points]
        last = max(y_place(points[-1][1]) + 4, last + 14)
        parts.append(f'<text x="{WIDTH - 104}" y="{last:.1f}" fill="{colour}">{escape(name)}</text>')
    parts.append(f'<text x="{LEFT}" y="{TOP - 14}">{escape(up)}</text>')
    middle = (LEFT + WIDTH - 110) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">{escape(across)}</text>')
    style = "text{font:12px system-ui,sans-serif;fill:#333}svg{background:#fff}"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
    title = f"<title>{escape(up)} against {escape(across)}</title>"
    return f"{head}{title}<style>{style}</style>{''.join(parts)}</svg>\n"


def _axis(
    values: Sequence[float], start: float, end: float, *, log: bool
) -> tuple[Callable[[float], float], list[float]]:
    """Return the place of a value on an axis, and its ticks."""
    low, high = min(values), max(values)
    if log:
        low, high = max(low, 1e-3), max(high, 2e-3)
        bottom, top = math.log10(low), math.log10(high)
        ticks = [m * 10.0**k for k in range(-3, 9) for m in (1, 2, 5) if low <= m * 10.0**k <= high * 1.001]
        ticks = [t for t in ticks if len(ticks) < 8 or math.log10(t) % 1 < 1e-9]
    else:
        bottom, top = low, high
        step = 10 ** math.floor(math.log10(max(high - low, 1e-9)))
        step = next(s for s in (step / 5, step / 2, step, 2 * step) if (high - low) / s <= 7)
        ticks = [k * step for k in range(math.ceil(low / step), math.floor(high / step) + 1)]

    def place(value: float) -> float:
        value = math.log10(max(value, 1e-3)) if log else value
        return start + (end - start) * (value - bottom) / max(top - bottom, 1e-9)

    return place, ticks


def _short(value: float) -> str:
    for size, sign in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{sign}"
    return f"{value:g}"

"""Plain data of the report's figures: histograms and the table of patient characteristics."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from synthclin.evaluation.details import plain
from synthclin.evaluation.disclosure import is_small
from synthclin.evaluation.held_cells import HeldCells
from synthclin.evaluation.labels import labels_of
from synthclin.evaluation.visits.courses import visit_facts
from synthclin.evaluation.visits.patient_vectors import first_visits
from synthclin.schema.patients import MIN_PATIENTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.features import Feature

__all__ = ["marginal_panels", "multinomial_difference", "sections", "table_one"]

_BINS = 20
_MOST_LEVELS = 20


def sections(c: Comparison) -> dict[str, Any]:
    """Return the data of the report's figures that belong to no score, as JSON types, keyed by section.

    ``rows``: how many rows each table has. ``marginals``: a panel per column. ``table_one``: a block per column, of
    the first visit where the schema declares visits. ``patients``: how many patients each table has then,
    ``first_visits`` a panel per column of their first visits, and ``visits`` what `visit_facts` returns. ``labels``:
    those of the schema, where it has any. Real counts below 11, and counts of fewer than 11 patients, are merged with a
    neighbour or left out (None).
    """
    labels = labels_of(c.schema)
    people = first_visits(c)
    out = {
        "rows": {
            "train": len(c.train),
            "holdout": 0 if c.holdout is None else len(c.holdout),
            "synthetic": len(c.synthetic),
        },
        "marginals": marginal_panels(c),
        "table_one": table_one(people),
        **({} if people is c else _of_visits(c, people)),
        **({"labels": asdict(labels)} if labels.columns or labels.levels else {}),
    }
    checked: dict[str, Any] = plain(out)
    return checked


def _of_visits(c: Comparison, people: Comparison) -> dict[str, Any]:
    """Return the data of figures of tables of visits; `people` has one row per patient."""
    holdout = 0 if people.holdout is None else len(people.holdout)
    return {
        "patients": {"train": len(people.train), "holdout": holdout, "synthetic": len(people.synthetic)},
        "first_visits": marginal_panels(people),
        "visits": visit_facts(c),
    }


def marginal_panels(c: Comparison) -> list[dict[str, Any]]:
    """Return one histogram per column, with the same cells for both tables.

    A panel of a number or date has ``edges`` between its cells; the first and last cell are open, so no extreme value
    is disclosed. A panel of levels has ``labels``. ``real`` and ``synthetic`` are counts per cell; ``missing`` counts
    missing values. Where the schema declares visits they count visits, and those of fewer than 11 patients are small;
    a static column is counted by patient.
    """
    people = first_visits(c)
    is_static = [people is c or c.schema.columns[name].static for name in c.features.names]
    return [
        _panel(feature, people.train[:, j], people.synthetic[:, j], people.train_patients)
        if static
        else _panel(feature, c.train[:, j], c.synthetic[:, j], c.train_patients)
        for j, (feature, static) in enumerate(zip(c.features.columns, is_static, strict=True))
    ]


def _panel(
    feature: Feature, real: NDArray[np.float64], synthetic: NDArray[np.float64], who: NDArray[np.int64]
) -> dict[str, Any]:
    base = {"column": feature.name, "kind": feature.kind, "unit": feature.column.unit}
    known = ~np.isnan(real)
    tables = {"real": real[known], "synthetic": synthetic[~np.isnan(synthetic)]}
    cells: dict[str, Any]
    if feature.kind == "line":
        edges = _edges(tables["real"])
        places = {key: np.searchsorted(edges, x, "right") for key, x in tables.items()}
        held = HeldCells.of(places["real"], who[known], len(edges) + 1)
        counts = {key: np.bincount(place, minlength=len(edges) + 1) for key, place in places.items()}
        runs = held.merged()
        cells = {"edges": [_edge_label(feature, edges[run.start - 1]) for run in runs[1:]]}
    else:
        levels = len(feature.levels)
        counts = {key: np.bincount(x.astype(int), minlength=levels) for key, x in tables.items()}
        held = HeldCells.of(tables["real"].astype(np.intp), who[known], levels)
        named = _named(feature, counts["real"] + counts["synthetic"])
        held, counts = held.ordered(named), {key: n[named] for key, n in counts.items()}
        order, runs = _level_runs(feature, held)
        held, counts = held.ordered(order), {key: n[order] for key, n in counts.items()}
        labels = [str(feature.levels[named[i]]) for i in order]
        cells = {"labels": [_label(labels[run], feature) for run in runs]}
    summed = {key: [int(n[run].sum()) for run in runs] for key, n in counts.items()}
    few = [is_small(held.holders(run)) for run in runs]
    missing, without = int((~known).sum()), len(np.unique(who[~known]))
    # Secondary suppression: a single suppressed count could be found by subtraction from the number of rows.
    hidden = is_small(without) or any(few)
    smallest = int(np.argmin(np.where(np.array(summed["real"]) > 0, summed["real"], np.inf))) if hidden and runs else -1
    return (
        base
        | cells
        | {
            "real": [None if i == smallest or few[i] else n for i, n in enumerate(summed["real"])],
            "synthetic": summed["synthetic"],
            "missing": {"real": None if hidden and missing else missing, "synthetic": int(np.isnan(synthetic).sum())},
        }
    )


def _named(feature: Feature, rows: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return the places of the levels that may be named: declared ones, and those of a training or synthetic row.

    An undeclared level of holdout rows alone would tell that one of few patients has it.
    """
    declared = set(feature.column.levels or ())
    return np.array([i for i, level in enumerate(feature.levels) if rows[i] or level in declared], dtype=np.intp)


def _edges(seen: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return about twenty round numbers between the 1st and the 99th percentile."""
    if len(seen) < MIN_PATIENTS:
        return np.empty(0)
    low, high = np.quantile(seen, [0.01, 0.99])
    if low == high:
        return np.empty(0)
    raw = (high - low) / _BINS
    power = 10.0 ** np.floor(np.log10(raw))
    step = power * next(m for m in (1, 2, 5, 10) if m * power >= raw * 0.999)
    if np.all(seen == np.round(seen)):
        step = max(step, 1.0)
    edges: NDArray[np.float64] = np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
    return edges.round(12)


def _label(levels: list[str], feature: Feature) -> str:
    if len(levels) == 1:
        return levels[0]
    return f"{levels[0]} to {levels[-1]}" if feature.kind == "ordinal" else f"other ({len(levels)} levels)"


def _edge_label(feature: Feature, edge: float) -> float | str:
    if feature.column.resolution == "D":
        return str(pd.Timestamp(edge, unit="D").date())
    return pd.Timestamp(edge, unit="s").isoformat() if feature.column.resolution == "s" else float(edge)


def _level_runs(feature: Feature, held: HeldCells) -> tuple[NDArray[np.intp], list[slice]]:
    """Return the order of levels and their cells: small ordinal levels join a neighbour, others a last cell."""
    real = held.patients
    if feature.kind == "ordinal":
        return np.arange(len(real)), held.merged()
    order = np.argsort(-real, kind="stable")
    if not len(real):
        return order, []
    separate = int(np.sum(real[order][:_MOST_LEVELS] >= MIN_PATIENTS))
    if separate and is_small(held.ordered(order).holders(slice(separate, None))):
        separate -= 1
    if len(real) - separate <= 1 and not is_small(int(real[order][-1])):
        separate = len(real)
    shown = np.concatenate([np.sort(order[:separate]), order[separate:]])
    runs = [slice(i, i + 1) for i in range(separate)]
    return shown, runs + ([slice(separate, len(real))] if separate < len(real) else [])


def table_one(c: Comparison) -> list[dict[str, Any]]:
    """Return a block per column: mean, SD and quartiles, or counts and percentages per level, with the difference.

    ``difference`` is standardised: of means by the pooled SD, of levels after Yang and Dalton
    (SAS Global Forum 335-2012), missing cells left out.
    """
    blocks = []
    for j, (feature, panel) in enumerate(zip(c.features.columns, marginal_panels(c), strict=True)):
        block = {"column": feature.name, "kind": feature.kind, "unit": feature.column.unit, "missing": panel["missing"]}
        seen = [x[~np.isnan(x)] for x in (c.train[:, j], c.synthetic[:, j])]
        if feature.kind == "line":
            real, synthetic = (_summary(feature, x) for x in seen)
            shown_real = real if len(seen[0]) >= MIN_PATIENTS else dict.fromkeys(real)
            blocks.append(block | {"real": shown_real, "synthetic": synthetic, "difference": _difference(*seen)})
            continue
        # A percentage of the known values would disclose a suppressed count of missing values.
        known = 0 if panel["missing"]["real"] is None else len(seen[0])
        rows = [
            {"level": label, "real": _of(a, known), "synthetic": _of(b, len(seen[1]))}
            for label, a, b in zip(panel["labels"], panel["real"], panel["synthetic"], strict=True)
        ]
        counts = [np.bincount(x.astype(int), minlength=len(feature.levels)) for x in seen]
        blocks.append(block | {"levels": rows, "difference": multinomial_difference(*counts)})
    return blocks


def _of(count: int | None, n: int) -> dict[str, float | None]:
    return {"n": count, "percent": None if count is None or not n else round(100 * count / n, 1)}


def _summary(feature: Feature, seen: NDArray[np.float64]) -> dict[str, Any]:
    if not len(seen):
        return dict.fromkeys(("mean", "sd", "q1", "median", "q3"))
    quartiles = [_edge_label(feature, q) for q in np.quantile(seen, [0.25, 0.5, 0.75])]
    moments = feature.column.is_temporal
    return {
        "mean": None if moments else seen.mean(),
        "sd": None if moments or len(seen) < 2 else seen.std(ddof=1),
        **dict(zip(("q1", "median", "q3"), quartiles, strict=True)),
    }


def _difference(real: NDArray[np.float64], synthetic: NDArray[np.float64]) -> float | None:
    if min(len(real), len(synthetic)) < 2:
        return None
    pooled = np.sqrt((real.var(ddof=1) + synthetic.var(ddof=1)) / 2)
    return round(float((synthetic.mean() - real.mean()) / pooled), 4) if pooled > 0 else None


def multinomial_difference(real: NDArray[np.int64], synthetic: NDArray[np.int64]) -> float | None:
    """Return the standardised difference of two counts of levels (Yang and Dalton), None where there is none."""
    if not real.sum() or not synthetic.sum() or len(real) < 2:
        return None
    p, q = real[1:] / real.sum(), synthetic[1:] / synthetic.sum()
    covariance = (np.diag(p) - np.outer(p, p) + np.diag(q) - np.outer(q, q)) / 2
    return round(float(np.sqrt(max(0.0, (q - p) @ np.linalg.pinv(covariance) @ (q - p)))), 4)

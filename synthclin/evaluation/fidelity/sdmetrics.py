"""The overall scores of SDMetrics' quality and diagnostic reports, computed by SDMetrics itself."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from synthclin.evaluation.answers import reference_reached
from synthclin.evaluation.comparison import subsample
from synthclin.evaluation.details import Details, Finite
from synthclin.evaluation.features import Features
from synthclin.evaluation.fidelity.estimate import fair_size, halved
from synthclin.evaluation.intervals import partition, random_groups
from synthclin.evaluation.kind import Kind
from synthclin.evaluation.score import Interval, Score
from synthclin.language import tr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.features import Feature

__all__ = ["DIAGNOSTIC", "QUALITY", "SDMetricsDetails", "diagnostic", "metadata", "plain_table", "quality"]

_TABLE = "table"
_MOST_ROWS = 10_000
_GROUPS = 5
_FEW_ROWS = 1_000
_MOST_COLUMNS = 25
_FEW_COLUMNS = 15
_ROUNDS = 2
_Figure = Callable[["NDArray[np.float64]", "NDArray[np.float64]"], float]
_Report = Literal["QualityReport", "DiagnosticReport"]


class SDMetricsDetails(Details):
    """Details of a report of SDMetrics."""

    properties: dict[str, Finite]
    """The score of each property, such as ``Column Shapes``."""


QUALITY = Kind(
    name="sdmetrics.quality",
    question="What does the SDMetrics quality report say?",
    better="higher",
    method=(
        "overall score of SDMetrics' QualityReport: mean of column shapes and column pair trends; interval from 5 "
        "pairs of random groups of real and synthetic rows (sdmetrics.dev; random groups: Wolter 2007, chapter 2)"
    ),
    section="fidelity",
    label="SDMetrics quality",
    unit="overall score",
    ideal=1.0,
    details=SDMetricsDetails,
    action="See the columns and pairs below.",
    answer=reference_reached,
)
DIAGNOSTIC = Kind(
    name="sdmetrics.diagnostic",
    question="What does the SDMetrics diagnostic report say?",
    better="higher",
    method=(
        "overall score of SDMetrics' DiagnosticReport: mean of data validity (declared ranges and categories, else "
        "those of the training rows) and data structure; interval as that of sdmetrics.quality (sdmetrics.dev)"
    ),
    section="fidelity",
    label="SDMetrics diagnostic",
    unit="overall score",
    ideal=1.0,
    details=SDMetricsDetails,
    action="Cells are outside of ranges or categories.",
    answer=reference_reached,
)


def quality(c: Comparison) -> Score:
    """Score SDMetrics' QualityReport: column shapes and column pair trends."""
    note = tr("SDMetrics leaves out pairs whose real correlation is 0.5 or less, or whose V is 0.3 or less.")
    return _scored(c, QUALITY, "QualityReport", note)


def diagnostic(c: Comparison) -> Score:
    """Score SDMetrics' DiagnosticReport: data validity and data structure."""
    return _scored(c, DIAGNOSTIC, "DiagnosticReport", "")


def _scored(c: Comparison, kind: Kind[SDMetricsDetails], report: _Report, note: str) -> Score:
    def some(rows: NDArray[np.float64], stream: str, most: int = _MOST_ROWS) -> NDArray[np.float64]:
        return subsample(rows, most, c.rng(kind.name, stream))

    # SDMetrics compares each pair of columns, some hundred pairs a second.
    columns = np.arange(len(c.features))
    if len(columns) > _FEW_COLUMNS:
        columns = c.rng(kind.name, "columns").permutation(columns)[:_MOST_COLUMNS]
    train, synthetic = some(c.train, "train"), some(c.synthetic, "synthetic")
    value, properties = _generate(report, c.features, columns, train, synthetic)
    if np.isnan(value):
        return kind.unassessable(tr("SDMetrics could not compute it on these rows."), n=len(synthetic))
    few = columns[:_FEW_COLUMNS]

    def figure(real: NDArray[np.float64], other: NDArray[np.float64]) -> float:
        return _generate(report, c.features, few, real, other)[0]

    baseline, reference = _references(c, kind.name, figure)
    rng = c.rng(kind.name, "groups")
    return kind.score(
        value,
        _interval(figure, value, train, synthetic, rng),
        n=len(synthetic),
        baseline=np.clip(value + baseline, 0, 1),
        reference=np.clip(value + reference, 0, 1),
        notes=[
            note,
            tr("A random {rows} rows were used.", rows=len(synthetic)) if len(synthetic) < len(c.synthetic) else "",
            tr("A random {used} of {columns} columns were used.", used=len(columns), columns=len(c.features))
            if len(columns) < len(c.features)
            else "",
            tr(
                "Baseline and reference are the score plus the difference of shuffled or holdout rows from synthetic "
                "ones."
            ),
        ],
        details=SDMetricsDetails(properties=properties),
    )


def _references(c: Comparison, stream: str, figure: _Figure) -> tuple[float, float]:
    """Return the mean differences of shuffled and of other real rows from equally many synthetic rows."""
    n = fair_size(c, _FEW_ROWS)
    gaps = []
    for r in range(_ROUNDS):
        rng = c.rng(stream, "round", r)
        half, rest = halved(c, n, rng)
        independent = rng.permuted(rest, axis=0) if len(rest) else subsample(c.shuffled, n, rng)
        own, baseline = (figure(half, rows) for rows in (subsample(c.synthetic, n, rng), independent))
        gaps.append((baseline - own, figure(half, rest) - own if len(rest) else np.nan))
    baseline, reference = np.mean(gaps, axis=0)
    return float(baseline), float(reference)


def _interval(
    figure: _Figure,
    value: float,
    real: NDArray[np.float64],
    synthetic: NDArray[np.float64],
    rng: np.random.Generator,
) -> Interval:
    """Return a random-groups interval from pairs of real and synthetic groups.

    Groups have at most 1,000 rows, because SDMetrics is slow.
    """
    splits = [
        [subsample(rows[part], _FEW_ROWS, rng) for part in partition(len(rows), _GROUPS, rng)]
        for rows in (real, synthetic)
    ]
    pairs = [(one, other) for one, other in zip(*splits, strict=False) if min(len(one), len(other)) > 1]
    scores = [figure(one, other) for one, other in pairs]
    known = np.array([score for score in scores if not np.isnan(score)])
    if len(known) < 2:
        return Interval(0.0, 1.0)
    # Subsampled groups have a larger variance than whole ones.
    kept = sum(1 / sum(map(len, kind)) for kind in splits)
    shrink = np.sqrt((1 / len(real) + 1 / len(synthetic)) / kept)
    return random_groups(value, (value + shrink * (known - known.mean())).tolist())


def _generate(
    report: _Report,
    features: Features,
    columns: NDArray[np.intp],
    real: NDArray[np.float64],
    synthetic: NDArray[np.float64],
) -> tuple[float, dict[str, Any]]:
    """Return the overall score of some columns and that of each property; NaN where SDMetrics gives none."""
    from sdmetrics import reports  # noqa: PLC0415 (imports plotly, which takes seconds)

    generated = getattr(reports, report)()
    chosen = Features(tuple(features.columns[j] for j in columns))
    with warnings.catch_warnings():
        # SDMetrics scores constant columns and empty sets of pairs NaN, warns, and leaves them out of its means.
        warnings.simplefilter("ignore")
        generated.generate(
            {_TABLE: plain_table(chosen, real[:, columns])},
            {_TABLE: plain_table(chosen, synthetic[:, columns])},
            metadata(chosen),
            verbose=False,
        )
        properties = generated.get_properties()
        scores = dict(zip(properties["Property"], properties["Score"].astype(float), strict=True))
    return float(generated.get_score()), {name: score for name, score in scores.items() if not np.isnan(score)}


def metadata(features: Features) -> dict[str, Any]:
    """Return SDMetrics' metadata of the evaluated columns, with the declared ranges and categories."""
    return {"tables": {_TABLE: {"columns": {feature.name: _column(feature) for feature in features.columns}}}}


def _column(feature: Feature) -> dict[str, Any]:
    entry: dict[str, Any] = {"range_is_nullable": feature.column.may_be_missing}
    if feature.kind == "line":
        bounds = feature.column.bounds
        if bounds is not None:
            entry |= {"range_min": bounds[0], "range_max": bounds[1]}
        return entry | {"sdtype": "datetime" if _moment(feature) else "numerical"}
    declared = feature.column.levels
    if declared is not None:
        entry["range_values"] = [str(level) for level in declared]
    return entry | {"sdtype": "categorical"}


def plain_table(features: Features, values: NDArray[np.float64]) -> pd.DataFrame:
    """Return rows as SDMetrics reads them: floats, datetimes and text, NaN where missing."""
    return pd.DataFrame({f.name: _plain(f, column) for f, column in zip(features.columns, values.T, strict=True)})


def _plain(feature: Feature, column: NDArray[np.float64]) -> pd.Series[Any]:
    if _moment(feature):
        unit = "datetime64[D]" if feature.column.resolution == "D" else "datetime64[s]"
        moments = np.full(len(column), np.datetime64("NaT", "ns"))
        known = ~np.isnan(column)
        moments[known] = column[known].astype(np.int64).astype(unit)
        return pd.Series(moments)
    if feature.kind == "line":
        return pd.Series(column)
    labels = np.array([*map(str, feature.levels), np.nan], dtype=object)
    return pd.Series(labels[np.where(np.isnan(column), len(feature.levels), column).astype(int)], dtype=object)


def _moment(feature: Feature) -> bool:
    return feature.column.is_temporal

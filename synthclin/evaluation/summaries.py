"""Summaries of a patient's visits: their names in data, and as text of the report."""

from __future__ import annotations

from typing import Literal

from synthclin.evaluation.labels import column_name
from synthclin.language import tr

__all__ = ["Summary", "feature_text", "summary_name"]

Summary = Literal[
    "count",
    "last",
    "mean",
    "sd",
    "slope",
    "min",
    "max",
    "lag",
    "changes",
    "missing",
    "gap mean",
    "gap sd",
    "gap min",
    "gap max",
    "follow-up",
]
"""What a feature of a patient says of the visits, beside static columns and values of the first visit."""

_NAMES: dict[Summary, str] = {
    "count": "number of visits",
    "last": "last {column}",
    "mean": "mean of {column}",
    "sd": "standard deviation of {column}",
    "slope": "slope of {column}",
    "min": "smallest {column}",
    "max": "largest {column}",
    "lag": "lag 1 product of {column}",
    "changes": "changes of {column}",
    "missing": "missing share of {column}",
    "gap mean": "mean gap between visits",
    "gap sd": "standard deviation of gaps",
    "gap min": "smallest gap between visits",
    "gap max": "largest gap between visits",
    "follow-up": "{column} after the last visit",
}


def summary_name(summary: Summary, column: str) -> str:
    """Return the name of a summary in data, in English.

    Example:
        >>> summary_name("mean", "sbp"), summary_name("gap min", "")
        ('mean of sbp', 'smallest gap between visits')
    """
    return _NAMES[summary].replace("{column}", column)


def feature_text(column: str, summary: Summary | None, most: int) -> str:
    """Return a column, or a summary of it, as text in the language of the report.

    Arguments:
        column: the column; empty where the summary is of the times of visits.
        summary: the summary; None for the column itself.
        most: room for the column in characters.

    Example:
        >>> feature_text("sbp", "slope", 30), feature_text("sbp", None, 30)
        ('slope of sbp', 'sbp')
    """
    shown = column_name(column, most)
    texts: dict[Summary, str] = {
        "count": tr("number of visits"),
        "last": tr("last {column}", column=shown),
        "mean": tr("mean of {column}", column=shown),
        "sd": tr("standard deviation of {column}", column=shown),
        "slope": tr("slope of {column}", column=shown),
        "min": tr("smallest {column}", column=shown),
        "max": tr("largest {column}", column=shown),
        "lag": tr("lag 1 product of {column}", column=shown),
        "changes": tr("changes of {column}", column=shown),
        "missing": tr("missing share of {column}", column=shown),
        "gap mean": tr("mean gap between visits"),
        "gap sd": tr("standard deviation of gaps"),
        "gap min": tr("smallest gap between visits"),
        "gap max": tr("largest gap between visits"),
        "follow-up": tr("{column} after the last visit", column=shown),
    }
    return shown if summary is None else texts[summary]

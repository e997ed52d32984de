"""The labels of reports around their rendering: pages have them in the place of the names of columns and levels."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from synthclin.evaluation.labels import Labels, showing_labels
from synthclin.language import speaking, tr
from synthclin.report.pages.figures import DataTable, Figure, Row
from synthclin.wording import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from synthclin.report.findings import Findings

__all__ = ["labels_in", "names_figure", "showing_labels_of"]


def labels_in(report: Findings) -> Labels:
    """Return the labels in the record of a report; none where it has none."""
    return TypeAdapter(Labels).validate_python(report.sections.get("labels", {}))


@contextmanager
def showing_labels_of(*reports: Findings) -> Iterator[None]:
    """Return a context in which pages have the language of the reports, and the labels that all of them agree on.

    Reports in several languages are shown together in English.

    Example:
        >>> from synthclin.evaluation.labels import column_name
        >>> from synthclin.report.findings import Findings
        >>> with showing_labels_of(Findings((), (), {"labels": {"columns": {"hr": "Heart rate"}}}, {})):
        ...     column_name("hr", 30)
        'Heart rate'
    """
    found = [labels_in(report) for report in reports]
    levels = {name for labels in found for name in labels.levels}
    languages = {report.language for report in reports}
    labels = Labels(
        _agreed([labels.columns for labels in found]),
        {name: _agreed([labels.levels.get(name, {}) for labels in found]) for name in sorted(levels)},
    )
    with speaking(languages.pop() if len(languages) == 1 else "en"), showing_labels(labels):
        yield


def _agreed(mappings: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return the entries that no two mappings contradict."""
    every = {key: {labels[key] for labels in mappings if key in labels} for labels in mappings for key in labels}
    return {key: min(values) for key, values in every.items() if len(values) == 1}


def names_figure(report: Findings) -> Figure | None:
    """Return the table of labels with the names and the levels that the files have; None without labels."""
    labels = labels_in(report)
    names = list(dict.fromkeys((*labels.columns, *labels.levels)))
    if not names:
        return None
    rows = tuple(
        Row(
            plain(labels.columns.get(name, name), 120),
            (plain(name, 120), plain(_levels(labels.levels.get(name, {})), 900)),
        )
        for name in names
    )
    return Figure(
        title=tr("Labels and names of columns"),
        how=tr("The pages show the labels of the schema. The files have the names and the levels."),
        table=DataTable(
            tr("Labels and names of columns"),
            (tr("Label"), tr("Name"), tr("Levels")),
            rows,
            words=2,
            form="wordy",
        ),
    )


def _levels(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{level} = {label}" for level, label in labels.items()) or "\u2013"

"""Labels of the schema on every page of a report, escaped, in both editions, and nowhere else."""

from __future__ import annotations

import dataclasses
import re
from html import unescape
from typing import Any

import pytest

from synthclin.errors import ConfigError
from synthclin.report import Report
from synthclin.report.compare import NamedReport, compare, index
from synthclin.report.datacard import croissant, data_card
from synthclin.report.pages.marginal_figures import _few_levels
from synthclin.report.pages.names import names_figure
from synthclin.report.record.release import TableFile
from synthclin.report.summary import summary
from synthclin.schema import Schema
from tests.report.study import study
from tests.report.test_html import Page

LABELS = {
    "columns": {"c1x": "Systolic pressure", "c2x": "Sex", "died": "Death within a year"},
    "levels": {"c2x": {"F": "female", "M": "male", "X": "unknown sex"}},
}
RAW = re.compile(r"\b(c1x|c2x|died)\b")
HOSTILE = ["<script>alert(1)</script>", '" onload="x', "|[a](http://b)|", "{{ 7 * 7777 }}", "a\u202eb\x00", "]]><!--"]


def labelled(labels: dict[str, Any] | None = None) -> Report:
    report = study("c1x", "c2x")
    return dataclasses.replace(report, sections=report.sections | {"labels": LABELS if labels is None else labels})


def titles(html: str) -> list[str]:
    """Return the texts of the headings, captions and titles of pictures of a page."""
    return [
        unescape(re.sub("<[^>]+>", "", text))
        for _, text in re.findall(r"(?s)<(h[1-4]|caption|title)\b[^>]*>(.*?)</\1>", html)
    ]


@pytest.mark.parametrize("edition", ["internal", "shareable"])
def test_pages_have_labels_and_titles_have_no_names(edition: str) -> None:
    report = labelled() if edition == "internal" else labelled().shareable()
    assert report.edition == edition
    html = report.to_html()
    found = titles(html)
    assert not [title for title in found if RAW.search(title)]
    assert not [title for title in found if re.search(r"\bSex: [FMX]\b|\b[FM] against", title)]
    text = Page(html).text
    for label in ("Systolic pressure", "Sex: female", "Prediction of Death within a year", "unknown sex"):
        assert label in text
    assert "Sex: female against male" in text
    assert "Systolic pressure (per SD)" in text
    for door in (summary(report), report._repr_html_()):
        assert not RAW.search(door)


def test_the_names_stand_beside_the_labels_once() -> None:
    figure = names_figure(labelled())
    assert figure is not None
    assert figure.table is not None
    assert [(row.name, *row.cells) for row in figure.table.rows] == [
        ("Systolic pressure", "c1x", "\u2013"),
        ("Sex", "c2x", "F = female, M = male, X = unknown sex"),
        ("Death within a year", "died", "\u2013"),
    ]
    assert names_figure(study()) is None


def test_the_record_keeps_names_and_labels() -> None:
    report = labelled()
    report.to_html()
    assert [score.name for score in report.scores] == [score.name for score in study("c1x", "c2x").scores]
    assert "utility.died" in " ".join(report.verdict)
    shared = Report.from_dict(report.shareable().to_dict())
    assert shared.sections["labels"] == LABELS
    assert "labels" not in study().shareable().sections
    assert study("c1x", "c2x").to_html() == study("c1x", "c2x").to_html()


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_labels_are_escaped(hostile: str) -> None:
    evil = {"columns": {"c1x": hostile, "c2x": f"{hostile} 2"}, "levels": {"c2x": {"F": hostile, "M": f"{hostile} 3"}}}
    report, usual = labelled(evil), Page(labelled().to_html())
    for html in (report.to_html(), report.shareable().to_html()):
        page = Page(html)
        assert {tag for tag, _ in page.elements} == {tag for tag, _ in usual.elements}
        assert not [key for _, words in page.elements for key in words if key.startswith("on") or key == "src"]
        assert not set(html) & {"\x00", "\u202e"}
        assert "54439" not in page.text
    for html in (report._repr_html_(), compare([NamedReport("a", report), NamedReport("b", report)])):
        page = Page(html)
        assert not [tag for tag, _ in page.elements if tag in {"script", "a"} and "http" in str(page.all(tag))]
        assert not [key for _, words in page.elements for key in words if key.startswith("on")]
    assert not re.search(r"(?<!\\)<script|(?<!\\)\|\[|(?<!\\)\]\(http", summary(report))


def test_hostile_labels_of_a_schema_are_escaped_in_the_data_card() -> None:
    words = {"type": "category", "categories": ["F", "M"], "label": "<b>|x", "labels": {"F": "[a](http://b)"}}
    schema = Schema.model_validate({"columns": {"c2x": words}})
    file = TableFile(name="t.csv", sha256="0" * 64, rows=3)
    card = data_card(labelled(), schema, file)
    assert "\\<b\\>\\|x (F = \\[a\\](http://b))" in card
    assert not RAW.search(card.partition("## Results")[2])
    assert croissant(labelled(), schema, file)["recordSet"][0]["field"][0]["alternateName"] == "<b>|x"


def test_reports_side_by_side_show_the_labels_they_agree_on() -> None:
    other = labelled({"columns": {"died": "Death within a year", "c2x": "Gender"}})
    text = Page(compare([NamedReport("a", labelled()), NamedReport("b", other)])).text
    assert "Prediction of Death within a year" in text
    assert "Column agreement, c2x" in text or "c2x" in text
    assert "Gender" not in text
    assert "Prediction of Death within a year" in Page(index([NamedReport("a", labelled())])).text


@pytest.mark.parametrize("labels", [{"columns": {"a": 3}}, {"levels": {"a": {"b": None}}}, {"columns": []}, "x"])
def test_labels_of_the_wrong_type_are_refused(labels: Any) -> None:
    document = study().to_dict()
    document["sections"] = document["sections"] | {"labels": labels}
    with pytest.raises(ConfigError, match="labels"):
        Report.from_dict(document)


def test_a_label_like_that_of_pooled_levels_is_not_pooled() -> None:
    levels = [str(level) for level in range(9)]
    shown = ["other (2)", *levels[1:]]
    labels, real, _ = _few_levels(levels, shown, [0.5, *[0.05] * 8], [0.1] * 9)
    assert labels[0] == "other (2)"
    assert real[0] == 0.5
    assert labels[-1] == "all others"

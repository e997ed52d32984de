"""Summary, data card and Croissant metadata: content and escaping."""

from __future__ import annotations

import json

import pytest

from synthclin.io.documents import dump_json
from synthclin.report.datacard import TableFile, croissant, data_card
from synthclin.report.summary import summary
from synthclin.schema import Schema
from tests.report.conftest import example
from tests.report.study import study

SCHEMA = Schema.model_validate(
    {
        "columns": {
            "sbp": {"type": "integer", "unit": "mm[Hg]", "description": "systolic | blood <b>pressure</b>"},
            "sex": {
                "type": "category",
                "categories": ["F", "M"],
                "label": "Sex | <i>",
                "labels": {"F": "female", "M": "<b>"},
            },
            "seen": {"type": "date", "missing": "allowed"},
        }
    }
)
TABLE_FILE = TableFile("synthetic.parquet", "ab" * 32, 400)


@pytest.mark.parametrize("report", [example(), study(), study().shareable(), example(scores=(), verdicts=())])
def test_summary_is_one_page_with_every_question(report) -> None:
    text = summary(report)
    assert len(text.splitlines()) <= 60
    assert text.count("| ") > 5
    assert f"**{report.edition.capitalize()} edition.**" in text
    for word in ("anonymous", "compliant", "guaranteed"):
        assert word not in text.lower()


def test_markup_in_names_is_escaped() -> None:
    text = summary(example(provenance={"name": "<script>|[x](http://y)"}))
    assert "\\<script\\>\\|\\[x\\](http://y)" in text


def test_data_card_lists_columns_limits_and_excluded_uses() -> None:
    card = data_card(study(), SCHEMA, TABLE_FILE)
    assert "| sbp | integer | mmHg | no | systolic \\| blood \\<b\\>pressure\\</b\\> |" in card
    assert "| sex | category |  | no | Sex \\| \\<i\\> (F = female, M = \\<b\\>) |" in card
    assert "| seen | date |  | yes |  |" in card
    assert TABLE_FILE.sha256 in card
    assert "## Not for" in card
    assert "may still be personal data" in card


def test_croissant_describes_file_and_columns() -> None:
    document = croissant(study(), SCHEMA, TABLE_FILE)
    assert json.loads(dump_json(document)) == document
    (file,) = document["distribution"]
    assert (file["sha256"], file["encodingFormat"]) == (TABLE_FILE.sha256, "application/vnd.apache.parquet")
    fields = document["recordSet"][0]["field"]
    assert fields[1]["alternateName"] == "Sex | <i>"
    assert fields[1]["description"] == "Sex | <i> (F = female, M = <b>)"
    assert "alternateName" not in fields[0]
    assert [field["dataType"] for field in fields] == ["sc:Integer", "sc:Text", "sc:Date"]
    assert all(field["source"]["fileObject"]["@id"] == file["@id"] for field in fields)
    assert document["conformsTo"][0] == "http://mlcommons.org/croissant/1.0"


def test_data_card_and_croissant_use_the_shareable_edition() -> None:
    report = study(provenance={"name": "toy", "path": "/home/canary", "rows": {"train": 400}})
    assert "canary" not in data_card(report, SCHEMA, TABLE_FILE) + dump_json(croissant(report, SCHEMA, TABLE_FILE))

"""Summary, data card and Croissant metadata: content and escaping."""

from __future__ import annotations

import dataclasses
import json

import pandas as pd
import pytest

from synthclin.io.documents import dump_json
from synthclin.report import Report
from synthclin.report.datacard import croissant, data_card
from synthclin.report.record.release import Release, TableFile
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
TABLE_FILE = TableFile(name="synthetic.parquet", sha256="ab" * 32, rows=400)


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
    assert (file["sha256"], file["encodingFormat"]) == (TABLE_FILE.sha256, "application/x-parquet")
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


RELEASE = Release(
    use="Teaching",
    licence="CC-BY-4.0",
    contact="data@example.org",
    retention="one year",
    source="A clinic",
    date="2026-11-28",
    valid_until="2027-06-30",
)


def released() -> Report:
    return dataclasses.replace(study(), release=RELEASE)


def test_croissant_has_what_is_declared() -> None:
    document = croissant(released(), SCHEMA, TABLE_FILE)
    assert (document["license"], document["datePublished"], document["expires"]) == (
        "CC-BY-4.0",
        "2026-11-28",
        "2027-06-30",
    )
    name = f"synthetic.parquet, SHA-256 {TABLE_FILE.sha256}."
    assert document["citeAs"] == f"toy, synthetic table made by synthclin (2026). {name}"
    assert document["rai:dataUseCases"][0] == "May be used for: Teaching"
    assert "May not be used for: Any use after 2027-06-30." in document["rai:dataUseCases"]
    assert not [text for text in document["rai:dataLimitations"] if "used for" in text]
    assert document["rai:dataReleaseMaintenancePlan"] == "Retention: one year"


def test_croissant_invents_nothing_that_is_not_declared() -> None:
    document = croissant(study(), SCHEMA, TABLE_FILE)
    assert not {"license", "datePublished", "creator", "expires", "conditionsOfAccess"} & set(document)
    assert document["rai:dataUseCases"][0] == "May be used for: not declared"
    assert None not in document.values()


def test_croissant_identifiers_are_unique_slugs() -> None:
    names = ["Age (years)", "age_years", "\u00e9", "\u00e8", "age-years-2"]
    schema = Schema.model_validate({"columns": {name: {"type": "number"} for name in names}})
    fields = croissant(study(), schema, TABLE_FILE)["recordSet"][0]["field"]
    ids = [field["@id"] for field in fields]
    assert ids == ["rows/age-years", "rows/age-years-2", "rows/column", "rows/column-2", "rows/age-years-2-2"]
    assert [field["name"] for field in fields] == names
    assert "sha256" not in croissant(study(), schema, TABLE_FILE)["@context"]


def test_data_card_has_the_release() -> None:
    card = data_card(released(), SCHEMA, TABLE_FILE)
    assert "| Licence | CC-BY-4.0 |" in card
    assert "| Recipient | not declared |" in card
    assert "- Any use after 2027-06-30." in card


@pytest.mark.parametrize("report", [study(), released()], ids=["undeclared", "declared"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_mlcroissant_reads_metadata_and_rows(report, tmp_path, monkeypatch, caplog) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    monkeypatch.chdir(tmp_path)
    table = pd.DataFrame({"sbp": [120, 140], "sex": ["F", "M"], "seen": pd.to_datetime(["2020-01-02", None])})
    table.to_parquet("synthetic.parquet")
    document = croissant(report, SCHEMA, TableFile.of("synthetic.parquet", 2))
    (tmp_path / "croissant.json").write_text(dump_json(document), "utf-8")
    found = mlcroissant.Dataset(jsonld="croissant.json")
    assert not found.metadata.ctx.issues.errors
    assert "@context" not in caplog.text
    rows = list(found.records("rows"))
    assert [row["rows/sbp"] for row in rows] == [120, 140]
    assert found.metadata.distribution[0].sha256 == document["distribution"][0]["sha256"]


def test_data_card_and_metadata_are_in_the_language_of_the_report() -> None:
    report = dataclasses.replace(example(), language="es")
    card = data_card(report, SCHEMA, TABLE_FILE)
    assert "ficha de datos" in card.splitlines()[0]
    for spanish, english in (("## Columnas", "## Columns"), ("Ninguna fila es un paciente", "No row is a patient")):
        assert spanish in card
        assert english not in card
    assert not {" PASS ", " REVIEW ", " FAIL "} & set(card.split("|"))
    metadata = croissant(report, SCHEMA, TABLE_FILE)
    assert metadata["@context"]["@language"] == "es"
    assert metadata["description"].startswith("Filas sint\u00e9ticas")
    assert all(text.startswith(("Puede usarse", "No puede usarse")) for text in metadata["rai:dataUseCases"])

"""Dataset documentation: a data card in Markdown and Croissant metadata, both from the shareable edition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synthclin.report.editions.shareable import shareable
from synthclin.report.pages.context_section import NOT_FOR
from synthclin.report.pages.decision import decision
from synthclin.report.pages.names import showing_labels_of
from synthclin.report.summary import escaped, markdown_table
from synthclin.schema.split_columns import sources
from synthclin.wording import number, plain, unit_name

if TYPE_CHECKING:
    from synthclin.report.findings import Findings
    from synthclin.schema import Schema
    from synthclin.schema.columns import AnyColumn

__all__ = ["TableFile", "croissant", "data_card"]

_FORMATS = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}
_TYPES = {
    "number": "sc:Float",
    "duration": "sc:Float",
    "integer": "sc:Integer",
    "boolean": "sc:Boolean",
    "date": "sc:Date",
    "datetime": "sc:DateTime",
    "time": "sc:Time",
}
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "column": "cr:column",
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "recordSet": "cr:recordSet",
    "sha256": "cr:sha256",
    "source": "cr:source",
}
_PERSONAL = (
    "The rows are sampled from a model of real patients and may still be personal data. The validation report lists "
    "the attacks that were run; passing them is evidence against these attacks alone."
)


@dataclass(frozen=True, slots=True)
class TableFile:
    """The file of a synthetic table: name, SHA-256 and number of rows."""

    name: str
    sha256: str
    rows: int

    @property
    def media_type(self) -> str:
        """The media type by the suffix of the name."""
        return _FORMATS.get(self.name.rpartition(".")[2], "application/octet-stream")


def data_card(report: Findings, schema: Schema, file: TableFile) -> str:
    """Return a data card in Markdown: provenance, columns, results, limits and excluded uses.

    Arguments:
        report: of the table; the card shows its shareable edition.
        schema: what the columns mean.
        file: of the synthetic table.
    """
    edition = shareable(report)
    with showing_labels_of(edition):
        page = decision(edition)
    facts = edition.provenance
    made = facts.get("versions", {})
    about = [
        ("File", f"{file.name}, {number(file.rows, 0)} rows, {len(schema.columns)} columns"),
        ("SHA-256", file.sha256),
        (
            "Made by",
            f"synthclin {made.get('synthclin', '')}, seed {facts.get('seed', 'not stated')}".replace(" ,", ","),
        ),
        (
            "Made from",
            f"{number(facts.get('rows', {}).get('train'), 0)} training rows; a synthetic row may equal one by chance",
        ),
        ("Intended use", str(facts.get("intended_use") or "not declared")),
        ("Recipient", str(facts.get("recipient") or "not declared")),
        ("Differential privacy", str(facts.get("dp") or "none stated")),
        ("Licence", "not declared; ask the custodian"),
    ]
    columns = [
        (
            plain(name, 60),
            column.type,
            _unit(column),
            "yes" if column.may_be_missing else "no",
            column.meaning,
        )
        for name, column in schema.columns.items()
    ]
    rows = [(row.question, row.status, row.value, row.interval or "\u2013") for row in page.rows]
    parts = [
        f"# {escaped(page.title)}: data card",
        "**Synthetic rows. No row is a patient.** " + _PERSONAL,
        markdown_table(("", ""), about),
        "## Columns",
        markdown_table(("Column", "Type", "Unit", "May be missing", "Meaning"), columns),
        "## Results",
        escaped(page.sentence.striptags()),
        markdown_table(("Question", "Status", "Result", "95 % interval"), rows),
        "## Limits",
        "\n".join(f"- {escaped(f'{limit.headline} {limit.text}')}" for limit in page.limits),
        "## Not for",
        "\n".join(f"- {text}" for text in NOT_FOR),
    ]
    return "\n\n".join(parts) + "\n"


def _unit(column: AnyColumn) -> str:
    return unit_name(column.unit) if column.unit else ""


def croissant(report: Findings, schema: Schema, file: TableFile) -> dict[str, Any]:
    """Return metadata of the table in Croissant 1.0 (mlcommons.org/croissant) with fields of responsible AI.

    Arguments:
        report: of the table; the metadata show its shareable edition.
        schema: what the columns mean.
        file: of the synthetic table.
    """
    edition = shareable(report)
    with showing_labels_of(edition):
        page = decision(edition)
    parts = {part for pair in sources(schema.columns).values() for part in pair}  # a file has their column instead
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"rows/{name}",
            "name": name,
            "description": column.meaning or f"{column.type} column",
            **({"alternateName": column.label} if column.label else {}),
            "dataType": _TYPES.get(column.type, "sc:Text"),
            "source": {"fileObject": {"@id": file.name}, "extract": {"column": name}},
        }
        for name, column in schema.columns.items()
        if name not in parts
    ]
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": str(edition.provenance.get("name") or "synthetic table"),
        "description": f"Synthetic rows, sampled from a model of real patients. {page.sentence.striptags()}",
        "version": "1.0.0",
        "isAccessibleForFree": False,
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": file.name,
                "name": file.name,
                "contentUrl": file.name,
                "encodingFormat": file.media_type,
                "sha256": file.sha256,
            }
        ],
        "recordSet": [{"@type": "cr:RecordSet", "@id": "rows", "name": "rows", "field": fields}],
        "rai:dataCollection": "Sampled from a model trained on rows of real patients; see the validation report.",
        "rai:dataUseCases": str(edition.provenance.get("intended_use") or "not declared"),
        "rai:dataLimitations": [f"{limit.headline} {limit.text}" for limit in page.limits] + list(NOT_FOR),
        "rai:dataBiases": [f"{fact.name}: {fact.value}; {fact.note}" for fact in page.facts],
        "rai:personalSensitiveInformation": _PERSONAL,
    }

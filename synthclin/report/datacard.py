"""Dataset documentation: a data card in Markdown and Croissant metadata, both from the shareable edition."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from synthclin.language import language, tr
from synthclin.report.pages.decision import decision
from synthclin.report.pages.names import showing_labels_of
from synthclin.report.pages.release_box import may_not, not_declared, release_items
from synthclin.report.pages.words import status_name
from synthclin.report.shareable_edition import shareable_edition
from synthclin.report.summary import escaped, markdown_table
from synthclin.schema.split_columns import sources
from synthclin.tables.shard_index import SHARDS
from synthclin.wording import number, plain, unit_name

if TYPE_CHECKING:
    from synthclin.report.findings import Findings
    from synthclin.report.record.release import Release, TableFile
    from synthclin.schema import Schema
    from synthclin.schema.columns import AnyColumn

__all__ = ["croissant", "data_card"]

_WEAKEST = {"column", "subgroup"}  # key facts on whom the table suits worst
_FORMATS = {
    "csv": "text/csv",
    "dta": "application/x-stata-dta",
    "gz": "application/gzip",
    "json": "application/json",
    "parquet": "application/x-parquet",
    "sav": "application/x-spss-sav",
    "xpt": "application/x-sas-transport",
}
_TYPES = {
    "number": "sc:Float",
    "duration": "sc:Float",
    "integer": "sc:Integer",
    "boolean": "sc:Boolean",
    "date": "sc:Date",
    "datetime": "sc:DateTime",
    "time": "sc:Time",
}
# That of the specification and of mlcroissant, which compares it, with the vocabulary of responsible AI.
_CONTEXT = {
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def data_card(report: Findings, schema: Schema, file: TableFile) -> str:
    """Return a data card in Markdown: provenance, columns, results, limits and excluded uses.

    Arguments:
        report: of the table; the card shows its shareable edition.
        schema: what the columns mean.
        file: of the synthetic table.
    """
    edition = shareable_edition(replace(report, table=file))
    with showing_labels_of(edition):
        return _card(edition, schema)


def _origin(edition: Findings) -> str:
    """Return from how many rows the table was made; of a model with differential privacy the declared or noisy one."""
    if (guarantee := edition.guarantee) is not None:
        return tr("about {n} patients; a synthetic row may equal one by chance", n=number(guarantee.patients, 0))
    train = edition.provenance.get("rows", {}).get("train")
    return tr("{n} training rows; a synthetic row may equal one by chance", n=number(train, 0))


def _card(edition: Findings, schema: Schema) -> str:
    page, facts = decision(edition), edition.provenance
    made = facts.get("versions", {})
    about = [
        *((item.name, item.text) for item in release_items(edition)),
        (tr("Columns"), number(len(schema.columns), 0)),
        (
            tr("Made by"),
            tr(
                "synthclin {version}, seed {seed}",
                version=made.get("synthclin", ""),
                seed=facts.get("seed", tr("not stated")),
            ).replace(" ,", ","),
        ),
        (tr("Made from"), _origin(edition)),
        (tr("Differential privacy"), str(facts.get("dp") or tr("none stated"))),
    ]
    columns = [
        (
            plain(name, 60),
            column.type,
            _unit(column),
            tr("yes") if column.may_be_missing else tr("no"),
            column.meaning,
        )
        for name, column in schema.columns.items()
    ]
    rows = [(row.question, status_name(row.status), row.value, row.interval or "\u2013") for row in page.rows]
    parts = [
        "# " + tr("{title}: data card", title=escaped(page.title)),
        f"**{tr('Synthetic rows. No row is a patient.')}** {_personal(edition)}",
        markdown_table(("", ""), about),
        "## " + tr("Columns"),
        markdown_table((tr("Column"), tr("Type"), tr("Unit"), tr("May be missing"), tr("Meaning")), columns),
        "## " + tr("Results"),
        escaped(page.sentence.striptags()),
        markdown_table((tr("Question"), tr("Status"), tr("Result"), tr("95 % interval")), rows),
        "## " + tr("Limits"),
        "\n".join(f"- {escaped(f'{limit.headline} {limit.text}')}" for limit in page.limits),
        "## " + tr("Not for"),
        "\n".join(f"- {text}" for text in may_not(edition)),
    ]
    return "\n\n".join(parts) + "\n"


def _personal(edition: Findings) -> str:
    if edition.guarantee is not None:
        return tr(
            "The rows are sampled from a model of real patients with differential privacy, which bounds what they "
            "disclose about each patient. The validation report states the bound."
        )
    return tr(
        "The rows are sampled from a model of real patients and may still be personal data. The validation report "
        "lists the attacks that were run; passing them is evidence against these attacks alone."
    )


def _unit(column: AnyColumn) -> str:
    return unit_name(column.unit) if column.unit else ""


def croissant(report: Findings, schema: Schema, file: TableFile) -> dict[str, Any]:
    """Return metadata of the table in Croissant 1.0 (mlcommons.org/croissant) with fields of responsible AI.

    They hold names, types and figures of the shareable edition, and no value of a patient. What is not declared is left
    out.

    Arguments:
        report: of the table; the metadata show its shareable edition.
        schema: what the columns mean.
        file: of the synthetic table.
    """
    edition = shareable_edition(report)
    with showing_labels_of(edition):
        return _metadata(edition, schema, file)


def _metadata(edition: Findings, schema: Schema, file: TableFile) -> dict[str, Any]:
    page = decision(edition)
    name = str(edition.provenance.get("name") or tr("synthetic table"))
    release = edition.release
    facts = {fact.key: f"{fact.name}: {fact.value}; {fact.note}" for fact in page.facts}
    weakest = [text for key, text in facts.items() if key in _WEAKEST]
    document = {
        "@context": _CONTEXT | {"@language": language()},
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": name,
        "description": tr(
            "Synthetic rows, sampled from a model of real patients. {verdict}",
            verdict=page.sentence.striptags(),
        ),
        "version": "1.0.0",
        "license": release.licence,
        "creator": {"@type": "sc:Organization", "name": release.contact} if release.contact else None,
        "datePublished": release.declared("date"),
        "expires": release.declared("valid_until"),
        "conditionsOfAccess": release.access,
        "citeAs": _citation(name, release, file),
        "isAccessibleForFree": False,
        "distribution": _distribution(file),
        "recordSet": [{"@type": "cr:RecordSet", "@id": "rows", "name": "rows", "field": _fields(schema, file)}],
        "rai:dataCollection": tr("Sampled from a model trained on rows of real patients; see the validation report.")
        + (tr(" Source: {source}", source=release.source) if release.source else ""),
        "rai:dataUseCases": [tr("May be used for: {use}", use=release.use or not_declared())]
        + [tr("May not be used for: {text}", text=text) for text in may_not(edition)],
        "rai:dataLimitations": [
            *(f"{limit.headline} {limit.text}" for limit in page.limits),
            *(text for key, text in facts.items() if key not in _WEAKEST),
        ],
        "rai:dataBiases": weakest or None,
        "rai:personalSensitiveInformation": _personal(edition),
        "rai:dataReleaseMaintenancePlan": tr("Retention: {retention}", retention=release.retention)
        if release.retention
        else None,
    }
    return {key: value for key, value in document.items() if value is not None}


def _distribution(file: TableFile) -> list[dict[str, Any]]:
    """Return the file of the table, or the list of its shards and the set of them."""
    own = {
        "@type": "cr:FileObject",
        "@id": "shards" if file.in_shards else "table",
        "name": file.name,
        "contentUrl": file.name,
        "encodingFormat": _FORMATS.get(file.name.rpartition(".")[2], "application/octet-stream"),
        "sha256": file.sha256,
    }
    if not file.in_shards:
        return [own]
    shards = f"{file.name.rpartition('/')[0]}/{SHARDS}"
    kind = {"@type": "cr:FileSet", "@id": "table", "name": shards, "includes": shards}
    return [own, kind | {"encodingFormat": _FORMATS["parquet"]}]


def _fields(schema: Schema, file: TableFile) -> list[dict[str, Any]]:
    """Return the fields of the record set: one for each column of the file."""
    parts = {part for pair in sources(schema.columns).values() for part in pair}  # a file has their column instead
    names = [name for name in schema.columns if name not in parts]
    return [
        {
            "@type": "cr:Field",
            "@id": f"rows/{slug}",
            "name": name,
            "description": schema.columns[name].meaning or tr("{type} column", type=schema.columns[name].type),
            **({"alternateName": label} if (label := schema.columns[name].label) else {}),
            "dataType": _TYPES.get(schema.columns[name].type, "sc:Text"),
            "source": {
                "fileSet" if file.in_shards else "fileObject": {"@id": "table"},
                "extract": {"column": name},
            },
        }
        for name, slug in zip(names, _slugs(names), strict=True)
    ]


def _slugs(names: list[str]) -> list[str]:
    """Return an identifier for each name: lower-case letters, digits and hyphens, each of them once.

    Example:
        >>> _slugs(["Age (years)", "age_years", "\u00e9"])
        ['age-years', 'age-years-2', 'column']
    """
    found: list[str] = []
    for name in names:
        slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "column"
        number_, free = 1, slug
        while free in found:
            number_ += 1
            free = f"{slug}-{number_}"
        found.append(free)
    return found


def _citation(name: str, release: Release, file: TableFile) -> str:
    """Return how to cite the table: name, year where it is dated, and the file by its hash."""
    year = f" ({release.date.year})" if release.date else ""
    return tr(
        "{name}, synthetic table made by synthclin{year}. {file}, SHA-256 {sha256}.",
        name=name,
        year=year,
        file=file.name,
        sha256=file.sha256,
    )

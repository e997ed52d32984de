"""Commands on schemas: begin a study, infer a schema, check a table against one, print JSON Schemas of documents."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from synthclin import log
from synthclin.cli.error_boundary import DONE, WRONG_USE
from synthclin.cli.options import (
    AsJson,
    Declared,
    Overwrite,
    ReadOptions,
    Sample,
    TableFile,
    with_read_options,
)
from synthclin.cli.output import show_survey, survey_record
from synthclin.cli.shared_steps import first_checks, place_for, warn_of_formulas, write_page
from synthclin.cli.terminal import STDOUT, show_json, show_text, warn

if TYPE_CHECKING:
    from synthclin.inference import Inferred

Document = Literal["report", "study", "schema", "log"]

# Imports inside commands: `synthclin --help` does not load torch.
# ruff: noqa: PLC0415

__all__ = ["init", "schema_check", "schema_infer", "schema_json"]


@with_read_options
def init(
    data: TableFile,
    notation: ReadOptions,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Folder of the two files; by default this one.")
    ] = Path(),
    declare: Declared = [],  # noqa: B006 - typer reads it, nobody writes it
    effort: Annotated[
        Literal["quick", "standard", "thorough"] | None,
        typer.Option(help="Effort of training that the study asks for."),
    ] = None,
    sample: Sample = None,
    overwrite: Overwrite = False,
) -> int:
    """Write a first schema and study for a table.

    The schema shows the evidence for each entry, and proposes roles as comments.
    """
    first_checks(tables=[data])
    place_for(output, overwrite, folder=True)
    from synthclin.inference import declared_columns
    from synthclin.study.starting import start

    done = start(
        data,
        output,
        declared=declared_columns(declare),
        notation=notation.declared,
        effort=effort,
        sample=sample,
        overwrite=overwrite,
    )
    _show_doubts(done.inferred)
    _show_inactive(done.inferred)
    show_text(f"written to {done.schema} and {done.study}; check each entry of the schema, then:")
    show_text(f"synthclin run {done.study}")
    return DONE


@with_read_options
def schema_infer(
    data: TableFile,
    notation: ReadOptions,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="PATH", help="Write the schema to this YAML file; without it, to stdout."
        ),
    ] = None,
    declare: Declared = [],  # noqa: B006 - typer reads it, nobody writes it
    sample: Sample = None,
    overwrite: Overwrite = False,
) -> int:
    """Infer a schema from a table.

    Each entry shows its evidence.
    """
    first_checks(tables=[data])
    place_for(output, overwrite)
    from synthclin.inference import declared_columns, infer, to_commented_yaml
    from synthclin.tables import read_some

    inferred = infer(table := read_some(data, sample, **notation.declared), declared_columns(declare))
    warn_of_formulas(table, inferred.schema)
    _show_doubts(inferred)
    if write_page(to_commented_yaml(inferred), output or Path(STDOUT), overwrite):
        _show_inactive(inferred)
        show_text(f"written to {output}; check each entry before you use it")
    return DONE


def _show_doubts(inferred: Inferred) -> None:
    """Warn of columns that are left out, and of patients with several rows."""
    for name in inferred.left_out:
        what, *more = inferred.evidence[name]
        log.emit(log.Warned(f"column '{name}'", what, " ".join(f"{line}." for line in more)))
    if inferred.untold is not None:
        warn(inferred.untold)


def _show_inactive(inferred: Inferred) -> None:
    """Say how many proposed rules are comments."""
    if count := inferred.inactive:
        noun = "1 proposed rule" if count == 1 else f"{count} proposed rules"
        show_text(f"written after a `#`, so that synthetic rows may break them: {noun}; remove the `#` of true ones")


@with_read_options
def schema_check(
    data: TableFile,
    schema: Annotated[Path, typer.Argument(metavar="SCHEMA", help="A YAML schema.")],
    notation: ReadOptions,
    as_json: AsJson = False,
) -> int:
    """Check a table against a schema.

    Columns and rules are listed with counts and row numbers, never values. The exit code is 2 if the table is invalid.
    """
    first_checks(schema=schema, tables=[data])
    from synthclin.rules.survey import survey
    from synthclin.schema import Schema
    from synthclin.tables import read_table

    meaning = Schema.read(schema)
    seen = survey(table := read_table(data, meaning, partial=True, **notation.declared), meaning)
    warn_of_formulas(table, meaning)
    if as_json:
        show_json(survey_record(seen))
    else:
        show_survey(seen)
    return DONE if seen.valid else WRONG_USE


def schema_json(
    document: Annotated[Document, typer.Argument(metavar="report|study|schema|log", help="The kind of document.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="PATH", help="Write it to this file; without it, to stdout."),
    ] = None,
    overwrite: Overwrite = False,
) -> int:
    """Print the JSON Schema of a report.json, a study, a schema or a log line.

    It is made from the types of this version, so that it is never out of date.
    """
    place_for(output, overwrite)
    from synthclin.io.documents import dump_json

    if write_page(dump_json(_json_schema(document)), output or Path(STDOUT), overwrite):
        show_text(f"written to {output}")
    return DONE


def _json_schema(document: Document) -> dict[str, Any]:
    """Return the JSON Schema of a kind of document; only what it needs is loaded."""
    if document == "log":
        return log.line_schema()
    if document == "report":
        from synthclin.report.record.json_schema import json_schema

        return json_schema()
    from synthclin.study.config.study_json_schema import schema_json_schema, study_json_schema

    return study_json_schema() if document == "study" else schema_json_schema()

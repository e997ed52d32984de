"""Commands on schemas: begin a study, infer a schema from a table, check a table against one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from synthclin.cli.conduct import ReadOptions, first_checks, place_for, warn_of_formulas, write_page
from synthclin.cli.error_boundary import DONE, WRONG_USE
from synthclin.cli.options import (
    AsJson,
    DateFormat,
    Decimal,
    Declared,
    Encoding,
    Overwrite,
    Separator,
    Sheet,
    TableFile,
)
from synthclin.cli.output import show_survey, survey_record
from synthclin.cli.terminal import STDOUT, show_json, show_text, warn

# Imports inside commands: `synthclin --help` does not load torch.
# ruff: noqa: PLC0415

__all__ = ["init", "schema_check", "schema_infer"]


def init(
    data: TableFile,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Folder of the two files; by default this one.")
    ] = Path(),
    declare: Declared = [],  # noqa: B006 - typer reads it, nobody writes it
    separator: Separator = None,
    decimal: Decimal = None,
    encoding: Encoding = None,
    date_format: DateFormat = [],  # noqa: B006
    sheet: Sheet = None,
    overwrite: Overwrite = False,
) -> int:
    """Write a first schema and study for a table.

    The schema shows the evidence for each entry, and proposes roles as comments.
    """
    notation = ReadOptions(separator, decimal, encoding, date_format or None, sheet)
    first_checks(tables=[data])
    place_for(output, overwrite, folder=True)
    from synthclin.inference import declared_columns
    from synthclin.study.starting import start

    done = start(data, output, declared=declared_columns(declare), notation=notation._asdict(), overwrite=overwrite)
    for name in done.inferred.left_out:
        warn(f"column '{name}': {'. '.join(done.inferred.evidence[name])}.")
    show_text(f"written to {done.schema} and {done.study}; check each entry of the schema, then:")
    show_text(f"synthclin run {done.study}")
    return DONE


def schema_infer(
    data: TableFile,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="PATH", help="Write the schema to this YAML file; without it, to stdout."
        ),
    ] = None,
    declare: Declared = [],  # noqa: B006 - typer reads it, nobody writes it
    separator: Separator = None,
    decimal: Decimal = None,
    encoding: Encoding = None,
    date_format: DateFormat = [],  # noqa: B006
    sheet: Sheet = None,
    overwrite: Overwrite = False,
) -> int:
    """Infer a schema from a table.

    Each entry shows its evidence.
    """
    notation = ReadOptions(separator, decimal, encoding, date_format or None, sheet)
    first_checks(tables=[data])
    place_for(output, overwrite)
    from synthclin.inference import declared_columns, infer, to_commented_yaml
    from synthclin.tables import read_table

    inferred = infer(table := read_table(data, **notation._asdict()), declared_columns(declare))
    warn_of_formulas(table, inferred.schema)
    for name in inferred.left_out:
        warn(f"column '{name}': {'. '.join(inferred.evidence[name])}.")
    if write_page(to_commented_yaml(inferred), output or Path(STDOUT), overwrite):
        show_text(f"written to {output}; check each entry before you use it")
    return DONE


def schema_check(
    data: TableFile,
    schema: Annotated[Path, typer.Argument(metavar="SCHEMA", help="A YAML schema.")],
    separator: Separator = None,
    decimal: Decimal = None,
    encoding: Encoding = None,
    date_format: DateFormat = [],  # noqa: B006
    sheet: Sheet = None,
    as_json: AsJson = False,
) -> int:
    """Check a table against a schema.

    Columns and rules are listed with counts and row numbers, never values. The exit code is 2 if the table is invalid.
    """
    notation = ReadOptions(separator, decimal, encoding, date_format or None, sheet)
    first_checks(schema=schema, tables=[data])
    from synthclin.rules.survey import survey
    from synthclin.schema import Schema
    from synthclin.tables import read_table

    meaning = Schema.read(schema)
    seen = survey(table := read_table(data, meaning, partial=True, **notation._asdict()), meaning)
    warn_of_formulas(table, meaning)
    if as_json:
        show_json(survey_record(seen))
    else:
        show_survey(seen)
    return DONE if seen.valid else WRONG_USE

"""Commands on schemas: infer one from a table, check a table against one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from synthclin.cli.conduct import warn_of_formulas
from synthclin.cli.error_boundary import DONE, WRONG_USE
from synthclin.cli.options import AsJson, Declared, Overwrite, TableFile
from synthclin.cli.output import show_survey, survey_record
from synthclin.cli.terminal import show_json, show_text, warn
from synthclin.io.files import refuse_taken

# Imports inside commands: `synthclin --help` does not load torch.
# ruff: noqa: PLC0415

__all__ = ["schema_check", "schema_infer"]


def schema_infer(
    data: TableFile,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="PATH", help="Write the schema to this YAML file; without it, to stdout."
        ),
    ] = None,
    declare: Declared = [],  # noqa: B006 - typer reads it, nobody writes it
    overwrite: Overwrite = False,
) -> int:
    """Infer a schema from a table.

    Each entry shows its evidence.
    """
    from synthclin.inference import declared_columns, infer, to_commented_yaml
    from synthclin.io.files import write_atomic
    from synthclin.tables import read_table

    if output is not None:
        refuse_taken(output, overwrite)
    inferred = infer(table := read_table(data), declared_columns(declare))
    warn_of_formulas(table, inferred.schema)
    for name in inferred.left_out:
        warn(f"column '{name}': {'. '.join(inferred.evidence[name])}.")
    text = to_commented_yaml(inferred)
    if output is None:
        sys.stdout.write(text)
    else:
        write_atomic(output, text, overwrite=overwrite)
        show_text(f"written to {output}; check each entry before you use it")
    return DONE


def schema_check(
    data: TableFile,
    schema: Annotated[Path, typer.Argument(metavar="SCHEMA", help="A YAML schema.")],
    as_json: AsJson = False,
) -> int:
    """Check a table against a schema.

    Columns and rules are listed with counts and row numbers, never values. The exit code is 2 if the table is invalid.
    """
    from synthclin.rules.survey import survey
    from synthclin.schema import Schema
    from synthclin.tables import read_table

    meaning = Schema.read(schema)
    seen = survey(table := read_table(data, meaning, partial=True), meaning)
    warn_of_formulas(table, meaning)
    if as_json:
        show_json(survey_record(seen))
    else:
        show_survey(seen)
    return DONE if seen.valid else WRONG_USE

"""Commands on model folders: sample rows, impute missing cells."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from synthclin.cli.error_boundary import DONE
from synthclin.cli.options import (
    AsJson,
    Escape,
    IdStart,
    ModelFolder,
    Overwrite,
    Quiet,
    ReadOptions,
    Seed,
    TableFile,
    TableOutput,
    with_read_options,
)
from synthclin.cli.output import show_sample_facts, warn_of_interpolation
from synthclin.cli.shared_steps import first_checks, silenced, table_place_for, write_sample
from synthclin.cli.terminal import STDOUT, show_json, show_text
from synthclin.errors import ConfigError

# Imports inside commands: `synthclin --help` does not load torch.
# ruff: noqa: PLC0415

__all__ = ["impute", "sample"]


def sample(
    model: ModelFolder,
    output: TableOutput,
    rows: Annotated[int, typer.Option("--rows", "-n", min=0, help="Number of rows.")],
    where: Annotated[
        str | None,
        typer.Option(
            help="A condition that every row satisfies; texts and dates stand in 'quotes', odd names in `backquotes`."
        ),
    ] = None,
    mix: Annotated[
        list[str],
        typer.Option(metavar="COLUMN={LEVEL: SHARE}", help="Shares of the levels of a column; may be repeated."),
    ] = [],  # noqa: B006
    seed: Seed = None,
    id_start: IdStart = None,
    escape: Escape = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    overwrite: Overwrite = False,
) -> int:
    """Sample rows from a model into a file.

    They go into a file, whose ending is its format, or into a new table of a database; `-` writes CSV to stdout.
    """
    first_checks(folders=[model])
    table_place_for(output, overwrite)
    if as_json and output == STDOUT:
        raise ConfigError("--json", "rows and JSON cannot both go to stdout", "Leave one of them out.")
    from synthclin.io.documents import validate
    from synthclin.models import load
    from synthclin.sampling.cohorts import Cohort
    from synthclin.study.config import parse_value

    shares: dict[str, object] = {}
    for text in mix:
        column, _, levels = (part.strip() for part in text.partition("="))
        shares[column] = given = parse_value(levels, f"--mix {column}")
        if not isinstance(given, dict) or None in given.values():
            what, remedy = (
                "has no share for each level",
                f'Write --mix "{column}={{F: 0.5, M: 0.5}}", with its own levels.',
            )
            raise ConfigError(f"--mix {column}", what, remedy)
    wanted = {"name": "sample", "rows": max(rows, 1), "where": where, "mix": shares or None}
    cohort = validate(Cohort, wanted, "sample")
    with silenced(quiet):
        synthesizer = load(model)
        table = synthesizer.sample(rows, where=cohort.where, mix=cohort.mix, random_state=seed, id_start=id_start)
    if not quiet:
        warn_of_interpolation(synthesizer.sample_facts_)
    write_sample(table, output, synthesizer.schema, escape=escape, quiet=quiet)
    if as_json:
        show_json({"output": str(output), **asdict(synthesizer.sample_facts_)})
    else:
        if not quiet and (where is not None or mix):
            show_sample_facts(synthesizer.sample_facts_)
        if output != STDOUT:
            show_text(f"{len(table):,} rows written to {output}")
    return DONE


@with_read_options
def impute(
    model: ModelFolder,
    data: TableFile,
    output: TableOutput,
    notation: ReadOptions,
    imputations: Annotated[
        int | None,
        typer.Option(
            min=1, help="Number of completed copies, stacked; the columns `.imp` and `.id` identify copy and row."
        ),
    ] = None,
    columns: Annotated[
        list[str], typer.Option("--column", metavar="COLUMN", help="Impute this column only; may be repeated.")
    ] = [],  # noqa: B006
    seed: Seed = None,
    escape: Escape = False,
    quiet: Quiet = False,
    overwrite: Overwrite = False,
) -> int:
    """Impute the missing cells of a table.

    They are sampled from the model, given the observed cells of each row.
    """
    first_checks(tables=[data], folders=[model])
    table_place_for(output, overwrite)
    from synthclin.models import load
    from synthclin.sampling.imputation import stacked
    from synthclin.tables import read_table

    with silenced(quiet):
        synthesizer = load(model)
        tables = synthesizer.impute(
            read_table(data, synthesizer.schema, partial=True, **notation.declared),
            imputations or 1,
            columns=columns or None,
            random_state=seed,
        )
    table = tables[0] if imputations is None else stacked(tables)
    write_sample(table, output, synthesizer.schema, escape=escape, quiet=quiet)
    if str(output) != STDOUT:
        show_text(f"{len(table):,} rows written to {output}")
    return DONE

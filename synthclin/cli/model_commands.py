"""Commands on model folders: sample rows, impute missing cells."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from synthclin.cli.error_boundary import DONE
from synthclin.cli.options import (
    AsJson,
    Engine,
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
from synthclin.cli.shared_steps import first_checks, place_for, silenced, table_place_for, write_sample
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
    shard_rows: Annotated[
        int | None,
        typer.Option(min=1, help="Write a folder of Parquet files of so many rows each, for tables of any size."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that sample shards; by default one per processor.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the shards of an interrupted call.")] = False,
    escape: Escape = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    overwrite: Overwrite = False,
    engine: Engine = None,
) -> int:
    """Sample rows from a model into a file.

    They go into a file, whose ending is its format, or into a new table of a database; `-` writes CSV to stdout. With
    --shard-rows they go into a folder of Parquet files, in bounded memory.
    """
    first_checks(folders=[model])
    if shard_rows is None:
        table_place_for(output, overwrite)
    else:
        _refuse_file(output)
        place_for(Path(output), overwrite, folder=True)
    if shard_rows is None and (resume or workers is not None or engine is not None):
        name = "--resume" if resume else "--workers" if workers is not None else "--engine"
        raise ConfigError(name, "only shards are sampled in parts", "Add --shard-rows, such as --shard-rows 200000.")
    if as_json and output == STDOUT:
        raise ConfigError("--json", "rows and JSON cannot both go to stdout", "Leave one of them out.")
    from synthclin.io.documents import validate
    from synthclin.models import load
    from synthclin.models.shards import sample_shards
    from synthclin.parallel import engine as running
    from synthclin.sampling.cohorts import Cohort

    wanted = {"name": "sample", "rows": max(rows, 1), "where": where, "mix": _shares(mix) or None}
    cohort = validate(Cohort, wanted, "sample")
    conditions: dict[str, Any] = {"where": cohort.where, "mix": cohort.mix, "random_state": seed, "id_start": id_start}
    with silenced(quiet), running(engine, workers):
        synthesizer = load(model)
        if shard_rows is None:
            table = synthesizer.sample(rows, **conditions)
            written, facts = len(table), synthesizer.sample_facts_
        else:
            done = sample_shards(
                synthesizer,
                rows,
                output,
                shard_rows=shard_rows,
                workers=workers,
                resume=resume,
                overwrite=overwrite,
                **conditions,
            )
            written, facts = done.rows, done.facts
    if not quiet:
        warn_of_interpolation(facts)
    if shard_rows is None:
        write_sample(table, output, synthesizer.schema, escape=escape, quiet=quiet)
    if as_json:
        show_json({"output": str(output), **asdict(facts)})
    else:
        if not quiet and (where is not None or mix):
            show_sample_facts(facts)
        if str(output) != STDOUT:
            show_text(f"{written:,} rows written to {output}")
    return DONE


def _refuse_file(output: str) -> None:
    """Refuse a file or database in the place of the folder of shards."""
    from synthclin.tables import is_database, refuse_address
    from synthclin.tables.table_files import stem_of

    refuse_address(output, "--output")
    if is_database(output) or stem_of(output) is not None:
        remedy = "Name a folder, or leave out --shard-rows."
        raise ConfigError(f"--output {output}", "shards are Parquet files in a folder", remedy)


def _shares(mix: list[str]) -> dict[str, object]:
    """Return by column the shares of levels that `--mix` gives."""
    from synthclin.study.config import parse_value

    shares: dict[str, object] = {}
    for text in mix:
        column, _, levels = (part.strip() for part in text.partition("="))
        shares[column] = given = parse_value(levels, f"--mix {column}")
        if not isinstance(given, dict) or None in given.values():
            what = "has no share for each level"
            remedy = f'Write --mix "{column}={{F: 0.5, M: 0.5}}", with its own levels.'
            raise ConfigError(f"--mix {column}", what, remedy)
    return shares


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

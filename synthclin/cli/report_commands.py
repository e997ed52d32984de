"""Commands on reports: evaluate a table, render a report, compare runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from synthclin.cli.error_boundary import DONE
from synthclin.cli.options import AsJson, Edition, Engine, Output, Overwrite, Quiet, ReadOptions, with_read_options
from synthclin.cli.output import exit_code, show_verdict, verdict_record
from synthclin.cli.shared_steps import first_checks, place_for, silenced, write_page
from synthclin.cli.terminal import STDOUT, show_json, show_text, write_out
from synthclin.errors import ConfigError
from synthclin.language import Language

# Imports inside commands: `synthclin --help` does not load torch.
# ruff: noqa: PLC0415

__all__ = ["compare", "evaluate", "render"]


@with_read_options
def evaluate(
    synthetic: Annotated[
        list[str],  # a path would lose slashes of a database
        typer.Argument(
            metavar="SYNTHETIC...",
            help="A synthetic table, or several replicates of one model; a file, or duckdb:///ward.db?table=NAME, or "
            "env:DATABASE_URL?table=NAME.",
        ),
    ],
    train: Annotated[
        str, typer.Option(metavar="TABLE", help="The training rows: a file, or a database with ?table= or ?query=.")
    ],
    schema: Annotated[Path, typer.Option(metavar="YAML", help="The schema of the tables.")],
    notation: ReadOptions,
    holdout: Annotated[
        str | None, typer.Option(metavar="TABLE", help="Holdout rows: real rows outside the training table.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="YAML", help="A file with the blocks `evaluation`, `gates` and `release`.")
    ] = None,
    gates: Annotated[
        list[str] | None, typer.Option(metavar="GATE", help="A limit on a score; may be repeated.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="Write the report to this .json, .html or .md file; `-` is JSON on stdout.",
        ),
    ] = None,
    language: Annotated[Language | None, typer.Option(help="Language of the report.")] = None,
    synthetic_notation: Annotated[
        Literal["same", "standard"],
        typer.Option(help="`standard`: the options on notation are of the real tables alone, not of SYNTHETIC."),
    ] = "same",
    as_json: AsJson = False,
    quiet: Quiet = False,
    overwrite: Overwrite = False,
    engine: Engine = None,
) -> int:
    """Score synthetic tables of any origin.

    Several tables are replicates of one model, the released one first. Of a table in shards about as many rows are
    scored as there are training rows. The exit code is 3 if a gate is missed.
    """
    first_checks(schema=schema, tables=[*synthetic, train, holdout, config])
    place_for(output, overwrite)
    if as_json and str(output) == STDOUT:
        raise ConfigError("--json", "the report and its summary cannot both go to stdout", "Leave one of them out.")
    from synthclin import report as reports
    from synthclin.evaluation.disclosure import scored_patients
    from synthclin.parallel import engine as running
    from synthclin.schema import Schema
    from synthclin.schema.patients import sampled_units
    from synthclin.study.config import load_judging
    from synthclin.tables import is_database, notations, read_table
    from synthclin.tables.shard_index import first_rows, is_sharded

    meaning = Schema.read(schema)
    study = load_judging(config, meaning, gates or ())
    real = [train] if holdout is None else [train, holdout]
    read = notations(notation.declared, real if synthetic_notation == "standard" else [*real, *synthetic])
    with silenced(quiet), running(engine):
        rows = read_table(train, meaning, **read[train])
        count = scored_patients(sampled_units(rows, meaning))
        report = reports.evaluate(
            [
                first_rows(path, count, meaning, judged=True)
                if is_sharded(path := Path(each))
                else read_table(each, meaning, judged=True, **read.get(each, {}))
                for each in synthetic
            ],
            train=rows,
            holdout=None if holdout is None else read_table(holdout, meaning, **read[holdout]),
            schema=meaning,
            tasks=study.evaluation.utility,
            by=study.evaluation.by,
            gates=study.gates,
            release=study.release,
            file=None if is_database(synthetic[0]) else synthetic[0],
            language=study.evaluation.language if language is None else language,
        )
    if str(output) == STDOUT:
        write_out(report.to_json())
        return exit_code(report)
    if output is not None:
        report.save(output)
    show_json(verdict_record(report)) if as_json else show_verdict(report)
    return exit_code(report)


def render(
    source: Annotated[Path, typer.Argument(metavar="REPORT.json", help="A report as JSON.")],
    output: Output,
    edition: Annotated[
        Edition | None, typer.Option(help="Edition of the page.", show_default="that of the file")
    ] = None,
    overwrite: Overwrite = False,
) -> int:
    """Render a report.json again, without data.

    With `--edition shareable` its shareable edition is written; a shareable report stays one.
    """
    first_checks(tables=[source])
    place_for(output, overwrite)
    from synthclin.report import Report

    read = Report.read(source)
    if edition == "internal" and read.edition == "shareable":
        what = "this is the shareable edition, which does not hold the figures of the internal one"
        raise ConfigError(str(source), what, "Give the report.json of the run.")
    report = read.shareable() if edition == "shareable" else read
    if str(output) == STDOUT:
        write_out(report.to_html())
        return DONE
    report.save(output)
    show_text(f"written to {output}")
    return DONE


def compare(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Run folders or report.json files; or a folder of runs.")
    ],
    output: Output,
    overwrite: Overwrite = False,
) -> int:
    """Compare runs side by side on one page.

    More than six runs, or a folder of runs, give an index, worst first.
    """
    first_checks(tables=runs)
    place_for(output, overwrite)
    from synthclin.study.reports import compare as compare_runs
    from synthclin.study.reports import find_reports

    if write_page(compare_runs(*runs), output, overwrite):
        show_text(f"{len(find_reports(runs))} runs written to {output}")
    return DONE

"""Commands on reports: evaluate a table, render a report, compare runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from synthclin.cli.conduct import manners
from synthclin.cli.error_boundary import DONE
from synthclin.cli.options import AsJson, Edition, Output, Overwrite, Quiet
from synthclin.cli.output import exit_code, show_verdict, verdict_record
from synthclin.cli.terminal import show_json, show_text
from synthclin.io.files import refuse_taken

# Imports inside commands: `synthclin --help` does not load torch.
# ruff: noqa: PLC0415

__all__ = ["compare", "evaluate", "render"]


def evaluate(
    synthetic: Annotated[
        list[Path],
        typer.Argument(metavar="SYNTHETIC...", help="A synthetic table, or several replicates of one model."),
    ],
    train: Annotated[Path, typer.Option(metavar="TABLE", help="The training rows.")],
    schema: Annotated[Path, typer.Option(metavar="YAML", help="The schema of the tables.")],
    holdout: Annotated[
        Path | None, typer.Option(metavar="TABLE", help="Holdout rows: real rows outside the training table.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="YAML", help="A file with the blocks `evaluation` and `gates`.")
    ] = None,
    gates: Annotated[
        list[str] | None, typer.Option(metavar="GATE", help="A limit on a score; may be repeated.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="PATH", help="Write the report to this .json, .html or .md file."),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    overwrite: Overwrite = False,
) -> int:
    """Score synthetic tables of any origin.

    Several tables are replicates of one model, the released one first. The exit code is 3 if a gate is missed.
    """
    from synthclin import report as reports
    from synthclin.schema import Schema
    from synthclin.study.config import load_judging
    from synthclin.tables import read_table

    meaning = Schema.read(schema)
    study = load_judging(config, meaning, gates or ())
    if output is not None:
        refuse_taken(output, overwrite)
    with manners(quiet):
        report = reports.evaluate(
            [read_table(each, meaning, judged=True) for each in synthetic],
            train=read_table(train, meaning),
            holdout=None if holdout is None else read_table(holdout, meaning),
            schema=meaning,
            tasks=study.evaluation.utility,
            by=study.evaluation.by,
            gates=study.gates,
        )
    if output is not None:
        report.save(output)
    show_json(verdict_record(report)) if as_json else show_verdict(report)
    return exit_code(report)


def render(
    source: Annotated[Path, typer.Argument(metavar="REPORT.json", help="A report as JSON.")],
    output: Output,
    edition: Annotated[Edition, typer.Option(help="Edition of the report.")] = "internal",
    overwrite: Overwrite = False,
) -> int:
    """Render a report.json again, without data.

    With `--edition shareable` its shareable edition is written.
    """
    from synthclin.report import Report

    refuse_taken(output, overwrite)
    report = Report.read(source)
    (report.shareable() if edition == "shareable" else report).save(output)
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
    from synthclin.io.files import write_atomic
    from synthclin.report.compare import MOST_SIDE_BY_SIDE, index
    from synthclin.report.compare import compare as side_by_side
    from synthclin.study.reports import find_reports

    refuse_taken(output, overwrite)
    found = find_reports(runs)
    page = index(found) if len(found) > MOST_SIDE_BY_SIDE or len(runs) == 1 else side_by_side(found)
    write_atomic(output, page, overwrite=overwrite)
    show_text(f"{len(found)} runs written to {output}")
    return DONE

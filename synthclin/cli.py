"""The command line: results on stdout, everything else on stderr, and an exit code that a script can trust."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import synthclin
from synthclin.errors import ConfigError, OutputError
from synthclin.guard import DONE, FAILED, GATES_MISSED, WRONG_USE, guarded
from synthclin.results import (
    show_cohort,
    show_draw,
    show_plan,
    show_survey,
    show_verdict,
    survey_record,
    verdict_record,
)
from synthclin.terminal import show_json, show_text, warn

if TYPE_CHECKING:
    from synthclin.config import Config
    from synthclin.report import Report
    from synthclin.validation import Finding

# Commands import what they need themselves: `synthclin --help` does not wait for torch.
# ruff: noqa: PLC0415

__all__ = ["app", "main"]

app = typer.Typer(
    name="synthclin",
    help="Synthetic clinical tables that researchers can use and data-sharing reviewers can trust.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
schema_app = typer.Typer(name="schema", help="What the columns of a table mean.", no_args_is_help=True)
app.add_typer(schema_app)

Override = Annotated[
    list[str], typer.Option("--set", metavar="KEY=VALUE", help="Replace one value of the config; may be repeated.")
]
Declared = Annotated[
    list[str], typer.Option("--declare", metavar="COLUMN=TYPE", help="What a column is that cannot be guessed.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result, or the error, as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress and no warnings on stderr.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint of an interrupted training.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what stands at the output path.")]
ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML study.")]
TableFile = Annotated[Path, typer.Argument(metavar="DATA", help="A .csv, .csv.gz or .parquet table.")]
ModelFolder = Annotated[Path, typer.Argument(metavar="MODEL", help="A model folder.")]
Seed = Annotated[int | None, typer.Option(min=0, help="Of the draw; that of the model without it.")]
Output = Annotated[Path, typer.Option("--output", "-o", metavar="PATH", help="Where to write.")]


def _version(wanted: bool) -> None:
    if wanted:
        show_text(f"synthclin {synthclin.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """Synthetic clinical tables that researchers can use and data-sharing reviewers can trust."""


@app.command()
def run(
    config: ConfigFile,
    overrides: Override = [],  # noqa: B006 - typer reads it, nobody writes it
    dry: Annotated[bool, typer.Option("--dry-run", help="Check everything and print the plan; write nothing.")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    overwrite: Overwrite = False,
    resume: Resume = False,
) -> int:
    """Make the synthetic tables and the report of a study; exit code 3 if a gate is missed."""
    from synthclin import pipeline
    from synthclin.config import load

    study = load(config, overrides)
    if not dry and _assists(study, resume):
        return DONE
    with _manners(quiet):
        if dry:
            plan = pipeline.dry_run(study, tell=_teller(quiet))
            (show_json if as_json else show_plan)(plan)
            return DONE
        done = pipeline.run(study, overwrite=overwrite, resume=resume, tell=_teller(quiet))
    if as_json:
        cohorts = [cohort.model_dump(mode="json") for cohort in done.manifest.cohorts]
        show_json({"folder": done.folder.as_posix(), "cohorts": cohorts, **verdict_record(done.report)})
    else:
        show_verdict(done.report)
        for cohort in done.manifest.cohorts:
            show_cohort(cohort)
        show_text(f"written to {done.folder.as_posix()}/")
    return _exit_code(done.report)


@schema_app.command("infer")
def schema_infer(
    data: TableFile,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="PATH", help="A YAML file.")] = None,
    declare: Declared = [],  # noqa: B006 - typer reads it, nobody writes it
    overwrite: Overwrite = False,
) -> int:
    """Guess a schema from a table; every guess is marked as one."""
    from synthclin.files import write_atomic
    from synthclin.inference import declared_columns, infer, to_commented_yaml
    from synthclin.tables import read_table

    if output is not None:
        _check_free(output, overwrite)
    inferred = infer(read_table(data), declared_columns(declare))
    for name in inferred.left_out:
        warn(f"column '{name}': {'. '.join(inferred.evidence[name])}.")
    text = to_commented_yaml(inferred)
    if output is None:
        sys.stdout.write(text)
    else:
        write_atomic(output, text, overwrite=overwrite)
        show_text(f"written to {output}; look it over, every guess is marked")
    return DONE


@schema_app.command("check")
def schema_check(
    data: TableFile,
    schema: Annotated[Path, typer.Argument(metavar="SCHEMA", help="A YAML schema.")],
    as_json: AsJson = False,
) -> int:
    """Show each column and rule beside the table, by counts and row numbers, never values; exit code 2 if it breaks."""
    from synthclin.preflight import survey
    from synthclin.schema import Schema
    from synthclin.tables import read_table

    meaning = Schema.read(schema)
    seen = survey(read_table(data, meaning, partial=True), meaning)
    if as_json:
        show_json(survey_record(seen))
    else:
        show_survey(seen)
    return DONE if seen.valid else WRONG_USE


@app.command()
def fit(
    config: ConfigFile,
    output: Output,
    overrides: Override = [],  # noqa: B006
    quiet: Quiet = False,
    overwrite: Overwrite = False,
    resume: Resume = False,
) -> int:
    """Learn the table of a study and write the model folder."""
    from synthclin import pipeline
    from synthclin.config import load

    study = load(config, overrides)
    if _assists(study, resume):
        return DONE
    with _manners(quiet):
        pipeline.fit(study, output, overwrite=overwrite, resume=resume, tell=_teller(quiet))
    show_text(f"written to {output}/")
    return DONE


@app.command()
def sample(
    model: ModelFolder,
    output: Output,
    rows: Annotated[int, typer.Option("--rows", "-n", min=1, help="How many rows.")],
    where: Annotated[str | None, typer.Option(help="A predicate that every row satisfies.")] = None,
    mix: Annotated[
        list[str], typer.Option(metavar="COLUMN={LEVEL: SHARE}", help="Wanted shares of levels; may be repeated.")
    ] = [],  # noqa: B006
    seed: Seed = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    overwrite: Overwrite = False,
) -> int:
    """Draw rows from a model folder into a .csv or .parquet file."""
    from synthclin.conditions import Cohort
    from synthclin.config import parse_value
    from synthclin.documents import validate
    from synthclin.models import load
    from synthclin.tables import write_table

    _check_free(output, overwrite)
    shares: dict[str, object] = {}
    for text in mix:
        column, _, levels = (part.strip() for part in text.partition("="))
        shares[column] = parse_value(levels, f"--mix {column}")
    wanted = {"name": "drawn", "rows": rows, "where": where, "mix": shares or None}
    cohort = validate(Cohort, wanted, "sample")
    with _manners(quiet):
        synthesizer = load(model)
        table = synthesizer.sample(rows, where=cohort.where, mix=cohort.mix, random_state=seed)
    write_table(table, output, synthesizer.schema)
    if as_json:
        show_json({"output": str(output), **asdict(synthesizer.draw_)})
    else:
        if not quiet and (where is not None or mix):
            show_draw(synthesizer.draw_)
        show_text(f"{len(table):,} rows written to {output}")
    return DONE


@app.command()
def impute(
    model: ModelFolder,
    data: TableFile,
    output: Output,
    draws: Annotated[
        int | None,
        typer.Option(min=1, help="How many completed copies, below each other; `.imp` and `.id` tell them apart."),
    ] = None,
    columns: Annotated[
        list[str], typer.Option("--column", metavar="COLUMN", help="Complete this one only; may be repeated.")
    ] = [],  # noqa: B006
    seed: Seed = None,
    quiet: Quiet = False,
    overwrite: Overwrite = False,
) -> int:
    """Complete the missing cells of a table by draws from a model folder, given the cells that each row has."""
    from synthclin.models import load
    from synthclin.models.imputation import stacked
    from synthclin.tables import read_table, write_table

    _check_free(output, overwrite)
    with _manners(quiet):
        synthesizer = load(model)
        tables = synthesizer.impute(
            read_table(data, synthesizer.schema, partial=True), draws or 1, columns=columns or None, random_state=seed
        )
    table = tables[0] if draws is None else stacked(tables)
    write_table(table, output, synthesizer.schema)
    show_text(f"{len(table):,} rows written to {output}")
    return DONE


@app.command()
def evaluate(
    synthetic: Annotated[
        list[Path], typer.Argument(metavar="SYNTHETIC...", help="One table, or several of one model.")
    ],
    train: Annotated[Path, typer.Option(metavar="TABLE", help="Real rows that the model learnt from.")],
    schema: Annotated[Path, typer.Option(metavar="YAML", help="What the columns mean.")],
    holdout: Annotated[Path | None, typer.Option(metavar="TABLE", help="Real rows that the model never saw.")] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="YAML", help="With `evaluation` and `gates` of a study.")
    ] = None,
    gates: Annotated[list[str] | None, typer.Option(metavar="GATE", help="'fidelity.marginals >= 0.9'")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="PATH", help=".json or .html")] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    overwrite: Overwrite = False,
) -> int:
    """Judge synthetic tables of one model, the released one first; exit code 3 if a gate is missed."""
    from synthclin import report as reports
    from synthclin.config import load_judging
    from synthclin.schema import Schema
    from synthclin.tables import read_table

    meaning = Schema.read(schema)
    study = load_judging(config, meaning)
    if output is not None:
        _check_free(output, overwrite)
    with _manners(quiet):
        report = reports.evaluate(
            [read_table(each, meaning) for each in synthetic],
            train=read_table(train, meaning),
            holdout=None if holdout is None else read_table(holdout, meaning),
            schema=meaning,
            tasks=study.evaluation.utility,
            by=study.evaluation.by,
            gates=gates or study.gates,
        )
    if output is not None:
        report.save(output)
    if as_json:
        show_json(verdict_record(report))
    else:
        show_verdict(report)
    return _exit_code(report)


@app.command("report")
def render(
    source: Annotated[Path, typer.Argument(metavar="REPORT.json", help="A report as JSON.")],
    output: Output,
    overwrite: Overwrite = False,
) -> int:
    """Render a report.json as a page."""
    from synthclin.report import Report

    _check_free(output, overwrite)
    Report.read(source).save(output)
    show_text(f"written to {output}")
    return DONE


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(metavar="RUN_FOLDER", help="The folder of a finished run.")],
    as_json: AsJson = False,
) -> int:
    """Check that a run folder is unaltered, its tables valid and its gates passed."""
    from synthclin.verification import verify as check_folder

    outcome = check_folder(folder)
    if as_json:
        show_json(
            {"intact": not outcome.problems, "problems": list(outcome.problems), **verdict_record(outcome.report)}
        )
    else:
        for problem in outcome.problems:
            show_text(problem)
        if not outcome.problems:
            show_text(f"{outcome.files} files are as the run wrote them; the synthetic tables satisfy the schema")
        show_verdict(outcome.report)
    return FAILED if outcome.problems else _exit_code(outcome.report)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Example:
        >>> main(["run", "no-such-study.yaml", "--json"])  # doctest: +ELLIPSIS
        {
         "error": {
        ...
        2
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    return guarded(
        lambda: app(args=arguments, prog_name="synthclin", standalone_mode=False), as_json="--json" in arguments
    )


@contextmanager
def _manners(quiet: bool) -> Iterator[None]:
    """Keep progress off stderr where it is not wanted."""
    from synthclin import progress

    with progress.quiet() if quiet else ExitStack():
        yield


def _teller(quiet: bool) -> Callable[[Finding], None]:
    def tell(finding: Finding) -> None:
        if not quiet:
            warn(str(finding))

    return tell


def _check_free(path: Path, overwrite: bool) -> None:
    """Refuse an output file that is taken or has no folder, before any work is done."""
    if path.exists() and not overwrite:
        raise OutputError(str(path), "exists already", "Choose another name, or add --overwrite.")
    if not path.parent.is_dir():
        raise OutputError(str(path), "its folder is not there", "Create the folder first.")


def _assists(study: Config, resume: bool) -> bool:
    """Return whether this is one of several processes and another one writes; if so, it has done its share by now."""
    from synthclin import pipeline
    from synthclin.models import parallel

    if parallel.processes() > 1 and resume:
        raise ConfigError("--resume", "several processes cannot go on together", "Resume with one process.")
    if parallel.first():
        return False
    with _manners(quiet=True):
        pipeline.assist(study)
    return True


def _exit_code(report: Report) -> int:
    return DONE if report.passed else GATES_MISSED


if __name__ == "__main__":
    sys.exit(main())

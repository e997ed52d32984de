"""The command line: results on stdout, everything else on stderr, and an exit code that a script can trust."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import synthclin
from synthclin.cli.conduct import assists, manners, warn_of, warn_of_formulas, write_sample
from synthclin.cli.error_boundary import DONE, FAILED, GATES_MISSED, WRONG_USE, run_command
from synthclin.cli.options import (
    AsJson,
    ConfigFile,
    Declared,
    Edition,
    Escape,
    IdStart,
    ModelFolder,
    Output,
    Override,
    Overwrite,
    Quiet,
    Resume,
    Seed,
    TableFile,
)
from synthclin.cli.output import (
    show_cohort,
    show_plan,
    show_sample_facts,
    show_survey,
    show_verdict,
    survey_record,
    verdict_record,
)
from synthclin.cli.terminal import show_json, show_text, warn
from synthclin.errors import ConfigError
from synthclin.io.files import refuse_taken

if TYPE_CHECKING:
    from synthclin.report import Report

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
    from synthclin.study import plan
    from synthclin.study import run as study_run
    from synthclin.study.config import load

    study = load(config, overrides)
    if not dry and assists(study, resume):
        return DONE
    with manners(quiet):
        if dry:
            planned = plan.dry_run(study, tell=warn_of(quiet))
            (show_json if as_json else show_plan)(planned)
            return DONE
        done = study_run.run(study, overwrite=overwrite, resume=resume, tell=warn_of(quiet))
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
        show_text(f"written to {output}; look it over, every guess is marked")
    return DONE


@schema_app.command("check")
def schema_check(
    data: TableFile,
    schema: Annotated[Path, typer.Argument(metavar="SCHEMA", help="A YAML schema.")],
    as_json: AsJson = False,
) -> int:
    """Show each column and rule beside the table, by counts and row numbers, never values; exit code 2 if it breaks."""
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
    from synthclin.study import run as study_run
    from synthclin.study.config import load

    study = load(config, overrides)
    if assists(study, resume):
        return DONE
    with manners(quiet):
        study_run.fit(study, output, overwrite=overwrite, resume=resume, tell=warn_of(quiet))
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
    id_start: IdStart = None,
    escape: Escape = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    overwrite: Overwrite = False,
) -> int:
    """Draw rows from a model folder into a .csv or .parquet file."""
    from synthclin.io.documents import validate
    from synthclin.models import load
    from synthclin.sampling.cohorts import Cohort
    from synthclin.study.config import parse_value

    refuse_taken(output, overwrite)
    shares: dict[str, object] = {}
    for text in mix:
        column, _, levels = (part.strip() for part in text.partition("="))
        shares[column] = parse_value(levels, f"--mix {column}")
    cohort = validate(Cohort, {"name": "drawn", "rows": rows, "where": where, "mix": shares or None}, "sample")
    with manners(quiet):
        synthesizer = load(model)
        table = synthesizer.sample(rows, where=cohort.where, mix=cohort.mix, random_state=seed, id_start=id_start)
    write_sample(table, output, synthesizer.schema, escape=escape, quiet=quiet)
    if as_json:
        show_json({"output": str(output), **asdict(synthesizer.sample_facts_)})
    else:
        if not quiet and (where is not None or mix):
            show_sample_facts(synthesizer.sample_facts_)
        show_text(f"{len(table):,} rows written to {output}")
    return DONE


@app.command()
def impute(
    model: ModelFolder,
    data: TableFile,
    output: Output,
    imputations: Annotated[
        int | None,
        typer.Option(min=1, help="How many completed copies, below each other; `.imp` and `.id` tell them apart."),
    ] = None,
    columns: Annotated[
        list[str], typer.Option("--column", metavar="COLUMN", help="Complete this one only; may be repeated.")
    ] = [],  # noqa: B006
    seed: Seed = None,
    escape: Escape = False,
    quiet: Quiet = False,
    overwrite: Overwrite = False,
) -> int:
    """Complete the missing cells of a table by draws from a model folder, given the cells that each row has."""
    from synthclin.models import load
    from synthclin.sampling.imputation import stacked
    from synthclin.tables import read_table

    refuse_taken(output, overwrite)
    with manners(quiet):
        synthesizer = load(model)
        tables = synthesizer.impute(
            read_table(data, synthesizer.schema, partial=True),
            imputations or 1,
            columns=columns or None,
            random_state=seed,
        )
    table = tables[0] if imputations is None else stacked(tables)
    write_sample(table, output, synthesizer.schema, escape=escape, quiet=quiet)
    show_text(f"{len(table):,} rows written to {output}")
    return DONE


@app.command()
def evaluate(
    synthetic: Annotated[list[Path], typer.Argument(metavar="SYNTHETIC...", help="A table, or several draws.")],
    train: Annotated[Path, typer.Option(metavar="TABLE", help="Real rows that the model learnt from.")],
    schema: Annotated[Path, typer.Option(metavar="YAML", help="What the columns mean.")],
    holdout: Annotated[Path | None, typer.Option(metavar="TABLE", help="Real rows that the model never saw.")] = None,
    config: Annotated[Path | None, typer.Option(metavar="YAML", help="With `evaluation` and `gates`.")] = None,
    gates: Annotated[list[str] | None, typer.Option(metavar="GATE", help="'fidelity.marginals >= 0.9'")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="PATH", help=".json or .html")] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    overwrite: Overwrite = False,
) -> int:
    """Judge synthetic tables of one model, the released one first; exit code 3 if a gate is missed."""
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
    return _exit_code(report)


@app.command("report")
def render(
    source: Annotated[Path, typer.Argument(metavar="REPORT.json", help="A report as JSON.")],
    output: Output,
    edition: Annotated[Edition, typer.Option(help="Which edition to write.")] = "internal",
    overwrite: Overwrite = False,
) -> int:
    """Render a report.json as a page, or write its shareable edition; no data are needed."""
    from synthclin.report import Report

    refuse_taken(output, overwrite)
    report = Report.read(source)
    (report.shareable() if edition == "shareable" else report).save(output)
    show_text(f"written to {output}")
    return DONE


@app.command()
def compare(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Run folders or report.json files; or a folder of runs.")
    ],
    output: Output,
    overwrite: Overwrite = False,
) -> int:
    """Set runs side by side on a page of static tables; more than six, or a folder of runs, become an index."""
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


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(metavar="RUN_FOLDER", help="The folder of a finished run.")],
    as_json: AsJson = False,
) -> int:
    """Check that a run folder is unaltered, its tables valid and its gates passed."""
    from synthclin.study.verify import verify as check_folder

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


@app.command()
def export(
    source: Annotated[Path, typer.Argument(metavar="RUN_FOLDER", help="A finished run, or the model inside one.")],
    output: Output,
    for_sharing: Annotated[bool, typer.Option("--for-sharing", help="Strip it, check it, write a model card.")] = False,
    reason: Annotated[
        str | None, typer.Option("--override", metavar="REASON", help="Share it although its attack misses the limit.")
    ] = None,
    overwrite: Overwrite = False,
) -> int:
    """Copy a run's model to hand it out: `synthclin export runs/heart-7 --for-sharing -o out`; exit code 3: refused."""
    from synthclin.study.export import CARD
    from synthclin.study.export import export as share

    if not for_sharing:
        raise ConfigError("export", "it is not said what for", "Add --for-sharing, or copy the model folder.")
    done = share(source, output, reason=reason, overwrite=overwrite)
    show_text(f"{done.verdict.status}  {done.verdict.gate.text}{', overridden' if done.overridden else ''}")
    show_text(f"written to {output}/; it derives from personal data, read {CARD}")
    return DONE


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
    return run_command(
        lambda: app(args=arguments, prog_name="synthclin", standalone_mode=False), as_json="--json" in arguments
    )


def _exit_code(report: Report) -> int:
    return DONE if report.passed else GATES_MISSED

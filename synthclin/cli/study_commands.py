"""Commands on studies and run folders: run, fit, verify, export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from synthclin.cli.error_boundary import DONE, FAILED, GATES_MISSED
from synthclin.cli.options import AsJson, ConfigFile, Engine, Output, Override, Overwrite, Quiet, Resume
from synthclin.cli.output import exit_code, show_audits, show_cohort, show_plan, show_verdict, verdict_record
from synthclin.cli.shared_steps import assists, first_checks, place_for, silenced
from synthclin.cli.sweep_output import show_sweep, show_sweep_plan, sweep_record
from synthclin.cli.terminal import show_json, show_text, warn
from synthclin.errors import ConfigError

# Imports inside commands: `synthclin --help` does not load torch.
# ruff: noqa: PLC0415

__all__ = ["audit_dp", "export", "fit", "run", "verify"]


def run(
    config: ConfigFile,
    overrides: Override = [],  # noqa: B006 - typer reads it, nobody writes it
    dry: Annotated[bool, typer.Option("--dry-run", help="Check the study and print the plan; write nothing.")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    overwrite: Overwrite = False,
    resume: Resume = False,
    engine: Engine = None,
) -> int:
    """Run a study: fit, sample, score, report; or every cell of a sweep that is not complete.

    With --resume an interrupted run continues, and a complete one stays as it is, so that a job can be started again.
    The exit code is 3 if a gate is missed; that of a sweep is 1 if a cell failed, whatever its gates.
    """
    first_checks(config)
    from synthclin.io.documents import read_yaml
    from synthclin.study import plan
    from synthclin.study import run as study_run
    from synthclin.study.config import is_sweep, load

    if engine is not None:
        overrides = [*overrides, f"engine={engine}"]
    if is_sweep(read_yaml(config)):
        return _run_sweep(config, overrides, dry=dry, as_json=as_json, quiet=quiet, overwrite=overwrite)
    study = load(config, overrides)
    if not dry and assists(study, resume):
        return DONE
    with silenced(quiet):
        if dry:
            planned = plan.dry_run(study, on_finding=warn)
            (show_json if as_json else show_plan)(planned)
            return DONE
        done = study_run.run(study, overwrite=overwrite, resume=resume, on_finding=warn)
    if as_json:
        cohorts = [cohort.model_dump(mode="json") for cohort in done.manifest.cohorts]
        show_json(
            {"folder": done.folder.as_posix(), "ran": done.ran, "cohorts": cohorts, **verdict_record(done.report)}
        )
    else:
        show_verdict(done.report)
        for cohort in done.manifest.cohorts:
            show_cohort(cohort)
        show_text(f"{'written to' if done.ran else 'complete already:'} {done.folder.as_posix()}/")
    return exit_code(done.report)


def _run_sweep(config: Path, overrides: list[str], *, dry: bool, as_json: bool, quiet: bool, overwrite: bool) -> int:
    """Run a sweep, or print its cells, and return the exit code."""
    from synthclin.models import distributed
    from synthclin.study import sweep
    from synthclin.study.config import load_sweep

    grid = load_sweep(config, overrides)
    if distributed.processes() > 1:
        remedy = "Start it without torchrun, and set `sweep.workers`."
        raise ConfigError(str(config), "a sweep is not run by torchrun", remedy)
    if dry:
        planned = sweep.dry_run(grid)
        (show_json if as_json else show_sweep_plan)(planned)
        return DONE
    with silenced(quiet):
        done = sweep.sweep(grid, overwrite=overwrite)
    if as_json:
        show_json(sweep_record(done))
    else:
        show_sweep(done)
    return FAILED if done.failed else DONE


def fit(
    config: ConfigFile,
    output: Output,
    overrides: Override = [],  # noqa: B006
    quiet: Quiet = False,
    overwrite: Overwrite = False,
    resume: Resume = False,
) -> int:
    """Fit the model of a study and write the model folder."""
    first_checks(config)
    place_for(output, overwrite, folder=True)
    from synthclin.study import run as study_run
    from synthclin.study.config import load

    study = load(config, overrides)
    if assists(study, resume):
        return DONE
    with silenced(quiet):
        study_run.fit(study, output, overwrite=overwrite, resume=resume, on_finding=warn)
    show_text(f"written to {output}/")
    return DONE


def audit_dp(
    config: ConfigFile,
    overrides: Override = [],  # noqa: B006
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Audit the differential privacy of a study: lower bounds of epsilon from canaries, without reading its table.

    The exit code is 3 if a bound exceeds what is claimed: then the code does not keep its guarantee.
    """
    first_checks(config)
    from synthclin.study.config import load
    from synthclin.study.mechanism_audit import audit_mechanism

    study = load(config, overrides)
    if study.protect.dp is None:
        what = "the study has no differential privacy"
        raise ConfigError(f"{config}: protect.dp", what, "Add `protect: {dp: {epsilon: 3, delta: 1.0e-6}}`.")
    with silenced(quiet):
        found = audit_mechanism(study.protect.dp, quick=study.model.parameters.get("effort") == "quick")
    refuted = any(audit.refutes for audit in found)
    if as_json:
        show_json({"refuted": refuted, "audits": [audit.model_dump(mode="json") for audit in found]})
    else:
        show_audits(found)
    return GATES_MISSED if refuted else DONE


def verify(
    place: Annotated[
        Path, typer.Argument(metavar="RUN_FOLDER|TABLE", help="The folder of a finished run, or a synthetic table.")
    ],
    report: Annotated[
        Path | None, typer.Argument(metavar="REPORT", help="For a table: its report.json, report.html or report.md.")
    ] = None,
    source: Annotated[
        str | None,  # a path would lose slashes of a database
        typer.Option(
            metavar="TABLE",
            help="Also check that the run read these real rows: a file, or a database, asked by the query of the run "
            "unless ?table= or ?query= is behind it.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Verify a run folder, or that a report is about a table.

    The files of a folder must be unaltered, its tables valid and its gates passed; the SHA-256 of a table must be the
    one in the report. The last line is the verdict. The exit code is 1 if something was altered, and 3 if nothing was
    and a gate is missed.
    """
    if report is not None:
        return _verify_table(place, report, source, as_json)
    first_checks(folders=[place])
    from synthclin.study.verify import verify as check_folder

    outcome = check_folder(place, source)
    if as_json:
        show_json(
            {
                "intact": not outcome.problems,
                "verdict": outcome.verdict,
                "problems": list(outcome.problems),
                **verdict_record(outcome.report),
            }
        )
    else:
        show_verdict(outcome.report)
        for problem in outcome.problems:
            show_text(problem)
        show_text(outcome.verdict)
    return FAILED if outcome.problems else exit_code(outcome.report)


def _verify_table(table: Path, report: Path, source: str | None, as_json: bool) -> int:
    """Check a table against its report and return the exit code."""
    first_checks(tables=[table, report])
    from synthclin.study.binding import verify_binding

    if source is not None:
        raise ConfigError("--source", "a report does not hold the hash of real rows", "Give the run folder instead.")
    outcome = verify_binding(table, report)
    if as_json:
        problems = list(outcome.problems)
        show_json({"intact": not problems, "verdict": outcome.verdict, "problems": problems, "passed": outcome.passed})
    else:
        for line in (*outcome.problems, outcome.verdict):
            show_text(line)
    if outcome.problems:
        return FAILED
    return DONE if outcome.passed else GATES_MISSED


def export(
    source: Annotated[Path, typer.Argument(metavar="RUN_FOLDER", help="A finished run, or the model inside one.")],
    output: Output,
    for_sharing: Annotated[
        bool,
        typer.Option("--for-sharing", help="Remove seed and training record, check the attack, write a model card."),
    ] = False,
    reason: Annotated[
        str | None,
        typer.Option(
            "--override", metavar="REASON", help="Export although the attack misses its limit, for this reason."
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> int:
    """Export the model of a run with a model card.

    The exit code is 3 if the attack on the model misses its limit.
    """
    first_checks(folders=[source])
    place_for(output, overwrite, folder=True)
    from synthclin.study.export import CARD
    from synthclin.study.export import export as share

    if not for_sharing:
        raise ConfigError("export", "the purpose is missing", "Add --for-sharing, or copy the model folder.")
    done = share(source, output, reason=reason, overwrite=overwrite)
    show_text(f"{done.verdict.status}  {done.verdict.gate.text}{', overridden' if done.overridden else ''}")
    show_text(f"written to {output}/; it derives from personal data, read {CARD}")
    return DONE

"""The command line: results on stdout, everything else on stderr, and an exit code that a script can trust."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Annotated

import typer

from synthclin import log
from synthclin.cli.error_boundary import run_command
from synthclin.cli.examples import EXAMPLES
from synthclin.cli.model_commands import impute, sample
from synthclin.cli.options import LogFormat, log_format, with_log_format
from synthclin.cli.report_commands import compare, evaluate, render
from synthclin.cli.schema_commands import init, schema_check, schema_infer, schema_json
from synthclin.cli.study_commands import audit_dp, export, fit, run, verify
from synthclin.cli.terminal import attach, show_text
from synthclin.io.passwords import address_refused, holds_password
from synthclin.io.version import VERSION

__all__ = ["COMMANDS", "SCHEMA_COMMANDS", "app", "main"]

COMMANDS: dict[str, Callable[..., int]] = {
    "init": init,
    "run": run,
    "fit": fit,
    "sample": sample,
    "impute": impute,
    "evaluate": evaluate,
    "report": render,
    "compare": compare,
    "verify": verify,
    "export": export,
    "audit-dp": audit_dp,
}
SCHEMA_COMMANDS: dict[str, Callable[..., int]] = {
    "infer": schema_infer,
    "check": schema_check,
    "json": schema_json,
}

app = typer.Typer(
    name="synthclin",
    help="Synthetic clinical tables that researchers can use and data-sharing reviewers can trust.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog=EXAMPLES[""],
)
schema_app = typer.Typer(
    name="schema", help="Infer a schema from a table; check a table against one; print JSON Schemas."
)
app.add_typer(schema_app, no_args_is_help=True, epilog=EXAMPLES["schema"])
for _name, _command in COMMANDS.items():
    app.command(_name, epilog=EXAMPLES[_name])(with_log_format(_name, _command))
for _name, _command in SCHEMA_COMMANDS.items():
    _whole = f"schema {_name}"
    schema_app.command(_name, epilog=EXAMPLES[_whole])(with_log_format(_whole, _command))


def _version(wanted: bool) -> None:
    if wanted:
        show_text(f"synthclin {VERSION}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    log_format: LogFormat = "text",  # read before, see `main`
) -> None:
    """Synthetic clinical tables that researchers can use and data-sharing reviewers can trust."""


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

    def command() -> object:
        # No error repeats such an argument, whatever it is given for.
        if any(map(holds_password, arguments)):
            raise address_refused("command line")
        return app(args=arguments, prog_name="synthclin", standalone_mode=False)

    attach()
    with log.json_lines() if log_format(arguments) == "json" else nullcontext():
        return run_command(command, as_json="--json" in arguments)

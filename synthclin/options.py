"""The options that several commands share, each with its help, and what every command asks of an output path."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from synthclin import progress
from synthclin.documents import validate
from synthclin.errors import ConfigError, OutputError

if TYPE_CHECKING:
    from synthclin.columns import AnyColumn

__all__ = [
    "AsJson",
    "ConfigFile",
    "Declared",
    "Edition",
    "ModelFolder",
    "Output",
    "Override",
    "Overwrite",
    "Quiet",
    "Resume",
    "Seed",
    "TableFile",
    "check_free",
    "declared_columns",
    "manners",
]

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
Edition = Literal["internal", "shareable"]
Output = Annotated[Path, typer.Option("--output", "-o", metavar="PATH", help="Where to write.")]


def check_free(path: Path, overwrite: bool) -> None:
    """Refuse an output file that is taken or has no folder, before any work is done."""
    if path.exists() and not overwrite:
        raise OutputError(str(path), "exists already", "Choose another name, or add --overwrite.")
    if not path.parent.is_dir():
        raise OutputError(str(path), "its folder is not there", "Create the folder first.")


@contextmanager
def manners(quiet: bool) -> Iterator[None]:
    """Keep progress off stderr where it is not wanted."""
    with progress.quiet() if quiet else ExitStack():
        yield


def declared_columns(texts: list[str]) -> dict[str, AnyColumn]:
    """Return the columns that `--declare COLUMN=TYPE` names."""
    from synthclin.schema import Schema  # noqa: PLC0415 (`--help` does not wait for pandas)

    columns = {}
    for text in texts:
        name, equals, kind = text.rpartition("=")
        if not equals or not name:
            raise ConfigError(f"--declare {text}", "is not COLUMN=TYPE", "Write it as `--declare diary=text`.")
        columns[name] = {"type": kind.strip()}
    return dict(validate(Schema, {"columns": columns}, "--declare").columns) if columns else {}

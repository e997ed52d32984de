"""The options that several commands share, each with its help, and what every command asks of an output path."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from synthclin import progress
from synthclin.errors import OutputError
from synthclin.terminal import warn

if TYPE_CHECKING:
    from synthclin.validation import Finding

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
    "manners",
    "teller",
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


def teller(quiet: bool) -> Callable[[Finding], None]:
    """Return what tells a finding on stderr, or nothing where that is not wanted."""

    def tell(finding: Finding) -> None:
        if not quiet:
            warn(str(finding))

    return tell

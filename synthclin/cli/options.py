"""The options that several commands share, each with its help."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from functools import wraps
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_type_hints

import typer

from synthclin import log
from synthclin.io.version import VERSION

__all__ = [
    "AsJson",
    "ConfigFile",
    "Declared",
    "Edition",
    "Engine",
    "Escape",
    "IdStart",
    "ModelFolder",
    "Output",
    "Override",
    "Overwrite",
    "Quiet",
    "ReadOptions",
    "Resume",
    "Sample",
    "Seed",
    "TableFile",
    "TableOutput",
    "log_format",
    "with_log_format",
    "with_read_options",
]

Override = Annotated[
    list[str], typer.Option("--set", metavar="KEY=VALUE", help="Override one value of the study; may be repeated.")
]
Declared = Annotated[
    list[str],
    typer.Option(
        "--declare",
        metavar="COLUMN=TYPE",
        help="Declare the type of a column instead of inferring it; may be repeated.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result, or the error, as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress and no warnings on stderr.")]
Resume = Annotated[bool, typer.Option("--resume", help="Continue from the checkpoint of an interrupted run.")]
Engine = Annotated[
    Literal["local", "ray"] | None,
    typer.Option(
        help="Run jobs in processes of this machine, or on the Ray cluster of RAY_ADDRESS; without it on one "
        "that is started here."
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing output.")]
ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML study.")]
TableFile = Annotated[
    str,  # a path would lose slashes of a database
    typer.Argument(
        metavar="DATA",
        help="A table: .csv, .csv.gz, .csv.zst, .parquet or a folder of such files, or with an extra .xlsx (`excel`), "
        "SAS, SPSS and Stata (`readstat`); or a database with --query or --table: duckdb:///ward.db (`duckdb`), "
        "`duckdb:` for the files in this folder, or env:DATABASE_URL (`database`).",
    ),
]
ModelFolder = Annotated[Path, typer.Argument(metavar="MODEL", help="A model folder, or a run folder.")]
Escape = Annotated[
    bool, typer.Option("--csv-safe", help="Escape text in CSV files that a spreadsheet would run as a formula.")
]
IdStart = Annotated[
    int | None,
    typer.Option("--id-start", min=1, help="Number of the first identifier, to put several samples together."),
]
Sample = Annotated[
    int | None,
    typer.Option("--sample", min=2, help="Infer from so many random rows of a table that is too large for memory."),
]
Seed = Annotated[int | None, typer.Option(min=0, help="Random seed of the sample; by default the model's own.")]
Edition = Literal["internal", "shareable"]
Output = Annotated[
    Path, typer.Option("--output", "-o", metavar="PATH", help="Output path; `-` writes a table or page to stdout.")
]
TableOutput = Annotated[
    str,  # a path would lose slashes of a database
    typer.Option(
        "--output",
        "-o",
        metavar="PATH",
        help="A file, whose ending is its format: .csv, .csv.gz, .parquet, or with the extra `readstat` .sav, .dta or "
        ".xpt; a new table of a database, duckdb:///ward.db?table=NAME (`duckdb`) or env:DATABASE_URL?table=NAME "
        "(`database`); or `-` for CSV on stdout.",
    ),
]


LOG_FORMAT = "SYNTHCLIN_LOG_FORMAT"
LogFormat = Annotated[
    Literal["text", "json"],
    typer.Option(envvar=LOG_FORMAT, help="Messages on stderr as text, or as JSON objects, one a line."),
]


class ReadOptions(NamedTuple):
    """Options on how a table is read, each a keyword argument of `synthclin.read_table`."""

    separator: Annotated[
        str | None, typer.Option(metavar="SIGN", help="Sign between the cells of a CSV file, or `tab`.")
    ] = None
    decimal: Annotated[
        str | None, typer.Option(metavar="SIGN", help="Decimal sign in a CSV file: a point or a comma.")
    ] = None
    encoding: Annotated[str | None, typer.Option(metavar="NAME", help="Encoding of a CSV file, such as cp1252.")] = None
    date_format: Annotated[
        list[str] | None,
        typer.Option(metavar="FORMAT", help="Format of dates, such as DD.MM.YYYY; may be repeated."),
    ] = None
    sheet: Annotated[str | None, typer.Option(metavar="NAME", help="Sheet of an Excel file; the first by default.")] = (
        None
    )
    query: Annotated[
        str | None, typer.Option(metavar="SQL", help="SELECT for a database, or a file with it that ends in .sql.")
    ] = None
    table: Annotated[str | None, typer.Option(metavar="NAME", help="Table or view of a database.")] = None

    @property
    def declared(self) -> dict[str, Any]:
        """The options that were given, by name."""
        return {name: value for name, value in self._asdict().items() if value}


def with_read_options(command: Callable[..., int]) -> Callable[..., int]:
    """Return a command whose parameter `notation` is replaced by the options of `ReadOptions`.

    Example:
        >>> def show(data: Path, notation: ReadOptions) -> int:
        ...     print(data, notation.declared)
        ...     return 0
        >>> with_read_options(show)(data=Path("ward.csv"), separator=";")
        ward.csv {'separator': ';'}
        0
    """
    options = get_type_hints(ReadOptions, include_extras=True)
    before = [given for given in _parameters(command) if given.name != "notation"]
    added = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=ReadOptions._field_defaults[name], annotation=kind
        )
        for name, kind in options.items()
    ]

    @wraps(command)
    def wrapped(**given: Any) -> int:  # noqa: ANN401 - the parameters of `command`, each of its own type
        notation = ReadOptions(**{name: given.pop(name, None) for name in options})
        return command(**given, notation=notation)

    return _with_parameters(wrapped, [*before, *added])


def log_format(arguments: Sequence[str]) -> str:
    """Return the log format that arguments or the environment ask for.

    It is known before the arguments are parsed, so that an error in them is reported in this format.

    Example:
        >>> log_format(["run", "study.yaml", "--log-format", "json"])
        'json'
    """
    words = list(arguments[: arguments.index("--")] if "--" in arguments else arguments)
    found = [after for word, after in pairwise([*words, ""]) if word == "--log-format"]
    found += [word.partition("=")[2] for word in words if word.startswith("--log-format=")]
    return found[-1] if found else os.environ.get(LOG_FORMAT, "text")


def with_log_format(name: str, command: Callable[..., int]) -> Callable[..., int]:
    """Return a command with the option `--log-format`, which reports its beginning in the log.

    Example:
        >>> with_log_format("greet", lambda: 0)(log_format="text")
        0
    """
    option = inspect.Parameter("log_format", inspect.Parameter.KEYWORD_ONLY, default="text", annotation=LogFormat)

    @wraps(command)
    def wrapped(**given: Any) -> int:  # noqa: ANN401 - the parameters of `command`, each of its own type
        del given["log_format"]  # `log_format` has read it from the arguments
        log.emit(log.Begin(name, VERSION))
        return command(**given)

    return _with_parameters(wrapped, [*_parameters(command), option])


def _parameters(command: Callable[..., int]) -> list[inspect.Parameter]:
    """Return the parameters of a command, with their types."""
    types = get_type_hints(command, include_extras=True)
    return [each.replace(annotation=types[name]) for name, each in inspect.signature(command).parameters.items()]


def _with_parameters(command: Callable[..., int], parameters: list[inspect.Parameter]) -> Callable[..., int]:
    """Declare the parameters of a command to typer, which reads its options from these two attributes."""
    command.__signature__ = inspect.Signature(parameters, return_annotation=int)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in parameters} | {"return": int}
    return command

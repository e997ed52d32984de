"""The options that several commands share, each with its help."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_type_hints

import typer

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
    "Seed",
    "TableFile",
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
Resume = Annotated[bool, typer.Option("--resume", help="Continue from the checkpoint of an interrupted training.")]
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
Seed = Annotated[int | None, typer.Option(min=0, help="Random seed of the sample; by default the model's own.")]
Edition = Literal["internal", "shareable"]
Output = Annotated[
    Path, typer.Option("--output", "-o", metavar="PATH", help="Output path; `-` writes a table or page to stdout.")
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
    types = get_type_hints(command, include_extras=True)
    options = get_type_hints(ReadOptions, include_extras=True)
    parameters = inspect.signature(command).parameters
    before = [given.replace(annotation=types[name]) for name, given in parameters.items() if name != "notation"]
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

    # typer reads the options from these two.
    wrapped.__signature__ = inspect.Signature([*before, *added], return_annotation=int)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {each.name: each.annotation for each in [*before, *added]} | {"return": int}
    return wrapped

"""The options that several commands share, each with its help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

__all__ = [
    "AsJson",
    "ConfigFile",
    "DateFormat",
    "Decimal",
    "Declared",
    "Edition",
    "Encoding",
    "Escape",
    "IdStart",
    "ModelFolder",
    "Output",
    "Override",
    "Overwrite",
    "Quiet",
    "Resume",
    "Seed",
    "Separator",
    "Sheet",
    "TableFile",
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
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing output.")]
ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML study.")]
TableFile = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        help="A table: .csv, .csv.gz, .parquet, or with an extra .xlsx (`excel`), SAS, SPSS and Stata (`readstat`).",
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
Separator = Annotated[str | None, typer.Option(metavar="SIGN", help="Sign between the cells of a CSV file, or `tab`.")]
Decimal = Annotated[str | None, typer.Option(metavar="SIGN", help="Decimal sign in a CSV file: a point or a comma.")]
Encoding = Annotated[str | None, typer.Option(metavar="NAME", help="Encoding of a CSV file, such as cp1252.")]
DateFormat = Annotated[
    list[str], typer.Option(metavar="FORMAT", help="Format of dates, such as DD.MM.YYYY; may be repeated.")
]
Sheet = Annotated[str | None, typer.Option(metavar="NAME", help="Sheet of an Excel file; the first by default.")]
Edition = Literal["internal", "shareable"]
Output = Annotated[
    Path, typer.Option("--output", "-o", metavar="PATH", help="Output path; `-` writes a table or page to stdout.")
]

"""Terminal output: results on stdout, messages on stderr; colours on a terminal, plain text elsewhere."""

from __future__ import annotations

import codecs
import io
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from synthclin import log
from synthclin.errors import OutputError

if TYPE_CHECKING:
    from synthclin.rules.validation import Finding

__all__ = [
    "STDOUT",
    "attach",
    "drop_out",
    "flush_out",
    "legible",
    "show_json",
    "show_status",
    "show_table",
    "show_text",
    "warn",
    "write_out",
]

STDOUT = "-"
"""The output path that stands for stdout."""

_ASCII = {"\u2212": "-", "\u2013": "-", "\u2014": "-", "\u2026": "...", "\u00d7": "x", "\u2264": "<=", "\u2265": ">="}
_ASCII |= dict.fromkeys("\u2018\u2019", "'") | dict.fromkeys("\u201c\u201d", '"') | dict.fromkeys("\u00a0\u202f", " ")

_STYLES = {
    "PASS": "green",
    "REVIEW": "yellow",
    "FAIL": "bold red",
    "NOT ASSESSABLE": "yellow",
    "TOO WEAK": "yellow",
    "error": "bold red",
    "warning": "yellow",
}


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    """Return an ASCII text for characters that a terminal cannot show, and where encoding goes on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_ASCII.get(sign, "?") for sign in error.object[error.start : error.end]), error.end


codecs.register_error("synthclin.ascii", _in_ascii)


def attach() -> None:
    """Let stdout and stderr lead nowhere where they are closed, as some schedulers start a process."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8"))


def legible() -> None:
    """Let stdout and stderr replace characters that their encoding lacks, such as a minus sign in ASCII."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and codecs.lookup(stream.encoding).name != "utf-8":
            stream.reconfigure(errors="synthclin.ascii")


@contextmanager
def _writing() -> Iterator[None]:
    """Raise OutputError where stdout cannot be written, such as on a full disk; what was buffered is dropped."""
    try:
        yield
    except BrokenPipeError:  # the reader went away
        raise
    except OSError as problem:
        drop_out()
        what, remedy = f"cannot be written ({problem.strerror})", "Free some space, or write to another place."
        raise OutputError("stdout", what, remedy) from None


def write_out(content: str | bytes) -> None:
    """Write the content of a file to stdout, as UTF-8."""
    data = content.encode() if isinstance(content, str) else content
    with _writing():
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


def flush_out() -> None:
    """Write what is buffered for stdout; raises OutputError, or BrokenPipeError where its reader went away."""
    with _writing():
        sys.stdout.flush()


def drop_out() -> None:
    """Let stdout lead nowhere: Python would write its buffer again at its end, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def show_text(text: str) -> None:
    """Print one result on stdout."""
    with _writing():
        sys.stdout.write(f"{text}\n")


def show_json(value: object) -> None:
    """Print a result on stdout as JSON; numbers that are not finite become null."""
    from synthclin.io.documents import dump_json  # noqa: PLC0415 - loads NumPy

    text = dump_json(value)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(json.loads(text), indent=1) + "\n"  # escapes, so that names stay what they are
    with _writing():
        sys.stdout.write(text)


def show_status(line: str) -> None:
    """Print a result that begins with a status, such as PASS, on stdout."""
    if not sys.stdout.isatty():
        show_text(line)
        return
    from rich.console import Console  # noqa: PLC0415 - loaded on a terminal only
    from rich.text import Text  # noqa: PLC0415

    status = next((status for status in _STYLES if line.startswith(status)), "")
    text = Text(line)
    text.stylize(_STYLES.get(status, ""), 0, len(status))
    Console().print(text)


def show_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows of text under `header` on stdout.

    Example:
        >>> show_table(["gate", "status"], [["fidelity.marginals >= 0.9", "PASS"]])
        gate                       status
        fidelity.marginals >= 0.9  PASS
    """
    if sys.stdout.isatty():
        _show_rich(header, rows)
        return
    lines = [header, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    for line in lines:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        show_text("  ".join(cells).rstrip())


def warn(finding: Finding) -> None:
    """Write a finding to stderr as a warning."""
    log.emit(log.Warned(finding.where, finding.what, finding.remedy))


def _show_rich(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console  # noqa: PLC0415 - loaded on a terminal only
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in header:
        table.add_column(title, overflow="fold")
    for row in rows:
        # Text, not markup: a column may be called [red].
        table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
    Console().print(table)

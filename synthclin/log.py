"""Messages on stderr: a closed set of events, shown as lines for people or as JSON lines for programs."""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from functools import partial
from io import UnsupportedOperation
from typing import Any, ClassVar, Literal, TextIO

__all__ = [
    "EVENTS",
    "Begin",
    "End",
    "Error",
    "Event",
    "Note",
    "Progress",
    "StageBegin",
    "StageEnd",
    "Warned",
    "emit",
    "json_lines",
    "line_schema",
    "quiet",
    "quieted",
    "rate_text",
    "structured",
]

Level = Literal["info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Event:
    """A message: its fields are the keys of its JSON line, beside `time`, `level` and `event`; none holds a cell."""

    event: ClassVar[str]
    level: ClassVar[Level] = "info"

    @property
    def text(self) -> str:
        """The line for people; empty if there is none."""
        return ""


@dataclass(frozen=True, slots=True)
class Begin(Event):
    """A command has begun."""

    event: ClassVar[str] = "begin"
    command: str
    version: str


@dataclass(frozen=True, slots=True)
class StageBegin(Event):
    """A stage of a run has begun; `synthclin.study.manifest.STAGES` lists them."""

    event: ClassVar[str] = "stage_begin"
    stage: str


@dataclass(frozen=True, slots=True)
class StageEnd(Event):
    """A stage of a run has ended; `seconds` is its wall time."""

    event: ClassVar[str] = "stage_end"
    stage: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Progress(Event):
    """How far a long task is: `done` of `total` steps, `rate` steps per second, None for `seconds_left` if unknown."""

    event: ClassVar[str] = "progress"
    task: str
    done: int
    total: int
    unit: str
    rate: float
    seconds_left: float | None = None
    note: str = ""

    @property
    def text(self) -> str:
        """Such as ``training 10/100 epochs, 1.0 epochs/s, 90 s left``."""
        parts = [f"{self.task} {self.done:,}/{self.total:,} {self.unit}", rate_text(self.rate, self.unit)]
        if self.seconds_left is not None:
            parts.append(f"{self.seconds_left:,.0f} s left")
        return ", ".join([*parts, self.note] if self.note else parts)


@dataclass(frozen=True, slots=True)
class Note(Event):
    """A remark that asks for nothing."""

    event: ClassVar[str] = "note"
    what: str

    @property
    def text(self) -> str:
        """The remark."""
        return self.what


@dataclass(frozen=True, slots=True)
class Warned(Event):
    """A finding that does not stop the command."""

    event: ClassVar[str] = "warning"
    level: ClassVar[Level] = "warning"
    where: str
    what: str
    remedy: str = ""

    @property
    def text(self) -> str:
        """Where, what and remedy as one line."""
        return f"warning: {_sentence(self.where, self.what, self.remedy)}"


@dataclass(frozen=True, slots=True)
class Error(Event):
    """Why the command ends without a result."""

    event: ClassVar[str] = "error"
    level: ClassVar[Level] = "error"
    where: str
    what: str
    remedy: str
    exit_code: int
    type: str = ""

    @property
    def text(self) -> str:
        """Where, what and remedy as one line."""
        return f"error: {_sentence(self.where, self.what, self.remedy)}"


@dataclass(frozen=True, slots=True)
class End(Event):
    """The command has ended; a log without this line is of a process that was killed."""

    event: ClassVar[str] = "end"
    exit_code: int
    seconds: float


EVENTS: tuple[type[Event], ...] = (Begin, StageBegin, StageEnd, Progress, Note, Warned, Error, End)
"""All events; `docs/jobs.md` lists them with their fields."""

_quiet: ContextVar[bool] = ContextVar("log_quiet", default=False)
_write: Callable[[str], None] | None = None  # of JSON lines; forked processes inherit it


def emit(event: Event) -> None:
    """Write an event to stderr: its text, or its JSON line inside `json_lines`. A log that is full stops no run.

    Example:
        >>> emit(StageBegin("fit"))  # for programs alone
    """
    if _quiet.get() and not isinstance(event, Error):
        return
    with suppress(OSError):
        if _write is not None:
            _write(_line(event))
        elif event.text:
            sys.stderr.write(f"{event.text}\n")
            sys.stderr.flush()


@contextmanager
def quiet() -> Iterator[None]:
    """Drop every event inside the block but errors."""
    token = _quiet.set(True)
    try:
        yield
    finally:
        _quiet.reset(token)


def quieted() -> bool:
    """Whether events are dropped here."""
    return _quiet.get()


def structured() -> bool:
    """Whether events are written as JSON lines."""
    return _write is not None


@contextmanager
def json_lines() -> Iterator[None]:
    """Write events as JSON lines inside the block, and nothing else to stderr.

    What libraries write there themselves is dropped, also by forked processes: it is no JSON and may quote cells.
    Warnings of Python that are not filtered become events.
    """
    global _write  # noqa: PLW0603 - one stderr for a process
    before, shown, silenced = sys.stderr, warnings.showwarning, os.open(os.devnull, os.O_WRONLY)
    try:
        number: int | None = before.fileno()
    except (AttributeError, ValueError, UnsupportedOperation):  # replaced by an object in memory
        number = None
    own = None if number is None else os.dup(number)
    with suppress(OSError):
        before.flush()
    with os.fdopen(silenced, "w", encoding="utf-8") as nowhere:
        try:
            _write = partial(_write_whole, before if own is None else own)
            warnings.showwarning = _warned
            sys.stderr = nowhere
            if number is not None:
                os.dup2(silenced, number)
            yield
        finally:
            _write, warnings.showwarning, sys.stderr = None, shown, before
            if own is not None and number is not None:
                os.dup2(own, number)
                os.close(own)


def _write_whole(place: TextIO | int, line: str) -> None:
    """Write a line by one call where the system takes it whole, so that lines of several processes do not mix."""
    if not isinstance(place, int):
        place.write(line)
        return
    data = line.encode("ascii")
    while data:
        data = data[os.write(place, data) :]


def _warned(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    emit(Warned(category.__name__, str(message)))


def _line(event: Event) -> str:
    """Return an event as one line of JSON in ASCII; numbers have six significant digits."""
    now = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    fields = {k: float(f"{v:.6g}") if isinstance(v, float) else v for k, v in asdict(event).items()}
    return json.dumps({"time": now, "level": event.level, "event": event.event, **fields}) + "\n"


def line_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a line; `synthclin schema json log` prints it.

    Example:
        >>> [kind["title"] for kind in line_schema()["anyOf"]][:2]
        ['begin', 'stage_begin']
    """
    from pydantic import TypeAdapter  # noqa: PLC0415 - progress does not need it

    kinds = []
    for kind in EVENTS:
        made = TypeAdapter(kind).json_schema()
        head = {
            "time": {"type": "string", "format": "date-time"},
            "level": {"const": kind.level},
            "event": {"const": kind.event},
        }
        fields = {key: {k: v for k, v in one.items() if k != "default"} for key, one in made["properties"].items()}
        properties = head | fields
        kinds.append(
            {
                "title": kind.event,
                "description": kind.__doc__,
                "type": "object",
                "properties": properties,
                "required": list(properties),
            }
        )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:synthclin:log:1",
        "title": "A log line of synthclin",
        "anyOf": kinds,
    }


def rate_text(rate: float, unit: str) -> str:
    """Return steps per second as text, per hour where they are slow.

    Example:
        >>> rate_text(2.5, "epochs"), rate_text(0.01, "cells")
        ('2.5 epochs/s', '36 cells/h')
    """
    return f"{rate:,.1f} {unit}/s" if rate >= 0.05 or rate == 0 else f"{3600 * rate:,.0f} {unit}/h"


def _sentence(where: str, what: str, remedy: str) -> str:
    return (f"{where}: " if where else "") + what + (f". {remedy}" if remedy else "")

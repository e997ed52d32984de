"""Progress reports on stderr: a bar on a terminal, periodic lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Column
from rich.text import Text

from synthclin import log
from synthclin.log import quiet

__all__ = ["PLAIN_EVERY", "quiet", "track"]

PLAIN_EVERY = 10.0
"""Seconds between two lines of a log, and before the first."""

Step = Callable[..., None]


class _Rate(ProgressColumn):
    """Steps per second, in the unit of the task."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else log.rate_text(speed, task.fields["unit"]), style="dim")


def _nothing(n: int = 1, note: str = "") -> None:
    """Take a step without a report."""


@contextmanager
def track(label: str, total: int, unit: str = "steps", done: int = 0) -> Iterator[Step]:
    """Report the progress of `label` while the block runs; yields `step(n=1, note="")`.

    Arguments:
        label: the name of the stage, such as ``"training"``.
        total: the largest number of steps.
        unit: the plural noun of a step.
        done: the number of steps done before.

    Example:
        >>> with track("counting", total=3) as step:
        ...     for _ in range(3):
        ...         step(1, note="loss 0.5")
    """
    if log.quieted():
        yield _nothing
    elif sys.stderr.isatty() and not log.structured():
        with _bar(label, total, unit, done) as step:
            yield step
    else:
        lines = _Lines(label, total, unit, done)
        yield lines.step
        lines.end()


@contextmanager
def _bar(label: str, total: int, unit: str, done: int) -> Iterator[Step]:
    columns = (
        TextColumn("{task.description:<9}"),
        BarColumn(bar_width=12),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        _Rate(table_column=Column(no_wrap=True)),
        TimeRemainingColumn(compact=True),
        TextColumn("left"),
        # What does not fit is cut, so that a narrow terminal still shows one line.
        TextColumn("[dim]{task.fields[note]}", table_column=Column(no_wrap=True, overflow="ellipsis")),
    )
    with Progress(*columns, console=Console(stderr=True), transient=False) as bar:
        task = bar.add_task(label, total=total, completed=done, unit=unit, note="")

        def step(n: int = 1, note: str = "") -> None:
            bar.update(task, advance=n, note=note or bar.tasks[0].fields["note"])

        yield step
        # A stage that stops early is complete, not stuck at 40 %; set directly, because an update forgets the rate.
        bar.tasks[0].total = bar.tasks[0].completed


class _Lines:
    """Progress in the log of a batch job: an event every `PLAIN_EVERY` seconds, and one at the end after these."""

    def __init__(self, label: str, total: int, unit: str, done: int) -> None:
        self.label, self.total, self.unit = label, total, unit
        self.before = self.done = done
        self.note = ""
        self.last: log.Progress | None = None
        self.begun = self.reported = time.monotonic()

    def step(self, n: int = 1, note: str = "") -> None:
        self.done += n
        self.note = note or self.note
        if time.monotonic() - self.reported >= PLAIN_EVERY:
            self.report()

    def end(self) -> None:
        if self.last is not None:
            self.total = self.done
            self.report()

    def report(self) -> None:
        self.reported = time.monotonic()
        rate = (self.done - self.before) / max(self.reported - self.begun, 1e-9)
        left = (self.total - self.done) / rate if self.done < self.total and rate > 0 else None
        last, self.last = self.last, log.Progress(self.label, self.done, self.total, self.unit, rate, left, self.note)
        if last is None or self.last.text != last.text:
            log.emit(self.last)

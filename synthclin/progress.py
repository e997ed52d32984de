"""Progress on stderr for whatever takes long: rate and time left; silent when stderr is not a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Column
from rich.text import Text

__all__ = ["quiet", "track"]

Step = Callable[..., None]

_silenced: ContextVar[bool] = ContextVar("progress_silenced", default=False)


class _Rate(ProgressColumn):
    """Steps per second, in the unit of the task."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.1f} {task.fields['unit']}/s", style="dim")


def _nothing(n: int = 1, note: str = "") -> None:
    """Take a step that nobody watches."""


@contextmanager
def track(label: str, total: int, unit: str = "steps") -> Iterator[Step]:
    """Show a bar called `label` while the block runs; yields `step(n=1, note="")`.

    Arguments:
        label: what is being done, such as ``"training"``.
        total: how many steps there are at most; fewer is fine.
        unit: the plural noun that the rate counts.

    Example:
        >>> with track("counting", total=3) as step:
        ...     for _ in range(3):
        ...         step(1, note="loss 0.5")
    """
    if _silenced.get() or not sys.stderr.isatty():
        yield _nothing
        return
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
        task = bar.add_task(label, total=total, unit=unit, note="")

        def step(n: int = 1, note: str = "") -> None:
            bar.update(task, advance=n, note=note)

        yield step
        # A stage that stops early is complete, not stuck at 40 %; set directly, because an update forgets the rate.
        bar.tasks[0].total = bar.tasks[0].completed


@contextmanager
def quiet() -> Iterator[None]:
    """Silence every `track` inside the block, terminal or not."""
    token = _silenced.set(True)
    try:
        yield
    finally:
        _silenced.reset(token)

"""Runs that end before their end: killed outright, which cannot clean up, or told to end by SIGTERM in some stage."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

__all__ = ["killed_while_training", "told_to_end"]

Place = Literal["training", "audit", "scoring"]


def killed_while_training(folder: Path, *words: str, study: str = "study.yaml") -> str:
    """Run the study or sweep in `folder` until its third checkpoint is written; returns all that it said."""
    code, text = _run(folder, ["run", study, *words], lambda: _at_checkpoint(3, "", signal.SIGKILL))
    assert code == -signal.SIGKILL, text
    return text


def told_to_end(folder: Path, *words: str, at: Place, by: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
    """Run a command until a signal at its second checkpoint of training or audit, or SIGTERM before the scores.

    Returns:
        its exit code, and what it wrote to stdout and stderr.
    """
    hooks: dict[Place, Callable[[], None]] = {
        "training": lambda: _at_checkpoint(2, ".checkpoint", by),
        "audit": lambda: _at_checkpoint(2, ".audit", by),
        "scoring": _before_the_scores,
    }
    return _run(folder, list(words), hooks[at])


def _run(folder: Path, words: list[str], hook: Callable[[], None]) -> tuple[int | None, str]:
    """Run a command in a forked process, which has the libraries already: their import takes longer than a training."""
    with tempfile.TemporaryDirectory() as place:
        said = Path(place) / "said.txt"
        context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
        process = context.Process(target=_command, args=(folder, said, words, hook))
        process.start()
        process.join(timeout=300)
        return process.exitcode, said.read_text("utf-8")


def _command(folder: Path, said: Path, words: list[str], hook: Callable[[], None]) -> None:
    """Run the command with all its output in the file `said`, after `hook` has laid its trap."""
    with said.open("a", encoding="utf-8", buffering=1) as output, said.open("a", encoding="utf-8", buffering=1) as log:
        os.dup2(output.fileno(), 1)
        os.dup2(log.fileno(), 2)
        sys.stdout, sys.stderr = output, log
        from synthclin import progress  # noqa: PLC0415 - what they print stands in the file
        from synthclin.cli import main  # noqa: PLC0415
        from synthclin.models import Checkpoint  # noqa: PLC0415
        from tests.short import short_trainings  # noqa: PLC0415

        short_trainings(pytest.MonkeyPatch())  # as in the process that resumes it
        progress.PLAIN_EVERY = 0.0
        Checkpoint.__init__.__defaults__ = (0.0,)
        hook()
        os.chdir(folder)
        sys.exit(main(words))


def _at_checkpoint(count: int, kind: str, number: signal.Signals) -> None:
    """Send this process a signal when the checkpoint of a kind has been offered a number of times."""
    from synthclin.models import Checkpoint  # noqa: PLC0415

    offer, left = Checkpoint.offer, [count]

    def kill(self, *arguments, **words):
        offer(self, *arguments, **words)
        left[0] -= self.folder.name.endswith(kind)
        if not left[0]:
            signal.raise_signal(number)

    Checkpoint.offer = kill


def _before_the_scores() -> None:
    from synthclin.study import stages  # noqa: PLC0415

    stages.report_on = lambda *_, **__: signal.raise_signal(signal.SIGTERM)

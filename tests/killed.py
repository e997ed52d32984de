"""A run that is killed outright while it trains: it cannot clean up, and what it leaves is looked at."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import tempfile
from pathlib import Path

import pytest

__all__ = ["killed_while_training"]


def killed_while_training(folder: Path, *words: str, study: str = "study.yaml") -> str:
    """Run the study or sweep in `folder` until its third checkpoint is written; returns all that it said.

    A forked process has the libraries already, whose import takes longer than such a training.
    """
    with tempfile.TemporaryDirectory() as place:
        said = Path(place) / "said.txt"
        context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
        process = context.Process(target=_train, args=(folder, said, [study, *words]))
        process.start()
        process.join(timeout=300)
        text = said.read_text("utf-8")
    assert process.exitcode == -signal.SIGKILL, text
    return text


def _train(folder: Path, said: Path, words: list[str]) -> None:
    """Run the command with all its output in the file `said`, and kill this process at the third checkpoint."""
    with said.open("w", encoding="utf-8", buffering=1) as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
        sys.stdout = sys.stderr = output
        from synthclin import progress  # noqa: PLC0415 - what they print stands in the file
        from synthclin.cli import main  # noqa: PLC0415
        from synthclin.models import Checkpoint  # noqa: PLC0415
        from tests.short import short_trainings  # noqa: PLC0415

        offer, left = Checkpoint.offer, [3]

        def kill(self, *arguments, **words):
            offer(self, *arguments, **words)
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

        short_trainings(pytest.MonkeyPatch())  # as in the process that resumes it
        progress.PLAIN_EVERY = 0.0
        Checkpoint.__init__.__defaults__ = (0.0,)
        Checkpoint.offer = kill
        os.chdir(folder)
        main(["run", *words])

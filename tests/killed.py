"""A run that is killed outright while it trains: it cannot clean up, and what it leaves is looked at."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

__all__ = ["killed_while_training"]

_CODE = """
    import os, signal, sys
    from synthclin.cli import main
    from synthclin.models import Checkpoint
    offer, left = Checkpoint.offer, [3]

    def kill(self, *arguments, **words):
        offer(self, *arguments, **words)
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)

    Checkpoint.__init__.__defaults__ = (0.0,)
    Checkpoint.offer = kill
    main(["run", *sys.argv[1:]])
"""


def killed_while_training(folder: Path, *words: str, study: str = "study.yaml") -> str:
    """Run the study or sweep in `folder` until its third checkpoint is written; returns all that it said."""
    command = [sys.executable, "-c", textwrap.dedent(_CODE), study, *words]
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return done.stdout + done.stderr

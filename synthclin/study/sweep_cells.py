"""Cells of a sweep: what is left to do of each, one ordinary run, and the record of how it ended."""

from __future__ import annotations

import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import parent_process
from types import FrameType
from typing import Literal, NamedTuple

from synthclin.errors import ModelFormatError, SynthclinError
from synthclin.models import Checkpoint
from synthclin.models.distributed import one_thread
from synthclin.progress import quiet
from synthclin.study import run as study_run
from synthclin.study.config import Cell
from synthclin.study.finished import differences

__all__ = ["Failure", "State", "run_cell", "state_of"]

State = Literal["complete", "unfinished", "outdated", "to run"]


class Failure(NamedTuple):
    """Why a cell has no result: where, what and remedy, without values of cells."""

    where: str
    what: str
    remedy: str


def state_of(cell: Cell) -> State:
    """Return what there is of a cell.

    ``complete`` is a run folder without `synthclin.study.finished.differences`, ``outdated`` any other folder, and
    ``unfinished`` an interrupted run with a checkpoint.
    """
    config = cell.config
    if any(checkpoint.exists for checkpoint in _checkpoints(cell)):
        return "unfinished"
    if not config.folder.exists():
        return "to run"
    return "outdated" if differences(config) else "complete"


def run_cell(cell: Cell, *, resume: bool) -> Failure | None:
    """Run a cell and write its folder, an older one replaced; return why there is none, or None.

    Arguments:
        cell: the cell.
        resume: continue the training of an interrupted run; one of another study or table begins anew.
    """
    with one_thread(), _stoppable(), quiet():
        try:
            try:
                study_run.run(cell.config, overwrite=True, resume=resume)
            except ModelFormatError:
                if not resume:
                    raise
                for checkpoint in _checkpoints(cell):
                    checkpoint.discard()
                study_run.run(cell.config, overwrite=True)
        except SynthclinError as error:
            return Failure(error.where, error.what, error.remedy)
        except Exception as error:  # noqa: BLE001 - one cell must not end the sweep
            # Its message may hold cells of the table, so it is not kept.
            remedy = f"Set SYNTHCLIN_DEBUG=1 to see the traceback, which may quote cells, of: {cell.command}"
            return Failure(_blame(error), f"internal error: {type(error).__name__}", remedy)
    return None


def _checkpoints(cell: Cell) -> tuple[Checkpoint, Checkpoint]:
    return Checkpoint.beside(cell.config.folder), Checkpoint.beside(cell.config.folder, "audit")


def _blame(error: Exception) -> str:
    """Return the module of this package that was running when `error` was raised."""
    modules = [str(frame.f_globals.get("__name__", "")) for frame, _ in traceback.walk_tb(error.__traceback__)]
    return next((name for name in reversed(modules) if name.startswith("synthclin.")), "synthclin")


@contextmanager
def _stoppable() -> Iterator[None]:
    """In a worker process: turn SIGTERM, by which the sweep stops it, into an exit that leaves nothing half-written."""

    def stop(signum: int, frame: FrameType | None) -> None:
        del frame
        signal.signal(signum, signal.SIG_IGN)
        raise SystemExit

    if parent_process() is None:
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

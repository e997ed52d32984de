"""Jobs in forked processes of this machine."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from synthclin.errors import SynthclinError

__all__ = ["GRACE", "LocalEngine", "become_worker", "is_worker"]

GRACE = 30.0
"""Seconds that a worker has to end after Ctrl-C before it is killed: a job may be inside a long call of a library."""

_TOGETHER = 1.0
"""Seconds within which a signal for all processes of a job also reaches this one, after it has ended a worker."""

_PR_SET_PDEATHSIG = 1  # of Linux, the only system on which processes are forked

_jobs: Sequence[Callable[[], object]] = ()  # of the pool that is being started; forked processes inherit them
_works = False  # whether this process is a worker of another engine


class LocalEngine:
    """Forked processes of this machine.

    Jobs need not be sent to them; results are. On a system that cannot fork safely (Windows, macOS), and inside a
    worker, one job follows the other in this process.
    """

    def processors(self) -> int:
        """Return how many processors this process may use."""
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    def finished(
        self, jobs: Sequence[Callable[[], Any]], order: Sequence[int], workers: int, folder: Path | None
    ) -> Iterator[tuple[int, Any]]:
        """Yield the number and the result of each job as it is finished.

        Raises:
            SynthclinError: a process was killed.
        """
        del folder  # one machine has one file system
        if not _may_fork():
            for number in order:
                yield number, jobs[number]()
            return
        global _jobs  # noqa: PLW0603 - forked processes inherit a module's globals
        _jobs = jobs
        context = multiprocessing.get_context("fork")
        pool = ProcessPoolExecutor(workers, context, initializer=_depend_on, initargs=(os.getpid(),))
        try:
            left: dict[Future[Any], int] = {pool.submit(_run, number): number for number in order}
            while left:
                for future in wait(left, return_when=FIRST_COMPLETED).done:
                    yield left.pop(future), future.result()
        except BrokenProcessPool:
            # Slurm and systemd send SIGTERM to all processes of a job: it interrupts this pause, and is no lost worker.
            time.sleep(_TOGETHER)
            what = "a worker process was killed, perhaps because memory ran out"
            raise SynthclinError("parallel jobs", what, "Use one worker: `workers: 1`.") from None
        except BaseException as problem:
            # Ctrl-C, or whatever a signal became: a job may take minutes, and nobody waits for its result any more.
            if not isinstance(problem, Exception):
                _stop(multiprocessing.active_children())
            raise
        finally:
            _jobs = ()
            pool.shutdown(wait=True, cancel_futures=True)


def is_worker() -> bool:
    """Return whether this process runs jobs for another one: it starts no processes of its own."""
    return _works or multiprocessing.parent_process() is not None


def become_worker() -> None:
    """Mark this process as a worker of another engine."""
    global _works  # noqa: PLW0603 - what a process is for is a fact of the process
    _works = True


def _stop(processes: Sequence[BaseProcess]) -> None:
    """Send SIGTERM to processes, and SIGKILL to those that do not end within a grace period."""
    for process in processes:
        process.terminate()
    until = time.monotonic() + GRACE
    for process in processes:
        process.join(max(0.0, until - time.monotonic()))
        if process.is_alive():
            process.kill()


def _run(number: int) -> object:
    try:
        return _jobs[number]()
    except SystemExit:
        # A job that SIGTERM has ended: the pool would report it and give the worker another one.
        os._exit(1)


def _depend_on(parent: int) -> None:
    """Ignore Ctrl-C in a worker, because the parent stops the pool, and end with the parent if that is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it was killed before
        os._exit(1)


def _may_fork() -> bool:
    return sys.platform == "linux" and not is_worker()  # macOS aborts forked processes that use system libraries

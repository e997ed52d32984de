"""Jobs in parallel processes: the same results in the same order as one after the other."""

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
from typing import Any, TypeVar

from synthclin.errors import SynthclinError

__all__ = ["processors", "run_all"]

_GRACE = 30.0
"""Seconds that a worker has to end after Ctrl-C before it is killed: a job may be inside a long call of a library."""

_TOGETHER = 1.0
"""Seconds within which a signal for all processes of a job also reaches this one, after it has ended a worker."""

_PR_SET_PDEATHSIG = 1  # of Linux, the only system on which processes are forked

T = TypeVar("T")
Job = Callable[[], T]

_jobs: Sequence[Callable[[], object]] = ()  # of the pool that is being started; forked processes inherit them


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_all(
    jobs: Sequence[Job[T]], workers: int = 1, *, first: Sequence[int] = (), done: Callable[[int, T], None] | None = None
) -> list[T]:
    """Return the results of all jobs, in their order, computed in up to `workers` processes.

    Processes are forked, so that jobs need not be sent to them; results are. A job depends on its own inputs alone, so
    that the results are the same whatever the number of workers. One worker, or a system that cannot fork safely
    (Windows, macOS), means one job after the other in this process. A job that uses CUDA cannot run in a fork: ask for
    one worker then.

    Arguments:
        jobs: functions without arguments.
        workers: how many processes at most.
        first: numbers of jobs to start before the others, such as the longest.
        done: is called in this process with the number and the result of each job that is finished.

    Raises:
        SynthclinError: a process was killed, for instance because memory ran out. An error of a job is raised as it is.
            After Ctrl-C the processes get SIGTERM.

    Example:
        >>> run_all([lambda: 1, lambda: 2], workers=2)
        [1, 2]
    """
    order = list(dict.fromkeys([*first, *range(len(jobs))]))
    results: dict[int, T] = {}
    for number, result in _finished(jobs, order, min(workers, len(jobs))):
        results[number] = result
        if done is not None:
            done(number, result)
    return [results[number] for number in range(len(jobs))]


def _finished(jobs: Sequence[Job[T]], order: Sequence[int], workers: int) -> Iterator[tuple[int, T]]:
    """Yield the number and the result of each job as it is finished."""
    if workers <= 1 or not _may_fork():
        for number in order if workers > 1 else range(len(jobs)):
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


def _stop(processes: Sequence[BaseProcess]) -> None:
    """Send SIGTERM to processes, and SIGKILL to those that do not end within a grace period."""
    for process in processes:
        process.terminate()
    until = time.monotonic() + _GRACE
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
    # macOS aborts forked processes that use system libraries; a worker starts no workers of its own.
    return sys.platform == "linux" and multiprocessing.parent_process() is None

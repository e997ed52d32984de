"""Jobs without arguments, run by an engine: the same results in the same order as one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, get_args

from synthclin.errors import ConfigError
from synthclin.parallel import local_engine
from synthclin.parallel.local_engine import LocalEngine

__all__ = ["ENGINES", "Engine", "EngineName", "engine", "processors", "run_all"]

EngineName = Literal["local", "ray"]
"""The engines: processes of this machine, and a Ray cluster."""

ENGINES: tuple[EngineName, ...] = get_args(EngineName)
"""All engines; the default is the first."""

T = TypeVar("T")
Job = Callable[[], T]


class Engine(Protocol):
    """What runs jobs."""

    def processors(self) -> int:
        """Return how many jobs may run at the same time."""

    def finished(
        self, jobs: Sequence[Job[Any]], order: Sequence[int], workers: int, folder: Path | None
    ) -> Iterator[tuple[int, Any]]:
        """Yield the number and the result of each job as it is finished, in at most `workers` > 1 processes."""


_LOCAL = LocalEngine()
_active: ContextVar[Engine] = ContextVar("engine", default=_LOCAL)


@contextmanager
def engine(name: EngineName | None, workers: int | None = None) -> Iterator[None]:
    """Run the jobs inside the block by an engine.

    Scores, shadow models, cells of a sweep and shards of a sample are jobs. Their results do not depend on the engine.
    With ``ray`` the environment variable ``RAY_ADDRESS`` names a cluster that exists; without it one is started on this
    machine and stopped at the end of the block. Inside a job nothing changes: a job starts no processes of its own.

    Arguments:
        name: ``local`` for processes of this machine, ``ray`` for a Ray cluster, None for the engine around the block.
        workers: how many jobs are run at the same time, if this is known; no cluster is needed for one.

    Raises:
        ConfigError: there is no such engine, Ray is absent, or the cluster cannot be reached or used.

    Example:
        >>> with engine("local"):
        ...     run_all([lambda: 1, lambda: 2], workers=2)
        [1, 2]
    """
    if name is not None and name not in ENGINES:
        raise ConfigError("engine", f"there is no engine {name!r}", f"Choose from {', '.join(ENGINES)}.")
    if name is None or local_engine.is_worker():
        yield
    elif name == "local":
        with _running(_LOCAL):
            yield
    elif workers == 1 or not isinstance(_active.get(), LocalEngine):
        yield  # this process does the work alone, or the cluster is connected
    else:
        from synthclin.parallel.ray_cluster import cluster  # noqa: PLC0415 (it needs the extra `ray`)

        with cluster(workers) as connected, _running(connected):
            yield


@contextmanager
def _running(chosen: Engine) -> Iterator[None]:
    token = _active.set(chosen)
    try:
        yield
    finally:
        _active.reset(token)


def processors() -> int:
    """Return how many jobs may run at the same time: processors of this process, or of the Ray cluster."""
    return _active.get().processors()


def run_all(
    jobs: Sequence[Job[T]],
    workers: int = 1,
    *,
    first: Sequence[int] = (),
    done: Callable[[int, T], None] | None = None,
    folder: Path | None = None,
) -> list[T]:
    """Return the results of all jobs, in their order, computed in up to `workers` processes of the engine.

    A job depends on its own inputs alone, so that the results are the same whatever the number of workers. One worker
    means one job after the other in this process, whatever the engine. A job that uses CUDA cannot run in another
    process: ask for one worker then. With Ray a job whose process dies runs again, so that one that writes files must
    replace what it has left half-written.

    Arguments:
        jobs: functions without arguments.
        workers: how many processes at most.
        first: numbers of jobs to start before the others, such as the longest.
        done: is called in this process with the number and the result of each job that is finished.
        folder: the folder that exists and that jobs write into, if they do. All machines of a cluster must share it.

    Raises:
        SynthclinError: a process was killed, for instance because memory ran out; with Ray, four times in one job. An
            error of a job is raised as it is. After Ctrl-C the processes are stopped.
        ConfigError: the nodes of a Ray cluster cannot run the jobs.

    Example:
        >>> run_all([lambda: 1, lambda: 2], workers=2)
        [1, 2]
    """
    order = list(dict.fromkeys([*first, *range(len(jobs))]))
    workers = min(workers, len(jobs))
    found: Iterator[tuple[int, T]]
    if workers <= 1:
        found = ((number, jobs[number]()) for number in range(len(jobs)))
    else:
        found = _active.get().finished(jobs, order, workers, folder)
    results: dict[int, T] = {}
    for number, result in found:
        results[number] = result
        if done is not None:
            done(number, result)
    return [results[number] for number in range(len(jobs))]

"""Jobs on a Ray cluster: sent once to each process, run again if their process dies, stopped with the caller."""

from __future__ import annotations

import secrets
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from synthclin.errors import ConfigError, OutputError, SynthclinError
from synthclin.parallel import ray_worker
from synthclin.parallel.local_engine import GRACE

__all__ = ["AGAIN", "RayEngine", "RayThread"]

AGAIN = 3
"""How many times a job is run again whose process died."""

_NAME = "synthclin"
"""Of the tasks, in Ray's lists and logs."""

_STEP = 1.0
"""Seconds of one call that waits; what a signal raises is raised after it at the latest."""

_PART = 0.8
"""Part of an object store that jobs may fill; the rest is for results."""


T = TypeVar("T")


class RayThread:
    """The thread that makes all calls of Ray, one after the other, so that no signal is raised inside of one.

    Ray does not survive that: it reports a SystemError, or ends the process.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "ray")

    def __call__(self, function: Callable[[], T]) -> T:
        """Return what a function returns that is called in the thread; what a signal raises is raised after it."""
        future = self._pool.submit(function)
        try:
            return future.result()
        finally:
            wait([future])

    def end(self) -> None:
        """End the thread after the calls that were asked for."""
        self._pool.shutdown(wait=True)


class RayEngine:
    """A cluster that this process is connected to.

    Arguments:
        ray: the module.
        thread: makes all its calls.
        processors: how many processors the cluster has for jobs.
        identity: versions of this process; see `synthclin.parallel.ray_worker.Node`.
        nodes: looks at every node, for a file that all must see, and refuses those that cannot run jobs.
        further: names of environment variables whose values here jobs take over.
    """

    def __init__(
        self,
        ray: Any,  # noqa: ANN401 (Ray is optional, and so are its types)
        thread: RayThread,
        processors: int,
        identity: dict[str, str],
        nodes: Callable[[Path | None], list[int]],
        further: Sequence[str] = (),
    ) -> None:
        self._ray, self._thread, self._nodes = ray, thread, nodes
        self._processors, self._identity, self._further = processors, identity, further

    def processors(self) -> int:
        """Return how many jobs may run at the same time."""
        return self._processors

    def finished(
        self, jobs: Sequence[Callable[[], Any]], order: Sequence[int], workers: int, folder: Path | None
    ) -> Iterator[tuple[int, Any]]:
        """Yield the number and the result of each job as it is finished.

        Raises:
            SynthclinError: the process of a job died four times. An error of a job is raised as it is.
            ConfigError: jobs do not fit into the object store, or a node cannot run them.
        """
        settings = ray_worker.Settings.of_caller(self._identity, self._further)
        sent = self._thread(lambda: self._send(jobs, settings, folder))
        task = self._ray.remote(ray_worker.run_job).options(num_cpus=1, max_retries=0, name=_NAME)
        key, waiting, died = secrets.token_hex(8), deque(order), Counter[int]()
        running: dict[Any, int] = {}
        try:
            while waiting or running:
                while waiting and len(running) < min(workers, self._processors):
                    number = waiting.popleft()
                    running[self._thread(partial(task.remote, [sent], key, number))] = number
                for reference in self._thread(lambda: self._ray.wait(list(running), timeout=_STEP)[0]):
                    number = running.pop(reference)
                    outcome = self._thread(partial(self._outcome, reference))
                    if outcome.kind == "result":
                        yield number, outcome.value
                        continue
                    died[number] += 1
                    _refuse(outcome, died[number])
                    waiting.appendleft(number)
        except BaseException:
            self._thread(lambda: self._stop(list(running)))
            raise

    def _send(self, jobs: Sequence[Callable[[], Any]], settings: ray_worker.Settings, folder: Path | None) -> Any:  # noqa: ANN401
        """Put settings and jobs into the object store, once for all processes, and return their reference."""
        stores = self._with_token(folder)
        try:
            # Bytes, so that every process has arrays of its own: those of the object store cannot be written to.
            content = self._ray.cloudpickle.dumps(list(jobs))
            settings_only = self._ray.cloudpickle.dumps(settings)
        except Exception as error:  # whatever a type raises while it is serialized
            what = f"a job cannot be sent to another process ({type(error).__name__})"
            raise SynthclinError("parallel jobs", what, "Use `engine: local`.") from error
        size, room = len(content) + len(settings_only), int(_PART * min(stores, default=0))
        if size > room:
            what = f"the jobs hold {_gigabytes(size)}, and {_gigabytes(room)} fit into the smallest object store"
            remedy = "Give the nodes more shared memory (`docker run --shm-size`, `ray start --object-store-memory`), "
            raise ConfigError("engine: ray", what, f"{remedy}or use `engine: local`.")
        return self._ray.put((settings, content))

    def _with_token(self, folder: Path | None) -> list[int]:
        """Look at every node and return the sizes of their object stores, in bytes; all must see `folder`."""
        if folder is None:
            return self._nodes(None)
        token = folder.absolute() / f".synthclin-{secrets.token_hex(8)}"
        try:
            token.touch(mode=0o600)
            return self._nodes(token)
        except OSError as problem:
            raise OutputError(
                str(folder), f"cannot be written ({problem.strerror})", "Choose another folder."
            ) from None
        finally:
            token.unlink(missing_ok=True)

    def _outcome(self, reference: Any) -> ray_worker.Outcome:  # noqa: ANN401
        """Return how a job ended; ``lost`` where its process or node died."""
        errors = self._ray.exceptions
        try:
            found: ray_worker.Outcome = self._ray.cloudpickle.loads(self._ray.get(reference))
        except errors.RayTaskError as error:
            # `run_job` raises nothing: the process cannot load it.
            what = f"it cannot run jobs ({type(error.cause).__name__})"
            raise ConfigError("Ray node", what, "Install synthclin with the same versions on all nodes.") from None
        except errors.RayError:
            return ray_worker.Outcome("lost", None)
        return found

    def _stop(self, running: Sequence[Any]) -> None:
        """Interrupt jobs and wait for their end, within a grace period; what is left ends with the cluster."""
        with suppress(Exception):  # the cluster may be gone
            for reference in running:
                self._ray.cancel(reference, force=False)  # by force Ray may end this process
            if running:
                self._ray.wait(list(running), num_returns=len(running), timeout=GRACE)


def _refuse(outcome: ray_worker.Outcome, deaths: int) -> None:
    """Raise the error of a job, or one for a job whose processes died too often."""
    if outcome.kind == "error":
        outcome.value.add_note(outcome.trace)
        raise outcome.value
    if deaths > AGAIN:
        what = f"the worker processes of one job were killed {deaths} times, perhaps because memory ran out"
        raise SynthclinError(
            "parallel jobs", what, "Use fewer workers, such as `workers: 1`, or nodes with more memory."
        )


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:,.2f} GB"

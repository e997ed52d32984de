"""A Ray cluster: the one of RAY_ADDRESS, or one of this machine alone that ends with its block.

Objects that jobs and results are part of hold rows of patients. They are kept in memory: a cluster that would write
them to a disk is refused, and so is one whose nodes would give other bytes.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import secrets
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from synthclin.errors import ConfigError
from synthclin.parallel import ray_worker
from synthclin.parallel.local_engine import LocalEngine
from synthclin.parallel.ray_engine import RayEngine, RayThread

__all__ = ["ADDRESS", "START", "cluster"]

ADDRESS = "RAY_ADDRESS"

START = "ray start --head --disable-usage-stats --include-dashboard=false"
"""Command that starts the first node of a cluster."""

_FOLDER = "/dev/shm/ray"  # noqa: S108 - memory, of every node; Ray lets others read the folder inside
_IN_MEMORY = f"--object-spilling-directory={_FOLDER}/objects"
_SHARED = Path("/dev/shm")  # noqa: S108 - memory that processes share
_LEAST_STORE = 80_000_000  # bytes; Ray needs 75 MiB
_SECONDS_TO_CONNECT = 5.0
_SECONDS = 60.0  # that a node has to answer
_PREFIX = "synthclin-ray-"


@contextmanager
def cluster(workers: int | None) -> Iterator[RayEngine]:
    """Connect to the cluster of RAY_ADDRESS, or start one on this machine, and yield the engine that uses it.

    Arguments:
        workers: processes of a cluster that is started; one per processor if None.

    Raises:
        ConfigError: Ray is absent, or the cluster cannot be reached, started or used.
    """
    try:
        ray = importlib.import_module("ray")
    except ImportError:
        remedy = 'Install it: pip install -c constraints.txt ".[ray]"'
        raise ConfigError("engine: ray", "Ray is absent", remedy) from None
    importlib.import_module("ray.util.scheduling_strategies")
    with _silent(), _thread() as thread:
        if ray.is_initialized():
            yield _existing(ray, thread)
        elif address := os.environ.get(ADDRESS, "").strip():
            with _connected(ray, thread, address):
                yield _existing(ray, thread)
        else:
            with _started(ray, thread, workers or LocalEngine().processors()) as engine:
                yield engine


@contextmanager
def _thread() -> Iterator[RayThread]:
    thread = RayThread()
    try:
        yield thread
    finally:
        thread.end()


@contextmanager
def _connected(ray: Any, thread: RayThread, address: str) -> Iterator[None]:  # noqa: ANN401 (Ray is optional)
    where = f"{ADDRESS}={address}"
    if "://" in address:
        remedy = "Start synthclin on a node of the cluster, with `RAY_ADDRESS=auto`."
        raise ConfigError(where, "this is the address of a Ray client", remedy)
    constants: Any = importlib.import_module("ray._private.ray_constants")
    constants.NUM_REDIS_GET_RETRIES = 1  # each takes most of a minute
    try:
        found = importlib.import_module("ray._private.services").canonicalize_bootstrap_address_or_die(address)
        _refuse_silent(thread, found)
        with _own_signals(), _environment({"RAY_USAGE_STATS_ENABLED": "0"}):
            _read_environment()
            thread(lambda: ray.init(address=address, log_to_driver=False, logging_level="CRITICAL"))
    except Exception as error:  # noqa: BLE001 - Ray raises several, and their messages span lines
        what = f"the Ray cluster cannot be reached ({type(error).__name__})"
        remedy = (
            f"Start it with `mkdir -m 700 {_FOLDER}; {START} {_IN_MEMORY}`, with the Python and the Ray of this "
            f"machine, which must be one of its nodes; or unset {ADDRESS}, to use this machine alone."
        )
        raise ConfigError(where, what, remedy) from None
    try:
        yield
    finally:
        with _own_signals():
            thread(ray.shutdown)


def _refuse_silent(thread: RayThread, address: str) -> None:
    """Raise an OSError, or a TimeoutError, where nothing listens at HOST:PORT: Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")

    async def connect() -> None:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host.strip("[]"), int(port)), _SECONDS_TO_CONNECT)
        writer.close()

    thread(lambda: asyncio.run(connect()))  # the event loop of a notebook runs in this thread


def _existing(ray: Any, thread: RayThread) -> RayEngine:  # noqa: ANN401
    """Return the engine of the cluster that this process is connected to, after a look at its nodes."""
    identity = ray_worker.describe().versions
    look = _looker(ray, identity)
    thread(lambda: look(None))
    processors = int(ray.cluster_resources().get("CPU", 0))
    if processors < 1:
        raise ConfigError("Ray cluster", "it has no processors", "Start nodes with `ray start --num-cpus`.")
    return RayEngine(ray, thread, processors, identity, look)


def _looker(ray: Any, identity: dict[str, str]) -> Callable[[Path | None], list[int]]:  # noqa: ANN401
    """Return a function that looks at all nodes and returns the sizes of their object stores, in bytes."""

    # A function inside a function is sent as code: a node without this package can run it and say so.
    def describe(token: str | None) -> Any:  # noqa: ANN401
        import importlib  # noqa: PLC0415

        try:
            return tuple(importlib.import_module("synthclin.parallel.ray_worker").describe(token))
        except ImportError:
            return None

    task = ray.remote(describe)
    strategy = importlib.import_module("ray.util.scheduling_strategies").NodeAffinitySchedulingStrategy

    def look(token: Path | None) -> list[int]:
        nodes = [node for node in ray.nodes() if node["Alive"]]
        answers = [
            task.options(
                num_cpus=0, max_retries=3, name="look", scheduling_strategy=strategy(node["NodeID"], soft=False)
            ).remote(None if token is None else str(token))
            for node in nodes
        ]
        stores = []
        for node, answer in zip(nodes, answers, strict=True):
            name = node["NodeManagerHostname"]
            try:
                found = ray.get(answer, timeout=_SECONDS)
            except ray.exceptions.TaskUnschedulableError:
                continue  # the node has left the cluster
            except ray.exceptions.RayError as error:
                what = f"it does not answer ({type(error).__name__})"
                raise ConfigError(f"Ray node {name}", what, "Start it again, or remove it from the cluster.") from None
            _refuse_unlike(None if found is None else ray_worker.Node(*found), identity, name, token)
            stores.append(int(node["Resources"].get("object_store_memory", 0)))
        return stores

    return look


def _refuse_unlike(found: ray_worker.Node | None, identity: dict[str, str], name: str, token: Path | None) -> None:
    """Refuse a node without this package, with other versions, that writes objects to a disk, or without a folder."""
    where = f"Ray node {name}"
    if found is None:
        remedy = "Install the same version as here on all nodes, from one constraints.txt, and start them again."
        raise ConfigError(where, "synthclin is absent there, or has no Ray engine", remedy)
    if found.versions != identity:
        raise ray_worker.unlike(identity, found.versions, name)
    remedy = f"Run `mkdir -m 700 {_FOLDER}` there, and start the node with `ray start ... {_IN_MEMORY}`."
    if not all(Path(folder).is_relative_to(_SHARED) for folder in (found.store, found.spilled)):
        raise ConfigError(where, "it would write objects that hold rows to its disk if memory is full", remedy)
    if not found.private:
        raise ConfigError(where, f"other users can read {found.spilled}, where it puts objects that hold rows", remedy)
    if token is not None and not found.sees:
        remedy = "Put the output folder on a file system that all nodes share, at the same path."
        raise ConfigError(where, f"the folder {token.parent} of this machine is not there", remedy)


@contextmanager
def _started(ray: Any, thread: RayThread, workers: int) -> Iterator[RayEngine]:  # noqa: ANN401
    """Start a cluster of this machine that nobody else reaches, and stop it and remove its files at the end."""
    store = _store()
    _sweep()
    home = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_SHARED))  # for its owner alone
    claim = _claimed(home)
    inner = home / "r"  # whose permissions Ray changes
    inner.mkdir()
    try:
        try:
            with _own_signals(), _closed():
                thread(lambda: ray.init(address="local", num_cpus=workers, object_store_memory=store, **_local(inner)))
        except Exception as error:
            what = f"Ray does not start on this machine ({type(error).__name__})"
            raise ConfigError("engine: ray", what, "Use `engine: local`.") from error
        yield RayEngine(ray, thread, workers, ray_worker.describe().versions, lambda _: [store], _OF_CLUSTER_ALONE)
    finally:
        with _own_signals():
            thread(ray.shutdown)
        _read_environment()
        shutil.rmtree(home, ignore_errors=True)
        if claim is not None:
            os.close(claim)


def _local(home: Path) -> dict[str, Any]:
    """Return arguments of `ray.init` for a cluster whose files and objects are below a folder in memory."""
    return {
        "num_gpus": 0,
        "include_dashboard": False,
        "log_to_driver": False,
        "logging_level": "CRITICAL",
        "object_spilling_directory": str(home),
        "_node_ip_address": "127.0.0.1",
        "_plasma_directory": str(_SHARED),
        "_temp_dir": str(home),
        "_system_config": {"automatic_object_spilling_enabled": False},
    }


_OF_CLUSTER = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",  # other users of this machine cannot send jobs to the cluster
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # as `_closed`, for the processes of the cluster
    "RAY_enable_metrics_collection": "0",
    # Without these Ray asks 169.254.169.254 and metadata.google.internal which cloud this is.
    **dict.fromkeys(("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"), "http://127.0.0.1:9"),
    **dict.fromkeys(("no_proxy", "NO_PROXY"), "127.0.0.1,localhost"),
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
}
"""Environment of the processes of a cluster that is started here."""

_OF_CLUSTER_ALONE = ("PYTHONPATH", *(name for name in _OF_CLUSTER if name.lower().endswith("_proxy")))
"""Variables that are not those of jobs."""


def _store() -> int:
    """Return the size of the object store, in bytes: shared memory that is free, at most a third of all memory."""
    if sys.platform != "linux":
        raise ConfigError("engine: ray", "Ray is used on Linux alone", "Use `engine: local`.")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    free = shutil.disk_usage(_SHARED).free if _SHARED.is_dir() else 0
    store = int(min(0.8 * free, memory / 3))
    if store < _LEAST_STORE:
        what = f"{_SHARED} has {free / 1e6:,.0f} MB, and 100 MB are needed for objects to stay in memory"
        raise ConfigError("engine: ray", what, "Enlarge it (`docker run --shm-size=2g`), or use `engine: local`.")
    return store


def _sweep() -> None:
    """Remove what a process that was killed has left in shared memory."""
    for folder in _SHARED.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            claim = _claimed(folder)
            if claim is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(claim)


def _claimed(folder: Path) -> int | None:
    """Return a lock on a folder that is released at the end of this process; None if another process has it."""
    import fcntl  # noqa: PLC0415 (not on Windows)

    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


@contextmanager
def _closed() -> Iterator[None]:
    """Let a cluster that is started inside the block answer this process alone."""
    constants: Any = importlib.import_module("ray._private.ray_constants")
    several = constants.ENABLE_RAY_CLUSTER
    places = os.pathsep.join(filter(None, sys.path))  # its processes find the modules of this one
    constants.ENABLE_RAY_CLUSTER = False  # without it Ray listens to all networks, 127.0.0.1 or not
    try:
        with _environment(_OF_CLUSTER | {"RAY_AUTH_TOKEN": secrets.token_hex(32), "PYTHONPATH": places}):
            _read_environment()
            yield
    finally:
        constants.ENABLE_RAY_CLUSTER = several


def _read_environment() -> None:
    """Let Ray read its environment variables and its token again, which it otherwise does once per process."""
    raylet = importlib.import_module("ray._raylet")
    raylet.Config.initialize("")
    raylet.AuthenticationTokenLoader.instance().reset_cache()


@contextmanager
def _silent() -> Iterator[None]:
    """Keep Ray from printing on stdout what happens to its processes, which `log_to_driver` does not."""
    module: Any = importlib.import_module("ray._private.worker")
    before = module.print_to_stdstream
    module.print_to_stdstream = lambda *_, **__: None
    try:
        yield
    finally:
        module.print_to_stdstream = before


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables inside the block, which processes that start there inherit."""
    before = {name: os.environ.get(name) for name in (*values, "PYTHONBREAKPOINT")}  # Ray sets it itself
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep the handlers of signals, which Ray replaces by its own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)

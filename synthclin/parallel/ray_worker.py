"""What a worker process of a Ray cluster does: take over the settings of the caller, and run jobs.

A forked process inherits settings and jobs. A Ray worker begins empty, so that what a job can depend on is carried to
it: context variables of this package, `SOURCE_DATE_EPOCH`, and the current folder. Jobs are sent once to a process.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import platform
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import Context, ContextVar, copy_context
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, NamedTuple

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from synthclin.errors import ConfigError
from synthclin.parallel.local_engine import become_worker

__all__ = ["Node", "Outcome", "Settings", "describe", "run_job", "unlike"]

_PACKAGES = (
    "synthclin",
    "torch",
    "numpy",
    "pandas",
    "scipy",
    "scikit-learn",
    "statsmodels",
    "sdmetrics",
    "pyarrow",
    "ray",
)
_VARIABLES = ("SOURCE_DATE_EPOCH",)
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_INSTRUCTIONS = ("avx2", "avx512f", "sve", "asimd")
"""Instruction sets by which numerical libraries choose their code; other code rounds differently."""


class Node(NamedTuple):
    """What a node is.

    Arguments:
        versions: of Python, of this package and its code, of the packages that compute, and the kind of processor: two
            nodes give the same bytes only if they agree in all of it.
        store: the folder of the object store, of which jobs and results are part.
        spilled: the folder for objects if memory is full.
        private: whether its owner alone can read that folder.
        sees: whether the file that was asked for is there.
    """

    versions: dict[str, str]
    store: str
    spilled: str
    private: bool
    sees: bool


class Settings(NamedTuple):
    """Settings of the caller that a forked process would inherit.

    Arguments:
        identity: the `Node.versions` of the caller.
        variables: values of context variables of this package, by module and name.
        environment: values of environment variables; None where one is not set.
        folder: the current folder.
    """

    identity: dict[str, str]
    variables: dict[tuple[str, str], Any]
    environment: dict[str, str | None]
    folder: str

    @classmethod
    def of_caller(cls, identity: dict[str, str], further: Sequence[str] = ()) -> Settings:
        """Return the settings of this process; `further` names environment variables that are part of them."""
        environment = {name: os.environ.get(name) for name in (*_VARIABLES, *further)}
        return cls(identity, _context_variables(), environment, os.getcwd())  # noqa: PTH109 - a text, as it is


class Outcome(NamedTuple):
    """How a job ended.

    Arguments:
        kind: ``result``; ``error`` of the job; ``lost`` where the jobs did not reach the process.
        value: the result, or the error.
        trace: the traceback of an error.
    """

    kind: Literal["result", "error", "lost"]
    value: Any
    trace: str = ""


_kept: dict[str, tuple[Sequence[Callable[[], object]], Context]] = {}  # the jobs of the last call, by its key


def run_job(sent: Sequence[Any], key: str, number: int) -> bytes:
    """Run a job in this process and return its outcome, serialized.

    Nothing is raised, because Ray would keep the message, which may quote cells, in its own records.

    Arguments:
        sent: the reference of settings and jobs, in a list, so that Ray does not read them for every job.
        key: of these jobs.
        number: of the job.
    """
    ray = importlib.import_module("ray")
    try:
        if key not in _kept:
            _kept.clear()
            try:
                settings, jobs = ray.get(sent[0])
            except ray.exceptions.RayError:
                return _serialized(ray, Outcome("lost", None))
            _take_over(settings)
            context = copy_context()
            for (module, name), value in settings.variables.items():
                context.run(getattr(importlib.import_module(module), name).set, value)
            _kept[key] = ray.cloudpickle.loads(jobs), context
        found, context = _kept[key]
        with threadpool_limits(limits=1):
            return _serialized(ray, Outcome("result", context.copy().run(found[number])))
    except Exception as error:  # noqa: BLE001 - it is raised again by the caller
        return _serialized(ray, Outcome("error", error, traceback.format_exc()))


def _take_over(settings: Settings) -> None:
    """Make this process like one that the caller has forked, with one thread and without a GPU.

    Raises:
        ConfigError: versions or processors differ.
    """
    _silence()
    become_worker()
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"), CUDA_VISIBLE_DEVICES="")
    for name, value in settings.environment.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    with suppress(OSError):
        os.chdir(settings.folder)
    here = describe().versions
    if here != settings.identity:
        raise unlike(settings.identity, here, platform.node())


def _silence() -> None:
    """Discard what is printed, warned or logged: Ray would write it to a file, and it may quote cells."""
    warnings.simplefilter("ignore")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream, number in ((sys.stdout, 1), (sys.stderr, 2)):
        stream.flush()
        os.dup2(nowhere, number)


def _serialized(ray: Any, outcome: Outcome) -> bytes:  # noqa: ANN401
    """Return an outcome as bytes; what cannot be serialized is an error by the name of its type."""
    try:
        found: bytes = ray.cloudpickle.dumps(outcome)
    except Exception as error:  # noqa: BLE001 - whatever the type raises while it is serialized
        what = f"{type(outcome.value).__name__} cannot be sent from a process ({type(error).__name__})"
        found = ray.cloudpickle.dumps(Outcome("error", RuntimeError(what), outcome.trace))
    return found


def unlike(wanted: dict[str, str], found: dict[str, str], node: str) -> ConfigError:
    """Return the error of a node that differs from the caller, with what differs."""
    parts = [
        f"{name} {found.get(name, 'absent')} instead of {version}"
        for name, version in wanted.items()
        if found.get(name) != version
    ]
    remedy = (
        "Give the nodes one kind of processor."
        if all(found.get(name) == version for name, version in wanted.items() if name != "processor")
        else "Install the same versions on all nodes, from one constraints.txt, and start them again."
    )
    return ConfigError(f"Ray node {node}", f"it has {', '.join(parts)}", remedy)


def describe(token: str | None = None) -> Node:
    """Return what this process and its node are.

    Arguments:
        token: a file whose presence is looked up.
    """
    versions = {"Python": platform.python_version(), "synthclin code": _code()}
    for package in _PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    versions["processor"] = _processor()
    store, spilled = (_of_raylet(name) for name in ("--plasma_directory=", "--fallback_directory="))
    return Node(versions, store, spilled, _is_private(Path(spilled)), token is not None and Path(token).is_file())


def _code() -> str:
    """Return a hash of this package's modules."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def _processor() -> str:
    """Return the kind of processor: its architecture, maker and instruction sets."""
    words = [platform.machine()]
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "vendor_id":
                words.append(value.strip())
            elif name.strip() in {"flags", "Features"}:
                flags = set(value.split())
                words += [flag for flag in _INSTRUCTIONS if flag in flags]
                break
    return " ".join(words)


def _is_private(folder: Path) -> bool:
    """Return whether the owner of a folder, or of one that it is in, alone can enter it."""
    return any(place.is_dir() and not place.stat().st_mode & 0o077 for place in (folder, *folder.parents))


def _of_raylet(name: str) -> str:
    """Return an argument of the raylet of this worker's node; empty where there is none."""
    raylet = os.environ.get("RAY_RAYLET_PID", "")
    if not raylet.isdecimal():
        return ""
    words = Path(f"/proc/{raylet}/cmdline").read_text("utf-8", "replace").split("\0")
    return next((word.removeprefix(name) for word in words if word.startswith(name)), "")


def _context_variables() -> dict[tuple[str, str], Any]:
    """Return the values of all context variables of this package that are set, by module and name."""
    found = {}
    for module in [name for name in sys.modules if name.startswith("synthclin.")]:
        if module.startswith("synthclin.parallel"):
            continue
        for name, value in vars(sys.modules[module]).items():
            if isinstance(value, ContextVar) and (current := value.get(_UNSET)) is not _UNSET:
                found[module, name] = current
    return found


_UNSET = object()

"""The error boundary of every command: errors become one line and an exit code; signals leave no partial output."""

from __future__ import annotations

import os
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType
from typing import Any

import typer

from synthclin import log
from synthclin.cli.terminal import drop_out, flush_out, legible, show_json
from synthclin.errors import SynthclinError

__all__ = ["DEBUG", "DONE", "FAILED", "GATES_MISSED", "INTERRUPTED", "WRONG_USE", "run_command"]

DONE, FAILED, WRONG_USE, GATES_MISSED, INTERRUPTED = 0, 1, 2, 3, 130

DEBUG = "SYNTHCLIN_DEBUG"
"""Set to 1, this variable shows tracebacks and warnings, which may quote cells."""


_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Stopped(BaseException):
    """SIGINT or SIGTERM; no `except Exception` on the way swallows it."""


def run_command(command: Callable[[], object], *, as_json: bool = False) -> int:
    """Run `command` and return the exit code of the process.

    Arguments:
        command: returns an exit code, or anything else for 0.
        as_json: whether errors are printed as JSON on stdout rather than as a line on stderr.

    Example:
        >>> run_command(lambda: 3)
        3
    """
    legible()
    begun = time.monotonic()
    with ExitStack() as stack:
        if not _debugging():
            # Warnings of other packages may quote cells.
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
        try:
            stack.enter_context(_stoppable())
            found = command()
            flush_out()
            _ignore_signals()
            code = found if isinstance(found, int) else DONE
        except (_Stopped, KeyboardInterrupt, Exception) as error:  # noqa: BLE001 - the last place to report it
            _ignore_signals()
            code = _report(error, as_json=as_json)
        log.emit(log.End(code, time.monotonic() - begun))
    return code


@contextmanager
def _stoppable() -> Iterator[None]:
    """Turn SIGINT and SIGTERM into `_Stopped`, so that unfinished files are removed on the way out."""

    def stop(signum: int, frame: FrameType | None) -> None:
        del signum, frame
        # A second Ctrl-C shall not stop the removal of what the first left unfinished.
        _ignore_signals()
        raise _Stopped

    try:
        before = {number: signal.signal(number, stop) for number in _SIGNALS}
    except ValueError:  # not in the main thread, which alone gets signals
        before = {}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ignore_signals() -> None:
    with suppress(ValueError):  # not in the main thread
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)


def _report(error: BaseException, *, as_json: bool) -> int:
    """Report an error on stderr, or on stdout as JSON, and in a log for programs in any case; return its exit code."""
    if isinstance(error, BrokenPipeError):
        drop_out()  # the reader of stdout went away, such as `head`
        return FAILED
    if isinstance(error, (_Stopped, KeyboardInterrupt, typer.Abort)):
        event = log.Error("", "interrupted; nothing half-written is left", "", INTERRUPTED)
        detail = {"what": "interrupted"}
    elif isinstance(error, SynthclinError):
        event = log.Error(error.where, error.what, error.remedy, error.exit_code, type(error).__name__)
        detail = {"type": event.type, "where": event.where, "what": event.what, "remedy": event.remedy}
    elif (usage := _usage_error(error)) is not None:
        event = log.Error("command line", usage.format_message(), "Add --help to see the options.", WRONG_USE)
        detail = {"where": event.where, "what": event.what}
        if not (as_json or log.structured()):
            usage.show()
            return WRONG_USE
    else:
        if _debugging() and not log.structured():
            raise error
        # Its message may hold cells, so it is not shown.
        what = f"internal error in {_blame(error)}: {type(error).__name__}"
        remedy = f"Set {DEBUG}=1 to see the traceback, which may quote cells."
        if _debugging():
            log.emit(log.Note("".join(traceback.format_exception(error))))
        event = log.Error("", what, remedy, FAILED, type(error).__name__)
        detail = {"what": what, "remedy": remedy}
    if as_json:
        with suppress(OSError, SynthclinError):
            show_json({"error": detail})
    with suppress(OSError, SynthclinError):
        flush_out()
    if not as_json or log.structured():
        log.emit(event)
    return event.exit_code


def _usage_error(error: BaseException) -> Any:  # noqa: ANN401 - see below
    """Return an error of the command line, or None; typer brings its own copy of click in some versions."""
    return error if hasattr(error, "format_message") and hasattr(error, "show") else None


def _debugging() -> bool:
    return os.environ.get(DEBUG) == "1"


def _blame(error: BaseException) -> str:
    """Return the module of this package that was running when `error` was raised."""
    modules = [str(frame.f_globals.get("__name__", "")) for frame, _ in traceback.walk_tb(error.__traceback__)]
    return next((name for name in reversed(modules) if name.startswith("synthclin.")), "synthclin")

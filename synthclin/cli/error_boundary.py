"""The error boundary of every command: errors become one line and an exit code; signals leave no partial output."""

from __future__ import annotations

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any

import typer

from synthclin.cli.terminal import complain, legible
from synthclin.errors import SynthclinError

__all__ = ["DEBUG", "DONE", "FAILED", "GATES_MISSED", "INTERRUPTED", "WRONG_USE", "run_command"]

DONE, FAILED, WRONG_USE, GATES_MISSED, INTERRUPTED = 0, 1, 2, 3, 130

DEBUG = "SYNTHCLIN_DEBUG"
"""Set to 1, this variable shows tracebacks and warnings, which may quote cells."""


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
    debug = os.environ.get(DEBUG) == "1"
    with ExitStack() as stack:
        if not debug:
            # Warnings of other packages may quote cells.
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
        try:
            stack.enter_context(_stoppable())
            code = command()
            sys.stdout.flush()
        except (_Stopped, KeyboardInterrupt, typer.Abort):
            return _say(
                "interrupted; nothing half-written is left", {"what": "interrupted"}, INTERRUPTED, as_json=as_json
            )
        except SynthclinError as error:
            detail = {"type": type(error).__name__, "where": error.where, "what": error.what, "remedy": error.remedy}
            return _say(str(error), detail, error.exit_code, as_json=as_json)
        except BrokenPipeError:
            # The reader of stdout went away, such as `head`; what is still in the buffer has nowhere to go.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return FAILED
        except Exception as error:
            if _is_usage_error(error):
                return _usage(error, as_json=as_json)
            if debug:
                raise
            # Its message may hold cells, so it is not shown.
            what = f"internal error in {_blame(error)}: {type(error).__name__}"
            remedy = f"Set {DEBUG}=1 to see the traceback, which may quote cells."
            return _say(f"{what}. {remedy}", {"what": what, "remedy": remedy}, FAILED, as_json=as_json)
    return code if isinstance(code, int) else DONE


@contextmanager
def _stoppable() -> Iterator[None]:
    """Turn SIGINT and SIGTERM into `_Stopped`, so that unfinished files are removed on the way out."""

    def stop(signum: int, frame: FrameType | None) -> None:
        del signum, frame
        # A second Ctrl-C shall not stop the removal of what the first left unfinished.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        raise _Stopped

    try:
        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not in the main thread, which alone gets signals
        before = {}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(text: str, detail: dict[str, Any], code: int, *, as_json: bool) -> int:
    complain(text, detail if as_json else None)
    return code


def _is_usage_error(error: Exception) -> bool:
    # typer brings its own copy of click in some versions: their errors share silenced, not a class.
    return hasattr(error, "format_message") and hasattr(error, "show")


def _usage(error: Any, *, as_json: bool) -> int:  # noqa: ANN401 - see _is_usage_error
    if as_json:
        return _say("", {"where": "command line", "what": error.format_message()}, WRONG_USE, as_json=True)
    error.show()
    return WRONG_USE


def _blame(error: Exception) -> str:
    """Return the module of this package that was running when `error` was raised."""
    modules = [str(frame.f_globals.get("__name__", "")) for frame, _ in traceback.walk_tb(error.__traceback__)]
    return next((name for name in reversed(modules) if name.startswith("synthclin.")), "synthclin")

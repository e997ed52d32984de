"""Atomic writing of files and folders, with owner-only permissions."""

from __future__ import annotations

import difflib
import errno
import hashlib
import os
import shutil
import stat
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from synthclin.errors import ConfigError, DataError, OutputError, SynthclinError

try:
    import fcntl
except ImportError:  # no POSIX system
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "PARTIAL",
    "inside",
    "path_of",
    "private_folder",
    "refuse_absent",
    "refuse_special",
    "refuse_taken",
    "sha256",
    "staged_folder",
    "write_atomic",
]

PARTIAL = ".synthclin-*.partial"
"""Name pattern of the unfinished files of a killed `write_atomic`."""

# A folder that holds one of these, written by synthclin, may be replaced when the user asks for it.
_OURS = ("manifest.json", "model.json", "_shards.json")
_SIGNATURE = b'"synthclin"'

_STAGED, _REPLACED = ".partial-", ".old-"
_YOUNG = 60.0  # seconds for which an empty file may still be about to be claimed

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REMEDIES = dict.fromkeys(_FULL, "Free some space, or choose another disk.")
_REMEDIES |= dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "Choose a place where you may write.")
_REMEDIES |= {errno.ENOENT: "Create the folder first.", errno.ENOTDIR: "Choose a folder, not a file, as its parent."}
_REMEDIES |= {errno.ENAMETOOLONG: "Choose a shorter name."}


def refuse_special(path: str | Path, error: type[SynthclinError] = DataError) -> None:
    """Refuse a named pipe, socket or device in the place of a file, which may never end; before it is opened.

    Raises:
        SynthclinError: of class `error`.
    """
    try:
        kind = Path(path).stat().st_mode
    except (OSError, ValueError):
        return  # whoever opens it says why it cannot be read
    if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        raise error(str(path), "is a pipe, socket or device, not a file", "Write it to a file first.")


def path_of(path: str | Path) -> Path:
    """Return a path with a leading ``~`` replaced by the home folder.

    Raises:
        ConfigError: the argument is no path.

    Example:
        >>> path_of("~/ward.csv") == Path.home() / "ward.csv"
        True
    """
    try:
        return Path(path).expanduser()
    except TypeError:
        what = f"this is a value of type {type(path).__name__}, not a path"
        raise ConfigError("path", what, "Give the name of a file as text.") from None
    except RuntimeError:  # no such user
        return Path(path)


def refuse_absent(path: str | Path, noun: str = "file") -> None:
    """Raise DataError, with the nearest name in its folder, if there is no such file or folder, called by `noun`."""
    place = path_of(path)
    if place.exists():
        return
    if not place.parent.is_dir():
        raise DataError(str(path), f"there is no such {noun}", f"There is no folder '{place.parent}' either; check it.")
    close = difflib.get_close_matches(place.name, sorted(entry.name for entry in place.parent.iterdir()), n=1)
    remedy = f"Did you mean '{place.parent / close[0]}'?" if close else "Check the path."
    raise DataError(str(path), f"there is no such {noun}", remedy)


def write_atomic(path: str | Path, data: bytes | str, mode: int = 0o600, overwrite: bool = True) -> None:
    """Write a file so that readers see the old content or the new, never a part of it.

    Arguments:
        path: the file; its folder must exist. Unfinished files of killed processes in that folder are removed.
        data: its content; text is written as UTF-8, line ends as they are.
        mode: its permissions; by default only the owner reads it.
        overwrite: whether an existing file may be replaced.

    Raises:
        OutputError: when `path` is a symbolic link, a folder or a device, exists although `overwrite` is false,
            or the disk is full or not writable; nothing is left behind.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_atomic(Path(folder) / "scores.json", "{}")
        ...     (Path(folder) / "scores.json").read_text()
        '{}'
    """
    target = path_of(path)
    partial: Path | None = None
    alive: int | None = None
    try:
        if target.is_symlink():
            raise OutputError(str(path), "is a symbolic link", "Name the file itself.")
        if target.exists() and not target.is_file():
            raise OutputError(str(path), "is not a file", "Choose another name.")
        if target.exists() and not overwrite:
            raise OutputError(str(path), "exists already", "Choose another name, or add --overwrite.")
        content = data.encode() if isinstance(data, str) else data
        prefix, suffix = PARTIAL.split("*")
        handle, name = tempfile.mkstemp(prefix=prefix, suffix=suffix, dir=target.parent)
        partial = Path(name)
        alive = _claim(partial, wait=True)
        _sweep_partial(target.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.chmod(mode)
        partial.replace(target)
        partial = None
    except OSError as problem:
        raise _output_error(target, problem) from None
    except ValueError:
        what = "cannot be written (its name or its text is not Unicode)"
        raise OutputError(repr(str(path)), what, "Remove lone surrogates and null characters.") from None
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)
        if alive is not None:
            os.close(alive)


def _sweep_partial(folder: Path) -> None:
    """Remove this user's unfinished files of ended processes, which may contain real data."""
    for path in folder.glob(PARTIAL):
        with suppress(OSError):
            found = path.lstat()
            if not stat.S_ISREG(found.st_mode) or fcntl is None or found.st_uid != os.geteuid():
                continue
            if (alive := _claim(path)) is None:
                continue
            if found.st_size or time.time() - found.st_mtime > _YOUNG:
                path.unlink()
            os.close(alive)


def refuse_taken(path: str | Path, overwrite: bool = False) -> None:
    """Refuse an output file that is a link, is taken or has no folder, before any work is done; raises OutputError."""
    target = path_of(path)
    if target.is_symlink():
        raise OutputError(str(path), "is a symbolic link", "Name the file itself.")
    refuse_special(path, OutputError)
    if target.exists() and not overwrite:
        raise OutputError(str(path), "exists already", "Choose another name, or add --overwrite.")
    if not target.parent.is_dir():
        raise OutputError(str(path), "its folder is not there", "Create the folder first.")


def _output_error(path: Path, problem: OSError) -> OutputError:
    what = f"cannot be written ({problem.strerror or type(problem).__name__})"
    return OutputError(str(path), what, _REMEDIES.get(problem.errno or 0, "Choose another place."))


def private_folder(path: str | Path) -> None:
    """Make a folder that only its owner can read, in a folder that exists; one that is there stays as it is.

    Raises:
        OutputError: when `path` is a symbolic link, a file, or cannot be made.

    Example:
        >>> with tempfile.TemporaryDirectory() as home:
        ...     private_folder(Path(home) / "checkpoint")
        ...     oct(Path(home, "checkpoint").stat().st_mode & 0o777)
        '0o700'
    """
    target = Path(path)
    if target.is_symlink():
        raise OutputError(str(path), "is a symbolic link", "Name the folder itself.")
    try:
        target.mkdir(mode=0o700, exist_ok=True)
    except OSError as problem:
        raise _output_error(target, problem) from None


@contextmanager
def staged_folder(path: str | Path, overwrite: bool = False) -> Iterator[Path]:
    """Yield an empty folder that becomes `path` when the block ends and is removed when it fails.

    Arguments:
        path: the folder to make; missing parents are made too. Leftovers of killed processes there are removed first.
        overwrite: whether an existing folder that synthclin wrote, or an empty one, may be replaced. Any other
            existing target is refused: it may be a user's work.

    Yields:
        A folder beside `path` that only its owner can read.

    Raises:
        OutputError: when `path` is taken or not writable, or the disk fills up inside the block.

    Example:
        >>> with tempfile.TemporaryDirectory() as home:
        ...     with staged_folder(Path(home) / "run") as folder:
        ...         write_atomic(folder / "report.json", "{}")
        ...     sorted(file.name for file in Path(home, "run").iterdir())
        ['report.json']
    """
    # Lexical, so that "runs/." has a name, and a link is still seen as a link.
    target = Path(os.path.abspath(path_of(path)))  # noqa: PTH100
    _sweep(target)
    _refuse_taken(target, overwrite)
    stage, made = _make_stage(target)
    alive = _claim(stage)
    try:
        yield stage
        # Another process may have created the target in the meantime.
        _refuse_taken(target, overwrite)
        _swap(stage, target)
    except BaseException as problem:
        _remove(stage, made)
        if isinstance(problem, OSError) and problem.errno in _FULL:
            raise _output_error(target, problem) from problem
        raise
    finally:
        if alive is not None:
            os.close(alive)


def _claim(path: Path, *, wait: bool = False) -> int | None:
    """Return a lock on a folder or file that is released at the end of this process; None if another process has it.

    On a system without such locks nothing is claimed and nothing removed.
    """
    if fcntl is None or path.is_symlink():
        return None
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        os.close(handle)
        return None
    return handle


def _sweep(target: Path) -> None:
    """Clean up after a killed process beside `target`: remove its unfinished folder, restore the folder it replaced.

    Such a folder may contain statistics of real rows.
    """
    with suppress(OSError):
        left = [path for path in target.parent.iterdir() if path.is_dir() and path.name.startswith(f".{target.name}.")]
        for path in left:
            kind = path.name.removeprefix(f".{target.name}")
            if not kind.startswith((_STAGED, _REPLACED)) or (alive := _claim(path)) is None:
                continue
            if kind.startswith(_REPLACED) and not target.exists():
                path.rename(target)
            else:
                shutil.rmtree(path, ignore_errors=True)
            os.close(alive)


def _refuse_taken(target: Path, overwrite: bool) -> None:
    try:
        if target.is_symlink():
            raise OutputError(str(target), "is a symbolic link", "Name the folder itself.")
        taken = target.exists()
        if taken and not target.is_dir():
            raise OutputError(str(target), "is not a folder", "Choose another name.")
        if taken and not overwrite:
            raise OutputError(str(target), "exists already", "Choose another name, or add --overwrite.")
        if taken and any(target.iterdir()) and not _is_ours(target):
            what = "holds files that are no output of synthclin"
            raise OutputError(str(target), what, "Choose another name, or remove it yourself.")
    except OSError as problem:
        raise _output_error(target, problem) from None


def _is_ours(folder: Path) -> bool:
    """Return whether a folder is a run, model or table of synthclin; other programs write a manifest.json too."""
    marks = [folder / name for name in _OURS]
    return any(mark.is_file() and not mark.is_symlink() and _SIGNATURE in mark.read_bytes() for mark in marks)


def _make_stage(target: Path) -> tuple[Path, list[Path]]:
    """Return an empty folder beside `target`, and the parents that were made for it, deepest first."""
    made: list[Path] = []
    try:
        for parent in reversed([parent for parent in target.parents if not parent.exists()]):
            parent.mkdir(mode=0o700, exist_ok=True)
            made.insert(0, parent)
        return Path(tempfile.mkdtemp(prefix=f".{target.name}{_STAGED}", dir=target.parent)), made
    except OSError as problem:
        _remove(None, made)
        raise _output_error(target, problem) from None
    except ValueError:
        raise OutputError(repr(str(target)), "holds a null character", "Choose another name.") from None


def _swap(stage: Path, target: Path) -> None:
    """Move `stage` to `target`; a folder there is removed only once the new one is in place."""
    old = target.with_name(stage.name.replace(_STAGED, _REPLACED))
    try:
        if target.exists():
            target.rename(old)
        stage.rename(target)
    except OSError as problem:
        raise _output_error(target, problem) from None
    finally:
        if old.exists() and not target.exists():
            old.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    if old.exists():
        raise OutputError(str(old), "the old folder is replaced but cannot be removed", "Remove it yourself.")


def _remove(stage: Path | None, made: list[Path]) -> None:
    if stage is not None:
        shutil.rmtree(stage, ignore_errors=True)
    for parent in made:
        with suppress(OSError):
            parent.rmdir()


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file's content, as 64 hexadecimal digits.

    Raises:
        DataError: when the file cannot be read.
    """
    refuse_special(path)
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as problem:
        raise DataError(
            str(path), f"cannot be read ({problem.strerror})", "Check the path and its permissions."
        ) from None


def inside(folder: str | Path, name: str, error: type[SynthclinError] = OutputError) -> Path:
    """Return `folder / name` for an untrusted name from a document.

    Arguments:
        folder: a folder that is trusted.
        name: a relative path with forward slashes; the file need not exist.
        error: the class of error to raise.

    Raises:
        SynthclinError: of class `error`, when the name is absolute, holds ``..``, or passes a symbolic link.

    Example:
        >>> inside("model", "weights.safetensors").as_posix()
        'model/weights.safetensors'
        >>> inside("model", "../secret")
        Traceback (most recent call last):
        ...
        synthclin.errors.OutputError: model: a file name leads out of the folder. Use a plain relative name.
    """
    parts = PurePosixPath(name).parts
    odd = not parts or "\\" in name or "\0" in name or PureWindowsPath(name).drive
    if odd or ".." in parts or PurePosixPath(name).is_absolute():
        raise error(str(folder), "a file name leads out of the folder", "Use a plain relative name.")
    path = Path(folder)
    for part in parts:
        path /= part
        if path.is_symlink():
            raise error(str(folder), "a file in it is a symbolic link", "Replace it by the file itself.")
    return path

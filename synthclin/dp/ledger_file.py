"""Ledger file: the total privacy budget of one real table over several fits, kept on disk."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from synthclin.dp.budget import Budget, epsilon_of
from synthclin.dp.ledger import Ledger, require_entry
from synthclin.errors import ConfigError
from synthclin.io.documents.strict_json import load_json
from synthclin.io.documents.text import read_text
from synthclin.io.files import path_of, refuse_special, write_atomic

try:
    import fcntl
except ImportError:  # no POSIX system
    fcntl = None  # type: ignore[assignment]

__all__ = ["FileEntry", "LedgerFile"]

_TITLE = "privacy ledger"
_VERSION = 1
_BYTES = 4 * 2**20
_NAME = 500  # characters of a purpose


@dataclass(frozen=True)
class FileEntry:
    """One fit in a ledger file: what it was, its cost in rho of zCDP, its purpose, and when it was entered (UTC)."""

    what: str
    rho: float
    purpose: str
    date: str


class LedgerFile:
    """Append-only file of the fits to one real table, under a total (epsilon, delta) for all of them.

    Each fit enters its whole cost before it measures. The file has one JSON object a line: the total, then an entry per
    fit. Every line has a checksum of itself and all before it, so a line that was changed is noticed, and one that was
    taken out unless it was the last. The file protects against mistakes, not against an owner who wants to deceive. No
    cell of a table is in it.

    Arguments:
        path: the file; it is made by the first entry.
        total: the budget of all fits together, the same each time.

    Raises:
        ConfigError: the file is damaged, or has another total.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = LedgerFile(Path(folder) / "ward.jsonl", Budget(3, 1e-6))
        ...     file.spend(Budget(1, 1e-6).rho, "first fit", "teaching")
        ...     [entry.purpose for entry in file.entries], round(file.left, 4)
        (['teaching'], 0.1607)
    """

    def __init__(self, path: str | Path, total: Budget) -> None:
        self.path, self.total = path_of(path), total
        self._read()

    def __repr__(self) -> str:
        return f"LedgerFile({str(self.path)!r}, epsilon={self.total.epsilon:g}, delta={self.total.delta:g})"

    @property
    def entries(self) -> tuple[FileEntry, ...]:
        """The fits so far, as the file has them now."""
        return tuple(self._read()[0])

    @property
    def spent(self) -> float:
        """The rho that is spent, as the file has it now."""
        return self._read()[1].spent

    @property
    def left(self) -> float:
        """The rho that is left, as the file has it now."""
        return self._read()[1].left

    def require(self, rho: float) -> None:
        """Raise ConfigError where less than `rho` is left, as `spend` would; nothing is written."""
        left = self.left
        if rho > left:
            raise self._exceeded(rho, left)

    def spend(self, rho: float, what: str, purpose: str) -> None:
        """Write an entry; a fit may measure once this has returned. No two processes can spend the same budget.

        Arguments:
            rho: the whole cost of the fit, of zCDP, such as `Budget.rho`.
            what: the name of the fit.
            purpose: what the synthetic table is for.

        Raises:
            ConfigError: less is left than the fit costs, or the file is damaged; nothing is written.
            OutputError: the file cannot be written.
        """
        entry = require_entry(what, rho, str(self.path))
        if not isinstance(purpose, str) or not purpose or len(purpose) > _NAME or not purpose.isprintable():
            message = f"the purpose must be a text of 1 to {_NAME} printable characters"
            raise ConfigError(str(self.path), message, "Say what the synthetic table is for.")
        date = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        with self._locked():
            entries, ledger = self._read()
            if entry.rho > ledger.left:
                raise self._exceeded(entry.rho, ledger.left)
            lines = self._lines([*entries, FileEntry(entry.what, entry.rho, purpose, date)])
            write_atomic(self.path, "".join(f"{line}\n" for line in lines))

    def _exceeded(self, rho: float, left: float) -> ConfigError:
        delta = self.total.delta
        costs, most = epsilon_of(rho, delta), math.floor(1000 * epsilon_of(left, delta)) / 1000
        what = (
            f"the fit costs epsilon {costs:.3f}, and the earlier fits leave epsilon {most:.3f}"
            f" of {self.total.epsilon:g} (at delta {delta:g})"
        )
        remedy = "Sample more rows from the model of an earlier fit, which costs nothing"
        return ConfigError(str(self.path), what, remedy + (f", or set epsilon to {most:g}." if most else "."))

    def _lines(self, entries: list[FileEntry]) -> list[str]:
        """Return the lines of the file, each with a checksum of itself and the line before it."""
        head = {"title": _TITLE, "version": _VERSION, "epsilon": self.total.epsilon, "delta": self.total.delta}
        contents: list[dict[str, Any]] = [head | {"rho": self.total.rho}, *map(asdict, entries)]
        lines, before = [], ""
        for content in contents:
            before = _checksum(before, content)
            lines.append(json.dumps(content | {"check": before}, allow_nan=False))
        return lines

    def _read(self) -> tuple[list[FileEntry], Ledger]:
        """Return the entries of the file and a ledger that holds them."""
        ledger = Ledger(self.total.rho)
        refuse_special(self.path, ConfigError)
        if not self.path.exists() and not self.path.is_symlink():
            return [], ledger
        damaged = ConfigError(str(self.path), "the ledger file is damaged or was changed", "Restore it from a backup.")
        text = read_text(self.path, _BYTES, ConfigError)
        if not text.endswith("\n"):
            raise damaged
        contents, before = [], ""
        for number, line in enumerate(text.splitlines(), start=1):
            content = load_json(line, f"{self.path}: line {number}")
            if not isinstance(content, dict):
                raise damaged
            check = content.pop("check", None)
            before = _checksum(before, content)
            if check != before:
                raise damaged
            contents.append(content)
        self._require_total(contents[0], damaged)
        try:
            entries = [FileEntry(**content) for content in contents[1:]]
            for entry in entries:
                datetime.strptime(entry.date, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
                ledger.spend(entry.rho, entry.what)
        except (ConfigError, TypeError, ValueError):
            raise damaged from None
        if not all(isinstance(entry.purpose, str) for entry in entries):
            raise damaged
        return entries, ledger

    def _require_total(self, head: dict[str, Any], damaged: ConfigError) -> None:
        if set(head) != {"title", "version", "epsilon", "delta", "rho"} or head["title"] != _TITLE:
            raise damaged
        if head["version"] != _VERSION:
            raise ConfigError(str(self.path), "the ledger file is of another version", "Update synthclin.")
        try:
            found = Budget(head["epsilon"], head["delta"])
        except ConfigError:
            raise damaged from None
        if not isinstance(head["rho"], float) or not math.isclose(head["rho"], found.rho, rel_tol=1e-6):
            raise damaged
        if found != self.total:
            what = f"the file has a total of epsilon {found.epsilon:g} and delta {found.delta:g}, not that of this fit"
            raise ConfigError(str(self.path), what, f"Set the total to {found.epsilon:g} and {found.delta:g}.")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock of the file, which other processes wait for."""
        if fcntl is None:
            what = "a ledger file needs file locks, which this system lacks"
            raise ConfigError(str(self.path), what, "Use Linux or macOS, or leave the ledger file out.")
        lock = self.path.with_name(f".{self.path.name}.lock")
        try:
            handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except OSError as problem:
            what = f"its lock file cannot be made ({problem.strerror})"
            raise ConfigError(str(self.path), what, "Choose a folder where you may write.") from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _checksum(before: str, content: dict[str, Any]) -> str:
    return hashlib.sha256(f"{before}\n{json.dumps(content, sort_keys=True)}".encode()).hexdigest()

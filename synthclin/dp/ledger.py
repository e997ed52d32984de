"""Privacy ledger: what was measured, what each measurement cost, and a total that cannot be exceeded."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from synthclin.errors import ConfigError, SynthclinError

__all__ = ["Entry", "Ledger", "require_entry", "require_rho"]

_NAME = 200  # characters of what was measured


@dataclass(frozen=True)
class Entry:
    """One measurement: what it was, and its cost in rho of zCDP."""

    what: str
    rho: float


class Ledger:
    """Append-only list of the costs of measurements under a total in rho of zCDP; costs of a sequence add up.

    The sum is exact (fractions of integers), so no rounding lets the total be exceeded.

    Arguments:
        rho: the total, such as `Budget.rho`.

    Example:
        >>> ledger = Ledger(0.5)
        >>> ledger.spend(0.125, "one-way tables")
        >>> ledger.spent, ledger.left
        (0.125, 0.375)
        >>> ledger.spend(0.5, "pairs")
        Traceback (most recent call last):
        ...
        synthclin.errors.ConfigError: privacy ledger: 'pairs' costs rho 0.5, and 0.375 of 0.5 is left. Spend less.
    """

    def __init__(self, rho: float) -> None:
        self._total = require_rho(rho, "privacy ledger")
        self._entries: list[Entry] = []
        self._spent = Fraction(0)

    def __repr__(self) -> str:
        return f"Ledger(rho={self._total:.6g}, spent={self.spent:.6g}, entries={len(self._entries)})"

    @property
    def rho(self) -> float:
        """The total."""
        return self._total

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What was spent so far, in its order."""
        return tuple(self._entries)

    @property
    def spent(self) -> float:
        """The sum of all costs, rounded up."""
        spent = float(self._spent)
        return spent if Fraction(spent) >= self._spent else math.nextafter(spent, math.inf)

    @property
    def left(self) -> float:
        """What may still be spent, rounded down; spending all of it is possible."""
        exact = Fraction(self._total) - self._spent
        left = float(exact)
        return left if Fraction(left) <= exact else math.nextafter(left, 0.0)

    def spend(self, rho: float, what: str) -> None:
        """Enter a cost, before the measurement is made.

        Raises:
            ConfigError: the total would be exceeded, or the cost is no positive number; nothing is entered.
        """
        entry = require_entry(what, rho, "privacy ledger")
        if self._spent + Fraction(entry.rho) > Fraction(self._total):
            message = f"'{what}' costs rho {entry.rho:.6g}, and {self.left:.6g} of {self._total:.6g} is left"
            raise ConfigError("privacy ledger", message, "Spend less.")
        self._spent += Fraction(entry.rho)
        self._entries.append(entry)

    def to_dict(self) -> dict[str, Any]:
        """Return the ledger as plain data; floats must be written exactly.

        Example:
            >>> Ledger(0.5).to_dict()
            {'rho': 0.5, 'entries': []}
        """
        return {"rho": self._total, "entries": [{"what": one.what, "rho": one.rho} for one in self._entries]}

    @classmethod
    def from_dict(
        cls, data: object, where: str = "privacy ledger", error: type[SynthclinError] = ConfigError
    ) -> Ledger:
        """Return the ledger that `to_dict` described.

        Raises:
            SynthclinError: of class `error`, when the data have another form, or their sum exceeds their total.
        """
        broken = error(where, "is no privacy ledger", "Take the file as it was written.")
        if not isinstance(data, dict) or set(data) != {"rho", "entries"} or not isinstance(data["entries"], list):
            raise broken
        try:
            ledger = cls(data["rho"])
            for item in data["entries"]:
                if not isinstance(item, dict) or set(item) != {"what", "rho"}:
                    raise broken
                ledger.spend(item["rho"], item["what"])
        except ConfigError as problem:
            raise broken from problem
        return ledger


def require_rho(rho: object, where: str) -> float:
    """Return a rho as a float; raises ConfigError unless it is a positive finite number."""
    known = isinstance(rho, int | float) and not isinstance(rho, bool)
    if not (known and math.isfinite(rho) and rho > 0):  # type: ignore[arg-type,operator]
        raise ConfigError(where, "rho must be a positive number", "Take a share of Budget(epsilon, delta).rho.")
    return float(rho)  # type: ignore[arg-type]


def require_entry(what: object, rho: object, where: str) -> Entry:
    """Return a checked entry; raises ConfigError where the name is no short text or the cost no positive number."""
    if not isinstance(what, str) or not what or len(what) > _NAME or not what.isprintable():
        message = f"the name of a measurement must be a text of 1 to {_NAME} printable characters"
        raise ConfigError(where, message, "Give it a short name.")
    return Entry(what, require_rho(rho, where))

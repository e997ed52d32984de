"""Words that several pages share: names of statuses, editions, attacks and learners, and the start of a list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthclin.language import tr

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["attack_name", "edition_name", "learner_name", "shown_first", "status_name"]

_FIRST = 3


def status_name(status: str) -> str:
    """Return a status as pages show it; in files it is the same in every language.

    Example:
        >>> from synthclin.language import speaking
        >>> with speaking("es"):
        ...     status_name("FAIL")
        'NO CUMPLE'
    """
    names = {
        "PASS": tr("PASS"),
        "REVIEW": tr("REVIEW"),
        "FAIL": tr("FAIL"),
        "NOT ASSESSABLE": tr("NOT ASSESSABLE"),
        "TOO WEAK": tr("TOO WEAK"),
        "NONE": tr("NONE"),
        "STATED": tr("STATED"),
    }
    return names[status]


def edition_name(edition: str) -> str:
    """Return the name of an edition, at the start of a sentence.

    Example:
        >>> edition_name("internal")
        'Internal edition'
    """
    return {"internal": tr("Internal edition"), "shareable": tr("Shareable edition")}[edition]


def attack_name(name: str) -> str:
    """Return an attack on membership, or the two that were chosen, as pages show it; another name stays as it is.

    Example:
        >>> from synthclin.language import speaking
        >>> with speaking("es"):
        ...     attack_name("nearest row; another")
        'fila más próxima; another'
    """
    names = {
        "density ratio": tr("density ratio"),
        "nearest row": tr("nearest row"),
        "shared exact values": tr("shared exact values"),
        "ensemble": tr("ensemble"),
    }
    return "; ".join(names.get(one, one) for one in name.split("; "))


def learner_name(name: str) -> str:
    """Return the name of a learner as pages show it; another name stays as it is.

    Example:
        >>> from synthclin.language import speaking
        >>> with speaking("es"):
        ...     learner_name("linear")
        'lineal'
    """
    names = {
        "boosted trees": tr("boosted trees"),
        "random forest": tr("random forest"),
        "linear": tr("linear"),
    }
    return names.get(name, name)


def shown_first(items: Sequence[str]) -> list[str]:
    """Return the first items of an enumeration, and how many more there are.

    Example:
        >>> shown_first(["a", "b", "c", "d", "e"])
        ['a', 'b', 'c', '2 more']
    """
    more = len(items) - _FIRST
    return [*items[:_FIRST], *([tr("{n} more", n=more)] if more > 0 else [])]

"""Words that several pages share: statuses and editions as they are shown, and the case of letters at a start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthclin.language import tr

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["attack_name", "edition_name", "lower_start", "sentence_case", "shown_first", "status_name"]

_MARKS = "\u00bf\u00a1"  # with which questions and exclamations start in Spanish
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
    """Return an attack on membership as pages show it; another name stays as it is."""
    names = {
        "density ratio": tr("density ratio"),
        "nearest row": tr("nearest row"),
        "shared exact values": tr("shared exact values"),
        "ensemble": tr("ensemble"),
    }
    return names.get(name, name)


def sentence_case(text: str) -> str:
    """Return a clause as the start of a sentence: its first letter, after an inverted mark too, in upper case.

    Example:
        >>> sentence_case("rows are copied"), sentence_case(chr(0xBF) + "es grave?")[:2] == chr(0xBF) + "E"
        ('Rows are copied', True)
    """
    start = 1 if text[:1] and text[0] in _MARKS else 0
    return text[:start] + text[start : start + 1].upper() + text[start + 1 :]


def lower_start(label: str) -> str:
    """Return a label as it stands inside a sentence: lower case at its start, unless that is an abbreviation.

    Example:
        >>> lower_start("Membership inference"), lower_start("TPR at 1 % FPR")
        ('membership inference', 'TPR at 1 % FPR')
    """
    return label[:1].lower() + label[1:] if label[1:2].islower() else label


def shown_first(items: Sequence[str]) -> list[str]:
    """Return the first items of an enumeration, and how many more there are.

    Example:
        >>> shown_first(["a", "b", "c", "d", "e"])
        ['a', 'b', 'c', '2 more']
    """
    more = len(items) - _FIRST
    return [*items[:_FIRST], *([tr("{n} more", n=more)] if more > 0 else [])]

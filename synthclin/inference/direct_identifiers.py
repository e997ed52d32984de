"""Detection of direct identifiers, by the name of a column and the format of its values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from synthclin.inference import name_hints
from synthclin.inference.guesses import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MANY", "direct_identifier", "share"]

MANY = 30  # more distinct texts than a list of levels has
_REMEDY = "Remove it, or keep it as `text`, which leaves it out of synthetic tables"

_SHAPES = (
    ("e-mail addresses", re.compile(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}")),
    (
        "telephone numbers",
        re.compile(r"\+?[0-9]{0,3}[ -]?(\([0-9]{2,5}\)|[0-9]{2,5})[ -][0-9]{3,4}[ -]?[0-9]{2,5}|\+[0-9]{9,15}"),
    ),
    ("social security numbers", re.compile(r"[0-9]{3}-[0-9]{2}-[0-9]{4}")),
    ("network addresses", re.compile(r"([0-9]{1,3}\.){3}[0-9]{1,3}")),
    ("web addresses", re.compile(r"https?://\S+")),
)
_STREET = re.compile(
    r"[0-9]+[A-Za-z]? .*\b(street|st|avenue|ave|road|rd|lane|ln|drive|dr|court|ct|way|boulevard|blvd|square)\b\.?.*"
    r"|.*(stra\u00dfe|strasse|str\.|weg|allee|platz|gasse) [0-9]+.*|[0-9]+,? (rue|avenue|place) .*",
    re.IGNORECASE,
)
_WORD = r"[A-Z\u00c0-\u00dd][A-Za-z\u00c0-\u017f'\u2019-]+"
_NAME = re.compile(rf"((Dr|Mr|Mrs|Ms|Prof)\.? )?{_WORD},? ([A-Z]\.? )?{_WORD}")
_ROWS_PER_NAME = 5


def share(pattern: re.Pattern[str], values: Sequence[str]) -> float:
    """Return the share of texts that match a pattern."""
    return sum(pattern.fullmatch(value) is not None for value in values) / len(values)


def direct_identifier(name: str, values: Sequence[str], cells: int) -> Refusal | None:
    """Return why a text column is a direct identifier and may not be modelled; None without evidence.

    Arguments:
        name: the column's name.
        values: the distinct texts; at least one.
        cells: how many cells hold a text.

    Example:
        >>> direct_identifier("contact", ["ann@example.org", "bob@example.org"], 2).what
        'its cells have the format of e-mail addresses'
        >>> direct_identifier("drug", ["aspirin", "heparin"], 2) is None
        True
    """
    kinds = [kind for kind, pattern in _SHAPES if share(pattern, values) > 0.5]
    # Levels such as `Lung Cancer` have the format of names too, but they are few, with many rows each.
    if len(values) > min(MANY, cells / 2) and cells < _ROWS_PER_NAME * len(values):
        kinds += [kind for kind, pattern in (("street addresses", _STREET), ("persons' names", _NAME))
                  if share(pattern, values) > 0.8]  # fmt: skip
    if kinds:
        return Refusal(f"its cells have the format of {kinds[0]}", _REMEDY)
    if name_hints.points_to_person(name) and (len(values) > MANY or len(values) > cells / 2):
        return Refusal(f"{len(values)} distinct texts under the name of a direct identifier", _REMEDY)
    return None

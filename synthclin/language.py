"""The language of a report: English texts in the code, with their translations in ``synthclin/locale``.

The texts of a report are written in English where they are made, and `tr` returns them in the language that
`speaking` sets around a run. All of them stand in one catalogue of messages, ``synthclin/locale/synthclin.pot``, in the
format of GNU gettext; each further language is one file beside it. Codes that programs read, such as the names of
scores, statuses in JSON and keys, are the same in every language, and so are errors and the command line.
"""

from __future__ import annotations

import gettext
import io
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

from synthclin.errors import ConfigError

__all__ = ["LANGUAGES", "Language", "language", "refuse_unknown", "speaking", "tr", "tr_plural"]

Language = Literal["en", "es"]
"""The languages of reports, as ISO 639-1 codes."""

LANGUAGES: tuple[Language, ...] = get_args(Language)
"""All languages of reports; English, which the code is written in, is the first."""

_SPOKEN: ContextVar[Language] = ContextVar("language", default="en")


def refuse_unknown(code: str) -> None:
    """Raise ConfigError where there is no such language."""
    if code not in LANGUAGES:
        raise ConfigError("language", f"there is no report in {code!r}", f"Languages: {', '.join(LANGUAGES)}.")


@contextmanager
def speaking(code: Language) -> Iterator[None]:
    """Return texts in this language inside a `with` block.

    Example:
        >>> with speaking("es"):
        ...     tr("not assessable")
        'no evaluable'
    """
    token = _SPOKEN.set(code)
    try:
        yield
    finally:
        _SPOKEN.reset(token)


def language() -> Language:
    """Return the code of the language in which texts are made now."""
    return _SPOKEN.get()


def tr(message: str, /, **values: object) -> str:
    """Return a message in the language of the report, with its values in their places.

    Arguments:
        message: the English text, a literal, so that the catalogue lists it; ``{name}`` is the place of a value.
        values: what is written in these places.

    Example:
        >>> tr("Strength {real} in real rows, {synthetic} in synthetic rows.", real="0.50", synthetic="0.41")
        'Strength 0.50 in real rows, 0.41 in synthetic rows.'
    """
    code = _SPOKEN.get()
    text = message if code == "en" or not message else _translations(code).gettext(message)
    return text.format(**values) if values else text


def tr_plural(one: str, many: str, n: int, /, **values: object) -> str:
    """Return the form of a message that suits a number, in the language of the report; ``{n}`` is the number.

    Example:
        >>> tr_plural("one column", "{n} columns", 2)
        '2 columns'
    """
    code = _SPOKEN.get()
    text = (one if n == 1 else many) if code == "en" else _translations(code).ngettext(one, many, n)
    return text.format(**{"n": n} | values)


@cache
def _translations(code: Language) -> gettext.NullTranslations:
    """Return the translations into a language."""
    from babel.messages.mofile import write_mo  # noqa: PLC0415 (only reports in another language need it)
    from babel.messages.pofile import read_po  # noqa: PLC0415

    binary = io.BytesIO()
    with files("synthclin").joinpath("locale", f"{code}.po").open("rb") as file:
        write_mo(binary, read_po(file, locale=code))
    binary.seek(0)
    return gettext.GNUTranslations(binary)

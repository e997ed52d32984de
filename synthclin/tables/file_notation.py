"""Notation of a text file: separator, decimal sign, encoding and date format, as hospital systems export them."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

__all__ = ["FileNotation"]

_WORDS = {"tab": "\t", "semicolon": ";", "comma": ",", "bar": "|", "pipe": "|"}
_TOKENS = {
    "YYYY": "%Y",
    "YY": "%y",
    "Mon": "%b",
    "MMM": "%b",
    "MM": "%m",
    "DD": "%d",
    "hh": "%H",
    "mm": "%M",
    "ss": "%S",
}
_FIELDS = set("YmbBdHMSIp")


class FileNotation(BaseModel):
    """How cells are written in a CSV file, and which sheet of an Excel file is read.

    Arguments:
        separator: the sign between two cells, such as ``;``, or the word ``tab``.
        decimal: the decimal sign, a point or a comma.
        encoding: of the text, such as ``cp1252`` or ``latin-1``.
        date_format: of dates other than ISO 8601, such as ``DD.MM.YYYY``, ``DD-Mon-YYYY`` or ``%d/%m/%Y``; or several.
        sheet: the name of the sheet of an Excel file; the first without one.

    Example:
        >>> notation = FileNotation(separator=";", decimal=",", date_format="DD.MM.YYYY")
        >>> notation.iso(["03.04.2021", "31.02.2021"])
        ['2021-04-03', None]
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    separator: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    date_format: str | list[str] | None = None
    sheet: str | None = Field(default=None, min_length=1)

    @field_validator("separator")
    @classmethod
    def _separator_is_a_sign(cls, text: str | None) -> str | None:
        sign = None if text is None else _WORDS.get(text, text)
        if sign is not None and (len(sign) != 1 or not sign.isascii() or sign.isalnum() or sign in "\"'\r\n.-+_"):
            raise ValueError("is no sign that separates cells. Write ; or tab.")
        return sign

    @field_validator("decimal")
    @classmethod
    def _decimal_is_a_sign(cls, text: str | None) -> str | None:
        if text not in {None, ".", ","}:
            raise ValueError('is neither a point nor a comma. Write "." or ",".')
        return text

    @field_validator("encoding")
    @classmethod
    def _encoding_is_known(cls, name: str | None) -> str | None:
        try:
            known = name is None or bool(b"ab".decode(name))  # LookupError also where a codec is none of text
        except UnicodeError:
            known = True
        except (LookupError, ValueError):
            known = False
        if not known:
            raise ValueError("is no encoding of text. Write utf-8, cp1252 or latin-1.")
        return name

    @field_validator("date_format")
    @classmethod
    def _dates_have_day_month_and_year(cls, given: str | list[str] | None) -> str | list[str] | None:
        for text in [given] if isinstance(given, str) else given or []:
            fields = re.findall(r"%(.)", _strptime(text))
            whole = {"d", "Y"} <= set(fields) and set(fields) & set(
                "mbB"
            )  # two digits of a year may mean two centuries
            if not whole or set(fields) - _FIELDS or len(set(fields)) < len(fields):
                raise ValueError("has no day, month and year of four digits. Write it like DD.MM.YYYY or %d-%b-%Y.")
        return given

    @model_validator(mode="after")
    def _decimal_and_separator_differ(self) -> Self:
        if self.decimal == "," and self.separator in {None, ","}:
            raise ValueError('decimal: a comma separates the cells already. Declare `separator: ";"` too.')
        return self

    @property
    def declared(self) -> list[str]:
        """The names of the keys that are declared."""
        return [name for name in FileNotation.model_fields if getattr(self, name) is not None]

    @property
    def sign(self) -> str:
        """The separator, by default a comma."""
        return self.separator or ","

    def iso(self, texts: Sequence[str]) -> list[str | None]:
        """Return (texts,) each date as ISO 8601 text, None where a text is no date in one of the declared formats."""
        given = [self.date_format] if isinstance(self.date_format, str) else self.date_format or []
        formats = [_strptime(text) for text in given]
        return [next((found for form in formats if (found := _iso(text, form))), None) for text in texts]


def _strptime(text: str) -> str:
    """Return a date format in the manner of strptime; the words DD, MM, Mon, YYYY are translated."""
    if "%" in text:
        return text
    return re.sub("|".join(_TOKENS), lambda found: _TOKENS[found.group()], text)


def _iso(text: str, form: str) -> str | None:
    try:
        moment = dt.datetime.strptime(text.strip(), form)  # noqa: DTZ007 - cells have no time zone
    except ValueError:
        return None
    return moment.isoformat(sep=" ") if re.search("%[HI]", form) else moment.date().isoformat()

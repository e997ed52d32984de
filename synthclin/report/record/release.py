"""The release of a synthetic table: what its custodian declares, and the file that the report is about."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Any, NoReturn

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictStr, model_validator

from synthclin.io.files import path_of, sha256
from synthclin.io.source_date import source_date
from synthclin.language import tr
from synthclin.report.record.section_data import Count
from synthclin.tables.shard_index import INDEX, is_sharded, read_shards

__all__ = ["UNDECLARED", "Release", "TableFile", "item_names"]


def _day(value: object) -> object:
    """Return a date given as such or as ISO 8601 text."""
    if value is None or type(value) is dt.date:
        return value
    try:
        return dt.date.fromisoformat(value) if isinstance(value, str) else _refuse_day()
    except ValueError:
        return _refuse_day()


def _refuse_day() -> NoReturn:
    raise ValueError("is no date. Write it as year, month and day, such as 2027-06-30.")


Day = Annotated[dt.date, BeforeValidator(_day), Field(strict=False)]
Text = Annotated[StrictStr, Field(min_length=1, max_length=300)]


class Release(BaseModel):
    """The release as its custodian declares it; what is not declared is an open point of page one.

    Example:
        >>> Release(use="teaching", valid_until="2027-06-30").declared("valid_until")
        '2027-06-30'
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)

    use: Text | None = None
    """What the recipient may use the table for."""
    recipient: Text | None = None
    """Who receives the table."""
    access: Text | None = None
    """How it is given: public, on request, in a secure environment."""
    licence: Text | None = None
    """The licence or agreement, by name or address."""
    contact: Text | None = None
    """Whom a recipient asks, and tells of a suspected disclosure."""
    source: Text | None = None
    """The real data behind the table, in words."""
    retention: Text | None = None
    """How long the recipient keeps the table."""
    valid_until: Day | None = None
    """The last day on which the table may be used under this report."""
    date: Day | None = None
    """The day of the report; without one, that of the environment variable SOURCE_DATE_EPOCH."""

    @model_validator(mode="after")
    def _valid_when_written(self) -> Release:
        if self.valid_until is not None and self.date is not None and self.valid_until < self.date:
            raise ValueError("valid_until is before the date of the report. Correct one of them.")
        return self

    def declared(self, key: str) -> str | None:
        """Return a declared item as text; None where it is not declared."""
        value = getattr(self, key)
        return value.isoformat() if isinstance(value, dt.date) else value

    @property
    def undeclared(self) -> tuple[str, ...]:
        """The names of the items that are not declared, in the order of page one."""
        return tuple(name for key, name in item_names().items() if getattr(self, key) is None)

    def dated(self) -> Release:
        """Return the release with the date of SOURCE_DATE_EPOCH, in seconds since 1970 (UTC), where it has none.

        The clock is never read: equal input gives equal reports.

        Raises:
            ConfigError: the variable holds no number of seconds.
        """
        return self if self.date is not None else self.model_copy(update={"date": source_date()})

    def to_dict(self) -> dict[str, Any]:
        """Return the release as JSON values; None for what is not declared."""
        return self.model_dump(mode="json")


UNDECLARED = Release()
"""A release of which nothing is declared."""


def item_names() -> dict[str, str]:
    """Return the name of each item on page one, by its key."""
    return {
        "use": tr("Use"),
        "recipient": tr("Recipient"),
        "access": tr("Access"),
        "licence": tr("Licence"),
        "contact": tr("Contact"),
        "source": tr("Source"),
        "retention": tr("Retention"),
        "valid_until": tr("Valid until"),
        "date": tr("Date of the report"),
    }


class TableFile(BaseModel):
    """The file of the synthetic table that a report is about: the report holds for these bytes alone.

    Of a table in shards it is the list of its files, which has the SHA-256 of each.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)

    name: Annotated[StrictStr, Field(min_length=1)]
    """Name of the file, without its folder."""
    sha256: Annotated[StrictStr, Field(pattern="^[0-9a-f]{64}$")]
    """SHA-256 of its bytes, in hexadecimal digits."""
    rows: Count
    """Number of synthetic rows in it."""

    @property
    def in_shards(self) -> bool:
        """Whether it is the list of a table in shards."""
        return self.name.endswith(f"/{INDEX}")

    @classmethod
    def of(cls, path: str | Path, rows: int) -> TableFile:
        """Return the record of a file that exists.

        Arguments:
            path: of the file, or of the folder of a table in shards.
            rows: how many rows it holds; the list of a table in shards says so itself.

        Raises:
            DataError: a shard is absent or was changed.
        """
        place = path_of(path)
        if is_sharded(place):
            return cls(name=f"{place.name}/{INDEX}", sha256=sha256(place / INDEX), rows=read_shards(place).rows)
        return cls(name=place.name, sha256=sha256(place), rows=rows)

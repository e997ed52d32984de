"""The date of SOURCE_DATE_EPOCH: a date that is an input, so that equal input gives equal files."""

from __future__ import annotations

import datetime as dt
import os

from synthclin.errors import ConfigError

__all__ = ["source_date"]

_NAME = "SOURCE_DATE_EPOCH"


def source_date() -> dt.date | None:
    """Return the day (UTC) of the environment variable, in whole seconds since 1970; None where it is not set.

    See reproducible-builds.org/specs/source-date-epoch.

    Raises:
        ConfigError: the variable holds no number of seconds.
    """
    seconds = os.environ.get(_NAME)
    if not seconds:
        return None
    try:
        return dt.datetime.fromtimestamp(int(seconds), dt.UTC).date()
    except (ValueError, OverflowError, OSError):
        remedy = "Set it to whole seconds since 1970, such as `export SOURCE_DATE_EPOCH=$(date +%s)`, or unset it."
        raise ConfigError(_NAME, "the environment variable is no number of seconds", remedy) from None

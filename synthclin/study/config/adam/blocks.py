"""Block `outputs.adam`: how the columns of a trial become variables of the Analysis Data Model (ADaM) of CDISC."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from synthclin.schema.columns import Level

__all__ = ["NAME", "TIME_UNITS", "Adam", "AdamEndpoint", "AdamVariable", "TimeUnit"]

NAME = re.compile(r"[A-Z][A-Z0-9_]{0,7}")
"""Names of variables in a transport file of version 5."""

TimeUnit = Literal["HOURS", "DAYS", "WEEKS", "MONTHS", "YEARS"]
TIME_UNITS: dict[str, TimeUnit] = {"h": "HOURS", "d": "DAYS", "wk": "WEEKS", "mo": "MONTHS", "a": "YEARS"}
"""Controlled terms of units of time, by the unit of UCUM."""

Label = Annotated[str, Field(min_length=1)]


class _Block(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class AdamVariable(_Block):
    """Source of one variable: a column of the schema, or one value for all subjects.

    Arguments:
        column: the name of the column.
        value: a text that every subject has, instead of a column.
        values: the text of each level of the column, such as controlled terms; by default the labels of the schema,
            else the levels themselves.
        label: the label of the variable, at most 40 bytes; by default that of the standard or of the column.
    """

    column: str | None = None
    value: Annotated[str, Field(min_length=1)] | None = None
    values: dict[Level, str] | None = None
    label: Label | None = None

    @model_validator(mode="after")
    def _has_one_source(self) -> AdamVariable:
        if (self.column is None) == (self.value is None):
            raise ValueError("names both a column and a value, or neither. Write `column: NAME`, or `value: TEXT`.")
        if self.values is not None and self.column is None:
            raise ValueError("values: there is no column with levels. Write `column: NAME` too.")
        return self


class AdamEndpoint(_Block):
    """A parameter of ADTTE: the time to an event.

    Arguments:
        event: the column of the event.
        time: its time; by default that of the schema.
        cause: the level of the event that counts; other causes are censored, from CNSR 2 on.
        paramcd: the code of the parameter; by default the name of the event column in capital letters.
        param: its name; by default "Time to" and the label of the event column.
        unit: the unit of the time; by default that of the column.
        evntdesc: descriptions of the levels of the event column; by default its labels.
        cnsdtdsc: description of the date of censoring.
    """

    event: str
    time: str | None = None
    cause: Level | None = None
    paramcd: str | None = None
    param: Label | None = None
    unit: TimeUnit | None = None
    evntdesc: dict[Level, str] | None = None
    cnsdtdsc: Label = "End of follow-up"


class Adam(_Block):
    """Files of ADSL and ADTTE beside the synthetic table; an empty block takes all from the schema and the tasks.

    Arguments:
        study: STUDYID; by default the name of the study in capital letters.
        format: the file formats.
        subject: the column of subject identifiers; by default that of the role entity, else the only identifier. Rows
            without one are numbered.
        site: SITEID; by default the column of the role site, else the single site ``1``.
        treatment: the planned treatment; by default the column of the role treatment.
        codes: ARMCD of each level of the treatment; by default the levels.
        start: the origin of all times: a column of dates, or one day for all subjects, such as ``2000-01-01``. Without
            it ADTTE has no dates.
        columns: further variables of ADSL, each with its column.
        endpoints: the parameters of ADTTE; by default the survival and Cox tasks of the study, else every column of the
            role event that has a time.
    """

    study: Annotated[str, Field(min_length=1)] | None = None
    format: Annotated[tuple[Literal["xpt", "parquet"], ...], Field(strict=False, min_length=1)] = ("xpt",)
    subject: str | None = None
    site: str | AdamVariable | None = None
    treatment: str | AdamVariable | None = None
    codes: dict[Level, str] | None = None
    start: str | None = None
    columns: dict[str, str | AdamVariable] = Field(default={})
    endpoints: Annotated[tuple[AdamEndpoint, ...], Field(strict=False)] | None = None

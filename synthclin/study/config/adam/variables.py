"""Resolved variables of ADSL and ADTTE: each with its source, label and texts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from synthclin.schema.columns import Level
from synthclin.study.config.adam.blocks import TimeUnit

__all__ = ["AdamPlan", "Endpoint", "Kind", "Variable"]

Kind = Literal["text", "number", "date", "datetime"]


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of ADSL.

    Arguments:
        name: of the variable.
        label: its label.
        kind: what its cells are.
        column: the column of the synthetic table; None where all subjects have the text `constant`.
        texts: the text of each level, where the cells are levels.
        constant: the text of all subjects.
    """

    name: str
    label: str
    kind: Kind
    column: str | None = None
    texts: Mapping[Level, str] | None = None
    constant: str | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One parameter of ADTTE.

    Arguments:
        paramcd: its code.
        param: its name.
        event: the column of the event.
        time: the column of the time.
        unit: the unit of the time.
        censoring: CNSR of each level of the event.
        descriptions: EVNTDESC of each level.
        cnsdtdsc: CNSDTDSC of censored subjects.
    """

    paramcd: str
    param: str
    event: str
    time: str
    unit: TimeUnit
    censoring: Mapping[Level, int]
    descriptions: Mapping[Level, str]
    cnsdtdsc: str


@dataclass(frozen=True, slots=True)
class AdamPlan:
    """What ADSL and ADTTE hold.

    Arguments:
        study: STUDYID.
        formats: the file formats.
        subject: the column of subject identifiers; None where rows are numbered.
        site: SITEID.
        treatment: TRT01P.
        actual: TRT01A.
        codes: ARMCD of each level of the treatment.
        numbers: the number of each treatment, by its text.
        start: the column of the origin of times, or one day.
        variables: the others of ADSL, in order.
        endpoints: the parameters of ADTTE; none where the study has no time to an event.
    """

    study: str
    formats: tuple[str, ...]
    subject: str | None
    site: Variable
    treatment: Variable
    actual: Variable
    codes: Mapping[Level, str]
    numbers: Mapping[str, int]
    start: str | dt.date | None
    variables: tuple[Variable, ...]
    endpoints: tuple[Endpoint, ...]

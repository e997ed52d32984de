"""Columns of a schema as variables of ADaM, checked against the rules of both."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from synthclin.errors import ConfigError
from synthclin.evaluation.task_checks import check_task
from synthclin.evaluation.tasks import CoxTask, SurvivalTask
from synthclin.schema.visit_times import of_patients
from synthclin.study.config.adam.blocks import TIME_UNITS, Adam, AdamEndpoint, AdamVariable, TimeUnit
from synthclin.study.config.adam.rules import LABELS, check_label, check_name, check_texts
from synthclin.study.config.adam.variables import Endpoint, Kind, Variable

if TYPE_CHECKING:
    from synthclin.evaluation.tasks import Task
    from synthclin.schema import Schema
    from synthclin.schema.columns import Column, Level

__all__ = ["Resolver"]

_TAKEN = ("STUDYID", "USUBJID", "SUBJID", "SITEID", "ARM", "ARMCD", "TRT01P", "TRT01PN", "TRT01AN", "AGEU")
_ENDINGS: dict[Kind, str] = {"date": "DT", "datetime": "DTM"}
_REQUIRED = ("TRT01P", "TRT01A", "SITEID")
_WITH_TERMS = (*_REQUIRED, "SEX", "RACE", "ETHNIC", "COUNTRY")


@dataclass(frozen=True, slots=True)
class Resolver:
    """Columns of a schema as variables of ADaM.

    Arguments:
        schema: what the columns of the synthetic table mean.
        where: the place of the block, for errors.
    """

    schema: Schema
    where: str

    def column(self, name: str, at: str) -> Column:
        """Return a column that the synthetic table has with one cell for each subject."""
        found = self.schema.columns.get(name)
        written = [each for each, column in self.schema.columns.items() if not column.is_free_text]
        if found is None or found.is_free_text or found.reason_for is not None:
            what = f"{name!r} is not a column of the synthetic table"
            raise ConfigError(f"{self.where}.{at}", what, f"There are: {', '.join(written[:20])}.")
        if name in self.schema.modelled and name not in of_patients(self.schema):
            what = f"{name!r} differs between the visits of a subject, who has one row here"
            raise ConfigError(f"{self.where}.{at}", what, "Name a column with `static: true`.")
        return found

    def subject(self, name: str | None) -> str | None:
        """Return the column of subject identifiers."""
        if name is not None:
            if not self.column(name, "subject").is_identifier:
                remedy = "Name a column of `type: id`, or leave it out."
                raise ConfigError(f"{self.where}.subject", f"{name!r} identifies no subject", remedy)
            return name
        named = [each for each, column in self.schema.columns.items() if column.is_identifier]
        return self.schema.entity or (named[0] if len(named) == 1 else None)

    def variable(self, name: str, spec: AdamVariable, at: str) -> Variable:
        """Return a variable of one column, or of one text for all subjects."""
        where = f"{self.where}.{at}"
        if at.startswith("columns."):
            check_name(name, f"{self.where}.columns")
            if name in _TAKEN:
                remedy = "Remove it, and write `subject`, `site`, `treatment` or `codes` beside `columns`."
                raise ConfigError(where, f"{name} has a place of its own", remedy)
        if spec.column is None:
            assert spec.value is not None
            check_texts(name, [spec.value], where)
            made = Variable(name, spec.label or LABELS.get(name, name), "text", constant=spec.value)
        else:
            made = self._of_column(name, spec, spec.column, at)
        check_label(made.label, where)
        return made

    def _of_column(self, name: str, spec: AdamVariable, source: str, at: str) -> Variable:
        column, where = self.column(source, at), f"{self.where}.{at}"
        label = spec.label or LABELS.get(name) or _label(source, column)
        needs_terms = name in _WITH_TERMS or name.endswith("FL")
        numeric = spec.values is None and not needs_terms and _holds_numbers(column)
        texts = None if numeric else _texts(column, spec.values, where)
        kind: Kind = "text"
        if texts is not None:
            check_texts(name, texts.values(), where)
        elif column.is_temporal:
            kind = "date" if column.resolution == "D" else "datetime"
            if not name.endswith(_ENDINGS[kind]):
                what = f"{name} holds {kind}s, so its name ends in {_ENDINGS[kind]}"
                raise ConfigError(where, what, f"Write {name[: 8 - len(_ENDINGS[kind])]}{_ENDINGS[kind]}.")
        elif column.is_numeric or numeric:
            kind = "number"
        elif column.is_categorical:
            raise ConfigError(where, f"{source!r} has no declared levels", "Declare its `categories`.")
        if needs_terms:
            if texts is None:
                what = f"{source!r} has no declared levels, which {name} needs"
                raise ConfigError(where, what, "Declare its `categories`, or name another column.")
            if name in _REQUIRED and column.may_be_missing:
                remedy = "Remove `missing` of the column, or name another."
                raise ConfigError(where, f"{source!r} may be missing, and {name} may not", remedy)
        elif name.endswith(("DT", "DTM")) and kind not in _ENDINGS:
            raise ConfigError(where, f"{name} is a name of dates, and {source!r} holds none", "Choose another name.")
        return Variable(name, label, kind, source, texts)

    def codes(self, block: Adam, treatment: Variable) -> dict[Level, str]:
        """Return ARMCD of each level of the treatment."""
        at, levels = f"{self.where}.codes", list(treatment.texts or ())
        if not levels:
            check_texts("ARMCD", [treatment.constant or ""], f"{self.where}.treatment")
        if block.codes is not None and (not levels or set(block.codes) != set(levels)):
            raise ConfigError(at, "its keys are not the levels of the treatment", "Give each level its code.")
        found = {level: str(level) if block.codes is None else block.codes[level] for level in levels}
        check_texts("ARMCD", found.values(), at)
        for noun, texts in (("code", found), ("text", treatment.texts or {})):
            if len(set(texts.values())) < len(texts):
                what = f"two levels of the treatment have the same {noun}"
                raise ConfigError(f"{self.where}.treatment", what, f"Give each a {noun} of its own.")
        return found

    def start(self, given: str | None) -> str | dt.date | None:
        """Return the origin of times."""
        if given is None:
            return None
        at = f"{self.where}.start"
        if given not in self.schema.columns:
            try:
                return dt.date.fromisoformat(given)
            except ValueError:
                what = f"{given!r} is neither a column nor a day"
                raise ConfigError(at, what, "Name a column of dates, or write a day like '2000-01-01'.") from None
        column = self.column(given, "start")
        if not column.is_temporal or column.may_be_missing:
            what = f"{given!r} {'may be missing' if column.is_temporal else 'holds no dates'}"
            raise ConfigError(at, what, "Name a column of dates that are never missing, or write one day.")
        return given

    def with_units(self, variables: Sequence[Variable]) -> Iterator[Variable]:
        """Yield variables, and after AGE its unit."""
        for variable in variables:
            yield variable
            if variable.name == "AGE":
                if variable.kind != "number" or variable.column is None:
                    raise ConfigError(f"{self.where}.columns.AGE", "the age is no number", "Name a column of numbers.")
                unit = self.time_unit(variable.column, None, "columns.AGE")
                yield Variable("AGEU", LABELS["AGEU"], "text", constant=unit)

    def time_unit(self, name: str, given: TimeUnit | None, at: str) -> TimeUnit:
        """Return the controlled term of the unit of a column."""
        unit = given or TIME_UNITS.get(self.schema.columns[name].unit or "")
        if unit is None:
            what = f"the unit of {name!r} is not declared, or is no unit of time"
            raise ConfigError(f"{self.where}.{at}", what, f"Declare `unit` in the schema: {', '.join(TIME_UNITS)}.")
        return unit

    def endpoints(self, block: Adam, tasks: Sequence[Task]) -> Iterator[Endpoint]:
        """Yield the parameters of ADTTE."""
        seen: set[str] = set()
        for i, asked in enumerate(_asked(block, self.schema, tasks)):
            at = "endpoints" if block.endpoints is None else f"endpoints[{i}]"
            found = self._endpoint(asked, at)
            if found.paramcd in seen:
                what = f"another parameter has the code {found.paramcd}"
                raise ConfigError(f"{self.where}.{at}", what, "Write `paramcd: CODE` in each of `endpoints`.")
            seen.add(found.paramcd)
            yield found

    def _endpoint(self, asked: AdamEndpoint, at: str) -> Endpoint:
        where = f"{self.where}.{at}"
        event = self.column(asked.event, f"{at}.event")
        task = SurvivalTask(event=asked.event, time=asked.time, cause=asked.cause)
        try:
            check_task(task, self.schema)
        except ConfigError as error:
            raise ConfigError(where, error.what, error.remedy) from None
        time = asked.time or self.schema.time_of(asked.event)
        assert time is not None
        self.column(time, f"{at}.time")
        if event.levels is None:
            raise ConfigError(where, f"{asked.event!r} has no declared levels", "Declare it `type: boolean`.")
        censoring = _censoring(event, asked.cause)
        texts = _level_texts(event, asked.event, censoring) if asked.evntdesc is None else asked.evntdesc
        descriptions = _texts(event, texts, f"{where}.evntdesc") or {}
        check_texts("EVNTDESC", descriptions.values(), f"{where}.evntdesc")
        unit = self.time_unit(time, asked.unit, at)
        paramcd = asked.paramcd or re.sub(r"[^A-Z0-9]", "", asked.event.upper())[:8]
        check_name(paramcd, f"{where}.paramcd")
        param = asked.param or f"Time to {event.label or asked.event} ({unit.lower()})"
        check_texts("PARAM", [param, asked.cnsdtdsc], f"{where}.param")
        return Endpoint(paramcd, param, asked.event, time, unit, censoring, descriptions, asked.cnsdtdsc)


def _asked(block: Adam, schema: Schema, tasks: Sequence[Task]) -> Sequence[AdamEndpoint]:
    """Return the endpoints as written, else those of the tasks, else the columns of the role event."""
    if block.endpoints is not None:
        return block.endpoints
    survival = [task for task in tasks if isinstance(task, CoxTask | SurvivalTask)]
    if survival:
        wanted = [AdamEndpoint(event=task.event, time=task.time, cause=task.cause) for task in survival]
    else:
        events = [name for name, column in schema.columns.items() if column.role == "event"]
        wanted = [AdamEndpoint(event=name) for name in events if schema.time_of(name) is not None]
    resolved = {(each.event, each.time or schema.time_of(each.event), each.cause): each for each in wanted}
    return list(resolved.values())


def _holds_numbers(column: Column) -> bool:
    """Return whether the levels of a column are numbers without labels."""
    numbers = [isinstance(level, int | float) and not isinstance(level, bool) for level in column.levels or ()]
    return bool(numbers) and all(numbers) and not column.value_labels


def _label(name: str, column: Column) -> str:
    """Return a label with the unit of the column."""
    label = column.label or name
    return label if column.unit is None or column.unit in label else f"{label} ({column.unit})"


def _texts(column: Column, given: Mapping[Level, str] | None, where: str) -> dict[Level, str] | None:
    """Return the text of each level: as given, else its label, else the level; None for a column without levels."""
    if column.levels is None:
        if given is not None:
            remedy = "Declare its `categories`, or remove `values`."
            raise ConfigError(where, "the column has no declared levels", remedy)
        return None
    unknown = [level for level in given or () if level not in column.levels]
    absent = [level for level in column.levels if given is not None and level not in given]
    if unknown or absent:
        what = f"{unknown[0]!r} is no level of the column" if unknown else f"the level {absent[0]!r} is left out"
        raise ConfigError(where, what, f"Give each level its text: {', '.join(map(repr, column.levels))}.")
    return {level: _plain(level, column) if given is None else given[level] for level in column.levels}


def _plain(level: Level, column: Column) -> str:
    return str(column.value_labels.get(level, str(level).lower() if isinstance(level, bool) else level))


def _level_texts(event: Column, name: str, censoring: Mapping[Level, int]) -> dict[Level, str]:
    """Return a description of each level of an event: its label, else that of the column, or "Censored"."""
    named = {0: event.label or name, 1: "Censored"} if event.type == "boolean" else {}
    return {level: event.value_labels.get(level, named.get(code, str(level))) for level, code in censoring.items()}


def _censoring(event: Column, cause: Level | None) -> dict[Level, int]:
    """Return CNSR of each level: 0 for an event, 1 for censoring, and from 2 on for each competing cause.

    The event is `cause`, else the level `event_when`, else each level but `censored`, else the last level.
    """
    levels = list(event.levels or ())
    if cause is not None:
        events = [cause]
    elif event.event_level is not None:
        events = [event.event_level]
    elif event.censored_level is not None:
        events = [level for level in levels if level != event.censored_level]
    else:
        events = levels[-1:]
    rest = [level for level in levels if level not in events]
    first = event.censored_level if event.censored_level in rest else rest[0]
    ordered = [first, *(level for level in rest if level != first)]
    return dict.fromkeys(events, 0) | {level: i for i, level in enumerate(ordered, start=1)}

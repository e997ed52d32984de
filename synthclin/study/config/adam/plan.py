"""Plan of ADSL and ADTTE: the block `outputs.adam` with its defaults, which come from the schema and the tasks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from synthclin.errors import ConfigError
from synthclin.study.config.adam.blocks import Adam, AdamVariable
from synthclin.study.config.adam.resolver import Resolver
from synthclin.study.config.adam.rules import LABELS, check_texts
from synthclin.study.config.adam.variables import AdamPlan, Variable

if TYPE_CHECKING:
    from synthclin.evaluation.tasks import Task
    from synthclin.schema import Schema

__all__ = ["adam_plan"]

_FLAGS = ("ITTFL", "SAFFL")


def adam_plan(block: Adam, name: str, schema: Schema, tasks: Sequence[Task], where: str) -> AdamPlan:
    """Return the variables of ADSL and ADTTE, with defaults from the schema and the tasks.

    Arguments:
        block: `outputs.adam` of a study.
        name: of the study.
        schema: what the columns of the table mean.
        tasks: `evaluation.utility` of the study.
        where: the place of the block, for errors.

    Raises:
        ConfigError: a column is not there or does not suit, a term is not of its codelist, or a name, label or text is
            too long.
    """
    resolver = Resolver(schema, where)
    study = block.study or re.sub(r"[^A-Z0-9]+", "-", name.upper())
    check_texts("STUDYID", [study], f"{where}.study")
    treatment = resolver.variable("TRT01P", _by_role(block.treatment, schema, "treatment", where), "treatment")
    site = resolver.variable("SITEID", _by_role(block.site, schema, "site", where), "site")
    given = {key: _spec(spec) for key, spec in block.columns.items()}
    actual = given.pop("TRT01A", None)
    done = _replaced(treatment, "TRT01A") if actual is None else resolver.variable("TRT01A", actual, "columns.TRT01A")
    others = [resolver.variable(key, spec, f"columns.{key}") for key, spec in given.items()]
    others += [Variable(flag, LABELS[flag], "text", constant="Y") for flag in _FLAGS if flag not in given]
    endpoints = tuple(resolver.endpoints(block, tasks))
    return AdamPlan(
        study=study,
        formats=tuple(dict.fromkeys(block.format)),
        subject=resolver.subject(block.subject),
        site=site,
        treatment=treatment,
        actual=done,
        codes=resolver.codes(block, treatment),
        numbers=_numbers(treatment, done),
        start=resolver.start(block.start),
        variables=tuple(resolver.with_units(others)),
        endpoints=endpoints,
    )


def _spec(given: str | AdamVariable) -> AdamVariable:
    return AdamVariable(column=given) if isinstance(given, str) else given


def _replaced(variable: Variable, name: str) -> Variable:
    return Variable(name, LABELS[name], variable.kind, variable.column, variable.texts, variable.constant)


def _by_role(
    given: str | AdamVariable | None, schema: Schema, role: Literal["site", "treatment"], where: str
) -> AdamVariable:
    """Return the source of a variable: as given, else the only column of a role, else for a site the text ``1``."""
    if given is not None:
        return _spec(given)
    names = [name for name, column in schema.columns.items() if column.role == role]
    if len(names) == 1:
        return AdamVariable(column=names[0])
    if role == "site" and not names:
        return AdamVariable(value="1")
    what = f"{'several columns have' if names else 'no column has'} the role {role}"
    remedy = f"Write `{role}: COLUMN`" + ("." if names else ", or `{value: TEXT}` where all subjects have the same.")
    raise ConfigError(f"{where}.{role}", what, remedy)


def _numbers(planned: Variable, actual: Variable) -> dict[str, int]:
    """Return a number for each treatment: the levels where these are whole numbers, else from 1 on."""
    texts = _all_texts(planned)
    levels = list(planned.texts or ())
    whole = all(isinstance(level, int) and not isinstance(level, bool) for level in levels) and bool(levels)
    given = dict(zip(texts, levels if whole else range(1, len(texts) + 1), strict=True))
    numbers = {text: int(number) for text, number in given.items() if isinstance(number, int)}
    for text in _all_texts(actual):
        numbers.setdefault(text, max(numbers.values()) + 1)
    return numbers


def _all_texts(variable: Variable) -> list[str]:
    return [variable.constant] if variable.constant is not None else list((variable.texts or {}).values())

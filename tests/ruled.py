"""Hypothesis strategies: a random schema full of rules, rows that may break them, and conditions on its columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from synthclin.expressions import parse, quote_level
from synthclin.rules.rules import finish
from synthclin.rules.validation import conform
from synthclin.schema import Schema

from .schemas import simulate

DAYS = ["2020-01-01", "2020-02-28", "2020-07-01", "2021-03-01", "2021-12-31"]
COLUMNS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "integer": {"range": st.sampled_from([[0, 5], [0, 60], [-20, 300]])},
    "number": {"range": st.sampled_from([[0, 1], [0, 60.0], [-20, 300.5]]), "decimals": st.sampled_from([0, 1, 3])},
    "duration": {"range": st.just([0, 90]), "unit": st.just("d"), "decimals": st.just(0)},
    "date": {"range": st.sampled_from([[DAYS[0], DAYS[-1]], [DAYS[0], DAYS[2]]])},
    "boolean": {"values": st.sampled_from([[False, True], [1, 2], ["no", "yes"]])},
    "category": {"categories": st.sampled_from([["a", "b"], ["a", "b", "c", "d"], [1, 2, 3]])},
    "ordinal": {"categories": st.sampled_from([["I", "II", "III"], [0, 1, 2, 3]])},
}
QUANTITIES = ("integer", "number", "duration")
Columns = dict[str, dict[str, Any]]


@st.composite
def columns(draw: st.DrawFn) -> Columns:
    """Three to six columns of mixed types, named by type and number; some may be missing, some with a reason."""
    kinds = draw(st.lists(st.sampled_from(sorted(COLUMNS)), min_size=3, max_size=6))
    found: Columns = {}
    for kind in kinds:
        words = {word: draw(values) for word, values in COLUMNS[kind].items()}
        blank = draw(
            st.sampled_from([{}, {}, {"missing": "allowed"}, {"missing_codes": {-99: "lost", -98: "refused"}}])
        )
        found[f"{kind}{len(found)}"] = {"type": kind, **words, **({} if kind == "date" and len(blank) else blank)}
    return found


def _of(columns: Columns, *kinds: str) -> list[str]:
    return [name for name, words in columns.items() if words["type"] in kinds]


@st.composite
def point_masses(draw: st.DrawFn, columns: Columns) -> str:
    """A condition on one column."""
    name = draw(st.sampled_from(sorted(columns)))
    words = columns[name]
    if "missing" in words and draw(st.integers(0, 3)) == 0:
        return f"{name} is {draw(st.sampled_from(['missing', 'not missing']))}"
    if "missing_codes" in words and draw(st.integers(0, 3)) == 0:
        return f"{name}_missing == '{draw(st.sampled_from(['lost', 'refused']))}'"
    sign = draw(st.sampled_from(["<", "<=", ">", ">=", "=="]))
    if words["type"] in QUANTITIES:
        low, high = words["range"]
        return f"{name} {sign} {round(low + draw(st.sampled_from([0.1, 0.5, 0.8])) * (high - low))}"
    if words["type"] == "date":
        return f"{name} {sign.replace('==', '<=')} '{draw(st.sampled_from(DAYS[1:-1]))}'"
    levels = words.get("categories") or words["values"]
    chosen = draw(st.lists(st.sampled_from(levels), min_size=1, max_size=2, unique=True))
    if words["type"] == "ordinal":
        return f"{name} {sign} {quote_level(chosen[0])}"
    return f"{name} {draw(st.sampled_from(['in', 'not in']))} [{', '.join(map(quote_level, chosen))}]"


@st.composite
def conditions(draw: st.DrawFn, columns: Columns, most: int = 4) -> str:
    """A condition on one to four columns, some between two of them."""
    terms = draw(st.lists(point_masses(columns) | orders(columns), min_size=1, max_size=most))
    whole = terms[0]
    for term in terms[1:]:
        whole = f"({whole}) {draw(st.sampled_from(['and', 'and', 'or', 'and not']))} ({term})"
    return whole


@st.composite
def orders(draw: st.DrawFn, columns: Columns) -> str:
    """An order between two columns, if two can be compared."""
    pairs = [(a, b) for kinds in (QUANTITIES, ("date",)) for a in _of(columns, *kinds) for b in _of(columns, *kinds)]
    pairs = [(a, b) for a, b in pairs if a != b]
    if not pairs:
        return draw(point_masses(columns))
    first, second = draw(st.sampled_from(pairs))
    return f"{first} {draw(st.sampled_from(['<', '<=', '!=']))} {second}"


@st.composite
def rules(draw: st.DrawFn, columns: Columns) -> list[Any]:
    """One to four rules; rows that break them remain training rows, so that the model alone does not satisfy them."""
    short = conditions(columns, most=2)
    menu = [orders(columns), short, st.fixed_dictionaries({"when": short, "then": short | orders(columns)})]
    if len(choices := _of(columns, "category", "ordinal", "boolean")) > 1:
        some = st.lists(st.sampled_from(choices), min_size=2, max_size=3, unique=True)
        menu.append(st.fixed_dictionaries({"columns": some}))
    found = draw(st.lists(st.one_of(menu), min_size=1, max_size=4, unique_by=str))
    return [({"then": rule} if isinstance(rule, str) else rule) | {"on_violation": "keep"} for rule in found]


@st.composite
def schemas(draw: st.DrawFn) -> tuple[Schema, Columns]:
    """A schema with rules, a column that some other empties, and columns that follow from others by a formula."""
    mine = draw(columns())
    known = dict(mine)
    if draw(st.booleans()):
        mine["asked"] = {"type": "integer", "range": [0, 40], "missing_when": draw(conditions(known, most=2))}
    found = draw(rules(mine))
    numbers = [name for name in _of(known, "integer") if "missing" not in mine[name]]
    if len(numbers) > 1 and draw(st.booleans()):
        mine["total"] = {"type": "integer", "range": [-40, 600], "missing": "allowed"}
        found.append({"then": f"total == {numbers[0]} + {numbers[1]}", "on_violation": "keep"})
    if (quantities := _of(known, *QUANTITIES)) and draw(st.booleans()):
        mine["index"] = {"type": "number", "decimals": 1, "range": [-100, 600]}
        mine["index"]["derive"] = f"{quantities[0]} / 2 + {quantities[-1]}"
    return Schema.model_validate({"columns": mine, "constraints": found}), mine


def rows_of(schema: Schema, columns: Columns, rows: int, seed: int) -> pd.DataFrame:
    """Return typed rows whose formulas, sums and empty cells are the schema's; other rules are left to chance."""
    rng = np.random.default_rng(seed)
    given = [name for name, words in columns.items() if "derive" not in words]
    table = simulate(schema, rows, rng)[given].astype(object)
    for name in given:
        for code in columns[name].get("missing_codes", {}):
            table.loc[rng.random(rows) < 0.15, name] = code
    typed = conform(table, Schema(columns={name: schema.columns[name] for name in given}))
    if "total" in columns:
        (sides,) = (rule.then for rule in schema.constraints if getattr(rule, "then", "").startswith("total =="))
        typed["total"] = schema.columns["total"].coerce(parse(sides.removeprefix("total == ")).compute(typed))[0]
    return finish(typed, schema)

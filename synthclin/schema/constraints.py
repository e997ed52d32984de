"""Constraints between columns: those declared in a schema, and those implied by a column's declaration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import pandas as pd
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    PrivateAttr,
    Tag,
    model_serializer,
    model_validator,
)

from synthclin.expressions import parse, quote_level
from synthclin.schema.columns import Column
from synthclin.schema.combinations import Combinations, OnViolation
from synthclin.schema.visit_times import visits_of

if TYPE_CHECKING:
    from synthclin.expressions.visit_order import VisitOrder

__all__ = ["MAX_RULES", "AnyRule", "Rule", "Rules", "administrative_rules", "implied_rules"]

_USUAL = ("on_violation", "error")


class Rule(BaseModel):
    """A predicate that holds in every row; with `when`, only in rows where `when` is true.

    A rule with an unknown outcome, because a value is missing, counts as satisfied. `on_violation` is the treatment of
    real rows that violate it: ``error`` refuses the table, ``drop`` leaves them out, ``keep`` trains on them. No
    synthetic row violates it in any case.

    Example:
        >>> Rule.model_validate("dbp < sbp").text
        'dbp < sbp'
        >>> Rule(when="sex == 'M'", then="not pregnant").text
        "if sex == 'M' then not pregnant"
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    when: str | None = None
    then: str
    on_violation: OnViolation = "error"
    _tolerances: dict[str, float] = PrivateAttr(default_factory=dict)
    _visits: tuple[str, ...] = PrivateAttr(default=())

    @model_validator(mode="before")
    @classmethod
    def _plain_text_is_then(cls, data: object) -> object:
        return {"then": data} if isinstance(data, str) else data

    @model_serializer
    def _plain_text_without_other_keys(self) -> str | dict[str, str]:
        fields = {"when": self.when, "then": self.then, "on_violation": self.on_violation}
        words = {word: text for word, text in fields.items() if text is not None and (word, text) != _USUAL}
        return self.then if len(words) == 1 else words

    @property
    def text(self) -> str:
        """The rule as one line."""
        return self.then if self.when is None else f"if {self.when} then {self.then}"

    @property
    def expressions(self) -> tuple[str, ...]:
        """The predicates of the rule."""
        return (self.then,) if self.when is None else (self.when, self.then)

    @property
    def columns(self) -> frozenset[str]:
        """Names of the columns in the rule; those of the patient and the visit time too where it is between visits."""
        return frozenset(self._visits).union(*(parse(text).columns for text in self.expressions))

    @property
    def visit_functions(self) -> frozenset[str]:
        """The functions of several visits in the rule, such as `previous`; none in a rule on single rows."""
        return frozenset().union(*(parse(text).visit_functions for text in self.expressions))

    def between_visits(self, entity: str, time: str) -> Rule:
        """Return a rule that has functions of visits with the columns of the patient and the visit time.

        Example:
            >>> import pandas as pd
            >>> table = pd.DataFrame({"who": [1, 1, 1], "day": [0, 14, 7], "dose": [5, 6, 9]})
            >>> Rule(then="dose >= previous(dose)").between_visits("who", "day").broken(table).tolist()
            [False, True, False]
        """
        copy = self.model_copy()
        copy._visits = (entity, time)  # noqa: SLF001 (a copy of its own class)
        return copy

    def rounded(self, columns: Mapping[str, Column]) -> Rule:
        """Return the rule, whose equalities ignore the rounding of computed numbers to the decimals of a column.

        Example:
            >>> import pandas as pd
            >>> from synthclin.schema.columns import Number
            >>> rule, table = Rule(then="bmi == weight / 3"), pd.DataFrame({"bmi": [3.33, 3.4], "weight": [10.0, 10.0]})
            >>> rule.rounded({"bmi": Number(decimals=2), "weight": Number()}).broken(table).tolist()
            [False, True]
        """
        if not any("==" in text or "!=" in text for text in self.expressions):
            return self
        decimals = {name: columns[name].decimal_places for name in self.columns if name in columns}
        # A little over half of the last decimal, because software differs in rounding halves.
        tolerances = {name: 0.51 * 10.0**-places for name, places in decimals.items() if places is not None}
        if not tolerances:
            return self
        copy = self.model_copy()
        copy._tolerances = tolerances  # noqa: SLF001 (a copy of its own class)
        return copy

    @property
    def tolerances(self) -> Mapping[str, float]:
        """By column the difference that an equality with a computed number ignores; see `rounded`."""
        return self._tolerances

    def broken(self, table: pd.DataFrame, visits: VisitOrder | None = None) -> pd.Series[bool]:
        """Return (rows,) which rows of a typed table violate the rule.

        Arguments:
            table: has its columns.
            visits: the visits of each patient, if they are known already; only a rule between visits needs them.

        Example:
            >>> import pandas as pd
            >>> table = pd.DataFrame({"age": [9, 9, 70], "weight": [40, 95, 95]})
            >>> Rule(when="age < 18", then="weight < 90").broken(table).tolist()
            [False, True, False]
        """
        if visits is None and self._visits:
            entity, time = self._visits
            visits = visits_of(table[entity], table[time])
        # Arrays: on small tables each operation on a Series takes longer than the rule.
        parts = [parse(text).evaluate(table, self._tolerances, visits).array for text in self.expressions]
        satisfied: Any = parts[-1] if self.when is None else parts[1] | ~parts[0]  # type: ignore[operator]
        return pd.Series(~satisfied.to_numpy(dtype=np.bool_, na_value=True), index=table.index)


def _kind(data: object) -> str:
    """Return the class name of a rule or of its document."""
    is_table = isinstance(data, Combinations) or (isinstance(data, Mapping) and "columns" in data)
    return "Combinations" if is_table else "Rule"


MAX_RULES = 2_000
"""The largest number of rules of a schema."""


def _bounded(rules: object) -> object:
    """Refuse too many rules before any of them is parsed."""
    if isinstance(rules, list | tuple) and len(rules) > MAX_RULES:
        raise ValueError(f"{len(rules):,} rules, at most {MAX_RULES:,} are read. Keep those that rows must satisfy.")
    return rules


AnyRule = Annotated[Annotated[Rule, Tag("Rule")] | Annotated[Combinations, Tag("Combinations")], Discriminator(_kind)]
Rules = Annotated[tuple[AnyRule, ...], BeforeValidator(_bounded)]


def implied_rules(name: str, column: Column) -> Iterator[Rule]:
    """Yield the rules implied by `missing_when` and `derive` of one column.

    Real rows that violate one are reported and kept for training, because it is not a declared rule.

    Arguments:
        name: of the column, as an expression writes it.
        column: its declaration.

    Example:
        >>> from synthclin.schema.columns import Number
        >>> [rule.text for rule in implied_rules("bmi", Number(derive="weight / height ** 2", decimals=1))]
        ['abs(bmi - (weight / height ** 2)) <= 0.051']
    """
    if column.is_free_text:
        return
    if (empty := column.missing_when) is not None:
        yield Rule(when=empty, then=f"{name} is missing", on_violation="keep")
        if column.missing == "never" and column.derive is None and not column.missing_codes:
            yield Rule(when=f"not ({empty})", then=f"{name} is not missing", on_violation="keep")
    if (formula := column.derive) is not None:
        if column.truth_values is not None:
            no, yes = map(quote_level, column.truth_values)
            yield Rule(when=formula, then=f"{name} == {yes}", on_violation="keep")
            yield Rule(when=f"not ({formula})", then=f"{name} == {no}", on_violation="keep")
        else:
            # A little over half of the last decimal, because software differs in rounding halves.
            decimals = column.decimal_places
            bound = f"1e-9 * abs({name})" if decimals is None else f"{0.51 * 10**-decimals:.{decimals + 2}f}"
            yield Rule(then=f"abs({name} - ({formula})) <= {bound}", on_violation="keep")


def administrative_rules(name: str, column: Column, time: str) -> Iterator[Rule]:
    """Yield the rules of administrative censoring: no time beyond the end of follow-up, and no event at it.

    Arguments:
        name: of the event, as an expression writes it.
        column: its declaration.
        time: the column with the time of the event, as an expression writes it.

    Example:
        >>> from synthclin.schema.columns import Boolean
        >>> [rule.text for rule in administrative_rules("died", Boolean(role="event", administrative=1825), "days")]
        ['days <= (1825)', 'if days >= (1825) then died == false']
    """
    if (end := column.administrative_end) is not None:
        yield Rule(then=f"{time} <= ({end})")
        if column.event_level is not None:
            then = f"{name} != {quote_level(column.event_level)}"
        else:
            censored = (column.levels or ("",))[0] if column.censored_level is None else column.censored_level
            then = f"{name} == {quote_level(censored)}"
        yield Rule(when=f"{time} >= ({end})", then=then)

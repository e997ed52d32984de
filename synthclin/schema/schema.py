"""The schema of a table: its columns and the constraints between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator

from synthclin.errors import ConfigError
from synthclin.expressions import parse, quote_name
from synthclin.io.documents import dump_yaml, read_yaml, refuse_study, validate
from synthclin.schema.column_expressions import (
    check_combinations,
    check_derive,
    check_missing_when,
    checked_expression,
    suggest,
)
from synthclin.schema.columns import AnyColumn, Column, MissingReason
from synthclin.schema.combinations import Combinations
from synthclin.schema.constraints import Rule, Rules, administrative_rules, implied_rules
from synthclin.schema.schema_html import schema_html
from synthclin.schema.schema_yaml import Comments, commented_yaml, schema_document
from synthclin.schema.split_columns import check_splits, missing_together
from synthclin.schema.visits import AnyVisits, Visits, check_visits

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Schema"]

_INFERENCE: list[Callable[[pd.DataFrame], Schema]] = []


def provide_inference(infer: Callable[[pd.DataFrame], Schema]) -> None:
    """Register the function behind `Schema.infer`: the inference package is above this one and is not imported here."""
    _INFERENCE[:] = [infer]


class Schema(BaseModel):
    """The schema of a table: columns and constraints. Frozen; reads and writes YAML; columns keep their order.

    Example:
        >>> schema = Schema.model_validate({"columns": {"age": {"type": "integer", "range": [18, 105]},
        ...                                             "sex": {"type": "category", "categories": ["F", "M"]}},
        ...                                 "constraints": ["age >= 18"]})
        >>> schema.columns["age"].range
        (18, 105)
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    columns: dict[str, AnyColumn] = Field(min_length=1)
    constraints: Rules = ()
    visits: AnyVisits | None = None
    _comments: Comments | None = PrivateAttr(default=None)

    @field_validator("columns")
    @classmethod
    def _missing_reasons_are_columns(cls, columns: dict[str, Column]) -> dict[str, Column]:
        """Add, after each column with `missing_codes`, the column with the missing reason of each cell."""
        whole: dict[str, Column] = {}
        declared = {name: column for name, column in columns.items() if column.reason_for is None}
        for name, column in declared.items():
            whole[name] = column
            if column.missing_codes:
                kind, empty = MissingReason.name(name), f"{quote_name(name)} is not missing"
                if kind in declared:
                    what = f"{kind!r} is the name of the column with the missing reasons of {name!r}"
                    raise ValueError(f"{what}. Rename the other {kind!r}.")
                if column.missing_when is not None:
                    empty = f"{empty} or ({column.missing_when})"
                whole[kind] = MissingReason.for_column(name, column, empty)
        return whole

    @model_validator(mode="after")
    def _names_are_printable(self) -> Self:
        for name in self.columns:
            if not name.strip() or not name.isprintable():
                raise ValueError(f"columns: {name!r} is no name. Use printable characters.")
        return self

    @model_validator(mode="after")
    def _splits_name_two_numbers(self) -> Self:
        check_splits(self.columns)
        return self

    @model_validator(mode="after")
    def _one_identifier_names_the_patient(self) -> Self:
        named = [name for name, column in self.columns.items() if column.role == "entity"]
        for name in named:
            if not self.columns[name].is_identifier:
                what = f"columns.{name}.role: `entity` is for an identifier, and this is `{self.columns[name].type}`"
                raise ValueError(f"{what}. Declare `type: id`, or remove the role.")
        if len(named) > 1:
            raise ValueError(f"columns: {len(named)} have the role entity: {', '.join(named)}. Keep it on one.")
        return self

    @model_validator(mode="after")
    def _visits_fit_the_columns(self) -> Self:
        check_visits(self.columns, self.visits)
        return self

    @model_validator(mode="after")
    def _roles_name_their_columns(self) -> Self:
        for name, column in self.columns.items():
            timed = column.event_time
            if timed is not None and (timed not in self.columns or self.columns[timed].role != "time"):
                raise ValueError(f"columns.{name}.time: names no column with `role: time`. Name one, or give the role.")
            for stratum in column.strata:
                if stratum == name or stratum not in self.modelled:
                    what = f"columns.{name}.randomised: {stratum!r} is no other modelled column"
                    raise ValueError(f"{what}. Name columns of strata, or write true.")
        arms = [name for name, column in self.columns.items() if column.is_randomised]
        if len(arms) > 1:
            raise ValueError(f"columns: {' and '.join(arms)} are both randomised. Keep it on one.")
        return self

    def _repr_html_(self) -> str:
        return schema_html(self.columns, len(self.constraints))

    @property
    def randomised(self) -> str | None:
        """Name of the randomised treatment arm, if there is one."""
        arms = (name for name, column in self.columns.items() if column.is_randomised)
        return next(arms, None)

    @property
    def before_randomisation(self) -> tuple[str, ...]:
        """Names of the modelled columns known before randomisation: strata, and the roles baseline, stratum, site."""
        if self.randomised is None:
            return ()
        first = {name for name, column in self.columns.items() if column.role in {"baseline", "stratum", "site"}}
        first |= set(self.columns[self.randomised].strata)
        whole = first | {MissingReason.name(name) for name in first if self.columns[name].missing_codes}
        return tuple(name for name in self.modelled if name in whole)

    def time_of(self, event: str) -> str | None:
        """Return the column with the time of an event: its own `time`, else the only one of that role."""
        times = [name for name, column in self.columns.items() if column.role == "time"]
        return self.columns[event].event_time or (times[0] if len(times) == 1 else None)

    @property
    def ends(self) -> dict[str, str]:
        """Return by time column the expression over other columns for each patient's end of follow-up.

        Example:
            >>> died = {"type": "boolean", "role": "event", "administrative": "closed - entered"}
            >>> whole = {"type": "integer"}
            >>> Schema.model_validate({"columns": {"entered": whole, "closed": whole, "died": died,
            ...                                    "days": {**whole, "role": "time"}}}).ends
            {'days': 'closed - entered'}
        """
        found: dict[str, str] = {}
        for name, column in self.columns.items():
            end = column.administrative_end
            if isinstance(end, str) and (time := self.time_of(name)) is not None and parse(end).columns:
                found.setdefault(time, end)
        return found

    @model_validator(mode="after")
    def _anchors_are_dates(self) -> Self:
        for name, column in self.columns.items():
            if column.anchor_name is None:
                continue
            place, anchor = f"columns.{name}.anchor", self.columns.get(column.anchor_name)
            if anchor is None or not anchor.is_temporal:
                what = "names a column that is no date" if anchor else "names no column"
                raise ValueError(f"{place}: {what}. Name a date or datetime of the same row.")
            if anchor.may_be_missing and not column.may_be_missing:
                what = f"{column.anchor_name!r} may be missing, and then this column is"
                raise ValueError(f"{place}: {what}. Declare `missing: allowed` here too.")
            met = {name}
            while anchor is not None and anchor.anchor_name is not None:
                if anchor.anchor_name in met:
                    raise ValueError(f"{place}: leads back to itself. Leave one of these dates without an anchor.")
                met.add(anchor.anchor_name)
                anchor = self.columns.get(anchor.anchor_name)
        return self

    @model_validator(mode="after")
    def _expressions_fit_the_columns(self) -> Self:
        visits: Literal["of patients", "of rows"] = "of rows" if self.visit_time is None else "of patients"
        for position, rule in enumerate(self.constraints):
            for text in rule.expressions:
                checked_expression(self.columns, text, f"constraints[{position}]", visits=visits)
            if isinstance(rule, Combinations):
                check_combinations(self.columns, self.modelled, rule, f"constraints[{position}]")
        for name, column in self.columns.items():
            if column.missing_when is not None:
                check_missing_when(self.columns, name, column.missing_when)
            if column.derive is not None:
                check_derive(self.columns, name, column.derive)
            if column.administrative_end is not None and self.time_of(name) is None:
                what = "no column has the time of the event, or several have"
                raise ValueError(f"columns.{name}.administrative: {what}. Name it by `time`.")
            for text in (text for rule in self._implied(name) for text in rule.expressions):
                checked_expression(self.columns, text, f"columns.{name}")  # longer than its source, perhaps too long
        return self

    @model_validator(mode="after")
    def _derivations_have_no_cycle(self) -> Self:
        try:
            _ = self.computed
        except CycleError as error:
            cycle = " <- ".join(error.args[1])
            raise ValueError(f"columns: each needs the next to be computed: {cycle}. Break the cycle.") from None
        return self

    @property
    def modelled(self) -> tuple[str, ...]:
        """Names of the columns that a synthesizer models, in order."""
        return tuple(name for name, column in self.columns.items() if column.modelled)

    @property
    def entity(self) -> str | None:
        """Name of the patient identifier column, if there is one."""
        return next((name for name, column in self.columns.items() if column.role == "entity"), None)

    @property
    def visit_time(self) -> str | None:
        """Name of the column with the time of each visit; None where each row is a patient of its own.

        Example:
            >>> columns = {"who": {"type": "id", "role": "entity"}, "day": {"type": "integer", "role": "visit"}}
            >>> Schema.model_validate({"columns": columns}).visit_time
            'day'
            >>> Schema.model_validate({"columns": columns, "visits": "independent"}).visit_time is None
            True
        """
        if self.visits == "independent":
            return None
        return next((name for name, column in self.columns.items() if column.role == "visit"), None)

    @property
    def planned(self) -> Visits:
        """The declared `visits`, or those without a schedule."""
        return self.visits if isinstance(self.visits, Visits) else Visits()

    @property
    def static(self) -> tuple[str, ...]:
        """Names of the modelled columns whose cells are the same at each visit of a patient, in order."""
        return tuple(name for name in self.modelled if self.columns[name].static)

    @property
    def computed(self) -> tuple[str, ...]:
        """Names of the columns with `derive` or `missing_when`, each after the columns that its expressions need."""
        needs = {
            name: sorted(set().union(*(parse(text).columns for text in texts)))
            for name, column in self.columns.items()
            if (texts := [text for text in (column.derive, column.missing_when) if text is not None])
        }
        return tuple(name for name in TopologicalSorter(needs).static_order() if name in needs)

    @property
    def rules(self) -> tuple[Rule | Combinations, ...]:
        """The constraints, then what columns imply for whole rows by `missing_when`, `derive` and `administrative`."""
        return (*self._declared(), *(rule for name in self.columns for rule in self._implied(name)))

    @property
    def imposed(self) -> tuple[Rule | Combinations, ...]:
        """The rules that sampled cells must satisfy: all but those implied by a derived column."""
        modelled = (name for name, column in self.columns.items() if column.derive is None)
        return (*self._declared(), *(rule for name in modelled for rule in self._implied(name)))

    def _declared(self) -> Iterator[Rule | Combinations]:
        """Yield the constraints, their equalities within the decimals of the columns."""
        for rule in self.constraints:
            whole = rule.rounded(self.columns) if isinstance(rule, Rule) else rule
            if isinstance(whole, Rule) and whole.visit_functions and self.entity and self.visit_time:
                whole = whole.between_visits(self.entity, self.visit_time)
            yield whole

    def _implied(self, name: str) -> Iterator[Rule]:
        """Yield the rules implied by one column."""
        yield from implied_rules(quote_name(name), self.columns[name])
        yield from missing_together(self.columns, name)
        if self.columns[name].role == "event" and (time := self.time_of(name)) is not None:
            yield from administrative_rules(quote_name(name), self.columns[name], quote_name(time))

    def empty_when(self, name: str) -> str | None:
        """Return the predicate under which a column is always missing, from its `missing_when` and from rules.

        Example:
            >>> test = {"type": "number", "missing": "allowed"}
            >>> schema = Schema.model_validate({"columns": {"done": {"type": "boolean"}, "test": test},
            ...                                 "constraints": [{"when": "not done", "then": "test is missing"}]})
            >>> schema.empty_when("test")
            '(not done)'
        """
        predicates = [self.columns[name].missing_when]
        for rule in self.constraints:
            if isinstance(rule, Rule) and rule.when is not None and not rule.visit_functions:
                predicates += [rule.when for part in parse(rule.then).conjuncts() if part.empties == name]
        return " or ".join(f"({text})" for text in predicates if text is not None) or None

    def observed(self, table: pd.DataFrame, patient: NDArray[np.int64], least: int) -> Schema:
        """Return the schema with ``observed`` combinations taken from a table; see `Combinations.fitted`."""
        # Synthetic rows have a parent term in the place of a rare code, so the combinations have it too.
        pooled = {
            name: column.pooled(table[name], patient, least) for name, column in self.columns.items() if name in table
        }
        table = table.assign(**pooled)
        rules = (
            rule.fitted(table, patient, least) if isinstance(rule, Combinations) else rule for rule in self.constraints
        )
        return self.model_copy(update={"constraints": tuple(rules)})

    @classmethod
    def infer(cls, table: pd.DataFrame) -> Schema:
        """Guess a schema from a table; see `synthclin.inference.infer`, which also returns the evidence.

        Raises:
            DataError: the table has no rows or columns, or a column that cannot be guessed.
        """
        if not _INFERENCE:
            raise ConfigError("Schema.infer", "the inference is not loaded", "Import synthclin.inference first.")
        return _INFERENCE[-1](table)

    def without_other(self) -> Schema:
        """Return the schema without `other`: a synthetic table is judged by it and must hold no undeclared value."""
        columns = {name: column.model_copy(update={"other": None}) for name, column in self.columns.items()}
        return self.model_copy(update={"columns": columns})

    def with_column(self, name: str, **changes: Any) -> Schema:  # noqa: ANN401
        """Return a schema in which the keys `changes` of column `name` are replaced.

        None removes a key. A new `type` removes the keys that only the old type has. A new column is added at the end,
        if its `type` is given.

        Raises:
            ConfigError: a key is unknown or its value invalid.

        Example:
            >>> schema = Schema.model_validate({"columns": {"crp": {"type": "number"}}})
            >>> schema.with_column("crp", unit="mg/L", scale="log").columns["crp"].unit
            'mg/L'
        """
        where = f"schema.columns.{name}"
        if name not in self.columns and "type" not in changes:
            raise ConfigError(where, "there is no such column", suggest(name, self.columns))
        data = schema_document(self.columns, self.constraints, self.visits)
        keys = data["columns"].get(name, {})
        if "type" in changes and changes["type"] != keys.get("type"):
            keys = {key: value for key, value in keys.items() if key in Column.model_fields}
        keys = {**keys, **changes}
        data["columns"][name] = {key: value for key, value in keys.items() if value is not None}
        changed = validate(Schema, data, "schema")
        return changed if self._comments is None else changed.with_comments(self._comments.without(name))

    @classmethod
    def read(cls, path: str | Path) -> Schema:
        """Read a schema from a YAML file; raises ConfigError naming file and key."""
        raw = read_yaml(path)
        refuse_study(raw, str(path))
        return validate(cls, raw, str(path))

    def to_yaml(self, *, comments: bool = True) -> str:
        """Return the schema as YAML text that `read` reads back to an equal schema.

        With `comments`, an inferred schema has the evidence of its columns and the proposed rules as comments.

        Example:
            >>> schema = Schema.model_validate({"columns": {"died": {"type": "boolean", "values": [0, 1]}}})
            >>> print(schema.to_yaml(), end="")
            columns:
              died:
                type: boolean
                values: [0, 1]
        """
        document = schema_document(self.columns, self.constraints, self.visits)
        return commented_yaml(document, self._comments) if comments and self._comments else dump_yaml(document)

    def with_comments(self, comments: Comments | None) -> Schema:
        """Return an equal schema with these comments in `to_yaml`."""
        copy = self.model_copy()
        copy._comments = comments  # noqa: SLF001 (its own class)
        return copy

    def __eq__(self, other: object) -> bool:
        """Return whether columns, constraints and visits are equal; comments do not count."""
        if not isinstance(other, Schema):
            return NotImplemented
        mine, others = (self.columns, self.constraints, self.visits), (other.columns, other.constraints, other.visits)
        return mine == others

    __hash__ = None  # type: ignore[assignment]

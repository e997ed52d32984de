"""Schemas as YAML: the document without default values, and comments of evidence above its columns and rules."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, NamedTuple

from synthclin.io.documents import dump_yaml
from synthclin.schema.columns import Column

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from synthclin.schema.combinations import Combinations
    from synthclin.schema.constraints import Rule
    from synthclin.schema.visits import AnyVisits

__all__ = [
    "ColumnComment",
    "Comments",
    "RuleComment",
    "column_document",
    "commented_yaml",
    "rule_documents",
    "schema_document",
]

_WIDTH = 110
_HEAD = "# Guessed from a table. Confirm each column, then add labels, units and rules."
_RULE_HEAD = """
# Rules between columns that no row of the table violates, with counts of {rows} rows. Those after `#` are rare, or may
# be chance: remove the `#` from rules that you know to be true, and remove the others."""


class ColumnComment(NamedTuple):
    """The comments on a column: the evidence above it, and lines of YAML below, for a person to add."""

    evidence: str
    hints: tuple[str, ...] = ()


class RuleComment(NamedTuple):
    """The evidence for a rule, or for the few that belong together.

    Arguments:
        evidence: the evidence.
        documents: each rule as a YAML document.
        active: whether they are constraints; else they are written as comments.
    """

    evidence: str
    documents: tuple[Any, ...]
    active: bool


class Comments(NamedTuple):
    """The comments of an inferred schema.

    Arguments:
        columns: of each column, by name.
        rules: of the proposed rules, in order.
        rows: the number of rows searched for rules.
    """

    columns: Mapping[str, ColumnComment]
    rules: tuple[RuleComment, ...]
    rows: int

    def without(self, name: str) -> Comments:
        """Return the comments without those on one column."""
        return self._replace(columns={other: of for other, of in self.columns.items() if other != name})


def column_document(column: Column) -> dict[str, Any]:
    """Return a column's keys without defaults: its type, its label, its unit and those of its type first."""
    values = column.model_dump(mode="json", exclude_none=True)
    for key, by_level in (
        ("allocation", column.allocation_ratio),
        ("missing_codes", column.missing_codes),
        ("labels", column.value_labels),
        ("spellings", column.other_spellings),
    ):
        if by_level:
            values[key] = dict(by_level)  # JSON would make text of the keys
    default = {name: field.default for name, field in type(column).model_fields.items()}
    own = [name for name in default if name not in Column.model_fields]
    # By repr, because (0, 1) == (False, True).
    return {
        name: values[name]
        for name in dict.fromkeys(("type", "label", "unit", *own, *default))
        if name in values and (name == "type" or repr(getattr(column, name)) != repr(default[name]))
    }


def schema_document(
    columns: Mapping[str, Column], rules: tuple[Rule | Combinations, ...], visits: AnyVisits | None = None
) -> dict[str, Any]:
    """Return a schema as a YAML document, without keys that have their default value."""
    declared = {name: one for name, one in columns.items() if one.reason_for is None}
    document: dict[str, Any] = {"columns": {name: column_document(column) for name, column in declared.items()}}
    if visits is not None:
        told = visits if isinstance(visits, str) else visits.model_dump(mode="json", exclude_defaults=True)
        document["visits"] = told
    return document | ({"constraints": rule_documents(rules)} if rules else {})


def rule_documents(rules: tuple[Rule | Combinations, ...]) -> list[Any]:
    """Return each rule as a YAML document."""
    return [rule.model_dump(mode="json") for rule in rules]


def commented_yaml(document: Mapping[str, Any], comments: Comments) -> str:
    """Return the YAML text of a schema's document, with comments above its columns and rules."""
    lines = [_HEAD, "columns:"]
    for name, words in document["columns"].items():
        comment = comments.columns.get(name, ColumnComment(""))
        lines += _comment(comment.evidence)
        lines.append(textwrap.indent(dump_yaml({name: words}), "  ").rstrip("\n"))
        lines += [f"    # {hint}" for hint in comment.hints]
    if "visits" in document:
        lines.append(dump_yaml({"visits": document["visits"]}).rstrip("\n"))
    constraints = list(document.get("constraints", ()))
    if comments.rules:
        lines.append(_RULE_HEAD.format(rows=comments.rows))
    if comments.rules or constraints:
        lines.append("constraints:" if constraints else "# constraints:")
    lines += _rules(constraints, comments.rules)
    return "\n".join(lines) + "\n"


def _rules(constraints: list[Any], comments: tuple[RuleComment, ...]) -> Iterator[str]:
    """Yield the lines of the constraints, in order, and of proposed rules between them as comments."""
    waiting = list(comments)
    for document in constraints:
        place = next((i for i, one in enumerate(waiting) if one.active and one.documents[0] == document), None)
        if place is not None:
            passed, waiting = waiting[: place + 1], waiting[place + 1 :]
            for one in passed[:-1]:
                yield from _inactive(one)
            yield from _comment(passed[-1].evidence)
        yield from (f"  {line}" for line in _entry(document))
    for one in waiting:
        yield from _inactive(one)


def _inactive(comment: RuleComment) -> Iterator[str]:
    """Yield the lines of a proposed rule that is no constraint; none for one that was a constraint."""
    if not comment.active:
        yield from _comment(comment.evidence)
        yield from (f"  # {line}" for document in comment.documents for line in _entry(document))


def _comment(text: str) -> list[str]:
    # A line separator would end the comment, and a reason may hold one.
    return textwrap.wrap(text, _WIDTH, initial_indent="  # ", subsequent_indent="  # ", break_on_hyphens=False)


def _entry(document: Any) -> list[str]:  # noqa: ANN401 - a text or a mapping
    """Return a rule as the lines of one entry of a list."""
    text = dump_yaml({"x": document}).removeprefix("x: ") if isinstance(document, str) else dump_yaml(document)
    first, *others = text.splitlines()
    return [f"- {first}", *(other if isinstance(document, str) else f"  {other}" for other in others)]

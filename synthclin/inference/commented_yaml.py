"""Serialisation of an inferred schema as YAML, with the evidence for every guess and hints as comments."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from synthclin.inference.guesses import left_out
from synthclin.io.documents import dump_yaml, parse_yaml

if TYPE_CHECKING:
    from synthclin.inference.guesses import Proposal
    from synthclin.inference.schema_inference import Inferred
    from synthclin.schema.constraints import Rule

__all__ = ["to_commented_yaml"]

_WIDTH = 110
_RULE_HEAD = """
# Rules between columns that no row of the table violates, with counts of {rows} rows. Those after `#` are rare, or may
# be chance: remove the `#` from rules that you know to be true, and remove the others."""


def to_commented_yaml(inferred: Inferred) -> str:
    """Return the schema as YAML with a comment of evidence above each column and rule.

    Example:
        >>> import pandas as pd
        >>> from synthclin.inference import infer
        >>> table = pd.DataFrame({"died": [0, 1, 1] * 11, "age": [64, 71, None] * 11})
        >>> print(to_commented_yaml(infer(table)), end="")
        # Guessed from a table. Confirm each column, then add units, rules and descriptions.
        columns:
          # guessed: all 33 cells are 0 or 1
          died:
            type: boolean
            values: [0, 1]
          # guessed: all 22 cells are whole numbers; range: the extremes, which many cells share; empty: 11 of 33
          # cells; the name is one that others may know
          age:
            type: integer
            range: [64, 71]
            missing: allowed
            disclosure: quasi_identifier
    """
    lines = ["# Guessed from a table. Confirm each column, then add units, rules and descriptions.", "columns:"]
    document = parse_yaml(inferred.schema.to_yaml(), "schema")
    for name, words in document["columns"].items():
        reasons = inferred.evidence[name]
        verbatim = reasons == ["declared"] or left_out(reasons)
        lines += _comment("; ".join(reasons) if verbatim else f"guessed: {'; '.join(reasons)}")
        lines.append(textwrap.indent(dump_yaml({name: words}), "  ").rstrip("\n"))
        lines += [f"    # {hint}" for hint in inferred.hints.get(name, ())]
    if inferred.proposals:
        lines += [
            _RULE_HEAD.format(rows=inferred.rows),
            "constraints:" if document.get("constraints") else "# constraints:",
        ]
        lines += [line for proposal in inferred.proposals for line in _rules(proposal)]
    return "\n".join(lines) + "\n"


def _comment(text: str) -> list[str]:
    # A line separator would end the comment, and a reason may hold one.
    return textwrap.wrap(text, _WIDTH, initial_indent="  # ", subsequent_indent="  # ", break_on_hyphens=False)


def _rules(proposal: Proposal) -> list[str]:
    """Return a proposal's evidence and its rules, each as one entry of a list."""
    mark = "  " if proposal.active else "  # "
    lines = [line for rule in proposal.rules for line in _entry(rule)]
    return [*_comment(proposal.evidence), *(f"{mark}{line}" for line in lines)]


def _entry(rule: Rule) -> list[str]:
    """Return a rule as the lines of one entry of a list."""
    document = rule.model_dump(mode="json")
    if isinstance(document, str):
        return [
            f"- {line}" if first else line for first, line in _numbered(dump_yaml({"x": document}).removeprefix("x: "))
        ]
    return [f"- {line}" if first else f"  {line}" for first, line in _numbered(dump_yaml(document))]


def _numbered(text: str) -> list[tuple[bool, str]]:
    """Return the lines of a text, and whether each is the first."""
    return [(not place, line) for place, line in enumerate(text.splitlines())]

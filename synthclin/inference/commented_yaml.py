"""The evidence for every guess, as comments of the inferred schema in YAML."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthclin.inference.guesses import left_out
from synthclin.schema.schema_yaml import ColumnComment, Comments, RuleComment, rule_documents

if TYPE_CHECKING:
    from synthclin.inference.schema_inference import Inferred

__all__ = ["comments_of", "to_commented_yaml"]


def to_commented_yaml(inferred: Inferred) -> str:
    """Return the schema as YAML with a comment of evidence above each column and rule.

    Example:
        >>> import pandas as pd
        >>> from synthclin.inference import infer
        >>> table = pd.DataFrame({"died": [0, 1, 1] * 11, "age": [64, 71, None] * 11})
        >>> print(to_commented_yaml(infer(table)), end="")
        # Guessed from a table. Confirm each column, then add labels, units and rules.
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
    return inferred.schema.with_comments(comments_of(inferred)).to_yaml()


def comments_of(inferred: Inferred) -> Comments:
    """Return the evidence, the hints and the proposed rules as comments."""
    columns = {}
    for name, reasons in inferred.evidence.items():
        verbatim = reasons == ["declared"] or left_out(reasons)
        text = "; ".join(reasons) if verbatim else f"guessed: {'; '.join(reasons)}"
        columns[name] = ColumnComment(text, tuple(inferred.hints.get(name, ())))
    rules = tuple(
        RuleComment(proposal.evidence, tuple(rule_documents(proposal.rules)), proposal.active)
        for proposal in inferred.proposals
    )
    return Comments(columns, rules, inferred.rows)

"""The small language of constraints, cohorts and derived columns; one language wherever a `where` is written.

`40 <= age < 65 and (sex == 'F' or nyha in ['III', 'IV']) and not died and lvef is not missing`

A comparison with a missing value is neither true nor false, and `and`, `or` and `not` follow Kleene's
three-valued logic, as SQL does. Nothing is ever executed: text becomes tokens of a fixed list, tokens a syntax
tree of a fixed list of nodes, and the tree is walked over the columns of a table, or over sets of what its cells
may still hold.
"""

from __future__ import annotations

from synthclin.expressions.expression import Expression, parse
from synthclin.expressions.grammar import quote_level, quote_name

__all__ = ["Expression", "parse", "quote_level", "quote_name"]

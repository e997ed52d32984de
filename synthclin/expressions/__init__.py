"""The expression language of constraints, cohorts and derived columns.

`40 <= age < 65 and (sex == 'F' or nyha in ['III', 'IV']) and not died and lvef is not missing`

A comparison with a missing value is unknown, and `and`, `or` and `not` follow Kleene's three-valued logic, as in SQL.
No text is executed: it becomes tokens of a fixed list, then a syntax tree of a fixed list of nodes, which is evaluated
on the columns of a table or on the domains of its cells.
"""

from __future__ import annotations

from synthclin.expressions.expression import Expression, parse
from synthclin.expressions.grammar import quote_level, quote_name

__all__ = ["Expression", "parse", "quote_level", "quote_name"]

"""An expression: its text, the columns it reads, and its value in every row of a table."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from synthclin.expressions import grammar, row_evaluation, set_evaluation, visit_functions

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import pandas as pd

    from synthclin.expressions.set_evaluation import Domains
    from synthclin.expressions.value_sets import Outcomes, ValueInterval
    from synthclin.expressions.visit_order import VisitOrder

__all__ = ["Expression", "parse"]


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression; `parse` makes one. Two expressions are equal when their texts are.

    Arguments:
        text: as written.
        columns: the names of the columns that it reads.
        is_predicate: whether it has a truth value rather than a number; a bare column counts as a predicate.
        where: the place in error messages.
        tree: the checked syntax tree, with column names as in a table.
    """

    text: str
    columns: frozenset[str] = field(compare=False)
    is_predicate: bool = field(compare=False)
    where: str = field(compare=False, repr=False)
    tree: ast.expr = field(compare=False, repr=False)

    def evaluate(
        self, table: pd.DataFrame, tolerances: Mapping[str, float] | None = None, visits: VisitOrder | None = None
    ) -> pd.Series[bool]:
        """Return the truth value in every row: a pandas "boolean" Series on the table's index, NA where unknown.

        Arguments:
            table: has the columns of the expression.
            tolerances: by column, the difference from a computed number that an equality ignores.
            visits: the visits of each patient, for functions such as `previous`.

        Raises:
            ConfigError: when a column is absent, or compared with something of another type, or a function of visits
                is used without `visits`.

        Example:
            >>> import pandas as pd
            >>> table = pd.DataFrame({"age": [30, 50, None], "sex": ["F", "M", "M"]})
            >>> parse("age >= 40 or sex == 'F'").evaluate(table).tolist()
            [True, True, <NA>]
        """
        return row_evaluation.truth(self.tree, table, self.where, tolerances, visits)

    def compute(self, table: pd.DataFrame) -> pd.Series[float]:
        """Return the number in every row: a float64 Series on the table's index.

        NaN where a value is missing, and where the result is undefined or not finite (division by zero, overflow,
        the logarithm of a negative number). The difference of two dates is in days.

        Raises:
            ConfigError: when a column is absent or is not a number.

        Example:
            >>> import pandas as pd
            >>> table = pd.DataFrame({"weight": [80.0, 70.0], "height": [200.0, None]})
            >>> parse("weight / (height / 100) ** 2").compute(table).tolist()
            [20.0, nan]
        """
        return row_evaluation.number(self.tree, table, self.where)

    def outcomes(self, domains: Domains, tolerances: Mapping[str, float] | None = None) -> Outcomes:
        """Return the possible truth values of a predicate, given the domain of each column.

        Arguments:
            domains: the domain of each column, by its name; the arrays broadcast to one shape.
            tolerances: as in `evaluate`.

        Returns:
            where it may be true, false and unknown; an over-approximation, as in `synthclin.expressions.value_sets`.

        Example:
            >>> import pandas as pd
            >>> from synthclin.expressions.value_sets import intervals_of
            >>> none = pd.Series([False] * 3).to_numpy()
            >>> age = intervals_of(pd.Series([0, 30, 60]), pd.Series([30, 60, 90]), none)
            >>> parse("age >= 40").outcomes({"age": age}.__getitem__).true.tolist()
            [False, True, True]
        """
        return set_evaluation.truth(self.tree, domains, tolerances)

    def interval(self, domains: Domains) -> ValueInterval:
        """Return the interval of possible values; see `outcomes`."""
        return set_evaluation.number(self.tree, domains)

    @property
    def visit_functions(self) -> frozenset[str]:
        """The functions of several visits of a patient that it calls, such as `previous`.

        Example:
            >>> sorted(parse("stage >= previous(stage) and count() > 2").visit_functions)
            ['count', 'previous']
        """
        return grammar.visit_functions(self.tree)

    def varying(self, static: Collection[str]) -> frozenset[str]:
        """Return the columns that differ between visits and stand outside `any`, `all`, `first` and `last`.

        Arguments:
            static: the columns that do not differ.

        Example:
            >>> sorted(parse("sex == 'F' and any(crp > 9) and last(crp) < bili").varying({"sex"}))
            ['bili']
        """
        return visit_functions.varying(self.tree, static)

    def at_first_visit(self, count: str) -> Expression | None:
        """Return the expression about the row of a first visit; None where it depends on other visits too.

        Arguments:
            count: the column with the number of visits of the patient.

        Example:
            >>> parse("first(crp) > 9 and count() >= 2").at_first_visit("visits").text
            'crp > 9 and visits >= 2'
            >>> parse("last(crp) > 9").at_first_visit("visits") is None
            True
        """
        tree = visit_functions.at_first_visit(self.tree, count)
        return None if tree is None else _expression(grammar.render(tree), tree, self.where)

    @property
    def name(self) -> str | None:
        """The column name, if the expression is a bare column, or None."""
        return self.tree.id if isinstance(self.tree, ast.Name) else None

    @property
    def empties(self) -> str | None:
        """The column name, if the expression is `column is missing`, or None."""
        match self.tree:
            case ast.Compare(left=ast.Name(id=name), ops=[ast.Is()]):
                return name
        return None

    def equated(self) -> tuple[Expression, ...]:
        """Return the two sides of an equality; none where the expression is something else.

        Example:
            >>> [side.text for side in parse("total == first + second").equated()]
            ['total', 'first + second']
        """
        match self.tree:
            case ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]):
                return tuple(_expression(grammar.render(side), side, self.where) for side in (left, right))
        return ()

    def ordered(self) -> tuple[Expression, ...]:
        """Return the two sides of a comparison by order, such as `<`; none where the expression is something else.

        Example:
            >>> [side.text for side in parse("first + second <= total").ordered()]
            ['first + second', 'total']
        """
        match self.tree:
            case ast.Compare(left=left, ops=[ast.Lt() | ast.LtE() | ast.Gt() | ast.GtE()], comparators=[right]):
                return tuple(_expression(grammar.render(side), side, self.where) for side in (left, right))
        return ()

    def conjuncts(self) -> tuple[Expression, ...]:
        """Return the conjuncts: the parts of the outermost `and`.

        A chained comparison of several columns is split too; over one column it stays whole.

        Example:
            >>> [part.text for part in parse("40 <= age < 65 and dbp < sbp < 250").conjuncts()]
            ['40 <= age < 65', 'dbp < sbp', 'sbp < 250']
        """
        parts = _split(self.tree)
        return (
            (self,) if len(parts) == 1 else tuple(_expression(grammar.render(part), part, self.where) for part in parts)
        )


@lru_cache(maxsize=1_000)
def parse(text: str, where: str = "expression") -> Expression:
    """Parse an expression.

    Arguments:
        text: column names (``d.time`` is one name; in backquotes a name may hold anything), numbers, ``'text'``,
            ``true``, ``false``, ``+ - * / **``, comparisons and chains of them, ``in [...]``, ``not in [...]``,
            ``is missing``, ``is not missing``, ``and``, ``or``, ``not``, and the functions abs, exp, floor, log, max,
            min, round and sqrt; of patients with visits also previous, first, last, count, any and all. A quote inside
            quotes is written twice.
        where: the place in error messages, such as ``study.yaml: schema.constraints[2]``.

    Raises:
        ConfigError: the text has a syntax error or a construct that is not allowed.

    Example:
        >>> sorted(parse("40 <= age < 65 and d.time > 0").columns)
        ['age', 'd.time']
        >>> parse("sex = 'F'")
        Traceback (most recent call last):
        ...
        synthclin.errors.ConfigError: expression: `=` is not a comparison. Write ==.
    """
    return _expression(text, grammar.read(text, where), where)


def _expression(text: str, tree: ast.expr, where: str) -> Expression:
    return Expression(text, grammar.columns(tree), grammar.is_predicate(tree), where, tree)


def _split(tree: ast.expr) -> list[ast.expr]:
    if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And):
        return [part for value in tree.values for part in _split(value)]
    if isinstance(tree, ast.Compare) and len(grammar.columns(tree)) > 1:
        sides = pairwise([tree.left, *tree.comparators])
        return [ast.Compare(left, [op], [right]) for op, (left, right) in zip(tree.ops, sides, strict=True)]
    return [tree]

"""Functions of visits in a checked syntax tree: what differs between visits, and the tree at a first visit."""

from __future__ import annotations

import ast
import copy
from typing import TYPE_CHECKING

from synthclin.expressions import grammar

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["at_first_visit", "varying"]


def varying(node: ast.expr, static: Collection[str]) -> frozenset[str]:
    """Return the columns in a tree whose value differs between the visits of a patient; see `Expression.varying`."""
    match node:
        case ast.Name(id=name):
            return frozenset({name}) - frozenset(static)
        case ast.Call(func=ast.Name(id="first" | "last" | "count" | "any" | "all")):
            return frozenset()
        case ast.Call(func=ast.Name(id="previous"), args=[argument]):
            return grammar.columns(argument)  # missing at the first visit alone
        case ast.Call(args=arguments):
            return frozenset[str]().union(*(varying(argument, static) for argument in arguments))
    parts = (child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr))
    return frozenset[str]().union(*(varying(part, static) for part in parts))


def at_first_visit(tree: ast.expr, count: str) -> ast.expr | None:
    """Return a tree about the row of a first visit, or None; see `Expression.at_first_visit`."""
    if grammar.visit_functions(tree) - {"first", "count"}:
        return None
    found: ast.expr = _FirstVisit(count).visit(copy.deepcopy(tree))
    return found


class _FirstVisit(ast.NodeTransformer):
    """Replaces ``first(x)`` by ``x``, and ``count()`` by a column."""

    def __init__(self, count: str) -> None:
        self.count = count

    def visit_Call(self, node: ast.Call) -> ast.expr:
        match node:
            case ast.Call(func=ast.Name(id="first"), args=[argument]):
                return argument
            case ast.Call(func=ast.Name(id="count")):
                return ast.Name(self.count)
        return ast.Call(node.func, [self.visit(argument) for argument in node.args], [])

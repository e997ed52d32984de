"""Grammar of expressions: parsing of text into a checked syntax tree, and rendering."""

from __future__ import annotations

import ast
import copy
import difflib
import re
import sys
from itertools import accumulate

from synthclin.errors import ConfigError

__all__ = [
    "FUNCTIONS",
    "VISIT_FUNCTIONS",
    "columns",
    "is_predicate",
    "quote_level",
    "quote_name",
    "read",
    "render",
    "visit_functions",
]

# Name -> least and most arguments.
FUNCTIONS = {
    "abs": (1, 1),
    "exp": (1, 1),
    "floor": (1, 1),
    "log": (1, 1),
    "max": (2, 20),
    "min": (2, 20),
    "round": (1, 2),
    "sqrt": (1, 1),
}

# Functions of the visits of a patient -> the visit functions that may stand inside.
VISIT_FUNCTIONS = {
    "previous": frozenset({"previous"}),
    "first": frozenset[str](),
    "last": frozenset[str](),
    "count": frozenset[str](),
    "any": frozenset({"previous", "first", "last", "count"}),
    "all": frozenset({"previous", "first", "last", "count"}),
}

_LENGTH = 2_000
_DEPTH = 30
_TERMS = 100
_EXPONENT = 16
_DECIMALS = 12

_ALLOWED = (
    "Use column names (odd ones in `backquotes`), numbers, 'text', dates such as '2015-01-31', true, false, "
    "+ - * / **, comparisons, in [...], is missing, and, or, not, "
    f"and the functions {', '.join(FUNCTIONS)}; for patients with visits {', '.join(VISIT_FUNCTIONS)}."
)
_WORDS = {"and": "and", "or": "or", "not": "not", "in": "in", "is": "is"}
_WORDS |= {"true": "True", "false": "False", "True": "True", "False": "False"}
_REFUSED = {"None", "await", "else", "for", "if", "lambda", "yield"}
_INSTEAD = {
    "=": ("`=` is not a comparison", "Write ==."),
    "&": ("`&` is not allowed", "Write `and`."),
    "|": ("`|` is not allowed", "Write `or`."),
    "~": ("`~` is not allowed", "Write `not`."),
    "!": ("`!` is not allowed", "Write `not`, or != between two values."),
    "^": ("`^` is not allowed", "Write ** for a power."),
    "≤": ("`≤` is not allowed", "Write <=."),
    "≥": ("`≥` is not allowed", "Write >=."),
    "≠": ("`≠` is not allowed", "Write !=."),
    "`": ("a backquote is not closed", "Put one on either side of the column's name."),
    "'": ("a quote is not closed", "Put one on either side of the text."),
    '"': ("a quote is not closed", "Put one on either side of the text."),
}
_TOKEN = re.compile(
    r"""(?P<space>\s+)
    | (?P<quoted>`(?:[^`]|``)+`)
    | (?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")
    | (?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)
    | (?P<name>[^\W\d]\w*(?:\.\w+)*)
    | (?P<operator>\*\*|[<>=!]=|[-+*/<>()\[\],])""",
    re.VERBOSE,
)
_NODES = {
    ast.Subscript: "an index",
    ast.Starred: "an unpacked list",
    ast.Tuple: "a list in round brackets",
    ast.List: "a list that does not follow `in`",
    ast.Call: "a call",
}


def quote_name(name: str) -> str:
    """Return a column's name as written in an expression: in backquotes unless it is a plain word.

    Example:
        >>> quote_name("d.time"), quote_name("NT-proBNP (pg/mL)")
        ('d.time', '`NT-proBNP (pg/mL)`')
    """
    match = _TOKEN.fullmatch(name)
    plain = match is not None and match.lastgroup == "name" and name not in {*_WORDS, *_REFUSED, "missing"}
    return name if plain else "`" + name.replace("`", "``") + "`"


def quote_level(level: object) -> str:
    """Return a level as written in an expression.

    Example:
        >>> quote_level("it's"), quote_level(True), quote_level(2.5)
        ("'it''s'", 'true', '2.5')
    """
    if isinstance(level, str):
        return "'" + level.replace("'", "''") + "'"
    return str(level).lower() if isinstance(level, bool) else repr(level)


def columns(tree: ast.expr) -> frozenset[str]:
    """Return the columns in `tree`, without names of functions."""
    functions = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in functions)


def visit_functions(tree: ast.expr) -> frozenset[str]:
    """Return the functions of visits in `tree`, such as `previous`."""
    called = (node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name))
    return frozenset(called) & frozenset(VISIT_FUNCTIONS)


def is_predicate(tree: ast.expr) -> bool:
    """Return whether a checked tree has a truth value rather than a number; a bare column counts as a predicate."""
    match tree:
        case ast.BoolOp() | ast.Compare() | ast.Name() | ast.UnaryOp(op=ast.Not()):
            return True
        case ast.Call(func=ast.Name(id="any" | "all")):
            return True
        case ast.Call(func=ast.Name(id="previous" | "first" | "last"), args=[argument]):
            return is_predicate(argument)
        case ast.Constant(value=value):
            return isinstance(value, bool)
    return False


def read(text: str, where: str) -> ast.expr:
    """Return the checked syntax tree of `text`, with the names of columns and None for `missing`."""
    if len(text) > _LENGTH:
        raise ConfigError(where, f"longer than {_LENGTH:,} characters", "Split it into several rules.")
    tokens, source = _tokens(text, where)
    if not tokens:
        raise ConfigError(where, "empty", "Write a comparison, such as age >= 18.")
    if _brackets(source) > _DEPTH:
        raise ConfigError(where, f"nested deeper than {_DEPTH} levels", "Write it flatter.")
    written = " ".join(source)
    try:
        tree: ast.expr = _Names(tokens).visit(ast.parse(written, mode="eval").body)
    except (RecursionError, MemoryError):
        raise ConfigError(where, f"nested deeper than {_DEPTH} levels", "Write it flatter.") from None
    except SyntaxError as problem:
        position = written[: max((problem.offset or 0) - 1, 0)].count(" ")
        piece = tokens[min(position, len(tokens) - 1)]
        shown = "a text" if piece[0] in "'\"" else piece if piece[0] == "`" else f"`{piece}`"
        capitals = any(token.isupper() and token.lower() in _WORDS for token in tokens)
        remedy = "Write and, or, not and in with small letters." if capitals else _ALLOWED
        raise ConfigError(where, f"cannot be read at or after {shown}", remedy) from None
    if _check(tree, where, 0) == "text":
        raise ConfigError(where, "a text alone", "Compare it with a column.")
    return tree


def _brackets(source: list[str]) -> int:
    """Return the nesting depth of brackets."""
    return max(accumulate((piece in "([") - (piece in ")]") for piece in source))


def _tokens(text: str, where: str) -> tuple[list[str], list[str]]:
    """Return the pieces of `text` as written, and as Python source in which `_i` is the i-th piece."""
    pieces: list[str] = []
    source: list[str] = []
    start = 0
    while start < len(text):
        match = _TOKEN.match(text, start)
        if match is None:
            shown = text[start] if text[start].isprintable() else "a control character"
            raise ConfigError(where, *_INSTEAD.get(text[start], (f"`{shown}` is not allowed", _ALLOWED)))
        start = match.end()
        if match.lastgroup == "space":
            continue
        piece = match.group()
        if match.lastgroup == "name":
            source.append(_word(piece, source, text[start:].lstrip().startswith("("), where, len(pieces)))
        elif match.lastgroup in ("quoted", "text"):
            source.append(f"_{len(pieces)}")
        else:
            source.append(piece)
        pieces.append(piece)
    return pieces, source


def _word(word: str, before: list[str], called: bool, where: str, position: int) -> str:
    if word == "missing" and (before[-1:] == ["is"] or before[-2:] == ["is", "not"]):
        return "None"
    if word in _WORDS:
        return _WORDS[word]
    if word in _REFUSED:
        remedy = "Write `is missing`." if word == "None" else _ALLOWED
        raise ConfigError(where, f"`{word}` is not allowed", remedy)
    if called and word not in FUNCTIONS and word not in VISIT_FUNCTIONS:
        close = difflib.get_close_matches(word.lower(), [*FUNCTIONS, *VISIT_FUNCTIONS], n=1)
        remedy = f"Did you mean {close[0]!r}?" if close else _ALLOWED
        raise ConfigError(where, f"there is no function `{word}`", remedy)
    return word if called else f"_{position}"


class _Names(ast.NodeTransformer):
    """Replaces each placeholder `_i` by its column name or text."""

    def __init__(self, pieces: list[str]) -> None:
        self.pieces = pieces

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if not node.id.startswith("_"):
            return node
        piece = self.pieces[int(node.id[1:])]
        if piece[0] in "'\"":
            return ast.Constant(piece[1:-1].replace(piece[0] * 2, piece[0]))
        return ast.Name(piece[1:-1].replace("``", "`") if piece[0] == "`" else piece)


class _Spelling(ast.NodeTransformer):
    """Writes column names, texts and `missing` in the syntax of the language."""

    def visit_Call(self, node: ast.Call) -> ast.expr:
        return ast.Call(node.func, [self.visit(argument) for argument in node.args], [])

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Name(quote_name(node.id))

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if isinstance(node.value, str):
            return ast.Name("'" + node.value.replace("'", "''") + "'")
        return ast.Name("missing") if node.value is None else node


def render(tree: ast.expr) -> str:
    """Return text that `read` parses into `tree`."""
    # A NodeTransformer changes the tree it visits.
    return ast.unparse(_Spelling().visit(copy.deepcopy(tree)))


def _check(node: ast.expr, where: str, depth: int) -> str:  # noqa: C901, PLR0911, PLR0912  # one case for each node
    """Return the type of a node (predicate, number, text or column), or raise ConfigError for a forbidden one."""
    if depth > _DEPTH:
        raise ConfigError(where, f"nested deeper than {_DEPTH} levels", "Write it flatter.")
    match node:
        case ast.Name():
            return "column"
        case ast.Constant(value=bool()):
            return "predicate"
        case ast.Constant(value=str()):
            return "text"
        case ast.Constant(value=int() | float() as value):
            # An int compares with inf exactly; converting it may overflow.
            if value > sys.float_info.max:
                raise ConfigError(where, "a number is too large", "Write one below 1e308.")
            return "number"
        case ast.BoolOp(values=parts):
            for part in parts:
                _require("predicate", part, where, depth)
            return "predicate"
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            _require("predicate", operand, where, depth)
            return "predicate"
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            _require("number", operand, where, depth)
            return "number"
        case ast.BinOp():
            return _check_arithmetic(node, where, depth)
        case ast.Compare():
            return _check_comparison(node, where, depth)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
            _check_call(name, args, where, depth)
            return "number"
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in VISIT_FUNCTIONS:
            return _check_visit_call(name, args, where, depth)
        case _:
            raise _refusal(node, where)


def _refusal(node: ast.AST, where: str) -> ConfigError:
    return ConfigError(where, f"{_NODES.get(type(node), f'`{type(node).__name__}`')} is not allowed", _ALLOWED)


def _require(kind: str, node: ast.expr, where: str, depth: int) -> None:
    found = _check(node, where, depth + 1)
    if found not in (kind, "column"):
        need = "a number" if kind == "number" else "a truth value"
        given = {"predicate": "a truth value", "number": "a number", "text": "a text"}[found]
        raise ConfigError(where, f"{given} is used where {need} is needed", "Check the brackets.")


def _check_arithmetic(node: ast.BinOp, where: str, depth: int) -> str:
    # A long sum leans to the left; its length is not depth.
    left: ast.expr = node
    terms = 1
    while isinstance(left, ast.BinOp):
        terms += 1
        if terms > _TERMS:
            raise ConfigError(where, f"more than {_TERMS} terms in one sum or product", "Put some in brackets.")
        if not isinstance(left.op, ast.Add | ast.Sub | ast.Mult | ast.Div | ast.Pow):
            raise _refusal(left.op, where)
        _require("number", left.right, where, depth)
        if isinstance(left.op, ast.Pow):
            match left.right:
                case (
                    ast.Constant(value=int() | float() as size)
                    | ast.UnaryOp(operand=ast.Constant(value=int() | float() as size))
                ) if size > _EXPONENT:
                    raise ConfigError(where, f"an exponent is larger than {_EXPONENT}", "Use exp and log.")
        left = left.left
    _require("number", left, where, depth)
    return "number"


def _check_comparison(node: ast.Compare, where: str, depth: int) -> str:
    left = node.left
    for op, right in zip(node.ops, node.comparators, strict=True):
        if not any(columns(side) or visit_functions(side) for side in (left, right)):
            raise ConfigError(
                where, "a comparison reads no column", "Write a column's name without quotes, or in `backquotes`."
            )
        match op, right:
            case (ast.Is() | ast.IsNot(), ast.Constant(value=None)):
                if len(node.ops) > 1 or not _is_cell(left):
                    raise ConfigError(where, "`is missing` does not follow a single column", "Write age is missing.")
                _check(left, where, depth + 1)
                return "predicate"
            case (ast.Is() | ast.IsNot(), _):
                raise ConfigError(where, "`is` is not followed by `missing`", "Write == for equality, or `is missing`.")
            case (ast.In() | ast.NotIn(), ast.List(elts=items)) if items:
                for item in items:
                    if columns(item) or _check(item, where, depth + 1) not in ("number", "text", "predicate"):
                        raise ConfigError(where, "a list holds more than numbers and texts", "Write x in ['a', 'b'].")
            case (ast.In() | ast.NotIn(), _):
                raise ConfigError(where, "`in` is not followed by a list", "Write x in ['a', 'b'].")
            case _:
                _check_side(right, where, depth)
        _check_side(left, where, depth)
        left = right
    return "predicate"


def _is_cell(node: ast.expr) -> bool:
    """Return whether a node is a column of this visit or of another one."""
    match node:
        case ast.Call(func=ast.Name(id="previous" | "first" | "last"), args=[argument]):
            return _is_cell(argument)
    return isinstance(node, ast.Name)


def _check_side(node: ast.expr, where: str, depth: int) -> None:
    if _check(node, where, depth + 1) == "predicate" and not isinstance(node, ast.Constant):
        raise ConfigError(where, "the outcome of a comparison is compared", "Use and, or and not.")


def _check_call(name: str, args: list[ast.expr], where: str, depth: int) -> None:
    least, most = FUNCTIONS[name]
    if not least <= len(args) <= most:
        wanted = f"{least}" if least == most else f"{least} to {most}"
        raise ConfigError(where, f"{name} has {len(args)} argument{'s' * (len(args) != 1)}", f"Give it {wanted}.")
    for argument in args:
        _require("number", argument, where, depth)
    if name == "round" and len(args) == 2:
        match args[1]:
            case ast.Constant(value=int() as digits) if 0 <= digits <= _DECIMALS:
                return
        raise ConfigError(where, "round has decimals that are no whole number", f"Write one from 0 to {_DECIMALS}.")


def _check_visit_call(name: str, args: list[ast.expr], where: str, depth: int) -> str:
    """Return the type of a function of visits, or raise ConfigError where its argument does not fit."""
    if name == "count":
        if args:
            raise ConfigError(where, "count has an argument", "Write count(), the number of visits of the patient.")
        return "number"
    example = f"{name}(age > 60)" if name in {"any", "all"} else f"{name}(age)"
    if len(args) != 1:
        raise ConfigError(where, f"{name} has {len(args)} arguments", f"Give it one, such as {example}.")
    inside = sorted(visit_functions(args[0]) - VISIT_FUNCTIONS[name])
    if inside:
        what = f"`{inside[0]}` stands inside `{name}`"
        raise ConfigError(where, what, f"Give `{name}` what a visit holds, such as {example}.")
    if name in {"any", "all"}:
        _require("predicate", args[0], where, depth)
        return "predicate"
    found = _check(args[0], where, depth + 1)
    if found not in {"column", "number"} or isinstance(args[0], ast.Constant):
        remedy = f"Give it a column or a number computed from columns, such as {example}."
        raise ConfigError(where, f"{name} has a condition or a constant as its argument", remedy)
    return found

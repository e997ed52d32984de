"""Strict YAML: `NO` is text, `1e-6` a number, and a duplicate key an error."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import yaml
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.cyaml import CParser  # type: ignore[attr-defined]  # its stub does not re-export it
from yaml.resolver import Resolver

from synthclin.errors import ConfigError, SynthclinError
from synthclin.io.documents.text import MAX_DEPTH, plain, read_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["dump_yaml", "parse_yaml", "read_yaml", "refuse_schema", "refuse_study"]

_BYTES = 4 * 2**20
_VALUES = 50_000
_DIGITS = 40
_LINE = 120
_SHORT_LIST = 88

# YAML 1.2's core schema, less hexadecimal, octal, infinite and undefined numbers and leading zeros: those stay text.
_SCALARS = {
    "null": (re.compile(r"(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]),
    "bool": (re.compile(r"(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")),
    "int": (re.compile(r"[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789")),
    "float": (
        re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$"),
        list("-+.0123456789"),
    ),
}


def _problem(what: str, mark: yaml.Mark | None, remedy: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=what, problem_mark=mark, note=remedy)


class _Loader(Composer, SafeConstructor, Resolver, CParser):
    """Reads the scalars above, and no tags, anchors, aliases, merge keys or duplicate keys; libyaml parses."""

    yaml_implicit_resolvers = {}  # noqa: RUF012  # empties PyYAML's table, which follows YAML 1.1

    def __init__(self, text: str) -> None:
        CParser.__init__(self, text)
        Composer.__init__(self)
        SafeConstructor.__init__(self)
        Resolver.__init__(self)
        self.depth = self.values = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event()
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise _problem("anchors and aliases (& and *) are not allowed", event.start_mark, "Write the value out.")
        if event.tag is not None:
            raise _problem("tags (!) are not allowed", event.start_mark, "Remove it, or quote text that starts with !.")
        self.depth, self.values = self.depth + 1, self.values + 1
        if self.values > _VALUES:
            what = f"holds more than {_VALUES:,} values"
            raise _problem(what, event.start_mark, "Check that this is the file you mean.")
        if self.depth > MAX_DEPTH:
            raise _problem(f"nested deeper than {MAX_DEPTH} levels", event.start_mark, "Write it flatter.")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: ARG002
        mapping: dict[Any, Any] = {}
        lines: dict[Any, int] = {}
        for key_node, value_node in node.value:
            mark = key_node.start_mark
            if not isinstance(key_node, yaml.ScalarNode):
                raise _problem("a key is a list or a mapping", mark, "Use a word as key.")
            if key_node.value == "<<" and not key_node.style:
                raise _problem("merge keys (<<) are not allowed", mark, "Write the keys out.")
            key = self.construct_object(key_node)
            if key is None:
                raise _problem("a key is empty", mark, "Give it a name, or quote it.")
            if key in mapping:
                raise _problem(f"duplicate key {key!r}, first on line {lines[key]}", mark, "Keep one of the two.")
            lines[key] = mark.line + 1
            mapping[key] = self.construct_object(value_node, deep=True)
        return mapping

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        if len(node.value) > _DIGITS:
            raise _problem(f"a number of over {_DIGITS} digits", node.start_mark, "Quote it if it is text.")
        return int(node.value)

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        value = float(node.value)
        if not math.isfinite(value):
            raise _problem("a number is too large", node.start_mark, "Write one below 1e308, or quote it.")
        return value


class _Dumper(yaml.SafeDumper):
    """Writes block mappings and one-line lists; quotes text that YAML 1.1 or 1.2 would read as something else."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, indentless=False)

    def represent_str(self, data: str) -> yaml.ScalarNode:
        # PyYAML writes Unicode's own line ends as they are unless the text is in double quotes.
        style = '"' if any(end in data for end in "\x85\u2028\u2029") else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)

    def represent_list(self, data: Iterable[Any]) -> yaml.SequenceNode:
        items = list(data)
        scalars = not any(isinstance(item, list | dict) for item in items)
        flow = scalars and sum(len(str(item)) + 2 for item in items) <= _SHORT_LIST
        return self.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=flow)


for _name, (_pattern, _first) in _SCALARS.items():
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", _pattern, _first)
    _Dumper.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", _pattern, _first)
_Loader.yaml_constructors = {
    **SafeConstructor.yaml_constructors,
    "tag:yaml.org,2002:int": _Loader.construct_yaml_int,
    "tag:yaml.org,2002:float": _Loader.construct_yaml_float,
}
_Dumper.add_representer(str, _Dumper.represent_str)
_Dumper.add_representer(list, _Dumper.represent_list)


def parse_yaml(text: str, where: str, error: type[SynthclinError] = ConfigError) -> dict[str, Any]:
    r"""Return the mapping that a YAML text holds.

    Only ``true`` and ``false`` (also capitalised) are truth values, ``1e-6`` is a number, and ``NO``, ``yes``, ``on``,
    dates and numbers with leading zeros stay text.

    Arguments:
        text: one YAML document.
        where: the file or argument that holds it, for the message.
        error: the class of error to raise.

    Raises:
        SynthclinError: of class `error` with the line, when the text is not a YAML mapping, has a key twice, holds
            tags, anchors, aliases, merge keys or numbers that are not finite, is nested deeper than 32 levels,
            holds more than 50,000 values or is larger than 4 MiB.

    Example:
        >>> parse_yaml("sex: [F, M, NO]\ndelta: 1e-6\nfrom: 2015-01-01", "study.yaml")
        {'sex': ['F', 'M', 'NO'], 'delta': 1e-06, 'from': '2015-01-01'}
    """
    if len(text) > _BYTES:
        raise error(where, f"larger than {_BYTES // 2**20} MiB", "Check that this is the text you mean.")
    try:
        loader = _Loader(text)
        try:
            value = loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        # What is never closed is missed on the line after the last.
        line = "" if mark is None else f": line {min(mark.line, text.rstrip().count(chr(10))) + 1}"
        what = "a second document" if problem.problem == "but found another document" else problem.problem
        raise error(f"{where}{line}", what or "not YAML", problem.note or "Correct the YAML there.") from None
    except (yaml.YAMLError, UnicodeEncodeError):
        raise error(where, "holds a control character", "Save it as plain UTF-8 text.") from None
    if not isinstance(value, dict):
        raise error(where, "not a mapping of keys to values", "Write `key: value` lines.")
    if not all(isinstance(key, str) for key in value):
        raise error(where, "a key at the top is not a word", "Quote it if it is a name.")
    return value


def read_yaml(path: str | Path, error: type[SynthclinError] = ConfigError) -> dict[str, Any]:
    """Return the mapping that a YAML file holds; see `parse_yaml` for what is refused.

    Raises:
        SynthclinError: of class `error`, also when the file cannot be read or is not UTF-8.
    """
    return parse_yaml(read_text(path, _BYTES, error), str(path), error)


def refuse_schema(raw: Mapping[str, Any], where: str) -> None:
    """Raise ConfigError if a document in the place of a study is a schema."""
    if "columns" in raw and "data" not in raw:
        remedy = "Write a study that names it, with `version: 1`, `name`, `data` and `schema`; see `synthclin init`."
        raise ConfigError(where, "this is a schema, not a study", remedy)


def refuse_study(raw: Mapping[str, Any], where: str) -> None:
    """Raise ConfigError if a document in the place of a schema is a study."""
    if "columns" not in raw and ("data" in raw or "schema" in raw):
        schema = raw.get("schema")
        remedy = "Give the schema file that it names." if isinstance(schema, str) else ""
        remedy = remedy or "Give a file with `columns` at its top, such as the part below its `schema`."
        raise ConfigError(where, "this is a study, not a schema", remedy)


def _must_be_finite(number: float) -> float:
    if not math.isfinite(number):
        raise ValueError("a number is not finite")
    return number


def dump_yaml(mapping: Mapping[str, Any]) -> str:
    """Return YAML text that `parse_yaml` reads back to an equal mapping (tuples as lists, dates as ISO text).

    Keys keep their order, short lists of scalars are on one line, and text that a YAML 1.1 or 1.2 reader would take
    for a number, truth value or date is quoted.

    Raises:
        ValueError: when a number is not finite.

    Example:
        >>> print(dump_yaml({"range": (0.5, 1e-6), "categories": ["F", "NO"]}), end="")
        range: [0.5, 1.0e-06]
        categories: [F, 'NO']
    """
    value = plain(mapping, _must_be_finite, lambda date: date)
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_LINE)

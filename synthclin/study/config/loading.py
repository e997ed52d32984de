"""Strict loading of a configuration from YAML and the command line, and its serialization."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, create_model

from synthclin import datasets
from synthclin.errors import ConfigError
from synthclin.io.documents import dump_yaml, parse_yaml, read_yaml, refuse_schema, validate
from synthclin.io.files import path_of
from synthclin.models import MODELS
from synthclin.models.parameters import parameter_fields
from synthclin.schema import Schema
from synthclin.study.config.blocks import DATASET, Config, ConfigBlock, Judging, Model
from synthclin.study.config.references import check_columns, check_judging, check_references, hint
from synthclin.study.config.sources import from_run, unrooted, with_inputs_placed, with_query
from synthclin.tables import refuse_table

__all__ = ["load", "load_judging", "model_block", "overridden", "parse_value", "refuse_set_elsewhere", "resolved_yaml"]

# Planned but not implemented: refused by name, so that a key without effect is not mistaken for protection.
_LATER_KEYS = (("outputs", "min_cell"),)
_SET_ELSEWHERE = {
    "schema": "schema",
    "random_state": "seed",
    "rare_category": "protect.rare_category",
    "trim_extremes": "protect.trim_extremes",
    "dp": "protect.dp",
}


def load(path: str | Path | Mapping[str, Any], overrides: Sequence[str] | Mapping[str, object] = ()) -> Config:
    """Read a configuration.

    Arguments:
        path: a YAML file, or the content of one as a mapping.
        overrides: ``KEY=VALUE`` texts such as ``model.effort=quick``; the value is YAML, lists are counted from 0. Or
            values by their dotted keys.

    Returns:
        The configuration with schema, query and defaults filled in. Table, query and schema are relative to the folder
        of the file; `outputs.folder`, and paths in `overrides`, are relative to the current folder.

    Raises:
        ConfigError: for the first problem found, naming file and key path.

    Example:
        >>> load("no-such-study.yaml")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        synthclin.errors.ConfigError: no-such-study.yaml: cannot be read ...
    """
    if isinstance(path, Mapping):
        where, raw = "study", dict(path)
    else:
        where = str(path)
        refuse_table(path, "study")
        raw = with_inputs_placed(read_yaml(path), path_of(path).parent)
    refuse_schema(raw, where)
    if "sweep" in raw:
        raise ConfigError(where, "this is a sweep of several studies, not a study", "Give it to `synthclin run` alone.")
    raw = overridden(raw, overrides)
    _refuse_later(raw, where)
    raw = with_query(raw, where)
    raw = _with_schema(raw, where)
    raw = _with_model(raw, where)
    config = _with_entity(validate(Config, raw, where), where)
    config = config.model_copy(update={"release": config.release.dated()})
    check_references(config, where)
    return config


def load_judging(path: str | Path | None, schema: Schema, gates: Sequence[str] = ()) -> Judging:
    """Read only `evaluation`, `gates` and `release` of a study, or of a file that holds nothing else.

    Without a file the defaults apply.

    Arguments:
        path: the file.
        schema: what the columns mean.
        gates: those of a command line, instead of the file's.

    Raises:
        ConfigError: the file has none of them, or a key that no study has, or names a column that `schema` does not
            have; a gate cannot be read, or names a score that no run has.
    """
    asked = {"gates": tuple(gates)} if gates else {}
    if path is None:
        judging = Judging.model_validate({"schema": schema} | asked)
        check_judging(judging, "--gates")
        return judging
    where = str(path)
    raw = read_yaml(path)
    known = [field.alias or name for name, field in Config.model_fields.items()]
    for key in raw:
        if key not in known:
            raise ConfigError(f"{where}: {key}", "no study has such a key", hint(str(key), known))
    wanted: dict[str, Any] = {key: raw[key] for key in ("evaluation", "gates", "release") if key in raw}
    if not wanted:
        raise ConfigError(where, "it has no `evaluation`, `gates` or `release`", "Write one of these blocks.")
    judging = validate(Judging, wanted | asked | {"schema": schema}, where)
    check_judging(judging, where)
    return judging


def parse_value(text: str, where: str) -> object:
    """Parse one YAML value of a command-line option, such as ``5``, ``quick`` or ``{A: 0.5, B: 0.5}``.

    Example:
        >>> parse_value("{0: 0.5, 1: 0.5}", "--mix arm")
        {0: 0.5, 1: 0.5}
    """
    parsed = parse_yaml(f"value: {text.strip()}", where)
    if set(parsed) != {"value"}:
        raise ConfigError(where, "holds more than one value", "Give each an option of its own.")
    return parsed["value"]


def resolved_yaml(config: Config) -> str:
    """Return `config` as self-contained YAML: schema inline, defaults written out.

    Absolute paths are cut to their last part, because they reveal the machine and its user. The engine is left out: it
    changes no result.
    """
    mapping = config.model_dump(by_alias=True, exclude_none=True, exclude={"table_schema", "engine"})
    mapping["data"]["source"] = from_run(config)
    mapping["outputs"]["folder"] = unrooted(config.outputs.folder)
    if config.protect.dp is not None and config.protect.dp.ledger is not None:
        mapping["protect"]["dp"]["ledger"] = unrooted(config.protect.dp.ledger)
    schema = parse_yaml(config.table_schema.to_yaml(comments=False), "schema")
    ordered: dict[str, Any] = {}
    for key, value in mapping.items():
        ordered[key] = value
        if key == "data":
            ordered["schema"] = schema
    return dump_yaml(ordered)


def overridden(raw: dict[str, Any], overrides: Sequence[str] | Mapping[str, object]) -> dict[str, Any]:
    """Return `raw` with values replaced; `overrides` are those of `load`."""
    changes = (
        [(f"--set {key}", key, value) for key, value in overrides.items()]
        if isinstance(overrides, Mapping)
        else [_parsed(text) for text in overrides]
    )
    for where, key, value in changes:
        changed = _replaced(raw, key, value, where)
        assert isinstance(changed, dict)
        raw = changed
    return raw


def _parsed(text: str) -> tuple[str, str, object]:
    """Return place, dotted key and value of ``KEY=VALUE``."""
    key, equals, value = text.partition("=")
    where = f"--set {key.strip() or text}"
    if not equals or not key.strip():
        raise ConfigError(where, "is not KEY=VALUE", "Write it as `--set model.effort=quick`.")
    return where, key.strip(), parse_value(value, where)


def _replaced(node: object, key: str, value: object, where: str) -> object:
    """Return a copy of `node` in which the dotted `key` holds `value`; missing blocks are made."""
    if not key:
        return value
    if isinstance(node, list):
        head, _, rest = key.partition(".")
        if not head.isdecimal() or int(head) >= len(node):
            raise ConfigError(where, f"'{head}' is no place in a list of {len(node)}", "Lists are counted from 0.")
        return [_replaced(item, rest, value, where) if i == int(head) else item for i, item in enumerate(node)]
    if node is not None and not isinstance(node, dict):
        raise ConfigError(where, f"the value above '{key}' is not a block", "Shorten the key.")
    block: dict[str, object] = dict(node or {})
    # a column may be called `d.time`: the longest existing key has precedence over the dot
    heads = [name for name in block if key == name or key.startswith(f"{name}.")]
    head = max(heads, key=len) if heads else key.partition(".")[0]
    block[head] = _replaced(block.get(head), key[len(head) + 1 :], value, where)
    return block


def _refuse_later(raw: Mapping[str, Any], where: str) -> None:
    """Refuse planned features that this version does not implement."""
    for block, key in _LATER_KEYS:
        if isinstance(raw.get(block), dict) and key in raw[block]:
            raise ConfigError(f"{where}: {block}.{key}", "this is not available in this version", "Remove it.")


def _with_schema(raw: dict[str, Any], where: str) -> dict[str, Any]:
    """Return `raw` with `schema` present: inline as written, read from a file, or that of the shipped table."""
    schema = raw.get("schema")
    source = raw["data"].get("source") if isinstance(raw.get("data"), dict) else None
    if isinstance(source, str) and source.startswith(DATASET):
        name = source.removeprefix(DATASET)
        if name not in datasets.names():
            what = f"no table called {name!r} ships with the package"
            raise ConfigError(f"{where}: data.source", what, hint(name, datasets.names()))
        if schema is None:
            return {**raw, "schema": datasets.load(name)[1]}
    if isinstance(schema, str):
        known = Schema.read(schema)
        if isinstance(protect := raw.get("protect"), dict) and protect.get("dp") is not None:
            _refuse_guesses(schema)
        return {**raw, "schema": known}
    if schema is None and isinstance(source, str):
        remedy = "Run `synthclin schema infer DATA -o schema.yaml`, look it over, and name that file here."
        raise ConfigError(f"{where}: schema", "a table from a file needs a schema", remedy)
    return raw


def _refuse_guesses(schema: str) -> None:
    """Refuse a schema file for differential privacy whose columns are still commented as guessed from rows."""
    lines = path_of(schema).read_text("utf-8").splitlines()
    guessed = [number for number, line in enumerate(lines, start=1) if line.strip().startswith("# guessed:")]
    if guessed:
        what = (
            f"{len(guessed)} of the columns {'is' if len(guessed) == 1 else 'are'} guessed from rows, and with "
            "differential privacy ranges and levels that are read from rows disclose patients"
        )
        remedy = "Declare those of a protocol or codebook, and remove the comment `# guessed: ...` of each column."
        raise ConfigError(f"{schema}: line {guessed[0]}", what, remedy)


def _with_model(raw: dict[str, Any], where: str) -> dict[str, Any]:
    """Return `raw` with the parameters of the model's class checked against its signature and written out."""
    block = {} if raw.get("model") is None else raw["model"]
    if not isinstance(block, dict):
        raise ConfigError(f"{where}: model", "this is not a mapping", "Write it as `model: {type: gan}`.")
    family = block.get("type", "gan")
    if family not in MODELS:
        raise ConfigError(f"{where}: model.type", f"there is no family {family!r}", hint(str(family), MODELS))
    refuse_set_elsewhere(block, f"{where}: model")
    checked = validate(model_block(str(family)), {"model": block}, where)
    return {**raw, "model": checked.model_dump()["model"]}


def refuse_set_elsewhere(block: Mapping[str, Any], where: str) -> None:
    """Refuse parameters of a model that other blocks of a study set; `where` is the place of the block."""
    for key, home in _SET_ELSEWHERE.items():
        if key in block:
            raise ConfigError(f"{where}.{key}", "this is set elsewhere", f"Set `{home}`.")


def model_block(family: str) -> type[BaseModel]:
    """Return a pydantic model of the `model` block: the constructor's arguments, with their types and defaults."""
    taken = {name: field for name, field in parameter_fields(MODELS[family]).items() if name not in _SET_ELSEWHERE}
    default = family if family == Model().type else ...
    fields: dict[str, Any] = {"type": (Literal[family], default), **taken}
    block = create_model(f"Model{MODELS[family].__name__}", __base__=ConfigBlock, **fields)
    return create_model("Config", __base__=ConfigBlock, model=(block, ...))


def _with_entity(config: Config, where: str) -> Config:
    """Return `config` with the role of `data.entity` written into the schema."""
    entity, schema, at = config.data.entity, config.table_schema, f"{where}: data.entity"
    if entity is None:
        return config
    check_columns([entity], schema.columns, at)
    if not schema.columns[entity].is_identifier:
        what = f"{entity!r} is `type: {schema.columns[entity].type}`, which does not identify patients"
        raise ConfigError(at, what, "Declare it `type: id`, or name another column.")
    if schema.entity not in {None, entity}:
        what = f"the schema gives the role entity to {schema.entity!r}"
        raise ConfigError(at, what, "Remove `data.entity`, or the role from that column.")
    return config.model_copy(update={"table_schema": schema.with_column(entity, role="entity")})

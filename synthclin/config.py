"""One YAML file describes one run: read strictly, checked against the schema, frozen."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, create_model

from synthclin import datasets
from synthclin.columns import Id, Level
from synthclin.conditions import Cohort
from synthclin.documents import dump_yaml, parse_yaml, read_yaml, validate
from synthclin.errors import ConfigError
from synthclin.evaluation import PredictTask
from synthclin.evaluation.gates import parse_gate
from synthclin.expressions import parse
from synthclin.models import MODELS
from synthclin.models.base import MOST_ROWS
from synthclin.models.parameters import parameter_fields
from synthclin.schema import Schema

__all__ = [
    "Config",
    "Data",
    "Evaluation",
    "Model",
    "Outputs",
    "Protect",
    "Sampling",
    "load",
    "parse_value",
    "resolved_yaml",
]

DATASET = "dataset:"
_LATER_SOURCES = (".xpt", ".sas7bdat", ".sav", ".dta", "duckdb:", "env:")
# Promised by the design but not built: refused by name, so that nobody takes silence for protection.
_LATER_KEYS = (("protect", "dp"), ("evaluation", "by"), ("outputs", "min_cell"))
# The scores of every run, besides one per task; known here so that a misspelt gate costs no training.
SCORES = (
    "validity.rules",
    "fidelity.marginals",
    "fidelity.pairs",
    "fidelity.missingness",
    "fidelity.detection",
    "privacy.copies",
    "privacy.near_copies",
    "privacy.membership",
    "privacy.recognition",
    "privacy.relative_f1",
    "privacy.singling_out",
    "privacy.linkability",
    "privacy.attribute_inference",
    "privacy.identity_disclosure",
    "privacy.replicated_uniques",
    "privacy.disclosive_keys",
    "privacy.smallest_leak",
    "sdmetrics.quality",
    "sdmetrics.diagnostic",
)
_SET_ELSEWHERE = {
    "schema": "schema",
    "random_state": "seed",
    "rare_category": "protect.rare_category",
    "trim_extremes": "protect.trim_extremes",
}


class _Block(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class Data(_Block):
    """Where the real rows come from and how many the model never sees.

    `source` is a .csv, .csv.gz or .parquet file, or ``dataset:`` and the name of a table that ships with the package;
    `holdout` is the share of rows kept back; `entity` is short for ``role: entity`` of that column in the
    schema: its rows are one patient's, who stays on one side of the split and is counted once.
    """

    source: Annotated[str, Field(min_length=1)]
    holdout: Annotated[float, Field(gt=0, lt=1)] = 0.2
    entity: str | None = None

    @property
    def dataset(self) -> str | None:
        """The name of a shipped table, or None for a file."""
        return self.source.removeprefix(DATASET) if self.source.startswith(DATASET) else None


class Protect(_Block):
    """What never enters the model: levels and extremes held by fewer patients than these."""

    rare_category: Annotated[int, Field(ge=1)] = 11
    trim_extremes: Annotated[int, Field(ge=1)] = 11


class Model(_Block):
    """`type` names a family in `synthclin.models.MODELS`; every other word goes to its class unchanged."""

    model_config = ConfigDict(extra="allow")

    type: str = "gan"

    @property
    def parameters(self) -> dict[str, Any]:
        """Keyword arguments for the class, besides the schema, the seed and the limits of `protect`."""
        return dict(self.model_extra or {})


class Sampling(_Block):
    """How many rows the main table gets (as many as the model learnt from, if None) and which cohorts are drawn."""

    rows: Annotated[int, Field(ge=1, le=MOST_ROWS)] | None = None
    cohorts: Annotated[tuple[Cohort, ...], Field(strict=False)] = ()


class Evaluation(_Block):
    """Which analyses are done on synthetic and on real rows to compare them."""

    utility: Annotated[tuple[PredictTask, ...], Field(strict=False)] = ()


class Outputs(_Block):
    """What is written where; ``{name}`` and ``{seed}`` stand for themselves in `folder`."""

    folder: Annotated[str, Field(min_length=1)] = "runs/{name}-{seed}"
    table: Literal["parquet", "csv"] = "parquet"
    report: Annotated[tuple[Literal["html", "json"], ...], Field(strict=False)] = ("html", "json")
    overwrite: bool = False


class Config(_Block):
    """One run: from a real table to synthetic tables and a report. `load` reads it from YAML.

    `gates` is None where the file gives none: then the default gates hold. An empty list means no gates.
    """

    version: Literal[1]
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    data: Data
    # pydantic keeps `schema` for itself
    table_schema: Annotated[Schema, Field(alias="schema", strict=False)]
    protect: Protect = Protect()
    model: Model = Model()
    sampling: Sampling = Sampling()
    evaluation: Evaluation = Evaluation()
    gates: Annotated[tuple[str, ...], Field(strict=False)] | None = None
    outputs: Outputs = Outputs()
    engine: Literal["local"] = "local"

    @property
    def folder(self) -> Path:
        """The run folder, relative to the current folder."""
        return Path(self.outputs.folder.replace("{name}", self.name).replace("{seed}", str(self.seed)))


def load(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Read a configuration.

    Arguments:
        path: a YAML file.
        overrides: ``KEY=VALUE`` texts such as ``model.effort=quick``; the value is YAML, lists are counted from 0.

    Returns:
        The configuration with schema and defaults filled in. Relative paths in it are relative to the current folder.

    Raises:
        ConfigError: for the first problem found, naming file and key path.

    Example:
        >>> load("no-such-study.yaml")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        synthclin.errors.ConfigError: no-such-study.yaml: cannot be read ...
    """
    where = str(path)
    raw = read_yaml(path)
    for override in overrides:
        raw = _override(raw, override)
    _refuse_later(raw, where)
    raw = _with_schema(raw, where)
    raw = _with_model(raw, where)
    config = _with_entity(validate(Config, raw, where), where)
    _check_references(config, where)
    return config


def parse_value(text: str, where: str) -> object:
    """Return the one YAML value that stands on a command line, such as ``5``, ``quick`` or ``{A: 0.5, B: 0.5}``.

    Example:
        >>> parse_value("{0: 0.5, 1: 0.5}", "--mix arm")
        {0: 0.5, 1: 0.5}
    """
    parsed = parse_yaml(f"value: {text.strip()}", where)
    if set(parsed) != {"value"}:
        raise ConfigError(where, "holds more than one value", "Give each an option of its own.")
    return parsed["value"]


def resolved_yaml(config: Config) -> str:
    """Return `config` as YAML that stands alone: schema inline, defaults written out.

    Absolute paths are cut to their last part, because they tell of the machine and its user.
    """
    mapping = config.model_dump(by_alias=True, exclude_none=True, exclude={"table_schema"})
    mapping["data"]["source"] = _unrooted(config.data.source)
    mapping["outputs"]["folder"] = _unrooted(config.outputs.folder)
    schema = parse_yaml(config.table_schema.to_yaml(), "schema")
    ordered: dict[str, Any] = {}
    for key, value in mapping.items():
        ordered[key] = value
        if key == "data":
            ordered["schema"] = schema
    return dump_yaml(ordered)


def _unrooted(path: str) -> str:
    return PurePath(path).name if PurePath(path).is_absolute() else path


def _override(raw: dict[str, Any], text: str) -> dict[str, Any]:
    """Return `raw` with the value at the dotted key of ``KEY=VALUE`` replaced."""
    key, equals, value = text.partition("=")
    where = f"--set {key.strip() or text}"
    if not equals or not key.strip():
        raise ConfigError(where, "is not KEY=VALUE", "Write it as `--set model.effort=quick`.")
    changed = _replaced(raw, key.strip(), parse_value(value, where), where)
    assert isinstance(changed, dict)
    return changed


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
        raise ConfigError(where, f"there is nothing below which '{key}' could stand", "Shorten the key.")
    block: dict[str, object] = dict(node or {})
    # a column may be called `d.time`: the longest key that is there wins over the dot
    heads = [name for name in block if key == name or key.startswith(f"{name}.")]
    head = max(heads, key=len) if heads else key.partition(".")[0]
    block[head] = _replaced(block.get(head), key[len(head) + 1 :], value, where)
    return block


def _refuse_later(raw: Mapping[str, Any], where: str) -> None:
    """Refuse what the design promises and this version does not do."""

    def refuse(key: str, what: str, remedy: str = "Remove it.") -> None:
        raise ConfigError(f"{where}: {key}", f"{what} not available in this version", remedy)

    for block, key in _LATER_KEYS:
        if isinstance(raw.get(block), dict) and key in raw[block]:
            refuse(f"{block}.{key}", "this is")
    if raw.get("engine") == "ray":
        refuse("engine", "'ray' is")
    source = raw["data"].get("source") if isinstance(raw.get("data"), dict) else None
    if isinstance(source, str) and (source.startswith(_LATER_SOURCES) or source.endswith(_LATER_SOURCES)):
        refuse("data.source", "this kind of source is", "Export the table to Parquet or CSV.")
    utility = raw["evaluation"].get("utility") if isinstance(raw.get("evaluation"), dict) else None
    for i, task in enumerate(utility if isinstance(utility, list) else ()):
        if isinstance(task, dict) and isinstance(name := task.get("task"), str) and name != "predict":
            refuse(f"evaluation.utility[{i}].task", f"{name!r} is")


def _with_schema(raw: dict[str, Any], where: str) -> dict[str, Any]:
    """Return `raw` with `schema` present: inline as written, read from a file, or that of the shipped table."""
    schema = raw.get("schema")
    source = raw["data"].get("source") if isinstance(raw.get("data"), dict) else None
    if isinstance(source, str) and source.startswith(DATASET):
        name = source.removeprefix(DATASET)
        if name not in datasets.names():
            what = f"no table called {name!r} ships with the package"
            raise ConfigError(f"{where}: data.source", what, _hint(name, datasets.names()))
        if schema is None:
            return {**raw, "schema": datasets.load(name)[1]}
    if isinstance(schema, str):
        return {**raw, "schema": Schema.read(schema)}
    if schema is None and isinstance(source, str):
        remedy = "Run `synthclin schema infer DATA -o schema.yaml`, look it over, and name that file here."
        raise ConfigError(f"{where}: schema", "a table from a file needs a schema", remedy)
    return raw


def _with_model(raw: dict[str, Any], where: str) -> dict[str, Any]:
    """Return `raw` with the parameters of the model's class checked against its signature and written out."""
    block = {} if raw.get("model") is None else raw["model"]
    if not isinstance(block, dict):
        raise ConfigError(f"{where}: model", "this is no mapping", "Write it as `model: {type: gan}`.")
    family = block.get("type", "gan")
    if family not in MODELS:
        raise ConfigError(f"{where}: model.type", f"there is no family {family!r}", _hint(str(family), MODELS))
    for key, home in _SET_ELSEWHERE.items():
        if key in block:
            raise ConfigError(f"{where}: model.{key}", "this is set elsewhere", f"Set `{home}`.")
    checked = validate(_model_block(str(family)), {"model": block}, where)
    return {**raw, "model": checked.model_dump()["model"]}


def _model_block(family: str) -> type[BaseModel]:
    """Return a pydantic model of the `model` block: the constructor's arguments, with their types and defaults."""
    taken = {name: field for name, field in parameter_fields(MODELS[family]).items() if name not in _SET_ELSEWHERE}
    fields: dict[str, Any] = {"type": (str, family), **taken}
    block = create_model("Model", __base__=_Block, **fields)
    return create_model("Config", __base__=_Block, model=(block, ...))


def _with_entity(config: Config, where: str) -> Config:
    """Return `config` with the role of `data.entity` written into the schema, where everything else looks for it."""
    entity, schema, at = config.data.entity, config.table_schema, f"{where}: data.entity"
    if entity is None:
        return config
    _check_columns([entity], schema.columns, at)
    if not isinstance(schema.columns[entity], Id):
        what = f"{entity!r} is `type: {schema.columns[entity].type}`, which names no patients"
        raise ConfigError(at, what, "Declare it `type: id`, or name another column.")
    if schema.entity not in {None, entity}:
        what = f"the schema gives the role entity to {schema.entity!r}"
        raise ConfigError(at, what, "Remove `data.entity`, or the role from that column.")
    return config.model_copy(update={"table_schema": schema.with_column(entity, role="entity")})


def _check_references(config: Config, where: str) -> None:
    """Refuse names of columns that the schema does not have, and gates that cannot be read."""
    schema = config.table_schema
    for i, task in enumerate(config.evaluation.utility):
        _check_columns([task.target], schema.modelled, f"{where}: evaluation.utility[{i}].target")
    names: set[str] = {"synthetic"}
    for i, cohort in enumerate(config.sampling.cohorts):
        at = f"{where}: sampling.cohorts[{i}]"
        if cohort.name in names:
            raise ConfigError(f"{at}.name", f"another table is called {cohort.name!r}", "Give each its own name.")
        names.add(cohort.name)
        if cohort.rows > MOST_ROWS:
            raise ConfigError(f"{at}.rows", f"more than {MOST_ROWS:,} rows", "Ask for fewer, or draw several times.")
        _check_cohort(cohort, schema, at)
    for i, text in enumerate(config.gates or ()):
        try:
            gate = parse_gate(text)
        except ConfigError as error:
            raise ConfigError(f"{where}: gates[{i}]", error.what, error.remedy) from None
        _check_gate(gate.score, config, f"{where}: gates[{i}]")


def _check_gate(score: str, config: Config, where: str) -> None:
    """Refuse a gate on a score that this run does not compute."""
    if score in SCORES:
        return
    # Imported where it is needed: it brings the learners along.
    from synthclin.evaluation.utility import default_tasks  # noqa: PLC0415

    tasks = [task.name for task in config.evaluation.utility or default_tasks(config.table_schema)]
    if score in tasks:
        return
    target = score.removeprefix("utility.")
    if target != score and target in config.table_schema.modelled:
        remedy = f"Add `{{task: predict, target: {target}}}` to `evaluation.utility`, or remove the gate."
        raise ConfigError(where, f"no task of this run computes {score!r}", remedy)
    raise ConfigError(where, f"no score is called {score!r}", _hint(score, [*SCORES, *tasks]))


def _check_cohort(cohort: Cohort, schema: Schema, where: str) -> None:
    if cohort.where is not None:
        predicate = parse(cohort.where)
        drawn = [name for name, column in schema.columns.items() if column.modelled or column.derive is not None]
        _check_columns(sorted(predicate.columns), drawn, f"{where}.where")
        try:
            # On no rows at all it tells whether it compares like with like.
            predicate.evaluate(pd.DataFrame({n: pd.Series(dtype=schema.columns[n].dtype) for n in predicate.columns}))
        except ConfigError as error:
            raise ConfigError(f"{where}.where", error.what, error.remedy) from None
    for name, shares in (cohort.mix or {}).items():
        _check_columns([name], schema.modelled, f"{where}.mix")
        levels: tuple[Level, ...] | None = getattr(schema.columns[name], "levels", None)
        unknown = [level for level in shares if levels is not None and level not in levels]
        if unknown:
            what = f"{unknown[0]!r} is no level of this column"
            raise ConfigError(f"{where}.mix.{name}", what, f"There are: {', '.join(map(str, levels or ()))}.")


def _check_columns(wanted: Iterable[str], known: Iterable[str], where: str) -> None:
    for name in wanted:
        if name not in known:
            raise ConfigError(where, f"{name!r} is no column that can stand here", _hint(name, known))


def _hint(word: str, known: Iterable[str]) -> str:
    """Return a remedy that names the closest known word, or all of them."""
    words = [str(name) for name in known]
    close = difflib.get_close_matches(word, words, n=1)
    return f"Did you mean '{close[0]}'?" if close else f"There are: {', '.join(words[:20])}."

"""Configuration of a sweep: studies x models x seeds, one YAML file, parsed strictly before anything is fitted."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from synthclin.errors import ConfigError
from synthclin.io.documents import read_yaml, validate
from synthclin.io.files import path_of
from synthclin.models import MODELS
from synthclin.parallel import EngineName
from synthclin.study.config.blocks import Config, ConfigBlock, Name
from synthclin.study.config.loading import load, model_block, overridden, refuse_set_elsewhere
from synthclin.study.config.references import hint

__all__ = ["Cell", "Grid", "Sweep", "SweepConfig", "SweepModel", "SweepOutputs", "is_sweep", "load_sweep"]

_SET_BY_SWEEP = {
    "model": "List models in `sweep.models`.",
    "seed": "List seeds in `sweep.seeds`.",
    "name": "Cells are named by study, model and seed.",
    "outputs.folder": "Set `outputs.folder` of the sweep.",
    "engine": "Set `engine` of the sweep.",
    "outputs.overwrite": "Add --overwrite to run every cell again.",
    "version": "Remove it.",
    "sweep": "Remove it.",
}
"""Keys of a study that a sweep sets itself, each with the remedy."""

_LISTED = Field(strict=False, json_schema_extra={"minItems": 1})


class SweepModel(ConfigBlock):
    """A model of a sweep: `type` and parameters as in the `model` block of a study, and the `name` of its cells.

    Without a `name` the cells are named by the type and the parameters that are written, such as ``gan-quick``.
    """

    model_config = ConfigDict(extra="allow")

    type: str
    name: Name | None = None

    @property
    def block(self) -> dict[str, Any]:
        """The `model` block of a study."""
        return {"type": self.type, **(self.model_extra or {})}

    @property
    def label(self) -> str:
        """The name of its cells."""
        if self.name is not None:
            return self.name
        words = [self.type]
        for key, value in (self.model_extra or {}).items():
            words += [value] if isinstance(value, str) else [key, str(value)]
        return re.sub(r"[^a-z0-9_]+", "-", "-".join(words).lower()).strip("-")[:64]


class Grid(ConfigBlock):
    """Cells of a sweep: every study with every model and every seed.

    Arguments:
        studies: YAML studies, relative to the folder of the sweep. Their `model` and `seed` are replaced.
        models: the models, each with its parameters.
        seeds: the seed of everything random in a cell, the split included.
        set: values of every study by their dotted keys, such as ``evaluation.replicates: 1``.
        workers: processes, each of which runs a cell; by default one per processor, and a single one with a GPU.
    """

    studies: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], _LISTED]
    models: Annotated[tuple[SweepModel, ...], _LISTED]
    seeds: Annotated[tuple[Annotated[int, Field(ge=0, lt=2**63)], ...], _LISTED] = (0,)
    set: dict[str, Any] = Field(default_factory=dict)
    workers: Annotated[int, Field(ge=1, le=1024)] | None = None


class SweepOutputs(ConfigBlock):
    """Folder of a sweep, relative to the current folder; ``{name}`` is replaced."""

    folder: Annotated[str, Field(min_length=1)] = "runs/{name}"


class SweepConfig(ConfigBlock):
    """Configuration of a sweep.

    `engine` runs cells in parallel: in processes of this machine (``local``), or on a Ray cluster (``ray``). That of a
    study does not matter.
    """

    version: Literal[1]
    name: Name
    sweep: Grid
    outputs: SweepOutputs = SweepOutputs()
    engine: EngineName = "local"

    @property
    def folder(self) -> Path:
        """The folder of the sweep, relative to the current folder."""
        return path_of(self.outputs.folder.replace("{name}", self.name))


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of a sweep.

    Arguments:
        name: of its folder, below ``cells/`` of the sweep.
        study: the name of the study.
        model: the label of the model.
        parameters: the parameters of the model that the sweep writes.
        config: the study of this run.
        command: runs it alone, in the run folder of the study.
    """

    name: str
    study: str
    model: str
    parameters: dict[str, Any]
    config: Config
    command: str

    @property
    def seed(self) -> int:
        """The seed of everything random in it."""
        return self.config.seed


@dataclass(frozen=True, slots=True)
class Sweep:
    """A sweep and its cells, in the order of studies, models and seeds."""

    config: SweepConfig
    cells: tuple[Cell, ...]


def is_sweep(raw: Mapping[str, Any]) -> bool:
    """Return whether a document is a sweep, not a study.

    Example:
        >>> is_sweep({"version": 1, "name": "grid", "sweep": {}})
        True
    """
    return "sweep" in raw


def load_sweep(path: str | Path, overrides: Sequence[str] = ()) -> Sweep:
    """Read a sweep and every study that it names, and return its cells.

    Arguments:
        path: a YAML file.
        overrides: ``KEY=VALUE`` texts such as ``sweep.workers=2``, about the sweep itself.

    Raises:
        ConfigError: for the first problem found, naming file and key path: a problem of a study with the sweep's
            values is one of the place in the sweep that gives them.

    Example:
        >>> load_sweep("no-such-sweep.yaml")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        synthclin.errors.ConfigError: no-such-sweep.yaml: cannot be read ...
    """
    where, folder = str(path), path_of(path).parent
    raw = overridden(read_yaml(path), overrides)
    for key in raw:
        known = [*SweepConfig.model_fields]
        if key not in known and key in {field.alias or name for name, field in Config.model_fields.items()}:
            remedy = (
                f"Write it in the studies, or set it in all of them by `sweep.set`; a sweep has {', '.join(known)}."
            )
            raise ConfigError(f"{where}: {key}", "this is a key of a study, not of a sweep", remedy)
    config = validate(SweepConfig, raw, where)
    for key in ("studies", "models", "seeds"):
        if not getattr(config.sweep, key):
            raise ConfigError(f"{where}: sweep.{key}", "the list is empty", "List at least one.")
    if "{seed}" in config.outputs.folder:
        raise ConfigError(f"{where}: outputs.folder", "a sweep has several seeds", "Remove `{seed}`.")
    _check_models(config.sweep.models, f"{where}: sweep.models")
    _refuse_doubled(config.sweep.seeds, f"{where}: sweep.seeds", "seed")
    _refuse_taken_keys(config.sweep.set, f"{where}: sweep.set")
    cells: dict[str, Cell] = {}
    for i, study in enumerate(config.sweep.studies):
        at = f"{where}: sweep.studies[{i}]"
        for cell in _cells(config, folder / path_of(study), where, at):
            if cell.name in cells:
                remedy = "Remove one of them, or give its study or its model another `name`."
                raise ConfigError(at, f"another cell is called {cell.name!r}", remedy)
            cells[cell.name] = cell
    return Sweep(config, tuple(cells.values()))


def _check_models(models: Sequence[SweepModel], where: str) -> None:
    """Refuse unknown families, parameters that they do not have, and models of one label."""
    for i, model in enumerate(models):
        at = f"{where}[{i}]"
        if model.type not in MODELS:
            raise ConfigError(f"{at}.type", f"there is no family {model.type!r}", hint(model.type, MODELS))
        if "random_state" in model.block:
            raise ConfigError(f"{at}.random_state", "this is set elsewhere", "List seeds in `sweep.seeds`.")
        refuse_set_elsewhere(model.block, at)
        try:
            validate(model_block(model.type), {"model": model.block}, "")
        except ConfigError as error:
            raise ConfigError(f"{at}{error.where.removeprefix(': model')}", error.what, error.remedy) from None
    _refuse_doubled([model.label for model in models], where, "model")


def _refuse_doubled(values: Sequence[object], where: str, noun: str) -> None:
    for i, value in enumerate(values):
        if value in values[:i]:
            remedy = "Remove one of them" + (", or give one a `name`." if noun == "model" else ".")
            raise ConfigError(f"{where}[{i}]", f"another {noun} is called {value!r}", remedy)


def _refuse_taken_keys(values: Mapping[str, object], where: str) -> None:
    """Refuse values that a sweep sets itself."""
    for key in values:
        if not key.strip("."):
            raise ConfigError(where, "a key is empty", "Write it like `evaluation.replicates`.")
        taken = next((known for known in _SET_BY_SWEEP if key == known or key.startswith(f"{known}.")), None)
        if taken is None and key == "outputs":
            taken = "outputs.folder"
        if taken is not None:
            raise ConfigError(f"{where}.{key}", "a sweep sets this itself", _SET_BY_SWEEP[taken])


def _cells(config: SweepConfig, study: Path, where: str, at: str) -> list[Cell]:
    """Return the cells of one study; `at` is its place in the sweep.

    Raises:
        ConfigError: the study is wrong by itself, or with the values of the sweep.
    """
    try:
        plain = load(study)
    except ConfigError as error:
        raise ConfigError(f"{at}: {error.where}", error.what, error.remedy) from None
    given: dict[str, object] = dict(config.sweep.set)
    try:
        load(study, given)
    except ConfigError as error:
        place = error.where.removeprefix(f"{study}: ").removeprefix("--set ")
        # What else is wrong then, such as a gate on a task that is gone, is in the study.
        named = any(place.startswith(key) for key in given)
        at = f"{where}: sweep.set.{place}" if named else f"{where}: sweep.set: {study}: {place}"
        raise ConfigError(at, error.what, error.remedy) from None
    found = []
    for i, model in enumerate(config.sweep.models):
        for seed in config.sweep.seeds:
            name = f"{plain.name}-{model.label}-{seed}"
            own: dict[str, object] = {
                "model": model.block,
                "seed": seed,
                "outputs.folder": f"{config.folder.as_posix()}/cells/{name}",
                "engine": "local",  # that of the sweep runs the cells
            }
            try:
                loaded = load(study, given | own)
            except ConfigError as error:
                raise ConfigError(f"{where}: sweep.models[{i}]: {error.where}", error.what, error.remedy) from None
            alone = _command(study, config.sweep.set | {"model": model.block, "seed": seed})
            found.append(Cell(name, plain.name, model.label, dict(model.model_extra or {}), _readable(loaded), alone))
    return found


def _command(study: Path, values: Mapping[str, object]) -> str:
    """Return a command line that runs a study with some of its values replaced; JSON is YAML too."""
    changes = (word for key, value in values.items() for word in ("--set", f"{key}={json.dumps(value)}"))
    return shlex.join(["synthclin", "run", str(study), *changes])


def _readable(config: Config) -> Config:
    """Return the study of a cell with the two files that the index needs: the internal report as a page and as JSON."""
    outputs = config.outputs
    changes = {
        "report": tuple(dict.fromkeys((*outputs.report, "html", "json"))),
        "editions": tuple(dict.fromkeys((*outputs.editions, "internal"))),
    }
    return config.model_copy(update={"outputs": outputs.model_copy(update=changes)})

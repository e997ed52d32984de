"""A first study of a table: the schema with evidence and proposed roles, and the study that names it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from synthclin.errors import ConfigError
from synthclin.inference import infer, to_commented_yaml
from synthclin.inference.roles import proposed_roles
from synthclin.io.documents import dump_yaml
from synthclin.io.files import path_of, refuse_taken, write_atomic
from synthclin.rules.validation import conform
from synthclin.study.config.sources import name_of, seen_from
from synthclin.tables import read_some

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synthclin.inference import Inferred
    from synthclin.schema.columns import AnyColumn

__all__ = ["SCHEMA", "STUDY", "Started", "start"]

SCHEMA, STUDY = "schema.yaml", "study.yaml"


class Started(NamedTuple):
    """The two files that `start` wrote, and the inferred schema."""

    schema: Path
    study: Path
    inferred: Inferred


def start(
    data: str | Path,
    folder: str | Path = ".",
    *,
    declared: Mapping[str, AnyColumn] | None = None,
    notation: Mapping[str, Any] | None = None,
    effort: str | None = None,
    sample: int | None = None,
    overwrite: bool = False,
) -> Started:
    """Write ``schema.yaml`` and ``study.yaml`` for a table into a folder.

    Arguments:
        data: the table file or database.
        folder: is made where it is not there.
        declared: known columns, which are not inferred.
        notation: keyword arguments of `synthclin.read_table` for the notation of the file; the study declares them too.
        effort: the `model.effort` of the study; None for the default.
        sample: how many random rows the schema is inferred from, and how many patients the study samples; None for all.
        overwrite: whether existing files are replaced.

    Raises:
        DataError: the table cannot be read, or no schema fits it.
        OutputError: a file is there already, or cannot be written.
    """
    place = path_of(folder)
    noted = {key: value for key, value in (notation or {}).items() if value}
    table = read_some(data, sample, **noted)
    inferred = infer(table, declared)
    roles = proposed_roles(conform(table, inferred.schema), inferred.schema)
    hints = {
        name: [*inferred.hints.get(name, ()), *([roles[name]] if name in roles else [])] for name in inferred.evidence
    }
    inferred = replace(inferred, hints=hints)
    _make(place)
    files = Started(place / SCHEMA, place / STUDY, inferred)
    for path in files[:2]:
        refuse_taken(path, overwrite)
    write_atomic(files.schema, to_commented_yaml(inferred), overwrite=overwrite)
    given = {name: f"role: {column.role}" for name, column in inferred.schema.columns.items() if column.role == "time"}
    keys = noted | ({} if sample is None else {"sample": sample})
    write_atomic(files.study, _study(str(data), place, keys, given | roles, effort), overwrite=overwrite)
    return files


def _make(place: Path) -> None:
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError:
        raise ConfigError(str(place), "is no folder and cannot be made", "Choose another folder.") from None


def _study(source: str, place: Path, notation: Mapping[str, Any], roles: Mapping[str, str], effort: str | None) -> str:
    """Return the text of a study."""
    name = re.sub(r"[^a-z0-9]+", "-", name_of(source).lower()).strip("-")[:64] or "study"
    document = {
        "version": 1,
        "name": name,
        "seed": 1,
        "data": {**seen_from(place, source, notation), "holdout": 0.2},
        "schema": SCHEMA,
    } | ({} if effort is None else {"model": {"effort": effort}})
    lines = [
        f"# A first study. Check {SCHEMA} line by line, then run in this folder: synthclin run {STUDY} --dry-run",
        dump_yaml(document),
    ]
    tasks = list(_tasks(roles))
    if tasks:
        lines += ["# Analyses that the proposed roles allow. Confirm the roles in the schema, then remove the `#`."]
        lines += ["# evaluation:", "#   utility:", *(f"#     - {task}" for task in tasks)]
    return "\n".join(line.rstrip("\n") for line in lines) + "\n"


def _tasks(roles: Mapping[str, str]) -> list[str]:
    """Return the analyses of proposed roles as YAML."""
    by_role = {line.split()[1]: name for name, line in roles.items() if line.startswith("role: ")}
    tasks: list[dict[str, str]] = []
    if "event" in by_role:
        tasks.append({"task": "predict", "target": by_role["event"]})
    if {"event", "time"} <= set(by_role):
        arm = {"by": by_role["treatment"]} if "treatment" in by_role else {}
        tasks.append({"task": "survival", "time": by_role["time"], "event": by_role["event"], **arm})
    return [
        "{" + ", ".join(f"{key}: {dump_yaml({'x': value})[3:].strip()}" for key, value in task.items()) + "}"
        for task in tasks
    ]

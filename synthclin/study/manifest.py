"""The manifest of a run folder: which versions made it, how long each stage took, and a hash per file."""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field

import synthclin
from synthclin.errors import ConfigError
from synthclin.evaluation.score import Score
from synthclin.io.documents import read_json, validate
from synthclin.io.files import inside, sha256
from synthclin.report.record.section_data import CohortFacts, RuleFacts

__all__ = ["FILE", "STAGES", "Clock", "Manifest", "ModelAttack", "altered", "hashes", "read", "versions"]

FILE = "manifest.json"
Share = Annotated[float, Field(ge=0, le=1)]
Stage = Literal["read", "check", "split", "fit", "sample", "compare", "audit", "score", "report", "write"]
STAGES: tuple[Stage, ...] = get_args(Stage)
"""The stages of a run, in their order: the manifest times them and a dry run lists them."""
_PACKAGES = ("torch", "numpy", "pandas", "scikit-learn", "scipy", "sdmetrics")


class ModelAttack(BaseModel):
    """What an attack on the model found; None where it is not assessable, and `note` says why.

    Arguments:
        name: of its score.
        value: the AUC, with `low` and `high` the ends of its 95 % interval.
        n: how many unused patients it rests on.
        tpr_at_1_percent: share of training patients recognised at 1 % false alarms.
        tpr_at_10_percent: the same at 10 %.
        outliers: the AUC among the tenth of patients that are most alone.
        note: what the reader must know.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str
    value: Share | None
    low: Share | None
    high: Share | None
    n: Annotated[int, Field(ge=0)]
    tpr_at_1_percent: Share | None = None
    tpr_at_10_percent: Share | None = None
    outliers: Share | None = None
    note: str = ""

    @classmethod
    def of(cls, score: Score) -> Self:
        """Return what a manifest tells of a score."""
        known = not math.isnan(score.value)
        details = score.details if known else {}
        return cls(
            name=score.name,
            value=score.value if known else None,
            low=score.low if known else None,
            high=score.high if known else None,
            n=score.n,
            tpr_at_1_percent=details.get("tpr_at_1_percent"),
            tpr_at_10_percent=details.get("tpr_at_10_percent"),
            outliers=(details.get("outliers") or {}).get("value"),
            note=score.note,
        )


class Manifest(BaseModel):
    """What `manifest.json` holds. It names no host, user or path outside the run folder.

    Arguments:
        name: of the study.
        seed: of the run.
        versions: of Python and of every package that can change a result.
        device: what the model was trained on, such as ``cpu``.
        seconds: wall time of each stage.
        rows: of the training, holdout and synthetic tables.
        cohorts: what was asked for, how probable it is to the model and common in the data, and what it was taken from.
        attacks: on the model, which the report's gates do not judge.
        repeated: how many rows of each table equal the row of one training patient, where that was asked for.
        rules: how many real rows each left out, and how often the model alone would have broken it.
        files: SHA-256 of every other file of the folder, by its path inside.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    schema_version: Literal[1] = 1
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
    seed: int
    versions: dict[str, str]
    device: str
    seconds: dict[str, float]
    rows: dict[str, int]
    cohorts: tuple[CohortFacts, ...] = ()
    attacks: tuple[ModelAttack, ...] = ()
    repeated: dict[str, Annotated[int, Field(ge=0)]] = {}
    rules: RuleFacts = RuleFacts()
    files: dict[str, Annotated[str, Field(pattern="^[0-9a-f]{64}$")]]


class Clock:
    """Seconds per stage.

    Example:
        >>> clock = Clock()
        >>> with clock.stage("read"):
        ...     pass
        >>> list(clock.seconds)
        ['read']
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: Stage) -> Iterator[None]:
        """Time the block as stage `name`."""
        start = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - start, 3)


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that can change a result.

    Example:
        >>> sorted(versions())[:2]
        ['numpy', 'pandas']
    """
    found = {"python": platform.python_version(), "synthclin": synthclin.__version__}
    return found | {package: metadata.version(package) for package in _PACKAGES}


def hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below `folder` but the manifest, by its path inside, sorted."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {name: sha256(path) for path in files if (name := path.relative_to(folder).as_posix()) != FILE}


def read(folder: Path) -> Manifest:
    """Read the manifest of a run folder; raises ConfigError where it is absent or damaged."""
    path = folder / FILE
    if not path.is_file():
        raise ConfigError(str(folder), f"this is no run folder: it has no {FILE}", "Give the folder of a finished run.")
    data: Any = read_json(path, error=ConfigError)
    return validate(Manifest, data, str(path))


def altered(folder: Path, files: Mapping[str, str]) -> list[str]:
    """Return a line for every file that is not as `files` says: changed, absent, or there without being listed."""
    problems = []
    for name, digest in files.items():
        path = inside(folder, name)
        if not path.is_file():
            problems.append(f"{name}: the file is absent")
        elif sha256(path) != digest:
            problems.append(f"{name}: the file was changed after the run")
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    extra = sorted(present - set(files) - {FILE})
    return problems + [f"{name}: the file is not listed in {FILE}" for name in extra]

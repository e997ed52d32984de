"""Manifest (provenance record) of a run folder: package versions, seconds per stage, and a hash per file."""

from __future__ import annotations

import hashlib
import hmac
import math
import platform
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from synthclin import log
from synthclin.errors import ConfigError
from synthclin.evaluation.privacy.details import MembershipDetails
from synthclin.evaluation.score import Score, details_of
from synthclin.io.documents import read_json, validate
from synthclin.io.files import inside, sha256
from synthclin.io.version import VERSION
from synthclin.report.record.section_data import CohortFacts, RuleFacts
from synthclin.tables.parquet_folder import parquet_files

__all__ = ["FILE", "STAGES", "Clock", "Manifest", "ModelAttack", "SourceFile", "altered", "hashes", "read", "versions"]

FILE = "manifest.json"
Share = Annotated[float, Field(ge=0, le=1)]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Stage = Literal["read", "check", "split", "fit", "sample", "compare", "audit", "score", "report", "write"]
STAGES: tuple[Stage, ...] = get_args(Stage)
"""The stages of a run, in their order: the manifest times them and a dry run lists them."""
_PACKAGES = ("torch", "numpy", "pandas", "scikit-learn", "scipy", "sdmetrics")


class ModelAttack(BaseModel):
    """Result of a membership inference attack on the model; None where it is not assessable, with the reason in `note`.

    Arguments:
        name: of its score.
        value: the AUC, with `low` and `high` the ends of its 95 % interval.
        n: number of non-members.
        tpr_at_1_percent: true positive rate at 1 % false positive rate.
        tpr_at_10_percent: the same at 10 %.
        top_decile_outliers: the AUC among the top-decile outliers by nearest-neighbour distance.
        note: remarks on the result.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str
    value: Share | None
    low: Share | None
    high: Share | None
    n: Annotated[int, Field(ge=0)]
    tpr_at_1_percent: Share | None = None
    tpr_at_10_percent: Share | None = None
    top_decile_outliers: Share | None = None
    note: str = ""

    @classmethod
    def of(cls, score: Score) -> Self:
        """Return the entry of a score in the manifest."""
        known = not math.isnan(score.value)
        details = details_of(score, MembershipDetails) if known else None
        risk = details.top_decile_outliers if details else None
        return cls(
            name=score.name,
            value=score.value if known else None,
            low=score.low if known else None,
            high=score.high if known else None,
            n=score.n,
            tpr_at_1_percent=details.tpr_at_1_percent if details else None,
            tpr_at_10_percent=details.tpr_at_10_percent if details else None,
            top_decile_outliers=risk.value if risk else None,
            note=score.note,
        )


class SourceFile(BaseModel):
    """The file of the real table, or the rows that a database returned, by a keyed hash.

    A plain hash of patients' rows is an oracle: whoever guesses a small table can confirm the guess. The key is random
    for each run and stands in the manifest alone, which stays with the custodian; no report holds key or hash.

    Arguments:
        key: the key, 32 random bytes in hexadecimal digits.
        hmac_sha256: HMAC-SHA256 of the bytes of the file; of a database, of its rows as CSV.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    key: Digest
    hmac_sha256: Digest

    @classmethod
    def of(cls, path: Path, key: str | None = None) -> Self:
        """Return the record of a file, or of a folder of Parquet files, under a new key where none is given."""
        key = key or secrets.token_hex(32)
        files = parquet_files(path) if path.is_dir() else [path]
        digests = [_keyed(file, key) for file in files]
        if path.is_dir():
            named = zip((file.relative_to(path).as_posix() for file in files), digests, strict=True)
            whole = "\n".join(f"{digest} {name}" for name, digest in named)
            digests = [hmac.new(bytes.fromhex(key), whole.encode(), "sha256").hexdigest()]
        return cls(key=key, hmac_sha256=digests[0])

    @classmethod
    def of_rows(cls, table: pd.DataFrame, key: str | None = None) -> Self:
        """Return the record of rows that `synthclin.read_table` returned of a database."""
        key = key or secrets.token_hex(32)
        content = table.to_csv(index=False, lineterminator="\n").encode()
        return cls(key=key, hmac_sha256=hmac.new(bytes.fromhex(key), content, "sha256").hexdigest())

    def is_of(self, source: Path | pd.DataFrame) -> bool:
        """Return whether a file has the same bytes, or a database the same rows."""
        made = self.of(source, self.key) if isinstance(source, Path) else self.of_rows(source, self.key)
        return made == self


def _keyed(path: Path, key: str) -> str:
    """Return the keyed hash of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hmac.new(bytes.fromhex(key), digestmod="sha256")).hexdigest()


class Manifest(BaseModel):
    """Provenance record in `manifest.json`. It names no host, user or path outside the run folder.

    Arguments:
        name: of the study.
        seed: of the run.
        versions: of Python and of every package that can change a result.
        device: what the model was trained on, such as ``cpu``.
        seconds: wall time of each stage.
        rows: of the training, holdout and synthetic tables.
        cohorts: the request of each, its probability in the model, its share of the data, and effective sample size.
        attacks: on the model; the gates of the report do not include them.
        repeated: how many rows of each table equal the row of one training patient, where `release_check` is set.
        rules: number of real rows that each rule left out, and its violation rate without constraint mask.
        source: the file of the real table, or the rows of a database.
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
    source: SourceFile | None = None
    files: dict[str, Digest]


class Clock:
    """Timer of the stages of a run.

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
        """Time the block as stage `name`, and report it in the log."""
        start = time.perf_counter()
        log.emit(log.StageBegin(name))
        yield
        self.seconds[name] = round(time.perf_counter() - start, 3)
        log.emit(log.StageEnd(name, self.seconds[name]))


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that can change a result.

    Example:
        >>> sorted(versions())[:2]
        ['numpy', 'pandas']
    """
    found = {"python": platform.python_version(), "synthclin": VERSION}
    return found | {package: metadata.version(package) for package in _PACKAGES}


def hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below `folder` but the manifest, by its path inside, sorted."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {name: sha256(path) for path in files if (name := path.relative_to(folder).as_posix()) != FILE}


def read(folder: Path) -> Manifest:
    """Read the manifest of a run folder; raises ConfigError where it is absent or damaged."""
    path = folder / FILE
    if not path.is_file():
        raise ConfigError(
            str(folder), f"this is not a run folder: it has no {FILE}", "Give the folder of a finished run."
        )
    data: Any = read_json(path, error=ConfigError)
    return validate(Manifest, data, str(path))


def altered(folder: Path, files: Mapping[str, str]) -> list[str]:
    """Return a line for every file that differs from the hashes in `files`: changed, absent, or not listed."""
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

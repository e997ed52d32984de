"""Integrity check of a run folder: file hashes, and consistency of its parts; needs no real row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from synthclin.errors import ConfigError, SynthclinError
from synthclin.evaluation.gates import judge
from synthclin.io.documents import read_json, read_yaml, validate
from synthclin.io.files import path_of, refuse_absent
from synthclin.language import speaking
from synthclin.report import Report
from synthclin.report.record.seal import open_seal
from synthclin.rules.rules import violations
from synthclin.schema import Schema
from synthclin.study import manifest
from synthclin.study.reports import REPORTS
from synthclin.study.stages import SHARDED
from synthclin.tables import is_database, read_sample, read_table, refuse_address
from synthclin.tables.file_notation import FileNotation
from synthclin.tables.shard_index import INDEX, SHARDS

__all__ = ["Verification", "verify"]

_LIST = f"{SHARDED}/{INDEX}"


@dataclass(frozen=True, slots=True)
class Verification:
    """Result of the integrity check.

    Arguments:
        files: how many files the manifest lists.
        problems: a line each; empty if the folder is intact and its tables are valid.
        report: the run's report, with its gates evaluated again.
        source: the file or database that the run was checked to have read; empty where none was given.
    """

    files: int
    problems: tuple[str, ...]
    report: Report
    source: str = ""

    @property
    def verdict(self) -> str:
        """The outcome as one line."""
        if self.problems:
            several = f"{len(self.problems)} problems are" if len(self.problems) > 1 else "1 problem is"
            return f"VERIFY FAILED: {several} listed above"
        gates = "" if self.report.passed else "; the gates are NOT PASSED"
        read = f", the run read {self.source}" if self.source else ""
        return f"verified: {self.files} files are unaltered, the synthetic tables satisfy the schema{read}{gates}"


def verify(folder: str | Path, source: str | Path | None = None) -> Verification:
    """Check a run folder against its own manifest, schema, rules and gates, and its files against each other.

    Arguments:
        folder: of a finished run.
        source: also check that the run read these real rows: a file, or a database, which is asked by the query of the
            run unless the address has one.

    Raises:
        ConfigError: the folder holds no manifest or no report, or the report is damaged or was edited.
        DataError: there is no such source, or it cannot be read.
    """
    folder = path_of(folder)
    if folder.is_file():
        what, remedy = "this is a file, not a run folder", "Write `synthclin verify TABLE REPORT` for a table."
        raise ConfigError(str(folder), what, remedy)
    record = manifest.read(folder)
    problems = manifest.altered(folder, record.files)
    report = next((folder / name for name in REPORTS if (folder / name).is_file()), None)
    if report is None:
        raise ConfigError(str(folder), "the report is absent", "Run with `outputs.report: [html, json]`.")
    schema_file = folder / "model" / "schema.yaml"
    if schema_file.is_file():
        problems += _table_problems(folder, Schema.read(schema_file))
    read = Report.read(report)
    with speaking(read.language):
        judged = replace(read, verdicts=judge([verdict.gate for verdict in read.verdicts], read.scores))
    changed = [
        new.gate.text for new, old in zip(judged.verdicts, read.verdicts, strict=True) if new.status != old.status
    ]
    if read.edition == "internal":
        problems += [f"report.json: the verdict on {gate!r} does not follow from its score" for gate in changed]
        problems += _other_edition(folder, read)
    problems += _shipped(folder, record.files)
    problems += _bound(folder, record.files, read)
    if source is not None:
        problems += _other_source(folder, record, source)
    # The scores of the shareable edition are rounded, so its verdicts are not evaluated again.
    shown = judged if read.edition == "internal" else read
    return Verification(
        len(record.files), tuple(problems), shown, "" if source is None else str(source).partition("?")[0]
    )


def _other_source(folder: Path, record: manifest.Manifest, source: str | Path) -> Iterator[str]:
    """Yield a line if the run did not read these rows."""
    refuse_address(source, "verify: --source")
    place = str(source).partition("?")[0] if is_database(source) else str(source)
    if is_database(source):
        study = read_yaml(folder / "config.yaml") if (folder / "config.yaml").is_file() else {"data": {}}
        data = study["data"]
        asked = ("query", "table") if place == str(source) else ()
        keys = [key for key in (*asked, *FileNotation.model_fields) if data.get(key) is not None]
        reading = {key: data[key] for key in keys}
        if data.get("sample") is None:
            read: Path | pd.DataFrame = read_table(str(source), **reading)
        else:
            schema = validate(Schema, study.get("schema"), str(folder / "config.yaml"))
            read = read_sample(str(source), data["sample"], schema, study["seed"], **reading).table
    else:
        refuse_absent(source)
        read = path_of(source)
    if record.source is None or not record.source.is_of(read):
        yield (
            f"{place}: its rows are not those that the run read"
            if is_database(source)
            else (f"{source}: it is not the file that the run read")
        )


def _other_edition(folder: Path, report: Report) -> Iterator[str]:
    """Yield a line if the shareable edition does not follow from the internal report."""
    other = folder / "report-shareable.json"
    if other.is_file() and report.shareable().to_json() != Report.read(other).to_json():
        yield f"{other.name}: it does not follow from report.json"


def _bound(folder: Path, files: Mapping[str, str], report: Report) -> Iterator[str]:
    """Yield a line for each form of the report that is about another table than that of the run."""
    about = {REPORTS[report.edition == "shareable"]: None if report.table is None else report.table.sha256}
    for page in sorted([*folder.glob("report*.html"), *folder.glob("report*.md")]):
        seal = open_seal(page.read_bytes().decode("utf-8", errors="replace"))
        about[page.name] = None if seal is None else seal.table
    released = {digest for name, digest in files.items() if name.startswith("synthetic.") or name == _LIST}
    for name, digest in about.items():
        if digest not in released:
            yield f"{name}: it is about another table than the manifest"


def _shipped(folder: Path, files: Mapping[str, str]) -> Iterator[str]:
    """Yield a line if the metadata of the table are those of another file."""
    card = folder / "croissant.json"
    if not card.is_file():
        return
    document = read_json(card, error=ConfigError)
    listed = document.get("distribution", []) if isinstance(document, dict) else []
    for one in listed:
        if files.get(str(one.get("contentUrl"))) != one.get("sha256"):
            yield f"{card.name}: it describes another table than the manifest"


def _table_problems(folder: Path, schema: Schema) -> list[str]:
    problems = []
    shards = folder.glob(f"{SHARDED}/{SHARDS}")
    for path in [*sorted([*folder.glob("synthetic.*"), *folder.glob("cohorts/*")]), *sorted(shards)]:
        name = path.relative_to(folder).as_posix()
        try:
            broken = violations(read_table(path, schema), schema)
        except SynthclinError as error:
            problems.append(f"{name}: {error.where}: {error.what}")
            continue
        counts = {rule: int(mask.sum()) for rule, mask in broken.items()}
        problems += [f"{name}: {count:,} rows break the rule {rule!r}" for rule, count in counts.items() if count]
    return problems

"""Whether a run folder is still what the run wrote: hashes, synthetic tables against the schema, gates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from synthclin import manifest
from synthclin.errors import ConfigError, SynthclinError
from synthclin.evaluation.gates import judge
from synthclin.report import Report
from synthclin.rules import violations
from synthclin.schema import Schema
from synthclin.tables import read_table

__all__ = ["Verification", "verify"]


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found.

    Arguments:
        files: how many files the manifest lists.
        problems: a line each; none where the folder is intact and its tables are valid.
        report: the run's report, its gates judged again.
    """

    files: int
    problems: tuple[str, ...]
    report: Report


def verify(folder: str | Path) -> Verification:
    """Check a run folder against its own manifest, schema and gates.

    Raises:
        ConfigError: the folder holds no manifest or no report.json.
    """
    folder = Path(folder)
    record = manifest.read(folder)
    problems = manifest.altered(folder, record.files)
    report = folder / "report.json"
    if not report.is_file():
        raise ConfigError(str(report), "the report is absent", "Run with `outputs.report: [html, json]`.")
    schema_file = folder / "model" / "schema.yaml"
    if schema_file.is_file():
        problems += _table_problems(folder, Schema.read(schema_file))
    read = Report.read(report)
    judged = replace(read, verdicts=judge([verdict.gate for verdict in read.verdicts], read.scores))
    changed = [
        new.gate.text for new, old in zip(judged.verdicts, read.verdicts, strict=True) if new.status != old.status
    ]
    problems += [f"report.json: the verdict on {gate!r} does not follow from its score" for gate in changed]
    return Verification(len(record.files), tuple(problems), judged)


def _table_problems(folder: Path, schema: Schema) -> list[str]:
    problems = []
    for path in sorted([*folder.glob("synthetic.*"), *folder.glob("cohorts/*")]):
        name = path.relative_to(folder).as_posix()
        try:
            broken = violations(read_table(path, schema), schema)
        except SynthclinError as error:
            problems.append(f"{name}: {error.where}: {error.what}")
            continue
        counts = {rule: int(mask.sum()) for rule, mask in broken.items()}
        problems += [f"{name}: {count:,} rows break the rule {rule!r}" for rule, count in counts.items() if count]
    return problems

"""Whether a run folder is complete: what a run of the same study would write now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from synthclin.errors import ConfigError, OutputError
from synthclin.io.documents import parse_yaml, read_yaml
from synthclin.io.files import refuse_absent
from synthclin.report import Report
from synthclin.study import manifest
from synthclin.study.config import resolved_yaml
from synthclin.study.data import read_same, source_file
from synthclin.study.reports import REPORTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synthclin.study.config import Config

__all__ = ["differences", "read_finished"]


def differences(config: Config) -> tuple[str, ...]:
    """Return in what the folder of a study differs from a run of it now; empty if it is complete.

    Complete is a run folder whose files are unaltered and whose study, table and package versions are those of now.

    Raises:
        DataError: the table of the study is absent.
    """
    if (file := source_file(config)) is not None:
        refuse_absent(file)
    try:
        record = manifest.read(config.folder)
        written = read_yaml(config.folder / "config.yaml")
    except ConfigError:
        return ("its manifest or study, which cannot be read",)
    wanted = parse_yaml(resolved_yaml(config), "study")
    of_processes = {"engine", "evaluation.workers"}  # no result depends on them
    keys = sorted(set(_changed(written, wanted)) - of_processes)
    found = [f"the keys {', '.join(keys)} of the study"] if keys else []
    now = manifest.versions()
    other = [name for name in sorted(now.keys() | record.versions) if now.get(name) != record.versions.get(name)]
    if other:
        found.append(f"the version of {', '.join(other)}")
    if record.source is None or not read_same(config, record.source):
        found.append("the real table")
    if manifest.altered(config.folder, record.files):
        found.append("files that were changed after the run")
    return tuple(found)


def _changed(one: object, other: object, key: str = "") -> Iterator[str]:
    """Yield the dotted keys at which two documents differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in {**one, **other}:
            yield from _changed(one.get(name), other.get(name), f"{key}.{name}" if key else str(name))
    elif one != other:
        yield key


def read_finished(folder: Path) -> tuple[Report, manifest.Manifest]:
    """Return the report and the manifest of a complete run folder; raises OutputError if its report is no JSON."""
    report = next((folder / name for name in REPORTS if (folder / name).is_file()), None)
    if report is None:
        what, remedy = "the run is complete, but its verdict cannot be read", "Add `json` to `outputs.report`."
        raise OutputError(str(folder), what, remedy)
    return Report.read(report), manifest.read(folder)

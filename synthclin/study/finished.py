"""Whether a run folder is complete: what a run of the same study would write now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from synthclin.errors import ConfigError, OutputError
from synthclin.io.files import refuse_absent
from synthclin.report import Report
from synthclin.study import manifest
from synthclin.study.config import resolved_yaml
from synthclin.study.data import read_same, source_file
from synthclin.study.reports import REPORTS

if TYPE_CHECKING:
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
        written = (config.folder / "config.yaml").read_text("utf-8")
    except (ConfigError, OSError, UnicodeDecodeError):
        return ("its manifest or study, which cannot be read",)
    found = [] if written == resolved_yaml(config) else ["the study"]
    now = manifest.versions()
    other = [name for name in sorted(now.keys() | record.versions) if now.get(name) != record.versions.get(name)]
    if other:
        found.append(f"the version of {', '.join(other)}")
    if record.source is None or not read_same(config, record.source):
        found.append("the real table")
    if manifest.altered(config.folder, record.files):
        found.append("files that were changed after the run")
    return tuple(found)


def read_finished(folder: Path) -> tuple[Report, manifest.Manifest]:
    """Return the report and the manifest of a complete run folder; raises OutputError if its report is no JSON."""
    report = next((folder / name for name in REPORTS if (folder / name).is_file()), None)
    if report is None:
        what, remedy = "the run is complete, but its verdict cannot be read", "Add `json` to `outputs.report`."
        raise OutputError(str(folder), what, remedy)
    return Report.read(report), manifest.read(folder)

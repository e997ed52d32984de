"""The release on page one: what is declared, the file that the report is about, and allowed and excluded uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from synthclin.evaluation.catalogue import kind_of
from synthclin.report.record.release import NAMES
from synthclin.wording import listed, number, plain

if TYPE_CHECKING:
    from synthclin.evaluation.kind import Section
    from synthclin.report.findings import Findings

__all__ = ["NOT_DECLARED", "NOT_FOR", "ReleaseBox", "ReleaseItem", "may_not", "release_box", "release_items"]

NOT_FOR = (
    "Decisions about the care of any person.",
    "Finding, contacting or singling out a person.",
    "Results published as if they came from real patients; check them on the real data first.",
    "More certainty than the real study had, whatever the number of synthetic rows.",
)
"""What no synthetic table may be used for, as sentences."""

NOT_DECLARED = "not declared"
_LONGEST = 300

_FORBIDDEN: dict[Section, str] = {
    "privacy": "Release to anybody but the custodian",
    "rules": "Programs that rely on the rules of the schema",
    "clinical": "Effect estimates and survival",
    "utility": "Training of prediction models",
    "subgroups": "Statements on subgroups of patients",
    "fidelity": "Statements on distributions and associations of columns",
}
"""The use that a failed gate forbids, by the section of its score."""


@dataclass(frozen=True, slots=True)
class ReleaseItem:
    """One item of the release: its name, its text, and whether it is declared."""

    name: str
    text: str
    declared: bool


@dataclass(frozen=True, slots=True)
class ReleaseBox:
    """The release on page one.

    Arguments:
        items: declared and open items, and the file.
        open_points: a sentence that lists what is not declared; empty where all is.
        may: what the table may be used for.
        may_not: what it may not be used for, as sentences.
    """

    items: tuple[ReleaseItem, ...]
    open_points: str
    may: ReleaseItem
    may_not: tuple[str, ...]


def release_box(report: Findings) -> ReleaseBox:
    """Return the release of a report as page one shows it.

    Example:
        >>> from synthclin.report.findings import Findings
        >>> release_box(Findings((), (), {}, {})).may.text
        'not declared'
    """
    declared = release_items(report)
    absent = [item.name for item in declared if not item.declared]
    absent = [name[:1].lower() + name[1:] if name[1:2].islower() else name for name in absent]
    return ReleaseBox(
        items=declared,
        open_points=f"Open, to be declared before sign-off: {listed(absent)}." if absent else "",
        may=declared[0],
        may_not=may_not(report),
    )


def release_items(report: Findings) -> tuple[ReleaseItem, ...]:
    """Return each item of the release, then the file with its SHA-256."""
    items = [_item(name, report.release.declared(key)) for key, name in NAMES.items()]
    file = report.table
    if file is None:
        what = "not bound to a file"
        return (*items, ReleaseItem("File of the table", what, declared=False))
    name = f"{plain(file.name, 120)}, {number(file.rows, 0)} rows"
    return (*items, ReleaseItem("File of the table", name, declared=True), ReleaseItem("SHA-256", file.sha256, True))


def may_not(report: Findings) -> tuple[str, ...]:
    """Return what the table may not be used for: what failed gates forbid, its expiry, and what no table is for."""
    failed: dict[Section, list[str]] = {}
    for verdict in report.verdicts:
        kind = kind_of(verdict.gate.score)
        if verdict.status == "FAIL":
            failed.setdefault(kind.section, []).append(plain(kind.label, 60))
    uses = [f"{use}: {_fails(failed[section])}." for section, use in _FORBIDDEN.items() if section in failed]
    until = report.release.declared("valid_until")
    expiry = [f"Any use after {until}."] if until else []
    return (*uses, *expiry, *NOT_FOR)


def _fails(labels: list[str]) -> str:
    labels = list(dict.fromkeys(labels))
    shown = [*labels[:3], *([f"{len(labels) - 3} more"] if len(labels) > 3 else [])]
    return f"{listed(shown)} {'fails' if len(labels) == 1 else 'fail'}"


def _item(name: str, text: str | None) -> ReleaseItem:
    return ReleaseItem(name, NOT_DECLARED if text is None else plain(text, _LONGEST), text is not None)

"""The release on page one: what is declared, the file that the report is about, and allowed and excluded uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from synthclin.evaluation.catalogue import kind_of
from synthclin.language import tr
from synthclin.report.pages.words import shown_first
from synthclin.report.record.release import item_names
from synthclin.wording import listed, lower_start, number, plain, plural

if TYPE_CHECKING:
    from synthclin.evaluation.kind import Section
    from synthclin.report.findings import Findings

__all__ = [
    "ReleaseBox",
    "ReleaseItem",
    "may_not",
    "not_declared",
    "not_for",
    "release_box",
    "release_items",
]

_LONGEST = 300


def not_for() -> tuple[str, ...]:
    """Return what no synthetic table may be used for, as sentences."""
    return (
        tr("Decisions about the care of any person."),
        tr("Finding, contacting or singling out a person."),
        tr("Results published as if they came from real patients; check them on the real data first."),
        tr("More certainty than the real study had, whatever the number of synthetic rows."),
    )


def not_declared() -> str:
    """Return what stands in the place of an item that is not declared."""
    return tr("not declared")


def _forbidden() -> dict[Section, str]:
    """Return the use that a failed gate forbids, by the section of its score."""
    return {
        "privacy": tr("Release to anybody but the custodian"),
        "rules": tr("Programs that rely on the rules of the schema"),
        "clinical": tr("Effect estimates and survival"),
        "utility": tr("Training of prediction models"),
        "subgroups": tr("Statements on subgroups of patients"),
        "fidelity": tr("Statements on distributions and associations of columns"),
    }


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
    absent = [lower_start(item.name) for item in declared if not item.declared]
    return ReleaseBox(
        items=declared,
        open_points=tr("Open, to be declared before sign-off: {items}.", items=listed(absent)) if absent else "",
        may=declared[0],
        may_not=may_not(report),
    )


def release_items(report: Findings) -> tuple[ReleaseItem, ...]:
    """Return each item of the release, then the file with its SHA-256."""
    items = [_item(name, report.release.declared(key)) for key, name in item_names().items()]
    file, name = report.table, tr("File of the table")
    if file is None:
        return (*items, ReleaseItem(name, tr("not bound to a file"), declared=False))
    text = tr("{file}, {n} rows", file=plain(file.name, 120), n=number(file.rows, 0))
    return (*items, ReleaseItem(name, text, declared=True), ReleaseItem("SHA-256", file.sha256, True))


def may_not(report: Findings) -> tuple[str, ...]:
    """Return what the table may not be used for: what failed gates forbid, its expiry, and what no table is for."""
    failed: dict[Section, list[str]] = {}
    for verdict in report.verdicts:
        kind = kind_of(verdict.gate.score)
        if verdict.status == "FAIL":
            failed.setdefault(kind.section, []).append(plain(kind.label, 60))
    uses = [_use_forbidden(use, failed[section]) for section, use in _forbidden().items() if section in failed]
    until = report.release.declared("valid_until")
    expiry = [tr("Any use after {date}.", date=until)] if until else []
    return (*uses, *expiry, *not_for())


def _use_forbidden(use: str, labels: list[str]) -> str:
    """Return a use that failed scores forbid, with their labels."""
    scores = list(dict.fromkeys(labels))
    told = listed(shown_first(scores))
    return plural(len(scores), "{use}: {scores} fails.", "{use}: {scores} fail.", use=use, scores=told)


def _item(name: str, text: str | None) -> ReleaseItem:
    return ReleaseItem(name, not_declared() if text is None else plain(text, _LONGEST), text is not None)

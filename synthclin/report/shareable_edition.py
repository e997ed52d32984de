"""The shareable edition with the statements of the internal one: titles, answers and the order of rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from synthclin.evaluation.catalogue import find_kind, kind_of
from synthclin.evaluation.disclosure import rounding_step
from synthclin.evaluation.groups import GroupDetails
from synthclin.evaluation.score import details_of
from synthclin.language import speaking
from synthclin.report.editions.shareable import shareable
from synthclin.report.html import sections
from synthclin.report.pages.decision import decision
from synthclin.report.pages.main_limits import LIMITS
from synthclin.report.pages.names import labels_in, showing_labels_of
from synthclin.report.pages.statements import carried, figures_by_key, names_of
from synthclin.report.pages.subgroup_section import clear_key, order_key, subgroup_results
from synthclin.report.record.envelope import Statement

if TYPE_CHECKING:
    from collections.abc import Collection

    from synthclin.report.findings import Findings

__all__ = ["shareable_edition"]

F = TypeVar("F", bound="Findings")

_LEAST_STEP = 0.05
_FITTED_STEP = 0.01  # of scores that are no shares of patients


class Told(NamedTuple):
    """What `carried` may tell.

    Arguments:
        hidden: names that the shareable edition hides.
        train: the rounding step of shares of training rows.
        any_rows: that of shares of training or holdout rows.
    """

    hidden: Collection[str]
    train: float
    any_rows: float

    def of_section(self, key: str) -> float:
        """Return the rounding step in a section of the page."""
        return {"utility": _FITTED_STEP, "clinical": self.train}.get(key, self.any_rows)


def shareable_edition(report: F) -> F:
    """Return the shareable edition; its verdicts, titles, worst parts and orders are those of the internal one.

    A shareable report is returned unchanged.
    """
    if report.edition == "shareable":
        return report
    with speaking(report.language):
        return _shareable_edition(report)


def _shareable_edition(report: F) -> F:
    edition = shareable(report)
    if "guarantee" in report.sections:
        return edition  # titles and answers of the internal edition state what real rows show
    edition = replace(edition, statements=dict(_groups(report, edition)))
    hidden = _hidden(report, edition)
    rows = report.provenance.get("rows") or report.sections.get("rows", {})
    train = max(rounding_step(rows.get("train")), _LEAST_STEP)
    told = Told(hidden, train, max(train, rounding_step(rows.get("holdout"))))
    with showing_labels_of(report):
        statements = dict(_figures(report, edition, told)) | dict(_page_one(report, edition, told))
    return replace(edition, statements=edition.statements | statements)


def _figures(report: Findings, edition: Findings, told: Told) -> Iterator[tuple[str, Statement]]:
    """Yield title and order of each figure that both editions have."""
    theirs = figures_by_key(sections(report))
    for key, own in figures_by_key(sections(edition)).items():
        internal = theirs.get(key)
        if internal is None:
            continue
        shown = names_of(own)
        order = tuple(name for name in names_of(internal) if name in shown)
        known = Statement(
            text=carried(internal.title, own.title, told.hidden, told.of_section(key.partition("/")[0])),
            order=order if order != tuple(name for name in shown if name in order) else (),
        )
        if known != Statement():
            yield key, known


def _page_one(report: Findings, edition: Findings, told: Told) -> Iterator[tuple[str, Statement]]:
    """Yield the answers, facts and limits of page one."""
    theirs, own = decision(report), decision(edition)
    for a, b in zip(theirs.rows, own.rows, strict=True):
        if b.score is None:  # the guarantee of differential privacy
            continue
        step = told.any_rows if kind_of(b.score).counts else _FITTED_STEP
        if text := carried(a.answer, b.answer, told.hidden, step):
            yield f"answer/{b.score}", Statement(text=text)
    for c, d in zip(theirs.facts, own.facts, strict=True):
        for part, internal, shown in (("value", c.value, d.value), ("note", c.note, d.note)):
            if text := carried(internal, shown, told.hidden, told.any_rows):
                yield f"fact/{d.key}/{part}", Statement(text=text)
    headlines, texts = [limit.headline for limit in theirs.limits], {limit.headline: limit.text for limit in own.limits}
    yield LIMITS, Statement(order=tuple(headlines))
    for limit in theirs.limits:
        if limit.headline not in texts and (text := carried(limit.text, "", told.hidden, told.any_rows)):
            yield f"{LIMITS}/{limit.headline}", Statement(text=text)


def _groups(report: Findings, edition: Findings) -> Iterator[tuple[str, Statement]]:
    """Yield the order of the groups of each score, and which are clearly worse."""
    of = {details.score for score in edition.scores if (details := details_of(score, GroupDetails)) is not None}
    for score in sorted(name for name in of if name and find_kind(name) is not None):
        results = subgroup_results(report, score)
        shown = {one.name for one in subgroup_results(edition, score)}
        names = tuple(one.name for one in results if one.name in shown)
        yield order_key(score), Statement(order=names)
        yield clear_key(score), Statement(order=tuple(one.name for one in results if one.clear and one.name in shown))


def _hidden(report: Findings, edition: Findings) -> set[str]:
    """Return the texts that the internal edition alone has, and the labels of the columns and levels among them."""
    names, labels = _texts(report.to_dict()) - _texts(edition.to_dict()), labels_in(report)
    of_columns = {label for name, label in labels.columns.items() if name in names}
    return (
        names | of_columns | {label for of in labels.levels.values() for level, label in of.items() if level in names}
    )


def _texts(document: Any) -> set[str]:  # noqa: ANN401 (JSON is of any type)
    """Return all texts of a document."""
    if isinstance(document, dict):
        return set().union(*map(_texts, document.values()), ())
    if isinstance(document, list | tuple):
        return set().union(*map(_texts, document), ())
    return {document} if isinstance(document, str) and document else set()

"""Figures of what the training rows support: confirmed dependences of columns, and associations the model has lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthclin.evaluation.labels import column_name
from synthclin.language import tr
from synthclin.report.pages.figures import DataTable, Figure, Row
from synthclin.wording import number, plural, sentence_case, share

if TYPE_CHECKING:
    from synthclin.report.record.section_data import Confirmed, LostPair, SupportFacts

__all__ = ["support_figures"]

_MOST = 8


def support_figures(facts: SupportFacts) -> list[Figure]:
    """Return the figures on confirmed dependences and on lost associations, without empty ones."""
    return [
        *([_confirmed(facts.confirmed)] if facts.confirmed else []),
        *([_lost(facts.lost)] if facts.lost else []),
    ]


def _confirmed(columns: list[Confirmed]) -> Figure:
    ordered = sorted(columns, key=lambda one: (one.is_confirmed, one.nats))
    unconfirmed = [column_name(one.column, 30) for one in ordered if not one.is_confirmed]
    # The column that is sampled first depends on none.
    title = (
        plural(
            len(unconfirmed),
            "the dependence of one column, {first}, was not confirmed",
            "the dependence of {n} of {all} columns was not confirmed",
            first=unconfirmed[0],
            all=len(columns),
        )
        if unconfirmed
        else tr("The dependence of every column on others was confirmed")
    )
    head = (tr("Column"), tr("Standard error"), tr("Share"), tr("Nats per row"))
    rows = tuple(
        Row(column_name(one.column, 40), (number(one.error), share(one.share), number(one.nats))) for one in ordered
    )
    caption = tr("Dependence of each column that was confirmed out of fold")
    return Figure(
        title=sentence_case(title),
        how=tr(
            "Gain of log-likelihood over the marginal distribution of the column, on rows outside the training rows of "
            "the model. Confirmed: more than two standard errors above 0. Share: this gain over that on "
            "the training rows. The column that is sampled first depends on none. Least confirmed first."
        ),
        table=DataTable(caption, head, rows[:_MOST]),
        note="" if len(rows) <= _MOST else tr("The {n} least confirmed of {all} columns.", n=_MOST, all=len(rows)),
        data=(DataTable(caption, head, rows),) if len(rows) > _MOST else (),
    )


def _lost(pairs: list[LostPair]) -> Figure:
    rows = tuple(
        Row(
            " \u2013 ".join(column_name(name, 30) for name in (one.first, one.second)),
            (number(one.real, 2), number(one.synthetic, 2)),
        )
        for one in pairs
    )
    head = (tr("Pair"), tr("Real"), tr("Synthetic"))
    caption = tr("Associations that the model has lost")
    return Figure(
        title=sentence_case(
            plural(len(pairs), "one association was lost by the model", "{n} associations were lost by the model")
        ),
        how=tr(
            "Significant in the training rows (5 % over all pairs, Bonferroni) and at most half as strong in rows "
            "sampled from the model: Cram\u00e9r's V of a few classes of both columns, corrected for bias. Do not rest "
            "an analysis on such a pair. Strongest first."
        ),
        table=DataTable(caption, head, rows[:_MOST]),
        data=(DataTable(caption, head, rows),) if len(rows) > _MOST else (),
    )

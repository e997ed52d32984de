"""Figures of what the training rows support: the choice of a family, confirmed dependences, lost associations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthclin.evaluation.labels import column_name
from synthclin.language import tr
from synthclin.report.pages.figures import DataTable, Figure, Row
from synthclin.wording import number, plain, plural, sentence_case, share

if TYPE_CHECKING:
    from synthclin.report.record.section_data import Confirmed, LostPair, Selection, SupportFacts

__all__ = ["support_figures"]

_MOST = 8


def support_figures(facts: SupportFacts) -> list[Figure]:
    """Return the figures on the choice of a family, on confirmed dependences and on lost associations, if any."""
    return [
        *([_selection(facts.selection)] if facts.selection is not None else []),
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


def _selection(facts: Selection) -> Figure:
    ordered = sorted(facts.trials, key=lambda one: -one.score)
    targets = list(dict.fromkeys(target for one in ordered for target in one.real))
    if facts.chosen == facts.best:
        title = tr("The model family {chosen} was chosen: no other has a higher score", chosen=plain(facts.chosen, 30))
    else:
        title = tr(
            "The default family {chosen} was kept: {best} exceeds it by {gain} only, within noise",
            chosen=plain(facts.chosen, 30),
            best=plain(facts.best, 30),
            gain=number(facts.gain),
        )
    rows = tuple(
        Row(
            plain(one.family, 30),
            (
                number(one.score),
                number(one.nll, 2),
                *(
                    tr("{synthetic} ({real} real)", synthetic=number(one.utility.get(t)), real=number(one.real.get(t)))
                    for t in targets
                ),
            ),
        )
        for one in ordered
    )
    head = (
        tr("Family"),
        tr("Score"),
        tr("Nats per row"),
        *(tr("Utility, {target}", target=column_name(target, 30)) for target in targets),
    )
    note = tr(
        "The default family, {default}, is taken unless the score of another exceeds its own by more than {noise}.",
        default=plain(facts.default, 30),
        noise=number(facts.noise),
    )
    if facts.left_out:
        names = ", ".join(plain(name, 30) for name in facts.left_out)
        note += " " + tr("The time budget left out: {names}.", names=names)
    return Figure(
        title=title,
        how=tr(
            "Each candidate was fitted to the training part of each fold and judged on the other part. Nats per row: "
            "negative log-likelihood, with conditional distributions shrunk where that part asks for it; lower is "
            "better. Utility: AUC above 0.5 (R2 of a number) of a forest trained on sampled rows, beside that of one "
            "trained on real rows. Score: mean of both as shares, about 0 for independent columns, 1 at best. "
            "Best first."
        ),
        table=DataTable(tr("Candidates of the model family"), head, rows),
        note=note,
    )

"""The section on repeated analyses: forest plots of real and synthetic estimates, and survival curves."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from synthclin.evaluation.analyses.details import AnalysisDetails, TreatmentDetails
from synthclin.evaluation.catalogue import kind_of
from synthclin.evaluation.labels import column_name, term_name, with_labels
from synthclin.evaluation.score import details_of
from synthclin.language import tr, tr_plural
from synthclin.report.charts.axes import ChartAxis, linear_axis, log_axis
from synthclin.report.charts.dot_plot import Mark, dot_row
from synthclin.report.pages.figures import DataTable, Figure, Row, Section, StripRow
from synthclin.report.pages.questions import label_of, section_status
from synthclin.report.pages.survival_figures import survival_figure
from synthclin.wording import listed, number, plural, significant, typeset

if TYPE_CHECKING:
    from synthclin.evaluation.analyses.details import Term
    from synthclin.evaluation.score import Score
    from synthclin.report.findings import Findings

__all__ = ["clinical_section"]

_LOW_OVERLAP = 0.5  # overlap below which an estimate is named in the title
_CONTRAST = "difference, "


def clinical_section(report: Findings) -> Section | None:
    """Return the analyses of the study on real and on synthetic rows; None without a declared analysis."""
    scores = [score for score in report.scores if score.name.startswith("inference.")]
    if not scores:
        return None
    figures, lead = [], []
    for score in sorted(scores, key=lambda s: math.inf if math.isnan(s.value) else s.value):
        if math.isnan(score.value):
            lead.append(
                tr(
                    "{score}: not assessable. {note}",
                    score=_named(score.name),
                    note=typeset(with_labels(score.note), 300),
                )
            )
            continue
        _, task, target = score.name.split(".", 2)
        details = details_of(score, AnalysisDetails)
        if details is None:
            continue
        built = [_forest(score, task, details)]
        if task == "survival":
            built.insert(0, survival_figure(column_name(target, 40), details, _hazard_ratios(report, target)))
        figures += [figure for figure in built if figure is not None]
    lead += [
        tr(
            "{score}: not assessable. {note}",
            score=_named(score.name),
            note=typeset(with_labels(score.note), 300),
        )
        if math.isnan(score.value)
        else tr(
            "{score}: {value} standard errors apart.",
            score=_named(score.name),
            value=number(score.value, 1),
        )
        for score in report.scores
        if score.name.startswith("treatment.")
    ]
    return Section(
        "clinical",
        tr("Does it give the same clinical answers?"),
        tr("Analyses"),
        section_status(report, "clinical"),
        tuple(lead),
        tuple(figures),
    )


def _hazard_ratios(report: Findings, target: str) -> tuple[tuple[str, str], ...]:
    """Return the hazard ratios of the treatment for an event, real and synthetic; empty without a Cox regression."""
    details = details_of(report.find(f"treatment.cox.{target}"), TreatmentDetails)
    return tuple(
        (
            term_name(term.term, 40),
            " \u2192 ".join(_estimate([_exp(x) for x in ends if x is not None]) for ends in both),
        )
        for term in (details.terms if details else [])
        for both in [(term.real, term.synthetic)]
        if None not in (*term.real, *term.synthetic)
    )


def _named(name: str) -> str:
    return label_of(name)


def _forest(score: Score, task: str, details: AnalysisDetails) -> Figure | None:
    terms = [term for term in details.terms if task != "survival" or term.term.startswith(_CONTRAST)]
    known = [term for term in terms if None not in (*term.real, *term.synthetic)]
    if not known:
        return None
    known.sort(key=lambda term: math.inf if term.overlap is None else term.overlap)
    logarithmic = task in {"cox", "logistic"}
    scale: Callable[[float], float] = _exp if logarithmic else float
    ends = [scale(end) for term in known for end in (*term.real, *term.synthetic) if end is not None]
    axis = log_axis(ends) if logarithmic else linear_axis(ends, 0.0)
    texts = kind_of(score.name)
    left_out = len(terms) - len(known)
    notes = [
        plural(
            left_out,
            "one term could not be estimated in both tables.",
            "{n} terms could not be estimated in both tables.",
        )
        if left_out
        else "",
        typeset(with_labels(score.note), 300) if score.note else "",
        tr(
            "Mean overlap {value} ({interval}); holdout rows reach {reference}.",
            value=texts.write(score.value),
            interval=texts.write_interval(score),
            reference=number(score.reference, 2),
        )
        if score.reference is not None
        else "",
    ]
    measure = _measure(task)
    return Figure(
        title=f"{_named(score.name)}: {_finding(known)}",
        how=tr(
            "\u25a0 real and \u25cf synthetic {measure}, each with its 95 % interval; least overlap first. The "
            "dotted line means no effect. Interval overlap: 1 for equal intervals, 0 for intervals that "
            "only touch.",
            measure=measure,
        ),
        strip=tuple(_row(term, axis, scale, logarithmic=logarithmic) for term in known),
        axis=axis.picture(f"{measure}{' (log)' if logarithmic else ''}"),
        note=" ".join(note for note in notes if note),
        data=(_table(score, known, scale),),
    )


def _measure(task: str) -> str:
    """Return what an analysis estimates."""
    measures = {
        "cox": tr("hazard ratio"),
        "logistic": tr("odds ratio"),
        "linear": tr("coefficient"),
        "mixed": tr("coefficient"),
        "survival": tr("difference of RMST"),
    }
    return measures.get(task, tr("difference of groups"))


def _exp(value: float) -> float:
    return math.exp(min(max(value, -50.0), 50.0))


def _finding(terms: list[Term]) -> str:
    changed = [term for term in terms if term.sign_agrees is False]
    low = [
        term_name(term.term.removeprefix(_CONTRAST), 40)
        for term in terms
        if term.overlap is not None and term.overlap < _LOW_OVERLAP
    ]
    lost, gained = (
        [term_name(term.term.removeprefix(_CONTRAST), 40) for term in terms if _decided(term) == decided]
        for decided in ((True, False), (False, True))
    )
    found = [
        plural(len(changed), "one clear effect changes sign", "{n} clear effects change sign") if changed else "",
        tr_plural(
            "{terms} is no longer significant", "{terms} are no longer significant", len(lost), terms=listed(lost[:3])
        )
        if lost
        else "",
        tr_plural("{terms} becomes significant", "{terms} become significant", len(gained), terms=listed(gained[:3]))
        if gained
        else "",
        tr("{term} differs", term=low[0]) if len(low) == 1 else "",
        tr(
            "{n} of {all} estimates differ, {term} most",
            n=len(low),
            all=len(terms),
            term=low[0],
        )
        if len(low) > 1
        else "",
    ]
    told = [part for part in found if part]
    return "; ".join(told) if told else tr("all estimates agree in sign, in significance and mostly in size")


def _decided(term: Term) -> tuple[bool, bool] | None:
    """Return whether a test at 5 % finds the effect in real and in synthetic rows; None where it decides alike."""
    if term.decision_agrees is not False:
        return None
    real, synthetic = (
        low is not None and high is not None and (low > 0 or high < 0) for _, low, high in (term.real, term.synthetic)
    )
    return real, synthetic


def _row(term: Term, axis: ChartAxis, scale: Callable[[float], float], *, logarithmic: bool) -> StripRow:
    ends = [[scale(end) for end in three if end is not None] for three in (term.real, term.synthetic)]
    real, synthetic = (_estimate(each) for each in ends)
    name = term_name(term.term.removeprefix(_CONTRAST), 80)
    forms = ("real", "synthetic")
    unit = tr("overlap") if term.sign_agrees is not False else tr("overlap; sign changed")
    return StripRow(
        label=name,
        under="",
        picture=dot_row(
            name,
            tr("Real {real}; synthetic {synthetic}.", real=real, synthetic=synthetic),
            axis,
            [Mark(form, *each) for form, each in zip(forms, ends, strict=True)],  # type: ignore[arg-type]
            lines=(1.0 if logarithmic else 0.0,),
        ),
        value="\u2013" if term.overlap is None else number(term.overlap, 2),
        unit=unit,
        real=real,
        synthetic=synthetic,
    )


def _estimate(ends: list[float]) -> str:
    """Return an estimate and its interval as text, with equal decimals."""
    largest = max(min(abs(end), 1e4) for end in ends)
    digits = 2 if largest < 20 else 1 if largest < 200 else 0
    digits = 3 if largest < 0.2 else digits
    value, low, high = (number(end, digits) if abs(end) < 1e4 else significant(end) for end in ends)
    return tr("{value} ({low} to {high})", value=value, low=low, high=high)


def _table(score: Score, terms: list[Term], scale: Callable[[float], float]) -> DataTable:
    def yes(answer: bool | None) -> str:
        return "\u2013" if answer is None else tr("yes") if answer else tr("no")

    rows = []
    for term in terms:
        real, synthetic = (
            _estimate([scale(end) for end in three if end is not None]) for three in (term.real, term.synthetic)
        )
        overlap = "\u2013" if term.overlap is None else number(term.overlap, 2)
        name = term_name(term.term, 80)
        rows.append(Row(name, (real, synthetic, overlap, yes(term.sign_agrees), yes(term.decision_agrees))))
    head = (tr("Term"), tr("Real"), tr("Synthetic"), tr("Overlap"), tr("Sign agrees"), tr("Decision agrees"))
    return DataTable(_named(score.name), head, tuple(rows))

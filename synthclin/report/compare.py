"""Comparison of several reports: models or versions side by side, or an index of many runs, as static pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import hypot, inf, isnan
from typing import TYPE_CHECKING

from synthclin.evaluation.catalogue import kind_of
from synthclin.evaluation.fidelity.detection import DETECTION
from synthclin.evaluation.fidelity.marginals import MARGINALS
from synthclin.evaluation.fidelity.pairs import PAIRS
from synthclin.evaluation.privacy.attribute_inference import ATTRIBUTE_INFERENCE
from synthclin.evaluation.privacy.membership import MEMBERSHIP
from synthclin.evaluation.privacy.singling_out import SINGLING_OUT
from synthclin.evaluation.statuses import WORST_FIRST
from synthclin.evaluation.validity import RULES
from synthclin.language import tr, tr_plural
from synthclin.report.html import page
from synthclin.report.pages.figures import DataTable, Figure, Row, Section
from synthclin.report.pages.names import showing_labels_of
from synthclin.report.pages.questions import answers, label_of, worst
from synthclin.report.pages.words import status_name
from synthclin.report.record.envelope import Provenance
from synthclin.wording import listed, number, plain, plural, sentence_case

if TYPE_CHECKING:
    from synthclin.evaluation.score import Score
    from synthclin.evaluation.statuses import Status
    from synthclin.report.findings import Findings

__all__ = ["HEADLINES", "NamedReport", "compare", "differences", "index", "within_noise"]

MOST_SIDE_BY_SIDE = 6
HEADLINES = (MARGINALS, PAIRS, DETECTION, MEMBERSHIP, ATTRIBUTE_INFERENCE, SINGLING_OUT, RULES)
"""The kinds of score that pages about several runs show, beside those of tasks."""


@dataclass(frozen=True, slots=True)
class NamedReport:
    """A report under the name that its tables show."""

    name: str
    report: Findings


def compare(runs: Sequence[NamedReport]) -> str:
    """Return a page with two to six reports side by side, score by score.

    One run is called best or worst only where the difference exceeds the combined half-widths of both intervals, and
    never among runs of different real tables: see `differences`.
    """
    with showing_labels_of(*(run.report for run in runs)):
        return _compared(runs)


def _compared(runs: Sequence[NamedReport]) -> str:
    apart = differences([run.report for run in runs])
    names = [plain(run.name, 40) for run in runs]
    by_run = [_statuses(run.report) for run in runs]
    questions = list(dict.fromkeys(question for each in by_run for question in each))
    return page(
        "compare.html",
        title=sentence_case(plural(len(runs), "one run side by side", "{n} runs side by side")),
        sentence=_sentence(runs) + _not_ranked(apart),
        edition=_edition(runs),
        banner=_banner(_edition(runs)),
        runs=names,
        verdicts=[(question, [each.get(question) for each in by_run]) for question in questions],
        sections=(_side_by_side(runs, names, ranked=not apart), _facts(runs, names)),
    )


def differences(reports: Sequence[Findings]) -> tuple[str, ...]:
    """Return in what the real tables behind some reports differ; empty where their scores can be ranked.

    Compared are the numbers of training and holdout rows, names and types of the judged columns, and the source, where
    it is declared. Two splits of one table are ranked: they differ by chance only.

    Example:
        >>> from synthclin.report.findings import Findings
        >>> small, large = (Findings((), (), {}, {"rows": {"train": n}}) for n in (100, 900))
        >>> differences([small, small]), differences([small, large])
        ((), ('numbers of training rows',))
    """
    facts = [Provenance.model_validate(report.provenance) for report in reports]
    sources = {report.release.source for report in reports} - {None}
    compared = (
        (tr("sources"), len(sources) > 1),
        (tr("numbers of training rows"), len({one.rows.get("train") for one in facts}) > 1),
        (tr("numbers of holdout rows"), len({one.rows.get("holdout") for one in facts}) > 1),
        (tr("columns or their types"), len({(one.columns, one.schema_sha256) for one in facts}) > 1),
    )
    return tuple(name for name, differ in compared if differ)


def _not_ranked(apart: Sequence[str]) -> str:
    """Return, as a sentence after another, why runs are not ranked; empty where they are."""
    return tr(" The runs are not ranked: they differ in {list}.", list=listed(list(apart))) if apart else ""


def _statuses(report: Findings) -> dict[str, str]:
    """Return the status of each question."""
    return {plain(answer.text, 140): answer.verdict.status for answer in answers(report.verdicts)}


def index(runs: Sequence[NamedReport]) -> str:
    """Return a page that lists many reports: one table of verdicts, and one for each headline score.

    The worst is first, except among runs of different real tables, which stand in the given order: see `differences`.
    """
    with showing_labels_of(*(run.report for run in runs)):
        return _indexed(runs)


def _indexed(runs: Sequence[NamedReport]) -> str:
    apart = differences([run.report for run in runs])
    ordered = list(runs) if apart else sorted(runs, key=_severity)
    order = tr("not ranked") if apart else tr("worst first")
    statuses = [Counter(verdict.status for verdict in run.report.verdicts) for run in ordered]
    rows = tuple(
        Row(plain(run.name, 60), (_worst(count), *(number(count[s], 0) for s in WORST_FIRST)))
        for run, count in zip(ordered, statuses, strict=True)
    )
    failed = sum(1 for count in statuses if count["FAIL"])
    table = DataTable(
        tr("Runs, {order}", order=order), (tr("Run"), tr("Worst status"), *map(status_name, WORST_FIRST)), rows, words=1
    )
    figures = [
        Figure(title=tr("Verdicts, {order}", order=order), table=table),
        *_by_score(runs, order, ranked=not apart),
    ]
    return page(
        "compare.html",
        title=sentence_case(plural(len(runs), "one run", "{n} runs")),
        sentence=sentence_case(
            plural(failed, "one run fails a gate, of {all}.", "{n} runs fail a gate, of {all}.", all=len(runs))
        )
        + _not_ranked(apart),
        edition=_edition(runs),
        banner=_banner(_edition(runs)),
        runs=(),
        verdicts=(),
        sections=(Section("runs", tr("All runs"), tr("All runs"), figures=tuple(figures)),),
    )


def _worst(statuses: Counter[Status]) -> str:
    found = worst(list(statuses))
    return tr("no gates") if found is None else status_name(found)


def within_noise(one: Score, other: Score) -> bool:
    """Return whether the difference of two scores lies within their combined 95 % intervals.

    The difference is compared with the root of the sum of both squared half-widths, as for independent estimates.
    Scores on the same holdout share its sampling error, so the comparison is conservative.
    """
    halves = [(score.high - score.low) / 2 for score in (one, other)]
    return abs(one.value - other.value) <= hypot(*halves)


def _edition(runs: Sequence[NamedReport]) -> str:
    return "shareable" if all(run.report.edition == "shareable" for run in runs) else "internal"


def _banner(edition: str) -> str:
    if edition == "internal":
        return tr("Contains figures of real patients, for the custodian of the data.")
    return tr("Figures of real patients are coarse, and counts below 11 are suppressed.")


def _sentence(runs: Sequence[NamedReport]) -> str:
    failing = [plain(run.name, 40) for run in runs if any(v.status == "FAIL" for v in run.report.verdicts)]
    return (
        tr_plural("{runs} fails a gate.", "{runs} fail a gate.", len(failing), runs=listed(failing))
        if failing
        else tr("No run fails a gate.")
    )


def _severity(run: NamedReport) -> tuple[float, ...]:
    count = Counter(verdict.status for verdict in run.report.verdicts)
    return tuple(-count[status] for status in WORST_FIRST[:-1])


def _side_by_side(runs: Sequence[NamedReport], names: Sequence[str], *, ranked: bool) -> Section:
    shared = list(dict.fromkeys(score.name for run in runs for score in run.report.scores))
    rows, apart = [], 0
    for name in shared:
        scores = [run.report.find(name) for run in runs]
        verdict, clear = _verdict(scores, names) if ranked else (tr("not ranked"), False)
        apart += clear
        rows.append(Row(label_of(name), (*(_value_cell(score) for score in scores), verdict), over=clear))
    head = (tr("Score"), *names, tr("Difference"))
    table = DataTable(tr("Scores side by side"), head, tuple(rows), words=len(names) + 1)
    figure = Figure(
        title=tr("Scores of different tables, not ranked")
        if not ranked
        else sentence_case(
            plural(apart, "one score differs by more than chance", "{n} scores differ by more than chance")
        )
        if apart
        else tr("No score differs by more than chance"),
        how=tr("Value and 95 % interval. ")
        + (
            tr(
                "Within noise: the difference of best and worst is no larger than the combined half-widths "
                "of both intervals."
            )
            if ranked
            else tr("The real tables differ, so a difference of scores says nothing of the models.")
        ),
        table=table,
        note=tr(
            "Intervals cover the sampling of rows, not a new training of the model: compare several "
            "seeds before you call one model better."
        ),
    )
    return Section("scores", tr("Scores"), tr("Scores"), figures=(figure,))


def _value_cell(score: Score | None) -> str:
    if score is None or isnan(score.value):
        return "\u2013"
    question = kind_of(score.name)
    ends = question.write_interval(score)
    return f"{question.write(score.value)} ({ends})" if ends else question.write(score.value)


def _verdict(scores: Sequence[Score | None], names: Sequence[str]) -> tuple[str, bool]:
    """Return the comparison of one score across runs as text, and whether the difference is clear."""
    known = [
        (score, name) for score, name in zip(scores, names, strict=True) if score is not None and not isnan(score.value)
    ]
    if len(known) < 2:
        return tr("not comparable"), False
    sign = 1 if known[0][0].better == "higher" else -1
    ranked = sorted(known, key=lambda one: -sign * one[0].value)
    (best, name), (last, _) = ranked[0], ranked[-1]
    if isnan(best.high - best.low) or isnan(last.high - last.low):
        return tr("not comparable"), False
    if within_noise(best, last):
        return tr("within noise"), False
    second = ranked[1][0]
    return (
        tr("{name} is best", name=name) if not within_noise(best, second) else tr("{name} is worst", name=ranked[-1][1])
    ), True


def _facts(runs: Sequence[NamedReport], names: Sequence[str]) -> Section:
    def row(what: str, key: str) -> Row:
        return Row(what, tuple(plain(run.report.provenance.get(key, "\u2013"), 60) for run in runs))

    def rows_of(what: str, table: str) -> Row:
        counts = (run.report.provenance.get("rows", {}).get(table) for run in runs)
        return Row(
            what,
            tuple("\u2013" if n is None else number(n, 0) for n in counts),
        )

    sources = tuple(plain(run.report.release.source or tr("not declared"), 60) for run in runs)
    lines = (
        row(tr("Study"), "name"),
        Row(tr("Source"), sources),
        row(tr("Seed"), "seed"),
        rows_of(tr("Training rows"), "train"),
        rows_of(tr("Holdout rows"), "holdout"),
        rows_of(tr("Synthetic rows"), "synthetic"),
    )
    table = DataTable(tr("What was compared"), ("", *names), lines, words=len(names))
    return Section(
        "facts", tr("What was compared"), tr("Facts"), figures=(Figure(title=tr("Tables and seeds"), table=table),)
    )


def _by_score(runs: Sequence[NamedReport], order: str, *, ranked: bool) -> Iterator[Figure]:
    """Yield a table of each headline score, the worst run first where runs are ranked."""
    predictions = dict.fromkeys(
        score.name
        for run in runs
        for score in run.report.scores
        if score.name.startswith(("utility.", "inference.", "treatment."))
    )
    for name in (*(kind.name for kind in HEADLINES), *predictions):
        found = [(run, score) for run in runs if (score := run.report.find(name)) is not None]
        if not found:
            continue
        sign = 1 if found[0][1].better == "higher" else -1
        if ranked:
            found.sort(key=lambda one: -inf if isnan(one[1].value) else sign * one[1].value)
        low = found[0][1]
        rows = tuple(
            Row(
                plain(run.name, 60),
                (
                    _value_cell(score),
                    "\u2013" if score.reference is None else kind_of(name).write(score.reference),
                    tr("not ranked")
                    if not ranked
                    else ""
                    if place == 0 or isnan(score.value) or isnan(low.value)
                    else tr("within noise of the worst")
                    if within_noise(low, score)
                    else "",
                ),
            )
            for place, (run, score) in enumerate(found)
        )
        head = (tr("Run"), tr("Value"), tr("Reference"), tr("Against the worst"))
        texts = kind_of(name)
        yield Figure(
            title=f"{texts.label}, {order}",
            how=tr(
                "{unit}. Reference: holdout rows in the place of the synthetic ones.", unit=sentence_case(texts.unit)
            ),
            table=DataTable(f"{texts.label}, {order}", head, rows, words=3),
        )

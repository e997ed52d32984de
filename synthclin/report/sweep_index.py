"""Index page of a sweep: for each table the models, worst first, with the scores of all seeds; failed cells by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, isnan, nan
from statistics import fmean, median
from typing import TYPE_CHECKING, Any, NamedTuple

from markupsafe import Markup

from synthclin.evaluation.catalogue import kind_of
from synthclin.evaluation.fidelity.detection import DETECTION
from synthclin.evaluation.statuses import WORST_FIRST
from synthclin.language import tr, tr_plural
from synthclin.report.charts.axes import ChartAxis, linear_axis
from synthclin.report.charts.dot_plot import Mark, dot_row
from synthclin.report.compare import HEADLINES
from synthclin.report.html import page
from synthclin.report.pages.names import showing_labels_of
from synthclin.report.pages.questions import worst
from synthclin.report.record.envelope import Provenance
from synthclin.wording import listed, number, plain, plural, sentence_case

if TYPE_CHECKING:
    from synthclin.evaluation.kind import Kind
    from synthclin.evaluation.score import Score
    from synthclin.evaluation.statuses import Status
    from synthclin.report.findings import Findings

__all__ = ["SweepRun", "sweep_index"]

_BY_TASK = ("utility.", "inference.", "treatment.")
_STYLE = """
.sweep { width: 100%; table-layout: fixed; }
.sweep th, .sweep td { padding: .45rem .8rem .5rem 0; vertical-align: top; }
.sweep thead th { font-size: .75rem; line-height: 1.3; overflow-wrap: anywhere; }
.sweep thead th span { display: block; }
.sweep thead th:first-child { width: 8.5rem; }
.sweep tbody th b { display: block; font-size: .875rem; }
.sweep tbody th span, .sweep td span.range { display: block; color: var(--mut); font-size: .6875rem; }
.sweep td b { font-size: .9375rem; }
.sweep td .c { margin-bottom: .05rem; }
.sweep .ref th, .sweep .ref td { color: var(--mut); border-bottom: 0; }
.sweep .ref b { font-weight: 400; }
.grid .chip { margin-right: .6rem; vertical-align: middle; }
.grid th, .grid td, .cells th, .cells td { vertical-align: middle; padding-top: .28rem; padding-bottom: .28rem; }
.cells { width: 100%; }
.cells td .chip { margin: -.1rem 0; }
.gone { border-left: 3px solid var(--fail-text); padding-left: .9rem; margin: 1rem 0 0; font-size: .875rem; }
.gone dt { font-weight: 650; color: var(--fail-text); }
.gone dd { margin: .1rem 0 .7rem; overflow-wrap: anywhere; }
.gone dd span { color: var(--mut); }
.sweep.many { min-width: 96rem; }
@media screen and (max-width: 64rem) { .sweep { min-width: 64rem; } }
"""


@dataclass(frozen=True, slots=True)
class SweepRun:
    """One cell of a sweep.

    Arguments:
        name: of the cell.
        table: the name of its study.
        model: the label of its model.
        seed: its seed.
        page: the address of its report, relative to the index.
        report: its report; None where the cell failed.
        failure: where, what and remedy of its error; None where it did not fail.
    """

    name: str
    table: str
    model: str
    seed: int
    page: str
    report: Findings | None
    failure: tuple[str, str, str] | None = None

    @property
    def counts(self) -> Counter[Status]:
        """The number of gates of each status."""
        return Counter(verdict.status for verdict in self.report.verdicts) if self.report else Counter()


class _Column(NamedTuple):
    """A column of a table of models: one score, its direction, and the axis that all models share."""

    name: str
    label: str
    better: str
    kind: Kind[Any]
    axis: ChartAxis


class _Value(NamedTuple):
    """A cell of that table: the median and the range as text, and both as a picture."""

    middle: str
    span: str
    picture: Markup | None


class _Line(NamedTuple):
    """A line of that table: a model with its seeds, or holdout rows."""

    name: str
    under: str
    gates: str
    status: Status | None
    values: tuple[_Value, ...]
    reference: bool = False


def sweep_index(name: str, runs: Sequence[SweepRun]) -> str:
    """Return the page: models by table with median, lowest and highest score over the seeds, and a link to each report.

    Within a table the worst model is first: by failed cells, gates that fail, gates to review, and detection. Tables
    stand in the order of their names; scores of different tables are not ranked against one another.

    Arguments:
        name: of the sweep.
        runs: its cells, worst first.

    Example:
        >>> "toy failed" in sweep_index("first", [SweepRun("toy", "a", "gan", 0, "", None, ("a", "no rows", "Add."))])
        False
    """
    reports = [run.report for run in runs if run.report]
    with showing_labels_of(*reports):
        tables = sorted({run.table for run in runs})
        models = sorted({run.model for run in runs})
        failed = [run for run in runs if run.failure]
        by_table = [
            (plain(table, 60), _facts(own), *_models_of(own))
            for table in tables
            for own in [[run for run in runs if run.table == table]]
        ]
        return page(
            "sweep.html",
            sheet=_STYLE,
            edition="internal",
            banner=tr("Contains figures of real patients, for the custodian of the data."),
            title=plain(name, 60),
            sentence=_sentence(runs, len(tables), len(models), failed),
            names=[plain(table, 40) for table in tables],
            grid=[
                (
                    plain(model, 60),
                    [_gates([run for run in runs if (run.table, run.model) == (table, model)]) for table in tables],
                )
                for model in _ordered(runs, models)
            ],
            failed=[(plain(run.name, 140), *(plain(part, 600) for part in run.failure or ())) for run in failed],
            tables=by_table,
            cells=[_cell(run) for run in runs],
        )


def _sentence(runs: Sequence[SweepRun], tables: int, models: int, failed: Sequence[SweepRun]) -> str:
    """Return what was run, and what failed."""
    parts = [
        plural(tables, "one table", "{n} tables"),
        plural(models, "one model", "{n} models"),
        plural(len({run.seed for run in runs}), "one seed", "{n} seeds"),
    ]
    head = sentence_case(plural(len(runs), "{what}: one run.", "{what}: {n} runs.", what=listed(parts)))
    if not failed:
        return f"{head} {tr('Every run is complete.')}"
    return f"{head} {sentence_case(plural(len(failed), 'one run failed.', '{n} runs failed.'))}"


def _facts(runs: Sequence[SweepRun]) -> str:
    """Return the numbers of rows of one table, as the first run with a report has them."""
    report = next((run.report for run in runs if run.report), None)
    if report is None:
        return tr("No run of this table is complete")
    rows = Provenance.model_validate(report.provenance).rows
    train, holdout = number(rows.get("train", 0), 0), number(rows.get("holdout", 0), 0)
    return tr("{train} training rows, {holdout} holdout rows; models worst first", train=train, holdout=holdout)


def _ordered(runs: Sequence[SweepRun], models: Sequence[str]) -> list[str]:
    """Return models, the worst first."""
    return sorted(models, key=lambda model: (_severity([run for run in runs if run.model == model]), model))


def _severity(runs: Sequence[SweepRun]) -> tuple[float, ...]:
    """Return the key by which the worst model is first: failed cells, gates by status, detection."""
    found = [run for run in runs if run.report]
    counts = [run.counts for run in found] or [Counter()]
    detection = _known(found, lambda score: score.value, DETECTION.name)
    return (
        -sum(run.failure is not None for run in runs),
        *(-fmean(count[status] for count in counts) for status in WORST_FIRST[:3]),
        -median(detection) if detection else -inf,
    )


def _known(runs: Sequence[SweepRun], read: Callable[[Score], float | None], name: str) -> list[float]:
    """Return one number of a score, of every run that has it."""
    scores = [run.report.find(name) for run in runs if run.report]
    values = [read(score) for score in scores if score is not None]
    return [value for value in values if value is not None and not isnan(value)]


def _gates(runs: Sequence[SweepRun]) -> tuple[Status | None, str]:
    """Return the worst status of some runs of one model, and how many of its gates fail."""
    found = [run for run in runs if run.report]
    if not found:
        return None, tr("failed") if runs else ""
    status = worst([status for run in found for status in run.counts])
    if status is None:
        return None, tr("no gates")
    fails, reviews, unknown = (_range([run.counts[status] for run in found]) for status in WORST_FIRST[:3])
    return status, tr(
        "{failing} of {gates} gates fail, {review} to review, {unknown} not assessable",
        failing=fails,
        gates=number(found[0].counts.total(), 0),
        review=reviews,
        unknown=unknown,
    )


def _range(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return number(low, 0) if low == high else tr("{low} to {high}", low=number(low, 0), high=number(high, 0))


def _models_of(runs: Sequence[SweepRun]) -> tuple[list[_Column], list[_Line]]:
    """Return the columns and the lines of one table's models, the worst first, holdout rows last."""
    found = [run for run in runs if run.report]
    columns = _columns(found)
    lines = []
    for model in _ordered(runs, sorted({run.model for run in runs})):
        own = [run for run in runs if run.model == model]
        status, gates = _gates(own)
        complete, lost = sum(run.report is not None for run in own), sum(run.failure is not None for run in own)
        under = tr_plural("{n} seed", "{n} seeds", complete, n=complete)
        if lost:
            under = tr("{complete} of {all} seeds", complete=complete, all=complete + lost)
        lines.append(
            _Line(plain(model, 60), under, gates, status, tuple(_value(column, own, model) for column in columns))
        )
    if found:
        values = tuple(_reference(column, found) for column in columns)
        lines.append(_Line(tr("Holdout rows"), tr("in the place of synthetic rows"), "", None, values, reference=True))
    return columns, lines


def _columns(runs: Sequence[SweepRun]) -> list[_Column]:
    """Return the headline scores that any run has, and those of its tasks."""
    tasks = dict.fromkeys(
        score.name for run in runs if run.report for score in run.report.scores if score.name.startswith(_BY_TASK)
    )
    found = []
    for name in (*(kind.name for kind in HEADLINES), *tasks):
        values = _known(runs, lambda score: score.value, name)
        if not values:
            continue
        for model in {run.model for run in runs}:
            values += _ends([run for run in runs if run.model == model], name)
        values += _known(runs, lambda score: score.reference, name)
        kind = kind_of(name)
        better = tr("higher is better") if kind.better == "higher" else tr("lower is better")
        found.append(_Column(name, plain(kind.label, 60), better, kind, linear_axis(values)))
    return found


def _value(column: _Column, runs: Sequence[SweepRun], model: str) -> _Value:
    """Return the median and the range of a score over the seeds; of one seed the 95 % interval."""
    values = _known(runs, lambda score: score.value, column.name)
    if not values:
        return _Value("\u2013", "", None)
    middle, ends = median(values), _ends(runs, column.name)
    text = column.kind.write(middle)
    span = "" if {column.kind.write(end) for end in ends} == {text} else column.kind.span(*ends)
    said = f"{text} ({span})" if span else text
    mark = Mark("synthetic", middle, *ends)
    title = tr("{score} of {model}", score=column.label, model=plain(model, 40))
    return _Value(text, span, dot_row(title, said, column.axis, [mark], lines=_references(column, runs)))


def _ends(runs: Sequence[SweepRun], name: str) -> tuple[float, float]:
    """Return the lowest and the highest score of a model; of one seed the ends of its 95 % interval, if it has one."""
    values = _known(runs, lambda score: score.value, name) or [nan]
    if len(values) == 1:
        lows, highs = (_known(runs, read, name) for read in (lambda score: score.low, lambda score: score.high))
        return (lows[0], highs[0]) if lows and highs else (values[0], values[0])
    return min(values), max(values)


def _references(column: _Column, runs: Sequence[SweepRun]) -> list[float]:
    known = _known(runs, lambda score: score.reference, column.name)
    return [median(known)] if known else []


def _reference(column: _Column, runs: Sequence[SweepRun]) -> _Value:
    """Return what holdout rows in the place of synthetic ones reach: the median over all runs of the table."""
    known = _references(column, runs)
    if not known:
        return _Value("\u2013", "", None)
    text = column.kind.write(known[0])
    title = tr("{score} of holdout rows", score=column.label)
    return _Value(text, "", dot_row(title, text, column.axis, [Mark("reference", known[0])]))


def _cell(run: SweepRun) -> tuple[str, str, str, str, str, Status | None, str]:
    """Return name, address of the report, table, model, seed, worst status and counts of gates of a cell."""
    status, gates = (None, tr("failed")) if run.failure else _gates([run])
    page_of = "" if run.failure else run.page
    return (
        plain(run.name, 140),
        page_of,
        plain(run.table, 60),
        plain(run.model, 60),
        number(run.seed, 0),
        status,
        gates,
    )

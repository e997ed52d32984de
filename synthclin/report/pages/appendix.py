"""The sections on source data with Table 1, on limits, and on methods with provenance and glossary."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from synthclin.evaluation.labels import column_name, level_name, with_labels
from synthclin.language import tr
from synthclin.report.charts.charts import small_bar
from synthclin.report.pages.context_section import crosswalk_figure
from synthclin.report.pages.figures import DataTable, Figure, Row, Section
from synthclin.report.pages.flow_figure import flow_figure
from synthclin.report.pages.main_limits import not_measured
from synthclin.report.pages.names import names_figure
from synthclin.report.pages.questions import label_of
from synthclin.report.pages.words import status_name
from synthclin.report.record.envelope import Provenance
from synthclin.wording import (
    count,
    interval,
    listed,
    number,
    plain,
    same_decimals,
    sentence_case,
    significant,
    typeset,
    unit_name,
)

if TYPE_CHECKING:
    from synthclin.report.findings import Findings
    from synthclin.report.record.section_data import LevelRow, Missing, SectionData, Summary, TableOneBlock

__all__ = ["limits_section", "methods_section", "source_section"]

_LARGE = 0.10  # a standardised difference commonly called imbalance (Austin, Stat Med 28:3083-3107, 2009)
_MOST_LEVELS = 8
_LONG_TABLE = 20  # columns, beyond which fewer levels of each are listed
_FEW_LEVELS = 3
_EN = "\u2013"


def source_section(report: Findings, data: SectionData) -> Section:
    """Return the flow of rows and Table 1."""
    facts = Provenance.model_validate(report.provenance)
    rows = data.rows | {str(table): n for table, n in facts.rows.items()}
    figures = []
    if rows:
        figures.append(flow_figure(rows, data.patients))
    if data.table_one:
        figures.append(_table_one(data.table_one, data.patients or rows, is_first_visit=bool(data.patients)))
    return Section("source", tr("Source data"), tr("Source data"), figures=tuple(figures))


def _table_one(blocks: list[TableOneBlock], rows: dict[str, int], *, is_first_visit: bool = False) -> Figure:
    apart = [block for block in blocks if block.difference is not None and abs(block.difference) > _LARGE]
    apart.sort(key=lambda block: -abs(block.difference or 0))
    names = [column_name(block.column, 30) for block in apart]
    if not apart:
        title = tr("Baseline characteristics agree")
    elif len(apart) <= 3:
        title = tr("Baseline characteristics agree, except {names}", names=listed(names))
    else:
        title = tr(
            "{n} of {all} baseline characteristics differ, {name} most", n=len(apart), all=len(blocks), name=names[0]
        )
    most = _MOST_LEVELS if len(blocks) <= _LONG_TABLE else _FEW_LEVELS
    lines = [row for block in blocks for row in _block_rows(block, rows, most)]
    head = (
        tr("Characteristic"),
        tr("Real, n\u00a0=\u00a0{n}", n=count(rows.get("train", 0))),
        tr("Synthetic, n\u00a0=\u00a0{n}", n=number(rows.get("synthetic", 0), 0)),
        tr("Difference"),
    )
    return Figure(
        title=title,
        how=" ".join(
            filter(
                None,
                (
                    tr("One row per patient: static columns and the first visit.") if is_first_visit else "",
                    tr("Last column: standardised difference. The mark at 0.10 is a common threshold for imbalance."),
                ),
            )
        ),
        table=DataTable(tr("Table 1. Training rows and synthetic rows"), head, tuple(lines), form="t1"),
        note=tr(
            "Percentages are of observed values. Cells below 11 patients are suppressed or pooled with others; a "
            "second cell is suppressed where the first could be computed by subtraction."
        ),
    )


def _block_rows(block: TableOneBlock, rows: dict[str, int], most: int) -> list[Row]:
    name = column_name(block.column, 40)
    unit = f", {unit_name(block.unit)}" if block.unit else ""
    bar = None if block.difference is None else small_bar(block.difference, 2 * _LARGE, _LARGE)
    difference = _EN if block.difference is None else number(abs(block.difference), 2)
    over = block.difference is not None and abs(block.difference) > _LARGE
    if block.kind == "line":
        skewed = _skewed(block.real)
        kind = tr("median (IQR)") if skewed else tr("mean (SD)")
        cells = (_summary(block.real, skewed=skewed), _summary(block.synthetic, skewed=skewed), difference)
        return [Row(f"{name}, {kind}{unit}", cells, bar=bar, over=over), *_missing_row(block.missing, rows)]
    if len(block.levels) == 2:
        level = block.levels[1]
        label = f"{name}: {level_name(block.column, level.level, 30)}, n (%)"
        return [Row(label, (*_level(level), difference), bar=bar, over=over), *_missing_row(block.missing, rows)]
    head = Row(f"{name}, n (%)", ("", "", difference), bar=bar, over=over)
    shown = _frequent(block.levels, most)
    levels = [Row(level_name(block.column, one.level, 40), (*_level(one), ""), level=True) for one in shown]
    if len(shown) < len(block.levels):
        levels.append(Row(tr("and {n} more levels", n=len(block.levels) - len(shown)), ("", "", ""), level=True))
    return [head, *levels, *_missing_row(block.missing, rows)]


def _frequent(levels: list[LevelRow], most: int) -> list[LevelRow]:
    """Return the most frequent levels in their order, or all where there are few."""
    if len(levels) <= most + 1:
        return levels
    ranked = sorted(range(len(levels)), key=lambda i: -(levels[i].real.n or 0))
    return [levels[i] for i in sorted(ranked[:most])]


def _skewed(summary: Summary | None) -> bool:
    """Return whether Table 1 shows the median: for dates, and for numbers whose mean and median differ by SD / 4."""
    if summary is None or not isinstance(summary.median, float) or summary.mean is None or not summary.sd:
        return True
    return abs(summary.mean - summary.median) > summary.sd / 4


def _summary(summary: Summary | None, *, skewed: bool) -> str:
    if summary is None:
        return tr("suppressed")
    if not skewed:
        mean, deviation = same_decimals(summary.mean, summary.sd)
        return f"{mean} ({deviation})"
    if summary.median is None:
        return tr("suppressed")
    return f"{_quantile(summary.median)} ({_quantile(summary.q1)}{_EN}{_quantile(summary.q3)})"


def _quantile(value: float | str | None) -> str:
    return plain(value[:10], 10) if isinstance(value, str) else significant(value)


def _level(level: LevelRow) -> tuple[str, str]:
    real, synthetic = level.real, level.synthetic
    real_text = count(real.n)
    if real_text == number(real.n, 0) and real.percent is not None:
        real_text = f"{real_text} ({number(real.percent, 1)})"
    share = "" if synthetic.percent is None else f" ({number(synthetic.percent, 1)})"
    return real_text, f"{number(synthetic.n, 0)}{share}"


def _missing_row(missing: Missing, rows: dict[str, int]) -> list[Row]:
    if missing.real == 0 and not missing.synthetic:
        return []

    def cell(n: int | None, total: int, *, real: bool) -> str:
        text = count(n) if real else number(n, 0)
        return f"{text} ({number(100 * n / total, 1)})" if n is not None and total and text == number(n, 0) else text

    real = cell(missing.real, rows.get("train", 0), real=True)
    return [
        Row(tr("missing, n (%)"), (real, cell(missing.synthetic, rows.get("synthetic", 0), real=False), ""), level=True)
    ]


def limits_section(report: Findings) -> Section:
    """Return the limits of this report and the excluded uses of the table."""
    unmeasured = listed(not_measured(report)) or tr("nothing that this version can measure")
    if report.is_of_synthetic_rows:
        unmeasured = tr("similarity to real rows, which this edition does not show")
    rows = [
        Row(tr("Not measured"), (f"{sentence_case(unmeasured)}.",)),
        Row(
            tr("Attacks"),
            (tr("Passing them is evidence against these attacks, not proof against stronger ones."),),
        ),
        Row(tr("Intervals"), (tr("They cover the sampling of rows, not a new training of the model."),)),
        Row(tr("More rows"), (tr("Generating more rows than the real study had adds no information."),)),
        Row(
            tr("Releases"),
            (tr("The figures hold for this file, this model and one release; another release adds risk."),),
        ),
        Row(
            tr("Care"),
            (tr("Not for care decisions about any person. The table may still be personal data."),),
        ),
    ]
    rows += [
        Row(label_of(score.name), (tr("Not assessable. {reason}", reason=typeset(with_labels(score.note), 400)),))
        for score in report.scores
        if math.isnan(score.value)
    ]
    figure = Figure(
        title=tr("Limits of these figures"),
        table=DataTable(
            tr("Limits of these figures"),
            (tr("Limit"), tr("What it means")),
            tuple(rows),
            words=1,
            form="wordy",
        ),
    )
    return Section("limits", tr("Annex: limits, methods and crosswalk"), tr("Annex"), figures=(figure,))


def methods_section(report: Findings) -> Section:
    """Return all scores, their methods, the provenance, the crosswalk to regulations and the glossary."""
    return Section(
        "methods",
        tr("Methods and provenance"),
        tr("Methods"),
        figures=(
            _scores(report),
            _methods(report),
            *([names] if (names := names_figure(report)) is not None else []),
            _provenance(report),
            crosswalk_figure(),
            _glossary(),
        ),
    )


def _scores(report: Findings) -> Figure:
    def end(value: float | None) -> str:
        return tr("none") if value is None else number(value)

    several = any(score.replicates for score in report.scores)
    rows = tuple(
        Row(
            plain(score.name, 40),
            (
                end(score.baseline),
                end(score.reference),
                number(score.n, 0),
                *([_EN if score.spread is None else number(score.spread)] if several else []),
                interval(score.low, score.high) or _EN,
                number(score.value),
            ),
        )
        for score in report.scores
    )
    head = (
        tr("Score"),
        tr("Baseline"),
        tr("Reference"),
        tr("Rows"),
        *([tr("SD of replicates")] if several else []),
        tr("95 % interval"),
        tr("Value"),
    )
    how = tr(
        "Baseline: the independence baseline, real rows with each column shuffled independently. Reference: the "
        "real-data reference, holdout rows in the place of the synthetic ones."
    )
    if several:
        how += " " + tr("SD of replicates: standard deviation across synthetic replicates of one model.")
    return Figure(title=tr("All scores"), how=how, table=DataTable(tr("All scores"), head, rows))


def _methods(report: Findings) -> Figure:
    rows = tuple(
        Row(plain(score.name, 40), (typeset(f"{score.method}. {score.note}".rstrip(), 1500),))
        for score in report.scores
    )
    return Figure(
        title=tr("How each score is computed"),
        table=DataTable(tr("Methods"), (tr("Score"), tr("Method and note")), rows, words=1, form="wordy"),
    )


def _provenance(report: Findings) -> Figure:
    facts = Provenance.model_validate(report.provenance)
    edition = tr("internal") if report.edition == "internal" else tr("shareable")
    rows = [Row(tr("Report schema"), ("1",)), Row(tr("Edition"), (edition,))]
    plain_facts = (
        (tr("Study"), facts.name),
        (tr("Seed of the run"), facts.seed),
        (tr("Seed of the evaluation"), facts.random_state),
    )
    rows += [Row(name, (plain(value, 200),)) for name, value in plain_facts if value is not None]
    rows.append(Row(tr("Differential privacy"), (plain(facts.dp or tr("none stated"), 200),)))
    rows += [Row(plain(name, 40), (plain(version, 40),)) for name, version in sorted(facts.versions.items())]
    extra = facts.__pydantic_extra__ or {}
    names = {"model": tr("Model family"), "replicates": tr("Synthetic replicates")}
    rows += [
        Row(names.get(name, plain(name.replace("_", " "), 40)), (plain(value, 200),))
        for name, value in sorted(extra.items())
    ]
    return Figure(
        title=tr("Provenance"),
        how=tr("Without clock, path, host or user: equal runs give equal files; the date of the report is declared."),
        table=DataTable(tr("Provenance"), (tr("Item"), tr("Value")), tuple(rows), words=1, form="wordy"),
    )


def _glossary() -> Figure:
    terms = (
        (
            "AUC",
            tr("Area under the ROC curve: how often the right one of a pair is chosen. 0.5 is chance, 1 is always."),
        ),
        (tr("KS distance"), tr("Kolmogorov-Smirnov: the largest gap between two cumulative distributions, 0 to 1.")),
        (tr("Total variation"), tr("Half the sum of absolute differences between shares, 0 to 1.")),
        (
            tr("C2ST, detection AUC"),
            tr("Classifier two-sample test: AUC of a classifier of synthetic against holdout rows; 0.5 is ideal."),
        ),
        (
            tr("Independence baseline, real-data reference"),
            tr("The score of real rows with each column shuffled, and of holdout rows in the place of synthetic ones."),
        ),
        (tr("95 % interval"), tr("A range that, in repeated sampling, holds the true value 95 times of 100.")),
        (
            tr("Member, non-member"),
            tr("A patient in the training data, and a holdout patient. Attacks try to separate them."),
        ),
        (
            tr("TPR, FPR"),
            tr("True and false positive rate: shares of members, and of non-members, that an attack calls members."),
        ),
        (tr("Naive baseline"), tr("The success of a guess without the synthetic table.")),
        (
            tr("Negative control, canaries"),
            tr(
                "Holdout rows in the place of the table, which leak nothing; inserted training rows (positive control)."
            ),
        ),
        (
            tr("Top-decile outliers"),
            tr("The tenth of the members with the largest distance to their nearest neighbour."),
        ),
        (
            tr("Odds and hazard ratio"),
            tr("The factor by which the odds, or the event rate, are multiplied; 1 is no effect."),
        ),
        (
            tr("Interval overlap"),
            tr("The common share of two 95 % intervals: 1 is all, 0 is touching, below 0 is apart."),
        ),
        ("RMST", tr("Restricted mean survival time: the area under a survival curve up to a set time.")),
        (
            tr("Calibration"),
            tr("Whether events with a predicted probability of 20 % occur 20 times of 100; slope 1 is ideal."),
        ),
        (status_name("REVIEW"), tr("A person must decide: the limit is missed narrowly, or lies within the interval.")),
        (status_name("NOT ASSESSABLE"), tr("It cannot be computed or decided on these data; it never counts as PASS.")),
    )
    return Figure(
        title=tr("Glossary"),
        table=DataTable(
            tr("Terms"),
            (tr("Term"), tr("Meaning")),
            tuple(Row(term, (meaning,)) for term, meaning in terms),
            words=1,
            form="wordy",
        ),
    )

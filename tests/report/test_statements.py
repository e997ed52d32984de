"""Two editions, one truth: the shareable edition says what the internal one says, with rounded figures."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthclin.evaluation.disclosure import rounding_step
from synthclin.evaluation.gates import default_gates, judge
from synthclin.evaluation.score import Score
from synthclin.io.documents import dump_json
from synthclin.language import LANGUAGES, Language
from synthclin.report import Report, evaluate
from synthclin.report.html import sections
from synthclin.report.pages.decision import decision
from synthclin.report.pages.questions import tables_of
from synthclin.report.pages.statements import carried, figures_by_key, names_of
from synthclin.report.summary import summary
from synthclin.schema import Schema
from synthclin.wording import as_many_digits, number
from tests.evaluation.conftest import spare
from tests.report.conftest import example, made, panels
from tests.report.study import study

NUMBER = re.compile(r"[\u2212-]?\d[\d\u202f.]*(?:[\u00a0 ]%)?")


def noisy(seed: int) -> Report:
    """Return a study with other figures, so that rounding turns some findings round."""
    rng = np.random.default_rng(seed)
    names = [f"c{i}" for i in range(8)]
    columns = [
        {"column": name, "value": round(float(rng.uniform(0.8, 1.0)), 4), "reference": 0.96, "measure": "1 - KS"}
        | {"missing_real": 0.0, "missing_synthetic": 0.0}
        for name in names
    ]
    columns.sort(key=lambda column: column["value"])
    marginals = made("fidelity.marginals", 0.93, 0.91, 0.95, reference=0.96, details={"columns": columns})
    drops = [{"column": name, "auc_drop": round(float(rng.uniform(0, 0.1)), 4)} for name in names]
    detection = made(
        "fidelity.detection", 0.6, 0.55, 0.66, better="lower",
        details={"auc_against_train": 0.6, "columns": drops, "roc": [[0.0, 0.0], [0.5, 0.6], [1.0, 1.0]]},
    )  # fmt: skip
    replaced = {score.name: score for score in (marginals, detection)}
    scores: list[Score] = [replaced.get(score.name, score) for score in study().scores]
    histograms = [panels(name, "sex")[0] for name in rng.permutation(names)]
    facts = {"name": "toy", "rows": {"train": 400, "holdout": 100, "synthetic": 400}}
    made_of = {"sections": {"marginals": histograms}, "provenance": facts}
    return example(scores=tuple(scores), verdicts=judge(default_gates(scores), scores), **made_of)


def real_run(language: Language = "en") -> Report:
    """Return the report of two tables of three columns and two groups."""
    schema = Schema.model_validate(
        {
            "columns": {
                "age": {"type": "number"},
                "sex": {"type": "category", "categories": ["F", "M"]},
                "lab": {"type": "number", "missing": "allowed"},
                "died": {"type": "boolean", "values": [0, 1], "role": "event"},
            }
        }
    )

    def ward(rows: int, seed: int, shift: float) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        lab = rng.normal(5 + shift, 1, rows)
        lab[rng.random(rows) < 0.1] = np.nan
        return pd.DataFrame(
            {
                "age": rng.normal(60, 10, rows).round(),
                "sex": pd.Categorical(np.where(rng.random(rows) < 0.4, "F", "M"), categories=["F", "M"]),
                "lab": lab,
                "died": pd.array((rng.random(rows) < 0.4).astype(int), dtype="Int64"),
            }
        )

    with pytest.MonkeyPatch.context() as patch:
        spare(patch)
        tables = {"train": ward(183, 1, 0.0), "holdout": ward(97, 2, 0.0)}
        return evaluate(ward(183, 3, 0.6), **tables, schema=schema, by=["sex"], random_state=1, language=language)


STUDIES = {
    "study": study,
    "example": example,
    **{f"noisy {i}": lambda i=i: noisy(i) for i in range(6)},
    "run": real_run,
}


@pytest.fixture(scope="module", params=STUDIES)
def both(request: pytest.FixtureRequest) -> tuple[Report, Report]:
    internal = STUDIES[request.param]()
    return internal, internal.shareable()


def words(text: str) -> str:
    return NUMBER.sub("#", text)


def test_statuses_are_equal_in_both(both: tuple[Report, Report]) -> None:
    internal, shared = both
    assert [verdict.status for verdict in shared.verdicts] == [verdict.status for verdict in internal.verdicts]
    pages = decision(internal), decision(shared)
    assert [row.status for row in pages[0].rows] == [row.status for row in pages[1].rows]
    assert [limit.headline for limit in pages[0].limits] == [limit.headline for limit in pages[1].limits]
    assert pages[0].sentence == pages[1].sentence
    for a, b in zip(sections(internal), sections(shared), strict=True):
        assert (a.key, a.status) == (b.key, b.status)


def test_figures_stand_in_one_order_with_one_finding(both: tuple[Report, Report]) -> None:
    internal, shared = (figures_by_key(sections(report)) for report in both)
    assert [key for key in internal if key in shared] == list(shared)
    for key, figure in shared.items():
        assert words(internal[key].title) == words(figure.title)
        listed = names_of(figure)
        assert [name for name in names_of(internal[key]) if name in listed] == [
            name for name in listed if name in names_of(internal[key])
        ]


def test_worst_columns_are_equal_in_both(both: tuple[Report, Report]) -> None:
    internal, shared = both
    for a, b in zip(decision(internal).facts, decision(shared).facts, strict=True):
        assert words(a.value) == words(b.value)
    for name in ("fidelity.marginals", "fidelity.detection"):
        a, b = (report.find(name) for report in (internal, shared))
        if a is None or b is None or a.details is None or b.details is None:
            continue
        known = [one.column for one in b.details.columns]
        assert [one.column for one in a.details.columns if one.column in known] == known
    panels_of = [
        [panel.heading for figure in figures_by_key(sections(report)).values() for panel in figure.panels]
        for report in both
    ]
    assert [name for name in panels_of[0] if name in panels_of[1]] == panels_of[1]


def test_the_shareable_edition_is_read_back_with_its_statements(both: tuple[Report, Report]) -> None:
    _, shared = both
    again = Report.from_dict(json.loads(dump_json(shared.to_dict())))
    assert again.statements == shared.statements
    assert again.to_html() == shared.to_html()
    assert summary(again) == summary(shared)
    assert shared.shareable() is shared


def test_numbers_have_as_many_digits_as_the_rounded_figures(both: tuple[Report, Report]) -> None:
    _, shared = both
    page = decision(shared)
    assert not any(re.search(r"\d\.\d*0(?!\d)", text) for row in page.rows for text in (row.value, row.interval))
    with as_many_digits(shown=True):
        assert (number(0.95), number(0.9), number(1.0), number(120, 0), number(0.0)) == ("0.95", "0.9", "1", "120", "0")
    assert number(0.95) == "0.950"


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_count_of_real_rows_is_in_a_statement(language: Language) -> None:
    report = real_run(language)
    shared = report.shareable()
    assert rounding_step(97) == 0.2
    for statement in shared.statements.values():
        assert not re.search(r"\b(183|184|97)\b", statement.text)
    pages = re.sub(r"183 (?:rows|filas),", "", shared.to_html())
    assert not re.search(r"(?<![\d.#])(183|97) (?:real )?(?:rows|patients|filas(?! sintéticas)|pacientes)", pages)


@pytest.mark.parametrize(
    ("internal", "own", "hidden", "expected"),
    [
        ("bmi differs most", "All columns agree", (), "bmi differs most"),
        ("3 synthetic rows equal one", "Some rows equal one", (), ""),
        ("Three patients differ", "None differs", (), ""),
        ("Of site, rare is worst", "Of site, none is worst", ("rare",), ""),
        ("Missing and sex: F: weaker", "Correlations agree", ("F",), "Missing and sex: weaker"),
        ("Linkability: attack succeeds", "It fails", ("a",), "Linkability: attack succeeds"),
        ("differs by up to 9\u00a0%", "differs by up to 14\u00a0%", (), "differs by up to 10\u00a0%"),
        ("loses 0.012", "agrees", (), ""),
    ],
)
def test_a_statement_is_carried_over_where_it_tells_no_count(
    internal: str, own: str, hidden: tuple[str, ...], expected: str
) -> None:
    assert carried(internal, own, hidden, 0.05) == expected


@settings(max_examples=100)
@given(st.floats(0, 1), st.floats(0, 1), st.sampled_from([0.05, 0.1, 0.2]))
def test_a_carried_share_is_rounded_to_its_step(value: float, own: float, step: float) -> None:
    told = carried(f"it is {value:.3f}", f"that is {own:.2f}", (), step)
    shares = [float(x) for x in re.findall(r"[\d.]+", told)]
    assert all(abs(share / step - round(share / step)) < 1e-6 for share in shares)


def test_rows_that_are_copies_are_not_in_the_shareable_edition() -> None:
    def keys(document: Any) -> set[str]:
        if isinstance(document, dict):
            return {key for key, value in document.items() if value} | set().union(*map(keys, document.values()), ())
        return set().union(*map(keys, document), ()) if isinstance(document, list) else set()

    found = keys(study().shareable().to_dict())
    assert not any(key.endswith("_rows") and "copied" in key for key in found)
    assert "copies" not in found


def test_both_editions_say_of_how_many_tables_a_number_is_the_mean() -> None:
    report = study()
    scores = tuple(dataclasses.replace(score, replicates=(0.5, 0.6), tables=2) for score in report.scores)
    internal = dataclasses.replace(report, scores=scores)
    shareable = internal.shareable()
    assert all(score.replicates == () for score in shareable.scores)
    for edition in (internal, shareable):
        assert {tables_of(score) for score in edition.scores} == {"mean of 2 replicates"}


def test_an_answer_is_rounded_to_the_steps_of_its_own_score() -> None:
    """The row on differential privacy answers no score; the questions below it keep their own steps."""
    words: dict[str, Any] = {"better": "lower", "reference": 0.032, "n": 300}
    columns = [{"column": "sbp", "value": 0.05, "reference": 0.04}]
    heaping = made("fidelity.heaping", 0.026, 0.019, 0.035, details={"columns": columns}, **words)
    detection = made("fidelity.detection", 0.6, 0.55, 0.66, better="lower")
    scores = (heaping, detection)
    facts = {"name": "toy", "rows": {"train": 240, "holdout": 60, "synthetic": 240}}
    report = example(scores=scores, verdicts=judge(default_gates(scores), scores), provenance=facts)
    answers = {row.score: row.answer for row in decision(report).rows}
    shared = {row.score: row.answer for row in decision(report.shareable()).rows}
    assert answers["fidelity.heaping"] == "Furthest from real: sbp. Holdout rows reach 0.032."
    assert shared["fidelity.heaping"] == "Furthest from real: sbp."

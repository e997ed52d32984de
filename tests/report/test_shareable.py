"""The shareable edition: statistical disclosure control of counts, shares, estimates and texts."""

from __future__ import annotations

import itertools
import json
import re
from math import isnan, nan
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthclin.evaluation.disclosure import round_to, rounding_step, suppress
from synthclin.evaluation.gate import Gate
from synthclin.evaluation.gates import default_gates, judge
from synthclin.evaluation.score import Score
from synthclin.evaluation.score_names import within
from synthclin.io.documents import dump_json
from synthclin.report import Report, evaluate
from synthclin.report.editions.shareable import shareable
from synthclin.report.editions.shareable_columns import shared_block, shared_missing, shared_panel
from synthclin.report.findings import Findings
from synthclin.report.pages.decision import decision
from synthclin.report.record.section_data import Histogram, Missing, TableOneBlock
from synthclin.schema import Schema
from tests.evaluation.conftest import spare
from tests.report.conftest import example, made
from tests.report.study import study, term
from tests.report.test_html import Page

ENDS = ("value", "low", "high", "reference")


def panel(real: list[int | None], synthetic: list[int], missing: tuple[int | None, int]) -> Histogram:
    return Histogram(
        column="x",
        kind="levels",
        labels=[f"L{i}" for i in range(len(real))],
        real=real,
        synthetic=synthetic,
        missing=Missing(real=missing[0], synthetic=missing[1]),
    )


def printed(counts: tuple[int, ...], synthetic: tuple[int, ...]) -> str:
    """Return every number that the shareable edition publishes for these counts; the last count is missing values."""
    published = shared_panel(panel(list(counts[:-1]), list(synthetic[:-1]), (counts[-1], synthetic[-1])))
    block = TableOneBlock(column="x", kind="levels", missing=published.missing, levels=[], difference=0.123456)
    return json.dumps([published.model_dump(), shared_block(block, published).model_dump(), shared_missing(published)])


def compositions(total: int, cells: int) -> Any:
    """Yield all tables of counts with a given total."""
    for cuts in itertools.combinations(range(total + cells - 1), cells - 1):
        ends = (-1, *cuts, total + cells - 1)
        yield tuple(b - a - 1 for a, b in itertools.pairwise(ends))


@pytest.mark.parametrize("synthetic", [(10, 20, 30), (30, 10, 20), (0, 0, 60), (15, 15, 15)])
@pytest.mark.parametrize("total", [45, 60, 61])
def test_small_counts_cannot_be_inferred_from_published_numbers(total: int, synthetic: tuple[int, ...]) -> None:
    # Exhaustive over tables with this total: tables with the same published numbers are indistinguishable.
    same: dict[str, list[tuple[int, ...]]] = {}
    for counts in compositions(total, len(synthetic)):
        same.setdefault(printed(counts, synthetic), []).append(counts)
    for tables in same.values():
        for cell in range(len(synthetic)):
            possible = {counts[cell] for counts in tables}
            if any(0 < n < 11 for n in possible):
                assert possible >= set(range(1, 11)), tables[:5]


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 60)), min_size=1, max_size=8))
def test_suppression_leaves_every_count_from_one_to_ten_possible(cells: list[tuple[int, int]]) -> None:
    real, synthetic = (list(side) for side in zip(*cells, strict=True))
    published = suppress(real, synthetic)
    suppressed = [n for n, shown in zip(real, published, strict=True) if shown is None]
    assert all(shown is None or (shown == n and not 0 < n < 11) for n, shown in zip(real, published, strict=True))
    if suppressed and any(published):
        assert len(suppressed) > 1
        assert sum(suppressed) >= 21
    assert bool(suppressed) == any(0 < n < 11 for n in real)
    # A count that is already suppressed stays suppressed.
    again = suppress(published, synthetic)
    assert all(b is None or b == a for a, b in zip(published, again, strict=True))


def test_rounding_step_is_at_least_eleven_patients() -> None:
    for n in (20, 100, 401, 736, 10_000):
        assert rounding_step(n) * n >= 11
    assert round_to(-0.04, 0.1) == 0.0
    assert str(round_to(-0.04, 0.1)) == "0.0"


CANARY = 987654321.125
SCHEMA = Schema.model_validate(
    {
        "columns": {
            "age": {"type": "number"},
            "site": {"type": "category"},
            "lab": {"type": "number", "missing": "allowed"},
            "died": {"type": "boolean", "values": [0, 1], "role": "event"},
            "time": {"type": "number"},
        }
    }
)


def ward(rows: int, seed: int) -> pd.DataFrame:
    """Return patients; one value and one small site are canaries."""
    rng = np.random.default_rng(seed)
    site = np.where(rng.random(rows) < 0.5, "north", "south").astype(object)
    lab = rng.normal(5, 1, rows)
    if seed == 1:
        site[:4] = "canary-site"
        lab[0] = CANARY
    lab[5:8] = nan
    return pd.DataFrame(
        {
            "age": rng.normal(60, 10, rows).round(),
            "site": pd.Categorical(site, categories=["canary-site", "north", "south"]),
            "lab": lab,
            "died": pd.array((rng.random(rows) < 0.4).astype(int), dtype="Int64"),
            "time": rng.exponential(10, rows),
        }
    )


@pytest.fixture(scope="module")
def real() -> Report:
    from synthclin.evaluation.tasks import CoxTask, SurvivalTask  # noqa: PLC0415

    tasks = [
        CoxTask(time="time", event="died", covariates=("age", "site")),
        SurvivalTask(time="time", event="died", by="site"),
    ]
    tables = {"train": ward(70, 1), "holdout": ward(40, 2)}
    with pytest.MonkeyPatch.context() as patch:
        spare(patch)
        return evaluate(ward(70, 3), **tables, schema=SCHEMA, tasks=tasks, random_state=1)


def test_canary_values_do_not_occur(real: Report) -> None:
    published = real.shareable()
    texts = (dump_json(published.to_dict()), published.to_html())
    for text in texts:
        assert "canary-site" not in text
        assert "98765" not in text
        assert "987\u202f654" not in text


def test_real_counts_below_eleven_do_not_occur(real: Report) -> None:
    report = real.shareable().to_dict()
    for shown in report["sections"]["marginals"]:
        counts = [*shown["real"], shown["missing"]["real"]]
        assert all(n is None or n == 0 or n >= 11 for n in counts)
        assert counts.count(None) != 1
    lab = next(one for one in report["sections"]["table_one"] if one["column"] == "lab")
    assert lab["missing"]["real"] is None
    assert lab["real"] is None or lab["real"]["mean"] is None
    for score in report["scores"]:
        if score["name"] == "privacy.smallest_leak":
            assert score["note"].startswith("These attacks could not have detected 5 % of the rows copied")
        else:
            assert score["note"] in {"", "It cannot be computed on these rows."}


def test_small_counts_are_suppressed_in_the_page() -> None:
    page = Page(study().shareable().to_html())
    assert "Shareable edition." in page.text
    table = re.search(r"sbp: rows per bin.*?</table>", study().shareable().to_html(), re.DOTALL)
    assert table is not None
    rows = [re.findall(r"<bdi>([^<]*)</bdi>", row) for row in table[0].split("<tr")[2:]]
    assert rows[0][1] == "suppressed"
    assert sum(row[1] == "suppressed" for row in rows) >= 2


def test_details_outside_the_allow_list_are_removed() -> None:
    tails = {"column": "canary", "value": 0.123456, "reference": None, "shifts": [0.123456]}
    extra = made("fidelity.tails", 0.123456, 0.1, 0.2, details={"columns": [tails]}, note="canary")
    unlike = made("treatment.compare.ward", 0.5, 0.5, 0.5, details={"terms": [term("difference, canary: A", 0.1, 0.2)]})
    canaries = example(
        scores=(*example().scores, extra, unlike),
        provenance={"name": "toy", "path": "/home/canary", "rows": {"train": 400}},
    )
    text = dump_json(shareable(canaries).to_dict())
    assert "canary" not in text
    assert "0.123456" not in text


def test_shares_of_terms_are_removed() -> None:
    details = {"terms": [term("many", 0.5, 0.4)], "signs_agree": 0.5, "decisions_agree": 0.5, "estimates_agree": 0.5}
    score = made("inference.cox.died", 0.5, 0.4, 0.6, details=details)
    shared = shareable(example(scores=(score,), verdicts=(), sections={})).scores[0].details
    assert (shared["signs_agree"], shared["decisions_agree"], shared["estimates_agree"]) == (None, None, None)
    assert [one["term"] for one in shared["terms"]] == ["many"]


def test_curve_does_not_rest_on_fewer_than_eleven_attacked_patients() -> None:
    roc = [[0.0, 0.0], [0.04, 0.1], [0.12, 0.2], [0.3, 0.4], [1.0, 1.0]]
    score = made("privacy.membership", 0.6, 0.5, 0.7, details={"roc": roc, "n_non_members": 50})
    facts = {"rows": {"train": 400, "holdout": 400, "synthetic": 400}}
    shared = shareable(example(scores=(score,), verdicts=(), provenance=facts)).scores[0].details
    assert [x for x, _ in shared["roc"]] == [0.3, 1.0]


def test_effect_of_few_patients_is_removed() -> None:
    published = {
        "terms": [
            {"term": "few", "real": [0.5, -0.3, 1.3], "synthetic": [0.4, 0.0, 0.8], "overlap": 0.5},
            {"term": "many", "real": [0.512, 0.3, 0.7], "synthetic": [0.4, 0.2, 0.6], "overlap": 0.512},
        ]
    }
    score = made("inference.cox.died", 0.5, 0.4, 0.6, details=published)
    terms = shareable(example(scores=(score,), verdicts=(), sections={})).scores[0].details["terms"]
    assert [one["term"] for one in terms] == ["many"]
    assert terms[0]["real"] == pytest.approx([0.5, 0.3, 0.7])


def test_shareable_report_round_trips() -> None:
    published = study().shareable()
    assert Report.from_dict(json.loads(dump_json(published.to_dict()))).to_html() == published.to_html()
    assert published.shareable() is published
    assert [v.status for v in published.verdicts] == [v.status for v in study().verdicts]


def test_subgroup_results_are_rounded_to_eleven_patients() -> None:
    group = {"group": "F", "value": 0.8765, "low": 0.8123, "high": 0.9234, "reference": 0.9753, "n": 120}

    def shared(score: str, **words: Any) -> Any:
        details = {"score": score, "column": "sex", "worst": "F", "groups": [group | words], "not_judged": 1}
        ends = {"reference": 0.9753, "baseline": 0.1357, "n": 120} | words
        scores = (made(within("sex", score), 0.8765, 0.8123, 0.9234, details=details, **ends),)
        return shareable(example(scores=scores, verdicts=(), sections={})).scores[0]

    pairs, detection = (shared(name).details["groups"][0] for name in ("fidelity.pairs", "fidelity.detection"))
    assert (pairs["value"], pairs["low"], pairs["high"]) == (0.8, 0.8, 1.0)  # never to the better side
    assert (pairs["reference"], pairs["n"]) == (1.0, 120)
    assert (detection["value"], detection["reference"]) == (0.88, 0.98)
    whole = shared("fidelity.pairs")
    assert [whole.value, whole.low, whole.high, whole.reference] == [pairs[key] for key in ENDS]
    # For rules, n counts synthetic rows, so references are removed.
    rules = shared("validity.rules", n=5_000)
    assert (rules.baseline, rules.reference, rules.details["groups"][0]["reference"]) == (None, None, None)
    assert shared("fidelity.pairs", n=11).details["worst"] == "F"
    assert shared("fidelity.pairs").details["not_judged"] is None
    assert "0.8765" not in str(shared("fidelity.pairs").details)


def test_a_limit_above_holdout_rows_does_not_tell_what_they_reach() -> None:
    """Fifty rows: the limit of heaping is 0.1 above the reference, so it is rounded as the reference is."""
    for value, half, status in ((0.048, 0.02, "PASS"), (0.3, 0.01, "FAIL"), (0.2, 0.02, "REVIEW")):
        ends = value - half, value + half
        score = Score("fidelity.heaping", "?", value, *ends, "lower", None, 0.0547, 50, "a method")
        report = Findings((score,), judge(default_gates([score]), [score]), {"rows": {"train": 50, "holdout": 50}}, {})
        edition = shareable(report)
        (shown,), (verdict,) = edition.scores, edition.verdicts
        assert verdict.status == report.verdicts[0].status == status
        assert isnan(verdict.gate.limit)
        assert shown.reference is None
        assert shown.value == 0.5
        again = Findings.from_dict(json.loads(dump_json(edition.to_dict())))
        assert dump_json(again.to_dict()) == dump_json(edition.to_dict())
        row = next(row for row in decision(edition).rows if row.score == score.name)
        assert row.bar is None
        assert row.limit == "Upper bound \u2264\u00a0a limit from holdout rows"


LIMITS = st.floats(0.001, 0.999)


@given(value=LIMITS, width=st.floats(0, 0.3), limit=LIMITS, review=LIMITS, upward=st.booleans())
def test_no_rounded_figure_is_on_another_side_of_a_limit(
    value: float, width: float, limit: float, review: float, upward: bool
) -> None:
    """Fifty rows round every share to a half, and still no printed figure contradicts its status."""
    ends = value - width, value + width
    score = Score("privacy.linkability", "?", value, *ends, "lower", None, None, 50, "a method")
    gate = Gate("privacy.linkability", ">=" if upward else "<=", limit, review, "a source")
    verdict = judge([gate], [score])[0]
    report = Findings((score,), (verdict,), {"rows": {"train": 50, "holdout": 50, "synthetic": 50}}, {})
    (shared,) = shareable(report).scores
    for name in ("value", "low", "high"):
        exact, rounded = getattr(score, name), getattr(shared, name)
        for end in (limit, review):
            assert (rounded - end) * (exact - end) >= 0
    assert shareable(report).verdicts[0].status == verdict.status


def test_an_undeclared_level_of_a_holdout_row_alone_is_in_no_edition() -> None:
    rng = np.random.default_rng(0)

    def ward(rows: int) -> pd.DataFrame:
        return pd.DataFrame({"age": rng.integers(40, 80, rows), "ward": rng.choice(["a", "b"], rows)})

    schema = Schema.model_validate({"columns": {"age": {"type": "integer"}, "ward": {"type": "category"}}})
    train, holdout = ward(120), ward(60)
    holdout.loc[3, "ward"] = "LEPROSARIUM"
    report = evaluate(ward(120), train=train, holdout=holdout, schema=schema)
    for edition in (report, report.shareable()):
        assert "LEPROSARIUM" not in json.dumps(edition.to_dict())
        assert "LEPROSARIUM" not in edition.to_html()


def test_reasons_have_no_figures_and_say_what_the_internal_edition_says() -> None:
    gate = Gate("privacy.linkability", "<=", 0.05, 0.1, "a source")
    found = {}
    for value, half in ((0.01, 0.2), (0.03, 0.03), (0.07, 0.01), (0.2, 0.01), (0.01, 0.01), (nan, nan)):
        score = Score(
            "privacy.linkability", "?", value, value - half, value + half, "lower", None, None, 50, "a method"
        )
        report = Findings((score,), tuple(judge([gate], [score])), {"rows": {"train": 50, "synthetic": 50}}, {})
        (verdict,) = shareable(report).verdicts
        found[value, half] = (verdict.status, verdict.reason)
        assert not re.search(r"\d", verdict.reason)
    assert list(found.values()) == [
        ("NOT ASSESSABLE", "The interval reaches from pass to fail: there are too few rows."),
        ("REVIEW", "The interval includes the limit."),
        ("REVIEW", "The whole interval misses the limit, by no more than asks for review."),
        ("FAIL", "The whole interval misses the limit."),
        ("PASS", "The worse end of its interval meets the limit."),
        ("NOT ASSESSABLE", "It cannot be computed on these rows."),
    ]


@pytest.mark.parametrize("name", ["privacy.epsilon_lower_bound", "privacy.table_epsilon_lower_bound"])
def test_rounding_raises_no_lower_bound(name: str) -> None:
    report = Findings((made(name, 1.2345, 1.2345, 1.2345, better="lower"),), (), {"rows": {"train": 50}}, {})
    (score,) = shareable(report).scores
    assert (score.value, score.low, score.high) == (1.23, 1.23, 1.23)


def test_the_edition_has_the_language_of_the_report() -> None:
    score = made("privacy.copies", nan, nan, nan, better="lower", note="No hay datos.")
    (shared,) = shareable(Findings((score,), (), {"rows": {"train": 50}}, {}, language="es")).scores
    assert shared.note == "No puede calcularse con estas filas."


def test_rates_of_members_and_non_members_are_never_reversed() -> None:
    rates = {
        key: {"value": value, "low": value - 0.01, "high": value + 0.01, "n": n}
        for key, value, n in (("members", 0.029, 736), ("non_members", 0.031, 184))
    }
    score = made("privacy.identity_disclosure", 0.029, 0.019, 0.043, better="lower", details=rates)
    facts = {"rows": {"train": 736, "holdout": 184, "synthetic": 736}}
    (shared,) = shareable(example(scores=(score,), verdicts=(), sections={}, provenance=facts)).scores
    assert shared.details["members"]["value"] <= shared.details["non_members"]["value"]


def test_intervals_are_rounded_outward() -> None:
    for value, low, high in ((0.0175, 0.0085, 0.036), (0.00625, 0.0052, 0.0074), (0.3, 0.2, 0.42)):
        score = made("privacy.copies", value, low, high, better="lower", n=400)
        facts = {"rows": {"train": 400, "holdout": 100, "synthetic": 400}}
        (shared,) = shareable(example(scores=(score,), verdicts=(), sections={}, provenance=facts)).scores
        assert 0 < shared.low <= low < high <= shared.high
        assert shared.value >= value


def test_a_mean_of_columns_has_the_step_of_its_columns() -> None:
    """A mean rounded more coarsely than its parts would lie below the worst of them."""
    columns = [
        {"column": name, "value": value, "reference": 0.95, "measure": "1 - KS"}
        | {"missing_real": 0.0, "missing_synthetic": 0.0}
        for name, value in (("sbp", 0.946), ("age", 0.97))
    ]
    score = made("fidelity.marginals", 0.965, 0.957, 0.97, reference=0.957, details={"columns": columns})
    facts = {"rows": {"train": 736, "holdout": 184, "synthetic": 736}}
    (shared,) = shareable(example(scores=(score,), verdicts=(), sections={}, provenance=facts)).scores
    assert shared.value >= min(column["value"] for column in shared.details["columns"])

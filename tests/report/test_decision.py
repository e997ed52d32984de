"""Page one: what it counts, what it warns of, and what it never hides."""

from __future__ import annotations

import dataclasses
from math import nan

from synthclin.report.pages.decision import decision, limits, sentence
from synthclin.report.pages.questions import answers, asked, worst
from tests.report.conftest import example, made, verdict


def test_the_sentence_counts_every_question(report) -> None:
    page = decision(report)
    # detection fails, utility needs review, membership is not assessable, and no privacy guarantee is stated
    assert [row.status for row in page.rows] == [
        "NOT ASSESSABLE",
        "PASS",
        "PASS",
        "FAIL",
        "REVIEW",
        "REVIEW",
        "NOT ASSESSABLE",
    ]
    assert page.sentence == (
        "Two of seven questions pass. Two need <b>review</b>: models of died may predict real patients worse and "
        "impossible records may remain. One <b>fails</b>: synthetic rows can be told from real ones. "
        "Two are not assessable."
    )


def test_many_troubles_are_counted_not_listed() -> None:
    assert sentence([("FAIL", "a"), ("FAIL", "b"), ("FAIL", "c"), ("FAIL", "d"), ("FAIL", "e")]) == (
        "None of five questions pass. Five <b>fail</b>: a, b, c and 2 more."
    )


def test_predictions_are_one_question_decided_by_the_worst() -> None:
    verdicts = [
        verdict("utility.a", "PASS", bound=0.9),
        verdict("utility.b", "FAIL", bound=0.2),
        verdict("utility.c", "FAIL", bound=0.1),
        verdict("validity.rules", "PASS"),
        verdict("privacy.copies", "PASS"),
        verdict("house.own", "PASS"),
    ]
    found = [(answer.verdict.gate.score, answer.many) for answer in answers(verdicts)]
    assert found == [("privacy.copies", 1), ("utility.c", 3), ("validity.rules", 1), ("house.own", 1)]


def test_a_section_is_never_better_than_what_cannot_be_judged() -> None:
    assert worst(["PASS", "NOT ASSESSABLE"]) == "NOT ASSESSABLE"
    assert worst(["NOT ASSESSABLE", "FAIL", "REVIEW"]) == "FAIL"
    assert worst([]) is None


def test_limits_name_what_fails_first_and_always_what_nobody_measured(report) -> None:
    found = [limit.headline for limit in limits(report)]
    assert found[0] == "Synthetic rows can be told from real ones."
    assert found[-2:] == ["Not measured here:", "Holds for this file, this model and one release."]
    assert len(found) == 5


def test_a_lost_link_is_a_limit() -> None:
    found = [limit.headline for limit in limits(example(verdicts=()))]
    assert found[0] == "The link between sbp and sex is too weak."


def test_a_score_without_a_number_says_why(report) -> None:
    row = decision(report).rows[0]
    assert (row.value, row.interval, row.bar) == ("not assessable", "", None)
    assert row.answer == "There is no holdout."
    assert decision(report).facts[0].value == "not assessable"


def test_too_few_rows_to_decide_is_said_beside_the_number() -> None:
    wide = made("privacy.copies", 0.014, 0.007, 0.03, better="lower", details={"copies": 6})
    report = example()
    scores = tuple(wide if score.name == wide.name else score for score in report.scores)
    found = [verdict("privacy.copies", "NOT ASSESSABLE")]
    row = decision(dataclasses.replace(report, scores=scores, verdicts=tuple(found))).rows[0]
    assert row.value == "1.4\u00a0%"
    assert "too few rows" in row.answer


def test_what_the_interval_does_not_decide_is_a_limit_with_its_reason() -> None:
    strong = made("privacy.membership", 0.59, 0.53, 0.65, better="lower")
    told = example(scores=(strong,), verdicts=(verdict(strong.name, "NOT ASSESSABLE"),))
    assert limits(told)[0].headline == "Patients may be recognisable."
    assert limits(told)[0].text == "Because."


def test_a_stated_guarantee_is_told_but_never_counted_as_passed() -> None:
    row = decision(example(provenance={"dp": "epsilon 3, delta 1e-6, per patient."})).rows[-1]
    assert row.status == "NOT ASSESSABLE"
    assert row.answer.startswith("epsilon 3")
    assert "Neither" not in decision(example(provenance={"dp": "epsilon 3"})).privacy
    assert "Neither" in decision(example()).privacy


def test_an_unknown_score_is_written_in_neutral_words() -> None:
    score = made("house.<b>own</b>", 0.5, 0.4, nan)
    report = example(scores=(score,), verdicts=(verdict(score.name, "REVIEW"),))
    assert decision(report).rows[0].unit == "house.<b>own</b>"
    assert asked("sdmetrics.quality").section == "fidelity"

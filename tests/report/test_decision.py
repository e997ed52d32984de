"""Page one: sentence, questions, limits and facts."""

from __future__ import annotations

import dataclasses
import math
from math import nan

from synthclin.evaluation.gates import default_gates, judge
from synthclin.report.pages.decision import decision, sentence
from synthclin.report.pages.main_limits import limits
from synthclin.report.pages.questions import answers, worst
from tests.report.conftest import example, made, verdict


def test_sentence_counts_every_question(report) -> None:
    page = decision(report)
    # associations and detection fail, utility needs review, membership is not assessable, no guarantee is stated
    assert [row.status for row in page.rows] == [
        *("NOT ASSESSABLE", "PASS", "NONE"),
        *("REVIEW", "REVIEW", "PASS", "FAIL", "FAIL"),
    ]
    assert [name for name, _ in page.groups] == ["Privacy", "Use"]
    assert page.sentence == (
        "Two of seven questions pass. Two need <b>review</b>: models of died may predict real patients worse and "
        "impossible records may remain. Two <b>fail</b>: associations of columns are lost and a classifier separates "
        "synthetic from real rows. "
        "One is not assessable."
    )


def test_more_than_three_reasons_are_counted() -> None:
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
        verdict("sdmetrics.quality", "PASS"),
    ]
    found = [(answer.verdict.gate.score, answer.many) for answer in answers(verdicts)]
    assert found == [("privacy.copies", 1), ("utility.c", 3), ("validity.rules", 1), ("sdmetrics.quality", 1)]


def test_worst_status_ranks_not_assessable_below_pass() -> None:
    assert worst(["PASS", "NOT ASSESSABLE"]) == "NOT ASSESSABLE"
    assert worst(["NOT ASSESSABLE", "FAIL", "REVIEW"]) == "FAIL"
    assert worst([]) is None


def test_limits_list_failures_first_and_unmeasured_properties_last(report) -> None:
    found = [limit.headline for limit in limits(report)]
    assert found[:2] == ["Associations of columns are lost.", "A classifier separates synthetic from real rows."]
    assert found[-2:] == ["Not measured here:", "Valid for this file, this model and one release."]
    assert len(found) == 5


def test_page_one_says_what_is_not_assessed_for_lack_of_tasks_and_holdout(report) -> None:
    task = "No prediction or analysis task is declared: the report says nothing of utility."
    holdout = "No holdout rows were given:"

    def unmeasured(one) -> str:
        [text] = [limit.text for limit in limits(one) if limit.headline == "Not measured here:"]
        return text

    assert task not in unmeasured(report)
    scores = tuple(score for score in report.scores if not score.name.startswith(("utility.", "inference.")))
    without = dataclasses.replace(
        report,
        scores=scores,
        verdicts=tuple(verdict for verdict in report.verdicts if report[verdict.gate.score] in scores),
        provenance=report.provenance | {"rows": {"train": 60, "holdout": 0, "synthetic": 60}},
    )
    assert unmeasured(without).endswith(task)
    assert holdout in unmeasured(without)
    assert unmeasured(without).count(task) == 1


def test_lost_association_is_a_limit() -> None:
    found = [limit.headline for limit in limits(example(verdicts=()))]
    assert found[0] == "The association of sbp and sex is too weak."


def test_nan_score_shows_its_reason(report) -> None:
    row = decision(report).rows[0]
    assert (row.value, row.interval, row.bar) == ("not assessable", "", None)
    assert row.answer == "There is no holdout."
    assert decision(report).facts[0].value == "not assessable"


def test_wide_interval_states_too_few_rows() -> None:
    wide = made("privacy.copies", 0.014, 0.007, 0.03, better="lower", details={"copies": 6})
    report = example()
    scores = tuple(wide if score.name == wide.name else score for score in report.scores)
    found = [verdict("privacy.copies", "NOT ASSESSABLE")]
    row = decision(dataclasses.replace(report, scores=scores, verdicts=tuple(found))).rows[0]
    assert row.value == "1.4\u00a0%"
    assert "too few rows" in row.answer


def test_undecided_gate_is_a_limit_with_its_reason() -> None:
    strong = made("privacy.membership", 0.59, 0.53, 0.65, better="lower")
    report = example(scores=(strong,), verdicts=(verdict(strong.name, "NOT ASSESSABLE"),))
    assert limits(report)[0].headline == "Membership of patients may be inferred."
    assert limits(report)[0].text == "Because."


def test_dp_guarantee_is_shown_but_not_counted_as_pass() -> None:
    page = decision(example(provenance={"dp": "epsilon 3, delta 1e-6, per patient."}))
    row = next(row for row in page.rows if row.key == "q-dp")
    assert row.status == "STATED"
    assert row.answer.startswith("epsilon 3")
    assert "Neither" not in decision(example(provenance={"dp": "epsilon 3"})).privacy
    assert "Neither" in decision(example()).privacy


def test_score_outside_of_page_one_is_a_question_of_its_own() -> None:
    score = made("fidelity.tails", 0.5, 0.4, nan)
    report = example(scores=(score,), verdicts=(verdict(score.name, "REVIEW"),))
    row = next(row for row in decision(report).rows if row.key != "q-dp")
    assert (row.question, row.section) == ("Are extreme values as extreme as in the real table?", "fidelity")


def test_an_analysis_that_could_not_be_run_stays_on_page_one() -> None:
    ran = made("inference.cox.died", 0.1, 0.0, 0.2)
    not_run = dataclasses.replace(
        made("inference.linear.bmi", math.nan, math.nan, math.nan), note="No complete row has the event."
    )
    verdicts = judge(default_gates([ran, not_run]), [ran, not_run])
    judged = example(scores=(ran, not_run), verdicts=verdicts)
    rows = [row for row in decision(judged).rows if row.section == "clinical"]
    assert [(row.status, row.value) for row in rows] == [("FAIL", "0.100"), ("NOT ASSESSABLE", "not assessable")]
    assert rows[1].answer == "No complete row has the event."
    unjudged = limits(example(scores=(ran, not_run), verdicts=()))
    assert "Linear regression of bmi" in next(one.text for one in unjudged if one.headline == "Not assessable:")


def test_an_excused_status_says_so_on_page_one() -> None:
    score = made("privacy.linkability", 0.2, 0.12, 0.28, better="lower", reference=0.0, reference_error=0.12)
    page = decision(example(scores=(score,), verdicts=judge(default_gates([score]), [score]), sections={}))
    assert page.rows[0].status == "NOT ASSESSABLE"
    assert "Not significantly above its value without leakage" in page.rows[0].answer


def test_a_question_that_no_gate_judges_is_named() -> None:
    """Shuffled columns agree as well as holdout rows: the columns of these tables hardly depend on each other."""
    score = made("fidelity.associations", 0.02, 0.01, 0.03, better="lower", reference=0.02, baseline=0.021)
    assert default_gates([score]) == ()
    found = [limit.text for limit in limits(example(scores=(score,), verdicts=(), sections={}))]
    assert "Associations, because no limit applies to these tables." in found


def test_near_copies_have_an_answer() -> None:
    details = {"near": 67, "non_members_near": 0.011, "closeness": "distance", "null": 0.0}
    score = made("privacy.near_copies", 0.659, 0.55, 0.75, better="lower", reference=0.0, n=100, details=details)
    page = decision(example(scores=(score,), verdicts=judge(default_gates([score]), [score]), sections={}))
    row = page.rows[0]
    assert row.status == "REVIEW"
    assert row.answer == (
        "67 of 100 synthetic rows are very close to a training row; 1.1\u00a0% of other patients are as close."
    )
    assert page.limits[0].text.startswith("The whole interval, ")


def test_certain_findings_come_first_among_the_limits() -> None:
    """Seven exact copies are certain; an interval that merely includes its limit, or is too wide, is not."""
    lower = {"better": "lower", "n": 400}
    copies = made("privacy.copies", 0.0175, 0.0085, 0.036, reference=0.005, reference_error=0.005, **lower)
    wide = made("privacy.linkability", 0.0, -0.2, 0.2, reference=0.0, reference_error=0.05, **lower)
    around = made("privacy.membership", 0.53, 0.49, 0.58, reference=0.5, reference_error=0.03, **lower)
    scores = (around, wide, copies)
    report = example(scores=scores, verdicts=judge(default_gates(scores), scores), sections={})
    assert [verdict.status for verdict in report.verdicts] == ["REVIEW", "NOT ASSESSABLE", "REVIEW"]
    assert [limit.headline for limit in limits(report)][:3] == [
        "Rows may be copies of training rows.",
        "Membership of patients may be inferred.",
        "Patients may be singled out or linked.",
    ]
    reason = report.verdicts[2].reason
    assert "the difference from its value without leakage, 0.5\u00a0%, is not clearly more than 0.5\u00a0%" in reason
    assert "no more than asks for review" not in report.verdicts[2].without_figures


def test_other_measures_of_a_question_that_miss_are_named() -> None:
    copies = made("privacy.copies", 0.0175, 0.0085, 0.036, better="lower", reference=0.0, reference_error=0.005)
    details = {"near": 133, "non_members_near": 0.01, "closeness": "distance", "null": 0.0}
    near = made("privacy.near_copies", 0.32, 0.25, 0.4, better="lower", reference=0.0, details=details)
    scores = (copies, near)
    page = decision(example(scores=scores, verdicts=judge(default_gates(scores), scores), sections={}))
    assert page.rows[0].answer.endswith("Also above their limits or to review: Near copies.")


def test_a_value_without_an_interval_has_none_in_its_reason() -> None:
    score = made("treatment.logistic.died", 5.4, 5.4, 5.4, better="lower", n=1_600)
    (found,) = judge(default_gates([score]), [score])
    assert found.status == "FAIL"
    assert found.reason == "The value misses the limit."
    census = made("validity.rules", 1.0, 1.0, 1.0)
    (found,) = judge(default_gates([census]), [census])
    assert (found.status, found.reason) == ("PASS", "The value meets the limit.")

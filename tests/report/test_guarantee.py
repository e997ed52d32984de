"""The report of a model with differential privacy: the guarantee, and an edition without figures of real rows."""

from __future__ import annotations

import json
from dataclasses import replace
from math import exp

import numpy as np
import pytest

import synthclin as sc
from synthclin.errors import ConfigError
from synthclin.report.datacard import croissant, data_card
from synthclin.report.record.guarantee_data import most_accurate, most_found
from synthclin.report.record.release import TableFile
from synthclin.schema import Schema
from tests.conftest import COLUMNS, toy_table
from tests.evaluation.conftest import spare

SCHEMA = Schema.model_validate({"columns": COLUMNS})
GUARANTEE = {
    "epsilon": 3.0,
    "delta": 1e-6,
    "unit": "patient",
    "at_most": 1,
    "rho": 0.185,
    "spent": 0.1849,
    "mechanism": "aim",
    "patients": 4_321,
    "patients_declared": True,
    "noise_share_columns": 0.02,
    "noise_share_pairs": 0.3,
    "fitted_rows": 50_000,
    "ledger": [{"what": "table of age", "rho": 0.1}, {"what": "two-way table", "rho": 0.0849}],
}


def real(seed: int):
    """Return a training and a holdout table of other patients than those of another seed."""
    table = toy_table(200).sample(frac=1, random_state=seed).reset_index(drop=True)
    rng = np.random.default_rng(seed)
    table["age"] = rng.integers(20 + 10 * seed, 90, len(table))
    table["bmi"] = np.round(rng.normal(20 + 5 * seed, 3, len(table)), 1)
    return table.head(110 + seed), table.tail(80)


def evaluated(seed: int, **changes):
    train, holdout = real(seed)
    with sc.progress.quiet():
        return sc.evaluate(
            toy_table(150), train=train, holdout=holdout, schema=SCHEMA, guarantee=GUARANTEE | changes, workers=1
        )


@pytest.fixture(scope="module", autouse=True)
def _short():
    with pytest.MonkeyPatch.context() as patch:
        spare(patch)
        yield


@pytest.fixture(scope="module")
def reports():
    return [evaluated(seed) for seed in (1, 2)]


def test_the_shareable_edition_does_not_depend_on_real_rows(reports):
    one, two = (report.shareable() for report in reports)
    assert reports[0].to_json() != reports[1].to_json()
    assert one.to_json() == two.to_json()
    assert one.to_html() == two.to_html()
    assert {score.name for score in one.scores} == {"validity.rules"}
    assert one.shareable() is one


def test_what_holdout_rows_reach_neither_decides_a_gate_nor_shows():
    """A rule that all synthetic rows, and the holdout rows of one report alone, break."""
    schema = Schema.model_validate(
        {"columns": COLUMNS, "constraints": [{"when": "age > 0", "then": "age < 20", "on_violation": "keep"}]}
    )
    train, holdout = real(1)
    reports = []
    for young in (False, True):
        other = holdout.assign(age=19) if young else holdout
        with sc.progress.quiet():
            reports.append(
                sc.evaluate(toy_table(150), train=train, holdout=other, schema=schema, guarantee=GUARANTEE, workers=1)
            )
    assert reports[0]["validity.rules"].reference != reports[1]["validity.rules"].reference
    assert reports[0].shareable().to_json() == reports[1].shareable().to_json()


def test_so_do_the_data_card_and_the_metadata(reports, tmp_path):
    path = tmp_path / "synthetic.csv"
    path.write_text("rows")
    file = TableFile.of(path, 150)
    cards = [data_card(report, SCHEMA, file) for report in reports]
    assert cards[0] == cards[1]
    assert "about 4 321 patients" in cards[0].replace("\u202f", " ")
    assert len({json.dumps(croissant(report, SCHEMA, file)) for report in reports}) == 1


def test_without_a_column_of_patients_the_unit_is_a_row(reports):
    assert "for each row" in reports[0].to_html()
    named = replace(reports[0], sections=reports[0].sections | {"guarantee": GUARANTEE | {"named": True}})
    assert "one patient: all rows" in named.to_html()


def test_both_editions_state_the_guarantee(reports):
    for report in (reports[0], reports[0].shareable()):
        page = report.to_html()
        assert "Epsilon 3, delta 1e-6" in page
        assert "table of age" in page
        assert "AIM" in page
    assert "not covered" in reports[0].to_html()
    assert "no figure of real" in reports[0].shareable().to_html().lower()
    statuses = {q["question"]: q["status"] for q in reports[0].to_dict()["questions"]}
    assert statuses["Is there a differential privacy guarantee?"] == "STATED"


def test_the_file_keeps_the_promise(reports, tmp_path):
    reports[0].save(tmp_path / "report.json")
    again = sc.Report.read(tmp_path / "report.json")
    assert again.to_html() == reports[0].to_html()
    assert again.shareable().to_json() == reports[1].shareable().to_json()


def audited(report, bound: float) -> str:
    audit = {"part": "tables", "claimed": 3.0, "bound": bound, "most": 5.6, "trials": 1_000}
    guarantee = report.sections["guarantee"] | {"audits": [audit]}
    return replace(report, sections=report.sections | {"guarantee": guarantee}).to_html()


def test_an_audit_is_shown_and_a_violation_said(reports):
    assert "does not refute" in audited(reports[0], 1.2)
    assert "The audit refutes" in audited(reports[0], 4.2)
    assert "was not audited" in reports[0].to_html()


def test_a_promise_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="guarantee"):
        evaluated(1, epsilon=-1.0)


@pytest.mark.parametrize(
    ("epsilon", "accuracy", "tpr"), [(0.1, 0.525, 0.011), (1, 0.731, 0.027), (3, 0.953, 0.201), (5, 0.993, 0.993)]
)
def test_epsilon_in_words_has_known_values(epsilon, accuracy, tpr):
    """Table of Kairouz, Oh & Viswanath's bound at delta 1e-5."""
    assert most_accurate(epsilon, 1e-5) == pytest.approx(accuracy, abs=6e-4)
    assert most_found(epsilon, 1e-5, 0.01) == pytest.approx(tpr, abs=6e-4)


def test_no_attack_on_randomised_response_exceeds_the_bound():
    """Randomised response with epsilon reaches both bounds and passes neither."""
    epsilon = 1.5
    right = exp(epsilon) / (1 + exp(epsilon))
    assert most_accurate(epsilon, 0.0) == pytest.approx(right)
    assert most_found(epsilon, 0.0, 1 - right) == pytest.approx(right)

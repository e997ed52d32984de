"""Audit of a model: membership inference detects overfitting that copies and distances miss; audits can be resumed."""

from __future__ import annotations

import dataclasses
import itertools
import stat
import struct

import numpy as np
import pytest
from sdmetrics.single_table import DCROverfittingProtection

from synthclin.cli import main
from synthclin.errors import ModelFormatError
from synthclin.evaluation.catalogue import names_of
from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.gates import MODEL_GATE, default_gates, judge
from synthclin.evaluation.privacy import ATTACKS
from synthclin.models import Checkpoint, ConditionalGAN
from synthclin.models.generator.training import plan_for
from synthclin.rules.validation import Finding
from synthclin.study.audit import SHADOWS, audit, release_check
from tests.ward import SCHEMA, ward

ROWS = 200


@pytest.fixture(scope="module")
def sides():
    both = ward(2 * ROWS, seed=1)
    return both.iloc[:ROWS].reset_index(drop=True), both.iloc[ROWS:].reset_index(drop=True)


def tiny(rows, **words):
    return ConditionalGAN(SCHEMA, effort="quick", width=8, blocks=0, device="cpu", **words).fit(rows)


@pytest.fixture(scope="module", autouse=True)
def _few_and_short():
    """Four shadow models of six epochs show what eight of forty would."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SHADOWS, "standard", 4)
        patch.setattr(
            "synthclin.models.families.gan.plan_for", lambda *size: dataclasses.replace(plan_for(*size), epochs=6)
        )
        yield


@pytest.fixture(scope="module")
def model(sides):
    return tiny(sides[0], random_state=3)


def without_end(rows, effort, warmup=True):
    plan = plan_for(rows, effort, warmup)
    plan = dataclasses.replace(plan, epochs=40, patience=10**6, validation=1, rate=0.01, decay=0.0)
    return dataclasses.replace(plan, folds=0)


def test_an_overfitted_model_is_detected_though_copies_and_distances_pass(sides, monkeypatch):
    train, holdout = sides
    falling = itertools.count()
    monkeypatch.setattr("synthclin.models.families.gan.plan_for", without_end)
    # No early stopping: every epoch counts as better than the one before.
    monkeypatch.setattr("synthclin.models.generator.likelihood.validation_nll", lambda *_: -float(next(falling)))
    model = ConditionalGAN(SCHEMA, effort="quick", width=128, blocks=2, dropout=0.0, random_state=3, device="cpu").fit(
        train
    )
    synthetic_table = model.sample(ROWS, random_state=1)
    by_model, proven = audit(model, synthetic_table, train=train, holdout=holdout)
    assert by_model.low > 0.9
    # So many pairs of patients prove nearly all that they can.
    assert proven.name == "privacy.epsilon_lower_bound"
    assert 1 < proven.value <= proven.details["most_certifiable"]
    assert judge([MODEL_GATE], [by_model])[0].status == "FAIL"
    tables = Comparison.of(synthetic_table, train=train, holdout=holdout, schema=SCHEMA)
    wanted = {"privacy.membership", "privacy.copies"}
    scores = [score for attack in ATTACKS[:3] if (score := attack(tables)).name in wanted]
    verdicts = {verdict.gate.score: verdict.status for verdict in judge(default_gates(scores), scores)}
    assert verdicts == {"privacy.copies": "PASS", "privacy.membership": "FAIL"}
    numbers = ["age", "bmi", "sbp", "dbp"]
    metadata = {"tables": {"t": {"columns": {name: {"sdtype": "numerical"} for name in numbers}}}}
    real, synthetic, holdout_values = (rows[numbers].astype(float) for rows in (train, synthetic_table, holdout))
    distances = DCROverfittingProtection.compute_breakdown(real, synthetic, holdout_values, metadata, "t")
    assert distances["score"] > 0.7  # of 1, where rows are no nearer to training rows than to holdout rows


def test_the_default_model_is_not_detected(sides, model):
    train, holdout = sides
    found, proven = audit(model, train, train=train, holdout=holdout)
    assert (found.name, proven.name) == names_of("model")
    assert proven.value < 0.5
    assert judge([MODEL_GATE], [found])[0].status != "FAIL"


@pytest.fixture(scope="module")
def findings():
    return []


@pytest.fixture(scope="module")
def standard(sides, model, findings):
    train, holdout = sides
    return audit(
        model,
        model.sample(ROWS, random_state=1),
        train=train,
        holdout=holdout,
        tier="standard",
        on_finding=findings.append,
    )


def test_shadow_models_are_trained_and_their_cost_is_reported_first(standard, findings):
    assert tuple(score.name for score in standard) == (*names_of("model"), *names_of("shadow models"))
    assert all(score.details["models"] == SHADOWS["standard"] for score in standard[2:])
    first, second = (finding.what for finding in findings)
    assert first.startswith("4 shadow models will take at most about ")
    assert second.startswith("3 more shadow models will take about ")
    assert all("--resume" in finding.remedy for finding in findings)


def test_an_interrupted_audit_is_resumed(sides, model, standard, tmp_path, monkeypatch):
    train, holdout = sides
    synthetic_table = model.sample(ROWS, random_state=1)
    real, fits = ConditionalGAN.fit, []

    def fit(self, rows, **words):
        if len(fits) == 3:
            raise KeyboardInterrupt
        fits.append(len(rows))
        return real(self, rows, **words)

    monkeypatch.setattr(ConditionalGAN, "fit", fit)
    kept = Checkpoint(tmp_path / "kept", every=0.0)
    monkeypatch.setattr("synthclin.models.checkpoints._COST", 0)
    with pytest.raises(KeyboardInterrupt), kept:
        audit(model, synthetic_table, train=train, holdout=holdout, tier="standard", workers=1, checkpoint=kept)
    assert set(fits) == {ROWS}  # half of all patients
    (state,) = (tmp_path / "kept").iterdir()
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    assert stat.S_IMODE(state.parent.stat().st_mode) == 0o700
    content = state.read_bytes()
    assert not any(struct.pack("<d", cell) in content for cell in train["bmi"].dropna().unique())
    fits.clear()
    monkeypatch.setattr(
        ConditionalGAN, "fit", lambda self, rows, **words: (fits.append(1), real(self, rows, **words))[1]
    )
    with kept:
        again = audit(model, synthetic_table, train=train, holdout=holdout, tier="standard", workers=1, checkpoint=kept)
    assert len(fits) == SHADOWS["standard"] - 3
    assert [score.value for score in again] == [score.value for score in standard]
    assert not (tmp_path / "kept").exists()


def test_the_checkpoint_of_another_audit_is_refused(sides, model, tmp_path, monkeypatch):
    train, holdout = sides
    kept = Checkpoint(tmp_path / "kept", every=0.0)
    kept.open({"table": b"another"})
    kept.offer(lambda: [np.zeros(0).tolist()])
    monkeypatch.setattr(ConditionalGAN, "fit", None)
    with pytest.raises(ModelFormatError, match="another training"):
        audit(model, train, train=train, holdout=holdout, tier="standard", workers=1, checkpoint=kept)


def test_too_few_patients_train_no_shadow_model(sides, model, monkeypatch):
    train, holdout = sides
    monkeypatch.setattr(ConditionalGAN, "fit", None)
    scores = audit(model, train, train=train, holdout=holdout.head(10), tier="full")
    assert all(np.isnan(score.value) for score in scores)


@pytest.mark.usefixtures("study")
def test_several_processes_train_no_shadow_models(monkeypatch, capsys):
    """Each shadow model would wait for processes that have ended by then."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert main(["run", "study.yaml", "--set", "privacy.audit=standard"]) == 2
    assert "privacy.audit" in capsys.readouterr().err


def test_a_release_check_counts_and_removes_nothing(sides):
    train, holdout = sides
    findings: list[Finding] = []
    tables = {"synthetic": train.head(7), "holdout_values": holdout}
    assert release_check(tables.items(), train, SCHEMA, findings.append) == {"synthetic": 7, "holdout_values": 0}
    assert [(finding.where, finding.count) for finding in findings] == [("table 'synthetic'", 7)]
    assert len(tables["synthetic"]) == 7
    assert release_check([], train, SCHEMA, findings.append) == {}

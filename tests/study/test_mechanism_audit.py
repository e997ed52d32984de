"""The audit of a guarantee: it does not refute what is kept, and refutes noise that is too small."""

from __future__ import annotations

import dataclasses
import json

import pytest

from synthclin.dp import private_table
from synthclin.dp.parameters import DifferentialPrivacy
from synthclin.study import mechanism_audit
from synthclin.study.mechanism_audit import audit_mechanism

pytest.importorskip("opendp")


@pytest.fixture(autouse=True)
def _few_runs(monkeypatch):
    """Select in fewer runs: these tests are of canaries."""
    monkeypatch.setattr(mechanism_audit, "_RUNS", 20)


@pytest.mark.parametrize(("epsilon", "quick"), [(1.0, True), (3.0, False), (10.0, True)])
def test_what_is_kept_is_not_refuted(epsilon, quick):
    found = audit_mechanism(DifferentialPrivacy(epsilon=epsilon, delta=1e-6), quick=quick)
    assert [each.part for each in found] == ["tables", "mechanism", "selection"]
    # A bound of a true epsilon exceeds it in fewer than 5 of 100 runs; here it lies far below.
    assert all(each.bound <= 0.7 * each.claimed or each.bound < 0.5 for each in found)
    assert not any(each.refutes for each in found)
    assert found[0].most > 5


def test_noise_that_is_too_small_is_refuted(monkeypatch, study, capsys):
    from synthclin.cli import main  # noqa: PLC0415 - heavy

    right = private_table.gaussian

    def small(rho, sensitivity):
        """Claim the cost of the right noise, and add a fifth of it."""
        return dataclasses.replace(right(25 * rho, sensitivity), cost=rho)

    monkeypatch.setattr(private_table, "gaussian", small)
    found = audit_mechanism(DifferentialPrivacy(epsilon=1.0, delta=1e-6), quick=True)
    assert found[0].refutes
    assert found[0].bound > 1.3
    study.config["protect"] = {"dp": {"epsilon": 1.0, "delta": 1e-6}}
    study.write()
    (study.folder / "data.csv").unlink()  # no real row is needed
    assert main(["audit-dp", str(study.path), "--json", "--set", "model.effort=quick"]) == 3
    assert json.loads(capsys.readouterr().out)["refuted"] is True
    assert main(["audit-dp", str(study.path), "--set", "model.effort=quick"]) == 3
    assert "REFUTED" in capsys.readouterr().out


def test_a_study_without_a_promise_has_no_audit(study, quiet):
    _, error = quiet("audit-dp", study.path, code=2)
    assert "protect.dp" in error

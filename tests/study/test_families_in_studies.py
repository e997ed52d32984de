"""Model families in studies: by one word, chosen by the table, or as a reference that leaves no model folder."""

from __future__ import annotations

import re

import pytest

from synthclin.report import Report
from synthclin.study import run
from synthclin.study.config import load
from synthclin.study.verify import verify

pytestmark = pytest.mark.usefixtures("two_scores")


def done(study, **model):
    study.config["model"] = model
    study.config["evaluation"] = {"utility": [{"task": "predict", "target": "died"}], "replicates": 1}
    findings = []
    run.run(load(study.write()), on_finding=findings.append)
    return Report.read(study.out / "report.json"), findings


def test_the_bootstrap_leaves_no_model_folder_and_says_so(study, quiet):
    report, findings = done(study, type="bootstrap")
    assert not (study.out / "model").exists()
    assert not (study.out / "datacard.md").exists()
    assert report.provenance["model"] == "bootstrap"
    (warning,) = (finding for finding in findings if finding.where == "model.type")
    assert "not for release" in warning.what
    assert verify(study.out).problems == ()
    assert report["privacy.model_membership"].value > 0.75
    _, error = quiet("fit", study.path, "-o", study.folder / "kept", code=2)
    assert "never written" in error
    assert not (study.folder / "kept").exists()
    _, error = quiet("export", study.out, "--for-sharing", "-o", study.folder / "shared", code=2)
    assert "model" in error


def test_auto_takes_the_targets_of_the_tasks_and_the_report_shows_the_choice(study):
    report, _ = done(study, type="auto", candidates=["independent", "mixture"])
    selection = report.sections["support"]["selection"]
    assert selection["chosen"] in {"independent", "mixture"}
    assert set(selection["trials"][0]["real"]) == {"died"}
    page = (study.out / "report.html").read_text("utf-8")
    assert "Candidates of the model family" in page
    shared = (study.out / "report-shareable.html").read_text("utf-8")
    assert "Candidates of the model family" not in shared
    text = (study.out / "model" / "model.json").read_text("utf-8")
    assert '"family": "auto"' in text
    assert "trials" not in text


@pytest.mark.parametrize("family", ["independent", "mixture"])
def test_a_family_is_one_word(study, family):
    report, _ = done(study, type=family)
    assert report["validity.rules"].value == 1
    found = report["classification.died"]
    assert found.low <= found.value <= found.high
    assert "The generative model as a classifier" in (study.out / "report.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("model", "match"),
    [
        ({"type": "oracle"}, "model.type.*no family 'oracle'"),
        ({"type": "mixture", "components": 0}, "model.components"),
        ({"type": "mixture", "effort": "quick"}, "model.effort"),
        ({"type": "independent", "random_state": 3}, "model.random_state.*set elsewhere"),
        ({"type": "auto", "seconds": -1}, "model.seconds"),
    ],
)
def test_a_wrong_block_is_one_error(study, quiet, model, match):
    study.config["model"] = model
    _, error = quiet("run", study.write(), "--dry-run", code=2)
    assert len(error.strip().splitlines()) <= 3
    assert re.search(match, error.replace("\n", " "))

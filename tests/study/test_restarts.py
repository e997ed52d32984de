"""A job that is started again by the same command: it continues, starts, or leaves a complete folder as it is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from synthclin.errors import DataError, OutputError
from synthclin.models import Checkpoint
from synthclin.models.generator import likelihood
from synthclin.study import manifest, run
from synthclin.study.audit import SHADOWS
from synthclin.study.config import load
from synthclin.study.verify import verify
from tests.killed import told_to_end

COMMAND = ("run", "study.yaml", "--resume", "--log-format", "json")


def bytes_of(folder: Path) -> dict[str, bytes]:
    """The files of a run folder but the manifest, which holds the seconds and a random key."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != manifest.FILE]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def notes(text: str) -> list[str]:
    lines = [json.loads(line) for line in text.splitlines() if line.startswith('{"time')]
    return [line["what"] for line in lines if line["event"] == "note"]


@pytest.fixture
def audited(study, monkeypatch, two_scores):
    """A study with two shadow models whose checkpoints are written at once."""
    del two_scores
    monkeypatch.setitem(SHADOWS, "standard", 2)
    monkeypatch.setattr(Checkpoint.__init__, "__defaults__", (0.0,))
    study.config |= {"privacy": {"audit": "standard"}, "evaluation": {"workers": 1, "replicates": 1}}
    study.write()
    return study


def test_told_to_end_in_every_stage_it_ends_with_the_bytes_of_one_run(audited, quiet):
    for stage, continues in (
        ("training", ["the training starts, without a checkpoint"]),
        ("audit", ["the training continues from its checkpoint"]),
        ("scoring", ["the training continues from its checkpoint", "the audit continues from its checkpoint"]),
    ):
        code, text = told_to_end(audited.folder, *COMMAND, at=stage)
        assert code == 130, text
        assert notes(text) == continues
        assert not audited.out.exists()
    out, err = quiet(*COMMAND)
    assert "written to runs/toy-7/" in out
    assert notes(err) == ["the training continues from its checkpoint", "the audit continues from its checkpoint"]
    assert sorted(path.name for path in audited.out.parent.iterdir()) == ["toy-7"]
    assert verify(audited.out).problems == ()
    restarted = bytes_of(audited.out)
    audited.out.rename(audited.folder / "restarted")
    quiet("run", "study.yaml")
    assert bytes_of(audited.out) == restarted


class TestACompleteFolder:
    @pytest.fixture
    def complete(self, study, finished, monkeypatch):
        """A study whose run folder is complete; nothing may be trained."""
        shutil.copytree(finished.out, study.out)
        monkeypatch.setattr(likelihood, "descend", lambda *_: pytest.fail("it trained"))
        return study

    def test_it_is_left_with_its_verdict(self, complete, quiet):
        before = {path: path.stat().st_mtime_ns for path in complete.out.rglob("*")}
        out, err = quiet("run", "study.yaml", "--resume")
        assert "PASS  fidelity.marginals >= 0" in out
        assert out.endswith("complete already: runs/toy-7/\n")
        assert err == ""
        result = json.loads(quiet("run", "study.yaml", "--resume", "--json")[0])
        assert (result["ran"], result["folder"], result["cohorts"][0]["name"]) == (False, "runs/toy-7", "women")
        assert {path: path.stat().st_mtime_ns for path in complete.out.rglob("*")} == before

    @pytest.mark.usefixtures("two_scores")
    def test_a_missed_gate_is_its_exit_code_again(self, study, quiet):
        study.config["gates"] = ["fidelity.marginals >= 1.0"]
        study.write()
        assert "written to" in quiet("run", "study.yaml", "--resume", code=3)[0]
        assert "complete already" in quiet("run", "study.yaml", "--resume", code=3)[0]

    def test_without_resume_it_is_refused_and_with_overwrite_replaced(self, complete, quiet):
        assert "exists already" in quiet("run", "study.yaml", code=2)[1]
        assert "complete already" in quiet("run", "study.yaml", "--resume", "--overwrite")[0]
        with pytest.raises(pytest.fail.Exception, match="it trained"):
            run.run(load(complete.path), overwrite=True)

    @pytest.mark.parametrize(
        ("change", "shown"),
        [
            (
                lambda study: study.config.update(seed=8, outputs={"folder": "runs/toy-7"}),
                "the keys outputs.folder, seed of the study",
            ),
            (lambda study: study.write(study.table().iloc[:-1]), "the real table"),
            (lambda study: (study.out / "metrics.jsonl").write_text(""), "files that were changed after the run"),
            (lambda study: (study.out / manifest.FILE).unlink(), "its manifest or study, which cannot be read"),
        ],
        ids=["study", "table", "files", "manifest"],
    )
    def test_another_folder_is_refused(self, complete, quiet, change, shown):
        change(complete)
        complete.write()
        _, err = quiet("run", "study.yaml", "--resume", code=2)
        assert err == (
            f"error: runs/toy-7: holds no complete run of this study: it differs in {shown}. "
            "Name another `outputs.folder`, or add --overwrite to run again.\n"
        )

    def test_the_number_of_processes_makes_no_difference(self, complete):
        complete.config["evaluation"] = {"workers": 7}
        assert not run.run(load(complete.write()), resume=True).ran

    def test_one_of_other_versions_is_refused(self, complete, monkeypatch):
        monkeypatch.setattr(manifest, "versions", lambda: manifest.read(complete.out).versions | {"torch": "9.0"})
        with pytest.raises(OutputError, match="differs in the version of torch"):
            run.run(load(complete.path), resume=True)

    def test_without_the_table_it_is_an_error(self, complete):
        (complete.folder / "data.csv").unlink()
        with pytest.raises(DataError, match="there is no such file"):
            run.run(load(complete.path), resume=True)

    def test_a_checkpoint_left_by_a_process_killed_at_its_very_end_is_removed(self, complete):
        place = complete.out.with_name(".toy-7.checkpoint")
        place.mkdir()
        (place / "training.safetensors").write_bytes(b"old")
        done = run.run(load(complete.path), resume=True)
        assert (done.ran, done.report.passed) == (False, True)
        assert not place.exists()

    @pytest.mark.usefixtures("two_scores")
    def test_a_run_without_json_cannot_say_its_verdict(self, study, quiet):
        study.config["outputs"] = {"report": ["html"], "folder": "runs/html"}
        study.write()
        quiet("run", "study.yaml", "--resume")
        _, err = quiet("run", "study.yaml", "--resume", code=2)
        assert "Add `json` to `outputs.report`." in err

"""Model release: only after an attack, with a model card, and without anything that sampling does not need."""

from __future__ import annotations

import json
import shutil
import stat

import pytest

from synthclin.cli import main
from synthclin.errors import ConfigError, GateError, ModelFormatError, OutputError
from synthclin.models import load
from synthclin.study import manifest
from synthclin.study.export import CARD, export

FILES = {"weights.safetensors", "model.json", "schema.yaml", "encoder.json", CARD}
REASON = "The ethics board agreed."
BAD = {
    "value": 0.7,
    "low": 0.65,
    "high": 0.75,
    "tpr_at_1_percent": 0.08,
    "tpr_at_10_percent": 0.31,
    "top_decile_outliers": 0.8,
}
GOOD = {"value": 0.5, "low": 0.46, "high": 0.54, "tpr_at_1_percent": 0.01, "tpr_at_10_percent": 0.1}


@pytest.fixture
def run(finished, tmp_path):
    return shutil.copytree(finished.out, tmp_path / "run")


def attacked(run, **found):
    """Write a result of the attack into the manifest."""
    path = run / manifest.FILE
    document = json.loads(path.read_text())
    document["attacks"][0].update(found)
    path.write_text(json.dumps(document))
    return run


def test_every_run_attacks_its_model(finished):
    (attack,) = manifest.read(finished.out).attacks
    assert attack.name == "privacy.model_membership"
    assert 0 < attack.low < attack.value < attack.high < 1
    assert attack.n == 40
    scores = {s["name"]: s["value"] for s in json.loads((finished.out / "report.json").read_text())["scores"]}
    assert scores[attack.name] == pytest.approx(attack.value)
    assert "Likelihood under the model" in (finished.out / "report.html").read_text(encoding="utf-8")


def test_a_model_that_passes_the_attack_is_shared(run, tmp_path):
    done = export(attacked(run, **GOOD), tmp_path / "out")
    assert (done.verdict.status, done.overridden) == ("PASS", False)
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    card = (tmp_path / "out" / CARD).read_text()
    assert "derives from personal data" in card
    assert "AUC 0.500 (0.460 to 0.540)" in card
    assert "120 training rows" in card
    assert "reason" not in card


@pytest.mark.parametrize(
    ("found", "status"), [(BAD, "FAIL"), (GOOD | {"high": 0.58}, "REVIEW"), (dict.fromkeys(BAD), "NOT ASSESSABLE")]
)
def test_a_model_that_does_not_pass_needs_a_reason(run, tmp_path, found, status):
    attacked(run, **found)
    with pytest.raises(GateError, match=f"is {status}") as refused:
        export(run, tmp_path / "out")
    assert refused.value.exit_code == 3
    assert not (tmp_path / "out").exists()
    done = export(run / "model", tmp_path / "out", reason=REASON)
    assert (done.verdict.status, done.overridden) == (status, True)
    card = (tmp_path / "out" / CARD).read_text()
    assert f"    {REASON}\n" in card
    assert f"**{status}**" in card


def test_the_copy_holds_only_what_sampling_needs(run, tmp_path):
    export(run, tmp_path / "out", reason=REASON)
    document = json.loads((tmp_path / "out" / "model.json").read_text())
    assert document["training"] == {}
    assert document["parameters"]["random_state"] == 0
    assert json.loads((run / "model" / "model.json").read_text())["parameters"]["random_state"] == 7
    sampled, before = (load(folder).sample(30, random_state=3) for folder in (tmp_path / "out", run / "model"))
    assert sampled.equals(before)
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "out").iterdir()} == {0o600}


def test_a_model_that_was_never_attacked_is_refused(run, tmp_path):
    shutil.copytree(run / "model", tmp_path / "model")
    for source in (tmp_path / "model", tmp_path, tmp_path / "absent"):
        with pytest.raises(ConfigError, match="not in a run folder"):
            export(source, tmp_path / "out", reason=REASON)
    document = json.loads((run / manifest.FILE).read_text())
    (run / manifest.FILE).write_text(json.dumps(document | {"attacks": []}))
    with pytest.raises(ConfigError, match="never attacked"):
        export(run, tmp_path / "out", reason=REASON)
    assert not (tmp_path / "out").exists()


def test_another_model_than_the_attacked_one_is_refused(run, tmp_path):
    attacked(run, **GOOD)
    weights = run / "model" / "weights.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ModelFormatError, match="not the file that was attacked"):
        export(run, tmp_path / "out")
    weights.unlink()
    (tmp_path / "elsewhere").write_bytes(content)
    weights.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ModelFormatError, match="symbolic link"):
        export(run, tmp_path / "out")


def test_links_and_existing_folders_are_not_overwritten(run, tmp_path):
    attacked(run, **GOOD)
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "thesis").write_text("years")
    (tmp_path / "link").symlink_to("theirs")
    for name in ("theirs", "link"):
        with pytest.raises(OutputError):
            export(run, tmp_path / name, overwrite=True)
    assert [path.name for path in (tmp_path / "theirs").iterdir()] == ["thesis"]


def test_a_reason_is_one_line_of_plain_text(run, tmp_path):
    export(run, tmp_path / "out", reason="fine\n\n# Verdict: PASS\n<script>\u202e")
    (line,) = [line for line in (tmp_path / "out" / CARD).read_text().splitlines() if "script" in line]
    assert line.startswith("    fine")
    for reason in ("", "  \n", "x" * 3_000):
        with pytest.raises(ConfigError, match="--override"):
            export(run, tmp_path / "other", reason=reason)


def test_the_command(run, tmp_path, capsys):
    attacked(run, **BAD)
    out = str(tmp_path / "out")
    assert main(["export", str(run), "-o", out]) == 2
    assert main(["export", str(run), "--for-sharing", "-o", out]) == 3
    assert "AUC 0.700" in capsys.readouterr().err
    assert main(["export", str(run), "--for-sharing", "-o", out, "--override", REASON]) == 0
    assert "overridden" in capsys.readouterr().out

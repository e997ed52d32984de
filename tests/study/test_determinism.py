"""The same config gives the same bytes, in another process and with another number of threads."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys

import pandas as pd
import pytest

from synthclin.cli import main
from synthclin.evaluation import scoring
from synthclin.models.families import gan
from synthclin.study.export import export
from tests.killed import killed_while_training

CANARY = "ZZ_CANARY_7391"
NUMBER = 8271934.625


# Every phase of training, in few steps. Equality of all scores is tested with the scores.
FEW = """
import dataclasses, sys
from synthclin.cli import main
from synthclin.evaluation import scoring
from synthclin.models.families import gan
from synthclin.models.generator.training import plan_for
scoring.SCORES = scoring.SCORES[:2]
gan.plan_for = lambda *size: dataclasses.replace(plan_for(*size), epochs=6, adversarial=6)
sys.exit(main(sys.argv[1:]))
"""


def run(folder: str) -> list[str]:
    return ["run", "study.yaml", "--set", f"outputs.folder={folder}"]


def test_two_processes_write_the_same_bytes(study, monkeypatch):
    """All files but the manifest, which holds the seconds, are equal."""
    study.config["model"] |= {"effort": "standard", "width": 8}
    study.write()
    environment = os.environ | {"OMP_NUM_THREADS": "2", "PYTHONHASHSEED": "2"}
    command = [sys.executable, "-c", FEW, *run("two")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment, cwd=study.folder) as other:
        # The same program here, on one thread and with another seed of hashes.
        monkeypatch.setattr(scoring, "SCORES", scoring.SCORES)
        monkeypatch.setattr(gan, "plan_for", gan.plan_for)
        monkeypatch.setattr(sys, "argv", ["synthclin", *run("one")])
        with pytest.raises(SystemExit, match="0"):
            exec(FEW, {})
        _, err = other.communicate(timeout=300)
    assert other.returncode == 0, err
    names = ["synthetic.parquet", "cohorts/women.parquet", "report.json", "report.html", "metrics.jsonl"]
    names += ["model/weights.safetensors", "model/encoder.json", "model/model.json", "model/schema.yaml"]
    differ = [n for n in names if (study.folder / "one" / n).read_bytes() != (study.folder / "two" / n).read_bytes()]
    assert differ == []


def test_a_canary_is_in_no_file_and_no_message(study, capfd):
    """A rare level, an identifier, a diary and an extreme, each of one patient alone."""
    study.config["schema"]["columns"] |= {
        "diary": {"type": "text"},
        "ward": {"type": "category"},
        "crp": {"type": "number", "scale": "log"},
    }
    table = study.table()
    table["diary"] = [f"{CANARY} {i}" for i in range(len(table))]
    table["ward"] = ["north", "south"] * (len(table) // 2)
    table["crp"] = table["age"] / 7.0
    for row in (0, 1, 2, 3):  # one of them at least is a training row
        table.loc[row, "patient"] = f"{CANARY}{row}"
        table.loc[row, "ward"] = f"{CANARY}_{row}"
        table.loc[row, "crp"] = NUMBER + row
    study.config["privacy"] = {"release_check": True}
    study.write(table)
    output = killed_while_training(study.folder, "--set", "outputs.folder=broken")
    kept = study.folder / ".broken.checkpoint"
    assert kept.is_dir()
    assert main([*run("out"), "--log-format", "json"]) in (0, 3)
    output += "".join(capfd.readouterr())
    export(study.folder / "out", study.folder / "shared", reason="to look into it")
    assert CANARY not in output
    assert "827193" not in output
    assert json.loads((study.folder / "out" / "manifest.json").read_text())["rows"]["train"] == 120
    # What the killed run left, its stage among it, is looked at too.
    written = [path for path in study.folder.rglob("*") if path.name not in {"data.csv", "study.yaml"}]
    wanted = {"manifest.json", "MODEL_CARD.md", "report.html", "training.safetensors"}
    assert wanted <= {path.name for path in written}
    for path in written:
        if path.is_file():
            content = path.read_bytes()
            assert CANARY.encode() not in content, path.name
            assert b"827193" not in content, path.name
            for kind in ("<d", "<f"):
                assert not any(struct.pack(kind, NUMBER + row) in content for row in range(4)), path.name
    left = {path.name for path in study.folder.iterdir() if not path.name.startswith(".broken.partial-")}
    assert left == {"data.csv", "study.yaml", "out", "shared", kept.name}
    for path in (study.folder / "out").rglob("*.parquet"):
        synthetic = pd.read_parquet(path)
        assert not {CANARY in str(cell) for cell in synthetic[["patient", "ward"]].to_numpy().ravel()} - {False}
        assert not set(synthetic["crp"]) & {NUMBER + row for row in range(4)}

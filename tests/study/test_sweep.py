"""A sweep: cells are ordinary runs, complete ones are kept, failed ones are recorded, and a page tells all of them."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shlex
import shutil
import signal
import sys
from pathlib import Path

import pytest
import yaml

from synthclin.cli import main
from synthclin.errors import ConfigError, DataError
from synthclin.evaluation import validity
from synthclin.evaluation.fidelity import detection, marginals, pairs
from synthclin.models import Checkpoint
from synthclin.progress import quiet
from synthclin.study import run as study_run
from synthclin.study import sweep_cells
from synthclin.study.config import load, load_sweep
from synthclin.study.sweep import dry_run, sweep
from synthclin.study.sweep_cells import run_cell, state_of
from synthclin.study.verify import verify
from tests.conftest import toy_config, toy_table
from tests.killed import killed_while_training
from tests.short import short_trainings

TINY = {"type": "gan", "effort": "quick", "device": "cpu", "width": 8, "blocks": 0, "name": "tiny"}
GRID = {
    "version": 1,
    "name": "grid",
    "sweep": {
        "studies": ["study.yaml"],
        "models": [{"type": "independent"}, TINY],
        "seeds": [0, 3],
        "set": {"evaluation.replicates": 1, "sampling.cohorts": []},
    },
}
FEW = (validity.rules, marginals.marginals, pairs.pairs, detection.logistic_detection)
"""The scores of these cells: the sweep is the same for all."""

CELLS = ["toy-independent-0", "toy-independent-3", "toy-tiny-0", "toy-tiny-3"]
forks = pytest.mark.skipif(sys.platform != "linux", reason="cells run one after the other where processes cannot fork")


def written(document, name="sweep.yaml"):
    Path(name).write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")
    return name


def changed(**blocks):
    """The grid with keys of its block `sweep` replaced; None removes one."""
    grid = {key: value for key, value in (GRID["sweep"] | blocks).items() if value is not None}
    return GRID | {"sweep": grid}


def lines_of(folder):
    """The lines of the cells without what depends on the machine."""
    lines = [json.loads(line) for line in (Path(folder) / "cells.jsonl").read_text("utf-8").splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


def reports_of(folder):
    return {name: (Path(folder) / "cells" / name / "report.json").read_bytes() for name in CELLS}


@pytest.fixture(scope="module", autouse=True)
def _short():
    with pytest.MonkeyPatch.context() as patch:
        short_trainings(patch)
        yield


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A sweep that two workers have run; its folder is copied by whoever changes it."""
    home = tmp_path_factory.mktemp("sweep")
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr("synthclin.evaluation.scoring.SCORES", FEW)
    (home / "study.yaml").write_text(yaml.safe_dump(toy_config(), sort_keys=False), "utf-8")
    toy_table().to_csv(home / "data.csv", index=False)
    here = Path.cwd()
    os.chdir(home)
    try:
        with quiet():
            return dataclasses.replace(sweep(written(GRID), overrides=["sweep.workers=2"]), folder=home)
    finally:
        os.chdir(here)
        monkeypatch.undo()


@pytest.fixture
def home(done, tmp_path, monkeypatch):
    """A copy of that sweep, which is the current folder."""
    shutil.copytree(done.folder, tmp_path / "home")
    monkeypatch.chdir(tmp_path / "home")
    monkeypatch.setattr("synthclin.progress.PLAIN_EVERY", float("inf"))
    monkeypatch.setattr("synthclin.evaluation.scoring.SCORES", FEW)
    return tmp_path / "home"


@pytest.mark.usefixtures("home")
class TestCells:
    def test_every_study_has_every_model_and_seed(self, done):
        assert sorted(path.name for path in Path("runs/grid/cells").iterdir()) == CELLS
        assert sorted(path.name for path in Path("runs/grid").iterdir()) == ["cells", "cells.jsonl", "index.html"]
        assert (done.ran, done.failed) == (4, ())

    def test_each_is_an_ordinary_run(self):
        assert [verify(Path("runs/grid/cells", name)).problems for name in CELLS] == [()] * 4
        alone = load("study.yaml", [f"model={TINY | {'name': None}}".replace(", 'name': None", "")])
        config = load_sweep("sweep.yaml").cells[3].config
        assert config.model == alone.model
        assert (config.seed, config.evaluation.replicates, config.sampling.cohorts) == (3, 1, ())
        with quiet():
            study_run.run(config.model_copy(update={"outputs": config.outputs.model_copy(update={"folder": "alone"})}))
        found = [Path(folder, "report.json").read_bytes() for folder in ("alone", "runs/grid/cells/toy-tiny-3")]
        assert found[0] == found[1]

    def test_any_number_of_workers_writes_the_same_bytes(self):
        before, index = reports_of("runs/grid"), Path("runs/grid/index.html").read_bytes()
        lines = lines_of("runs/grid")
        shutil.rmtree("runs")
        with quiet():
            sweep("sweep.yaml", overrides=["sweep.workers=1"])
        assert lines_of("runs/grid") == lines
        assert Path("runs/grid/index.html").read_bytes() == index
        assert reports_of("runs/grid") == before

    def test_complete_cells_are_not_run_again(self):
        index, lines = (Path("runs/grid", name).read_bytes() for name in ("index.html", "cells.jsonl"))
        times = [Path("runs/grid/cells", name, "report.json").stat().st_mtime_ns for name in CELLS]
        with quiet():
            assert sweep("sweep.yaml").ran == 0
        assert [Path("runs/grid", name).read_bytes() for name in ("index.html", "cells.jsonl")] == [index, lines]
        assert [Path("runs/grid/cells", name, "report.json").stat().st_mtime_ns for name in CELLS] == times

    @pytest.mark.parametrize("harm", ["absent", "altered", "unreadable", "extra"])
    def test_a_cell_that_is_not_complete_is_run_again(self, harm):
        place, before = Path("runs/grid/cells/toy-independent-3"), reports_of("runs/grid")
        if harm == "absent":
            shutil.rmtree(place)
        elif harm == "altered":
            (place / "report.json").write_text((place / "report.json").read_text().replace("toy", "boy"))
        elif harm == "extra":
            (place / "note.txt").write_text("mine")
        else:
            (place / "manifest.json").write_text('{"synthclin": ')
        states = [state_of(cell) for cell in load_sweep("sweep.yaml").cells]
        assert states == ["complete", "to run" if harm == "absent" else "outdated", "complete", "complete"]
        with quiet():
            assert sweep("sweep.yaml").ran == 1
        assert reports_of("runs/grid") == before

    def test_a_changed_table_or_value_makes_cells_run_again(self):
        text = Path("data.csv").read_text("utf-8")
        Path("data.csv").write_text(text.replace(",F,", ",M,", 1), "utf-8")
        assert {state_of(cell) for cell in load_sweep("sweep.yaml").cells} == {"outdated"}
        Path("data.csv").write_text(text, "utf-8")
        assert {state_of(cell) for cell in load_sweep("sweep.yaml").cells} == {"complete"}
        more = written(changed(set={"evaluation.replicates": 2, "sampling.cohorts": []}))
        assert {state_of(cell) for cell in load_sweep(more).cells} == {"outdated"}
        wider = written(changed(models=[{"type": "independent"}, TINY | {"width": 9}]))
        assert [state_of(cell) for cell in load_sweep(wider).cells] == ["complete"] * 2 + ["outdated"] * 2

    def test_the_folder_of_somebody_else_is_refused(self):
        place = Path("runs/grid/cells/toy-independent-3")
        shutil.rmtree(place)
        place.mkdir()
        (place / "thesis.tex").write_text("mine")
        with quiet():
            (failed,) = sweep("sweep.yaml").failed
        assert failed.failure.what == "holds files that are no output of synthclin"
        assert (place / "thesis.tex").read_text() == "mine"


@pytest.mark.usefixtures("home")
class TestLines:
    def test_a_line_says_what_was_run_and_what_came_of_it(self):
        lines = lines_of("runs/grid")
        assert sorted(line["cell"] for line in lines) == CELLS
        (tiny,) = [line for line in lines if line["cell"] == "toy-tiny-3"]
        assert (tiny["table"], tiny["model"], tiny["family"], tiny["seed"]) == ("toy", "tiny", "gan", 3)
        assert (tiny["parameters"]["width"], tiny["parameters"]["type"]) == (8, "gan")
        assert (tiny["status"], tiny["error"], tiny["folder"]) == ("complete", None, "cells/toy-tiny-3")
        assert tiny["gates"][0]["gate"] == "fidelity.marginals >= 0"
        report = json.loads(Path("runs/grid/cells/toy-tiny-3/report.json").read_text("utf-8"))
        scores = {score["name"]: score["value"] for score in report["scores"]}
        assert {name: score["value"] for name, score in tiny["scores"].items()} == scores
        assert tiny["rows"] == {"train": 120, "holdout": 40, "synthetic": 90}

    def test_the_page_needs_no_script_and_no_network_and_links_the_reports(self):
        page = Path("runs/grid/index.html").read_text("utf-8")
        assert "<script" not in page
        assert re.findall(r"(?:href|src)=\"([^\"]*)\"", page) == [
            f"cells/{line['cell']}/report.html" for line in lines_of("runs/grid")
        ]
        assert all(Path("runs/grid", line["folder"], "report.html").is_file() for line in lines_of("runs/grid"))
        assert "P0001" not in page


@pytest.mark.usefixtures("home")
class TestFailures:
    @pytest.mark.parametrize("workers", [1, pytest.param(2, marks=forks)])
    def test_a_cell_that_fails_is_recorded_and_the_others_go_on(self, workers, monkeypatch, capsys):
        run = study_run.run

        def failing(config, **words):
            if config.seed == 3 and config.model.type == "gan":
                raise DataError("column 'age'", "9 rows are wrong", "Correct them.")
            if config.seed == 3:
                raise ValueError("P0007 is 83")
            return run(config, **words)

        monkeypatch.setattr(sweep_cells.study_run, "run", failing)
        assert main(["run", "sweep.yaml", "--overwrite", "--set", f"sweep.workers={workers}"]) == 1
        out = capsys.readouterr().out
        lines = lines_of("runs/grid")
        assert [line["status"] for line in lines] == ["failed", "failed", "complete", "complete"]
        own, known = lines[0]["error"], lines[1]["error"]
        assert known == {"where": "column 'age'", "what": "9 rows are wrong", "remedy": "Correct them."}
        assert own["what"] == "internal error: ValueError"
        (alone,) = re.findall(r"synthclin (run .+)$", own["remedy"])
        assert main([*shlex.split(alone), "--dry-run", "--json"]) == 0
        plan = json.loads(capsys.readouterr().out)
        assert (plan["seed"], plan["model"]["type"], plan["cohorts"]) == (3, "independent", [])
        page = Path("runs/grid/index.html").read_text("utf-8")
        assert "9 rows are wrong" in page
        assert not any("P0007" in text for text in (page, out, json.dumps(lines)))
        assert "toy-tiny-3: column 'age': 9 rows are wrong. Correct them." in out
        assert "2 cells complete, 2 failed, 4 run now" in out

    @forks
    def test_a_killed_worker_ends_what_was_not_finished(self, monkeypatch, capsys):
        shutil.rmtree("runs/grid/cells/toy-tiny-0")
        shutil.rmtree("runs/grid/cells/toy-tiny-3")
        monkeypatch.setattr("synthclin.study.sweep.run_cell", lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
        assert main(["run", "sweep.yaml", "--set", "sweep.workers=2", "--json"]) == 1
        told = json.loads(capsys.readouterr().out)
        assert [cell["status"] for cell in told["cells"]] == ["failed", "failed", "complete", "complete"]
        assert "sweep.workers=1" in told["cells"][0]["error"]["remedy"]

    def test_an_interrupted_cell_is_resumed(self, home, capsys):
        before = reports_of("runs/grid")
        shutil.rmtree("runs/grid/cells/toy-tiny-0")
        killed_while_training(home, "--set", "sweep.workers=1", study="sweep.yaml")
        assert not Path("runs/grid/cells/toy-tiny-0").exists()
        assert Path("runs/grid/cells/.toy-tiny-0.checkpoint").is_dir()
        assert main(["run", "sweep.yaml", "--dry-run", "--json"]) == 0
        states = {cell["cell"]: cell["state"] for cell in json.loads(capsys.readouterr().out)["cells"]}
        assert states == dict.fromkeys(CELLS, "complete") | {"toy-tiny-0": "unfinished"}
        with quiet():
            assert sweep("sweep.yaml").ran == 1
        assert reports_of("runs/grid") == before
        assert sorted(path.name for path in Path("runs/grid/cells").iterdir()) == CELLS

    def test_a_checkpoint_of_another_training_begins_anew(self):
        cell = load_sweep("sweep.yaml").cells[2]
        before = reports_of("runs/grid")
        shutil.rmtree(cell.config.folder)
        checkpoint = Checkpoint.beside(cell.config.folder)
        checkpoint.folder.mkdir()
        (checkpoint.folder / "training.safetensors").write_bytes(b"nothing of use")
        assert state_of(cell) == "unfinished"
        assert run_cell(cell, resume=True) is None
        assert reports_of("runs/grid") == before
        assert not checkpoint.folder.exists()

    def test_a_missed_gate_is_a_status_and_no_exit_code(self, capsys):
        Path("study.yaml").write_text(
            yaml.safe_dump(toy_config() | {"gates": ["fidelity.marginals >= 0.999"]}, sort_keys=False), "utf-8"
        )
        grid = written(changed(models=[{"type": "independent"}], seeds=[0]))
        assert main(["run", grid, "--set", "name=strict"]) == 0
        assert "toy-independent-0  1 FAIL" in capsys.readouterr().out
        assert main(["run", "study.yaml", "--set", "model={type: independent}", "--set", "sampling.cohorts=[]"]) == 3


class TestDocuments:
    def test_a_dry_run_lists_the_cells_and_writes_nothing(self, study, capsys):
        assert main(["run", written(GRID), "--dry-run"]) == 0
        out = capsys.readouterr().out
        assert [line.split()[0] for line in out.splitlines() if line.startswith("toy-")] == CELLS
        assert "grid: 4 cells, 4 to run" in out
        assert sorted(path.name for path in study.folder.iterdir()) == ["data.csv", "study.yaml", "sweep.yaml"]
        plan = dry_run(load_sweep("sweep.yaml", ["sweep.workers=7"]))
        assert (plan["workers"], plan["folder"]) in {(4, "runs/grid"), (1, "runs/grid")}
        assert {cell["state"] for cell in plan["cells"]} == {"to run"}

    @pytest.mark.usefixtures("study")
    def test_cells_are_named_by_what_is_written(self):
        models = [
            {"type": "gan", "effort": "quick", "dropout": 0.25},
            {"type": "gan", "warmup": False},
            {"type": "gan", "name": "best"},
        ]
        cells = load_sweep(written(changed(models=models, seeds=None))).cells
        assert [cell.name for cell in cells] == ["toy-gan-quick-dropout-0-25-0", "toy-gan-warmup-false-0", "toy-best-0"]

    @pytest.mark.usefixtures("study")
    def test_a_study_that_writes_no_json_has_one_in_a_sweep(self):
        config = toy_config() | {"outputs": {"report": ["md"], "editions": ["shareable"]}}
        Path("study.yaml").write_text(yaml.safe_dump(config), "utf-8")
        outputs = load_sweep(written(GRID)).cells[0].config.outputs
        assert (outputs.report, outputs.editions) == (("md", "html", "json"), ("shareable", "internal"))

    @pytest.mark.parametrize(
        ("document", "where", "what", "remedy"),
        [
            (changed(moodels=[]), "sweep.yaml: sweep.moodels", "unknown key", "Did you mean 'models'?"),
            (GRID | {"output": {}}, "sweep.yaml: output", "unknown key", "Did you mean 'outputs'?"),
            (GRID | {"seed": 3}, "sweep.yaml: seed", "a key of a study", "`sweep.set`"),
            (GRID | {"gates": []}, "sweep.yaml: gates", "a key of a study", "`sweep.set`"),
            (GRID | {"sweep": []}, "sweep.yaml: sweep", "", ""),
            (GRID | {"sweep": None}, "sweep.yaml: sweep", "", ""),
            (changed(studies=None), "sweep.yaml: sweep.studies", "not given", ""),
            (changed(studies=[]), "sweep.yaml: sweep.studies", "the list is empty", "at least one"),
            (changed(studies=["stduy.yaml"]), "sweep.yaml: sweep.studies[0]: stduy.yaml", "", ""),
            (
                changed(studies=["sweep.yaml"]),
                "sweep.yaml: sweep.studies[0]: sweep.yaml",
                "a sweep of several",
                "alone",
            ),
            (changed(studies=["study.yaml"] * 2), "sweep.yaml: sweep.studies[1]", "another cell is called", "`name`"),
            (changed(models=None), "sweep.yaml: sweep.models", "not given", ""),
            (changed(models=[{"type": "gann"}]), "sweep.yaml: sweep.models[0].type", "'gann'", "Did you mean 'gan'?"),
            (changed(models=[{"effort": "quick"}]), "sweep.yaml: sweep.models[0].type", "not given", ""),
            (changed(models=[{"type": "gan", "effrt": 1}]), "sweep.yaml: sweep.models[0].effrt", "unknown", "'effort'"),
            (changed(models=[{"type": "gan", "effort": "x"}]), "sweep.yaml: sweep.models[0].effort", "", ""),
            (changed(models=[{"type": "gan", "name": "A b"}]), "sweep.yaml: sweep.models[0].name", "", "ward-2"),
            (
                changed(models=[TINY, dict(TINY)]),
                "sweep.yaml: sweep.models[1]",
                "another model is called 'tiny'",
                "`name`",
            ),
            (
                changed(models=[{"type": "gan", "random_state": 1}]),
                "sweep.yaml: sweep.models[0].random_state",
                "this is set elsewhere",
                "`sweep.seeds`",
            ),
            (changed(seeds=[1, 1]), "sweep.yaml: sweep.seeds[1]", "another seed", "Remove one"),
            (changed(seeds=[-1]), "sweep.yaml: sweep.seeds[0]", "", ""),
            (changed(seeds=[]), "sweep.yaml: sweep.seeds", "the list is empty", "at least one"),
            (changed(workers=0), "sweep.yaml: sweep.workers", "", ""),
            (changed(set={"seed": 1}), "sweep.yaml: sweep.set.seed", "a sweep sets this itself", "`sweep.seeds`"),
            (changed(set={"model.effort": "quick"}), "sweep.yaml: sweep.set.model.effort", "itself", "`sweep.models`"),
            (changed(set={"outputs": {"folder": "x"}}), "sweep.yaml: sweep.set.outputs", "itself", "`outputs.folder`"),
            (changed(set={"evaluation.replicats": 1}), "sweep.yaml: sweep.set.evaluation.replicats", "unknown key", ""),
            (changed(set={"evaluation.replicates": 0}), "sweep.yaml: sweep.set.evaluation.replicates", "", ""),
            (GRID | {"outputs": {"folder": "x/{seed}"}}, "sweep.yaml: outputs.folder", "several seeds", "`{seed}`"),
            (changed(set={"": 0}), "sweep.yaml: sweep.set", "a key is empty", "`evaluation.replicates`"),
        ],
    )
    def test_what_is_wrong_is_named_before_anything_is_run(self, study, document, where, what, remedy, capsys):
        with pytest.raises(ConfigError) as caught:
            load_sweep(written(document))
        assert caught.value.where.startswith(where)
        assert what in caught.value.what
        assert remedy in caught.value.remedy
        assert main(["run", "sweep.yaml"]) == 2
        assert str(caught.value) in capsys.readouterr().err
        assert not (study.folder / "runs").exists()

    def test_a_wrong_study_is_named(self, study):
        study.config["modl"] = {}
        study.write()
        with pytest.raises(ConfigError, match=re.escape("sweep.yaml: sweep.studies[0]: study.yaml: modl: unknown key")):
            load_sweep(written(GRID))

    def test_an_absent_table_is_named_before_anything_is_run(self, study, capsys):
        (study.folder / "data.csv").unlink()
        assert main(["run", written(GRID)]) == 2
        assert "data.csv: there is no such file" in capsys.readouterr().err
        assert not (study.folder / "runs").exists()

    @pytest.mark.usefixtures("study")
    def test_overrides_of_a_loaded_sweep_are_refused(self):
        with pytest.raises(ConfigError, match="loaded already"):
            sweep(load_sweep(written(GRID)), overrides=["sweep.workers=1"])

    def test_a_sweep_stands_anywhere(self, study, monkeypatch):
        (study.folder / "here").mkdir()
        (study.folder / "plans").mkdir()
        monkeypatch.chdir(study.folder / "here")
        grid = load_sweep(written(changed(studies=["../study.yaml"]), "../plans/sweep.yaml"))
        assert {Path(cell.config.data.source).resolve() for cell in grid.cells} == {study.folder / "data.csv"}
        assert grid.cells[0].config.folder == Path("runs/grid/cells/toy-independent-0")

    @pytest.mark.usefixtures("study")
    def test_other_commands_refuse_a_sweep(self, capsys):
        assert main(["fit", written(GRID), "-o", "model"]) == 2
        assert "this is a sweep of several studies, not a study" in capsys.readouterr().err

    def test_the_shipped_sweep_is_one(self):
        grid = load_sweep(Path(__file__).parents[2] / "configs" / "sweep.yaml")
        assert len(grid.cells) == 18
        assert {cell.study for cell in grid.cells} == {"heart-disease", "actg175"}

"""The engine of a run, a sweep and an evaluation: one word in the YAML file or on the command line."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from synthclin.parallel import ray_cluster
from synthclin.parallel.local_engine import LocalEngine


@pytest.fixture
def asked(monkeypatch):
    """The numbers of workers for which a cluster was asked; none is started."""
    found = []

    @contextmanager
    def cluster(workers):
        found.append(workers)
        yield LocalEngine()

    monkeypatch.setattr(ray_cluster, "cluster", cluster)
    return found


@pytest.fixture
def tiny(study):
    study.config |= {"model": {"type": "independent"}, "sampling": {"rows": 60}, "gates": []}
    study.config["evaluation"] = {"replicates": 1}
    study.write()
    return study


@pytest.mark.usefixtures("two_scores")
def test_a_run_asks_for_one_cluster(tiny, asked, quiet):
    quiet("run", tiny.path, "--quiet")
    quiet("run", tiny.path, "--quiet", "--overwrite", "--engine", "local")
    assert asked == []
    quiet("run", tiny.path, "--quiet", "--overwrite", "--engine", "ray")
    assert asked == [None]
    assert "engine" not in yaml.safe_load((tiny.out / "config.yaml").read_text())
    tiny.config |= {"engine": "ray", "evaluation": {"replicates": 1, "workers": 3}}
    tiny.write()
    quiet("run", tiny.path, "--quiet", "--overwrite")
    assert asked == [None, 3]
    quiet("run", tiny.path, "--quiet", "--overwrite", "--engine", "local")
    quiet("run", tiny.path, "--quiet", "--overwrite", "--set", "evaluation.workers=1")  # nothing runs in parallel
    assert asked == [None, 3]


@pytest.mark.usefixtures("two_scores")
def test_a_sweep_asks_for_one_cluster_whatever_its_studies_say(tiny, asked, quiet):
    tiny.config["engine"] = "ray"
    tiny.write()
    grid = {"studies": ["study.yaml"], "models": [{"type": "independent"}], "seeds": [1, 2], "workers": 2}
    sweep = {"version": 1, "name": "grid", "sweep": grid}
    Path("sweep.yaml").write_text(yaml.safe_dump(sweep))
    quiet("run", "sweep.yaml", "--quiet")
    assert asked == []
    quiet("run", "sweep.yaml", "--quiet", "--engine", "ray")  # nothing is left to run
    assert asked == []
    quiet("run", "sweep.yaml", "--quiet", "--engine", "ray", "--overwrite")
    assert asked == [2]
    grid["set"] = {"engine": "ray"}
    Path("sweep.yaml").write_text(yaml.safe_dump(sweep))
    assert "sweep.set.engine" in quiet("run", "sweep.yaml", code=2)[1]


@pytest.mark.usefixtures("two_scores")
def test_an_evaluation_asks_for_a_cluster(tiny, asked, quiet):
    quiet("run", tiny.path, "--quiet", "--set", "outputs.table=csv")
    schema = Path("schema.yaml")
    schema.write_text(yaml.safe_dump(tiny.config["schema"]))
    for words, found in (((), []), (("--engine", "ray"), [None])):
        table = tiny.out / "synthetic.csv"
        quiet("evaluate", table, "--train", "data.csv", "--schema", schema, "--quiet", *words)
        assert asked == found


def test_an_engine_that_does_not_exist_is_refused(tiny, quiet):
    assert "dask" in quiet("run", tiny.path, "--engine", "dask", code=2)[1]
    tiny.config["engine"] = "dask"
    tiny.write()
    assert "engine" in quiet("run", tiny.path, code=2)[1]

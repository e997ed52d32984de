"""A toy study: a small table, its schema and a config, fast enough to run in a test."""

from __future__ import annotations

import dataclasses
import gc
import os
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

# Before numpy and torch load: two test workers with a thread pool each would wait for one another on two cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import settings

# The same examples every time: a test that fails now and then makes people run it again.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect tests without garbage collection, of which modules and tests stay left out: a third of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


COLUMNS: dict[str, Any] = {
    "patient": {"type": "id"},
    "age": {"type": "integer", "range": [18, 95]},
    "sex": {"type": "category", "categories": ["F", "M"]},
    "bmi": {"type": "number", "range": [10, 80], "decimals": 1, "missing": "allowed"},
    "stage": {"type": "ordinal", "categories": ["I", "II", "III"]},
    "died": {"type": "boolean", "values": [0, 1]},
}


def toy_table(rows: int = 160) -> pd.DataFrame:
    """Return `rows` invented patients whose columns depend on each other."""
    rng = np.random.default_rng(20261122)
    age = rng.integers(30, 90, rows)
    sex = rng.choice(["F", "M"], rows)
    bmi = np.round(22 + 3 * (sex == "M") + rng.normal(0, 3, rows), 1)
    died = (rng.random(rows) < (age - 25) / 100).astype(int)
    stage = np.array(["I", "II", "III"])[np.clip(rng.integers(0, 3, rows) + died - 1, 0, 2)]
    table = pd.DataFrame(
        {
            "patient": [f"P{i:04d}" for i in range(rows)],
            "age": age,
            "sex": sex,
            "bmi": bmi,
            "stage": stage,
            "died": died,
        }
    )
    table.loc[rng.random(rows) < 0.15, "bmi"] = np.nan
    return table


@dataclasses.dataclass
class Study:
    """A folder with `data.csv` and `study.yaml`; the run would be written below `runs/`."""

    folder: Path
    config: dict[str, Any]

    @property
    def path(self) -> Path:
        return self.folder / "study.yaml"

    @property
    def out(self) -> Path:
        return self.folder / "runs" / "toy-7"

    def table(self) -> pd.DataFrame:
        """Return the toy table as it was written at first."""
        return toy_table()

    def write(self, table: pd.DataFrame | str | bytes | None = None) -> Path:
        """Write config and table and return the config's path."""
        self.path.write_text(yaml.safe_dump(self.config, sort_keys=False), encoding="utf-8")
        data = self.folder / "data.csv"
        if isinstance(table, pd.DataFrame):
            table.to_csv(data, index=False)
        elif table is not None:
            data.write_bytes(table.encode() if isinstance(table, str) else table)
        return self.path


def toy_config() -> dict[str, Any]:
    return {
        "version": 1,
        "name": "toy",
        "seed": 7,
        "data": {"source": "data.csv", "holdout": 0.25},
        "schema": {"columns": {name: dict(column) for name, column in COLUMNS.items()}},
        "model": {"type": "gan", "effort": "quick", "device": "cpu", "width": 32, "blocks": 1},
        "sampling": {"rows": 90, "cohorts": [{"name": "women", "rows": 20, "where": "sex == 'F'"}]},
        "gates": ["fidelity.marginals >= 0.0"],
    }


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """A toy study in a folder of its own, which is the current folder; its trainings and evaluations are short."""
    from tests import short  # noqa: PLC0415 - heavy

    monkeypatch.chdir(tmp_path)
    for shorten in (short.short_trainings, short.few_sdmetrics, short.few_trees):
        shorten(monkeypatch)
    # On a busy machine a toy takes long enough for a line of progress, which no test here waits for.
    monkeypatch.setattr("synthclin.progress.PLAIN_EVERY", float("inf"))
    made = Study(tmp_path, toy_config())
    made.write(toy_table())
    return made


@pytest.fixture(scope="module")
def brief_trainings() -> Generator[None]:
    """Short trainings, for modules whose models need not be as good as they can be."""
    from tests import short  # noqa: PLC0415 - heavy

    with pytest.MonkeyPatch.context() as patch:
        short.short_trainings(patch)
        yield


@pytest.fixture
def quiet(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[str, str]]:
    """Return a function that runs a command, expects an exit code, and returns stdout and stderr."""
    from synthclin.cli import main  # noqa: PLC0415 - heavy as well

    def run(*arguments: object, code: int = 0) -> tuple[str, str]:
        found = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert found == code, err
        return out, err

    return run


@pytest.fixture
def two_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Judge tables by their rules and columns alone, where a test does not ask what the other scores say."""
    from synthclin.evaluation import scoring, validity  # noqa: PLC0415 - heavy as well
    from synthclin.evaluation.fidelity import marginals  # noqa: PLC0415

    monkeypatch.setattr(scoring, "SCORES", (validity.rules, marginals.marginals))


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A toy study that was run once; read it, do not change it."""
    from synthclin.study import run  # noqa: PLC0415 - torch loads only for the tests that train
    from synthclin.study.config import load  # noqa: PLC0415
    from tests import short  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("finished")
    made = Study(folder, toy_config())
    made.write(toy_table())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for shorten in (short.short_trainings, short.few_sdmetrics, short.few_trees):
            shorten(patch)
        run.run(load(made.path))
    return made

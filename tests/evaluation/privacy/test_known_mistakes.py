"""Mistakes of other libraries' attacks, each as a case that it would fail.

What Anonymeter 1.1 counts as met, SDMetrics' tied distances and uniform baseline, syntheval's copy in the order of the
training rows, pickles that synthcity leaves in the working folder.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.privacy.attribute_inference import attribute_inference
from synthclin.evaluation.privacy.classes import similar
from synthclin.evaluation.privacy.copies import copies
from synthclin.evaluation.privacy.near_copies import near_copies
from synthclin.evaluation.privacy.scene import Scene
from synthclin.schema import Schema

COARSE = Schema.model_validate(
    {
        "columns": {
            "a": {"type": "boolean", "values": [0, 1]},
            "b": {"type": "boolean", "values": [0, 1]},
            "base_excess": {"type": "number", "decimals": 1, "disclosure": "sensitive"},
            "died": {"type": "boolean", "values": [0, 1], "disclosure": "sensitive"},
        }
    }
)
SHARES = {"a": 0.5, "b": 0.5, "died": 0.05}


def drawn(seed: int, rows: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    flags = {name: pd.array((rng.random(rows) < share).astype(int), dtype="Int64") for name, share in SHARES.items()}
    return pd.DataFrame(flags | {"base_excess": rng.normal(-20, 4, rows).round(1)})[list(COARSE.columns)]


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene.of(Comparison.of(drawn(1), train=drawn(2), holdout=drawn(3), schema=COARSE))


def values(scene: Scene, table: pd.DataFrame):
    return scene.features.values(table)


def test_a_negative_guess_is_not_always_right(scene):
    j = scene.features.names.index("base_excess")
    true = np.array([-20.0, -20.0, -20.0])
    met = similar(scene.features, j, scene.train.rows, true, np.array([-20.0, -90.0, -2_000.0]))
    assert met.astype(bool).tolist() == [True, False, False]


def test_a_common_outcome_is_no_secret_learnt(scene):
    found = attribute_inference.run(scene, values(scene, drawn(4)))
    assert found.interval.low <= 0 <= found.interval.high
    naive = [row["naive"] for row in found.details["attacks"] if row["name"].startswith("died")]
    assert naive
    assert min(naive) > 0.9  # not a half, as if all levels were as frequent


def test_a_copy_in_the_order_of_the_training_rows_is_a_copy(scene):
    train = drawn(2)
    c = Comparison.of(train, train=train, holdout=drawn(3), schema=COARSE)
    assert copies(c).value > 0
    assert near_copies.run(scene, values(scene, train)).details["near"] == len(train)


def test_tied_distances_count_half():
    flat = Schema.model_validate({"columns": {name: COARSE.columns[name].model_dump() for name in ("a", "b")}})
    c = Comparison.of(drawn(4), train=drawn(2), holdout=drawn(3), schema=flat)
    score = near_copies(c)
    # Every row of two flags is met among both: as near to training rows as to others.
    assert score.details["closer_to_training"]["value"] == 0.5


def test_nothing_is_left_in_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = drawn(4)
    before = table.copy()
    c = Comparison.of(table, train=drawn(2), holdout=drawn(3), schema=COARSE)
    for attack in (near_copies, attribute_inference):
        attack(c)
    pd.testing.assert_frame_equal(table, before)
    assert not list(tmp_path.iterdir())

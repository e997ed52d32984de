"""Known mistakes in the attacks of other libraries, each as a case that the library would fail.

The hits of Anonymeter 1.1 and the dates of 1.0; the tied distances, the uniform baseline and the unseeded randomness of
SDMetrics; the copy in the order of the training rows and the share of the wrong table of syntheval; the pickles that
synthcity writes to the working folder. The authenticity of synthcity and the tables of equal size of gower are in
test_precision_recall, the weak associations that SDMetrics leaves out in test_sdmetrics, the singletons that it rewards
in test_marginals.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.privacy.attack_data import AttackData
from synthclin.evaluation.privacy.attribute_inference import attribute_inference
from synthclin.evaluation.privacy.copies import copies
from synthclin.evaluation.privacy.equivalence_classes import similar
from synthclin.evaluation.privacy.near_copies import near_copies
from synthclin.evaluation.privacy.singling_out import singling_out
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


def sampled(seed: int, rows: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    flags = {name: pd.array((rng.random(rows) < share).astype(int), dtype="Int64") for name, share in SHARES.items()}
    return pd.DataFrame(flags | {"base_excess": rng.normal(-20, 4, rows).round(1)})[list(COARSE.columns)]


@pytest.fixture(scope="module")
def data() -> AttackData:
    return AttackData.of(Comparison.of(sampled(1), train=sampled(2), holdout=sampled(3), schema=COARSE))


def values(data: AttackData, table: pd.DataFrame):
    return data.features.values(table)


def test_a_negative_guess_is_not_always_right(data):
    j = data.features.names.index("base_excess")
    true = np.array([-20.0, -20.0, -20.0])
    met = similar(data.features, j, data.train.rows, true, np.array([-20.0, -90.0, -2_000.0]))
    assert met.astype(bool).tolist() == [True, False, False]


def test_a_common_outcome_is_no_attribute_inference(data):
    found = attribute_inference.run(data, values(data, sampled(4)))
    assert found.interval.low <= 0 <= found.interval.high
    naive = [row["naive_baseline"] for row in found.details["attacks"] if row["name"].startswith("died")]
    assert naive
    assert min(naive) > 0.9  # not a half, as if all levels were as frequent


def test_a_copy_in_the_order_of_the_training_rows_is_a_copy(data):
    train = sampled(2)
    c = Comparison.of(train, train=train, holdout=sampled(3), schema=COARSE)
    assert copies(c).value > 0
    assert near_copies.run(data, values(data, train)).details["near"] == len(train)


def test_tied_distances_count_half():
    flat = Schema.model_validate({"columns": {name: COARSE.columns[name].model_dump() for name in ("a", "b")}})
    c = Comparison.of(sampled(4), train=sampled(2), holdout=sampled(3), schema=flat)
    score = near_copies(c)
    # Every row of two flags is met among both: as near to training rows as to others.
    assert score.details["closer_to_training"]["value"] == 0.5


def test_nothing_is_left_in_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = sampled(4)
    before = table.copy()
    c = Comparison.of(table, train=sampled(2), holdout=sampled(3), schema=COARSE)
    for attack in (near_copies, attribute_inference):
        attack(c)
    pd.testing.assert_frame_equal(table, before)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("rows", [100, 400])
def test_the_share_of_near_non_members_is_relative_to_their_number(rows):
    flat = Schema.model_validate({"columns": {name: COARSE.columns[name].model_dump() for name in ("a", "b")}})
    score = near_copies(Comparison.of(sampled(4), train=sampled(2), holdout=sampled(3, rows), schema=flat))
    # With two flags every row has an equal one, so all non-members, and training rows among the others, are near.
    assert score.details["non_members_near"] == pytest.approx((rows + 200) / (rows + 201), abs=1e-4)


def test_a_moment_singles_out_the_patient_who_was_seen_then():
    schema = Schema.model_validate({"columns": {"seen": {"type": "datetime"}, "ill": {"type": "boolean"}}})

    def visits(seed):
        rng = np.random.default_rng(seed)
        seen = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 10**7, 200), unit="s")
        return pd.DataFrame({"seen": seen, "ill": pd.array(rng.random(200) < 0.5, dtype="boolean")})

    copied, ideal = (
        singling_out(Comparison.of(visits(seed), train=visits(2), holdout=visits(3), schema=schema)) for seed in (2, 4)
    )
    assert copied.low > 0.5
    assert ideal.low <= 0 <= ideal.high


def test_the_global_random_state_changes_no_attack():
    found = []
    for elsewhere in (1, 2):
        np.random.seed(elsewhere)  # noqa: NPY002 (what an unseeded library would draw from)
        c = Comparison.of(sampled(4), train=sampled(2), holdout=sampled(3), schema=COARSE, random_state=7)
        found.append([(score.value, score.low, score.high) for score in (attribute_inference(c), singling_out(c))])
    assert found[0] == found[1]

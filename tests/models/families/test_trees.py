"""Sequential trees: planted rules, protected leaves, early stops, resumed fits and checks of a model folder."""

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch

import synthclin as sc
from synthclin.encoding.layout import ColumnLayout
from synthclin.errors import ModelFormatError
from synthclin.models import Checkpoint, Independent, SequentialTrees, load
from synthclin.models.families.trees import Forest
from synthclin.models.protected_trees import Smoothing, grow
from synthclin.schema import Schema

LIMIT = 11


def schema(**columns):
    return Schema.model_validate({"columns": columns})


def levels(codes, **changes):
    facts = {"name": "y", "cardinality": codes, "kind": "levels", "missing": None}
    flags = {"point_masses": np.ones(codes, bool), "never": np.zeros(codes, bool)}
    return ColumnLayout(**facts | flags | changes)


def grown(x, y, patient=None, column=None, **changes):
    column = column or levels(int(y.max()) + 1)
    shares = np.bincount(y, minlength=column.cardinality) / len(y)
    patient = np.arange(len(y)) if patient is None else patient
    settings = {"least": LIMIT, "limit": LIMIT, "share": 1.0, "seed": 0} | changes
    return grow(x.reshape(len(y), -1).astype(np.float32), y, patient, column, np.maximum(shares, 1e-6), **settings)


@pytest.fixture(scope="module")
def planted():
    rng = np.random.default_rng(0)
    dose = rng.integers(0, 10, 900)
    response = rng.random(900) < np.where(dose > 5, 0.9, 0.2)
    return pd.DataFrame({"response": response, "dose": dose})


PLANTED = {"response": {"type": "boolean"}, "dose": {"type": "integer", "range": [0, 9]}}


@pytest.fixture(scope="module")
def model(planted):
    return SequentialTrees(schema(**PLANTED), random_state=1).fit(planted)


def test_a_planted_rule_is_found(planted, model):
    sampled = model.sample(6_000, random_state=1)
    for frame in (planted, sampled):
        assert frame["response"][frame["dose"] > 5].mean() == pytest.approx(0.9, abs=0.05)
        assert frame["response"][frame["dose"] < 6].mean() == pytest.approx(0.2, abs=0.05)
    gain = model.log_likelihood(planted) - Independent(schema(**PLANTED)).fit(planted).log_likelihood(planted)
    assert gain.mean() == pytest.approx(0.26, abs=0.05)  # the mutual information


def test_the_leaf_of_a_planted_rule_has_its_shares():
    x = np.repeat([0, 1], 200)
    y = np.concatenate([np.repeat([0, 1], [180, 20]), np.repeat([0, 1], [40, 160])])
    tree = grown(x, y)
    assert tree.left.tolist() == [1, -1, -1]
    assert tree.threshold[0] == 0.5
    found = tree.distributions(Smoothing(prior=10, small=0.3))
    marginal = np.array([220, 180]) / 400
    assert found[1] == pytest.approx((np.array([180, 20]) + 10 * marginal) / 210)
    assert found[2] == pytest.approx((np.array([40, 160]) + 10 * marginal) / 210)


def test_an_interaction_of_two_columns_is_found():
    rng = np.random.default_rng(1)
    a, b = rng.random((2, 1_200)) < 0.5
    table = pd.DataFrame({"a": a, "b": b, "both": (a != b) ^ (rng.random(1_200) < 0.05)})
    sampled = SequentialTrees(schema(**{n: {"type": "boolean"} for n in table})).fit(table).sample(2_000)
    assert ((sampled["a"] != sampled["b"]) == sampled["both"]).mean() == pytest.approx(0.95, abs=0.03)


def test_structural_missingness_is_found():
    rng = np.random.default_rng(2)
    tested = rng.random(600) < 0.6
    table = pd.DataFrame({"tested": tested, "result": np.where(tested, rng.normal(5, 1, 600).round(2), np.nan)})
    columns = {"tested": {"type": "boolean"}, "result": {"type": "number", "missing": "allowed"}}
    sampled = SequentialTrees(schema(**columns)).fit(table).sample(2_000, random_state=1)
    assert (sampled["result"].isna() == ~sampled["tested"]).mean() > 0.98


def test_no_node_describes_fewer_patients_than_the_limit():
    rng = np.random.default_rng(3)
    patient = np.repeat(np.arange(60), 8)  # eight visits each
    x = np.repeat(np.arange(60), 8) // 4  # four patients share a value
    y = (x % 3 + (rng.random(480) < 0.1)) % 3
    tree = grown(x, y, patient)
    nodes = [patient[np.asarray(tree.tree.decision_path(x[:, None].astype(np.float32))[:, k].todense())[:, 0] > 0]
             for k in range(len(tree.left))]  # fmt: skip
    assert tree.patients.tolist() == [len(set(each)) for each in nodes]
    assert (tree.patients < LIMIT).any()  # sklearn counts rows
    for least in (LIMIT, 25):
        kept = tree.kept(least)
        assert (tree.patients[kept][1:] >= least).all()
        inner = tree.left >= 0
        assert (kept[tree.left[inner]] == kept[tree.right[inner]]).all()
        assert kept[tree.ending(least)].all()
    forest = Forest.of([tree], [tree.distributions(Smoothing(3.0, 0.3))], LIMIT)
    assert forest.fits(1, 3)
    assert len(forest.nodes) == tree.kept(LIMIT).sum()


def test_the_leaves_of_a_fitted_table_have_enough_patients():
    rng = np.random.default_rng(4)
    table = pd.DataFrame({"x": rng.integers(0, 30, 500), "y": rng.integers(0, 30, 500) % 4})
    model = SequentialTrees(schema(x={"type": "integer"}, y={"type": "integer"}), trees=3).fit(table)
    for forest in model.forests_:
        assert len(forest.leaves) * LIMIT <= 500 * len(forest.roots)


@pytest.mark.parametrize("kind", ["levels", "ordered"])
def test_a_count_below_the_limit_changes_no_probability(kind):
    """In a node of 60 rows, 0 to 10 patients hold code 2, and nobody the codes 1 and 3."""
    found = []
    for held in (0, 1, 5, 10):
        x = np.repeat([0, 1], [60, 200])
        inside = np.concatenate([np.repeat([0], 60 - held), np.repeat([2], held)])
        outside = np.repeat([0, 1, 2, 3], 50)
        y = np.concatenate([inside, outside])
        tree = grown(x, y, column=levels(4, kind=kind))
        node = tree.left[0]
        shares = np.full(4, 0.25)
        masses = tree._masses(np.array([node]), shares[None], tree.rows[[node]].sum(1, keepdims=True), 0.3)[0]
        found.append(masses[2])
    assert len(set(found)) == 1
    assert 0 < found[0] <= 0.3


def test_a_level_of_one_patient_is_nowhere(tmp_path):
    rng = np.random.default_rng(5)
    table = pd.DataFrame({"x": rng.integers(0, 9, 300), "drug": rng.choice(["a", "b"], 300)})
    table.loc[17, "drug"] = "canary"
    declared = schema(x={"type": "integer"}, drug={"type": "category"})
    model = SequentialTrees(declared, trees=2).fit(table)
    model.save(tmp_path / "model")
    assert b"canary" not in b"".join(path.read_bytes() for path in (tmp_path / "model").iterdir())
    assert "canary" not in set(model.sample(2_000, random_state=1)["drug"])


def test_a_stopped_fit_leaves_the_remaining_columns_independent():
    table, declared = sc.datasets.load("heart_disease")
    events = []
    model = SequentialTrees(declared, trees=2).fit(
        table.head(150), callback=lambda event: events.append(event) or event.step == 6
    )
    assert [(event.phase, event.step, event.total) for event in events][-1] == ("trees", 6, len(declared.modelled))
    sizes = [len(model.forests_[j].nodes) for j in model.encoder_.layout.order]
    assert max(sizes[:6]) > 1
    assert sizes[6:] == [1] * (len(sizes) - 6)
    assert len(model.sample(20, random_state=1)) == 20


def test_a_fit_resumes_to_the_same_bytes(tmp_path):
    table, declared = sc.datasets.load("heart_disease")
    whole = SequentialTrees(declared, trees=2, random_state=4).fit(table.head(120))

    class KilledError(Exception):
        pass

    def kill(event):
        if event.step == 7:
            raise KilledError

    checkpoint = Checkpoint(tmp_path / "kept", every=0)
    with pytest.raises(KilledError):
        SequentialTrees(declared, trees=2, random_state=4).fit(table.head(120), checkpoint=checkpoint, callback=kill)
    assert checkpoint.exists
    steps = []
    resumed = SequentialTrees(declared, trees=2, random_state=4).fit(
        table.head(120), checkpoint=checkpoint, callback=lambda event: steps.append(event.step)
    )
    assert steps[0] > 1
    for (name, one), (_, other) in zip(whole._state()[0].items(), resumed._state()[0].items(), strict=True):
        assert torch.equal(one, other), name
    assert resumed.training_ == whole.training_


def test_forged_trees_are_refused(tmp_path, model):
    model.save(tmp_path / "model")
    path = tmp_path / "model" / "weights.safetensors"
    tensors = safetensors.torch.load(path.read_bytes())
    j = max(range(2), key=lambda k: len(tensors[f"nodes.{k}"]))
    nodes, leaves, roots = (tensors[f"{part}.{j}"] for part in ("nodes", "leaves", "roots"))
    assert nodes[0, 0] == 0

    def with_cell(row, column, value):
        changed = nodes.clone()
        changed[row, column] = value
        return {f"nodes.{j}": changed}

    forged = [
        with_cell(0, 2, 0),  # a loop
        with_cell(0, 3, -1),
        with_cell(0, 3, len(nodes)),
        with_cell(0, 2, 1.5),
        with_cell(0, 0, 1),  # a feature of the column itself
        with_cell(0, 0, -2),
        with_cell(len(nodes) - 1, 2, len(leaves)),
        with_cell(len(nodes) - 1, 2, -1),
        {f"nodes.{j}": nodes[:, :3].contiguous()},
        {f"nodes.{j}": nodes[:0]},
        {f"roots.{j}": roots + len(nodes)},
        {f"roots.{j}": roots[:0]},
        {f"roots.{j}": roots - 1},
        {f"leaves.{j}": torch.zeros_like(leaves)},
        {f"leaves.{j}": leaves[:, :-1].contiguous()},
        {"share.0": -tensors["share.0"]},
    ]
    for change in forged:
        path.write_bytes(safetensors.torch.save(tensors | change))
        with pytest.raises(ModelFormatError):
            load(tmp_path / "model")
    path.write_bytes(safetensors.torch.save(tensors))
    assert len(load(tmp_path / "model").sample(5)) == 5


@pytest.mark.parametrize("rows", [6, 40])
def test_columns_of_one_code(rows):
    table = pd.DataFrame({"sex": ["F"] * rows, "x": np.arange(rows) % 3})
    model = SequentialTrees(
        schema(sex={"type": "category", "categories": ["F"]}, x={"type": "integer", "range": [0, 2]})
    ).fit(table)
    assert model.sample(20, random_state=1)["sex"].eq("F").all()
    assert np.isfinite(model.log_likelihood(table)).all()


def test_noise_is_left_independent():
    rng = np.random.default_rng(6)
    table = pd.DataFrame({f"x{k}": rng.integers(0, 6, 150) for k in range(6)})
    declared = schema(**{name: {"type": "integer"} for name in table})
    fresh = pd.DataFrame({f"x{k}": rng.integers(0, 6, 1_000) for k in range(6)})
    gain = SequentialTrees(declared).fit(table).log_likelihood(fresh).mean()
    assert gain - Independent(declared).fit(table).log_likelihood(fresh).mean() > -0.15

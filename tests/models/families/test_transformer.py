"""The causal transformer: its row state is its parallel pass, and no cell depends on later ones."""

import json

import pytest
import safetensors.torch
import torch

from synthclin.errors import ModelFormatError
from synthclin.models import CellTransformer, load
from synthclin.models.attention.networks import CausalNetwork
from synthclin.models.attention.rows import CausalRows
from tests.models.families.attention import (
    CARDINALITIES,
    ORDER,
    SCHEMA,
    harmless,
    learns,
    made,
    planted,
    resumes,
    some,
    stepwise,
)


@pytest.mark.parametrize("regressed", [False, True])
def test_the_row_state_has_the_likelihood_of_the_parallel_pass(regressed):
    network, codes = made(CausalNetwork, regressed=regressed), some()
    with torch.no_grad():
        whole = network.log_likelihood(codes)
    state = CausalRows(network, ORDER)
    assert torch.allclose(stepwise(state, codes), whole, atol=1e-4)
    # Again with the same state, and with columns whose logits are not asked for.
    left = stepwise(state, codes, unasked=(0, 1, 3))
    assert torch.allclose(left[:, [2, 4]], whole[:, [2, 4]], atol=1e-4)


def test_a_cell_changes_nothing_before_it_and_something_after_it():
    network = made(CausalNetwork)
    with torch.no_grad():
        alike = harmless(network.hidden)
    # The column of one code cannot change.
    assert alike == [[0], [0, 1], [0, 1, 2, 3, 4], [0, 1, 2, 3], [0, 1, 2, 3, 4]]


def test_known_columns_are_context_without_likelihood():
    network, codes = made(CausalNetwork, given=2), some()
    with torch.no_grad():
        found = network.log_likelihood(codes)
    assert (found[:, :2] == 0).all()
    assert (found[:, 3:] < 0).all()


def test_strength_0_is_the_marginal_distribution_and_1_the_trained_one():
    network, codes = made(CausalNetwork), some()
    with torch.no_grad():
        none, whole = network.shrunk_log_likelihood(codes, torch.tensor([0.0, 1.0]))
        assert torch.allclose(whole, network.log_likelihood(codes), atol=1e-5)
        assert torch.allclose(none, network.marginal_log_likelihood(codes), atol=1e-5)
        network.shrink(torch.zeros(len(CARDINALITIES)))
        assert torch.allclose(network.log_likelihood(codes), none, atol=1e-5)


def test_a_planted_dependence_is_learnt():
    learns(CellTransformer)


@pytest.mark.parametrize("folds", [0, 2])
def test_a_killed_training_ends_with_the_same_bytes(tmp_path, folds):
    resumes(CellTransformer, tmp_path, folds=folds)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "transformer"
    CellTransformer(SCHEMA, effort="quick", width=8).fit(planted(12)).save(path)
    return path


def forged(folder, tmp_path, change):
    """Return a copy of a model folder with changed facts and tensors."""
    path = tmp_path / "forged"
    path.mkdir()
    for file in folder.iterdir():
        (path / file.name).write_bytes(file.read_bytes())
    document = json.loads((path / "model.json").read_text())
    tensors = safetensors.torch.load_file(path / "weights.safetensors")
    change(document, tensors)
    (path / "model.json").write_text(json.dumps(document))
    safetensors.torch.save_file(tensors, path / "weights.safetensors")
    return path


FORGERIES = {
    "wide": lambda d, _: d["facts"].update(width=1024),
    "wide everywhere": lambda d, _: (d["facts"].update(width=1024), d["parameters"].update(width=1024)),
    "deep": lambda d, _: d["facts"].update(layers=1_000_000),
    "text": lambda d, _: d["facts"].update(layers="2"),
    "truth": lambda d, _: d["facts"].update(given=True),
    "beyond": lambda d, _: d["facts"].update(given=5),
    "no fact": lambda d, _: d["facts"].pop("given"),
    "a fact more": lambda d, _: d["facts"].update(more=1),
    "later parent": lambda d, _: d["facts"].update(parents=[[1, 1, 1]] * 4),
    "no parents": lambda d, _: d["facts"].update(parents=[]),
    "a tensor less": lambda _, t: t.pop("network.layers.0.first.weight"),
    "no size": lambda _, t: t.pop("network.query_bias"),
    "a tensor more": lambda _, t: t.update({"network.more": torch.zeros(1)}),
    "another name": lambda _, t: t.update({"more": torch.zeros(1)}),
    "another shape": lambda _, t: t.update({"network.lift": torch.zeros(2, 2)}),
    "no share": lambda _, t: t["frequency.0"].zero_(),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_folder_is_refused(folder, tmp_path, forgery):
    with pytest.raises(ModelFormatError):
        load(forged(folder, tmp_path, FORGERIES[forgery]))


def test_an_unchanged_folder_is_loaded(folder, tmp_path):
    assert len(load(forged(folder, tmp_path, lambda *_: None)).sample(5)) == 5

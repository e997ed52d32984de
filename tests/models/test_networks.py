from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from synthclin.encoding.layout import ColumnLayout
from synthclin.models.generator.code_features import code_basis, code_features, code_positions, is_smooth
from synthclin.models.generator.network_rows import NetworkRows, sample_network
from synthclin.models.generator.networks import MaskedGenerator
from synthclin.models.generator.pairwise import PairwisePotential
from synthclin.sampling.sequential import Imposed, sample_codes


def column(cardinality, kind="levels", missing=False, point_masses=()):
    flags = np.zeros(cardinality, dtype=bool)
    flags[list(point_masses)] = True
    return ColumnLayout(
        name=f"c{cardinality}",
        cardinality=cardinality,
        kind=kind,
        missing=cardinality - 1 if missing else None,
        point_masses=flags,
        never=np.zeros(cardinality, dtype=bool),
    )


def network(cardinalities, seed=0, width=32, kind="levels"):
    """A network with weights away from their start, so that every path matters; each smooth pair has a potential."""
    columns = [column(k, kind, missing=k > 4) for k in cardinalities]
    smooth = [t for t, about in enumerate(columns) if is_smooth(about)]
    potentials = [PairwisePotential(a, b, torch.linspace(-2, 2, cardinalities[b])) for a, b in combinations(smooth, 2)]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = MaskedGenerator(columns, [torch.ones(k) for k in cardinalities], potentials, width=width)
        for weights in net.parameters():
            weights.data += 0.3 * torch.randn_like(weights)
    return net.eval()


shapes = st.lists(st.integers(1, 40), min_size=1, max_size=8)


@settings(max_examples=25, deadline=None)
@given(shapes, st.integers(0, 1000), st.sampled_from(["levels", "ordered"]), st.sampled_from([4, 32]))
def test_no_column_sees_itself_or_a_later_one(cardinalities, seed, kind, width):
    net = network(cardinalities, seed, width, kind)
    rng = np.random.default_rng(seed)
    codes = torch.tensor([[int(rng.integers(k)) for k in cardinalities] for _ in range(6)])
    with torch.no_grad():
        before = net.log_likelihood(codes)
        at = int(rng.integers(len(cardinalities)))
        changed = codes.clone()
        changed[:, at] = (changed[:, at] + 1) % cardinalities[at]
        after = net.log_likelihood(changed)
    assert torch.allclose(before[:, :at], after[:, :at], atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(shapes, st.integers(0, 1000), st.sampled_from(["levels", "ordered"]), st.sampled_from([4, 32]), st.booleans())
def test_incremental_sampling_has_the_distributions_of_the_dense_pass(cardinalities, seed, kind, width, gradients):
    net = network(cardinalities, seed, width, kind)
    rng = np.random.default_rng(seed)
    codes = torch.tensor([[int(rng.integers(k)) for k in cardinalities] for _ in range(5)])
    with torch.set_grad_enabled(gradients):
        state = NetworkRows(net)
        state.begin(len(codes))
        cells = []
        for t in range(len(cardinalities)):
            log_probabilities = state.logits(t).log_softmax(0)
            assert log_probabilities.shape == (cardinalities[t], 5)
            cells.append(log_probabilities.gather(0, codes[None, :, t])[0])
            state.push(t, codes[:, t])
    assert torch.allclose(torch.stack(cells, 1), net.log_likelihood(codes), atol=1e-4)


def test_probabilities_of_all_rows_sum_to_one():
    net = network([3, 4, 5])
    rows = torch.cartesian_prod(torch.arange(3), torch.arange(4), torch.arange(5))
    with torch.no_grad():
        assert net.log_likelihood(rows).sum(1).exp().sum().item() == pytest.approx(1, abs=1e-4)


def test_an_untrained_network_samples_the_marginals():
    columns = [column(3), column(4)]
    net = MaskedGenerator(columns, [torch.tensor([60.0, 30.0, 10.0]), torch.tensor([1.0, 1.0, 1.0, 97.0])]).eval()
    with torch.no_grad():
        codes = sample_network(net, 20_000, torch.Generator().manual_seed(0)).codes
    assert torch.bincount(codes[:, 0]) / 20_000 == pytest.approx(torch.tensor([0.6, 0.3, 0.1]), abs=0.015)
    assert torch.bincount(codes[:, 1])[3].item() / 20_000 == pytest.approx(0.97, abs=0.01)


def test_samples_follow_the_likelihood():
    net = network([3, 4])
    with torch.no_grad():
        codes = sample_network(net, 40_000, torch.Generator().manual_seed(1)).codes
        rows = torch.cartesian_prod(torch.arange(3), torch.arange(4))
        expected = net.log_likelihood(rows).sum(1).exp()
    seen = torch.bincount(codes[:, 0] * 4 + codes[:, 1], minlength=12) / 40_000
    assert seen == pytest.approx(expected, abs=0.012)


def test_log_weights_estimate_the_probability_of_a_condition():
    net = network([3, 4, 6])
    allowed = torch.tensor([0.0, 0.0, 1.0, 0.5, 0.0, 0.0])
    with torch.no_grad():
        imposed = Imposed({2: allowed.log()})
        state, generator = NetworkRows(net), torch.Generator().manual_seed(2)
        sampled = sample_codes(state, range(3), 40_000, generator, imposed)
        rows = torch.cartesian_prod(torch.arange(3), torch.arange(4), torch.arange(6))
        truth = (net.log_likelihood(rows).sum(1).exp() * allowed[rows[:, 2]]).sum()
    assert set(sampled.codes[:, 2].tolist()) <= {2, 3}
    assert sampled.log_weight.exp().mean().item() == pytest.approx(truth.item(), rel=0.02)


def test_positions_rise_with_the_value_and_missing_has_none():
    bins = column(30, "ordered", missing=True, point_masses=[3, 29])
    frequency = torch.rand(30, generator=torch.Generator().manual_seed(0)) + 0.1
    positions = code_positions(bins, frequency)
    assert (positions[:-1].diff() > 0).all()
    for table in (code_features(bins, frequency), code_basis(bins, frequency)):
        assert torch.isfinite(table).all()
        assert table[:-1, 0].diff().gt(0).all()
        # A missing cell has no position.
        assert table[-1].abs().sum() == 1
        assert table[:, table[-1].argmax()].sum() == 1


def test_small_and_unordered_columns_have_a_free_logit_per_code():
    assert [is_smooth(c) for c in (column(5, "ordered"), column(60), column(60, "ordered"))] == [False, False, True]


def test_memory_grows_linearly_in_the_levels_of_a_column():
    sizes = [
        sum(
            w.numel()
            for w in MaskedGenerator([column(2), column(k)], [torch.ones(2), torch.ones(k)]).state_dict().values()
        )
        for k in (5_000, 10_000)
    ]
    assert sizes[1] < 2.1 * sizes[0]


def test_columns_of_many_levels_are_low_rank():
    few, many = (
        MaskedGenerator([column(3), column(k)], [torch.ones(3), torch.rand(k) + 0.1], width=32) for k in (64, 65)
    )
    assert [net.tables[net.home[1][0]].width for net in (few, many)] == [64, 16]
    codes = torch.stack([torch.randint(3, (50,)), torch.randint(65, (50,))], dim=1)
    torch.nn.init.normal_(many.heads[0].weight)
    logits = many.eval().forward(codes)[many.home[1][0]][0]
    context_logits = logits - many.tables[many.home[1][0]].bias[0]
    assert torch.linalg.matrix_rank(context_logits.detach()) <= 16
    state = NetworkRows(many)
    state.begin(50)
    with torch.no_grad():
        state.push(0, codes[:, 0])
        assert torch.allclose(state.logits(1).T, logits, atol=1e-3)

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from synthclin.encoding.layout import ColumnLayout
from synthclin.models.generator.network_rows import NetworkRows
from synthclin.models.generator.networks import MaskedGenerator
from synthclin.models.generator.receptive_fields import (
    MOST_CONTEXT,
    SHARING,
    find_receptive_fields,
    receptive_fields_of,
    whole_receptive_field,
)


def layout(count, codes=5, kind="levels"):
    flags = np.zeros(codes, dtype=bool)
    return [ColumnLayout(f"c{j}", codes, kind, None, flags, flags) for j in range(count)]


def rows_of(count, pairs, rows=600, seed=0):
    """Independent columns of five levels, but for pairs that are alike in nine rows of ten."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 5, (rows, count))
    for a, b in pairs:
        same = rng.random(rows) < 0.9
        codes[same, b] = codes[same, a]
    return torch.from_numpy(codes)


def found(count, codes, kind="levels"):
    return find_receptive_fields(
        layout(count, kind=kind), [torch.bincount(c, minlength=5).float() for c in codes.T], codes
    )


@pytest.mark.parametrize("count", [1, 15, MOST_CONTEXT])
def test_a_table_of_few_columns_has_one_receptive_field(count):
    assert found(count, rows_of(count, [])) == whole_receptive_field(count)


@pytest.mark.parametrize("kind", ["levels", "ordered"])
def test_context_columns_have_the_highest_mutual_information(kind):
    pairs = [(3, 70), (29, 70), (0, 99), (40, 71)]
    fields = found(100, rows_of(100, pairs), kind)
    assert [t for field in fields for t in field.members] == list(range(100))
    for a, b in pairs:
        (field,) = [field for field in fields if b in field.members]
        assert a in field.context
    for field in fields:
        assert list(field.context) == sorted(set(field.context))
        assert set(field.members) <= set(field.context)
        assert len(field.context) <= MOST_CONTEXT


def test_missingness_counts_in_mutual_information():
    codes = rows_of(100, [])
    about = layout(100)
    about[2] = ColumnLayout("c2", 5, "ordered", 4, about[2].point_masses, about[2].never)
    codes[:, 99] = torch.where(codes[:, 2] == 4, 0, 1)
    fields = find_receptive_fields(about, [torch.bincount(c, minlength=5).float() for c in codes.T], codes)
    assert 2 in fields[-1].context


@pytest.mark.parametrize(
    "before",
    [
        [[], [0, 1], [3]],
        [[], [0, 1], [3, 2], []],
        [[], [32], [], []],
        [[], [-1], [], []],
        [[], [True], ["0"], []],
        [[], [1, 1], [], []],
        [[], [], list(range(SHARING + 1)), []],
        [[], [0.0], [], []],
    ],
)
def test_forged_receptive_fields_are_refused(before):
    with pytest.raises((ValueError, TypeError)):
        receptive_fields_of(100, before)


def wide(count, seed):
    codes = rows_of(count, [(1, count - 1)], seed=seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = MaskedGenerator(layout(count), [torch.ones(5)] * count, fields=found(count, codes), width=48)
        for weights in net.parameters():
            weights.data += 0.2 * torch.randn_like(weights)
    return net.eval(), codes[:4]


@settings(max_examples=10, deadline=None)
@given(st.integers(MOST_CONTEXT + 1, 110), st.integers(0, 1000))
def test_wide_networks_are_autoregressive_and_sample_from_their_likelihood(count, seed):
    net, codes = wide(count, seed)
    with torch.no_grad():
        before = net.log_likelihood(codes)
        at = seed % count
        changed = codes.clone()
        changed[:, at] = (changed[:, at] + 1) % 5
        assert torch.allclose(before[:, :at], net.log_likelihood(changed)[:, :at], atol=1e-5)
        state, cells = NetworkRows(net), []
        state.begin(len(codes))
        for t in range(count):
            cells.append(state.logits(t).log_softmax(0).gather(0, codes[None, :, t])[0])
            state.push(t, codes[:, t])
    assert torch.allclose(torch.stack(cells, 1), before, atol=1e-4)


def test_weights_grow_linearly_in_the_columns():
    sizes = [sum(w.numel() for w in wide(count, 0)[0].heads.parameters()) for count in (96, 192, 384)]
    assert sizes[2] - sizes[1] < 2.1 * (sizes[1] - sizes[0])

"""The graphical model against the full joint distribution, and its samples against its tables."""

import math
from itertools import combinations, permutations

import numpy as np
import pytest
from scipy.optimize import nnls

from synthclin.dp.graphical_model import GraphicalModel
from synthclin.dp.private_table import NoisyTable
from synthclin.errors import ConfigError

SIZES = [2, 3, 4, 3]
CYCLE = [(0, 1), (1, 2), (2, 3), (0, 3), (1,), (2,)]  # a cycle: no pair of it is a clique of its own


def _joint(seed, rows=1000):
    return np.random.default_rng(seed).dirichlet(np.full(math.prod(SIZES), 0.3)).reshape(SIZES) * rows


def _marginal(joint, columns):
    kept = sorted(columns)
    table = joint.sum(axis=tuple(j for j in range(joint.ndim) if j not in kept))
    return table.transpose([kept.index(j) for j in columns])


def _noisy(joint, tables, sd, seed=0):
    generator = np.random.default_rng(seed)
    exact = [_marginal(joint, columns) for columns in tables]
    return [
        NoisyTable(columns, table + generator.normal(0, sd, table.shape), np.full(table.shape, sd**2), 0.1)
        for columns, table in zip(tables, exact, strict=True)
    ]


def _brute_force(model):
    """Return the full joint distribution, from the model's potentials."""
    joint = np.zeros(model.cardinalities)
    for columns, potential in model._potentials.items():
        joint = joint + potential.reshape([k if j in columns else 1 for j, k in enumerate(model.cardinalities)])
    joint = np.exp(joint - joint.max())
    return joint * model.total / joint.sum()


@pytest.mark.parametrize("seed", range(12))
def test_every_table_is_that_of_the_full_joint_distribution(seed):
    generator = np.random.default_rng(seed)
    columns = int(generator.integers(2, 6))
    sizes = generator.integers(1, 5, columns).tolist()
    tables = [one for one in combinations(range(columns), 2) if generator.random() < 0.5]
    tables += [(j,) for j in range(columns)] + ([(2, 0, 1)] if columns > 2 and seed % 3 == 0 else [])
    shapes = [[sizes[j] for j in one] for one in tables]
    noisy = [
        NoisyTable(one, generator.normal(30, 20, shape), generator.uniform(4, 50, shape), 0.1)
        for one, shape in zip(tables, shapes, strict=True)
    ]
    model = GraphicalModel(sizes).fit(noisy, iterations=20)
    joint = _brute_force(model)
    for count in range(1, columns + 1):
        for wanted in permutations(range(columns), count):
            assert model.table(wanted) == pytest.approx(_marginal(joint, wanted), abs=1e-8)
    assert set(model.pairs()) == set(combinations(range(columns), 2))
    for pair, table in model.pairs().items():
        assert table == pytest.approx(_marginal(joint, pair), abs=1e-8)


def test_a_long_chain_and_a_wide_separator():
    generator = np.random.default_rng(7)
    sizes = [3, 2, 3, 2, 3, 2, 3]
    tables = [(j, j + 1) for j in range(6)] + [(0, 2), (1, 3), (2, 4), (3, 5), (4, 6)]  # separators of two columns
    shapes = [[sizes[j] for j in one] for one in tables]
    noisy = [
        NoisyTable(one, generator.exponential(50, shape), np.full(shape, 4.0), 0.1)
        for one, shape in zip(tables, shapes, strict=True)
    ]
    model = GraphicalModel(sizes).fit(noisy, iterations=30)
    joint = _brute_force(model)
    for pair, table in model.pairs().items():
        assert table == pytest.approx(_marginal(joint, pair), abs=1e-8)
    assert model.table((6, 0, 3)) == pytest.approx(_marginal(joint, (6, 0, 3)), abs=1e-8)


def test_a_chain_of_many_columns_is_no_deep_recursion():
    columns = 500
    tied = np.array([[90.0, 10.0], [10.0, 90.0]])
    noisy = [NoisyTable((j, j + 1), tied, np.full((2, 2), 0.01), 0.1) for j in range(columns - 1)]
    model = GraphicalModel([2] * columns).fit(noisy, iterations=30)
    assert model.table((0, 3)) == pytest.approx(200 * np.linalg.matrix_power(tied / 100, 3) / 2, abs=1)
    assert model.table((0, columns - 1)) == pytest.approx(np.full((2, 2), 50), abs=1)


@pytest.mark.parametrize("seed", range(4))
def test_the_fit_is_near_the_least_squares_of_all_distributions(seed):
    noisy = _noisy(_joint(seed), CYCLE, sd=5, seed=seed)
    model = GraphicalModel(SIZES).fit(noisy, iterations=1000)
    cells = np.indices(SIZES).reshape(len(SIZES), -1)
    rows, wanted = [], []
    for one in noisy:
        row = np.zeros((one.values.size, math.prod(SIZES)))
        cell = np.ravel_multi_index([cells[j] for j in one.columns], one.values.shape)
        row[cell, np.arange(math.prod(SIZES))] = 1 / np.sqrt(one.variance.ravel()[cell])
        rows.append(row)
        wanted.append((one.values / np.sqrt(one.variance)).ravel())
    matrix, target = np.concatenate(rows), np.concatenate(wanted)
    stiff = 1e4 * np.ones((1, matrix.shape[1]))
    best, _ = nnls(np.vstack([matrix, stiff]), np.r_[target, 1e4 * model.total], maxiter=20_000)
    ours = matrix @ model.table((0, 1, 2, 3)).ravel()
    assert np.abs(ours - matrix @ best).max() < 0.8  # standard deviations of the noise
    assert ((ours - target) ** 2).sum() < ((matrix @ best - target) ** 2).sum() + 3


def test_tables_without_noise_are_met():
    joint = _joint(1)
    model = GraphicalModel(SIZES).fit(_noisy(joint, CYCLE, sd=1e-4), iterations=3000)
    for columns in CYCLE:
        assert model.table(columns) == pytest.approx(_marginal(joint, columns), abs=0.1)
    assert model.total == pytest.approx(1000, abs=0.01)


def test_the_fit_is_stationary_and_a_warm_start_ends_at_the_same_tables():
    noisy = _noisy(_joint(2), CYCLE, sd=5)
    cold = GraphicalModel(SIZES).fit(noisy, iterations=2000)
    warm = GraphicalModel(SIZES).fit(noisy[:2], iterations=50).fit(noisy, iterations=2000)
    for columns in CYCLE:
        assert warm.table(columns) == pytest.approx(cold.table(columns), abs=0.05)


@pytest.mark.parametrize("columns", [(0, 1, 3), (3, 1), (0, 2), (2, 0, 4), (4, 3, 2)], ids=str)
def test_sampled_tables_agree_with_model_tables_also_across_cliques(columns):
    sizes = [3, 4, 3, 2, 5]
    generator = np.random.default_rng(3)
    tables = [(0, 1), (1, 2), (2, 3), (3, 4)]  # a chain: most of the tables above are in no clique
    noisy = [
        NoisyTable(
            one, generator.dirichlet(np.full(sizes[one[0]] * sizes[one[1]], 0.4)).reshape(sizes[one[0]], -1), v, 0.1
        )
        for one in tables
        for v in [np.full((sizes[one[0]], sizes[one[1]]), 1e-4)]
    ]
    model = GraphicalModel(sizes).fit([NoisyTable(t.columns, t.values * 1000, t.variance * 100, 0.1) for t in noisy])
    rows = 200_000
    sampled = model.sample(rows, np.random.default_rng(4))
    found = np.zeros([sizes[j] for j in columns])
    np.add.at(found, tuple(sampled[:, j] for j in columns), 1 / rows)
    expected = model.table(columns) / model.total
    assert sampled.dtype == np.int64
    assert (np.abs(found - expected) < 6 * np.sqrt(expected / rows) + 1e-4).all()
    assert 0.5 * np.abs(found - expected).sum() < 0.005
    alone = [model.table((j,)) / model.total for j in columns]
    independent = alone[0]
    for other in alone[1:]:
        independent = np.multiply.outer(independent, other)
    assert 0.5 * np.abs(found - independent).sum() > 0.01  # the relation is there


def test_the_same_generator_gives_the_same_rows():
    model = GraphicalModel(SIZES).fit(_noisy(_joint(0), CYCLE, sd=5))
    one, two, three = (model.sample(100, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, three)
    assert model.sample(0, np.random.default_rng(1)).shape == (0, 4)


def test_repeated_measurements_are_averaged_by_their_precision():
    def table(values, variance, columns=(0, 1)):
        return NoisyTable(columns, np.array(values), np.full(np.shape(values), variance), 0.1)

    once = table([[30.0, 20.0], [10.0, 40.0]], 1.0)
    again = table([[20.0, 0.0], [30.0, 50.0]], 4.0, (1, 0))  # transposed
    both = table(np.array([[30.0, 20.0], [10.0, 40.0]]) * 0.8 + np.array([[20.0, 30.0], [0.0, 50.0]]) * 0.2, 0.8)
    found, expected = (GraphicalModel([2, 2]).fit(tables) for tables in ([once, again], [both]))
    assert found.total == pytest.approx(expected.total)
    assert found.table((0, 1)) == pytest.approx(expected.table((0, 1)), abs=1e-3)


def test_columns_without_a_table_are_uniform_and_independent():
    model = GraphicalModel([2, 3]).fit([NoisyTable((0,), np.array([80.0, 20.0]), np.ones(2), 0.1)])
    assert model.table((0, 1)) == pytest.approx(np.outer([80, 20], [1 / 3] * 3), abs=1)


def test_noise_alone_gives_a_model_that_samples():
    generator = np.random.default_rng(7)
    noisy = [
        NoisyTable(one, generator.normal(0, 1000, [SIZES[j] for j in one]), np.full([SIZES[j] for j in one], 1e6), 0.1)
        for one in CYCLE
    ]
    model = GraphicalModel(SIZES).fit(noisy)
    sampled = model.sample(1000, np.random.default_rng(1))
    assert model.total >= 1
    assert (sampled >= 0).all()
    assert (sampled < SIZES).all()


@pytest.mark.parametrize("columns", [(4,), (0, 0), (-1,)], ids=str)
def test_unknown_columns_are_refused(columns):
    model = GraphicalModel(SIZES)
    with pytest.raises(ConfigError):
        model.table(columns)
    with pytest.raises(ConfigError):
        model.fit([NoisyTable(columns, np.ones([2] * len(columns)), np.ones([2] * len(columns)), 0.1)])


def test_large_pairs_are_left_out_where_asked_for():
    model = GraphicalModel(SIZES).fit(_noisy(_joint(0), CYCLE, sd=5))
    assert set(model.pairs(largest=8)) == {(0, 1), (0, 2), (0, 3)}


def test_a_junction_tree_of_too_many_cells_is_refused():
    tables = [NoisyTable((0, j), np.ones((60, 60)), np.ones((60, 60)), 0.1) for j in range(1, 5)]
    tables += [NoisyTable((j, j + 1), np.ones((60, 60)), np.ones((60, 60)), 0.1) for j in range(1, 4)]
    tables += [NoisyTable((j, j + 2), np.ones((60, 60)), np.ones((60, 60)), 0.1) for j in range(1, 3)]
    with pytest.raises(ConfigError, match="the junction tree of these tables has more than"):
        GraphicalModel([60] * 5).fit(tables)


def test_tables_that_do_not_fit_are_refused():
    with pytest.raises(ConfigError, match="there is no noisy table"):
        GraphicalModel(SIZES).fit([])
    with pytest.raises(ConfigError, match="has other cardinalities"):
        GraphicalModel(SIZES).fit([NoisyTable((0,), np.ones(3), np.ones(3), 0.1)])

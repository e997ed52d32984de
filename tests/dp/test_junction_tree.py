"""Junction trees: every edge in a clique, the running intersection property, and the size after one more pair."""

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from synthclin.dp.junction_tree import junction_tree


@st.composite
def _graphs(draw):
    columns = draw(st.integers(1, 8))
    cardinalities = draw(st.lists(st.integers(1, 5), min_size=columns, max_size=columns))
    every = list(combinations(range(columns), 2))
    pairs = draw(st.lists(st.sampled_from(every), unique=True, max_size=12)) if every else []
    return cardinalities, pairs


def _is_junction_tree(tree, pairs):
    assert set().union(*map(set, tree.cliques)) == set(range(len(tree.cardinalities)))
    for pair in pairs:
        assert any(set(pair) <= set(clique) for clique in tree.cliques)
    for i, parent in enumerate(tree.parents):
        assert parent < i
    for a, b in combinations(range(len(tree.cliques)), 2):
        assert not set(tree.cliques[a]) <= set(tree.cliques[b])
    for column in range(len(tree.cardinalities)):  # the cliques with a column are connected
        holding = [i for i, clique in enumerate(tree.cliques) if column in clique]
        tops = [i for i in holding if tree.parents[i] < 0 or column not in tree.cliques[tree.parents[i]]]
        assert len(tops) == 1


@settings(max_examples=200, deadline=None)
@given(_graphs())
def test_a_junction_tree(graph):
    cardinalities, pairs = graph
    tree = junction_tree(cardinalities, pairs)
    _is_junction_tree(tree, pairs)
    assert tree.cells == sum(tree.size(clique) for clique in tree.cliques)


@settings(max_examples=100, deadline=None)
@given(_graphs())
def test_the_cells_after_one_more_pair(graph):
    cardinalities, pairs = graph
    tree = junction_tree(cardinalities, pairs)
    joint = {pair for clique in tree.cliques for pair in combinations(clique, 2)}
    assert set(tree.growth) == set(combinations(range(len(cardinalities)), 2)) - joint
    for pair, (cells, source) in tree.growth.items():
        assert source in pair
        grown = junction_tree(cardinalities, tree.with_pair(pair))
        _is_junction_tree(grown, [*pairs, pair])
        assert grown.cells <= tree.cells + cells


def test_a_cycle_is_triangulated():
    tree = junction_tree([2, 3, 4, 5], [(0, 1), (1, 2), (2, 3), (0, 3)])
    assert sorted(tree.cliques) in ([(0, 1, 2), (0, 2, 3)], [(0, 1, 3), (1, 2, 3)])
    assert tree.cells == min(24 + 40, 30 + 60)


def test_columns_without_pairs_are_cliques_of_their_own():
    tree = junction_tree([2, 3, 4], [])
    assert sorted(tree.cliques) == [(0,), (1,), (2,)]
    assert tree.parents == (-1, -1, -1)
    assert tree.growth[0, 2] == (8 - 2 - 4, 0)

"""Ridges: closely related columns are found, their band is where it should be, and nothing reaches beyond it."""

import numpy as np
import pytest
import torch
from scipy.stats import norm

from synthclin.models.ridges import NOWHERE, RidgeTables, find_ridges
from tests.models.test_networks import column

ROWS, CODES = 4_000, 40


def binned(values):
    """Quantile bins of (rows,) values."""
    return torch.from_numpy(np.argsort(np.argsort(values)) * CODES // len(values))


def table(noise, seed=0, columns=2):
    """Columns that follow the first one with normal noise."""
    rng = np.random.default_rng(seed)
    first = rng.normal(size=ROWS)
    return torch.stack([binned(first + noise * rng.normal(size=ROWS) * (t > 0)) for t in range(columns)], dim=1)


def found(codes, **settings):
    columns = [column(CODES, "ordered")] * codes.shape[1]
    frequencies = [torch.ones(CODES)] * codes.shape[1]
    return find_ridges(columns, frequencies, codes, **({"most": 12, "enough": 11} | settings)), columns, frequencies


def test_a_band_stands_where_the_first_column_is_known_to_be():
    (ridge,), _, _ = found(table(noise=0.05))
    assert (ridge.first, ridge.second) == (0, 1)
    expected = norm.ppf((np.arange(CODES) + 0.5) / CODES)
    assert ridge.centres.numpy() == pytest.approx(expected, abs=0.1)


def test_weakly_related_columns_have_none():
    assert found(table(noise=2.0))[0] == ()


def test_a_falling_relation_counts_as_well():
    codes = table(noise=0.1)
    codes[:, 1] = CODES - 1 - codes[:, 1]
    assert len(found(codes)[0]) == 1


def test_only_the_closest_pairs_have_one():
    assert len(found(table(noise=0.3, columns=8))[0]) == 12


def test_too_few_rows_leave_no_centre():
    ridges, columns, frequencies = found(table(noise=0.05), enough=ROWS // CODES + 1)
    assert (ridges[0].centres == NOWHERE).all()
    tables = RidgeTables(ridges, columns, frequencies)
    assert tables.band(0, torch.arange(CODES), torch.ones(CODES, 3)).abs().max() == 0


def test_too_small_a_table_has_none():
    assert found(table(noise=0.05)[:99])[0] == ()


def test_missing_cells_say_nothing():
    codes = table(noise=0.05)
    codes[: ROWS // 2, 0] = CODES - 1
    columns = [column(CODES, "ordered", missing=True), column(CODES, "ordered")]
    frequencies = [torch.ones(CODES)] * 2
    ridges = find_ridges(columns, frequencies, codes, most=12, enough=11)
    assert len(ridges) == 1
    tables = RidgeTables(ridges, columns, frequencies)
    assert tables.band(0, torch.tensor([CODES - 1]), torch.ones(1, 3)).abs().max() == 0


def test_soft_codes_give_what_hard_ones_give():
    ridges, columns, frequencies = found(table(noise=0.05))
    tables = RidgeTables(ridges, columns, frequencies)
    codes, heights = torch.arange(CODES), torch.randn(CODES, 3)
    soft = torch.nn.functional.one_hot(codes, CODES).float()
    assert torch.allclose(tables.band(0, codes, heights), tables.band(0, soft, heights), atol=1e-5)

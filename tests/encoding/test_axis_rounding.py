"""Cells of more decimals than the column keeps, at the ends of the range."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import synthclin as sc
from synthclin.encoding.axis import Axis
from synthclin.schema.columns import Number


@pytest.mark.parametrize("bounds", [(0.04999542, 130.0), (0.0, 0.12345678), (-1.23456789, 1.23456789)])
def test_a_cell_at_the_end_of_the_range_stays_inside(bounds):
    axis = Axis.of(Number(range=bounds, decimals=6))
    positions = axis.positions(pd.Series([*bounds, sum(bounds) / 2]))
    assert (positions >= axis.low).all()
    assert (positions <= axis.high).all()


def test_a_table_of_computed_numbers_whose_extremes_many_patients_share_is_fitted():
    rng = np.random.default_rng(0)
    white = rng.gamma(4, 3, 400)
    white[:20], white[20:40] = 0.04999542, 99.99999123
    table = pd.DataFrame({"white": white, "sex": rng.choice(["F", "M"], 400)})
    schema = sc.Schema.infer(table)
    low, high = schema.columns["white"].range
    assert (round(low, 6), round(high, 6)) == (low, high)
    assert low <= 0.04999542
    assert high >= 99.99999123
    model = sc.ConditionalGAN(schema, effort="quick", width=8, blocks=0, random_state=1).fit(table)
    sampled = model.sample(200)["white"]
    assert sampled.between(low, high).all()

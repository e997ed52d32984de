"""Mixed units: known mixtures are named, and skew, heavy tails, heaped digits and other mixtures are not."""

from __future__ import annotations

import numpy as np
import pytest

from synthclin.schema.units import FACTORS, mixed_units

ROWS = 1_000


def lognormal(median, spread, rows=ROWS, seed=0):
    return median * np.exp(spread * np.random.default_rng(seed).normal(size=rows))


def mixed(values, convert, share=0.3, seed=1):
    other = np.random.default_rng(seed).random(len(values)) < share
    return np.where(other, convert(values), values), int(other.sum())


@pytest.mark.parametrize(
    ("values", "convert", "units"),
    [
        (lognormal(110, 0.35), lambda x: x / 18.02, "glucose"),
        (lognormal(0.95, 0.4), lambda x: x * 88.42, "creatinine"),
        (lognormal(200, 0.2), lambda x: x / 38.67, "cholesterol"),
        (lognormal(0.8, 0.5), lambda x: x * 17.1, "bilirubin"),
        (lognormal(170, 0.06), lambda x: x / 2.54, "inches"),
        (lognormal(75, 0.18), lambda x: x * 2.2046, "pounds"),
        (lognormal(13, 0.12), lambda x: x * 10, "g/L"),
        (lognormal(170, 0.06), lambda x: x / 100, "cm and m"),
        (37 + 0.6 * np.random.default_rng(2).normal(size=ROWS), lambda x: 1.8 * x + 32, "Fahrenheit"),
    ],
    ids=["glucose", "creatinine", "cholesterol", "bilirubin", "height", "weight", "haemoglobin", "metres", "heat"],
)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_a_mixture_is_named_and_counted(values, convert, units, share):
    cells, converted = mixed(values, convert, share)
    found = mixed_units(np.append(cells, [np.nan, 0.0]))
    assert found is not None
    assert units in found.units
    assert min(abs(found.lower - converted), abs(found.upper - converted)) <= 0.04 * ROWS


def test_rounded_cells_are_seen_as_well():
    values = lognormal(110, 0.3).round()
    assert mixed_units(np.where(np.arange(ROWS) % 4 == 0, (values / 18.02).round(1), values)) is not None


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    "sampler",
    [
        lambda rng: rng.normal(100, 15, ROWS),
        lambda rng: rng.lognormal(0, 1.5, ROWS),
        lambda rng: rng.exponential(9, ROWS),
        lambda rng: rng.uniform(18, 95, ROWS),
        lambda rng: np.exp(rng.standard_t(2, ROWS)),
        lambda rng: rng.poisson(3, ROWS).astype(float),
        lambda rng: rng.normal(130, 18, ROWS).round(-1),
        lambda rng: np.append(rng.normal(60, 8, ROWS), rng.normal(60 * 5, 40, ROWS)),
        lambda rng: np.append(rng.lognormal(0, 0.1, ROWS), 18 * rng.lognormal(0, 0.8, ROWS)),
        lambda rng: np.append(rng.normal(60, 8, ROWS), [999.0] * 60),
        lambda rng: np.full(ROWS, rng.random()),
    ],
    ids=["normal", "lognormal", "exponential", "uniform", "heavy", "counts", "heaped", "five", "wide", "code", "one"],
)
def test_other_shapes_are_no_mixture(sampler, seed):
    assert mixed_units(sampler(np.random.default_rng(seed))) is None


def test_a_few_cells_are_no_group():
    values = lognormal(110, 0.2)
    values[:10] /= 18.02
    assert mixed_units(values) is None
    assert mixed_units(np.array([])) is None
    assert mixed_units(values[:30]) is None


def test_factors_are_distinguishable():
    logs = np.sort(np.log(list(FACTORS)))
    assert np.diff(logs).min() > 0.05

"""Pairwise potentials: correlated columns are found, and kernels have their centres and no effect elsewhere."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import norm

from synthclin.errors import ModelFormatError
from synthclin.models import ConditionalGAN, load
from synthclin.models.generator.pairwise import MOST_CODES, NOWHERE, PairwiseTables, find_potentials
from synthclin.schema import Schema
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
    return find_potentials(columns, frequencies, codes, **({"most": 12, "enough": 11} | settings)), columns, frequencies


def test_centres_are_the_scores_of_the_first_column():
    (potential,), _, _ = found(table(noise=0.05))
    assert (potential.first, potential.second) == (0, 1)
    expected = norm.ppf((np.arange(CODES) + 0.5) / CODES)
    assert potential.centres.numpy() == pytest.approx(expected, abs=0.1)


def test_weakly_correlated_columns_have_no_potential():
    assert found(table(noise=2.0))[0] == ()


def test_a_negative_correlation_counts_as_well():
    codes = table(noise=0.1)
    codes[:, 1] = CODES - 1 - codes[:, 1]
    assert len(found(codes)[0]) == 1


def test_only_the_most_correlated_pairs_have_one():
    assert len(found(table(noise=0.3, columns=8))[0]) == 12


def test_too_few_rows_leave_no_centre():
    potentials, columns, frequencies = found(table(noise=0.05), enough=ROWS // CODES + 1)
    assert (potentials[0].centres == NOWHERE).all()
    tables = PairwiseTables(potentials, columns, frequencies)
    assert tables.logits(0, torch.arange(CODES), torch.ones(CODES, 3)).abs().max() == 0


def test_small_tables_have_no_potential():
    assert found(table(noise=0.05)[:99])[0] == ()


def test_missing_cells_have_no_kernel():
    codes = table(noise=0.05)
    codes[: ROWS // 2, 0] = CODES - 1
    columns = [column(CODES, "ordered", missing=True), column(CODES, "ordered")]
    frequencies = [torch.ones(CODES)] * 2
    potentials = find_potentials(columns, frequencies, codes, most=12, enough=11)
    assert len(potentials) == 1
    tables = PairwiseTables(potentials, columns, frequencies)
    assert tables.logits(0, torch.tensor([CODES - 1]), torch.ones(1, 3)).abs().max() == 0


def test_columns_of_too_many_codes_have_no_potential():
    codes = table(noise=0.05)
    columns = [column(CODES, "ordered"), column(MOST_CODES + 1, "ordered")]
    assert find_potentials(columns, [torch.ones(CODES), torch.ones(MOST_CODES + 1)], codes, most=12, enough=11) == ()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a briefly trained model with a pairwise potential."""
    rng = np.random.default_rng(0)
    level = rng.normal(50, 10, 4_200).round(1)
    rows = pd.DataFrame({"level": level, "again": (level + rng.normal(0, 0.5, 4_200)).round(1)})
    schema = Schema.model_validate({"columns": {name: {"type": "number", "decimals": 1} for name in rows}})
    model = ConditionalGAN(schema, effort="quick", width=8).fit(rows, callback=lambda _: True)
    assert len(model.potentials_) == 1
    folder = tmp_path_factory.mktemp("model") / "potential"
    model.save(folder)
    return folder


def test_a_potential_is_saved_and_loaded(folder):
    assert len(load(folder).potentials_) == 1


@pytest.mark.parametrize(
    "pairs", [None, 3, [3], [[0]], [[1, 0]], [[0, 0]], [[-1, 1]], [[0, 9]], [["0", 1]], [[0, 1]] * 65]
)
def test_forged_potentials_are_refused(folder, tmp_path, pairs):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    document = json.loads((tmp_path / "model.json").read_text())
    document["facts"]["potentials"] = pairs
    (tmp_path / "model.json").write_text(json.dumps(document))
    with pytest.raises(ModelFormatError):
        load(tmp_path)

"""The shadow model attack: known answers for made-up signals, and targets that are the rarest patients."""

from __future__ import annotations

import math

import numpy as np
import pytest

from synthclin.evaluation.catalogue import names_of
from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.privacy.shadows import Targets, shadow_scores, unattacked

from .ward import SCHEMA, ward

MODELS = 8


@pytest.fixture(scope="module")
def targets(train, holdout, ideal):
    return Targets.of(Comparison.of(ideal, train=train, holdout=holdout, schema=SCHEMA, random_state=7))


@pytest.fixture
def pool(targets):
    """Shadow models that each trained on half of the targets, in pairs, and signals of noise."""
    rng = np.random.default_rng(3)
    half = np.stack([rng.permutation(len(targets)) % 2 == 0 for _ in range(MODELS // 2)])
    in_training = np.stack([half, ~half], axis=1).reshape(MODELS, -1)
    own = rng.normal(0, 50, (len(targets), 3))  # what each patient's row is like, in training or not
    return rng, in_training, own


def members(targets):
    return np.arange(len(targets)) < len(targets.train)


def made(targets, pool, leaks):
    """Signals of shadows and of the released model, that rise by `leaks` for members."""
    rng, in_training, own = pool
    shadows = own + rng.normal(size=(MODELS, *own.shape)) + in_training[:, :, None] * leaks
    released = own + rng.normal(size=own.shape) + members(targets)[:, None] * leaks
    return shadow_scores(targets, released, shadows, in_training)


def test_signals_of_noise_have_an_auc_of_one_half(targets, pool):
    for score, name in zip(made(targets, pool, np.zeros(3)), names_of("shadow models"), strict=True):
        assert score.name == name
        assert score.low < 0.5 < score.high
        assert score.details["shadow_auc"] == pytest.approx(0.5, abs=0.06)


def test_a_leak_smaller_than_the_variance_between_patients_is_detected(targets, pool):
    for score in made(targets, pool, np.array([2.0, 2.0, 2.0])):
        assert score.low > 0.8
        assert score.details["shadow_auc"] > 0.8


def test_a_leak_of_the_model_file_is_no_leak_of_the_table(targets, pool):
    table, model = made(targets, pool, np.array([0.0, 0.0, 3.0]))
    assert table.low < 0.5 < table.high
    assert model.low > 0.9


def test_a_signal_that_falls_for_members_counts_as_well(targets, pool):
    assert made(targets, pool, np.array([-3.0, 0.0, 0.0]))[0].low > 0.9


def test_a_shift_common_to_all_targets_changes_nothing(targets, pool):
    rng, in_training, own = pool
    shadows = own + rng.normal(size=(MODELS, *own.shape)) + 2 * in_training[:, :, None]
    released = own + rng.normal(size=own.shape) + 2 * members(targets)[:, None]
    first, second = (shadow_scores(targets, released + shift, shadows, in_training)[0].value for shift in (0, 100))
    assert first == pytest.approx(second)


def test_the_targets_are_the_rarest_patients(targets, train, holdout, ideal):
    assert min(len(targets.train), len(targets.control)) >= 30
    assert (targets.train.decile >= targets.decile).all()
    assert (targets.control.decile >= targets.decile).all()
    assert len(Targets.of(Comparison.of(ideal, train=train, holdout=holdout, schema=SCHEMA))) == len(targets)


def test_a_copied_table_shows_its_members(targets, train, ideal, values):
    copied, apart = (targets.signals(values(table)) for table in (train, ideal))
    inside = members(targets)
    assert copied.shape == apart.shape
    assert (copied[inside, 0] > apart[inside, 0]).all()
    assert (copied[:, -3:] >= 0).all()


@pytest.mark.parametrize(("table", "low", "high"), [("train", 0.9, 1.0), ("ideal", 0.3, 0.65)])
def test_a_copy_is_detected_without_copying_shadow_models(targets, pool, values, train, ideal, table, low, high):
    """Shadows without memorisation are no training data for a table of copies."""
    _, in_training, _ = pool
    signals = [targets.signals(values(ward(300, 20 + i))) for i in range(MODELS)]
    shadows, released = (
        np.concatenate([each, np.zeros((*each.shape[:-1], 1))], axis=-1)
        for each in (np.stack(signals), targets.signals(values({"train": train, "ideal": ideal}[table])))
    )
    score = shadow_scores(targets, released, shadows, in_training)[0]
    assert low <= score.value <= high
    assert score.details["shadow_auc"] < 0.6


def test_too_few_patients_or_models_are_not_assessable(targets, train, ideal, pool):
    few = Targets.of(Comparison.of(ideal, train=train, holdout=ward(10, 9), schema=SCHEMA))
    assert "fewer than 20" in few
    _, in_training, own = pool
    for scores in (unattacked(few), shadow_scores(targets, own, np.stack([own, own]), in_training[:2])):
        assert all(math.isnan(score.value) and score.note for score in scores)

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone

from synthclin.errors import ConfigError, DataError
from synthclin.models import ConditionalGAN
from synthclin.models.families import gan
from synthclin.models.generator import adversarial
from synthclin.models.generator.training import plan_for
from synthclin.models.generator.validation_metrics import ValidationMetrics
from tests.short import short_trainings
from tests.ward import SCHEMA, ward


@pytest.fixture
def few_steps(monkeypatch):
    """All phases of training in few steps, for tests that ask nothing of the model's quality."""

    def plan(*size):
        full = plan_for(*size)
        return dataclasses.replace(full, epochs=min(4, full.epochs), adversarial=min(4, full.adversarial))

    monkeypatch.setattr(gan, "plan_for", plan)


@pytest.fixture
def validation_rows(monkeypatch):
    """The training of a large table on a small one: validation rows instead of folds, and the adversarial phase."""
    plan = dataclasses.replace(plan_for(150, "standard"), folds=0, epochs=4, adversarial=4)
    monkeypatch.setattr(gan, "plan_for", lambda *_: plan)


def test_the_model_fits_dependences_between_columns(model, table):
    rows = model.sample(2_000, random_state=0)
    assert rows["age"].corr(rows["sbp"]) == pytest.approx(table["age"].corr(table["sbp"]), abs=0.15)
    share = rows["bmi"].isna().groupby(rows["stage"], observed=True).mean()
    assert share["III"] > 0.3
    assert share["I"] < 0.1
    assert rows["sbp"].mean() == pytest.approx(table["sbp"].mean(), abs=3)


def test_real_rows_are_likelier_than_shuffled_ones(model):
    unseen = ward(300, seed=8)
    shuffled = unseen.copy()
    for i, name in enumerate(["age", "sbp", "dbp"]):
        shuffled[name] = unseen[name].sample(frac=1, random_state=i).to_numpy()
    shuffled["dbp"] = np.minimum(shuffled["dbp"], shuffled["sbp"] - 1)
    shuffled["pulse_pressure"] = (shuffled["sbp"] - shuffled["dbp"]).astype(float)
    assert model.log_likelihood(unseen).mean() > model.log_likelihood(shuffled).mean() + 1


def test_a_cohort_resembles_the_same_rows_of_the_data(model):
    cohort = model.sample(2_000, where="age >= 65", random_state=1)
    real = ward(20_000, seed=5)
    real = real[real["age"] >= 65]
    assert cohort["sbp"].mean() == pytest.approx(real["sbp"].mean(), abs=3)
    assert (cohort["stage"] == "III").mean() == pytest.approx((real["stage"] == "III").mean(), abs=0.12)
    assert model.sample_facts_.probability == pytest.approx(len(real) / 20_000, abs=0.08)


def test_the_training_record(model):
    record = model.training_
    assert record["kept"] == "warm-up"
    assert record["history"][0]["validation_nll"] > record["validation_nll"]
    assert set(record["seconds"]) == {"cross-validation", "warm-up"}
    assert record["train_nll"] < record["validation_nll"]
    assert record["device"] == "cpu"


@pytest.mark.usefixtures("validation_rows")
def test_standard_effort_runs_every_phase_and_the_acceptance_test(table):
    model = ConditionalGAN(SCHEMA, random_state=1, width=32).fit(table.iloc[:150])
    assert set(model.training_["seconds"]) == {"warm-up", "fine-tuning"}
    judged = model.training_["fine_tuning"]
    assert judged["passed"] == (model.training_["kept"] == "adversarial")
    if judged["passed"]:
        assert judged["nll_after"] <= judged["nll_before"]
        assert judged["auc_after"] < judged["auc_before"] - judged["auc_error"]


@pytest.mark.usefixtures("validation_rows")
def test_fine_tuning_that_changes_nothing_is_rejected(table, monkeypatch):
    monkeypatch.setattr(adversarial.AdversarialFineTuning, "_step", lambda _: None)
    model = ConditionalGAN(SCHEMA, random_state=1, width=32).fit(table.iloc[:150])
    assert model.training_["fine_tuning"]["passed"] is False
    assert model.training_["kept"] == "warm-up"


@pytest.mark.usefixtures("validation_rows")
def test_an_improvement_is_accepted_and_a_loss_of_likelihood_is_not(table, monkeypatch):
    for nll, kept in ((20.0, "adversarial"), (20.01, "warm-up")):
        found = iter([ValidationMetrics(20.0, 0.70, 1e-4), ValidationMetrics(nll, 0.60, 1e-4)])
        monkeypatch.setattr(adversarial, "validation_metrics", lambda *_, found=found: next(found))
        assert ConditionalGAN(SCHEMA, random_state=1, width=8).fit(table.iloc[:150]).training_["kept"] == kept


@pytest.mark.usefixtures("validation_rows")
def test_harmful_fine_tuning_is_rejected(table, monkeypatch):
    def harm(phase):
        for weights in phase.network.parameters():
            weights.data.zero_()
        phase.average.update(phase.optimizers.each[0].values)

    monkeypatch.setattr(adversarial.AdversarialFineTuning, "_step", harm)
    model = ConditionalGAN(SCHEMA, random_state=1, width=32).fit(table.iloc[:150])
    assert model.training_["fine_tuning"]["passed"] is False
    assert model.training_["kept"] == "warm-up"
    assert any(weights.abs().sum() > 0 for weights in model.network_.parameters())


def seeded(table, seed):
    with pytest.MonkeyPatch.context() as patch:
        short_trainings(patch)
        return ConditionalGAN(SCHEMA, effort="quick", random_state=seed, width=16).fit(table.iloc[:120])


@pytest.fixture(scope="module")
def of_seed_five(table):
    return seeded(table, 5)


def test_same_seed_same_model_whatever_the_global_state(table, of_seed_five):
    torch.manual_seed(2)
    rows = of_seed_five.sample(40, random_state=0)
    pd.testing.assert_frame_equal(seeded(table, 5).sample(40, random_state=0), rows)


def test_another_seed_gives_another_model(table, of_seed_five):
    assert not seeded(table, 6).sample(40, random_state=0).equals(of_seed_five.sample(40, random_state=0))


@pytest.mark.usefixtures("few_steps")
def test_fitting_leaves_the_global_generator_and_threads_alone(table):
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    ConditionalGAN(SCHEMA, effort="quick", width=32).fit(table.iloc[:60])
    assert torch.get_rng_state().equal(state)
    assert torch.get_num_threads() == threads


def test_parameters_follow_scikit_learn(model):
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert not hasattr(copy, "encoder_")


@pytest.mark.usefixtures("few_steps")
def test_wrong_arguments_are_errors(table):
    with pytest.raises(ConfigError, match="not fitted"):
        ConditionalGAN(SCHEMA).sample(5)
    with pytest.raises(ConfigError, match="no whole number from 0"):
        ConditionalGAN(SCHEMA, effort="quick", width=32).fit(table.iloc[:60]).sample(-1)
    for wrong in ({"width": 0}, {"blocks": -1}, {"dropout": 1.5}, {"effort": "fast"}, {"random_state": -1}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            ConditionalGAN(SCHEMA, **wrong).fit(table)
    with pytest.raises(DataError, match="sbp"):
        ConditionalGAN(SCHEMA).fit(table.drop(columns="sbp"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_an_absent_gpu_is_an_error(table):
    with pytest.raises(ConfigError, match="no CUDA device"):
        ConditionalGAN(SCHEMA, device="cuda").fit(table)


@pytest.mark.usefixtures("few_steps")
@pytest.mark.parametrize("rows", [6, 12, 30, 60])
def test_tiny_tables_train(table, rows):
    model = ConditionalGAN(SCHEMA, effort="standard", width=16).fit(table.iloc[:rows])
    assert len(model.sample(20)) == 20

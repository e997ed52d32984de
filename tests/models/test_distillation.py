"""Distillation: the one-pass student samples from its teacher's distribution, within schema, masks and conditions."""

import dataclasses

import numpy as np
import pytest
import torch

from synthclin.models import Checkpoint, ConditionalGAN, load
from synthclin.models.families import gan
from synthclin.models.generator import distillation
from synthclin.models.generator.distillation import (
    Distillation,
    OnePass,
    inverse_cdf,
    sample_in_one_pass,
    teacher_conditionals,
)
from synthclin.models.generator.network_rows import NetworkRows, sample_network
from synthclin.models.generator.phases import Setting
from synthclin.models.generator.training import plan_for
from synthclin.sampling.sampler import CohortSampler
from synthclin.sampling.sequential import Imposed
from tests.ward import SCHEMA, ward

from .test_networks import column, network


@pytest.fixture(autouse=True, scope="module")
def _narrow():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distillation, "WIDTH", 32)
        yield


def with_student(cardinalities, seed=0, kind="levels"):
    net = network(cardinalities, seed, kind=kind)
    frequencies = [torch.ones(k) for k in cardinalities]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net.shortcut = OnePass([column(k, kind, missing=k > 4) for k in cardinalities], frequencies, net.fields, 1)
    return net.eval()


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("kind", ["levels", "ordered"])
def test_targets_are_the_conditional_distributions_of_the_teacher(kind):
    net = with_student([3, 20, 4], kind=kind)
    noise = torch.rand(4_000, 3, generator=generator())
    with torch.no_grad():
        conditionals = teacher_conditionals(net, noise, net.shortcut.forbidden)
        codes = torch.stack(
            [inverse_cdf(conditionals[g][i].T, noise[:, t]) for t, (g, i) in sorted(net.home.items())], 1
        )
        log_probabilities = torch.stack(
            [conditionals[g][i].gather(1, codes[:, t, None])[:, 0].log() for t, (g, i) in sorted(net.home.items())], 1
        )
        assert torch.allclose(log_probabilities, net.log_likelihood(codes), atol=1e-4)
        sampled = sample_network(net, 4_000, generator(1)).codes
    for one, other in zip(codes.T, sampled.T, strict=True):
        assert torch.bincount(one, minlength=20) / 4_000 == pytest.approx(
            torch.bincount(other, minlength=20) / 4_000, abs=0.04
        )


def test_the_student_samples_from_the_teacher_s_distribution(monkeypatch):
    monkeypatch.setattr(distillation, "TEACHER_ROWS", 1_024)
    net = with_student([2, 3, 4], seed=1)
    codes = torch.zeros(40, 3, dtype=torch.long)
    phase = Distillation(Setting(net, codes, codes, 32, 0), 400)
    before = phase.advance(lambda *_, **__: None)["kl_divergence"]
    while not phase.over:
        phase.advance(lambda *_, **__: None)
    assert phase.conclude().figures["kl_divergence"] < 0.02 < before
    rows = torch.cartesian_prod(torch.arange(2), torch.arange(3), torch.arange(4))
    with torch.no_grad():
        sampled = sample_in_one_pass(net, NetworkRows(net), range(3), 20_000, generator(), Imposed()).codes
        expected = net.log_likelihood(rows).sum(1).exp()
    seen = torch.bincount(sampled @ torch.tensor([12, 4, 1]), minlength=24) / 20_000
    assert seen == pytest.approx(expected, abs=0.03)


def test_forbidden_and_masked_codes_are_not_sampled():
    net = with_student([3, 4])
    net.shortcut.forbidden[1, 2] = True
    asked = []

    def code_mask(t, before):
        asked.append((t, len(before)))
        return torch.zeros(3, 500).index_fill(0, torch.tensor([0]), -torch.inf)[:, : _rows(before)] if not t else None

    def _rows(before):
        return len(before[0]) if before else counts.pop(0)

    with torch.no_grad():
        first = int((net.shortcut.codes_at(torch.rand(500, 2, generator=generator()))[:, 0] == 0).sum())
        counts = [500, first]
        forbidden = {1: torch.tensor([False, False, True, False])}
        sampled = sample_in_one_pass(
            net, NetworkRows(net), range(2), 500, generator(), Imposed(forbidden=forbidden, code_mask=code_mask)
        )
    assert first
    assert not counts
    assert (sampled.codes[:, 0] != 0).all()
    assert (sampled.codes[:, 1] != 2).all()
    assert sampled.log_weight.isfinite().all()


@pytest.fixture(scope="module")
def model():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distillation, "TEACHER_ROWS", 512)
        patch.setattr(gan, "plan_for", lambda *size: dataclasses.replace(plan_for(*size), epochs=6, distillation=80))
        return ConditionalGAN(SCHEMA, effort="quick", random_state=3, width=64, one_pass=True).fit(ward(200))


def test_rows_satisfy_schema_rules_and_conditions(model):
    sampled = model.sample(3_000, random_state=1)
    assert len(sampled) == 3_000
    assert (sampled["dbp"] < sampled["sbp"]).all()
    assert sampled.loc[sampled["sex"] == "M", "pregnant"].isna().all()
    assert (sampled["pulse_pressure"] == sampled["sbp"] - sampled["dbp"]).all()
    assert (model.sample(200, where="age > 60 and sex == 'F'", random_state=1)["age"] > 60).all()
    holed = sampled.head(20).assign(bmi=np.nan)
    assert model.impute(holed, columns=["bmi"], random_state=1)["bmi"].notna().all()


def test_only_rows_without_condition_are_sampled_in_one_pass(model, monkeypatch):
    monkeypatch.setattr(gan, "sample_in_one_pass", lambda *_, **__: pytest.fail("sampled at once"))
    monkeypatch.setattr(CohortSampler, "_acceptance", lambda _: 1.0)  # of rows without condition
    model.sample(50, where="age > 50", random_state=1)
    model.sample(50, where="sbp > dbp + 40", random_state=1)
    model.impute(ward(10).assign(bmi=np.nan), random_state=1)
    with pytest.raises(BaseException, match="sampled at once"):
        model.sample(50, random_state=1)


def test_the_folder_holds_the_student(model, tmp_path):
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.one_pass
    assert again.sample(200, random_state=5).equals(model.sample(200, random_state=5))


@pytest.mark.parametrize("at", [5, 7])
def test_an_interrupted_distillation_ends_with_the_same_bytes(at, tmp_path, monkeypatch):
    monkeypatch.setattr(distillation, "TEACHER_ROWS", 128)
    monkeypatch.setattr(distillation, "BATCH", 64)
    plan = dataclasses.replace(plan_for(120, "quick"), epochs=3, folds=0, distillation=12)
    monkeypatch.setattr(gan, "plan_for", lambda *_: plan)

    def fit(**options):
        return ConditionalGAN(SCHEMA, width=16, random_state=3, one_pass=True).fit(ward(120), **options)

    seen = []

    def die(event):
        seen.append(event)
        if len(seen) == at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Checkpoint(tmp_path / "state", every=0) as checkpoint:
        fit(checkpoint=checkpoint, callback=die)
    assert seen[-1].phase == "distillation"
    resumed, whole = fit(checkpoint=Checkpoint(tmp_path / "state")), fit()
    for name, weights in whole.network_.state_dict().items():
        assert torch.equal(weights, resumed.network_.state_dict()[name]), name

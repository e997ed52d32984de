"""Adversarial training: known answers of the cell critic, and training without likelihood."""

import dataclasses
import json

import pytest
import torch

from synthclin.models import Checkpoint, ConditionalGAN
from synthclin.models.families import gan
from synthclin.models.generator import adversarial, validation_metrics
from synthclin.models.generator.adversarial import cell_critic, margins
from synthclin.models.generator.code_network import CodeTables
from synthclin.models.generator.networks import MaskedGenerator
from synthclin.models.generator.training import plan_for
from tests.ward import SCHEMA, ward

from .test_networks import network

PLAN = dataclasses.replace(plan_for(150, "quick", warmup=False), batch=32, validation=30, adversarial=12)


def fit(rows, checkpoint=None, callback=None, **parameters):
    model = ConditionalGAN(SCHEMA, **{"width": 16, "random_state": 3, "device": "cpu", "warmup": False} | parameters)
    return model.fit(rows, checkpoint=checkpoint, callback=callback)


@pytest.fixture(scope="module")
def rows():
    return ward(120)


@pytest.fixture(scope="module")
def model():
    return fit(ward(400), effort="quick", width=64)


class TestMargins:
    @pytest.fixture
    def critic_of_network(self):
        net = network([3, 4, 20, 30], kind="ordered")
        codes = torch.stack([torch.randint(n, (50,)) for n in (3, 4, 20, 30)], dim=1)
        return net, cell_critic(net, codes), codes

    def test_an_untrained_critic_scores_all_codes_alike(self, critic_of_network):
        _, critic, codes = critic_of_network
        for table, (margin, context_logits) in zip(critic.tables, margins(critic, codes), strict=True):
            assert margin[(table.padding == 0)[:, None, :].expand(margin.shape)].abs().max() == 0
            assert context_logits.abs().max() == 0

    def test_the_margin_of_a_cell_over_itself_is_zero(self, critic_of_network):
        _, critic, codes = critic_of_network
        torch.nn.init.normal_(critic.heads[0].weight)
        for table, (margin, _) in zip(critic.tables, margins(critic, codes), strict=True):
            real = codes[:, list(table.members)].T.unsqueeze(2)
            assert margin.gather(2, real).abs().max() == 0
            assert margin.abs().max() > 0

    def test_a_critic_of_many_levels_has_a_fixed_basis(self):
        net = network([3, 100])
        critic = cell_critic(net, torch.zeros(4, 2, dtype=torch.long))
        assert [table.basis.requires_grad for table in critic.tables if table.basis is not None] == [False]
        assert [table.basis.requires_grad for table in net.tables if table.basis is not None] == [True]

    def test_r1_is_the_squared_norm_of_the_context_logits(self, critic_of_network):
        _, critic, codes = critic_of_network
        torch.nn.init.normal_(critic.heads[0].weight)
        for table, context_logits in zip(critic.tables, critic.context_logits_all(codes), strict=True):
            assert isinstance(table, CodeTables)
            cells = table.basis if table.smooth else torch.eye(table.width).expand(len(table.members), -1, -1)
            cell = cells[0, 1].clone().requires_grad_()
            (slope,) = torch.autograd.grad(context_logits[0, 7] @ cell, cell)
            assert (context_logits[0, 7] @ cell).item() == pytest.approx(
                table.logits(context_logits)[0, 7, 1].item(), abs=1e-4
            )
            assert slope.square().sum().item() == pytest.approx(context_logits[0, 7].square().sum().item(), rel=1e-5)


class TestTraining:
    def test_dependences_between_columns_are_fitted(self, model):
        synthetic, table = model.sample(2_000, random_state=0), ward(400)
        assert synthetic["age"].corr(synthetic["sbp"]) == pytest.approx(table["age"].corr(table["sbp"]), abs=0.2)
        share = synthetic["bmi"].isna().groupby(synthetic["stage"], observed=True).mean()
        assert share["III"] > share["I"] + 0.2
        assert synthetic["sbp"].mean() == pytest.approx(table["sbp"].mean(), abs=3)

    def test_the_training_record(self, model):
        record = model.training_
        assert record["kept"] == "adversarial"
        assert set(record["seconds"]) == {"adversarial"}
        assert record["fine_tuning"] is None
        assert {"critic_accuracy", "validation_nll"} < set(record["history"][0])
        assert record["history"][-1]["validation_nll"] == pytest.approx(record["validation_nll"], abs=1e-4)

    def test_no_loss_contains_the_likelihood(self, rows, monkeypatch):
        likelihood = MaskedGenerator.log_likelihood

        def checked(net, codes):
            assert not torch.is_grad_enabled()
            return likelihood(net, codes)

        monkeypatch.setattr(MaskedGenerator, "log_likelihood", checked)
        monkeypatch.setattr(gan, "plan_for", lambda *_: PLAN)
        fit(rows)

    def test_a_tiny_table_trains(self, rows):
        assert len(fit(rows.iloc[:6], effort="quick").sample(20)) == 20

    def test_more_rows_get_more_steps(self):
        steps = [plan_for(*size, warmup=False).adversarial for size in ((736, "quick"), (736, "standard"))]
        assert steps[0] < steps[1] < plan_for(100_000, "standard", warmup=False).adversarial
        assert plan_for(736, "standard").adversarial < steps[0]


class TestResume:
    @pytest.fixture(autouse=True)
    def _short(self, monkeypatch):
        def c2st_auc(real, synthetic, *_, **__):
            return 0.5 + float((real.float().mean() - synthetic.float().mean()).abs())

        monkeypatch.setattr(gan, "plan_for", lambda *_: PLAN)
        monkeypatch.setattr(adversarial, "EVALUATION_INTERVAL", 3)
        monkeypatch.setattr(validation_metrics, "_c2st_auc", c2st_auc)

    @staticmethod
    def content(model, folder):
        model.save(folder)
        facts = {key: model.training_[key] for key in ("history", "kept", "train_nll", "validation_nll")}
        return {path.name: path.read_bytes() for path in folder.iterdir()} | {"training": json.dumps(facts)}

    @pytest.mark.parametrize("at", [1, 2, 4])
    def test_a_killed_training_ends_with_the_same_bytes(self, rows, tmp_path, at):
        whole = self.content(fit(rows), tmp_path / "whole")
        events = []

        def die(event):
            events.append(event)
            if len(events) == at:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt), Checkpoint(tmp_path / "kept", every=0) as checkpoint:
            fit(rows, checkpoint, die)
        torch.manual_seed(at)
        with Checkpoint(tmp_path / "kept") as checkpoint:
            assert self.content(fit(rows, checkpoint), tmp_path / "resumed") == whole

    def test_a_callback_ends_it_with_the_best_weights_so_far(self, rows):
        model = fit(rows, callback=lambda event: event.step == 3)
        assert model.training_["kept"] == "adversarial"
        assert len(model.training_["history"]) == 2

"""Cross-validated training of small tables: known answers, folds by patients, resuming, and what is confirmed."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
import torch

from synthclin.errors import ConfigError, ModelFormatError
from synthclin.models import Checkpoint, ConditionalGAN, load
from synthclin.models.families import gan
from synthclin.models.generator import cross_validation
from synthclin.models.generator.confirmation import ConfirmedDependence, LostAssociation, lost_associations
from synthclin.models.generator.cross_validation import fold_numbers
from synthclin.models.generator.networks import MaskedGenerator
from synthclin.models.generator.training import SMALL, plan_for
from synthclin.schema import Schema
from tests.ward import SCHEMA, ward

from .test_networks import column

STUDY = Schema.model_validate(
    {
        "columns": {
            "outcome": {"type": "category", "categories": ["alive", "dead"]},
            "marker": {"type": "number", "decimals": 1},
            "site": {"type": "category", "categories": ["a", "b", "c"]},
            **{f"noise{k}": {"type": "number", "decimals": 1} for k in range(6)},
        }
    }
)


def study(rows=200, seed=0):
    """A table in which the outcome moves one marker by three standard deviations; all else is noise."""
    rng = np.random.default_rng(seed)
    dead = rng.random(rows) < 0.35
    frame = {"outcome": np.where(dead, "dead", "alive"), "marker": (10 + 3 * dead + rng.normal(0, 1, rows)).round(1)}
    frame["site"] = rng.choice(["a", "b", "c"], rows)
    return pd.DataFrame(frame | {f"noise{k}": rng.normal(0, 5, rows).round(1) for k in range(6)})


def fitted(seed, effort="quick", **parameters):
    parameters = {"width": 16, "blocks": 0, "device": "cpu"} | parameters
    return ConditionalGAN(STUDY, effort=effort, random_state=seed, **parameters).fit(study(seed=seed))


@pytest.fixture(scope="module")
def models():
    return [fitted(seed) for seed in range(5)]


class TestNoCollapse:
    def test_every_seed_keeps_the_dependence_of_the_outcome(self, models):
        for model in models:
            rows = model.sample(2_000, random_state=0)
            means = rows.groupby("outcome", observed=True)["marker"].mean()
            assert means["dead"] - means["alive"] > 2  # of 3; independent columns have 0

    def test_noise_is_not_learnt(self, models):
        for model in models:
            rows = model.sample(2_000, random_state=0)
            correlations = [rows["marker"].corr(rows[f"noise{k}"]) for k in range(6)]
            assert np.mean(np.abs(correlations)) < 0.12

    def test_the_dependence_is_confirmed_and_nothing_is_lost(self, models):
        for model in models:
            confirmed = {each.column: each for each in model.confirmed_}
            assert isinstance(model.confirmed_[0], ConfirmedDependence)
            pair = max((confirmed[name] for name in ("marker", "outcome")), key=lambda each: each.nats)
            assert pair == model.confirmed_[0]
            assert pair.is_confirmed
            assert 0.25 < pair.nats < 0.75  # mutual information of the pair: about 0.5
            assert not [each for each in model.lost_ if "outcome" in (each.first, each.second)]

    def test_the_record_names_the_phases(self, models):
        record = models[0].training_
        assert record["kept"] == "warm-up"
        assert list(record["seconds"]) == ["cross-validation", "warm-up"]
        (chosen,) = (line["epochs"] for line in record["history"] if "epochs" in line)
        assert sum(line["phase"] == "warm-up" and "epoch" in line for line in record["history"]) == chosen


class TestLost:
    def test_a_lost_outcome_is_reported(self, monkeypatch):
        plan = dataclasses.replace(plan_for(200, "quick"), epochs=1, rate=0.0, regressed=False)
        monkeypatch.setattr(gan, "plan_for", lambda *_: plan)
        model = fitted(1)
        (lost,) = model.lost_
        assert isinstance(lost, LostAssociation)
        assert {lost.first, lost.second} == {"outcome", "marker"}
        assert lost.real > 0.7
        assert lost.synthetic < 0.1
        assert not any(each.is_confirmed for each in model.confirmed_)

    def test_a_loaded_model_does_not_know(self, models, tmp_path):
        models[0].save(tmp_path / "model")
        again = load(tmp_path / "model")
        assert "confirmed" not in json.loads((tmp_path / "model" / "model.json").read_text())["training"]
        for name in ("confirmed_", "lost_"):
            with pytest.raises(ConfigError, match="not kept in a model folder"):
                getattr(again, name)

    def test_independent_columns_rarely_differ(self):
        """All pairs together have an error rate of 5 %; unlike margins and few rows do not inflate it much."""
        found, columns = 0, [column(k) for k in (2, 3, 5, 12, 2, 4)]
        for seed in range(100):
            rng = torch.Generator().manual_seed(seed)
            real, fake = (
                torch.stack([(torch.rand(n, generator=rng) ** 2 * c.cardinality).long() for c in columns], 1)
                for n in (120, 4_000)
            )
            found += bool(lost_associations(columns, real, fake))
        assert found <= 12

    def test_a_kept_association_is_not_listed_and_half_of_it_is(self):
        rng = torch.Generator().manual_seed(0)
        columns = [column(3), column(3)]

        def pair(rows, agree):
            a, b = (torch.randint(0, 3, (rows,), generator=rng) for _ in range(2))
            return torch.stack([a, torch.where(torch.rand(rows, generator=rng) < agree, a, b)], 1)

        real = pair(400, 0.8)
        assert lost_associations(columns, real, pair(4_000, 0.7)) == []
        (lost,) = lost_associations(columns, real, pair(4_000, 0.3))
        assert lost.real == pytest.approx(0.8, abs=0.06)
        assert lost.synthetic == pytest.approx(0.3, abs=0.04)
        # The same rows, but of a tenth of the patients, prove less.
        weak = pair(150, 0.35)
        assert lost_associations(columns, weak, pair(4_000, 0.0))
        assert lost_associations(columns, weak, pair(4_000, 0.0), patients=15) == []

    def test_a_constant_column_and_no_rows(self):
        columns = [column(1), column(2)]
        one = torch.zeros(50, 2, dtype=torch.long)
        assert lost_associations(columns, one, one) == []
        assert lost_associations(columns, one[:0], one) == []


class TestFolds:
    def test_rows_of_a_patient_are_in_one_fold(self):
        patient = np.repeat(np.arange(40), np.random.default_rng(0).integers(1, 6, 40))
        fold = fold_numbers(patient, 5, seed=1)
        assert all(len(set(fold[patient == each])) == 1 for each in range(40))
        counts = [len(set(patient[fold == k])) for k in range(5)]
        assert counts == [8] * 5
        assert fold_numbers(patient, 5, seed=2).tolist() != fold.tolist()

    def test_fewer_patients_than_folds(self):
        assert sorted(fold_numbers(np.array([7, 7, 7, 9]), 5, seed=0)) == [0, 1, 2, 3]
        assert set(fold_numbers(np.zeros(20, dtype=int), 5, seed=0)) == set(range(5))

    def test_patients_of_the_schema_reach_the_folds(self, monkeypatch):
        seen = []

        def noted(patient, folds, seed):
            seen.append(patient)
            return fold_numbers(patient, folds, seed)

        monkeypatch.setattr(cross_validation, "fold_numbers", noted)
        monkeypatch.setattr(gan, "plan_for", lambda *size: dataclasses.replace(plan_for(*size), epochs=2))
        columns = {"who": {"type": "id", "role": "entity"}} | STUDY.model_dump(exclude_unset=True)["columns"]
        table = study(60).assign(who=[f"p{k // 3}" for k in range(60)])
        schema = Schema.model_validate({"columns": columns, "visits": "independent"})
        ConditionalGAN(schema, effort="quick", width=8).fit(table)
        assert len(set(seen[0])) == 20
        assert [len(set(seen[0][3 * k : 3 * k + 3])) for k in range(20)] == [1] * 20

    def test_networks_never_see_their_out_of_fold_rows(self, models):
        codes = models[0].encoder_.encode(study()).codes
        codes = torch.cat([codes, torch.arange(200)[:, None]], 1)  # a column that tells rows apart
        counts = [int(each.max()) + 1 for each in codes.T]
        net = MaskedGenerator([column(k) for k in counts], [torch.ones(k) for k in counts], width=4, blocks=0)
        schedule = cross_validation.Schedule(2, 2, 1, 1e-3, 0.0)
        setting = cross_validation.Setting(net, codes, codes[:0], 32, 0)
        phase = cross_validation.CrossValidation(
            setting, schedule, np.arange(200), 5, cross_validation.Selection.nothing(len(codes.T))
        )
        for learner, held in zip(phase.folds.each, phase.out_of_fold, strict=True):
            trained = set(learner.codes[:, -1].tolist())
            assert not trained & set(held[:, -1].tolist())
            assert len(trained) + len(held) == 200


class TestPlan:
    def test_only_small_tables_are_cross_validated(self):
        assert plan_for(SMALL - 1, "standard").folds == 5
        assert plan_for(SMALL - 1, "quick").folds == 3
        assert plan_for(SMALL, "standard").folds == 0
        assert plan_for(200, "standard", warmup=False).folds == 0

    @pytest.mark.parametrize("rows", [2, 3, 5, 12])
    def test_a_handful_of_rows_trains(self, rows):
        schema = {"sex": {"type": "category", "categories": ["F", "M"]}, "age": {"type": "integer", "range": [18, 90]}}
        table = pd.DataFrame({"sex": ["F", "M"] * 6, "age": range(20, 32)}).iloc[:rows]
        model = ConditionalGAN(Schema.model_validate({"columns": schema}), width=8, blocks=0, device="cpu").fit(table)
        assert len(model.sample(10)) == 10

    def test_width_and_blocks_follow_the_rows_unless_given(self, models, monkeypatch, tmp_path):
        monkeypatch.setattr(gan, "plan_for", lambda *size: dataclasses.replace(plan_for(*size), epochs=1))
        model = ConditionalGAN(STUDY, effort="quick", device="cpu").fit(study())
        plan = plan_for(200, "quick")
        assert (model.network_.enter.out_features, len(model.network_.blocks)) == (plan.width, plan.blocks)
        model.save(tmp_path / "model")
        pd.testing.assert_frame_equal(
            load(tmp_path / "model").sample(5, random_state=0), model.sample(5, random_state=0)
        )
        assert models[0].network_.enter.out_features == 16

    @pytest.mark.parametrize("width", [None, "128", True, 0, -1, 10**9])
    def test_a_forged_width_is_refused(self, models, tmp_path, width):
        models[0].save(tmp_path / "model")
        path = tmp_path / "model" / "model.json"
        document = json.loads(path.read_text())
        document["facts"]["width"] = width
        path.write_text(json.dumps(document))
        with pytest.raises(ModelFormatError):
            load(tmp_path / "model")


class KilledError(Exception):
    pass


class TestResume:
    @pytest.fixture(autouse=True)
    def _short(self, monkeypatch):
        plan = dataclasses.replace(plan_for(120, "quick"), batch=32, epochs=6, every=2, rate=0.02)
        monkeypatch.setattr(gan, "plan_for", lambda *_: plan)
        # Whatever the rows confirm, the network is trained.
        monkeypatch.setattr(cross_validation, "CONFIRMED", -100.0)
        monkeypatch.setattr(cross_validation, "GAIN", -100.0)

    @staticmethod
    def fit(checkpoint=None, callback=None):
        model = ConditionalGAN(SCHEMA, effort="quick", width=8, random_state=3, device="cpu")
        return model.fit(ward(120), checkpoint=checkpoint, callback=callback)

    @staticmethod
    def content(model, folder):
        model.save(folder)
        facts = {key: value for key, value in model.training_.items() if key != "seconds"}
        return {path.name: path.read_bytes() for path in folder.iterdir()} | {"training": json.dumps(facts)}

    def test_same_seed_same_bytes_and_a_killed_training_ends_with_them(self, tmp_path):
        events = []
        whole = self.content(self.fit(callback=lambda event: events.append((event.phase, event.step))), tmp_path / "0")
        torch.manual_seed(5)
        assert self.content(self.fit(), tmp_path / "again") == whole
        assert events[:4] == [("cross-validation", step) for step in (2, 4, 6, 6)]
        assert {phase for phase, _ in events[4:]} == {"warm-up"}
        assert len(events) > 6
        for at in (1, 3, 4, 5, len(events)):
            seen = []

            def die(event, at=at, seen=seen):
                seen.append(event)
                if len(seen) == at:
                    raise KilledError

            folder = tmp_path / f"kept{at}"
            with pytest.raises(KilledError), Checkpoint(folder, every=0) as checkpoint:
                self.fit(checkpoint, die)
            torch.manual_seed(at)
            with Checkpoint(folder) as checkpoint:
                assert self.content(self.fit(checkpoint), tmp_path / str(at)) == whole

    def test_a_stop_of_the_cross_validation_still_trains_the_network(self):
        model = self.fit(callback=lambda event: event.phase == "cross-validation" and event.step == 2)
        phases = [line["phase"] for line in model.training_["history"]]
        assert phases.count("cross-validation") == 2
        assert phases.count("warm-up") == 3  # two epochs and the end
        assert any(head.weight.abs().sum() > 0 for head in model.network_.heads)

    def test_a_stop_of_the_refit_ends_it(self):
        model = self.fit(callback=lambda event: event.phase == "warm-up")
        assert [line["phase"] for line in model.training_["history"]].count("warm-up") == 2

"""Selection of a family: known likelihoods, the utility of a planted outcome, noise, budget and resuming."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import synthclin as sc
from synthclin.errors import ConfigError
from synthclin.models import Checkpoint, load
from synthclin.models.selection import Trial, best_of, folds_of
from synthclin.schema import Schema
from tests.short import short_trainings
from tests.ward import SCHEMA, ward

OUTCOME = Schema.model_validate(
    {
        "columns": {
            "age": {"type": "integer"},
            "marker": {"type": "number", "decimals": 2},
            "died": {"type": "boolean", "role": "event"},
        }
    }
)


def patients(rows=400, seed=0):
    rng = np.random.default_rng(seed)
    marker = rng.normal(size=rows).round(2)
    age = (60 + 10 * rng.normal(size=rows) + 6 * marker).round().astype(int)
    return pd.DataFrame({"age": age, "marker": marker, "died": rng.random(rows) < 1 / (1 + np.exp(-3 * marker))})


def trial(family, nll, utility=(), real=()):
    of = {"died": list(utility)} if utility else {}
    return Trial(family, list(nll), of, {"died": list(real)} if real else {}, [1.0])


def test_the_best_family_is_taken_if_it_is_better_beyond_noise():
    found = best_of(
        {
            "independent": trial("independent", [10, 10.2, 9.9]),
            "gan": trial("gan", [9, 9.3, 8.9]),
            "mixture": trial("mixture", [8.5, 8.7, 8.4]),
        },
        "gan",
        "independent",
    )
    assert found.scores == pytest.approx({"independent": 0, "gan": 0.644, "mixture": 1}, abs=0.01)
    assert (found.chosen, found.best) == ("mixture", "mixture")
    assert found.gain == pytest.approx(0.356, abs=0.01)


def test_a_gain_within_noise_keeps_the_default():
    trials = {
        "independent": trial("independent", [10, 10, 10]),
        "gan": trial("gan", [8.0, 9.0, 8.5]),
        "mixture": trial("mixture", [8.6, 8.0, 8.7]),
    }
    found = best_of(trials, "gan", "independent")
    assert found.best == "mixture"
    assert 0 < found.gain < found.noise
    assert found.chosen == "gan"


def test_utility_counts_as_much_as_likelihood_unless_the_target_has_no_signal():
    useless = {"utility": [0.0, 0.0, 0.0], "real": [0.4, 0.4, 0.4]}
    good = {"utility": [0.38, 0.4, 0.39], "real": [0.4, 0.4, 0.4]}
    base = trial("independent", [10, 10, 10], **useless)
    found = best_of(
        {"independent": base, "gan": trial("gan", [8, 8, 8], **useless), "trees": trial("trees", [8.4] * 3, **good)},
        "gan",
        "independent",
    )
    assert found.scores["gan"] == pytest.approx(0.5)
    assert found.scores["trees"] == pytest.approx((0.8 + 0.975) / 2)
    assert found.chosen == "trees"
    noise = {"utility": [0.0, 0.0, 0.0], "real": [0.01, -0.02, 0.0]}
    found = best_of(
        {"independent": trial("independent", [10] * 3, **noise), "gan": trial("gan", [8] * 3, **noise)},
        "gan",
        "independent",
    )
    assert found.scores["gan"] == 1


def test_folds_keep_patients_together_and_cover_all_rows():
    patient = np.repeat(np.arange(50), 3)
    masks = folds_of(patient, 1)
    assert (np.sum(masks, axis=0) == 1).all()
    assert all(len(np.unique(mask[patient == one])) == 1 for mask in masks for one in range(50))
    assert len(folds_of(np.arange(30_000), 1)) == 1


@pytest.fixture(scope="module")
def chosen():
    model = sc.AutoSynthesizer(OUTCOME, candidates=("independent", "mixture"), random_state=2)
    return model.fit(patients())


def test_a_table_with_dependences_is_not_fitted_by_independent_columns(chosen):
    selection = chosen.training_["selection"]
    assert (selection["chosen"], selection["default"]) == ("mixture", "independent")
    assert [one["family"] for one in selection["trials"]] == ["independent", "mixture"]
    by_name = {one["family"]: one for one in selection["trials"]}
    assert by_name["mixture"]["nll"] < by_name["independent"]["nll"] - 0.15
    assert by_name["mixture"]["real"]["died"] > 0.3
    assert by_name["mixture"]["utility"]["died"] > 0.25
    assert abs(by_name["independent"]["utility"]["died"]) < 0.15
    assert by_name["independent"]["score"] < 0.15
    rows = chosen.sample(600, random_state=1)
    assert rows["marker"].corr(rows["died"].astype(float)) > 0.4


def test_no_figure_of_real_rows_is_in_the_folder(chosen, tmp_path):
    chosen.save(tmp_path / "model")
    text = (tmp_path / "model" / "model.json").read_text()
    assert "selection" not in text
    assert "nll" not in text
    assert load(tmp_path / "model").chosen_.family == "mixture"


def test_independent_columns_are_kept_where_nothing_depends():
    rng = np.random.default_rng(5)
    table = pd.DataFrame(
        {"age": rng.integers(20, 80, 300), "marker": rng.normal(size=300).round(2), "died": rng.random(300) < 0.4}
    )
    found = sc.AutoSynthesizer(OUTCOME, candidates=("mixture",), random_state=2).fit(table)
    assert found.training_["selection"]["chosen"] == "independent"


def test_shrinkage_is_confirmed_out_of_fold():
    rng = np.random.default_rng(5)
    table = pd.DataFrame(
        {"age": rng.integers(20, 80, 300), "marker": rng.normal(size=300).round(2), "died": rng.random(300) < 0.4}
    )
    model = sc.AutoSynthesizer(OUTCOME, candidates=("mixture",), targets=(), random_state=2).fit(table)
    assert ((model.strengths_ >= 0) & (model.strengths_ <= 1)).all()


def test_the_budget_leaves_out_slow_families_and_names_them(monkeypatch):
    short_trainings(monkeypatch)
    model = sc.AutoSynthesizer(OUTCOME, effort="quick", seconds=0.5, random_state=2)
    model.fit(patients(60))
    selection = model.training_["selection"]
    assert {one["family"] for one in selection["trials"]} == {"independent", "gan"}
    assert "mixture" in selection["left_out"]
    assert "bootstrap" not in selection["left_out"]


def test_the_estimate_counts_folds_and_the_rows_of_each():
    model = sc.AutoSynthesizer(OUTCOME, seconds=120.0)
    few, one, many = (folds_of(np.arange(rows), 1) for rows in (900, 20_000, 60_000))
    assert model._within_budget(few, 15, 1)[1] == []
    assert {"transformer", "diffusion"} <= set(model._within_budget(one, 15, 1)[1])
    taken, left_out = model._within_budget(many, 15, 1)
    assert {"independent", "mixture", "copula", "trees", "gan"} <= set(taken)
    assert set(left_out) == {"transformer", "diffusion"}


@pytest.mark.parametrize(
    ("family", "rows", "columns", "measured"),
    [
        (sc.Mixture, 920, 15, 1.1),
        (sc.Mixture, 39_000, 15, 14.8),
        (sc.SequentialTrees, 920, 15, 3.8),
        (sc.SequentialTrees, 39_000, 15, 12.6),
        (sc.SequentialTrees, 300, 100, 24.3),
        (sc.SequentialTrees, 5_000, 100, 73.7),
        (sc.GaussianCopula, 920, 15, 3.5),
        (sc.GaussianCopula, 39_000, 15, 7.3),
        (sc.ConditionalGAN, 613, 14, 6.8),
        (sc.CellTransformer, 613, 14, 13.4),
        (sc.MaskedDiffusion, 613, 14, 5.7),
    ],
)
def test_estimates_are_within_a_factor_of_two_of_measured_fits(family, rows, columns, measured):
    assert measured / 2 < family.estimated_seconds(rows, columns) < 2 * measured


def test_a_selection_that_was_killed_resumes_after_the_last_family(tmp_path, monkeypatch):
    table = patients(120)

    def made():
        return sc.AutoSynthesizer(OUTCOME, candidates=("independent", "mixture"), random_state=2)

    class KilledError(Exception):
        pass

    def kill(event):
        if event.phase == "selection" and event.step == 1:
            raise KilledError

    whole = made().fit(table)
    with pytest.raises(KilledError), Checkpoint(tmp_path / "kept", every=0) as checkpoint:
        made().fit(table, checkpoint=checkpoint, callback=kill)
    fitted = []
    original = sc.Independent._fit
    monkeypatch.setattr(sc.Independent, "_fit", lambda *args: fitted.append(1) or original(*args))
    with Checkpoint(tmp_path / "kept", every=0) as checkpoint:
        resumed = made().fit(table, checkpoint=checkpoint)
    assert fitted == []
    pd.testing.assert_frame_equal(resumed.sample(30, random_state=1), whole.sample(30, random_state=1))


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"candidates": ("oracle",)}, "oracle.*cannot be chosen.*mixture"),
        ({"candidates": ("bootstrap",)}, "bootstrap.*cannot be chosen"),
        ({"candidates": ()}, "candidates"),
        ({"seconds": 0}, "seconds"),
        ({"targets": ("nobody",)}, "no column 'nobody'"),
    ],
)
def test_wrong_parameters_are_errors(parameters, match):
    with pytest.raises(ConfigError, match=match):
        sc.AutoSynthesizer(SCHEMA, **parameters).fit(ward(60))


def test_a_shadow_model_is_of_the_chosen_family(chosen):
    shadow = chosen.shadow(9)
    assert type(shadow) is sc.Mixture
    assert shadow.random_state == 9
    assert not hasattr(shadow, "encoder_")
    assert len(shadow.fit(patients(80)).sample(3)) == 3

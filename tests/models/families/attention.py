"""Networks, tables and short trainings on which the families with attention are tested."""

import contextlib
import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch

from synthclin.encoding.layout import ColumnLayout
from synthclin.models import Checkpoint
from synthclin.models.attention import synthesizer
from synthclin.models.attention.training import plan_for
from synthclin.schema import Schema

CARDINALITIES = (2, 3, 1, 20, 70)
ORDER = (3, 0, 4, 1, 2)
"""Index in the layout of each column of the network."""


def _column(count):
    none = np.zeros(count, dtype=bool)
    return ColumnLayout(f"c{count}", count, "ordered" if count == 20 else "levels", None, none, none)


def made(network, *, regressed=False, given=0):
    """A network with random weights: an untrained one predicts the marginal distributions."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        shares = [torch.arange(1.0, k + 1) for k in CARDINALITIES]
        columns = [_column(k) for k in CARDINALITIES]
        found = network(columns, shares, regressed=regressed, given=given, width=16, layers=2)
        with torch.no_grad():
            for weights in found.parameters():
                weights.add_(0.3 * torch.randn_like(weights))
        if regressed:
            _regress(found.regression)
    return found.eval()


def _regress(regression):
    """Give each column weights on one parent before it."""
    regression.parents[:] = torch.tensor([0, 0, 1, 2, 3])[:, None]
    regression.weights[1:, :, : 1 + regression.features.width].normal_()


def some(rows=7):
    generator = torch.Generator().manual_seed(1)
    return torch.stack([torch.randint(k, (rows,), generator=generator) for k in CARDINALITIES], dim=1)


def stepwise(state, codes, unasked=()):
    """The log-likelihood of each cell under a row state, (rows, columns); 0 where the state is not asked."""
    state.begin(len(codes))
    found = torch.zeros(codes.shape)
    for t, column in enumerate(ORDER):
        if t not in unasked:
            found[:, t] = state.logits(column).log_softmax(0).gather(0, codes[None, :, t])[0]
        state.push(column, codes[:, t])
    return found


def harmless(call):
    """The columns of the network whose result a change of each cell leaves as it is."""
    codes = some()
    before = call(codes)
    found = []
    for t, count in enumerate(CARDINALITIES):
        changed = codes.clone()
        changed[:, t] = (changed[:, t] + 1) % count
        after = call(changed)
        found.append([j for j in range(len(CARDINALITIES)) if torch.equal(before[:, j], after[:, j])])
    return found


SCHEMA = Schema.model_validate(
    {
        "columns": {
            "arm": {"type": "category", "categories": ["a", "b"]},
            "twin": {"type": "category", "categories": ["a", "b"]},
            "level": {"type": "number", "range": [0, 100], "decimals": 1},
            "near": {"type": "number", "range": [-50, 150], "decimals": 1},
        }
    }
)


def planted(rows, seed=0):
    """A level that is high in one arm, a number near it, and in 19 of 20 rows a copy of the arm."""
    rng = np.random.default_rng(seed)
    arm = rng.choice(["a", "b"], rows)
    level = np.where(arm == "a", 30.0, 70.0) + rng.normal(0, 8, rows)
    other = np.where(arm == "a", "b", "a")
    return pd.DataFrame(
        {
            "arm": arm,
            "twin": np.where(rng.random(rows) < 0.95, arm, other),
            "level": level.clip(0, 100).round(1),
            "near": (level + rng.normal(0, 5, rows)).clip(-50, 150).round(1),
        }
    )


def learns(family):
    """Whether sampled rows have the planted dependences, learnt by the network alone from validation rows."""
    with pytest.MonkeyPatch.context() as patch:
        plan = dataclasses.replace(plan_for(500, "quick"), folds=0, regressed=False, epochs=40, batch=50, rate=1e-2)
        patch.setattr(synthesizer, "plan_for", lambda *_, **__: plan)
        model = family(SCHEMA, width=16, random_state=1).fit(planted(500))
    rows = model.sample(2_000, random_state=0)
    real = planted(2_000, seed=9)
    assert (rows["arm"] == rows["twin"]).mean() == pytest.approx(0.95, abs=0.05)
    assert rows["level"].corr(rows["near"]) == pytest.approx(real["level"].corr(real["near"]), abs=0.06)
    assert rows.groupby("arm")["level"].mean().tolist() == pytest.approx([30, 70], abs=4)
    shuffled = real.assign(near=real["near"].sample(frac=1, random_state=0).to_numpy())
    assert model.log_likelihood(real).mean() > model.log_likelihood(shuffled).mean() + 1
    assert model.training_["history"][0]["validation_nll"] > model.training_["validation_nll"] + 1


class KilledError(Exception):
    pass


def resumes(family, folder, *, folds):
    """Whether a training killed at any event ends with the same bytes."""
    table = planted(60)
    plan = dataclasses.replace(plan_for(60, "quick"), folds=folds, batch=20, epochs=3, regressed=folds > 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthesizer, "plan_for", lambda *_, **__: plan)

        def fit(at=0, checkpoint=None):
            seen = []

            def die(event):
                seen.append(event)
                if len(seen) == at:
                    raise KilledError

            model = family(SCHEMA, width=8, random_state=3)
            return model.fit(table, checkpoint=checkpoint, callback=die), len(seen)

        model, events = fit()
        assert events >= 4
        for at in range(1, events + 1):
            path = folder / str(at)
            with contextlib.suppress(KilledError), Checkpoint(path, every=0) as checkpoint:
                fit(at, checkpoint)
            assert path.exists()
            with Checkpoint(path, every=0) as checkpoint:
                again, _ = fit(checkpoint=checkpoint)
            for name, weights in model.parts().tensors.items():
                assert torch.equal(weights, again.parts().tensors[name]), (at, name)
            keys = ("history", "kept", "train_nll", "validation_nll")
            assert [again.training_[key] for key in keys] == [model.training_[key] for key in keys]

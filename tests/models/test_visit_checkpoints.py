"""Checkpoints of a model of patients with visits: killed in either training, it resumes to the same bytes."""

from __future__ import annotations

import json

import pytest
import safetensors.torch
import torch

import synthclin as sc
from synthclin.errors import ModelFormatError
from synthclin.models import Checkpoint
from synthclin.models.checkpoints import FILE
from synthclin.models.generator import likelihood
from tests.longitudinal import schema, visits
from tests.short import short_trainings
from tests.ward import SCHEMA, ward


class KilledError(Exception):
    pass


@pytest.fixture(scope="module", autouse=True)
def _short():
    with pytest.MonkeyPatch.context() as patch:
        short_trainings(patch)
        yield


@pytest.fixture(scope="module")
def rows():
    return visits(40)


def fit(rows, checkpoint=None, callback=None, declared=None, **parameters):
    given = {"effort": "quick", "width": 8, "blocks": 0, "random_state": 1} | parameters
    model = sc.ConditionalGAN(declared or schema(), **given)
    return model.fit(rows, checkpoint=checkpoint, callback=callback)


def killed(rows, folder, at):
    """Save a state at every event, raise at the one numbered `at`, and return the events before."""
    seen = []

    def die(event):
        seen.append(event)
        if len(seen) == at:
            raise KilledError

    with pytest.raises(KilledError), Checkpoint(folder, every=0) as checkpoint:
        fit(rows, checkpoint, die)
    return seen


def content(model, folder):
    """Every byte of the model folder, and a table."""
    model.save(folder)
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*") if path.is_file()}
    plain = {"history": model.training_["history"], "nll": model.training_["train_nll"]}
    return files | {"rows": model.sample(20).to_csv(), "training": json.dumps(plain)}


@pytest.fixture(scope="module")
def whole(rows, tmp_path_factory):
    events = []
    model = fit(rows, callback=lambda event: events.append((event.phase, event.step)))
    return content(model, tmp_path_factory.mktemp("whole") / "model"), events


@pytest.fixture(scope="module")
def kept(rows, whole, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept") / "state"
    killed(rows, folder, len(whole[1]) - 1)
    return folder


@pytest.mark.parametrize("where", ["patients", "between", "visits", "end"])
def test_killed_and_resumed_it_ends_with_the_same_bytes(rows, whole, tmp_path, where):
    expected, events = whole
    second = next(i for i in range(1, len(events)) if events[i][0] == events[0][0] and events[i - 1][0] != events[0][0])
    at = {"patients": 2, "between": second, "visits": second + 2, "end": len(events)}[where]
    killed(rows, tmp_path / "state", at)
    torch.manual_seed(at)  # whatever the global generator did in the meantime
    seen = []
    with Checkpoint(tmp_path / "state") as checkpoint:
        found = fit(rows, checkpoint, seen.append)
    assert content(found, tmp_path / "model") == expected
    assert len(seen) < len(events)  # a state is saved at most every fiftieth of the time, and some steps are repeated
    assert not (tmp_path / "state").exists()


def test_both_finished_trainings_are_not_done_again(rows, whole, tmp_path, monkeypatch):
    checkpoint = Checkpoint(tmp_path / "state", every=0)
    fit(rows, checkpoint)
    monkeypatch.setattr(likelihood, "descend", lambda *_: pytest.fail("it trained"))
    assert content(fit(rows, checkpoint), tmp_path / "model") == whole[0]


def test_the_file_holds_no_rows_and_no_names(rows, kept):
    tensors = safetensors.torch.load((kept / FILE).read_bytes())
    assert not any(len(rows) in tensor.shape for tensor in tensors.values())
    with safetensors.safe_open(kept / FILE, "pt") as file:
        text = str(file.metadata())
    assert not [word for word in ("sbp", "smoker", "former", "P0001") if word in text]


def test_a_checkpoint_of_another_table_is_refused_by_name(rows, kept):
    other = rows.copy()
    other.loc[3, "crp"] = 7.7
    with pytest.raises(ModelFormatError, match=r"belongs to another training, which differs in: table\."):
        fit(other, Checkpoint(kept))


@pytest.mark.parametrize(
    ("changes", "differs"),
    [({"random_state": 2}, "parameters"), ({"declared": schema(visits={"most": 9})}, "schema")],
)
def test_a_checkpoint_of_another_model_of_visits_is_refused_by_name(rows, kept, changes, differs):
    with pytest.raises(ModelFormatError, match=f"another training, which differs in: {differs}"):
        fit(rows, Checkpoint(kept), **changes)
    assert (kept / FILE).is_file()


def test_neither_kind_of_model_takes_the_checkpoint_of_the_other(rows, kept, tmp_path):
    with pytest.raises(ModelFormatError, match="another training"):
        sc.ConditionalGAN(SCHEMA, width=8, effort="quick").fit(ward(60), checkpoint=Checkpoint(kept))
    checkpoint = Checkpoint(tmp_path / "rows", every=0)
    sc.ConditionalGAN(SCHEMA, width=8, effort="quick").fit(ward(60), checkpoint=checkpoint)
    with pytest.raises(ModelFormatError, match="another training"):
        fit(rows, Checkpoint(tmp_path / "rows"))


@pytest.mark.parametrize("wrong", [[], {}, {"sleep": {}}, {"visits": 3}, {"patients": {"record": {}}}])
def test_a_state_of_no_such_trainings_is_refused(rows, kept, wrong, monkeypatch):
    monkeypatch.setattr(Checkpoint, "open", lambda *_: wrong)
    with pytest.raises(ModelFormatError):
        fit(rows, Checkpoint(kept))

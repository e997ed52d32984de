"""Checkpoints and callbacks: a training interrupted at any step resumes to the same bytes."""

import dataclasses
import json
import shutil
import stat
from contextlib import suppress

import pytest
import safetensors.torch
import torch

from synthclin.errors import ModelFormatError, OutputError
from synthclin.models import Checkpoint, ConditionalGAN, TrainingEvent
from synthclin.models.callbacks import TrainingMonitor
from synthclin.models.checkpoints import FILE
from synthclin.models.families import gan
from synthclin.models.generator import adversarial, likelihood, validation_metrics
from synthclin.models.generator.training import plan_for
from tests.ward import SCHEMA, ward

# That of a large table: validation rows instead of folds. `test_cross_validation` resumes the other one.
PLAN = dataclasses.replace(
    plan_for(150, "standard"), folds=0, batch=32, epochs=4, patience=2, validation=30, adversarial=8
)
EVENTS = [
    *(("warm-up", step) for step in (1, 2, 3, 4, 4)),
    *(("fine-tuning", step) for step in (2, 4, 6, 8, 10, 12, 12)),
]


class KilledError(Exception):
    pass


@pytest.fixture(autouse=True, scope="module")
def _short():
    """A standard training with all its phases, in less than a second."""

    def c2st_auc(real, synthetic, *_, **__):
        return 0.5 + float((real.float().mean() - synthetic.float().mean()).abs())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gan, "plan_for", lambda *_: PLAN)
        patch.setattr(adversarial, "CRITIC_STEPS", 4)
        patch.setattr(adversarial, "EVALUATION_INTERVAL", 2)
        patch.setattr(validation_metrics, "_c2st_auc", c2st_auc)
        yield


@pytest.fixture(scope="module")
def rows():
    return ward(120)


def fit(rows, checkpoint=None, callback=None, **parameters):
    model = ConditionalGAN(SCHEMA, **{"width": 16, "random_state": 3, "device": "cpu"} | parameters)
    return model.fit(rows, checkpoint=checkpoint, callback=callback)


def killed(rows, folder, at, **parameters):
    """Save a state at every event and raise at the one numbered `at`."""
    seen = []

    def die(event):
        seen.append(event)
        if len(seen) == at:
            raise KilledError

    with pytest.raises(KilledError), Checkpoint(folder, every=0) as checkpoint:
        fit(rows, checkpoint, die, **parameters)
    return seen


def content(model, folder):
    """Every byte that a run writes because of the model."""
    model.save(folder)
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    facts = {key: model.training_[key] for key in ("history", "fine_tuning", "kept", "train_nll", "validation_nll")}
    return files | {"rows": model.sample(50).to_csv(), "training": json.dumps(facts)}


@pytest.fixture(scope="module")
def whole(rows, tmp_path_factory):
    return content(fit(rows), tmp_path_factory.mktemp("whole") / "model")


@pytest.fixture(scope="module")
def original(rows, tmp_path_factory):
    folder = tmp_path_factory.mktemp("original") / "kept"
    killed(rows, folder, 2)
    return folder


class TestResume:
    @pytest.mark.parametrize("at", [2, 7, 12], ids=lambda at: "-".join(map(str, EVENTS[at - 1])))
    def test_killed_once(self, rows, whole, tmp_path, at):
        killed(rows, tmp_path / "kept", at)
        torch.manual_seed(at)  # whatever the global generator did in the meantime
        with Checkpoint(tmp_path / "kept") as checkpoint:
            assert content(fit(rows, checkpoint), tmp_path / "resumed") == whole
        assert not (tmp_path / "kept").exists()

    def test_killed_after_every_single_step(self, rows, whole, tmp_path):
        """Each resumed training does one more step; the event of a phase's end comes from the next one."""
        events, trainings = [], 0

        def die(event):
            events.append((event.phase, event.step))
            if "detection" not in event.figures:
                raise KilledError

        model = None
        while model is None:
            trainings += 1
            with suppress(KilledError), Checkpoint(tmp_path / "kept", every=0) as checkpoint:
                model = fit(rows, checkpoint, die)
        assert (trainings, events) == (len(EVENTS) - 2 + 1, EVENTS)
        assert content(model, tmp_path / "resumed") == whole

    def test_a_finished_training_is_not_done_again(self, rows, whole, tmp_path, monkeypatch):
        checkpoint = Checkpoint(tmp_path / "kept", every=0)
        fit(rows, checkpoint)
        monkeypatch.setattr(likelihood, "descend", lambda *_: pytest.fail("it trained"))
        assert content(fit(rows, checkpoint), tmp_path / "resumed") == whole

    def test_the_seconds_of_all_resumed_trainings_add_up(self, rows, tmp_path):
        killed(rows, tmp_path / "kept", 3)
        assert set(fit(rows, Checkpoint(tmp_path / "kept")).training_["seconds"]) == {
            "warm-up",
            "fine-tuning",
        }


class TestFile:
    def test_it_is_readable_by_its_owner_alone(self, rows, tmp_path):
        killed(rows, tmp_path / "kept", 12)
        (path,) = (tmp_path / "kept").iterdir()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        tensors = safetensors.torch.load(path.read_bytes())
        assert not any(len(rows) in tensor.shape for tensor in tensors.values())
        with safetensors.safe_open(path, "pt") as file:
            text = str(file.metadata())
        assert not [word for word in ("sbp", "sex", "'M'", '"M"', "P-00", "R1") if word in text]

    def test_two_checkpoints_of_one_table_cannot_be_matched(self, rows, tmp_path):
        belongs = []
        for name in "ab":
            killed(rows, tmp_path / name, 1)
            with safetensors.safe_open(tmp_path / name / FILE, "pt") as file:
                belongs.append(json.loads(file.metadata()["json"])["belongs"])
        assert belongs[0].keys() == belongs[1].keys() == {"versions", "parameters", "schema", "table"}
        assert not set(belongs[0].values()) & set(belongs[1].values())

    def test_a_short_training_writes_no_checkpoint(self, rows, tmp_path):
        with pytest.raises(KilledError), Checkpoint(tmp_path / "kept") as checkpoint:
            fit(rows, checkpoint, lambda _: (_ for _ in ()).throw(KilledError))
        assert list(tmp_path.iterdir()) == []

    def test_partial_files_are_removed_and_nothing_else(self, tmp_path):
        for name in (FILE, ".synthclin-x.partial", "thesis.txt"):
            (tmp_path / name).write_text("")
        Checkpoint(tmp_path).discard()
        assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]

    def test_a_folder_that_cannot_be_created_is_an_error(self, rows, tmp_path):
        with pytest.raises(OutputError):
            fit(rows, Checkpoint(tmp_path / "no" / "folder", every=0))
        (tmp_path / "link").symlink_to(tmp_path)
        with pytest.raises(OutputError):
            fit(rows, Checkpoint(tmp_path / "link", every=0))

    def test_saving_costs_at_most_two_percent(self, tmp_path, monkeypatch):
        now, slow, saved = [0.0], 4.0, []
        monkeypatch.setattr("synthclin.models.checkpoints.time.monotonic", lambda: now[0])
        checkpoint = Checkpoint(tmp_path / "kept", every=10)
        checkpoint.open({})

        def state():
            now[0] += slow
            saved.append(now[0])

        for _ in range(1_000):
            now[0] += 1
            checkpoint.offer(state)
        assert saved[0] == 14
        assert len(saved) == 1 + (1_000 - 10) // 200


class TestRefused:
    @pytest.fixture
    def kept(self, original, tmp_path):
        return shutil.copytree(original, tmp_path / "kept")

    @pytest.mark.parametrize("change", [{"random_state": 4}, {"width": 17}, {"effort": "thorough"}, {"dropout": 0.2}])
    def test_other_parameters(self, rows, kept, change):
        with pytest.raises(ModelFormatError, match="differs in: parameters"):
            fit(rows, Checkpoint(kept), **change)
        assert (kept / FILE).is_file()

    def test_another_table_by_one_cell(self, rows, kept):
        other = rows.copy()
        other.loc[5, "age"] += 1
        with pytest.raises(ModelFormatError, match="table") as caught:
            fit(other, Checkpoint(kept))
        assert str(other.loc[5, "age"]) not in str(caught.value).replace(str(kept), "")

    def test_another_version(self, rows, kept, monkeypatch):
        monkeypatch.setattr("synthclin.models.training_identity.VERSION", "9.9")
        with pytest.raises(ModelFormatError, match=r"differs in: versions\."):
            fit(rows, Checkpoint(kept))

    def test_another_schema(self, rows, kept):
        model = ConditionalGAN(SCHEMA.with_column("age", unit="a"), width=16, random_state=3, device="cpu")
        with pytest.raises(ModelFormatError, match=r"differs in: schema\."):
            model.fit(rows, checkpoint=Checkpoint(kept))

    @pytest.mark.parametrize("damage", ["cut", "empty", "pickle", "twice"])
    def test_a_damaged_file(self, rows, kept, damage):
        old = (kept / FILE).read_bytes()
        new = {"cut": old[:-9], "empty": b"", "pickle": b"\x80\x04.", "twice": old * 2}
        (kept / FILE).write_bytes(new[damage])
        with pytest.raises(ModelFormatError, match="cannot be read"):
            fit(rows, Checkpoint(kept))

    @pytest.mark.parametrize(
        "facts",
        [
            *("{}", "[]", "nonsense", '{"key": "xy"}'),
            '{"key": "00", "belongs": {}, "state": {"items": 3}}',
            '{"key": "00", "belongs": [1], "state": null}',
            '{"key": "00", "belongs": {"table": 7}, "state": null}',
        ],
    )
    def test_forged_facts(self, rows, kept, facts):
        (kept / FILE).write_bytes(safetensors.torch.save({"0": torch.zeros(1)}, {"json": facts}))
        with pytest.raises(ModelFormatError):
            fit(rows, Checkpoint(kept))

    def test_a_state_that_does_not_fit(self, rows, kept, monkeypatch):
        state = Checkpoint(kept)._read()[2]
        for wrong in ({}, [], state | {"phase": "sleep"}, state | {"state": {}}, state | {"record": {"x": 2}}):
            monkeypatch.setattr(Checkpoint, "open", lambda *_, wrong=wrong: wrong)
            with pytest.raises(ModelFormatError, match="does not fit"):
                fit(rows, Checkpoint(kept))

    def test_a_link_is_not_followed(self, rows, kept, tmp_path):
        (kept / FILE).rename(tmp_path / "elsewhere")
        (kept / FILE).symlink_to(tmp_path / "elsewhere")
        with pytest.raises(ModelFormatError, match="symbolic link"):
            fit(rows, Checkpoint(kept))


class TestCallback:
    def test_it_is_called_with_every_event(self, rows):
        events = []
        model = fit(rows, callback=events.append)
        assert [(event.phase, event.step) for event in events] == EVENTS
        assert {event.phase: event.total for event in events} == {
            "warm-up": 4,
            "fine-tuning": 12,
        }
        closing = [event.figures for event in events if "detection" in event.figures]
        assert [set(figures) for figures in closing] == [{"validation_nll", "detection"}] * 2
        assert closing[-1]["validation_nll"] == pytest.approx(model.training_["validation_nll"], abs=1e-4)
        assert all(0 <= event.figures.get("critic_accuracy", 0.5) <= 1 for event in events)
        assert [line["phase"] for line in model.training_["history"]] == [event.phase for event in events]

    @pytest.mark.parametrize("at", [1, 5, 6, 7, 12])
    def test_it_ends_the_training_with_the_best_weights_so_far(self, rows, at):
        events = []

        def enough(event):
            events.append(event)
            return len(events) == at

        model = fit(rows, callback=enough)
        phases = list(dict.fromkeys(phase for phase, _ in EVENTS[:at]))
        assert list(model.training_["seconds"]) == phases
        assert "detection" in events[-1].figures
        assert len(model.sample(5)) == 5
        if at == 7:  # the critics alone have been trained so far
            assert model.training_["fine_tuning"]["passed"] is False

    def test_only_true_ends_it(self, rows):
        assert len(fit(rows, callback=lambda event: event.step).training_["history"]) == len(EVENTS)

    def test_an_event_is_immutable(self):
        with pytest.raises(AttributeError):
            TrainingEvent("fine_tuning", 1, 2, {}).step = 2


class TestCriticAccuracy:
    @pytest.fixture
    def phase(self, rows):
        found = []
        original = adversarial.AdversarialFineTuning.begin

        def note(phase):
            original(phase)
            found.append(phase)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(adversarial.AdversarialFineTuning, "begin", note)
            fit(rows)
        return found[0]

    @pytest.mark.parametrize(("margin", "accuracy"), [(1.0, 1.0), (-1.0, 0.0), (0.0, 0.5)])
    def test_known_answers(self, phase, margin, accuracy, monkeypatch):
        def margins(critic, codes):
            for table, context_logits in zip(critic.tables, critic.context_logits_all(codes), strict=True):
                yield torch.full(table.logits(context_logits).shape, margin), context_logits

        monkeypatch.setattr(adversarial, "margins", margins)
        assert phase._critic_accuracy() == pytest.approx(accuracy, abs=1e-6)

    def test_critics_are_cross_fitted(self, phase):
        rows, parts = phase._rows()
        halves = [set((rows[part] % 2).tolist()) for part in parts]
        assert halves == [{0}, {1}]
        assert int(rows.max()) < len(phase.codes)


def test_a_monitor_without_callback_and_checkpoint_does_nothing():
    monitor = TrainingMonitor()
    monitor.keep(lambda: pytest.fail("there is no checkpoint"))
    assert monitor.stops(TrainingEvent("any", 1, 1, {})) is False

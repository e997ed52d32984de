import json
import os
import stat
import time

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch

from synthclin.errors import ModelFormatError, OutputError, SynthclinError
from synthclin.models import ConditionalGAN, load
from synthclin.schema import Schema
from tests.short import short_trainings
from tests.ward import SCHEMA, ward

FILES = {"weights.safetensors", "model.json", "schema.yaml", "encoder.json"}


@pytest.fixture(scope="module", autouse=True)
def _short():
    with pytest.MonkeyPatch.context() as patch:
        short_trainings(patch)
        yield


@pytest.fixture
def folder(model, tmp_path):
    model.save(tmp_path / "model")
    return tmp_path / "model"


def test_a_loaded_model_samples_the_same_rows(model, folder):
    again = load(folder)
    pd.testing.assert_frame_equal(again.sample(60, random_state=4), model.sample(60, random_state=4))
    assert again.get_params(deep=False) == model.get_params(deep=False)
    rows = ward(50, seed=2)
    assert np.allclose(again.log_likelihood(rows), model.log_likelihood(rows), atol=1e-5)


def test_the_folder_holds_four_private_files_and_no_more(folder):
    assert {path.name for path in folder.iterdir()} == FILES
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_row_of_the_training_table_is_inside(tmp_path):
    table = ward(300)
    table.loc[7, "bmi"] = 48.7  # of one patient
    table.loc[8, "sbp"] = 251
    model = ConditionalGAN(SCHEMA, effort="quick", width=16).fit(table)
    model.save(tmp_path / "model")
    text = "".join((tmp_path / "model" / name).read_text() for name in FILES - {"weights.safetensors"})
    for canary in ("48.7", "251", "R7", "R8"):
        assert canary not in text
    tensors = safetensors.torch.load((tmp_path / "model" / "weights.safetensors").read_bytes())
    assert not any((tensor.shape[:1] == (300,)) or (tensor == 251).any() for tensor in tensors.values())
    assert not any("critic" in name or "exp_avg" in name for name in tensors)


@pytest.mark.parametrize("held", [1, 4, 10])
def test_the_weights_contain_no_count_of_few_patients(held):
    table = ward(300)
    table.loc[:, "bmi"] = table["bmi"].fillna(25.0)
    table.loc[: held - 1, "bmi"] = np.nan
    model = ConditionalGAN(SCHEMA, effort="quick", width=8).fit(table)
    for name, frequency in model._state()[0].items():
        if name.startswith("frequency."):
            assert (frequency * 300 > 5).all(), name
    missing = model.frequencies_[model.encoder_.layout.names.index("bmi")][-1]
    assert missing * 300 == pytest.approx(5.5, abs=0.3)


@pytest.mark.parametrize("constraints", [[], ["site != 'c'"]])
def test_a_declared_level_that_nobody_holds_is_sampled_unless_a_rule_forbids_it(constraints):
    site = {"type": "category", "categories": ["a", "b", "c"]}
    columns = {"columns": {"site": site, "age": {"type": "integer"}}, "constraints": constraints}
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "site": pd.Categorical(rng.choice(["a", "b"], 300), categories=["a", "b", "c"]),
            "age": pd.array(rng.integers(20, 90, 300), dtype="Int64"),
        }
    )
    model = ConditionalGAN(Schema.model_validate(columns), effort="quick", width=8, random_state=1).fit(table)
    share = (model.sample(3_000, random_state=2)["site"] == "c").mean()
    assert share == (0 if constraints else pytest.approx(0.5 * 2**-5, abs=0.008))


def test_no_score_of_real_rows_is_in_the_folder(folder):
    assert "nll" not in (folder / "model.json").read_text()


def test_saving_twice_needs_overwrite(model, folder):
    with pytest.raises(OutputError):
        model.save(folder)
    model.save(folder, overwrite=True)
    assert {path.name for path in folder.iterdir()} == FILES


def damage_json(folder, name, change):
    path = folder / name
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def spoil_weights(folder, change):
    path = folder / "weights.safetensors"
    tensors = safetensors.torch.load(path.read_bytes())
    change(tensors)
    path.write_bytes(safetensors.torch.save(tensors))


def forge_header(folder, change):
    """Rewrite the header of a safetensors file; `change` may return the text to write."""
    path = folder / "weights.safetensors"
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    text = change(header) or json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + size :])


def overlap(header):
    alike = [name for name in header if header[name]["shape"] == header["network.enter.bias"]["shape"]]
    header[alike[0]]["data_offsets"] = header[alike[1]]["data_offsets"]


def crowd(header, count):
    header |= {f"network.{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(count)}


def crowd_encoder(document):
    document["columns"] = [list(range(1_300_000))]


HARMS = {
    "overlapping tensors": lambda f: forge_header(f, overlap),
    "huge shape": lambda f: forge_header(f, lambda h: h["frequency.0"].update(shape=[1 << 40])),
    "shape that overflows": lambda f: forge_header(f, lambda h: h["frequency.0"].update(shape=[1 << 31] * 3)),
    "negative shape": lambda f: forge_header(f, lambda h: h["frequency.0"].update(shape=[-1])),
    "deep header": lambda f: forge_header(f, lambda _: b'{"a":' + b"[" * 500_000 + b"]" * 500_000 + b"}"),
    "endless header": lambda f: (f / "weights.safetensors").write_bytes(b"\xff" * 7 + b"\x7f{}"),
    "a tensor more": lambda f: forge_header(f, lambda h: crowd(h, 1)),
    "a hundred thousand tensors": lambda f: forge_header(f, lambda h: crowd(h, 100_000)),
    "double precision": lambda f: spoil_weights(f, lambda t: t.update({k: v.double() for k, v in t.items()})),
    "NaN in the encoder": lambda f: (f / "encoder.json").write_text('{"columns": NaN}'),
    "a million codes": lambda f: damage_json(f, "encoder.json", crowd_encoder),
    "a thousand blocks": lambda f: damage_json(f, "model.json", lambda d: d["parameters"].update(blocks=1_000)),
    "wide network": lambda f: damage_json(f, "model.json", lambda d: d["parameters"].update(width=4096, blocks=16)),
    "text for levels": lambda f: (f / "schema.yaml").write_text("columns: {a: {type: category, categories: ../../x}}"),
    "a hundred thousand levels": lambda f: (f / "schema.yaml").write_text(
        "columns: {a: {type: category, categories: [" + "a," * 100_000 + "]}}"
    ),
    "no model.json": lambda f: (f / "model.json").unlink(),
    "no encoder": lambda f: (f / "encoder.json").unlink(),
    "no weights": lambda f: (f / "weights.safetensors").unlink(),
    "cut json": lambda f: (f / "model.json").write_text("{"),
    "deep json": lambda f: (f / "model.json").write_text("[" * 100_000),
    "pickle": lambda f: (f / "weights.safetensors").write_bytes(b"\x80\x04pickle"),
    "noise": lambda f: (f / "weights.safetensors").write_bytes(b"\xff" * 64),
    "format": lambda f: damage_json(f, "model.json", lambda d: d.update(format=99)),
    "family": lambda f: damage_json(f, "model.json", lambda d: d.update(family="os.system")),
    "dunder parameter": lambda f: damage_json(f, "model.json", lambda d: d.update(parameters={"__class__": 1})),
    "text width": lambda f: damage_json(f, "model.json", lambda d: d["parameters"].update(width="wide")),
    "huge width": lambda f: damage_json(f, "model.json", lambda d: d["parameters"].update(width=10**9)),
    "other width": lambda f: damage_json(f, "model.json", lambda d: d["parameters"].update(width=64)),
    "empty encoder": lambda f: damage_json(f, "encoder.json", lambda d: d.clear()),
    "NaN weights": lambda f: spoil_weights(f, lambda t: t["network.enter.bias"].fill_(float("nan"))),
    "whole numbers": lambda f: spoil_weights(f, lambda t: t.update({"frequency.0": t["frequency.0"].long()})),
    "no frequency": lambda f: spoil_weights(f, lambda t: t["frequency.0"].zero_()),
    "dropout": lambda f: damage_json(f, "model.json", lambda d: d["parameters"].update(dropout=2)),
    "device": lambda f: damage_json(f, "model.json", lambda d: d["parameters"].update(device="meta")),
    "text seed": lambda f: damage_json(f, "model.json", lambda d: d["parameters"].update(random_state="a")),
    "list for training": lambda f: damage_json(f, "model.json", lambda d: d.update(training=[1])),
    "text for facts": lambda f: damage_json(f, "model.json", lambda d: d.update(facts="x")),
    "other tensors": lambda f: (f / "weights.safetensors").write_bytes(
        safetensors.torch.save({"network.x": torch.zeros(2)})
    ),
}


@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_folder_is_refused_in_one_sentence_within_a_second(folder, harm):
    HARMS[harm](folder)
    start = time.process_time()
    with pytest.raises(SynthclinError):
        load(folder)
    assert time.process_time() - start < 1


def test_other_files_in_the_folder_are_not_opened(folder, tmp_path):
    (folder / "MODEL_CARD.md").symlink_to("/dev/zero")
    (folder / "evil.pkl").write_bytes(b"cposix\nsystem\n(S'touch " + bytes(tmp_path / "owned") + b"'\ntR.")
    os.mkfifo(folder / "pipe")
    load(folder)
    assert not (tmp_path / "owned").exists()


def test_a_link_out_of_the_folder_is_not_followed(folder, tmp_path):
    outside = tmp_path / "outside.json"
    (folder / "encoder.json").rename(outside)
    (folder / "encoder.json").symlink_to(outside)
    with pytest.raises(ModelFormatError):
        load(folder)

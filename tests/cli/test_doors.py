"""What a stranger may send through each door: refused with one sentence, in under a second, and nothing is written."""

from __future__ import annotations

import gzip
import json
import shutil
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from synthclin.cli import main
from synthclin.errors import SynthclinError
from synthclin.models import load as load_model
from synthclin.tables import read_table

SECRET = "hunter2"
LAUGHS = "a: &a [1, 1]\n" + "".join(f"x{i}: &x{i} [{', '.join([f'*x{i - 1}' if i else '*a'] * 9)}]\n" for i in range(9))
DEEP = "a: " + "[" * 50_000
LONG = "a: " + "x" * (20 << 20)
BOMBS = {"laughs": LAUGHS, "deep": DEEP, "long": LONG, "tag": "a: !!python/object/apply:os.system ['touch owned']\n"}


@pytest.fixture
def refused(capsys, study):
    """Run a command that must end in under a second with one sentence; returns that sentence."""
    main(["--version"])  # what is imported once is not the door's time
    before = sorted(study.folder.rglob("*"))
    capsys.readouterr()

    def run(*words: object) -> str:
        start = time.process_time()
        code = main([str(word) for word in words])
        seconds = time.process_time() - start
        out, err = capsys.readouterr()
        assert code == 2, err
        assert seconds < 1
        assert not out
        assert "Traceback" not in err
        left = set(study.folder.rglob("*")) - set(before)
        assert not [path for path in left if "out" in path.name or "owned" in path.name or "partial" in path.name]
        return err

    return run


@pytest.mark.parametrize("bomb", BOMBS)
def test_documents(study, refused, finished, bomb):
    path = study.folder / "bomb.yaml"
    path.write_text(BOMBS[bomb])
    refused("run", path)
    refused("schema", "check", "data.csv", path)
    model = shutil.copytree(finished.out / "model", study.folder / "model")
    shutil.copy(path, model / "schema.yaml")
    refused("sample", model, "-n", "5", "-o", "out.csv")


@pytest.mark.parametrize(
    "content", ["[" * 100_000, "{" * 10, '{"a": NaN}', "9" * 5_000, '"' + "x" * (300 << 10), "[]", "null"]
)
def test_json(study, refused, finished, content):
    run = shutil.copytree(finished.out, study.folder / "run")
    for name in ("report.json", "manifest.json"):
        (run / name).write_text(content)
    refused("report", run / "report.json", "-o", "out.html")
    refused("verify", run)
    refused("export", run, "--for-sharing", "-o", "out")


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "model/../../x", "C:\\x", "a\0b"])
def test_a_manifest_that_names_files_elsewhere(study, refused, finished, name):
    run = shutil.copytree(finished.out, study.folder / "run")
    document = json.loads((run / "manifest.json").read_text())
    document["files"][name] = "0" * 64
    document["files"][f"model/{name}"] = "0" * 64
    (run / "manifest.json").write_text(json.dumps(document))
    said = refused("verify", run)
    assert name != "../outside" or "leads out of the folder" in said
    refused("export", run, "--for-sharing", "--override", "a reason", "-o", "out")


def test_a_small_file_that_unpacks_to_a_large_one(study, refused):
    (study.folder / "data.csv.gz").write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * (40 << 20), 6))
    assert "unpacks" in refused("run", "study.yaml", "--set", "data.source=data.csv.gz")


PACKED = {
    "rows": lambda: {"a": pa.nulls(50_000_000, pa.bool_())},
    "texts": lambda: {"a": pa.DictionaryArray.from_arrays(np.zeros(200_000, dtype=np.int32), ["x" * (1 << 20)])},
    "pages": lambda: {"a": ["x" * (1 << 20)] * 66},
}


@pytest.mark.parametrize("kind", PACKED)
def test_a_small_parquet_file_that_unpacks_to_a_large_one(study, refused, kind):
    words = {"use_dictionary": kind == "texts", "compression": "zstd", "row_group_size": 1 << 27}
    pq.write_table(pa.table(PACKED[kind]()), study.folder / "data.parquet", **words)
    assert (study.folder / "data.parquet").stat().st_size < 1 << 20
    assert "unpacks" in refused("run", "study.yaml", "--set", "data.source=data.parquet")


def test_a_packed_table_is_read(tmp_path):
    text = "a,b\n" + "1,2\n" * 100_000
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(text.encode()))
    assert len(read_table(tmp_path / "t.csv.gz")) == 100_000


@pytest.mark.parametrize("target", ["elsewhere", "absent"])
def test_links_in_the_place_of_outputs(study, refused, finished, target):
    (study.folder / "elsewhere").mkdir()
    (study.folder / "link").symlink_to(target)
    for name in ("link.csv", "link.html"):
        (study.folder / name).symlink_to(target)
    refused("run", "study.yaml", "--set", "outputs.folder=link", "--overwrite")
    refused("fit", "study.yaml", "-o", "link", "--overwrite")
    refused("export", finished.out, "--for-sharing", "--override", "a reason", "-o", "link", "--overwrite")
    refused("sample", finished.out / "model", "-n", "5", "-o", "link.csv", "--overwrite")
    refused("impute", finished.out / "model", "data.csv", "-o", "link.csv", "--overwrite")
    refused("report", finished.out / "report.json", "-o", "link.html", "--overwrite")
    refused("schema", "infer", "data.csv", "-o", "link.csv", "--overwrite")
    assert list((study.folder / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("name", ["../data/x", "/etc/passwd", "heart_disease/../../x", ".."])
def test_datasets_have_names_and_no_paths(refused, name):
    refused("run", "study.yaml", "--set", f"data.source='dataset:{name}'")


@pytest.mark.parametrize(
    "source", [f"postgresql://me:{SECRET}@ward/db", f"duckdb://x?password={SECRET}", f"https://me:{SECRET}@ward/a.csv"]
)
def test_a_password_in_an_address_is_repeated_nowhere(study, refused, source):
    study.config["data"]["source"] = source
    study.write()
    for words in ([], ["--dry-run"], ["--set", f"data.source={source}"], ["--json"]):
        if "--json" not in words:
            assert SECRET not in refused("run", "study.yaml", *words)
    for key in ("password", "token", "dsn"):
        study.config["data"] = {"source": "data.csv", key: SECRET}
        study.write()
        assert SECRET not in refused("run", "study.yaml")


@pytest.mark.parametrize("harm", ["model.json", "encoder.json", "weights.safetensors"])
def test_files_of_a_model_that_are_links_pipes_or_huge(study, finished, harm):
    model = shutil.copytree(finished.out / "model", study.folder / "model")
    start = time.process_time()
    (model / harm).unlink()
    (model / harm).symlink_to("/dev/zero")
    with pytest.raises(SynthclinError):
        load_model(model)
    (model / harm).unlink()
    with (model / harm).open("wb") as file:
        file.truncate(50 << 30)  # a hole: no disk is filled
    with pytest.raises(SynthclinError):
        load_model(model)
    assert time.process_time() - start < 1

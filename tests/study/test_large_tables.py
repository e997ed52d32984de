"""A study of a table that is too large for memory: trained on a sample of it, and released in shards."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import signal

import numpy as np
import pandas as pd
import pytest

import synthclin as sc
from synthclin import progress
from synthclin.cli import main
from synthclin.errors import ConfigError, DataError, ModelFormatError, OutputError
from synthclin.models import shards
from synthclin.report import Report
from synthclin.study import data, manifest
from synthclin.study.binding import verify_binding
from synthclin.study.config import load
from synthclin.study.verify import verify

STUDY = {
    "version": 1,
    "name": "ward",
    "seed": 3,
    "data": {"source": "ward.csv", "sample": 400},
    "schema": {
        "columns": {
            "patient": {"type": "id", "format": "P{:06d}", "role": "entity"},
            "age": {"type": "integer", "range": [0, 110]},
            "sex": {"type": "category", "categories": ["F", "M"]},
            "sbp": {"type": "integer", "range": [60, 260], "missing": "allowed"},
            "died": {"type": "boolean", "values": [0, 1], "role": "event"},
        }
    },
    "model": {"type": "independent"},
    "sampling": {"rows": 1000, "shard_rows": 300},
    "evaluation": {"replicates": 2, "workers": 1},
    "privacy": {"release_check": True},
    "gates": ["fidelity.marginals >= 0.5"],
}
VISITS = {
    "columns": {
        **STUDY["schema"]["columns"],
        "visit": {"type": "id"},
        "day": {"type": "integer", "range": [0, 700], "role": "visit"},
    }
}


@pytest.fixture(scope="module", autouse=True)
def ward(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ward")
    rng = np.random.default_rng(1)
    n = 3000
    age = rng.integers(20, 95, n)
    table = pd.DataFrame(
        {
            "patient": [f"W{i}" for i in range(n)],
            "age": age,
            "sex": rng.choice(["F", "M"], n),
            "sbp": pd.Series(rng.normal(110 + age / 4, 15, n).round().astype(int)).mask(rng.random(n) < 0.1),
            "died": (rng.random(n) < age / 200).astype(int),
        }
    )
    table.to_csv(folder / "ward.csv", index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder


@pytest.fixture(scope="module")
def finished(ward):
    with progress.quiet():
        return sc.run({**STUDY, "outputs": {"folder": str(ward / "run")}})


def test_the_folder_has_shards_and_says_so(finished):
    folder = finished.folder
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {"synthetic/_shards.json", *(f"synthetic/part-0000{i}.parquet" for i in range(4))} < names
    assert not any(name.startswith("synthetic.") for name in names)
    assert finished.manifest.rows == {"train": 320, "holdout": 80, "synthetic": 1000, "source": 3000}
    table = sc.read_table(folder / "synthetic", load({**STUDY}).table_schema)
    assert len(table) == 1000
    assert table["patient"].is_unique
    assert set(finished.manifest.repeated) == {"synthetic"}
    report = Report.read(folder / "report.json")
    assert report.table.rows == 1000
    assert report.provenance["rows"]["synthetic"] == 320
    sampled = "The 400 real rows are those of a random sample of patients; their source has 3.000 rows."
    assert any(re.fullmatch(sampled, note) for note in report.notes)
    first = "Scores are of the first 320 of 1\u202f000 synthetic rows, a random sample. Attacks on privacy"
    assert any(note.startswith(first) for note in report.notes)
    for page in ("report.md", "report-shareable.md"):
        assert re.search(r"Scores are of the first 320 of 1.000 synthetic rows", (folder / page).read_text())
    page = (folder / "report.html").read_text()
    assert re.search(r"synthetic/_shards.json, 1.000 rows", page)
    assert re.search(r"320 of 1.000 rows, 4 columns judged", page)


def test_the_shareable_edition_does_not_tell_the_number_of_real_rows(ward):
    with progress.quiet():
        study = {**STUDY, "data": {"source": "ward.csv", "sample": 404}, "outputs": {"folder": str(ward / "odd")}}
        done = sc.run(study)
    assert (done.manifest.rows["train"], done.report.provenance["rows"]["synthetic"]) == (323, 320)
    for name in ("report-shareable.html", "report-shareable.md", "datacard.md", "croissant.json"):
        text = (done.folder / name).read_text()
        assert not re.search(r"\b(323|404) (of|rows|patients|real|synthetic)|n = 323\b", text), name
        assert re.search(r"\b320 of 1.000 synthetic rows", text), name


def test_a_sample_of_a_database_is_verified(ward):
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect(str(ward / "ward.db")) as connection:
        connection.execute("CREATE TABLE ward AS FROM 'ward.csv'")
    source = f"duckdb:///{ward}/ward.db"
    study = {**STUDY, "data": {"source": source, "table": "ward", "sample": 300}}
    study |= {"sampling": {"rows": 100}, "outputs": {"folder": str(ward / "asked")}}
    with progress.quiet():
        done = sc.run(study)
        assert not sc.run(study, resume=True).ran
    assert verify(done.folder, source).problems == ()
    with duckdb.connect(str(ward / "ward.db")) as connection:
        connection.execute("UPDATE ward SET age = age + 1")
    assert verify(done.folder, source).problems == (f"{source}: its rows are not those that the run read",)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_metadata_name_the_shards(finished, monkeypatch):
    mlcroissant = pytest.importorskip("mlcroissant")
    monkeypatch.chdir(finished.folder)
    card = finished.folder / "croissant.json"
    document = json.loads(card.read_text())
    listed, shards_of = document["distribution"]
    assert listed["contentUrl"] == "synthetic/_shards.json"
    assert shards_of["includes"] == "synthetic/part-*.parquet"
    found = mlcroissant.Dataset(jsonld="croissant.json")
    assert not found.metadata.ctx.issues.errors


def test_the_run_is_verified_and_a_changed_shard_is_not(finished):
    folder = finished.folder
    assert verify(folder, folder.parent / "ward.csv").problems == ()
    assert verify_binding(folder / "synthetic", folder / "report.html").problems == ()
    shard = folder / "synthetic" / "part-00002.parquet"
    before = shard.read_bytes()
    pd.read_parquet(shard).assign(age=500).to_parquet(shard)
    problems = "\n".join(verify(folder).problems)
    assert "synthetic/part-00002.parquet: the file was changed after the run" in problems
    assert "synthetic/part-00002.parquet: column 'age'" in problems
    assert main(["verify", str(folder / "synthetic"), str(folder / "report.html")]) == 1
    shard.write_bytes(before)
    assert verify(folder).problems == ()


def _killed(ward, folder):
    written = []

    def kill(table, place, schema, **words):
        sc.write_table(table, place, schema, **words)
        written.append(place)
        if len(written) == 3:
            os.kill(os.getpid(), signal.SIGKILL)

    shards.write_table = kill
    sc.run({**STUDY, "outputs": {"folder": str(ward / folder)}})


def test_a_killed_run_keeps_its_shards(finished, ward):
    process = multiprocessing.get_context("fork").Process(target=_killed, args=(ward, "cut"))
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    study = {**STUDY, "outputs": {"folder": str(ward / "cut")}}
    assert len(list((ward / ".cut.shards").glob("part-*"))) == 3
    with pytest.raises(OutputError, match="a checkpoint of an interrupted run is here"):
        sc.run(study)
    other = {**study, "sampling": {"rows": 1000, "shard_rows": 200}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "read_sample", None)  # shards of another request are refused before the table is read
        with pytest.raises(ModelFormatError, match="belongs to another sample, which differs in: rows of a shard"):
            sc.run(other, resume=True)
    sampled = []
    sample = shards.ShardRequest.sample
    with pytest.MonkeyPatch.context() as patch, progress.quiet():
        patch.setattr(
            shards.ShardRequest, "sample", lambda self, i, place: (sampled.append(i), sample(self, i, place))[1]
        )
        done = sc.run(study, resume=True)
    assert sampled == [2, 3]
    for name in ("report.json", "synthetic/_shards.json", *(f"synthetic/part-0000{i}.parquet" for i in range(4))):
        assert (done.folder / name).read_bytes() == (finished.folder / name).read_bytes()
    assert not (ward / ".cut.shards").exists()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"outputs": {"table": "csv"}}, "shards are Parquet files"),
        ({"model": {"type": "bootstrap"}}, "samples training rows, so its table is no release"),
        ({"sampling": {"rows": 10_000_000, "shard_rows": 10}}, "1,000,000 shards are more than 99,999"),
        (
            {"outputs": {"adam": {}}},
            "sampling.shard_rows: data sets of the Analysis Data Model hold the whole table",
        ),
        ({"schema": VISITS}, "column 'visit': its identifiers number the visits"),
        ({"sampling": {"rows": 20_000_000}}, "Set `shard_rows: 200000` too"),
        ({"data": {"source": "ward.csv", "sample": 1}}, "data.sample"),
        (
            {
                "protect": {"dp": {"epsilon": 1, "delta": 1e-6, "unit": "patient", "at_most": 1, "patients": 400}},
                "model": {"type": "gan"},
            },
            "data.sample: which patients a sample of the source has depends on the others",
        ),
    ],
    ids=["csv", "bootstrap", "shards", "adam", "visits", "rows", "sample", "dp"],
)
def test_what_does_not_fit_is_refused_before_work(changes, says):
    with pytest.raises(ConfigError, match=says):
        load({**STUDY, **changes})


def test_the_command_line_samples_shards(finished, ward, capsys):
    model = str(finished.folder / "model")
    words = ["sample", model, "-n", "500", "-o", str(ward / "more"), "--shard-rows", "200", "--seed", "1"]
    assert main([*words, "--workers", "2"]) == 0
    assert "500 rows written to" in capsys.readouterr().out
    assert len(sc.read_table(ward / "more")) == 500
    assert main(words) == 2
    assert "exists already" in capsys.readouterr().err
    assert main([*words, "--overwrite", "--json"]) == 0
    for place in ("env:DATABASE_URL?table=x", "duckdb:///x.db?table=x", str(ward / "x.csv")):
        assert main(["sample", model, "-n", "5", "-o", place, "--shard-rows", "2"]) == 2
        assert "shards are Parquet files in a folder" in capsys.readouterr().err
    assert main(["sample", model, "-n", "5", "-o", str(ward / "x.csv"), "--resume"]) == 2
    assert "Add --shard-rows" in capsys.readouterr().err


def test_a_large_file_without_a_sample_is_warned_of(monkeypatch):
    monkeypatch.setattr(data, "LARGE", 1000)
    findings = []
    study = load({**STUDY, "data": {"source": "ward.csv"}})
    assert data.prepare(study, manifest.Clock(), findings.append).source_rows is None
    assert "`data.sample: 200000` reads a random sample" in findings[0].remedy
    findings.clear()
    assert data.prepare(load(STUDY), manifest.Clock(), findings.append).source_rows == 3000
    assert findings == []


def test_an_error_says_that_rows_are_counted_in_the_sample(ward):
    table = pd.read_csv("ward.csv").assign(age=999)
    table.to_csv(ward / "old.csv", index=False)
    with pytest.raises(DataError, match=r"old.csv \(sample of 400 rows\): column 'age'") as caught, progress.quiet():
        data.prepare(load({**STUDY, "data": {"source": "old.csv", "sample": 400}}), manifest.Clock(), print)
    assert "999" not in str(caught.value)


def test_a_study_begins_with_a_sample(ward, capsys):
    assert main(["init", "ward.csv", "-o", str(ward / "begun"), "--sample", "500"]) == 0
    study = load(ward / "begun" / "study.yaml")
    assert study.data.sample == 500
    assert set(study.table_schema.columns) == set(STUDY["schema"]["columns"])
    assert "all 500 cells" in (ward / "begun" / "schema.yaml").read_text()
    capsys.readouterr()
    assert main(["schema", "infer", "ward.csv", "--sample", "300"]) == 0
    assert "all 300 cells" in capsys.readouterr().out


def test_evaluate_scores_as_many_rows_of_shards_as_there_are_training_rows(finished, ward):
    schema = load(STUDY).table_schema
    table = pd.read_csv("ward.csv")
    table.head(200).to_csv(ward / "train.csv", index=False)
    table.tail(100).to_csv(ward / "holdout.csv", index=False)
    (ward / "schema.yaml").write_text(schema.to_yaml(comments=False))
    words = ["--train", "train.csv", "--holdout", "holdout.csv", "--schema", "schema.yaml", "-o", "judged.json"]
    assert main(["evaluate", str(finished.folder / "synthetic"), *words, "--quiet"]) in {0, 3}
    report = Report.read(ward / "judged.json")
    assert report.provenance["rows"]["synthetic"] == 200
    assert (report.table.name, report.table.rows) == ("synthetic/_shards.json", 1000)
    assert any(re.search("first 200 of 1.000 synthetic rows", note) for note in report.notes)

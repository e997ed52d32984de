"""A table in shards: the same files for any number of workers, resumed after a kill, bound to its model and request."""

from __future__ import annotations

import multiprocessing
import os
import signal
import warnings

import pandas as pd
import pytest

import synthclin as sc
from synthclin import progress
from synthclin.errors import ConfigError, DataError, FewEventsWarning, ModelFormatError, OutputError
from synthclin.io import held_folder
from synthclin.models import shards
from synthclin.tables.shard_index import INDEX, first_rows, read_shards
from tests import longitudinal


@pytest.fixture(scope="module")
def model():
    table, schema = sc.datasets.load("heart_disease")
    schema = schema.with_column("patient", type="id", format="P{:05d}")
    with progress.quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of identifiers that start beyond those of the table
        return sc.Independent(schema).fit(table.head(200).assign(patient=[f"P{i:05d}" for i in range(200)]))


@pytest.fixture(scope="module")
def visits():
    with progress.quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return sc.Independent(longitudinal.schema()).fit(longitudinal.visits(60))


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_files_do_not_depend_on_workers(model, tmp_path):
    found = [
        sc.sample_shards(model, 1000, tmp_path / str(workers), shard_rows=300, workers=workers, random_state=5)
        for workers in (1, 3)
    ]
    assert contents(tmp_path / "1") == contents(tmp_path / "3")
    assert sorted(contents(tmp_path / "1")) == [INDEX, *(f"part-0000{i}.parquet" for i in range(4))]
    assert found[0].rows == found[1].rows == found[0].facts.rows == 1000
    table = sc.read_table(tmp_path / "1", model.schema)
    assert len(table) == 1000
    assert table["patient"].is_unique
    assert table["patient"].iloc[0] == f"P{model.first_id:05d}"
    assert read_shards(tmp_path / "1").rows == 1000
    assert len(pd.read_parquet(tmp_path / "1")) == 1000  # other programs read the folder too
    # Shards are no copies of each other.
    cells = table.drop(columns="patient")
    assert not cells.iloc[:300].reset_index(drop=True).equals(cells.iloc[300:600].reset_index(drop=True))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "3"]
    assert oct((tmp_path / "1" / INDEX).stat().st_mode & 0o777) == "0o600"


def test_conditions_hold_in_each_shard(model, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewEventsWarning)
        done = sc.sample_shards(
            model, 500, tmp_path / "old", shard_rows=200, where="age >= 60", random_state=1, id_start=7000
        )
        plain = model.sample(500, where="age >= 60", random_state=1)
    table = sc.read_table(tmp_path / "old", model.schema)
    assert table["age"].min() >= 60
    assert table["patient"].tolist() == [f"P{i:05d}" for i in range(7000, 7500)]
    assert done.facts.probability == pytest.approx(model.sample_facts_.probability, rel=0.2)
    assert abs(table["age"].mean() - plain["age"].mean()) < 1.5


def test_patients_with_visits_are_whole(visits, tmp_path):
    done = sc.sample_shards(visits, 50, tmp_path / "cohort", shard_rows=20, random_state=1)
    table = sc.read_table(tmp_path / "cohort", visits.schema)
    assert table[visits.schema.entity].nunique() == 50
    assert done.rows == len(table) > 50


def _killed_in_the_third_shard(model, folder):
    written = []

    def kill(table, place, schema, **words):
        sc.write_table(table, place, schema, **words)
        written.append(place)
        if len(written) == 3:
            os.kill(os.getpid(), signal.SIGKILL)

    shards.write_table = kill
    sc.sample_shards(model, 1000, folder, shard_rows=200, workers=1, random_state=5)


def test_a_killed_call_is_resumed_and_loses_finished_shards_never(model, tmp_path, monkeypatch):
    sc.sample_shards(model, 1000, tmp_path / "whole", shard_rows=200, random_state=5)
    process = multiprocessing.get_context("fork").Process(
        target=_killed_in_the_third_shard, args=(model, tmp_path / "cut")
    )
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    left = tmp_path / ".cut.shards"
    assert [path.name for path in sorted(left.glob("part*"))] == [f"part-0000{i}.parquet" for i in range(3)]
    assert oct(left.stat().st_mode & 0o777) == "0o700"
    with pytest.raises(OutputError, match="finished shards of an interrupted sampling are here"):
        sc.sample_shards(model, 1000, tmp_path / "cut", shard_rows=200, random_state=5)
    for other, differs in (
        ({"random_state": 6}, "seed"),
        ({"shard_rows": 100}, "rows of a shard"),
        ({"where": "age > 50"}, "condition"),
    ):
        with pytest.raises(ModelFormatError, match=f"belongs to another sample, which differs in: {differs}"):
            sc.sample_shards(
                model, 1000, tmp_path / "cut", **{"shard_rows": 200, "random_state": 5, **other}, resume=True
            )
    (left / "part-00001.parquet").write_bytes(b"damaged")
    sampled = []
    monkeypatch.setattr(shards.ShardRequest, "sample", _counted(shards.ShardRequest.sample, sampled))
    sc.sample_shards(model, 1000, tmp_path / "cut", shard_rows=200, workers=1, random_state=5, resume=True)
    assert sampled == [1, 2, 3, 4]  # the third was written, and not yet noted
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")
    assert not left.exists()


def _counted(sample, numbers):
    def counted(self, number, folder):
        numbers.append(number)
        return sample(self, number, folder)

    return counted


def test_another_process_samples_the_same_output(model, tmp_path, monkeypatch):
    monkeypatch.setattr(held_folder, "_WAIT", 0.0)
    request = shards.ShardRequest(model, 100, 50, random_state=1)
    checkpoint = shards.ShardCheckpoint.beside(tmp_path / "a")
    (tmp_path / "stage").mkdir()
    shards.write_shards(request, tmp_path / "stage", checkpoint, workers=1)  # and not yet discarded
    before = contents(checkpoint.folder)
    with held_folder.held_folder(checkpoint.folder) as held:
        assert held
        for words in ({"resume": True}, {"overwrite": True}):
            with pytest.raises(OutputError, match="another process samples the same output now"):
                sc.sample_shards(model, 100, tmp_path / "a", shard_rows=50, random_state=1, **words)
            assert contents(checkpoint.folder) == before
    sc.sample_shards(model, 100, tmp_path / "a", shard_rows=50, random_state=1, resume=True)
    assert contents(tmp_path / "a") == contents(tmp_path / "stage")
    assert not checkpoint.folder.exists()


def test_a_folder_that_is_removed_is_not_held(tmp_path):
    with held_folder.held_folder(tmp_path / "none") as held:
        assert not held


def test_the_first_rows_of_many_small_shards(model, visits, tmp_path):
    sc.sample_shards(model, 300, tmp_path / "rows", shard_rows=7, random_state=1)
    table = sc.read_table(tmp_path / "rows", model.schema)
    for count in (1, 7, 8, 299, 1000):
        pd.testing.assert_frame_equal(first_rows(tmp_path / "rows", count, model.schema), table.head(count))
    sc.sample_shards(visits, 30, tmp_path / "visits", shard_rows=7, random_state=1)
    table = sc.read_table(tmp_path / "visits", visits.schema)
    for count in (1, 7, 20, 100):
        first = table[table[visits.schema.entity].isin(table[visits.schema.entity].unique()[:count])]
        pd.testing.assert_frame_equal(first_rows(tmp_path / "visits", count, visits.schema), first)


def test_a_folder_that_is_there(model, tmp_path):
    sc.sample_shards(model, 10, tmp_path / "a", random_state=1)
    with pytest.raises(OutputError, match="exists already"):
        sc.sample_shards(model, 10, tmp_path / "a", random_state=2)
    before = contents(tmp_path / "a")
    sc.sample_shards(model, 10, tmp_path / "a", random_state=2, overwrite=True)
    assert contents(tmp_path / "a") != before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "note.txt").write_text("mine")
    with pytest.raises(OutputError, match="holds files that are no output of synthclin"):
        sc.sample_shards(model, 10, tmp_path / "mine", overwrite=True)


def test_what_cannot_be_sampled(model, tmp_path):
    for words, says in (
        ({"n": 0}, "`n` is no whole number from 1 on"),
        ({"n": 10, "shard_rows": 0}, "`shard_rows` is no whole number"),
        ({"n": 10**9, "shard_rows": 10}, "100,000,000 shards are more than 99,999"),
        ({"n": 10, "where": "height > 3"}, "height"),
        ({"n": 10, "id_start": 1}, "`id_start` is no whole number from"),
    ):
        with pytest.raises(ConfigError, match=says):
            sc.sample_shards(model, folder=tmp_path / "x", **words)
    assert list(tmp_path.iterdir()) == []


def test_models_that_keep_rows_and_visits_with_identifiers(tmp_path):
    table, schema = sc.datasets.load("heart_disease")
    with pytest.raises(ConfigError, match="consists of its training rows"):
        sc.sample_shards(sc.Bootstrap(schema).fit(table), 10, tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_a_changed_shard_is_noticed(model, tmp_path):
    sc.sample_shards(model, 30, tmp_path / "a", shard_rows=10, random_state=1)
    shard = tmp_path / "a" / "part-00001.parquet"
    before = shard.read_bytes()
    pd.read_parquet(shard).iloc[::-1].to_parquet(shard)
    with pytest.raises(DataError, match=r"part-00001.parquet: is absent or was changed"):
        read_shards(tmp_path / "a")
    shard.write_bytes(before)
    assert read_shards(tmp_path / "a").rows == 30
    (tmp_path / "a" / "part-00009.parquet").write_bytes(before)
    with pytest.raises(DataError, match=r"part-00009.parquet: is not listed"):
        read_shards(tmp_path / "a")

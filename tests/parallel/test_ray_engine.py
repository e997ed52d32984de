"""A Ray cluster of several processes gives what one process gives, whatever dies on the way, and leaves nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from threadpoolctl import threadpool_info

import synthclin as sc
from synthclin.errors import ConfigError, DataError, SynthclinError
from synthclin.evaluation import scoring, validity
from synthclin.evaluation.fidelity import detection, marginals, pairs
from synthclin.evaluation.labels import Labels, column_level, showing_labels
from synthclin.language import speaking, tr
from synthclin.parallel import engine, jobs, processors, ray_cluster, ray_worker, run_all
from synthclin.progress import quiet
from synthclin.study import run as study_run
from synthclin.study import sweep_cells
from synthclin.study.config import load
from synthclin.study.sweep import sweep
from tests.conftest import toy_config, toy_table

ray = pytest.importorskip("ray", reason="the extra `ray` is not installed")
if sys.platform != "linux":
    pytest.skip("Ray is used on Linux alone", allow_module_level=True)

ROOT = Path(__file__).parents[2]
CANARY = "CANARY-7391"


@pytest.fixture(scope="module", autouse=True)
def cluster():
    """One cluster of two processes for the module."""
    handlers, before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)], environment()
    others = set(Path("/dev/shm").glob("synthclin-ray-*"))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RAY_ADDRESS", raising=False)
        with engine("ray", 2):
            assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == handlers
            (home,) = set(Path("/dev/shm").glob("synthclin-ray-*")) - others
            yield home
        assert not home.exists()
        assert not list(descendants())
    assert environment() == before
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == handlers


def environment():
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}


def descendants():
    """The process IDs of this process' descendants."""
    parents = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = place.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if words[0] != "Z":
            parents[int(place.parent.name)] = int(words[1])
    for pid in parents:
        above = pid
        while above in parents and above != os.getpid():
            above = parents[above]
        if above == os.getpid() and pid != above:
            yield pid


def working():
    """The processes of the cluster that run a job now."""
    for pid in descendants():
        try:
            if Path(f"/proc/{pid}/cmdline").read_text().startswith("ray::synthclin"):
                yield pid
        except OSError:
            continue


class Killer(threading.Thread):
    """Kill the first process that runs a job, as soon as there is one."""

    def __init__(self, after=0.0):
        super().__init__(daemon=True)
        self.after, self.killed = after, None

    def run(self):
        until = time.monotonic() + 60
        while self.killed is None and time.monotonic() < until:
            for pid in working():
                time.sleep(self.after)
                os.kill(pid, signal.SIGKILL)
                self.killed = pid
                return
            time.sleep(0.005)


def killed_during(work, after=0.0):
    """Do the work while a process of the cluster is killed."""
    killer = Killer(after)
    killer.start()
    found = work()
    killer.join(60)
    assert killer.killed
    return found


# What a job is and how it ends


@pytest.mark.parametrize("workers", [2, 3])
def test_results_stand_in_the_order_of_the_jobs(workers):
    seen = {}
    work = [partial(pow, number, 2) for number in range(7)]
    assert run_all(work, workers, first=[5, 2], done=seen.__setitem__) == [0, 1, 4, 9, 16, 25, 36]
    assert seen == dict(enumerate([0, 1, 4, 9, 16, 25, 36]))
    assert run_all([], workers) == []
    assert processors() == 2


def test_jobs_run_in_two_other_processes_that_start_none_of_their_own():
    assert run_all([os.getpid] * 2, 1) == [os.getpid()] * 2

    def job():
        time.sleep(0.2)
        return os.getpid(), run_all([os.getpid] * 3, 2)

    found = run_all([job] * 4, 2)
    assert len({pid for pid, _ in found}) == 2
    assert os.getpid() not in {pid for pid, _ in found}
    assert all(inner == [pid] * 3 for pid, inner in found)
    with engine("local"):  # the engine around the block does not matter
        assert processors() == jobs.LocalEngine().processors()


def test_an_error_of_a_job_is_raised_whole_and_once(tmp_path):
    def noted():
        with (tmp_path / "times").open("a") as file:
            file.write("x")
        raise DataError("column 'age'", "3 of 9 rows are no numbers", "Correct them.")

    with pytest.raises(DataError) as caught:
        run_all([noted, partial(time.sleep, 0.01)], 2)
    assert str(caught.value) == "column 'age': 3 of 9 rows are no numbers. Correct them."
    assert caught.value.exit_code == 2
    assert "in noted" in caught.value.__notes__[0]
    assert (tmp_path / "times").read_text() == "x"


def test_what_cannot_be_sent_is_one_clear_error():
    lock = threading.Lock()
    with pytest.raises(SynthclinError, match=r"a job cannot be sent to another process \(TypeError\).*engine: local"):
        run_all([lambda: lock, os.getpid], 2)
    with pytest.raises(RuntimeError, match="lock cannot be sent from a process"):
        run_all([threading.Lock, os.getpid], 2)


def test_jobs_that_do_not_fit_into_memory_are_refused(monkeypatch):
    monkeypatch.setattr(jobs._active.get(), "_nodes", lambda _: [90_000])
    rows = np.zeros(50_000)
    with pytest.raises(ConfigError, match=r"0.00 GB fit into the smallest object store.*shm-size.*engine: local"):
        run_all([rows.sum, rows.min], 2)


# What survives
#
# Before jobs that need heavy modules: a process that takes the place of a killed one imports them again.


def test_a_job_whose_process_is_killed_runs_again(tmp_path, capfd):
    def job():
        if (tmp_path / "second").exists():
            return "done"
        (tmp_path / "second").touch()
        return os.kill(os.getpid(), signal.SIGKILL)

    assert run_all([job, partial(pow, 2, 3)], 2) == ["done", 8]
    assert capfd.readouterr() == ("", "")


def test_a_job_that_kills_every_process_is_one_clear_error(tmp_path):
    def job():
        with (tmp_path / "times").open("a") as file:
            file.write("x")
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(SynthclinError, match=r"of one job were killed 4 times, perhaps because memory.*`workers: 1`"):
        run_all([job, os.getpid], 2)
    assert (tmp_path / "times").read_text() == "xxxx"


def test_after_an_interruption_jobs_stop_and_clean_up(tmp_path):
    def waits():
        try:
            (tmp_path / "begun").touch()
            for _ in range(6_000):
                time.sleep(0.01)
        finally:
            (tmp_path / "stopped").touch()

    def interrupted():
        while not (tmp_path / "begun").exists():
            time.sleep(0.01)

    def done(*_):
        raise KeyboardInterrupt

    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_all([waits, interrupted], 2, done=done)
    assert time.monotonic() - begun < 30
    assert (tmp_path / "stopped").exists()


# What a job inherits


def test_settings_of_the_caller_reach_the_jobs(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.org:3128")

    def job():
        libraries = {library["num_threads"] for library in threadpool_info()}
        return (
            tr("not assessable"),
            column_level("x1", "1", 30),
            str(Path.cwd()),
            os.environ.get("SOURCE_DATE_EPOCH"),
            os.environ.get("HTTPS_PROXY"),
            torch.get_num_threads(),
            libraries,
            torch.cuda.is_available(),
        )

    with speaking("es"), showing_labels(Labels({"x1": "Sex"}, {"x1": {"1": "male"}})):
        found = run_all([job] * 2, 2)
    assert (
        found
        == [("no evaluable", "Sex: male", str(tmp_path), "86400", "http://proxy.example.org:3128", 1, {1}, False)] * 2
    )
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    assert [each[:2] + each[3:4] for each in run_all([job] * 2, 2)] == [("not assessable", "x1: 1", None)] * 2


def test_jobs_may_write_into_their_arrays_and_do_not_see_those_of_others():
    rows = np.zeros(200_000)

    def job(number):
        rows[0] += number
        return rows

    first, second = run_all([partial(job, 1), partial(job, 1)], 2)
    first[1] = 5  # results can be written to as well
    assert rows[0] == 0
    assert second[1] == 0


# Whole runs


def files_of(folder):
    """The bytes of all files, but seconds and the random key of the source in a manifest."""
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for name in [name for name in found if name.endswith("manifest.json")]:
        record = json.loads(found[name])
        del record["seconds"], record["source"]
        found[name] = json.dumps(record, sort_keys=True).encode()
    return found


FEW = (validity.rules, marginals.marginals, pairs.pairs, detection.logistic_detection)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The toy study of a model that is trained in a moment, and few scores; the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(scoring, "SCORES", FEW)
    study = toy_config() | {
        "model": {"type": "independent"},
        "privacy": {"audit": "standard"},
        "evaluation": {"workers": 2, "replicates": 1, "language": "es"},
    }
    Path("study.yaml").write_text(yaml.safe_dump(study, sort_keys=False), "utf-8")
    toy_table().to_csv("data.csv", index=False)
    return tmp_path


@pytest.mark.usefixtures("place")
def test_a_run_with_a_killed_process_has_the_bytes_of_a_local_run():
    def of(name):
        with quiet():
            return files_of(study_run.run(load("study.yaml", [f"engine={name}", f"outputs.folder={name}"])).folder)

    with engine("local"):
        local = of("local")
    # The first jobs are the shadow models.
    on_cluster = killed_during(partial(of, "ray"), after=0.05)
    assert json.loads(local["report.json"])["language"] == "es"
    same = {name for name, content in local.items() if on_cluster.get(name) == content}
    # These two repeat the folder, or a hash of what does.
    assert local.keys() == on_cluster.keys()
    assert local.keys() - same <= {"config.yaml", "manifest.json"}
    assert local["config.yaml"].replace(b"folder: local", b"folder: ray") == on_cluster["config.yaml"]


def test_a_sweep_with_a_killed_process_has_the_bytes_of_a_local_sweep(place, monkeypatch):
    few = FEW

    def run_cell(cell, *, resume):
        scoring.SCORES = few  # in a process of the cluster too
        return sweep_cells.run_cell(cell, resume=resume)

    monkeypatch.setattr("synthclin.study.sweep.run_cell", run_cell)
    grid = {
        "version": 1,
        "name": "grid",
        "sweep": {
            "studies": ["study.yaml"],
            "models": [{"type": "independent"}, {"type": "bootstrap"}],
            "seeds": [0],
            "set": {"privacy.audit": "quick"},
            "workers": 2,
        },
    }
    Path("sweep.yaml").write_text(yaml.safe_dump(grid, sort_keys=False), "utf-8")

    def of(name):
        with quiet():
            done = sweep("sweep.yaml", overrides=[f"engine={name}"], overwrite=True)
        assert not done.failed
        found = files_of(done.folder / "cells")
        index = (done.folder / "index.html").read_bytes()
        return found, index

    with engine("local"):
        local, index = of("local")
    on_cluster, again = killed_during(partial(of, "ray"), after=0.3)
    assert local.keys() == on_cluster.keys()
    assert {name for name in local if local[name] != on_cluster[name]} == set()
    assert index == again
    assert not [path for path in place.rglob(".*") if path.name != "."], "nothing half-written is left"


# What is left behind


def test_no_cell_stands_in_a_file_of_the_cluster_and_nobody_else_reaches_it(cluster):
    def job():
        sys.stdout.write(CANARY)
        sys.stderr.write(CANARY)
        os.system(f"echo {CANARY}")
        warnings.warn(CANARY, stacklevel=1)
        ray.logger.error(CANARY)
        raise ValueError(CANARY)

    with pytest.raises(ValueError, match=CANARY):
        run_all([job, os.getpid], 2)
    time.sleep(1.5)  # Ray writes events every second
    assert cluster.stat().st_mode & 0o777 == 0o700
    logs = [path for path in cluster.rglob("*") if path.is_file()]
    assert len(logs) > 10
    assert not [path for path in logs if CANARY.encode() in path.read_bytes()]
    owned = {f"socket:[{inode}]" for inode in inodes_of([*descendants(), os.getpid()])}
    assert listening() & owned == listening("0100007F", "0000000000000000FFFF00000100007F") & owned
    assert listening() & owned


def inodes_of(pids):
    for pid in pids:
        for place in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                name = str(place.readlink())
            except OSError:
                continue
            if name.startswith("socket:["):
                yield name[8:-1]


def listening(*addresses):
    """The sockets that listen, at these addresses or at any."""
    found = set()
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and (not addresses or words[1].partition(":")[0] in addresses):
                found.add(f"socket:[{words[9]}]")
    return found


# What is refused


def test_an_absent_ray_is_one_clear_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    absent = pytest.raises(ConfigError, match=r'engine: ray: Ray is absent.*pip install.*\.\[ray\]"')
    with engine("local"), absent, engine("ray"):
        pass
    with engine("local"), engine("ray", workers=1):  # nothing to start
        assert run_all([os.getpid] * 2, 1) == [os.getpid()] * 2


def test_an_engine_that_does_not_exist_is_refused():
    with pytest.raises(ConfigError, match=r"no engine 'dask'. Choose from local, ray"), engine("dask"):
        pass


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("127.0.0.1:1", "cannot be reached (ConnectionRefusedError)"),
        ("nowhere", "cannot be reached (ValueError)"),
        ("ray://127.0.0.1:10001", "address of a Ray client"),
    ],
)
def test_a_cluster_that_is_not_there_is_refused(address, what):
    code = 'from synthclin.parallel import engine\nwith engine("ray"): pass'
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"RAY_ADDRESS": address, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("synthclin.errors.ConfigError")]
    assert f"RAY_ADDRESS={address}: " in line
    assert what in line


def test_nodes_that_would_give_other_bytes_or_write_to_a_disk_are_refused(tmp_path):
    here = ray_worker.describe().versions
    node = ray_worker.Node(here, "/dev/shm", "/dev/shm/ray", private=True, sees=True)

    def refusal(found, token=None):
        with pytest.raises(ConfigError) as caught:
            ray_cluster._refuse_unlike(found, here, "b", token)
        assert caught.value.where == "Ray node b"
        return str(caught.value)

    ray_cluster._refuse_unlike(node, here, "b", tmp_path / "token")
    assert "synthclin is absent there" in refusal(None)
    other = here | {"torch": "1.0"}
    assert f"it has torch 1.0 instead of {here['torch']}. Install the same" in refusal(node._replace(versions=other))
    other = {name: version for name, version in here.items() if name != "scipy"}
    assert "it has scipy absent instead of" in refusal(node._replace(versions=other))
    other = here | {"processor": "x86_64 GenuineIntel"}
    assert "Give the nodes one kind of processor" in refusal(node._replace(versions=other))
    for folders in ({"spilled": "/tmp/ray/session"}, {"store": "/tmp"}, {"store": "", "spilled": ""}):
        found = refusal(node._replace(**folders))
        assert "to its disk if memory is full. Run `mkdir -m 700 /dev/shm/ray`" in found
        assert "--object-spilling-directory=/dev/shm/ray/objects" in found
    assert "other users can read /dev/shm/ray" in refusal(node._replace(private=False))
    assert f"the folder {tmp_path} of this machine is not there" in refusal(
        node._replace(sees=False), tmp_path / "token"
    )


def test_what_a_killed_process_left_in_memory_is_removed(cluster, monkeypatch, tmp_path):
    monkeypatch.setattr(ray_cluster, "_SHARED", tmp_path)
    for name in ("synthclin-ray-left", "synthclin-ray-used", "other"):
        (tmp_path / name / "r").mkdir(parents=True)
    (tmp_path / "synthclin-ray-link").symlink_to(tmp_path / "other")
    claim = ray_cluster._claimed(tmp_path / "synthclin-ray-used")
    assert ray_cluster._claimed(cluster) is None
    ray_cluster._sweep()
    assert {path.name for path in tmp_path.iterdir()} == {"synthclin-ray-used", "synthclin-ray-link", "other"}
    os.close(claim)
    ray_cluster._sweep()
    assert {path.name for path in tmp_path.iterdir()} == {"synthclin-ray-link", "other"}


def test_little_shared_memory_is_refused(monkeypatch):
    free = type("Usage", (), {"free": 64_000_000})
    monkeypatch.setattr(ray_cluster.shutil, "disk_usage", lambda _: free)
    with pytest.raises(ConfigError, match=r"/dev/shm has 64 MB, and 100 MB are needed.*--shm-size=2g.*engine: local"):
        ray_cluster._store()


def test_shards_of_a_sample_have_the_bytes_of_local_ones(tmp_path):
    table, schema = sc.datasets.load("heart_disease")
    with quiet():
        model = sc.Independent(schema).fit(table)
        killed_during(lambda: sc.sample_shards(model, 600, tmp_path / "ray", shard_rows=100, workers=2, random_state=1))
        with engine("local"):
            sc.sample_shards(model, 600, tmp_path / "local", shard_rows=100, workers=1, random_state=1)
    folders = [tmp_path / "ray", tmp_path / "local"]
    files = [{path.name: path.read_bytes() for path in sorted(folder.iterdir())} for folder in folders]
    assert len(files[0]) == 7
    assert files[0] == files[1]

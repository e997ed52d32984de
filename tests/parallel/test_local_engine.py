"""Jobs in parallel processes give what they give one after the other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.ensemble import HistGradientBoostingClassifier

from synthclin.errors import DataError, SynthclinError
from synthclin.parallel import processors, run_all

forks = pytest.mark.skipif(sys.platform != "linux", reason="jobs run one after the other where processes cannot fork")


def refused():
    raise DataError("column 'age'", "3 of 9 rows are no numbers", "Correct them.")


def killed():
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_results_stand_in_the_order_of_the_jobs(workers):
    seen = {}
    jobs = [partial(pow, number, 2) for number in range(7)]
    assert run_all(jobs, workers, first=[5, 2], done=seen.__setitem__) == [0, 1, 4, 9, 16, 25, 36]
    assert seen == dict(enumerate([0, 1, 4, 9, 16, 25, 36]))
    assert run_all([], workers) == []


@forks
def test_two_workers_are_two_processes_and_one_is_this_one():
    assert set(run_all([os.getpid] * 3, 1)) == {os.getpid()}
    assert os.getpid() not in run_all([os.getpid] * 4, 2)
    # A worker starts no workers of its own.
    (inner,) = set(run_all([lambda: len(set(run_all([os.getpid] * 3, 2)))] * 2, 2))
    assert inner == 1


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_job_is_raised_whole(workers):
    with pytest.raises(DataError) as caught:
        run_all([refused, os.getpid], workers)
    assert (caught.value.where, caught.value.remedy) == ("column 'age'", "Correct them.")
    assert str(caught.value) == "column 'age': 3 of 9 rows are no numbers. Correct them."


def waits(place):
    """Wait a minute, and tell what ended the wait."""

    def stop(*_):
        place.write_text("stopped")
        raise SystemExit

    signal.signal(signal.SIGTERM, stop)
    place.with_suffix(".begun").touch()
    time.sleep(60)


@forks
def test_after_an_interruption_the_workers_stop_at_once_and_clean_up(tmp_path):
    def interrupted():
        while not (tmp_path / "a.begun").exists():
            time.sleep(0.01)

    def done(*_):
        raise KeyboardInterrupt

    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_all([partial(waits, tmp_path / "a"), interrupted, partial(waits, tmp_path / "b")], 2, done=done)
    assert time.monotonic() - begun < 30
    assert (tmp_path / "a").read_text() == "stopped"


@forks
def test_a_killed_worker_is_one_clear_error():
    with pytest.raises(SynthclinError, match=r"a worker process was killed.*`workers: 1`"):
        run_all([killed, os.getpid], 2)


@forks
def test_libraries_with_threads_of_their_own_survive_the_fork():
    """Boosted trees (OpenMP) and gradients of torch, used here before and in the workers afterwards."""
    rng = np.random.default_rng(0)
    rows, labels = rng.normal(size=(400, 3)), rng.integers(0, 2, 400)

    def trees():
        return HistGradientBoostingClassifier(max_iter=5, random_state=0).fit(rows, labels).predict_proba(rows).tolist()

    def gradients():
        torch.set_num_threads(1)
        weights = torch.ones(3, requires_grad=True)
        (torch.from_numpy(rows).float() @ weights).square().mean().backward()
        return weights.grad.tolist()

    assert run_all([trees, gradients, trees, gradients], 2) == [trees(), gradients(), trees(), gradients()]


def test_processors():
    assert 1 <= processors() <= (os.cpu_count() or 1)


@forks
def test_workers_end_with_a_parent_that_is_killed(tmp_path):
    written = tmp_path / "pids"
    program = f"""
import os, time
from synthclin.parallel import run_all
def work():
    with open({str(written)!r}, "a") as file:
        file.write(str(os.getpid()) + "\\n")
    time.sleep(60)
run_all([work, work], 2)
"""
    process = subprocess.Popen([sys.executable, "-c", program])
    until = time.monotonic() + 60
    while not (written.exists() and len(written.read_text().split()) == 2) and time.monotonic() < until:
        time.sleep(0.05)
    workers = [int(pid) for pid in written.read_text().split()]
    process.kill()
    process.wait()
    while any(_runs(pid) for pid in workers) and time.monotonic() < until:
        time.sleep(0.05)
    assert len(workers) == 2
    assert not any(_runs(pid) for pid in workers)


def _runs(pid):
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@forks
def test_a_signal_for_all_processes_of_a_job_is_an_interruption_and_no_lost_worker():
    """It reaches a worker first."""

    def stop(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            run_all([killed, partial(time.sleep, 30)], workers=2)
    finally:
        signal.signal(signal.SIGTERM, before)

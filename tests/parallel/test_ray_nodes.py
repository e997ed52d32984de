"""Two Ray nodes, started as documented: jobs run on both, and a node that would write rows to a disk is refused."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from synthclin.parallel.ray_cluster import START

pytest.importorskip("ray", reason="the extra `ray` is not installed")
if sys.platform != "linux":
    pytest.skip("Ray is used on Linux alone", allow_module_level=True)

ROOT = Path(__file__).parents[2]
RAY = [sys.executable, "-m", "ray.scripts.scripts"]
JOBS = """
import os, sys, time
from pathlib import Path
from synthclin.errors import ConfigError
from synthclin.parallel import engine, processors, run_all

def job():
    time.sleep(0.3)
    return os.environ["NODE"], os.getpid()

try:
    with engine("ray"):
        found = run_all([job] * 6, processors(), folder=Path.cwd())
        print(processors(), *sorted({node for node, _ in found}), len({pid for _, pid in found}))
except ConfigError as error:
    print(error)
"""


@pytest.fixture
def home():
    """A folder with a short name, because it is part of the names of sockets; it has the token of the cluster."""
    place = Path(tempfile.mkdtemp(prefix="ray-"))
    try:
        yield place
    finally:
        shutil.rmtree(place)


def environment(home, **further):
    words = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    return words | {"HOME": str(home), "RAY_AUTH_MODE": "token", "PYTHONPATH": str(ROOT)} | further


@contextmanager
def node(home, name, *options):
    """Start a node, yield the address of its cluster, and stop it."""
    log = home / f"{name}.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [*RAY, *options, "--block", "--num-cpus", "1", "--object-store-memory", "100000000"],
            env=environment(home, NODE=name),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        until = time.monotonic() + 60
        while "This command will now block" not in log.read_text() and time.monotonic() < until:
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
        found = re.search(r"--address='([^']+)'", log.read_text())
        yield found[1] if found else None
    finally:
        process.terminate()
        process.wait(30)


def said(home, address):
    done = subprocess.run(
        [sys.executable, "-c", JOBS],
        env=environment(home, RAY_ADDRESS=address),
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_jobs_run_on_all_nodes_and_a_node_that_spills_to_a_disk_is_refused(home):
    subprocess.run([*RAY, "get-auth-token", "--generate"], env=environment(home), check=True, capture_output=True)
    head = START.split()[1:]  # without `ray`
    spilled = Path(tempfile.mkdtemp(prefix="ray-", dir="/dev/shm"))  # for its owner alone
    in_memory = f"--object-spilling-directory={spilled}/objects"
    try:
        with node(home, "a", *head, in_memory, "--port=0", f"--temp-dir={home}") as address:
            with node(home, "b", "start", f"--address={address}", in_memory):
                assert said(home, address) == "2 a b 2"
            with node(home, "c", "start", f"--address={address}", f"--object-spilling-directory={home}"):
                refusal = said(home, address)
    finally:
        shutil.rmtree(spilled)
    assert "it would write objects that hold rows to its disk if memory is full" in refusal
    assert not list(home.glob(".synthclin-*"))

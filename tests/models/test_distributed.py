"""Data-parallel training: two processes end with the weights of one, tested with real processes on this machine."""

import dataclasses
import functools
import json
import os
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import torch

from synthclin.models import ConditionalGAN, distributed
from synthclin.models.families import gan
from synthclin.models.generator import validation_metrics
from synthclin.models.generator.training import plan_for
from tests.conftest import toy_config, toy_table
from tests.ward import SCHEMA, ward

PLAN = dataclasses.replace(plan_for(150, "standard"), batch=32, epochs=3, validation=30, adversarial=4)
FIT = """
from tests.models import test_distributed
test_distributed.gan.plan_for = lambda *_: test_distributed.PLAN
test_distributed.validation_metrics._c2st_auc = test_distributed.mean_difference
test_distributed.fitted()
"""


def mean_difference(real, synthetic, *_, **__):
    """Stand in for the C2ST AUC, which takes most of so short a training."""
    return 0.5 + float((real.float().mean() - synthetic.float().mean()).abs())


def fitted():
    """Fit in this process."""
    return ConditionalGAN(SCHEMA, width=16, dropout=0.0, random_state=3, device="cpu").fit(ward(126))


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(gan, "plan_for", lambda *_: PLAN)
    monkeypatch.setattr(validation_metrics, "_c2st_auc", mean_difference)


@pytest.mark.usefixtures("short")
def test_two_processes_end_with_the_weights_of_one(monkeypatch):
    one = fitted().network_.state_dict()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    group = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    root = Path(__file__).parents[2]
    # This process is the first of the two, and waits no longer than two minutes for the other.
    begin = functools.partial(torch.distributed.init_process_group, timeout=timedelta(seconds=120))
    monkeypatch.setattr(torch.distributed, "init_process_group", begin)
    for name, value in (group | {"RANK": "0", "LOCAL_RANK": "0"}).items():
        monkeypatch.setenv(name, value)
    environment = os.environ | {"RANK": "1", "LOCAL_RANK": "1", "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", FIT]
    with subprocess.Popen(command, cwd=root, env=environment, stderr=subprocess.PIPE, text=True) as other:
        two = fitted().network_.state_dict()
        _, said = other.communicate(timeout=120)
    assert other.returncode == 0, said[-2_000:]
    assert one.keys() == two.keys()
    for name, weights in one.items():
        assert torch.allclose(weights, two[name], atol=2e-3), name


def test_a_single_process_keeps_its_batch_and_gradients(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    layer = torch.nn.Linear(2, 1)
    layer(torch.ones(1, 2)).sum().backward()
    before = layer.weight.grad.clone()
    with distributed.together(torch.device("cpu")):
        distributed.agree(layer.weight.grad)
        assert distributed.share(torch.arange(3)).tolist() == [0, 1, 2]
    assert distributed.first()
    assert torch.equal(layer.weight.grad, before)


@pytest.mark.parametrize(("rank", "part"), [(0, [0, 2, 4]), (1, [1, 3]), (5, [0])])
def test_every_process_gets_part_of_a_batch(monkeypatch, rank, part):
    monkeypatch.setattr(distributed, "_grouped", lambda: True)
    monkeypatch.setattr(distributed.distributed, "get_rank", lambda: rank)
    monkeypatch.setattr(distributed.distributed, "get_world_size", lambda: 2 if rank < 2 else 6)
    assert distributed.share(torch.arange(5)).tolist() == part


def test_torchrun_trains_in_two_processes_of_which_one_writes(tmp_path):
    """The command of the documents, for a model that is trained in seconds; what each process prints is in its file."""
    model = {"type": "gan", "effort": "quick", "device": "cpu", "width": 8, "blocks": 0}
    (tmp_path / "study.yaml").write_text(json.dumps(toy_config() | {"model": model}))
    toy_table().to_csv(tmp_path / "data.csv", index=False)
    launch = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "--redirects",
        "3",
    ]
    done = subprocess.run(
        [*launch, "--log-dir", "logs", "-m", "synthclin.cli", "fit", "study.yaml", "-o", "model", "--quiet"],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    said = {path.parent.name: path.read_text() for path in tmp_path.glob("logs/*/attempt_0/*/stdout.log")}
    assert said == {"0": "written to model/\n", "1": ""}
    assert {path.name for path in tmp_path.iterdir()} == {"study.yaml", "data.csv", "model", "logs"}

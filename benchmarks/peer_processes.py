"""Processes of peers: environments with pinned versions, limits of processor time, and failures with their reasons."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import pandas as pd
from peer_programs import OURS, PEERS, Peer

import synthclin as sc

ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "LOKY_MAX_CPU_COUNT")
SLOWEST = 6
"""Clock seconds that a process may take for each processor second of its limit: it may share the machine, or hang."""


class PeerError(Exception):
    """A model that gave no rows; the message is the reason, without values of cells."""


def interpreter(peer: Peer, environments: Path) -> Path:
    """Return the interpreter of a peer's environment, made if absent; raises PeerError."""
    folder = environments / peer.folder
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        venv.create(folder, with_pip=True)
        install = [str(python), "-m", "pip", "install", "-q"]
        # The first by itself: a looser request of a later package would take another build of torch.
        for packages in (peer.packages[:1], peer.packages, *([("--no-deps", *peer.separate)] if peer.separate else [])):
            asked = subprocess.run([*install, *packages], check=False, capture_output=True, text=True)
            if asked.returncode:
                raise PeerError(f"the environment could not be made: {reason(asked.stderr)}")
        (folder / "complete").touch()
    return python


def sample(
    name: str,
    train: pd.DataFrame,
    schema: sc.Schema | None,
    seed: int,
    *,
    environments: Path | None,
    limit: int,
    rows: int | None = None,
) -> tuple[pd.DataFrame, dict]:
    """Return rows of a model that was fitted in a process of its own, as many as in training unless `rows` says so.

    Arguments:
        name: a peer, or a family of synthclin.
        train: the training rows, as `plain` returns them.
        schema: the schema, which synthclin's families need.
        seed: seed of the fit and of the rows.
        environments: folder of the peers' environments.
        limit: processor seconds after which it counts as failed.
        rows: how many to sample.

    Raises:
        PeerError: it gave no rows within the limit.
    """
    peer = PEERS.get(name)
    python, program = (sys.executable, OURS) if peer is None else (interpreter(peer, environments), peer.program)
    with tempfile.TemporaryDirectory() as folder:
        source, target, described = (
            Path(folder) / file for file in ("train.parquet", "sampled.parquet", "schema.yaml")
        )
        train.to_parquet(source)
        if schema is not None:
            described.write_text(schema.to_yaml(), encoding="utf-8")
        command = [str(python), "-c", program, name, str(source), str(rows or len(train)), str(target), str(seed)]
        environment = {**os.environ, **dict.fromkeys(ONE_THREAD, "1"), "CUDA_VISIBLE_DEVICES": ""}
        if peer is not None:
            environment.pop("PYTHONPATH", None)
        # A session of its own, so that whatever it started ends with it.
        process = subprocess.Popen(
            [*command, str(limit), str(described)],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            said, complaint = process.communicate(timeout=limit * SLOWEST)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise PeerError(f"longer than {limit * SLOWEST} seconds of the clock") from None
        if process.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
            raise PeerError(
                f"longer than {limit} seconds of processor time"
                if process.returncode == -signal.SIGXCPU
                else "ended by the system, as happens when memory runs out"
            )
        if process.returncode or not target.exists():
            raise PeerError(reason(complaint) or f"exit status {process.returncode}")
        return pd.read_parquet(target), json.loads(said.splitlines()[-1])


def reason(complaint: str) -> str:
    """Return the last line of an error without what may be the value of a cell: quoted texts and numbers."""
    lines = [line.strip() for line in complaint.splitlines() if line.strip()]
    last = lines[-1] if lines else ""
    last = re.sub(r"""(['"`]).*?\1""", "'...'", last)
    return re.sub(r"(?<![\w.])[-+]?\d[\d.,e+-]*", "#", last)[:200]


def plain(table: pd.DataFrame, schema: sc.Schema | None = None) -> pd.DataFrame:
    """Return levels as text and numbers as floats, which every library reads alike; the schema tells truth values."""
    columns = {}
    for name in table:
        levels = isinstance(table[name].dtype, pd.CategoricalDtype) or not pd.api.types.is_numeric_dtype(table[name])
        if levels or (schema is not None and schema.columns[name].levels is not None):
            columns[name] = table[name].astype("object").map(str, na_action="ignore")
        else:
            columns[name] = table[name].astype("float64")
    return pd.DataFrame(columns)

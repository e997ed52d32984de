"""Data-parallel training in several processes: each computes a share of every batch, gradients are averaged.

Under `torchrun` every process holds the whole table and samples the same batches. The training therefore equals that
of a single process except for rounding and dropout masks, and needs no other settings.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, distributed

from synthclin.errors import ConfigError

__all__ = ["agree", "device_called", "first", "local_rank", "one_thread", "processes", "share", "together"]


def processes() -> int:
    """Return how many processes `torchrun` has started; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def first() -> bool:
    """Whether this is the process of rank 0, which writes files and messages; the others only train."""
    return os.environ.get("RANK", "0") == "0"


def local_rank() -> int:
    """Return the rank of this process on its machine, which is the number of its GPU."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def device_called(name: str) -> torch.device:
    """Return the device of the parameter `device`: ``cpu``, ``cuda`` or ``auto``, which takes a GPU where there is one.

    Raises:
        ConfigError: there is no GPU.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("model.device", "no CUDA device was found", "Use `auto` or `cpu`.")
    kind = name if name != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(kind, local_rank()) if kind == "cuda" else torch.device(kind)


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch on one processor inside the block.

    The networks are small enough for one, and sums in a fixed order make the same seed give the same bytes on
    machines with different numbers of processors.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def together(device: torch.device) -> Iterator[None]:
    """Set up the process group inside the block; a single process, or one already in a group, does nothing."""
    if processes() == 1 or distributed.is_initialized():
        yield
        return
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


def share(rows: Tensor) -> Tensor:
    """Return this process' part of a batch, (rows,) -> about (rows / processes,), at least one row.

    Example:
        >>> share(torch.arange(5)).tolist()
        [0, 1, 2, 3, 4]
    """
    if not _grouped():
        return rows
    part = rows[distributed.get_rank() :: distributed.get_world_size()]
    return part if len(part) else rows[:1]


def agree(gradient: Tensor) -> None:
    """Average a gradient over the processes, in place (all-reduce)."""
    if _grouped():
        distributed.all_reduce(gradient)
        gradient /= distributed.get_world_size()


def _grouped() -> bool:
    return distributed.is_available() and distributed.is_initialized()

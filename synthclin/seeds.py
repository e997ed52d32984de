"""Independent random streams from one seed. No global random state is read or written."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

__all__ = [
    "module_state",
    "numpy_generator",
    "restore_module_state",
    "seeded_modules",
    "stream_seed",
    "torch_generator",
]


def stream_seed(seed: int, *path: str | int) -> int:
    """Return the 63-bit seed of the stream called `path` under `seed`.

    Streams of different names are independent, so a stage that consumes more
    random numbers does not shift the stages after it.

    Example:
        >>> stream_seed(7, "split") == stream_seed(7, "split")
        True
        >>> stream_seed(7, "split") == stream_seed(7, "training")
        False
    """
    text = "/".join([str(int(seed)), *map(str, path)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def numpy_generator(seed: int, *path: str | int) -> np.random.Generator:
    """Return a numpy generator for the stream `path` under `seed`."""
    return np.random.default_rng(stream_seed(seed, *path))


def torch_generator(seed: int, *path: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a torch generator on `device` for the stream `path` under `seed`."""
    generator = torch.Generator(device=device)
    generator.manual_seed(stream_seed(seed, *path))
    return generator


@contextmanager
def seeded_modules(seed: int, *path: str | int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Seed the random numbers of torch modules inside the block (initial weights, dropout); restore the state after it.

    Modules take no generator argument, so the global one is seeded and restored.
    """
    device = torch.device(device)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(stream_seed(seed, *path))
        yield


def module_state(device: torch.device) -> dict[str, torch.Tensor]:
    """Return the states of the global generators, inside `seeded_modules`, as byte tensors."""
    state = {"cpu": torch.get_rng_state()}
    return state | ({"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {})


def restore_module_state(state: dict[str, torch.Tensor], device: torch.device) -> None:
    """Restore the states of the global generators; only inside `seeded_modules`, which restores the outer state.

    Example:
        >>> device = torch.device("cpu")
        >>> with seeded_modules(7):
        ...     state, one = module_state(device), torch.rand(2)
        ...     restore_module_state(state, device)
        ...     bool((one == torch.rand(2)).all())
        True
    """
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"], device)

"""One seed, many independent streams. No global random state is read or written."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

__all__ = ["numpy_generator", "seeded_modules", "stream_seed", "torch_generator"]


def stream_seed(seed: int, *path: str | int) -> int:
    """Return the 63-bit seed of the stream called `path` under `seed`.

    Streams of different names are independent, so a stage that draws more
    numbers than before does not shift the stages after it.

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
    """Seed what torch modules draw inside the block (initial weights, dropout) and put the global state back after.

    Modules take no generator of their own, so the global one is borrowed and returned.
    """
    device = torch.device(device)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(stream_seed(seed, *path))
        yield

"""Checkpoints of an unfinished training: safetensors and JSON, readable by their owner alone, removed at the end.

A checkpoint holds weights, averaged and best weights, optimiser moments, states of the random generators and the
history, so that a resumed training ends with the same weights. It derives from real rows and is as confidential.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import safetensors.torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from synthclin.errors import ModelFormatError
from synthclin.io.files import PARTIAL, inside, path_of, private_folder, write_atomic

__all__ = ["Checkpoint", "CheckpointPart"]

FILE = "training.safetensors"
_COST = 50
"""Least ratio of the time between two checkpoints to the time of writing one: checkpoints cost at most 2 %."""


class Checkpoint:
    """Checkpoint folder: a fit saves its state there at intervals and resumes from it.

    As a context manager it removes the folder when the block succeeds and keeps it when the block fails or is killed.

    Arguments:
        folder: created with the first state; short trainings never create it.
        every: seconds between two states, and before the first.

    Example:
        >>> import synthclin as sc
        >>> table, schema = sc.datasets.load("heart_disease")
        >>> with sc.Checkpoint("heart.checkpoint") as checkpoint:  # doctest: +SKIP
        ...     model = sc.ConditionalGAN(schema, effort="thorough").fit(table, checkpoint=checkpoint)
    """

    of: ClassVar[str] = "training"
    """What the state is of, for errors."""

    def __init__(self, folder: str | Path, every: float = 10.0) -> None:
        self.folder, self.every = path_of(folder), every
        self._belongs: dict[str, str] = {}
        self._key = b""
        self._opened = self._saved = time.monotonic()
        self._pause = every

    @classmethod
    def beside(cls, target: str | Path, kind: str = "checkpoint") -> Self:
        """Return the checkpoint of the output `target`: a hidden folder next to it."""
        # Lexical, so that "runs/." has a name.
        target = Path(os.path.abspath(target))  # noqa: PTH100
        return cls(target.with_name(f".{target.name}.{kind}"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.discard()

    @property
    def exists(self) -> bool:
        """Whether there is a saved state to resume from."""
        return (self.folder / FILE).is_file()

    def discard(self) -> None:
        """Remove the state, and the folder if it is then empty."""
        if not self.folder.is_dir() or self.folder.is_symlink():
            return
        for path in (self.folder / FILE, *self.folder.glob(PARTIAL)):
            path.unlink(missing_ok=True)
        if not any(self.folder.iterdir()):
            self.folder.rmdir()

    def open(self, belongs: Mapping[str, bytes]) -> Any:  # noqa: ANN401 - what was saved
        """Return the last saved state, or None.

        Arguments:
            belongs: what the state depends on, by name; see `synthclin.models.Synthesizer.identity`.

        Raises:
            ModelFormatError: the state is damaged or belongs to another training.
        """
        self._opened = self._saved = time.monotonic()
        # The key keeps digests of the same patients' table in two checkpoints from being compared.
        key, before, state = self._read() if self.exists else (secrets.token_bytes(32), None, None)
        self._key = key
        self._belongs = self._digests(key, belongs)
        self._refuse_other(before, self._belongs)
        return state

    def check(self, belongs: Mapping[str, bytes]) -> None:
        """Refuse a state that differs in what is known before the work begins; the arguments are those of `open`."""
        if self.exists:
            key, before, _ = self._read()
            self._refuse_other(before, self._digests(key, belongs))

    @staticmethod
    def _digests(key: bytes, belongs: Mapping[str, bytes]) -> dict[str, str]:
        return {name: hmac.digest(key, content, "sha256").hex() for name, content in belongs.items()}

    def _refuse_other(self, before: Mapping[str, str] | None, now: Mapping[str, str]) -> None:
        other = [name for name, digest in now.items() if before is not None and before.get(name) != digest]
        if other:
            raise ModelFormatError(
                str(self.folder),
                f"this checkpoint belongs to another {self.of}, which differs in: {', '.join(other)}",
                "Put back what has changed, or begin anew without the checkpoint.",
            )

    def offer(self, state: Callable[[], object], *, last: bool = False, at_once: bool = False) -> None:
        """Save `state()` if it is time to, or if it is the `last` one of a training that took long enough to save.

        Arguments:
            state: gives mappings, lists, tensors, text, numbers and None, nested at will; called only if it is time.
            last: whether the training is complete.
            at_once: whether the state is saved in any case, because it cannot be made again.

        Raises:
            OutputError: the folder cannot be written; the state before stays.
        """
        now = time.monotonic()
        due = now - self._saved >= self._pause or (last and now - self._opened >= self.every)
        if not (due or at_once):
            return
        tensors: dict[str, Tensor] = {}
        facts = {"key": self._key.hex(), "belongs": self._belongs, "state": _packed(state(), tensors)}
        private_folder(self.folder)
        # One file: two could be written at different steps.
        write_atomic(self.folder / FILE, safetensors.torch.save(tensors, {"json": json.dumps(facts)}))
        self._saved = time.monotonic()
        self._pause = max(self.every, _COST * (self._saved - now))

    def parts(self, saved: Any, names: Sequence[str]) -> dict[str, CheckpointPart]:  # noqa: ANN401 - what was saved
        """Return the part of each training of a model with several, by name.

        Arguments:
            saved: what `open` returned.
            names: of the trainings, in the order in which they run.

        Raises:
            ModelFormatError: the state is not one of these trainings.
        """
        if saved is not None and not (isinstance(saved, dict) and saved and set(saved) <= set(names)):
            what = "its state is not one of this model's trainings"
            raise ModelFormatError(str(self.folder), what, "Begin anew without the checkpoint.")
        states: dict[str, Any] = dict(saved or {})
        return {name: CheckpointPart(self, states, name) for name in names}

    def _read(self) -> tuple[bytes, dict[str, str], Any]:
        """Return the key, the digests of what the state depends on, and the state."""
        path = inside(self.folder, FILE, error=ModelFormatError)
        try:
            with safe_open(path, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
                facts = json.loads(file.metadata()["json"])
            return bytes.fromhex(facts["key"]), dict(facts["belongs"]), _unpacked(facts["state"], tensors)
        except (OSError, SafetensorError, ValueError, TypeError, LookupError, RecursionError):
            raise ModelFormatError(
                str(path), "this checkpoint cannot be read", "Begin anew without the checkpoint."
            ) from None


class CheckpointPart(Checkpoint):
    """One of several trainings in one checkpoint file; the final states of those before it stay in the file.

    Arguments:
        whole: the checkpoint, already opened.
        states: by name the states so far, shared by all parts.
        name: of this training.
    """

    def __init__(self, whole: Checkpoint, states: dict[str, Any], name: str) -> None:
        super().__init__(whole.folder, whole.every)
        self._whole, self._states, self._name = whole, states, name

    def open(self, belongs: Mapping[str, bytes]) -> Any:  # noqa: ANN401, ARG002 - the whole has been compared
        """Return the last saved state of this training, or None."""
        return self._states.get(self._name)

    def offer(self, state: Callable[[], object], *, last: bool = False, at_once: bool = False) -> None:
        """Save `state()` beside those of the trainings before it; see `Checkpoint.offer`."""
        if last:
            self._states[self._name] = state()
        states = self._states if last else None
        self._whole.offer(lambda: states or self._states | {self._name: state()}, last=last, at_once=at_once)


def _packed(tree: object, tensors: dict[str, Tensor]) -> object:
    """Return `tree` as JSON that keeps every key's type, its tensors moved to `tensors`."""
    if isinstance(tree, Tensor):
        name = str(len(tensors))
        tensors[name] = tree.detach().cpu().contiguous().clone()  # safetensors takes no shared memory
        return {"tensor": name}
    if isinstance(tree, Mapping):
        return {"items": [[key, _packed(value, tensors)] for key, value in tree.items()]}
    if isinstance(tree, list | tuple):
        return [_packed(value, tensors) for value in tree]
    return tree


def _unpacked(tree: Any, tensors: Mapping[str, Tensor]) -> Any:  # noqa: ANN401 - any state
    if isinstance(tree, dict):
        if "tensor" in tree:
            return tensors[tree["tensor"]]
        return {key: _unpacked(value, tensors) for key, value in tree["items"]}
    return [_unpacked(value, tensors) for value in tree] if isinstance(tree, list) else tree

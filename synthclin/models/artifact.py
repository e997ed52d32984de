"""The model folder: safetensors and JSON, checked before use. No pickle, no rows, no critic, no optimiser.

``weights.safetensors`` learnt tensors · ``model.json`` family, parameters, versions · ``schema.yaml`` what the table
means · ``encoder.json`` protected bins and levels.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

import safetensors.torch
from safetensors import SafetensorError

import synthclin
from synthclin.documents import dump_json, read_json
from synthclin.encoding import TableEncoder
from synthclin.errors import ModelFormatError
from synthclin.files import inside, staged_folder, write_atomic
from synthclin.schema import Schema

if TYPE_CHECKING:
    from synthclin.models.base import Synthesizer

__all__ = ["FORMAT", "load", "save", "write"]

FORMAT = 1
"""Raised whenever a folder written before can no longer be read."""

MAX_WEIGHTS = 2 << 30
"""Bytes of weights that are read at most."""


def save(model: Synthesizer, folder: str | Path, *, overwrite: bool = False) -> None:
    """Write a fitted model's folder, whole or not at all; raises OutputError."""
    with staged_folder(Path(folder), overwrite=overwrite) as staged:
        write(model, staged)


def write(model: Synthesizer, folder: Path) -> None:
    """Write a fitted model's four files into an existing folder."""
    tensors, facts = model._state()  # noqa: SLF001 - the other half of the family's contract
    parameters = {name: value for name, value in model.get_params(deep=False).items() if name != "schema"}
    document = {
        "format": FORMAT,
        "family": model.family,
        "synthclin": synthclin.__version__,
        "parameters": parameters,
        "facts": facts,
        "training": {key: value for key, value in model.training_.items() if key not in {"history", "seconds"}},
    }
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in sorted(tensors.items())}
    write_atomic(folder / "weights.safetensors", safetensors.torch.save(plain))
    write_atomic(folder / "encoder.json", dump_json(model.encoder_.to_dict(), digits=None))
    write_atomic(folder / "schema.yaml", model.schema.to_yaml())
    write_atomic(folder / "model.json", dump_json(document))


def load(folder: str | Path) -> Synthesizer:
    """Read a model folder; no code in it can run, and nothing larger than the caps is read.

    Raises:
        ModelFormatError: where the folder is damaged, of another version, or not a model folder.
    """
    folder = Path(folder)
    if not (folder / "model.json").is_file():
        raise ModelFormatError(
            str(folder), "this is not a model folder, it has no model.json", "Give the folder that fit wrote."
        )
    document = read_json(inside(folder, "model.json"), error=ModelFormatError)
    family, parameters = _checked(folder, document)
    schema = Schema.read(inside(folder, "schema.yaml"))
    encoder = TableEncoder.from_dict(read_json(inside(folder, "encoder.json"), error=ModelFormatError), schema)
    weights = inside(folder, "weights.safetensors")
    try:
        if weights.stat().st_size > MAX_WEIGHTS:
            raise ModelFormatError(
                str(weights), f"the file is larger than {MAX_WEIGHTS:,} bytes", "Check where it comes from."
            )
        tensors = safetensors.torch.load(weights.read_bytes())
    except (OSError, SafetensorError) as error:
        raise ModelFormatError(str(weights), "the weights cannot be read", "Copy the model folder again.") from error
    try:
        model = family(schema, **parameters)
    except (TypeError, ValueError) as error:
        raise ModelFormatError(
            str(folder / "model.json"), "`parameters` do not fit the family", "Fit the model again."
        ) from error
    model.encoder_, model.draws_ = encoder, 0
    model.training_ = document.get("training", {})
    model._restore(tensors, document.get("facts", {}), encoder.layout)  # noqa: SLF001
    return model


def _checked(folder: Path, document: object) -> tuple[type[Synthesizer], dict[str, Any]]:
    """Return the family's class and its parameters from a model.json."""
    from synthclin.models import MODELS  # noqa: PLC0415 - the families import this module's neighbours

    where = str(folder / "model.json")
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ModelFormatError(where, f"the format is not {FORMAT}", "Use the version of synthclin that wrote it.")
    family = MODELS.get(str(document.get("family")))
    if family is None:
        raise ModelFormatError(where, "the model family is unknown", f"Known families: {', '.join(sorted(MODELS))}.")
    parameters = document.get("parameters")
    known = set(inspect.signature(family).parameters) - {"schema"}
    if not isinstance(parameters, dict) or not set(parameters) <= known:
        raise ModelFormatError(where, "`parameters` do not fit the family", "Fit the model again.")
    return family, parameters

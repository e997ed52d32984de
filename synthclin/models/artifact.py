"""The model folder: safetensors and JSON, checked before use. No pickle, no rows, no critic, no optimiser.

``weights.safetensors`` learnt tensors · ``model.json`` family, parameters, versions · ``schema.yaml`` what the table
means · ``encoder.json`` protected bins and levels.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

import synthclin
from synthclin.documents import dump_json, read_json
from synthclin.encoding import TableEncoder
from synthclin.errors import ModelFormatError
from synthclin.files import inside, staged_folder, write_atomic
from synthclin.models.parameters import check_parameters
from synthclin.schema import Schema

if TYPE_CHECKING:
    from synthclin.models.base import Synthesizer

__all__ = ["FORMAT", "load", "save", "write"]

FORMAT = 1
"""Raised whenever a folder written before can no longer be read."""

_TOLD = ("kept", "plan", "parameters", "device")

MAX_WEIGHTS = 2 << 30
"""Bytes of weights that are read at most."""
_MAX_HEADER = 1 << 20  # what lists them; that of a thousand columns has a tenth
_MAX_JSON = 8 << 20


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
        # No likelihood or score of real rows: they would help to tell who was among them.
        "training": {key: model.training_[key] for key in _TOLD if key in model.training_},
    }
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in sorted(tensors.items())}
    write_atomic(folder / "weights.safetensors", safetensors.torch.save(plain))
    write_atomic(folder / "encoder.json", dump_json(model.encoder_.to_dict(), digits=None))
    write_atomic(folder / "schema.yaml", model.encoder_.schema.to_yaml())
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
    document = _read(folder, "model.json")
    family, parameters = _checked(folder, document)
    schema = Schema.read(inside(folder, "schema.yaml", error=ModelFormatError))
    learnt = _read(folder, "encoder.json")
    encoder = TableEncoder.from_dict(learnt, schema)
    tensors = _tensors(inside(folder, "weights.safetensors", error=ModelFormatError))
    model = family(schema, **parameters)
    model.encoder_, model.draws_, model.training_ = encoder, 0, document["training"]
    model._restore(tensors, document["facts"], encoder.layout)  # noqa: SLF001
    return model


def _read(folder: Path, name: str) -> Any:  # noqa: ANN401 - what a document holds
    return read_json(inside(folder, name, error=ModelFormatError), ModelFormatError, most=_MAX_JSON)


def _tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file: finite float32 numbers and nothing else."""
    try:
        if not path.is_file() or path.stat().st_size > MAX_WEIGHTS:
            what = f"this is no file of at most {MAX_WEIGHTS:,} bytes"
            raise ModelFormatError(str(path), what, "Check where it comes from.")
        with path.open("rb") as file:
            header = int.from_bytes(file.read(8), "little")
        if header > _MAX_HEADER:
            raise ModelFormatError(str(path), "the list of weights is too long", "Check where it comes from.")
        tensors = safetensors.torch.load(path.read_bytes())
    except (OSError, SafetensorError):
        raise ModelFormatError(str(path), "the weights cannot be read", "Copy the model folder again.") from None
    if not all(tensor.dtype == torch.float32 and bool(tensor.isfinite().all()) for tensor in tensors.values()):
        raise ModelFormatError(str(path), "the weights are not all finite numbers", "Fit the model again.")
    return tensors


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
    if not isinstance(parameters, dict) or not all(isinstance(document.get(p), dict) for p in ("facts", "training")):
        raise ModelFormatError(where, "parameters, facts and training are not all there", "Fit the model again.")
    check_parameters(family, parameters, f"{where}: parameters", ModelFormatError)
    # The device is where it was trained; a machine without a GPU must still be able to draw.
    return family, parameters | ({"device": "auto"} if "device" in parameters else {})

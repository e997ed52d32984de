"""Serialization of a fitted model: a folder of safetensors and JSON, checked before use; no pickle.

It holds no rows, no critic and no optimiser state.


``weights.safetensors`` fitted tensors · ``model.json`` family, parameters, versions · ``schema.yaml`` what the table
means · ``encoder.json`` protected bins and levels · ``privacy.json``, with differential privacy alone, the guarantee,
the ledger and the noisy tables. A model of visits has two more model folders, ``patients`` and ``visits``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from synthclin.dp.record import PrivacyRecord
from synthclin.encoding import TableEncoder
from synthclin.errors import ModelFormatError
from synthclin.io.documents import dump_json, read_json
from synthclin.io.files import inside, write_atomic
from synthclin.io.version import VERSION
from synthclin.schema import Schema
from synthclin.schema.dtypes import RESTORED

__all__ = ["FORMAT", "ModelParts", "misfit", "read", "write"]

FORMAT = 1
"""Version of the format; increased whenever an older folder can no longer be read."""

_KEPT_FACTS = ("kept", "plan", "parameters", "device")

MAX_WEIGHTS = 2 << 30
"""Bytes of weights that are read at most."""
PRIVACY = "privacy.json"
"""Of a model with differential privacy: guarantee, ledger and noisy tables."""
INNER = ("patients", "visits")
"""Folders of the inner models of a model of visits."""

_MAX_HEADER = 1 << 20  # bytes of the safetensors header; a thousand columns need a tenth
_MAX_JSON = 8 << 20
_MAX_TABLES = 256 << 20  # bytes of noisy tables


@dataclass(frozen=True, slots=True)
class ModelParts:
    """What a model folder holds.

    Arguments:
        family: the name of the model family.
        parameters: of the model, by name, without the schema.
        facts: further state of the family, as plain data.
        training: facts about the training, as plain data; no likelihood or score of real rows.
        tensors: fitted tensors, by name.
        encoder: how cells become codes and offsets.
        dtypes: by column the name of its dtype in the training table, where the schema has another.
        inner: by folder the models of a model of visits, of patients and of their visits.
        privacy: guarantee, ledger and noisy tables of a training with differential privacy; None without.
    """

    family: str
    parameters: dict[str, Any]
    facts: dict[str, Any]
    training: dict[str, Any]
    tensors: Mapping[str, Tensor]
    encoder: TableEncoder
    dtypes: Mapping[str, str] = field(default_factory=dict)
    inner: Mapping[str, ModelParts] = field(default_factory=dict)
    privacy: PrivacyRecord | None = None


def misfit() -> ModelFormatError:
    """Return the error of tensors or facts that do not fit the rest of a model folder."""
    return ModelFormatError(
        "weights.safetensors",
        "the tensors do not fit model.json and encoder.json",
        "Take all files from the same model folder.",
    )


def write(parts: ModelParts, folder: Path) -> None:
    """Write the four files of a model into an existing folder; raises OutputError."""
    document = {
        "format": FORMAT,
        "family": parts.family,
        "synthclin": VERSION,
        "parameters": parts.parameters,
        "facts": parts.facts,
        # No likelihood or score of real rows: they would help a membership inference attack.
        "training": {key: parts.training[key] for key in _KEPT_FACTS if key in parts.training},
    }
    if parts.dtypes:
        document["dtypes"] = dict(parts.dtypes)
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in sorted(parts.tensors.items())}
    write_atomic(folder / "weights.safetensors", safetensors.torch.save(plain))
    write_atomic(folder / "encoder.json", dump_json(parts.encoder.to_dict(), digits=None))
    write_atomic(folder / "schema.yaml", parts.encoder.schema.to_yaml(comments=False))
    if parts.privacy is not None:
        write_atomic(folder / PRIVACY, dump_json(parts.privacy.to_dict(), digits=None))
    for name, inner in parts.inner.items():
        (folder / name).mkdir(mode=0o700)
        write(inner, folder / name)
    write_atomic(folder / "model.json", dump_json(document))


def read(folder: Path) -> ModelParts:
    """Read a model folder; no code in it is executed, and nothing above the size limits is read.

    Raises:
        ModelFormatError: the folder is damaged, of another version, or not a model folder.
    """
    if not (folder / "model.json").is_file():
        raise ModelFormatError(
            str(folder), "this is not a model folder, it has no model.json", "Give the folder that fit wrote."
        )
    document = _checked(folder, _read(folder, "model.json"))
    schema = Schema.read(inside(folder, "schema.yaml", error=ModelFormatError))
    encoder = TableEncoder.from_dict(_read(folder, "encoder.json"), schema)
    tensors = _tensors(inside(folder, "weights.safetensors", error=ModelFormatError))
    family, parameters, facts, training = (document[name] for name in ("family", "parameters", "facts", "training"))
    inner: dict[str, ModelParts] = {}
    if schema.visit_time is not None:
        inner = {name: read(inside(folder, name, error=ModelFormatError)) for name in INNER}
        if any(each.encoder.schema.visit_time is not None or each.family != family for each in inner.values()):
            what = "an inner model is of another kind than the whole"
            raise ModelFormatError(str(folder), what, "Restore the model folder from its origin.")
    dtypes = document.get("dtypes", {})
    return ModelParts(
        family, parameters, facts, training, tensors, encoder, dtypes, inner, _privacy(folder, parameters)
    )


def _privacy(folder: Path, parameters: dict[str, Any]) -> PrivacyRecord | None:
    """Return the record of a training with differential privacy; None without such a training."""
    if (folder / PRIVACY).is_file() is not bool(parameters.get("dp")):
        what = f"only one of {PRIVACY} and the parameter `dp` is there"
        raise ModelFormatError(str(folder), what, "Restore the model folder from its origin.")
    if not parameters.get("dp"):
        return None
    return PrivacyRecord.from_dict(_read(folder, PRIVACY, most=_MAX_TABLES), str(folder / PRIVACY))


def _read(folder: Path, name: str, most: int = _MAX_JSON) -> Any:  # noqa: ANN401 - what a document holds
    return read_json(inside(folder, name, error=ModelFormatError), ModelFormatError, most=most)


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


def _checked(folder: Path, document: object) -> dict[str, Any]:
    """Return a model.json of the known format with all its parts; the family checks their content."""
    where = str(folder / "model.json")
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ModelFormatError(where, f"the format is not {FORMAT}", "Use the version of synthclin that wrote it.")
    parts = ("parameters", "facts", "training")
    if not isinstance(document.get("family"), str) or not all(isinstance(document.get(p), dict) for p in parts):
        what = "family, parameters, facts and training are not all there"
        raise ModelFormatError(where, what, "Fit the model again.")
    dtypes = document.get("dtypes", {})
    if not isinstance(dtypes, dict) or not all(isinstance(t, str) and RESTORED.fullmatch(t) for t in dtypes.values()):
        raise ModelFormatError(f"{where}: dtypes", "not the dtypes of columns", "Fit the model again.")
    return document

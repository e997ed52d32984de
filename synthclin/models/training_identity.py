"""Everything that a training depends on, as bytes: a checkpoint resumes no other training."""

from __future__ import annotations

import hashlib
import json
from importlib import metadata
from typing import TYPE_CHECKING, Any

from synthclin.io.documents import dump_json
from synthclin.io.version import VERSION

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from synthclin.encoding import Encoded, TableEncoder
    from synthclin.schema import Schema

__all__ = ["encoded_digest", "training_identity"]

_NUMERICAL_PACKAGES = ("torch", "numpy", "scikit-learn")  # a weight may depend on their versions


def training_identity(family: str, parameters: dict[str, Any], schema: Schema, table: bytes) -> dict[str, bytes]:
    """Return everything that a training depends on, by name: equal values give equal weights.

    Arguments:
        family: of the model.
        parameters: of the model, by name.
        schema: of the table.
        table: a digest of the training rows.
    """
    versions = [VERSION, *(metadata.version(package) for package in _NUMERICAL_PACKAGES)]
    return {
        "versions": json.dumps(versions).encode(),
        "parameters": dump_json({"family": family, **parameters}, digits=None).encode(),
        "schema": schema.to_yaml(comments=False).encode(),
        "table": table,
    }


def encoded_digest(encoder: TableEncoder, encoded: Encoded, patient: NDArray[np.int64]) -> bytes:
    """Return a digest of encoded rows, their encoder and the (rows,) number of each row's patient."""
    table = hashlib.sha256(dump_json(encoder.to_dict(), digits=None).encode())
    for part in (encoded.codes, encoded.offsets):
        table.update(repr(tuple(part.shape)).encode())
        table.update(part.contiguous().numpy().data)
    table.update(patient.tobytes())
    return table.digest()

"""Registry of model families, and loading of a fitted model from its folder."""

from __future__ import annotations

from pathlib import Path

from synthclin.errors import ModelFormatError
from synthclin.models import artifact
from synthclin.models.gan import ConditionalGAN
from synthclin.models.parameters import check_parameters
from synthclin.models.synthesizer import Synthesizer

__all__ = ["MODELS", "load"]

MODELS: dict[str, type[Synthesizer]] = {ConditionalGAN.family: ConditionalGAN}
"""Every family by the name it has in a config."""


def load(folder: str | Path) -> Synthesizer:
    """Return the fitted model that a model folder holds; no code in it is executed.

    Raises:
        ModelFormatError: the folder is damaged, of another version, or not a model folder.

    Example:
        >>> load("heart.model").sample(10)  # doctest: +SKIP
    """
    parts, where = artifact.read(Path(folder)), str(Path(folder) / "model.json")
    family = MODELS.get(parts.family)
    if family is None:
        raise ModelFormatError(where, "the model family is unknown", f"Known families: {', '.join(sorted(MODELS))}.")
    check_parameters(family, parts.parameters, f"{where}: parameters", ModelFormatError)
    return family.from_parts(parts)

"""Registry of model families, and loading of a fitted model from its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthclin.errors import ModelFormatError
from synthclin.io.files import path_of
from synthclin.models import artifact
from synthclin.models.auto import AutoSynthesizer
from synthclin.models.families import FAMILIES
from synthclin.models.parameters import check_parameters
from synthclin.models.synthesizer import Synthesizer

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["MODELS", "load"]

MODELS: dict[str, type[Synthesizer]] = {
    **{family.family: family for family in FAMILIES},
    AutoSynthesizer.family: AutoSynthesizer,
}
"""Every family by the name it has in a config."""


def load(folder: str | Path) -> Synthesizer:
    """Return the fitted model in a model folder, or in the `model` of a run folder; no code in it is executed.

    Raises:
        ModelFormatError: the folder is damaged, of another version, or not a model folder.

    Example:
        >>> load("heart.model").sample(10)  # doctest: +SKIP
    """
    folder = path_of(folder)
    if not (folder / "model.json").exists() and (folder / "model").is_dir():
        folder = folder / "model"  # of a run folder
    parts, where = artifact.read(folder), str(folder / "model.json")
    family = MODELS.get(parts.family)
    if family is None:
        raise ModelFormatError(where, "the model family is unknown", f"Known families: {', '.join(sorted(MODELS))}.")
    check_parameters(family, parts.parameters, f"{where}: parameters", ModelFormatError)
    return family.from_parts(parts)

"""A synthesizer in a notebook: what was trained, on how many rows, for how long, and which weights were kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthclin.io.html import card

if TYPE_CHECKING:
    from synthclin.models.synthesizer import Synthesizer

__all__ = ["synthesizer_html"]


def synthesizer_html(model: Synthesizer) -> str:
    """Return an HTML table of facts about a synthesizer's training; no cell of the table is among them."""
    name = type(model).__name__
    if not hasattr(model, "encoder_"):
        return card(f"{name}: not fitted", lines=["Call fit(table) first."])
    training = model.training_
    seconds = training.get("seconds") or {}
    nll = [training.get(key) for key in ("train_nll", "validation_nll")]
    rows = [
        ("training rows", _count(getattr(model, "rows_", None), "not kept in a model folder")),
        ("columns", f"{len(model.encoder_.layout):,} fitted of {len(model.schema.columns):,} in the schema"),
        ("effort", getattr(model, "effort", "")),
        ("seconds", ", ".join(f"{phase} {spent:.1f}" for phase, spent in seconds.items()) or "not recorded"),
        ("weights kept", training.get("kept", "not recorded")),
        ("parameters", _count(training.get("parameters"), "not recorded")),
        ("device of the training", training.get("device", "not recorded")),
    ]
    if all(isinstance(value, float) for value in nll):
        rows.append(("negative log-likelihood, nats per row", f"training {nll[0]:.2f}, validation {nll[1]:.2f}"))
    return card(f"{name}: fitted", rows=rows)


def _count(value: int | None, absent: str) -> str:
    return absent if value is None else f"{value:,}"

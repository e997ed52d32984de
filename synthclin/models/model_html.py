"""A synthesizer in a notebook: what was trained, on how many rows, for how long, and which weights were kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synthclin.io.html_card import card

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["synthesizer_html"]


def synthesizer_html(
    name: str, training: Mapping[str, Any] | None, *, rows: int | None, fitted: int, columns: int, effort: str
) -> str:
    """Return an HTML table of facts about a synthesizer's training; no cell of the table is among them.

    Arguments:
        name: of the class.
        training: `training_` of the model; None where it is not fitted.
        rows: how many training rows; None for a loaded model, whose folder does not keep the number.
        fitted: how many columns are modelled.
        columns: how many columns the schema has.
        effort: of the training.
    """
    if training is None:
        return card(f"{name}: not fitted", lines=["Call fit(table) first."])
    seconds = training.get("seconds") or {}
    nll = [training.get(key) for key in ("train_nll", "validation_nll")]
    facts = [
        ("training rows", _count(rows, "not kept in a model folder")),
        ("columns", f"{fitted:,} fitted of {columns:,} in the schema"),
        ("effort", effort),
        ("seconds", ", ".join(f"{phase} {spent:.1f}" for phase, spent in seconds.items()) or "not recorded"),
        ("weights kept", training.get("kept", "not recorded")),
        ("parameters", _count(training.get("parameters"), "not recorded")),
        ("device of the training", training.get("device", "not recorded")),
    ]
    if all(isinstance(value, float) for value in nll):
        facts.append(("negative log-likelihood, nats per row", f"training {nll[0]:.2f}, validation {nll[1]:.2f}"))
    return card(f"{name}: fitted", rows=facts)


def _count(value: int | None, absent: str) -> str:
    return absent if value is None else f"{value:,}"

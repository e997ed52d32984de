"""Schedule of the training of attention networks; `synthclin.models.generator.training` carries it out."""

from __future__ import annotations

from synthclin.models.generator.training import SMALL, Effort, Plan

__all__ = ["MEASURED", "plan_for"]

MEASURED = 2_000
"""Training rows whose likelihood is measured after the training, at most."""

WHOLE = 20_000
"""Rows up to which a training has all its epochs; larger tables have about as many rows in all."""

LEAST_EPOCHS = 5
"""Epochs of a large table, at least."""


def plan_for(rows: int, effort: Effort, *, any_order: bool = False) -> Plan:
    """Return the training schedule for a table of `rows` rows.

    Arguments:
        rows: how many.
        effort: how long.
        any_order: whether the network learns to predict cells from any others. That takes more epochs and larger
            steps, and each validation row takes many passes.

    Example:
        >>> plan_for(736, "standard").width, plan_for(50_000, "standard").width
        (32, 64)
    """
    small = rows < SMALL
    if small:
        epochs = {"quick": 30, "standard": 60, "thorough": 120}[effort]
        rate = {"quick": 4e-3, "standard": 3e-3, "thorough": 2e-3}[effort]
    else:
        epochs = {"quick": 16, "standard": 40, "thorough": 100}[effort]
        rate = 3e-3
    patience = 8 if effort != "thorough" else 15
    if any_order:
        epochs, rate, patience = epochs * 3 // 2, rate * 5 / 3, patience * 2
    return Plan(
        batch=min(128, max(16, rows // 5)) if small else 128 if rows < WHOLE else 256,
        epochs=epochs if rows <= WHOLE else max(LEAST_EPOCHS, epochs * WHOLE // rows),
        patience=patience,
        every=1 if rows < 1_000 and not any_order else 2,
        validation=max(1, min(max(30, rows // 10), rows // 3, 1_000)),
        rate=rate,
        decay=1.0 if small else 0.1,
        adversarial=0,
        potentials=0,
        distillation=0,
        folds=(3 if effort == "quick" or any_order else 5) if small else 0,
        width=32 if small else 64,
        blocks=2,
        regressed=small,
    )

"""Attacks on the model behind a table, by somebody who holds its file or trains models of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.privacy.model_membership import model_membership

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from synthclin.evaluation import Score
    from synthclin.models import Synthesizer

__all__ = ["audit"]


def audit(
    model: Synthesizer,
    synthetic: pd.DataFrame,
    *,
    train: pd.DataFrame,
    holdout: pd.DataFrame,
    by: Sequence[str] = (),
    random_state: int = 0,
) -> tuple[Score, ...]:
    """Attack a model.

    Arguments:
        model: fitted on `train`.
        synthetic: the table that is released, drawn from it.
        train: the typed rows that it learnt from.
        holdout: typed rows that it never saw.
        by: columns in whose groups patients are attacked too.
        random_state: the same number gives the same scores.

    Returns:
        The scores that `synthclin.evaluation.names.MODEL_SCORES` names.
    """
    with threadpool_limits(limits=1):
        tables = Comparison.of(synthetic, train=train, holdout=holdout, schema=model.schema, random_state=random_state)
        likelihoods = (model.log_likelihood(rows) for rows in (train, holdout))
        return (model_membership(tables, *likelihoods, by=by),)

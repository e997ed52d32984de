"""The contract that every model family keeps: learn a table, draw rows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import Tensor

from synthclin.encoding import Encoded, Layout, TableEncoder
from synthclin.errors import ConfigError
from synthclin.models.checkpoints import Checkpoint, identity
from synthclin.models.parameters import check_parameters
from synthclin.models.sampling import CohortDraw, CohortSampler
from synthclin.models.watch import Callback, Watch
from synthclin.schema import Schema
from synthclin.seeds import stream_seed
from synthclin.validation import conform

if TYPE_CHECKING:
    import pandas as pd

    from synthclin.columns import Level

__all__ = ["MOST_ROWS", "Synthesizer"]

MOST_ROWS = 10_000_000
"""Rows that one request may ask for: all are held in memory."""


class Synthesizer(BaseEstimator):  # type: ignore[misc]
    """Learns a table and draws rows that satisfy its schema.

    A family writes `_fit`, `_sample` and its state (`_state`, `_restore`), nothing else; encoding, conditions, rules
    and files are done here once for all of them.

    Attributes after `fit`:
        encoder_: how cells become codes and offsets, and back.
        training_: plain facts about the training, for the manifest.
        draw_: facts about the last draw: probability of its condition, effective sample size.
    """

    family: ClassVar[str]

    schema: Schema
    random_state: int
    rare_category: int
    trim_extremes: int
    encoder_: TableEncoder
    training_: dict[str, Any]
    draw_: CohortDraw

    def fit(
        self, table: pd.DataFrame, *, checkpoint: Checkpoint | None = None, callback: Callback | None = None
    ) -> Self:
        """Learn `table`.

        Arguments:
            table: rows that satisfy the schema.
            checkpoint: where the state is kept now and then; where one is kept already, the fit goes on from it, and on
                a CPU ends with the same weights as if it had never stopped.
            callback: is told each `synthclin.models.Moment` of the training and returns True to end it there, with
                the best weights so far. What it raises ends the fit.

        Raises:
            DataError: the table breaks the schema.
            ConfigError: a parameter of the model is out of its bounds.
            ModelFormatError: the checkpoint is damaged, or of another table, schema, parameter, seed or version.

        Example:
            >>> import synthclin as sc
            >>> table, schema = sc.datasets.load("heart_disease")
            >>> nats = []
            >>> def enough(moment):
            ...     nats.append(moment.figures["validation_nats"])
            ...     return moment.step == 3
            >>> model = sc.ConditionalGAN(schema, effort="quick", width=16).fit(table.head(60), callback=enough)
            >>> len(nats), nats[2] < nats[0]  # the last one tells how the phase ended
            (4, True)
        """
        check_parameters(type(self), self.get_params(deep=False), type(self).__name__)
        table = conform(table, self.schema)
        self.encoder_ = TableEncoder.fit(
            table, self.schema, rare_category=self.rare_category, trim_extremes=self.trim_extremes
        )
        self.draws_ = 0
        encoded = self.encoder_.encode(table)
        saved = None if checkpoint is None else checkpoint.open(identity(self, encoded))
        self.training_ = self._fit(encoded, self.encoder_.layout, Watch(callback, checkpoint, saved))
        return self

    def sample(
        self,
        n: int,
        where: str | None = None,
        mix: Mapping[str, Mapping[Level, float]] | None = None,
        random_state: int | None = None,
    ) -> pd.DataFrame:
        """Return exactly `n` synthetic rows.

        Arguments:
            n: how many rows.
            where: a predicate that every row satisfies, such as ``"sex == 'F' and lvef < 40"``.
            mix: wanted shares of levels, such as ``{"arm": {"A": 0.5, "B": 0.5}}``.
            random_state: seed of the draw; without one, calls after `fit` differ and their sequence is reproducible.

        Raises:
            ConditionError: where the model can't draw `n` such rows; the message says what support it found.
        """
        if not hasattr(self, "encoder_"):
            raise ConfigError(type(self).__name__, "the model is not fitted", "Call fit(table) first.")
        if not isinstance(n, int | np.integer) or not 1 <= n <= MOST_ROWS:
            raise ConfigError("sample", f"`n` is no whole number from 1 to {MOST_ROWS:,}", "Ask for as many rows.")
        for name, shares in (mix or {}).items():
            if abs(sum(shares.values()) - 1) > 1e-6 or min(shares.values(), default=0) < 0:
                total = f"{sum(shares.values()):g}"
                raise ConfigError(f"mix.{name}", f"the shares sum to {total}", "Make them positive and sum to 1.")
        if random_state is None:
            random_state = stream_seed(self.random_state, "sample", self.draws_)
            self.draws_ += 1
        sampler = CohortSampler(self._sample, self.encoder_, self.schema, random_state)
        table, self.draw_ = sampler.sample(n, where, mix)
        return table

    def save(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Write the model folder: safetensors and JSON, no rows; see `synthclin.models.artifact`."""
        from synthclin.models.artifact import save  # noqa: PLC0415 - artifact knows the families, which know this class

        save(self, folder, overwrite=overwrite)

    @abstractmethod
    def _fit(self, encoded: Encoded, layout: Layout, watch: Watch) -> dict[str, Any]:
        """Learn an encoded table and return plain facts about the training; a long one reports to `watch`."""

    @abstractmethod
    def _sample(
        self, rows: int, log_allowed: Mapping[int, Tensor], generator: torch.Generator
    ) -> tuple[Encoded, Tensor]:
        """Draw rows whose codes `log_allowed` permits, and (rows,) log-weights that make them representative."""

    @abstractmethod
    def _state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return learnt tensors and plain facts: all that the model folder holds of this family."""

    @abstractmethod
    def _restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], layout: Layout) -> None:
        """Take back what `_state` returned; raises ModelFormatError where it does not fit."""

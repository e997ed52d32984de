"""Independent columns: the baseline that every other family must beat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from synthclin.encoding import Encoded, Layout
from synthclin.models.artifact import misfit
from synthclin.models.callbacks import TrainingMonitor
from synthclin.models.sequential_synthesizer import SequentialSynthesizer
from synthclin.sampling.sequential import RowState

__all__ = ["Independent", "IndependentRows"]


class IndependentRows:
    """Row state of independent columns; a `synthclin.sampling.sequential.RowState`.

    Arguments:
        logits: (codes,) log-probabilities of each column's codes, by index of the column.
    """

    def __init__(self, logits: list[Tensor]) -> None:
        self._logits, self._rows = logits, 0

    def begin(self, rows: int) -> None:
        """Begin `rows` rows without any code."""
        self._rows = rows

    def logits(self, column: int) -> Tensor:
        """Return the (codes, rows) logits of a column."""
        return self._logits[column][:, None].expand(-1, self._rows)

    def push(self, column: int, codes: Tensor) -> None:
        """Do nothing: no column depends on another."""


class Independent(SequentialSynthesizer):
    """Independent columns: each code is sampled from its marginal distribution.

    The baseline of every comparison: whatever a score has beyond it comes from dependences between columns. Rules and
    conditions are kept all the same, so that a rule between two columns makes them dependent.

    Arguments:
        schema: what the table means.
        random_state: seed of everything random in fitting.
        rare_category: a level held by fewer patients never enters the model.
        trim_extremes: how many of the most extreme values are described only together.

    Example:
        >>> import synthclin as sc
        >>> table, schema = sc.datasets.load("heart_disease")
        >>> len(sc.Independent(schema).fit(table).sample(10, where="age >= 65"))
        10
    """

    family: ClassVar[str] = "independent"

    def _fit(
        self,
        encoded: Encoded,
        layout: Layout,
        monitor: TrainingMonitor,  # noqa: ARG002 - there are no steps
        patient: NDArray[np.int64],  # noqa: ARG002
    ) -> dict[str, Any]:
        self.shares_ = self._marginal_shares(encoded.codes, layout)
        return {"parameters": sum(layout.cardinalities)}

    def _row_state(self, generator: torch.Generator) -> RowState:  # noqa: ARG002 - nothing in it is random
        return IndependentRows([share.log() for share in self.shares_])

    def _state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        return {f"share.{j}": share for j, share in enumerate(self.shares_)}, {}

    def _restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], layout: Layout) -> None:
        shapes = {f"share.{j}": (size,) for j, size in enumerate(layout.cardinalities)}
        if facts or {name: tuple(tensor.shape) for name, tensor in tensors.items()} != shapes:
            raise misfit()
        self.shares_ = [tensors[f"share.{j}"] for j in range(len(layout))]
        if not all(bool((share > 0).all()) for share in self.shares_):
            raise misfit()

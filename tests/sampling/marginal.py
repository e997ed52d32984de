"""Model of independent columns, the smallest sequential family: each column from its marginal; not a network."""

from __future__ import annotations

import torch

from synthclin.models.sequential_synthesizer import SequentialSynthesizer


class MarginalRows:
    """Row state whose conditional distributions are the marginal ones."""

    def __init__(self, logits):
        self._logits, self._rows = logits, 0

    def begin(self, rows):
        self._rows = rows

    def logits(self, column):
        return self._logits[column][:, None].expand(-1, self._rows)

    def push(self, column, codes):
        """Columns are independent."""


class Marginal(SequentialSynthesizer):
    family = "marginal"

    def __init__(self, schema, *, random_state=0, rare_category=11, trim_extremes=11):
        self.schema = schema
        self.random_state = random_state
        self.rare_category = rare_category
        self.trim_extremes = trim_extremes

    def _fit(self, encoded, layout, monitor, patient):  # noqa: ARG002 - the contract's
        self.logits_ = [
            torch.bincount(encoded.codes[:, j], minlength=column.cardinality).float().log()
            for j, column in enumerate(layout.columns)
        ]
        return {}

    def _row_state(self, generator):  # noqa: ARG002 - the contract's
        return MarginalRows(self.logits_)

    def _state(self):
        return {}, {}

    def _restore(self, tensors, facts, layout):
        raise NotImplementedError

"""The smallest family: every column drawn on its own, from its frequencies; it knows nothing of rules."""

from __future__ import annotations

import torch

from synthclin.encoding import Encoded
from synthclin.models.synthesizer import Synthesizer


class Marginal(Synthesizer):
    family = "marginal"

    def __init__(self, schema, *, random_state=0, rare_category=11, trim_extremes=11):
        self.schema = schema
        self.random_state = random_state
        self.rare_category = rare_category
        self.trim_extremes = trim_extremes

    def _fit(self, encoded, layout, monitor):  # noqa: ARG002 - the contract's
        self.logits_ = [
            torch.bincount(encoded.codes[:, j], minlength=column.cardinality).float().log()
            for j, column in enumerate(layout.columns)
        ]
        return {}

    def _sample(self, rows, generator, *, log_allowed, forbidden, code_mask=None, known=None):
        codes, weight = {}, torch.zeros(rows)
        for j, law in enumerate(self.logits_):
            logits = law.expand(rows, -1)
            if j in forbidden:
                logits = logits.masked_fill(forbidden[j], -torch.inf)
            imposed = logits + log_allowed[j] if j in log_allowed else logits
            given = {} if known is None else dict(enumerate(known.unbind(dim=1)))
            shut = None if code_mask is None else code_mask(j, {**given, **codes})
            if shut is not None:
                imposed = imposed.masked_fill(shut, -torch.inf)
            noise = -torch.empty(logits.shape).exponential_(generator=generator).log()
            told = torch.zeros(rows, dtype=torch.bool) if known is None else known[:, j] >= 0
            drawn = (imposed + noise).argmax(1)
            codes[j] = drawn if known is None else known[:, j].where(told, drawn)
            weight += (imposed.logsumexp(1) - logits.logsumexp(1)).where(~told, 0)
        drawn = torch.stack(list(codes.values()), dim=1)
        return Encoded(drawn, torch.rand(drawn.shape, generator=generator)), weight

    def _state(self):
        return {}, {}

    def _restore(self, tensors, facts, layout):
        raise NotImplementedError

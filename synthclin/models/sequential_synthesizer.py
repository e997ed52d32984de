"""Sequential families: synthesizers that sample one column after the other from conditional distributions."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from synthclin.encoding import Encoded
from synthclin.models.distributed import one_thread
from synthclin.models.synthesizer import Synthesizer
from synthclin.sampling.sequential import Imposed, RowState, SampledCodes, sample_codes

__all__ = ["SequentialSynthesizer"]


class SequentialSynthesizer(Synthesizer):
    """A synthesizer that samples column by column: a family writes `_row_state` besides `_fit` and its state.

    Conditions, masks, allocation ratios and known cells are imposed by `synthclin.sampling.sequential`, once for all
    of these families.
    """

    def _sample(self, rows: int, generator: torch.Generator, imposed: Imposed) -> tuple[Encoded, Tensor]:
        device, columns = self._device(), len(self.encoder_.layout)
        imposed = imposed.to(device)
        codes, weights = torch.empty(rows, columns, dtype=torch.long), torch.empty(rows)
        local = torch.Generator(device=device)
        local.manual_seed(int(torch.randint(2**62, (1,), generator=generator)))
        with torch.no_grad(), one_thread():
            state = self._row_state()
            for start in range(0, rows, self._rows_at_once):
                part = slice(start, min(start + self._rows_at_once, rows))
                sampled = self._sample_part(state, part.stop - part.start, local, imposed.rows(part))
                codes[part], weights[part] = sampled.codes.cpu(), sampled.log_weight.cpu()
        return Encoded(codes, torch.rand(codes.shape, generator=generator)), weights

    def _sample_part(self, state: RowState, rows: int, generator: torch.Generator, imposed: Imposed) -> SampledCodes:
        """Return a part of the rows on the model's device: column by column, unless a family overrides this."""
        return sample_codes(state, self.encoder_.layout.order, rows, generator, imposed)

    @property
    def _rows_at_once(self) -> int:
        """Rows sampled at a time; the random numbers of a row depend on it."""
        return 65_536

    def _device(self) -> torch.device:
        return torch.device("cpu")

    @abstractmethod
    def _row_state(self) -> RowState:
        """Return a state for rows of the fitted model."""

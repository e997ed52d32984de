"""Sequential families: synthesizers that sample one column after the other from conditional distributions."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from synthclin.encoding import Encoded, Layout
from synthclin.encoding.protection import protected_shares
from synthclin.errors import ConfigError
from synthclin.models.classification import class_probabilities
from synthclin.models.distributed import one_thread
from synthclin.models.synthesizer import Synthesizer
from synthclin.rules.validation import conform
from synthclin.sampling.sequential import Imposed, RowState, SampledCodes, inverse_cdf, sample_codes
from synthclin.schema import Schema
from synthclin.schema.patients import MIN_PATIENTS
from synthclin.seeds import torch_generator

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SequentialSynthesizer"]


class SequentialSynthesizer(Synthesizer):
    """A synthesizer that samples column by column: a family writes `_row_state` besides `_fit` and its state.

    Conditions, masks, allocation ratios and known cells are imposed by `synthclin.sampling.sequential`, once for all
    of these families. The likelihood of a row is the product of the conditional probabilities of its codes.

    The first `given_` columns in the order of the layout are the context of a visit: they are known whenever rows are
    sampled, and no part of the likelihood.

    Arguments:
        schema: what the table means.
        random_state: seed of everything random in fitting.
        rare_category: a level held by fewer patients never enters the model.
        trim_extremes: how many of the most extreme values are described only together.
    """

    has_likelihood: ClassVar[bool] = True
    models_visits: ClassVar[bool] = True
    is_calibrated: ClassVar[bool] = False  # whether `_fit` shrinks conditional distributions by out-of-fold rows
    cost: ClassVar[tuple[float, float]] = (0.0, 0.0)  # processor seconds per column and per 1,000 cells, about

    def __init__(
        self,
        schema: Schema,
        *,
        random_state: Annotated[int, Field(ge=0)] = 0,
        rare_category: Annotated[int, Field(ge=0)] = MIN_PATIENTS,
        trim_extremes: Annotated[int, Field(ge=0)] = MIN_PATIENTS,
    ) -> None:
        self.schema = schema
        self.random_state = random_state
        self.rare_category = rare_category
        self.trim_extremes = trim_extremes

    @classmethod
    def estimated_seconds(cls, rows: int, columns: int) -> float:
        """Return the processor seconds of a fit to a table of this size, about: most within a factor of two.

        Example:
            >>> from synthclin import Mixture
            >>> Mixture.estimated_seconds(1_000, 20) < Mixture.estimated_seconds(50_000, 20) < 60
            True
        """
        of_column, of_cells = cls.cost
        return of_column * columns + of_cells * rows * columns / 1_000

    def log_likelihood(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """Return the log-likelihood of each row's codes under the model, (rows,), in nats.

        Of a table of visits, that of each visit given the visits before it.

        Raises:
            ConfigError: the model is not fitted.
            DataError: the table breaks the schema.
        """
        self._check_fitted()
        if self.longitudinal_ is not None:
            return self.longitudinal_.log_likelihood(conform(table, self.schema))
        return self.typed_log_likelihood(conform(table, self.schema))

    def typed_log_likelihood(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """Return the log-likelihood of each typed row's codes, (rows,), in nats; see `log_likelihood`."""
        return self._log_likelihood(self.encoder_.encode(table).codes).double().cpu().numpy()

    def predict_proba(self, table: pd.DataFrame, target: str) -> pd.DataFrame:
        """Return the probability of each level of `target` given the other cells of each row, by Bayes' theorem.

        A generative model classifies too: the probabilities are its exact conditional distribution. A missing cell is a
        value like others where training rows have missing cells. Elsewhere it is unknown, as are all cells of a column
        that the table lacks, and integrated out by sampling: leave out columns that are not known when the prediction
        is made. Levels that a rule forbids beside the other cells have probability 0.

        Arguments:
            table: any modelled columns; the target is ignored where it is there.
            target: a modelled column of levels.

        Returns:
            (rows, levels), with the index of `table`; each row sums to 1.

        Raises:
            ConfigError: the model is not fitted, is one of patients with visits, or the target is no column of levels.
            DataError: the table has no modelled column besides the target, or a cell is not valid.

        Example:
            >>> import synthclin as sc
            >>> table, schema = sc.datasets.load("heart_disease")
            >>> model = sc.Mixture(schema, components=4, random_state=7).fit(table)
            >>> found = model.predict_proba(table.head(2), "sex")
            >>> list(found), found.sum(axis=1).round(6).tolist()
            ([0, 1], [1.0, 1.0])
        """
        self._check_fitted()
        if self.longitudinal_ is not None:
            what = "a model of patients with visits has no classes"
            raise ConfigError("predict_proba", what, "Forecast visits with `continue_`, or impute cells.")
        return class_probabilities(self._log_likelihood, self.encoder_, table, target)

    def _marginal_shares(self, codes: Tensor, layout: Layout) -> list[Tensor]:
        """Return the (codes,) protected relative frequencies of each column, by its index; all are positive.

        A code that no row has, which only limits of 0 or 1 leave without a share, counts for half a row.
        """
        found = [
            torch.from_numpy(protected_shares(codes[:, j].cpu().numpy(), column.cardinality, self.rare_category))
            for j, column in enumerate(layout.columns)
        ]
        return [share.where(share > 0, 0.5 / max(1, len(codes))).float() for share in found]

    def _log_likelihood(self, codes: Tensor, samples: int = 1) -> Tensor:
        """Return the log-likelihood of rows of (rows, columns) codes, (rows,), in parts that bound the memory."""
        codes = codes.to(self._device())
        with torch.no_grad(), one_thread():
            parts = [self._codes_log_likelihood(part, samples) for part in codes.split(self._rows_at_once)]
            return torch.cat(parts)

    def _codes_log_likelihood(self, codes: Tensor, samples: int = 1) -> Tensor:
        """Return the log-likelihood of rows of (rows, columns) codes, (rows,).

        Where a code is -1, the cell is unknown and integrated out: `samples` values are sampled given the cells before
        it, and the likelihood is the mean of that of the other cells (importance weights). All rows have the same
        random numbers, so that the result of a row does not depend on the rows beside it.
        """
        if bool((codes >= 0).all()):
            samples = 1
        found = [self._completed_log_likelihood(codes, sample) for sample in range(samples)]
        return torch.stack(found).logsumexp(0) - math.log(samples)

    def _completed_log_likelihood(self, codes: Tensor, sample: int) -> Tensor:
        """Return the log-likelihood of the known cells of rows, (rows,), where unknown ones have a sampled value."""
        state = self._row_state(torch_generator(self.random_state, "likelihood", device=codes.device))
        generator = torch_generator(self.random_state, "unknown cells", sample, device=codes.device)
        state.begin(len(codes))
        total = torch.zeros(len(codes), dtype=torch.float64, device=codes.device)
        for place, column in enumerate(self.encoder_.layout.order):
            known = codes[:, column]
            if place >= self.given_:
                log_probability = state.logits(column).log_softmax(0)
                is_known = known >= 0
                total += log_probability.gather(0, known.clamp_min(0)[None])[0].where(is_known, 0)
                noise = torch.rand(1, generator=generator, device=codes.device).expand(len(codes))
                if not bool(is_known.all()):
                    known = known.where(is_known, inverse_cdf(log_probability.exp(), noise))
            state.push(column, known)
        return total

    def _sample(self, rows: int, generator: torch.Generator, imposed: Imposed) -> tuple[Encoded, Tensor]:
        device, columns = self._device(), len(self.encoder_.layout)
        imposed = imposed.to(device)
        codes, weights = torch.empty(rows, columns, dtype=torch.long), torch.empty(rows)
        local = torch.Generator(device=device)
        local.manual_seed(int(torch.randint(2**62, (1,), generator=generator)))
        with torch.no_grad(), one_thread():
            state = self._row_state(local)
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
    def _row_state(self, generator: torch.Generator) -> RowState:
        """Return a state for rows of the fitted model.

        Arguments:
            generator: of what is random in the state itself, such as latent variables; on the model's device.
        """

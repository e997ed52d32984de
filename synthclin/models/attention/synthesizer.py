"""Families whose network is a transformer over the cells of a row: parameters, fit and files."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from synthclin.encoding import Encoded, Layout
from synthclin.models.artifact import misfit
from synthclin.models.attention.networks import AttentionNetwork
from synthclin.models.attention.training import MEASURED, plan_for
from synthclin.models.callbacks import TrainingMonitor
from synthclin.models.distributed import device_called, one_thread, together
from synthclin.models.generator.code_network import load_weights
from synthclin.models.generator.regression import parents_of
from synthclin.models.generator.training import Effort, train
from synthclin.models.sequential_synthesizer import SequentialSynthesizer
from synthclin.schema import Schema
from synthclin.schema.patients import MIN_PATIENTS
from synthclin.seeds import seeded_modules

__all__ = ["AttentionSynthesizer"]

MOST_CODES = 1_000_000
"""Codes of all columns together, at most, in a model folder."""

MOST_WIDTH = 1_024
"""Of a token."""


class AttentionSynthesizer(SequentialSynthesizer):
    """Base class of the families with an attention network; a family names its `network` and writes `_row_state`.

    Arguments:
        schema: what the table means.
        effort: ``quick`` trains shorter, ``standard`` is the default, ``thorough`` trains longer.
        width: of a token, a multiple of 8; by default 32 under 4,000 rows and 64 from there on.
        layers: of attention; by default 2.
        dropout: dropout rate of hidden units.
        random_state: seed of everything random in fitting.
        device: ``cpu``, ``cuda`` or ``auto``, which takes a GPU where there is one.
        rare_category: a level held by fewer patients never enters the model.
        trim_extremes: how many of the most extreme values are described only together.
    """

    is_calibrated: ClassVar[bool] = True
    network: ClassVar[type[AttentionNetwork]]

    def __init__(
        self,
        schema: Schema,
        *,
        effort: Effort = "standard",
        width: Annotated[int, Field(ge=8, le=MOST_WIDTH, multiple_of=8)] | None = None,
        layers: Annotated[int, Field(ge=1, le=16)] | None = None,
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1,
        random_state: Annotated[int, Field(ge=0)] = 0,
        device: Literal["auto", "cpu", "cuda"] = "auto",
        rare_category: Annotated[int, Field(ge=0)] = MIN_PATIENTS,
        trim_extremes: Annotated[int, Field(ge=0)] = MIN_PATIENTS,
    ) -> None:
        super().__init__(schema, random_state=random_state, rare_category=rare_category, trim_extremes=trim_extremes)
        self.effort = effort
        self.width = width
        self.layers = layers
        self.dropout = dropout
        self.device = device

    def _device(self) -> torch.device:
        return device_called(self.device)

    @property
    def _rows_at_once(self) -> int:
        # The keys and values of a part are held in memory; on a CPU they should fit the cache as well.
        most = 65_536 if self._device().type == "cpu" else 1_048_576
        return max(64, min(2_048 if most == 65_536 else 65_536, most // len(self.encoder_.layout)))

    def _build(self, layout: Layout) -> None:
        """Create an untrained network, columns in the order of sampling."""
        self.network_ = self.network(
            [layout.columns[j] for j in self.order_],
            [self.frequencies_[j] for j in self.order_],
            regressed=self.regressed_,
            given=self.given_,
            width=self.width_,
            layers=self.layers_,
            dropout=self.dropout,
        ).to(self._device())

    def _fit(
        self, encoded: Encoded, layout: Layout, monitor: TrainingMonitor, patient: NDArray[np.int64]
    ) -> dict[str, Any]:
        plan = plan_for(len(encoded), self.effort, any_order=self.network.any_order)
        self.width_ = plan.width if self.width is None else self.width
        self.layers_ = plan.blocks if self.layers is None else self.layers
        self.regressed_ = plan.regressed
        self.order_ = list(layout.order)
        device = self._device()
        self.frequencies_ = self._marginal_shares(encoded.codes, layout)
        ordered = encoded.codes[:, self.order_].to(device)
        with one_thread(), together(device), seeded_modules(self.random_state, "network", device=device):
            self._build(layout)
            record = train(self.network_, ordered, plan, self.random_state, monitor, patient, MEASURED)
            self.network_.eval()
        return {
            "kept": record.kept,
            "train_nll": record.train_nll,
            "validation_nll": record.validation_nll,
            "plan": dataclasses.asdict(plan),
            "parameters": sum(weights.numel() for weights in self.network_.parameters()),
            "device": device.type,
            "history": record.history,
            "seconds": record.seconds,
        }

    def _state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        tensors = {f"network.{name}": weights for name, weights in self.network_.state_dict().items()}
        parents = tensors.pop("network.regression.parents", None)  # plain numbers, which stand in the facts
        tensors |= {f"frequency.{j}": frequency for j, frequency in enumerate(self.frequencies_)}
        return tensors, {
            "width": self.width_,
            "layers": self.layers_,
            "given": self.given_,
            "parents": [] if parents is None else parents.tolist(),
        }

    def _restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], layout: Layout) -> None:
        if set(facts) != {"width", "layers", "given", "parents"}:
            raise misfit()
        width, layers, given = facts["width"], facts["layers"], facts["given"]
        if not all(type(each) is int for each in (width, layers, given)) or not 0 <= given <= len(layout):
            raise misfit()
        self.width_, self.layers_, self.given_ = width, layers, given
        if self.width not in (None, width) or self.layers not in (None, layers) or not self._fits(tensors, layout):
            raise misfit()
        try:
            parents = parents_of(len(layout), facts["parents"])
        except (LookupError, TypeError, ValueError):
            raise misfit() from None
        self.frequencies_ = [tensors[f"frequency.{j}"] for j in range(len(layout))]
        self.order_, self.regressed_ = list(layout.order), parents is not None
        self._build(layout)
        load_weights(self.network_, tensors, parents, others=len(layout))
        self.network_.eval()

    def _fits(self, tensors: Mapping[str, Tensor], layout: Layout) -> bool:
        """Whether the sizes of the weights match the facts: a network of a forged size is never created."""
        bias = tensors.get("network.query_bias")
        layers = sum(name.startswith("network.layers.") and name.endswith("second.bias") for name in tensors)
        shapes = [tensors[key].shape if (key := f"frequency.{j}") in tensors else None for j in range(len(layout))]
        return (
            bias is not None
            and bias.shape == (len(layout), self.width_)
            and 0 < self.width_ <= MOST_WIDTH
            and self.width_ % 8 == 0
            and layers == self.layers_ > 0
            and shapes == [(column.cardinality,) for column in layout.columns]
            and sum(layout.cardinalities) <= MOST_CODES
            and all(bool((tensors[f"frequency.{j}"] > 0).all()) for j in range(len(layout)))
        )

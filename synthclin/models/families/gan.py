"""Conditional tabular GAN: an autoregressive generator and a critic, with a maximum-likelihood warm-up."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from synthclin.encoding import Encoded, Layout
from synthclin.encoding.layout import ColumnLayout
from synthclin.errors import ConfigError
from synthclin.models.artifact import misfit
from synthclin.models.callbacks import Callback, TrainingMonitor
from synthclin.models.checkpoints import Checkpoint
from synthclin.models.distributed import device_called, one_thread, together
from synthclin.models.generator.code_network import load_weights
from synthclin.models.generator.confirmation import (
    ConfirmedDependence,
    LostAssociation,
    confirmed_share,
    lost_associations,
)
from synthclin.models.generator.distillation import OnePass, sample_in_one_pass
from synthclin.models.generator.network_rows import NetworkRows, sample_network
from synthclin.models.generator.networks import MaskedGenerator
from synthclin.models.generator.pairwise import MOST, PairwisePotential, find_potentials, may_have_potential
from synthclin.models.generator.receptive_fields import find_receptive_fields, receptive_fields_of
from synthclin.models.generator.regression import parents_of
from synthclin.models.generator.training import Effort, Training, plan_for, private_plan, train
from synthclin.models.parameters import check_parameters
from synthclin.models.private_training import guarantee_of, refuse_longer_training, resumable_private_rows
from synthclin.models.sequential_synthesizer import SequentialSynthesizer
from synthclin.rules.validation import refuse_contradiction
from synthclin.sampling.sequential import Imposed, RowState, SampledCodes
from synthclin.schema import Schema
from synthclin.schema.arguments import require_schema, require_table
from synthclin.schema.patients import MIN_PATIENTS
from synthclin.seeds import seeded_modules, torch_generator

__all__ = ["ConditionalGAN"]

MOST_CODES = 1_000_000
"""Codes of all columns together, at most, in a model folder."""

COMPARED_ROWS = 4_096
"""Sampled rows whose associations are compared with those of training rows."""


class ConditionalGAN(SequentialSynthesizer):
    """Conditional GAN for mixed-type patient tables.

    The generator is a masked autoregressive network over codes (MADE, Germain et al. 2015, arXiv 1502.03509), columns
    with fewest codes first. It is trained by maximum likelihood and fine-tuned against critics of single cells
    (relativistic pairing GAN with R1 and R2, Huang et al. 2024, arXiv 2501.05441). The fine-tuned weights are kept only
    if validation rows show an improvement (`training_["kept"]`), and pairwise potentials sharpen narrow dependences.
    Tables of fewer than 4,000 rows have neither: there each column has a penalised regression on pairs
    (`synthclin.models.generator.regression`), and the network adds what out-of-fold rows confirm
    (`synthclin.models.generator.cross_validation`); `confirmed_` and `lost_` say what the table supports.

    Arguments:
        schema: what the table means.
        effort: ``quick`` trains shorter and leaves the critics out, ``standard`` is the default, ``thorough`` trains
            longer.
        warmup: whether the training starts with maximum likelihood. Without it the training is purely adversarial:
            relativistic pairing with R1 and R2 penalties, no likelihood in any loss
            (`synthclin.models.generator.adversarial`).
        width: hidden units of the generator; by default 128 under 4,000 rows and 256 from there on. Wider networks
            have a better likelihood and a worse C2ST AUC.
        blocks: residual blocks of the generator; by default 1 under 4,000 rows and 2 from there on.
        dropout: dropout rate of hidden units.
        one_pass: whether the generator is also distilled into a network that samples all columns of a row in one pass
            (`synthclin.models.generator.distillation`), for millions of rows. It samples rows without a condition;
            cohorts and imputed rows are sampled column by column all the same.
        random_state: seed of everything random in fitting.
        device: ``cpu``, ``cuda`` or ``auto``, which takes a GPU where there is one. Under `torchrun` each process takes
            one of its own.
        rare_category: a level held by fewer patients never enters the model.
        trim_extremes: how many of the most extreme values are described only together.
        dp: train with differential privacy: a mapping with ``epsilon``, ``delta`` and the other keys of
            `synthclin.dp.parameters.DifferentialPrivacy`. The schema must declare every range, level and precision. The
            generator is then fitted by likelihood to rows of a graphical model of noisy tables
            (`synthclin.models.private_training`), and the two limits do not apply. Two fits differ even with one seed,
            because the noise has none.

    Example:
        >>> import synthclin as sc
        >>> table, schema = sc.datasets.load("heart_disease")
        >>> model = sc.ConditionalGAN(schema, effort="quick", random_state=7).fit(table)  # doctest: +SKIP
        >>> model.sample(100, where="sex == 1 and age >= 65")  # doctest: +SKIP
    """

    family: ClassVar[str] = "gan"
    is_calibrated: ClassVar[bool] = True
    cost: ClassVar[tuple[float, float]] = (0.2, 0.3)

    def __init__(
        self,
        schema: Schema,
        *,
        effort: Effort = "standard",
        warmup: bool = True,
        width: Annotated[int, Field(ge=1, le=4096)] | None = None,
        blocks: Annotated[int, Field(ge=0, le=16)] | None = None,
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1,
        one_pass: bool = False,
        random_state: Annotated[int, Field(ge=0)] = 0,
        device: Literal["auto", "cpu", "cuda"] = "auto",
        rare_category: Annotated[int, Field(ge=0)] = MIN_PATIENTS,
        trim_extremes: Annotated[int, Field(ge=0)] = MIN_PATIENTS,
        dp: dict[str, Any] | None = None,
    ) -> None:
        self.schema = schema
        self.effort = effort
        self.warmup = warmup
        self.width = width
        self.blocks = blocks
        self.dropout = dropout
        self.one_pass = one_pass
        self.random_state = random_state
        self.device = device
        self.rare_category = rare_category
        self.trim_extremes = trim_extremes
        self.dp = dp

    def fit(
        self,
        table: pd.DataFrame,
        *,
        checkpoint: Checkpoint | None = None,
        callback: Callback | None = None,
        checked: bool = False,
    ) -> Self:
        """Fit the model to `table`; see `Synthesizer.fit`.

        With `dp`, cells outside the declaration are no error: values beyond a range count at its end, other cells as
        missing. Whether an error stops a fit would disclose a row. A checkpoint keeps the noisy tables, so that a
        resumed fit measures nothing again.
        """
        if self.dp is None:
            return super().fit(table, checkpoint=checkpoint, callback=callback, checked=checked)
        require_schema(self.schema, f"{type(self).__name__}: schema")
        require_table(table)
        check_parameters(type(self), self.get_params(deep=False), type(self).__name__)
        refuse_contradiction(self.schema)
        refuse_longer_training(self.effort, warmup=self.warmup, where=type(self).__name__)
        guarantee = guarantee_of(self.dp)
        rows, training, saved = resumable_private_rows(
            table,
            self.schema,
            guarantee,
            checkpoint,
            self._identity,
            quick=self.effort == "quick",
            random_state=self.random_state,
        )
        self.encoder_, self.privacy_, self.rows_ = rows.encoder, rows.record, rows.record.patients
        # The dtypes of the real table may depend on its cells.
        self.dtypes_, self.calls_ = {}, 0
        monitor = TrainingMonitor(callback, training, saved)
        self.training_ = self._fit(rows.encoded, rows.encoder.layout, monitor, np.arange(len(rows.encoded)))
        return self

    def _codes_log_likelihood(self, codes: Tensor, samples: int = 1) -> Tensor:
        if bool((codes < 0).any()):
            return super()._codes_log_likelihood(codes, samples)
        # All columns at once.
        return self.network_.log_likelihood(codes[:, self.order_]).sum(1)

    @property
    def confirmed_(self) -> list[ConfirmedDependence]:
        """How much of each column's dependence on those sampled before it was confirmed out of fold, most first.

        Empty on tables of 4,000 and more training rows, which have no folds.

        Raises:
            ConfigError: the model is not fitted, or was loaded from a folder, which keeps no such facts.
        """
        return [ConfirmedDependence(**each) for each in self._fact("confirmed")]

    @property
    def lost_(self) -> list[LostAssociation]:
        """Associations that are significant in training rows and at most half as strong in sampled rows.

        Empty on tables of more than 1,000 columns, where pairs are not tested.

        Raises:
            ConfigError: the model is not fitted, or was loaded from a folder, which keeps no such facts.
        """
        return [LostAssociation(**each) for each in self._fact("lost")]

    def _parameters(self) -> dict[str, Any]:
        parameters = super()._parameters()
        if self.dp is not None:
            # A path shows the machine and its user.
            parameters["dp"] = {key: value for key, value in self.dp.items() if key not in ("ledger", "total_epsilon")}
        return parameters

    def _fact(self, name: str) -> list[dict[str, Any]]:
        self._check_fitted()
        if self.dp is not None:
            what = f"a training with differential privacy has no `{name}_`: its tests would need real rows"
            raise ConfigError(type(self).__name__, what, "Fit a model without `dp` to read them.")
        if name not in self.training_:
            what = f"facts about the training rows (`{name}_`) are not kept in a model folder"
            raise ConfigError(type(self).__name__, what, "Read them after fit, before the model is saved.")
        found: list[dict[str, Any]] = self.training_[name]
        return found

    def _device(self) -> torch.device:
        return device_called(self.device)

    def _ordered(self, layout: Layout) -> tuple[list[ColumnLayout], list[Tensor]]:
        """Return columns and frequencies of their codes, in the order of sampling."""
        return [layout.columns[j] for j in self.order_], [self.frequencies_[j] for j in self.order_]

    def _build(self, layout: Layout) -> None:
        """Create an untrained network, columns in ascending number of codes."""
        columns, frequencies = self._ordered(layout)
        self.network_ = MaskedGenerator(
            columns,
            frequencies,
            self.potentials_,
            self.receptive_fields_,
            regressed=self.regressed_,
            given=self.given_,
            width=self.width_,
            blocks=self.blocks_,
            dropout=self.dropout,
        )
        if self.one_pass:
            self.network_.shortcut = OnePass(columns, frequencies, self.receptive_fields_, self.blocks_)
        self.network_.to(self._device())

    def _fit(
        self, encoded: Encoded, layout: Layout, monitor: TrainingMonitor, patient: NDArray[np.int64]
    ) -> dict[str, Any]:
        plan = plan_for(len(encoded), self.effort, self.warmup or self.given_ > 0)
        if self.dp is not None:
            plan = private_plan(len(encoded))
        elif self.given_:
            # Critics judge whole rows, and the context of a row is never sampled.
            plan = dataclasses.replace(plan, adversarial=0)
        self.width_ = plan.width if self.width is None else self.width
        self.blocks_ = plan.blocks if self.blocks is None else self.blocks
        self.regressed_ = plan.regressed
        device = self._device()
        self.order_ = list(layout.order)
        self.frequencies_ = self._marginal_shares(encoded.codes, layout)
        columns, frequencies = self._ordered(layout)
        protected = max(self.rare_category, self.trim_extremes)
        self.potentials_ = find_potentials(
            columns, frequencies, encoded.codes[:, self.order_], most=plan.potentials, enough=protected
        )
        with one_thread(), together(device), seeded_modules(self.random_state, "network", device=device):
            # Sums in a fixed order: ties of mutual information must be equal wherever the fit runs.
            self.receptive_fields_ = find_receptive_fields(columns, frequencies, encoded.codes[:, self.order_])
            self._build(layout)
            record = train(
                self.network_, encoded.codes[:, self.order_].to(device), plan, self.random_state, monitor, patient
            )
            self.network_.eval()
            supported = (
                {}
                if self.given_ or self.dp is not None  # tests of rows with noise would be no tests of real rows
                else self._supported(encoded.codes[:, self.order_].to(device), record, int(patient.max()) + 1)
            )
        return {
            "kept": record.kept,
            **supported,
            "train_nll": record.train_nll,
            "validation_nll": record.validation_nll,
            "fine_tuning": record.fine_tuning,
            "plan": dataclasses.asdict(plan),
            "parameters": sum(weights.numel() for weights in self.network_.parameters()),
            "device": device.type,
            "history": record.history,
            "seconds": record.seconds,
        }

    def _supported(self, codes: Tensor, record: Training, patients: int) -> dict[str, Any]:
        """Return what the table supports, as plain data: confirmed dependences and lost associations."""
        columns = self.network_.columns
        generator = torch_generator(self.random_state, "lost associations", device=codes.device)
        with torch.no_grad():
            sampled = sample_network(self.network_, COMPARED_ROWS, generator).codes
        confirmed = self._confirmed(codes, record.confirmed) if record.confirmed else []
        lost = lost_associations(columns, codes, sampled, patients)
        return {
            "confirmed": [dataclasses.asdict(each) for each in sorted(confirmed, key=lambda each: -each.nats)],
            "lost": [dataclasses.asdict(each) for each in lost],
        }

    def _confirmed(self, codes: Tensor, gains: list[list[float]]) -> list[ConfirmedDependence]:
        """Return the confirmed dependence of each column; the codes are those of a table small enough for folds."""
        with torch.no_grad():
            trained = (self.network_.log_likelihood(codes) - self.network_.marginal_log_likelihood(codes)).mean(0)
        return [
            ConfirmedDependence(column.name, round(nats, 5), round(error, 5), round(confirmed_share(nats, whole), 3))
            for column, (nats, error), whole in zip(self.network_.columns, gains, trained.tolist(), strict=True)
        ]

    def _row_state(self, generator: torch.Generator) -> RowState:  # noqa: ARG002 - nothing in it is random
        return NetworkRows(self.network_, self.order_)

    @property
    def _rows_at_once(self) -> int:
        # On a CPU the hidden state of a part fits the cache; a GPU is bound by kernel launches, not by memory.
        return 2_048 if self._device().type == "cpu" else 65_536

    def _sample_part(self, state: RowState, rows: int, generator: torch.Generator, imposed: Imposed) -> SampledCodes:
        conditioned = imposed.log_allowed or imposed.code_mask is not imposed.reference_mask
        if self.one_pass and not (conditioned or imposed.allocations or imposed.known is not None):
            return sample_in_one_pass(self.network_, state, self.order_, rows, generator, imposed)
        return super()._sample_part(state, rows, generator, imposed)

    def _state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        tensors = {f"network.{name}": weights for name, weights in self.network_.state_dict().items()}
        tensors.pop("network.regression.parents", None)  # plain numbers, which stand in the facts
        tensors |= {f"frequency.{j}": frequency for j, frequency in enumerate(self.frequencies_)}
        tensors |= {f"potential.{i}": potential.centres for i, potential in enumerate(self.potentials_)}
        return tensors, {
            "width": self.width_,
            "blocks": self.blocks_,
            **({"given": self.given_} if self.given_ else {}),
            "parents": [] if self.network_.regression is None else self.network_.regression.parents.tolist(),
            "potentials": [[potential.first, potential.second] for potential in self.potentials_],
            "receptive_fields": [
                [t for t in field.context if t < field.members[0]] for field in self.receptive_fields_
            ],
        }

    def _restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], layout: Layout) -> None:
        width, blocks = facts.get("width"), facts.get("blocks")
        known = {"width", "blocks", "given", "parents", "potentials", "receptive_fields"}
        if type(width) is not int or type(blocks) is not int or set(facts) - known:
            raise misfit()
        if self.width not in (None, width) or self.blocks not in (None, blocks):
            raise misfit()
        self.width_, self.blocks_, self.given_ = width, blocks, facts.get("given", 0)
        if type(self.given_) is not int or not 0 <= self.given_ <= len(layout):
            raise misfit()
        if not self._fits(tensors, layout):
            raise misfit()
        self.frequencies_ = [tensors[f"frequency.{j}"] for j in range(len(layout))]
        self.order_ = list(layout.order)
        try:
            self.potentials_ = self._potentials(tensors, facts["potentials"], layout)
            self.receptive_fields_ = receptive_fields_of(len(layout), facts["receptive_fields"])
            parents = parents_of(len(layout), facts["parents"])
        except (LookupError, TypeError, ValueError):
            raise misfit() from None
        self.regressed_ = parents is not None
        self._build(layout)
        load_weights(self.network_, tensors, parents, others=len(layout) + len(self.potentials_))
        self.network_.eval()

    def _potentials(
        self, tensors: Mapping[str, Tensor], pairs: list[Any], layout: Layout
    ) -> tuple[PairwisePotential, ...]:
        """Return the pairwise potentials of a model folder.

        Raises:
            LookupError, TypeError, ValueError: they do not fit the layout.
        """
        if len(pairs) > MOST:
            raise ValueError("too many pairs")
        potentials = tuple(
            PairwisePotential(first, second, tensors[f"potential.{i}"]) for i, (first, second) in enumerate(pairs)
        )
        columns, _ = self._ordered(layout)
        for potential in potentials:
            pair = [columns[t] for t in (potential.first, potential.second)]
            if not (0 <= potential.first < potential.second and all(may_have_potential(column) for column in pair)):
                raise ValueError("no pair of ordered columns")
            if potential.centres.shape != (pair[1].cardinality,):
                raise ValueError("the numbers of centres and codes differ")
        return potentials

    def _fits(self, tensors: Mapping[str, Tensor], layout: Layout) -> bool:
        """Whether the sizes of the weights match the parameters: a network of a forged size is never created."""
        entrance = tensors.get("network.enter.bias")
        blocks = sum(name.startswith("network.blocks.") and name.endswith("first.bias") for name in tensors)
        shapes = [tensors[key].shape if (key := f"frequency.{j}") in tensors else None for j in range(len(layout))]
        return (
            entrance is not None
            and entrance.shape == (self.width_,)
            and blocks == self.blocks_
            and shapes == [(column.cardinality,) for column in layout.columns]
            and sum(layout.cardinalities) <= MOST_CODES
            and all(bool((tensors[f"frequency.{j}"] > 0).all()) for j in range(len(layout)))
        )

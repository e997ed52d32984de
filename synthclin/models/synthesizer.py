"""Abstract base class of the generative models: fit a table, sample and impute rows."""

from __future__ import annotations

import hashlib
import warnings
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from synthclin.dp.record import PrivacyRecord
from synthclin.encoding import Encoded, Layout, TableEncoder
from synthclin.encoding.anchors import shifted
from synthclin.errors import ConfigError
from synthclin.io.files import staged_folder
from synthclin.models import artifact
from synthclin.models.callbacks import Callback, TrainingMonitor
from synthclin.models.checkpoints import Checkpoint
from synthclin.models.imputing import Imputing
from synthclin.models.model_html import synthesizer_html
from synthclin.models.parameters import check_parameters
from synthclin.models.training_identity import encoded_digest, training_identity
from synthclin.models.visits.longitudinal import TRAININGS, Longitudinal
from synthclin.models.visits.transition_rows import context_columns
from synthclin.rules.validation import conform, refuse_contradiction, without_violations
from synthclin.rules.visits import in_order, refuse_rows_as_patients
from synthclin.sampling.cohorts import require_condition
from synthclin.sampling.sample_facts import SampleFacts, warn_of_few_events
from synthclin.sampling.sampler import CohortSampler
from synthclin.sampling.sequential import Imposed
from synthclin.schema import Schema
from synthclin.schema.arguments import require_schema, require_table
from synthclin.schema.dtypes import dtype_names, restored
from synthclin.schema.identifiers import first_id, with_new_identifiers
from synthclin.schema.patients import patients
from synthclin.seeds import numpy_generator, stream_seed

if TYPE_CHECKING:
    from synthclin.schema.columns import Level

__all__ = ["MOST_ROWS", "Synthesizer"]

MOST_ROWS = 10_000_000
"""Rows per request at most: all are held in memory."""

_LARGEST_ID = 10**30


class Synthesizer(Imputing):
    """Generative model of a table: fits it and samples rows that satisfy its schema.

    A family implements `_fit`, `_row_state` (or `_sample_part`) and its state (`_state`, `_restore`); encoding,
    conditions, imputation, rules and files are implemented here.

    Attributes after `fit`:
        rows_: number of training rows; not kept in a model folder.
        encoder_: how cells become codes and offsets, and back.
        dtypes_: by column the dtype of the training table, where the schema has another; sampled tables have it.
        training_: facts about the training, as plain data, for the manifest.
        sample_facts_: facts about the last sample: share of such rows without the condition, effective sample size.
        longitudinal_: of a table of visits the models of patients and of their visits; None for other tables.
        privacy_: guarantee, ledger and noisy tables of a training with differential privacy; None for others.
    """

    family: ClassVar[str]
    has_likelihood: ClassVar[bool] = False
    models_visits: ClassVar[bool] = False
    keeps_rows: ClassVar[bool] = False  # whether the fitted model is its training rows, so that it is never written

    schema: Schema
    random_state: int
    rare_category: int
    trim_extremes: int
    encoder_: TableEncoder
    dtypes_: dict[str, str]
    rows_: int
    training_: dict[str, Any]
    sample_facts_: SampleFacts
    longitudinal_: Longitudinal | None = None
    privacy_: PrivacyRecord | None = None
    in_order_: bool = False
    given_: int = 0

    def _repr_html_(self) -> str:
        fitted = hasattr(self, "encoder_")
        return synthesizer_html(
            type(self).__name__,
            self.training_ if fitted else None,
            rows=getattr(self, "rows_", None),
            fitted=len(self.encoder_.layout) if fitted else 0,
            columns=len(self.schema.columns),
            effort=getattr(self, "effort", ""),
        )

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        # scikit-learn's own shows a diagram of parameters, with a script.
        return {"text/plain": repr(self), "text/html": self._repr_html_()}

    def fit(
        self,
        table: pd.DataFrame,
        *,
        checkpoint: Checkpoint | None = None,
        callback: Callback | None = None,
        checked: bool = False,
    ) -> Self:
        """Fit the model to `table`.

        Arguments:
            table: rows that satisfy the schema.
            checkpoint: where the state is saved at intervals; the fit resumes from a state that is there, and on a CPU
                ends with the same weights as without the interruption.
            callback: gets each `synthclin.models.TrainingEvent` and returns True to stop the training early, with the
                best weights so far. An exception in it ends the fit.
            checked: whether the table is typed by this schema and breaks no rule of it, so that neither is checked
                again; a study has done so.

        Raises:
            DataError: the table breaks the schema, or a rule whose `on_violation` is an error.
            ConfigError: a parameter of the model is out of its bounds, or rules of the schema contradict each other.
            ModelFormatError: the checkpoint is damaged, or of another table, schema, parameter, seed or version.

        Example:
            >>> import synthclin as sc
            >>> table, schema = sc.datasets.load("heart_disease")
            >>> nll = []
            >>> def stop(event):
            ...     nll.append(event.figures.get("validation_nll"))
            ...     return event.step == 3
            >>> model = sc.ConditionalGAN(schema, effort="quick", width=16).fit(table.head(60), callback=stop)
            >>> nll[2] < nll[0]
            True
        """
        require_schema(self.schema, f"{type(self).__name__}: schema")
        require_table(table)
        check_parameters(type(self), self.get_params(deep=False), type(self).__name__)
        self.dtypes_ = dtype_names(table, self.schema)
        if not checked:
            refuse_contradiction(self.schema)
            table = conform(table, self.schema)
        refuse_rows_as_patients(table, self.schema)
        shifted_table = shifted(table, self.schema, numpy_generator(self.random_state, "shift"))
        # Shifted dates may break a rule that real dates satisfy.
        if not checked or not shifted_table.equals(table):
            shifted_table, _ = without_violations(shifted_table, self.schema)
        table = in_order(shifted_table, self.schema)
        schema = self.schema.observed(table, patients(table, self.schema), max(self.rare_category, 1))
        schema = with_new_identifiers(schema, table)
        if not checked and first_id(schema) != first_id(self.schema):
            first = first_id(schema)
            what = f"synthetic identifiers start at number {first:,}: lower ones may be those of training rows."
            warnings.warn(f"{what} Change `format` to tell them apart at sight.", stacklevel=2)
        self.encoder_ = TableEncoder.fit(
            table, schema, rare_category=self.rare_category, trim_extremes=self.trim_extremes, in_order=self.in_order_
        )
        self.calls_ = 0
        self.rows_ = len(table)
        if schema.visit_time is not None:
            self.training_ = self._fit_visits(table, schema, checkpoint, callback)
            return self
        encoded = self.encoder_.encode(table)
        patient = patients(table, schema)
        saved = None if checkpoint is None else checkpoint.open(self.identity(encoded, patient))
        self.training_ = self._fit(encoded, self.encoder_.layout, TrainingMonitor(callback, checkpoint, saved), patient)
        return self

    def sample(
        self,
        n: int,
        where: str | None = None,
        mix: Mapping[str, Mapping[Level, float]] | None = None,
        random_state: int | None = None,
        id_start: int | None = None,
    ) -> pd.DataFrame:
        """Return exactly `n` synthetic rows, in the dtypes of the training table where these can hold them.

        Of a table of visits it returns `n` patients with all their visits. Conditions are then on patients: static
        columns, and functions of visits such as ``"any(bili > 10) and last(status) == 2 and count() >= 4"``.

        Identifiers are none of the training rows'. Every call numbers them from the same start: for tables that are put
        together, give the second one an `id_start` beyond the first.

        Arguments:
            n: how many rows; 0 gives a table with its columns and no rows.
            where: a predicate that every row satisfies, such as ``"sex == 'F' and lvef < 40"``.
            mix: wanted shares of levels, such as ``{"arm": {"A": 0.5, "B": 0.5}}``.
            random_state: seed of the sample; without one, calls after `fit` differ and their sequence is reproducible.
            id_start: the number of the first identifier, not below `first_id`, which is the default.

        Raises:
            ConditionError: the model cannot sample `n` such rows; the message says how many of the proposals satisfy
                the condition.
        """
        self._check_fitted()
        if not isinstance(n, int | np.integer) or not 0 <= n <= MOST_ROWS:
            raise ConfigError("sample", f"`n` is no whole number from 0 to {MOST_ROWS:,}", "Ask for as many rows.")
        require_condition(where, mix)
        if id_start is not None and not (
            isinstance(id_start, int | np.integer) and self.first_id <= id_start <= _LARGEST_ID
        ):
            what = f"`id_start` is no whole number from {self.first_id:,} to {_LARGEST_ID:,}"
            raise ConfigError("sample", what, "Lower identifiers may be those of training rows. Give a number between.")
        seed = self._seed("sample") if random_state is None else random_state
        start = None if id_start is None else int(id_start)
        if self.longitudinal_ is not None:
            table, self.sample_facts_ = self.longitudinal_.sample(int(n), where, mix, seed, start)
        else:
            table, self.sample_facts_ = self._sampler(seed).sample(n, where, mix, start)
        if (where or mix) and n and hasattr(self, "rows_"):  # a loaded model does not know the number of its rows
            trained = None if self.longitudinal_ is None else self.longitudinal_.trained
            warn_of_few_events(self.sample_facts_, trained or self.rows_)
        return restored(table, self.dtypes_)

    @property
    def first_id(self) -> int:
        """The number of the first synthetic identifier, beyond those of the training rows; 1 without identifiers."""
        self._check_fitted()
        return first_id(self.encoder_.schema)

    def raw_violations(self, n: int = 2_000, random_state: int | None = None) -> dict[str, float]:
        """Return the violation rate of each rule without constraint mask: shares of `n` sampled rows, by rule text.

        Rows from `sample` violate no rule; these rates show how much the constraint mask changes. They are judged on
        codes: a rule that depends on the position inside a bin counts as satisfied.
        """
        self._check_fitted()
        seed = self._seed("raw") if random_state is None else random_state
        if self.longitudinal_ is not None:
            return self.longitudinal_.raw_violations(n, seed)
        return self._sampler(seed).raw_violations(n)

    def _sampler(self, seed: int) -> CohortSampler:
        return CohortSampler(self._sample, self.encoder_, self.encoder_.schema, seed)

    def save(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Write the model folder atomically: safetensors and JSON, no rows.

        Raises:
            OutputError: the folder cannot be written, or is there and `overwrite` is False.
            ConfigError: the model is not fitted, or consists of its training rows.
        """
        parts = self.parts()
        with staged_folder(Path(folder), overwrite=overwrite) as staged:
            artifact.write(parts, staged)

    def parts(self) -> artifact.ModelParts:
        """Return the content of the model folder; raises ConfigError where there is none, as for `save`."""
        self._check_fitted()
        if self.keeps_rows:
            what = f"a model of the family {self.family!r} consists of its training rows, which never leave in a file"
            raise ConfigError("save", what, "Choose another family, such as `gan`.")
        inner: dict[str, artifact.ModelParts] = {}
        if self.longitudinal_ is None:
            tensors, facts = self._state()
        else:
            tensors, facts = self.longitudinal_.state()
            inner = {name: model.parts() for name, model in self.longitudinal_.inner.items()}
        return artifact.ModelParts(
            self.family,
            self._parameters(),
            facts,
            self.training_,
            tensors,
            self.encoder_,
            self.dtypes_,
            inner,
            self.privacy_,
        )

    @classmethod
    def from_parts(cls, parts: artifact.ModelParts, given: int = 0) -> Self:
        """Return the model of `parts`, whose first `given` columns are context; raises ModelFormatError if misfit."""
        # The device of the training may be absent: a machine without a GPU must still be able to sample.
        device = {"device": "auto"} if "device" in parts.parameters else {}
        # JSON has no tuples.
        parameters = {name: tuple(v) if isinstance(v, list) else v for name, v in (parts.parameters | device).items()}
        model = cls(schema=parts.encoder.schema, **parameters)
        model.encoder_, model.calls_, model.training_ = parts.encoder, 0, parts.training
        model.dtypes_, model.privacy_ = dict(parts.dtypes), parts.privacy
        if parts.encoder.schema.visit_time is not None:
            people, visits = (parts.inner[name] for name in TRAININGS)
            given = context_columns(visits.encoder)
            inner = dict(zip(TRAININGS, (cls.from_parts(people), cls.from_parts(visits, given)), strict=True))
            model.longitudinal_ = Longitudinal.restored(parts.encoder, parts.tensors, parts.facts, inner)
            return model
        model.given_ = given
        model._restore(parts.tensors, parts.facts, parts.encoder.layout)
        return model

    def identity(self, encoded: Encoded, patient: NDArray[np.int64]) -> dict[str, bytes]:
        """Return everything on which a training on `encoded` depends, by name: equal values give equal weights."""
        return self._identity(encoded_digest(self.encoder_, encoded, patient))

    def _identity(self, table: bytes) -> dict[str, bytes]:
        return training_identity(self.family, self._parameters(), self.schema, table)

    def shadow(self, random_state: int) -> Synthesizer:
        """Return an unfitted model of the same family and parameters, with another seed and quick to train.

        A shadow model of an attack: Shokri et al. 2017, arXiv 1610.05820.
        """
        parameters = {"schema": self.schema, **self._parameters(), "random_state": random_state}
        if "effort" in parameters:
            parameters["effort"] = "quick"
        if self.privacy_ is not None:
            # A number that is counted anew could refuse half of the patients.
            parameters["dp"] = parameters["dp"] | {"patients": self.privacy_.patients}
        return type(self)(**parameters)

    def _fit_visits(
        self, table: pd.DataFrame, schema: Schema, checkpoint: Checkpoint | None, callback: Callback | None
    ) -> dict[str, Any]:
        """Fit the models of patients and of their visits and return facts about both trainings."""
        if not self.models_visits:
            what = f"the family {self.family!r} has no model of patients with several visits"
            raise ConfigError(type(self).__name__, what, "Choose `gan`, or declare `visits: independent`.")

        def make(inner: Schema, given: int) -> Synthesizer:
            model = type(self)(**(self.get_params(deep=False) | {"schema": inner}))
            model.given_, model.in_order_ = given, given > 0
            return model

        limit = max(self.rare_category, self.trim_extremes, 1)
        parts: Mapping[str, Checkpoint] = {}
        if checkpoint is not None:
            belongs = self.identity(self.encoder_.encode(table), patients(table, schema))
            # The linear means see values that the codes of all rows do not tell apart.
            cells = pd.util.hash_pandas_object(table, index=False).to_numpy()
            belongs["table"] = hashlib.sha256(belongs["table"] + cells.tobytes()).digest()
            parts = checkpoint.parts(checkpoint.open(belongs), TRAININGS)
        self.longitudinal_ = Longitudinal.fit(
            table, schema, self.encoder_, make, limit=limit, seed=self.random_state, parts=parts, callback=callback
        )
        return self.longitudinal_.training()

    def _parameters(self) -> dict[str, Any]:
        """Return the constructor parameters by name, without the schema."""
        return {name: value for name, value in self.get_params(deep=False).items() if name != "schema"}

    def _check_fitted(self) -> None:
        if not hasattr(self, "encoder_"):
            raise ConfigError(type(self).__name__, "the model is not fitted", "Call fit(table) first.")

    def _seed(self, purpose: str) -> int:
        """Return the seed of the next call that names none."""
        self.calls_ += 1
        return stream_seed(self.random_state, purpose, self.calls_ - 1)

    def log_likelihood(self, table: pd.DataFrame) -> NDArray[np.float64]:  # noqa: ARG002 - the contract's
        """Return the log-likelihood of each row under the model, (rows,), in nats.

        Raises:
            ConfigError: the family has no tractable likelihood; `has_likelihood` is False.
            DataError: the table breaks the schema.
        """
        what = f"the family {self.family!r} has no tractable likelihood"
        raise ConfigError(type(self).__name__, what, "Choose another family, such as `gan`.")

    def score_samples(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """Return the log-likelihood of each row, (rows,), in nats: `log_likelihood`, by scikit-learn's name."""
        return self.log_likelihood(table)

    def score(self, table: pd.DataFrame, y: object = None) -> float:  # noqa: ARG002 - as scikit-learn calls it
        """Return the mean log-likelihood of the rows, in nats per row; `score_samples` has that of each."""
        return float(np.mean(self.score_samples(table)))

    @abstractmethod
    def _fit(
        self, encoded: Encoded, layout: Layout, monitor: TrainingMonitor, patient: NDArray[np.int64]
    ) -> dict[str, Any]:
        """Fit an encoded table and return facts about the training as plain data; report to `monitor`.

        `patient` is the (rows,) number of each row's patient.
        """

    @abstractmethod
    def _sample(self, rows: int, generator: torch.Generator, imposed: Imposed) -> tuple[Encoded, Tensor]:
        """Return sampled rows, and (rows,) log-weights that make them representative of what is imposed.

        Arguments:
            rows: how many.
            generator: of everything random.
            imposed: conditions, masks and known cells; see `synthclin.sampling.sequential.Imposed`.
        """

    @abstractmethod
    def _state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return fitted tensors and plain data: the family's state in the model folder."""

    @abstractmethod
    def _restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], layout: Layout) -> None:
        """Restore the state that `_state` returned; raises ModelFormatError where it does not fit."""

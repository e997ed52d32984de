"""Imputation of missing cells, for every family of models."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection
from typing import TYPE_CHECKING, overload

import numpy as np
from sklearn.base import BaseEstimator

from synthclin.encoding import TableEncoder
from synthclin.errors import ConfigError
from synthclin.models.visits.longitudinal import Longitudinal
from synthclin.sampling.imputation import Imputer
from synthclin.sampling.sequential import Imposed
from synthclin.schema.arguments import require_table

if TYPE_CHECKING:
    import pandas as pd
    import torch
    from torch import Tensor

    from synthclin.encoding import Encoded

__all__ = ["Imputing"]

MOST_IMPUTATIONS = 100
"""Imputations per request at most."""


class Imputing(BaseEstimator):  # type: ignore[misc]
    """Model that imputes missing cells of a table; see `synthclin.models.synthesizer.Synthesizer`."""

    encoder_: TableEncoder
    longitudinal_: Longitudinal | None = None

    @abstractmethod
    def _check_fitted(self) -> None:
        """Raise ConfigError where the model is not fitted."""

    @abstractmethod
    def _seed(self, purpose: str) -> int:
        """Return the seed of the next call that names none."""

    @abstractmethod
    def _sample(self, rows: int, generator: torch.Generator, imposed: Imposed) -> tuple[Encoded, Tensor]:
        """Return sampled rows and their log-weights."""

    @overload
    def impute(
        self,
        table: pd.DataFrame,
        imputations: None = None,
        *,
        columns: Collection[str] | None = None,
        random_state: int | None = None,
    ) -> pd.DataFrame: ...

    @overload
    def impute(
        self,
        table: pd.DataFrame,
        imputations: int,
        *,
        columns: Collection[str] | None = None,
        random_state: int | None = None,
    ) -> list[pd.DataFrame]: ...

    def impute(
        self,
        table: pd.DataFrame,
        imputations: int | None = None,
        *,
        columns: Collection[str] | None = None,
        random_state: int | None = None,
    ) -> pd.DataFrame | list[pd.DataFrame]:
        """Return `table` with its missing cells imputed: sampled from the model given the other cells of the row.

        Given cells are returned unchanged, in the type of the schema, even if their value is not in the training data.
        Rows keep their order and index. Columns that the table lacks are imputed wholly and come last. Imputed cells
        hold a value; missingness of a cell to impute is not used to predict other cells. A cell stays empty where rules
        such as `missing_when` leave it no value, derived columns are computed where they are missing, identifiers and
        free text pass through, and every rule is satisfied. Rows whose given cells alone violate a rule are refused,
        left out or imputed all the same, by its `on_violation`.

        Imputed cells are samples, not best predictions: they keep the variance of the data. For an analysis, ask for
        several `imputations`, analyse each table and pool the results by Rubin's rules, as after mice's
        ``complete(imp, "all")``.

        Arguments:
            table: any columns of the schema, at least one of them modelled.
            imputations: how many completed tables; None for one, not in a list.
            columns: modelled columns to impute, all by default. Missing cells of other columns stay missing, and their
                missingness is a known value: leave out columns where an empty cell is a fact, such as a test that was
                never ordered.
            random_state: seed of the sample; without one, calls after `fit` differ and their sequence is reproducible.

        Returns:
            the completed table, or with `imputations` a list of so many.

        Raises:
            DataError: a given cell is not valid, given cells violate a rule, or no completion of a row satisfies all.
            ConfigError: an argument cannot be used.

        Example:
            >>> import synthclin as sc
            >>> table, schema = sc.datasets.load("heart_disease")
            >>> model = sc.ConditionalGAN(schema, effort="quick", random_state=7).fit(table)  # doctest: +SKIP
            >>> one = model.impute(table)  # doctest: +SKIP
            >>> five = model.impute(table, imputations=5)  # doctest: +SKIP
        """
        self._check_fitted()
        require_table(table)
        if imputations is not None and not (
            isinstance(imputations, int | np.integer) and 1 <= imputations <= MOST_IMPUTATIONS
        ):
            raise ConfigError(
                "impute", f"`imputations` is no whole number from 1 to {MOST_IMPUTATIONS:,}", "Ask for as many."
            )
        seed = self._seed("impute") if random_state is None else random_state
        if self.longitudinal_ is not None:
            completed = self.longitudinal_.impute(table, imputations or 1, columns, seed)
            return completed[0] if imputations is None else completed
        completed = Imputer(self._sample, self.encoder_, self.encoder_.schema, seed).complete(
            table, imputations or 1, columns
        )
        return completed[0] if imputations is None else completed

"""Imputation of missing cells, for every family of models."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, overload

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from synthclin.encoding import TableEncoder
from synthclin.errors import ConfigError
from synthclin.models.visits.given.continuation import Wanted
from synthclin.models.visits.longitudinal import Longitudinal
from synthclin.sampling.imputation import Imputer
from synthclin.sampling.sequential import Imposed
from synthclin.schema.arguments import require_table
from synthclin.schema.visit_times import times_of
from synthclin.schema.visits import MOST_VISITS

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from synthclin.encoding import Encoded
    from synthclin.schema import Schema
    from synthclin.schema.columns import Level

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

        Of a table of visits each cell is imputed given all visits of its patient, before and after it; a static cell is
        the same in all of them, and a visit time is never imputed (`synthclin.models.visits.given.visit_imputation`).

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
                "impute", f"`imputations` is no whole number from 1 to {MOST_IMPUTATIONS:,}", "Give one, such as 5."
            )
        if isinstance(columns, str):
            raise ConfigError("impute: `columns`", "a text, not a list of columns", f"Write columns=[{columns!r}].")
        seed = self._seed("impute") if random_state is None else random_state
        if self.longitudinal_ is not None:
            completed = self.longitudinal_.impute(table, imputations or 1, columns, seed)
            return completed[0] if imputations is None else completed
        completed = Imputer(self._sample, self.encoder_, self.encoder_.schema, seed).complete(
            table, imputations or 1, columns
        )
        return completed[0] if imputations is None else completed

    def continue_(
        self,
        table: pd.DataFrame,
        visits: int | None = None,
        *,
        until: object = None,
        set: Mapping[str, Level] | None = None,  # noqa: A002 (a verb that users know)
        random_state: int | None = None,
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return given patients with further visits sampled from their history, and which cells are sampled.

        A forecast under the model, of a table of visits: what such patients had in the training table, given the static
        columns and all given visits. The given patients' own cells are in the result: it is no synthetic table and must
        be protected as the given one.

        An empty time of the end of follow-up is unknown and sampled, and so is an empty event at its end: leave both
        empty where follow-up goes on. A given end is a fact: no visit is sampled after it.

        Arguments:
            table: the given visits, with the columns of the schema; patients need not be those of the training.
            visits: how many further visits of each patient, or None.
            until: or the time of the last possible one, as a number in the unit of the visit time, or a date.
            set: static columns to replace for all patients, such as ``{"arm": "B"}``: their further visits are sampled
                as if the whole history had been that of such a patient.
            random_state: seed of the sample; without one, calls after `fit` differ and their sequence is reproducible.

        Returns:
            the given rows, unchanged but for what `set` replaces and for the sampled end of follow-up, with the further
            visits after those of their patient; and a table of the same shape, True where a cell is sampled or
            replaced. Rows of further visits are those in which the visit time is.

        Raises:
            ConfigError: the model has no visits, or an argument cannot be used.
            DataError: the given table breaks the schema or a rule.
            ConditionError: some patients have no possible further visits.

        Example:
            >>> model = sc.ConditionalGAN(schema).fit(train)  # doctest: +SKIP
            >>> forecast, sampled = model.continue_(patients, visits=3, random_state=1)  # doctest: +SKIP
            >>> forecast[sampled["day"]]  # doctest: +SKIP
        """
        self._check_fitted()
        if self.longitudinal_ is None:
            what = "the model has no patients with several visits"
            raise ConfigError("continue_", what, "Fit a table with `role: visit` in its schema.")
        require_table(table)
        if (visits is None) == (until is None):
            raise ConfigError("continue_", "either `visits` or `until` is needed", "Give one of both.")
        if visits is not None and not (isinstance(visits, int | np.integer) and 1 <= visits <= MOST_VISITS):
            what = f"`visits` is no whole number from 1 to {MOST_VISITS:,}"
            raise ConfigError("continue_", what, "Give a whole number of at least 1.")
        last = None if until is None else _time_of(until, self.encoder_.schema)
        seed = self._seed("continue") if random_state is None else random_state
        wanted = Wanted(None if visits is None else int(visits), last, dict(set or {}))
        return self.longitudinal_.continued(table, wanted, seed)


def _time_of(until: object, schema: Schema) -> float:
    """Return a time of a visit as a number; see `synthclin.schema.visit_times.times_of`."""
    column = schema.columns[str(schema.visit_time)]
    cells, unread = column.coerce(pd.Series([until], dtype=object))
    if bool(unread.any()) or bool(cells.isna().any()):
        what = "`until` is no time of a visit"
        remedy = "Give a date such as '2025-06-30'." if column.is_temporal else "Give a number in its unit."
        raise ConfigError("continue_", what, remedy)
    return float(times_of(cells)[0])

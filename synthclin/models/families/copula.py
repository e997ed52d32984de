"""Gaussian copula: latent normal variables, cut into codes at the marginal shares, with one correlation matrix."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from synthclin.encoding import Encoded, Layout
from synthclin.models.artifact import misfit
from synthclin.models.callbacks import TrainingMonitor
from synthclin.models.distributed import one_thread
from synthclin.models.generator.cross_validation import fold_numbers
from synthclin.models.latent_columns import (
    LARGEST,
    LEAST_CHANCE,
    LatentColumn,
    calibrated,
    code_groups,
    interval_mass,
    interval_masses,
    latent_bounds,
    latent_columns,
    saved,
    truncated_normal,
)
from synthclin.models.sequential_synthesizer import SequentialSynthesizer
from synthclin.seeds import torch_generator

__all__ = ["CopulaRows", "GaussianCopula"]

MOST_ROWS = 20_000
"""Rows from which the correlations are estimated at most; the marginal shares are of all rows."""

BURN_IN, SWEEPS = 15, 40
"""Sweeps of the sampler without averaging, and in all."""

CALIBRATED_EVERY = 5
"""Sweeps between two calibrations of the cut points."""

SHRINKAGES = (1.0, 0.97, 0.93, 0.87, 0.8, 0.7, 0.55, 0.4, 0.25, 0.0)
"""Factors of the correlations between columns, from which out-of-fold rows choose."""

CONTAMINATIONS = (0.001, 0.01, 0.03, 0.1)
"""Shares of rows whose columns are independent, from which out-of-fold rows choose: others may be far from normal."""

ALIKE = 0.005
"""Nats per row by which likelihoods differ that are about the same."""

FOLDED = 2_000
"""Rows from which one fold is enough to choose from; below, there are five."""

SAMPLES, CHOOSING_SAMPLES = 64, 16
"""Samples of the latent variables over which a likelihood is averaged, and one that chooses between models."""

AT_ONCE = 16_384
"""Rows times samples whose likelihoods are computed together."""


class CopulaRows:
    """Row state by the GHK simulator; a `synthclin.sampling.sequential.RowState`.

    The probability of a code is that of its intervals given the latent values sampled so far; the latent values of a
    code are then sampled within its intervals. Products of these probabilities are therefore unbiased for the
    probability of a row or of a condition (Geweke 1991; Hajivassiliou & Ruud 1994; Keane 1994, doi:10.2307/2951576).

    Arguments:
        columns: by index of the column.
        factor: (latents, latents) lower triangular, the Cholesky factor of the correlation matrix.
        contamination: share of rows whose columns are independent.
        generator: of the latent values, and of which rows these are.
    """

    def __init__(
        self, columns: Sequence[LatentColumn], factor: Tensor, contamination: float, generator: torch.Generator
    ) -> None:
        self._columns, self._factor, self._contamination = columns, factor, contamination
        self._generator, self._innovations = generator, torch.zeros(0, 0, dtype=torch.float64)
        self._independent = torch.zeros(0, dtype=torch.bool)
        self._noise: dict[int, Tensor] = {}

    def begin(self, rows: int) -> None:
        """Begin `rows` rows without any latent value."""
        self._innovations = torch.zeros(len(self._factor), rows, dtype=torch.float64)
        self._independent = torch.rand(rows, generator=self._generator) < self._contamination
        self._noise = {}

    def logits(self, column: int) -> Tensor:
        """Return the (codes, rows) log-probabilities of a column given the latent values of those pushed before."""
        latent = self._columns[column]
        chance = torch.ones(len(latent.share), self._innovations.shape[1], dtype=torch.float64)
        means = self._means(latent)
        for split, group in enumerate(latent.groups):
            # All codes that reach a split have the same path to it.
            reached = group >= 0
            first = reached.nonzero()[:1, 0]
            mean, deviation = self._given(latent, split, means, self._values(column, first, means, split))
            masses = interval_masses((latent.cuts[split][:, None] - mean) / deviation)
            chance[reached] *= masses[group[reached]]
        chance = torch.where(self._independent, latent.share[:, None], chance)
        return chance.clamp_min_(LEAST_CHANCE).log_().float()

    def push(self, column: int, codes: Tensor) -> None:
        """Sample the latent values of the (rows,) codes of a column."""
        latent = self._columns[column]
        self._innovations[latent.latents] = self._values(column, codes, self._means(latent), len(latent.groups))
        self._noise.pop(column, None)

    def _means(self, latent: LatentColumn) -> Tensor:
        """Return the (splits, rows) means given the columns before."""
        return self._factor[latent.latents, : latent.place] @ self._innovations[: latent.place]

    def _given(self, latent: LatentColumn, split: int, means: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return the (rows,) means given the innovations of the column's earlier splits too, and the deviation."""
        row = self._factor[latent.place + split]
        return means[split] + row[latent.place : latent.place + split] @ values[:split], row[latent.place + split]

    def _values(self, column: int, codes: Tensor, means: Tensor, splits: int) -> Tensor:
        """Return the (splits, rows) innovations of the first `splits` splits, within the intervals of the codes.

        The same random numbers are used for the probabilities of a column's codes and for the code that is sampled.
        """
        latent, rows = self._columns[column], self._innovations.shape[1]
        if column not in self._noise:
            shape = (len(latent.groups), rows)
            self._noise[column] = torch.rand(shape, generator=self._generator, dtype=torch.float64)
        found = torch.zeros(splits, rows, dtype=torch.float64)
        for split in range(splits):
            mean, deviation = self._given(latent, split, means, found)
            lower, upper = ((bound[codes] - mean) / deviation for bound in latent.bounds(split))
            values = truncated_normal(lower, upper, self._noise[column][split])
            found[split] = values.clamp_(-LARGEST, LARGEST)
        return found


class GaussianCopula(SequentialSynthesizer):
    """Gaussian copula of mixed columns: marginal shares, and one correlation matrix of latent normal variables.

    An ordered column is a standard normal variable, cut into its codes; *missing* has a latent variable of its own, and
    the value then none that is observed. A column of levels has a binary latent variable for each split of a tree of
    its levels, which sets apart levels unlike in the other columns (nested dichotomies). A small share
    of rows has independent columns, so that rows far from normal have a likelihood.

    The correlations are maximum likelihood estimates by a stochastic EM algorithm, whose E step is a Gibbs sampler
    (Delyon, Lavielle & Moulines 1999, doi:10.1214/aos/1018031103; Hoff 2007, doi:10.1214/07-AOAS107). They are shrunk
    as out-of-fold rows choose. A level held by fewer patients than the limits has no correlation.

    It learns monotone pairwise dependence from few numbers, the correlations.

    Arguments:
        schema: what the table means.
        random_state: seed of everything random in fitting.
        rare_category: a level held by fewer patients never enters the model.
        trim_extremes: how many of the most extreme values are described only together.

    Example:
        >>> import synthclin as sc
        >>> table, schema = sc.datasets.load("heart_disease")
        >>> model = sc.GaussianCopula(schema, random_state=7).fit(table.head(100))
        >>> len(model.sample(10, where="age >= 65"))
        10
    """

    family: ClassVar[str] = "copula"
    is_calibrated: ClassVar[bool] = True
    cost: ClassVar[tuple[float, float]] = (0.15, 0.01)

    def _fit(
        self,
        encoded: Encoded,
        layout: Layout,
        monitor: TrainingMonitor,  # noqa: ARG002 - there are no steps to stop at
        patient: NDArray[np.int64],
    ) -> dict[str, Any]:
        codes, limit = encoded.codes, max(self.rare_category, self.trim_extremes, 1)
        generator = torch_generator(self.random_state, "copula")
        with torch.no_grad(), one_thread():
            shares = [share.double() for share in self._marginal_shares(codes, layout)]
            groups = code_groups(codes, layout, shares)
            rows = torch.randperm(len(codes), generator=generator)[:MOST_ROWS].sort().values
            part, who = codes[rows], patient[rows.numpy()]
            fold = torch.from_numpy(fold_numbers(who, 5, self.random_state))
            fits = []
            for k in range(int(fold.max()) + 1 if len(part) < FOLDED else 1):
                inside = fold != k
                inner = [share.double() for share in self._marginal_shares(part[inside], layout)]
                columns = latent_columns(layout, inner, groups)
                estimated = _estimate(columns, part[inside], who[inside.numpy()], limit, generator)
                fits.append((*estimated, part[~inside]))
            self.shrinkage_, self.contamination_ = self._chosen(fits, layout)
            self.columns_, self.factor_ = _estimate(latent_columns(layout, shares, groups), part, who, limit, generator)
            self.columns_, self.factor_ = shrunken(self.columns_, self.factor_, self.shrinkage_)
            self.columns_, self.factor_ = saved(self.columns_, self.factor_)
        pairs = len(self.factor_) * (len(self.factor_) - 1) // 2
        return {"parameters": sum(layout.cardinalities) + pairs, "plan": {"latents": len(self.factor_)}}

    def _chosen(self, fits: Sequence[tuple[list[LatentColumn], Tensor, Tensor]], layout: Layout) -> tuple[float, float]:
        """Return shrinkage and contamination by the out-of-fold likelihood of each (columns, factor, rows)."""

        def likelihood(shrinkage: float, contamination: float) -> float:
            generator, total, rows = torch_generator(self.random_state, "shrinkage"), 0.0, 0
            for columns, factor, out in fits:
                model = (*shrunken(columns, factor, shrinkage), contamination, out[:FOLDED])
                total += float(
                    copula_log_likelihood(*model, layout.order, self.given_, CHOOSING_SAMPLES, generator).sum()
                )
                rows += len(out[:FOLDED])
            return total / max(1, rows)

        shrinkage = _first_of_best({each: likelihood(each, CONTAMINATIONS[1]) for each in SHRINKAGES})
        return shrinkage, _first_of_best({each: likelihood(shrinkage, each) for each in CONTAMINATIONS})

    def _row_state(self, generator: torch.Generator) -> CopulaRows:
        return CopulaRows(self.columns_, self.factor_, self.contamination_, generator)

    @property
    def _rows_at_once(self) -> int:
        return 4_096

    def _codes_log_likelihood(self, codes: Tensor, samples: int = 1) -> Tensor:  # noqa: ARG002 - it has its own
        """Return the log of the mean likelihood of (rows, columns) codes over samples of the latent values, (rows,)."""
        return copula_log_likelihood(
            self.columns_, self.factor_, self.contamination_, codes, self.encoder_.layout.order, self.given_, SAMPLES,
            torch_generator(self.random_state, "likelihood"),
        )  # fmt: skip

    def _state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        tensors = {"factor": self.factor_.float()}
        tensors |= {f"share.{j}": column.share.float() for j, column in enumerate(self.columns_)}
        tensors |= {f"cuts.{j}.{s}": cuts.float() for j, c in enumerate(self.columns_) for s, cuts in enumerate(c.cuts)}
        tensors |= {f"groups.{j}": column.groups.float() for j, column in enumerate(self.columns_)}
        return tensors, {"contamination": self.contamination_, **({"given": self.given_} if self.given_ else {})}

    def _restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], layout: Layout) -> None:
        weight, given = facts.get("contamination"), facts.get("given", 0)
        if set(facts) - {"contamination", "given"} or weight not in CONTAMINATIONS or type(given) is not int:
            raise misfit()
        self.contamination_, self.given_ = float(weight), given
        whole, places = {name: tuple(tensor.shape) for name, tensor in tensors.items()}, range(len(layout))
        if not 0 <= given <= len(layout) or not {f"{p}.{j}" for p in ("share", "groups") for j in places} <= set(whole):
            raise misfit()
        shares = [tensors[f"share.{j}"].double() for j in places]
        groups = [tensors[f"groups.{j}"].long() for j in places]
        for size, share, group in zip(layout.cardinalities, shares, groups, strict=True):
            if share.shape != (size,) or group.ndim != 2 or group.shape[1] != size or not bool((share > 0).all()):
                raise misfit()
            used = [set(split.tolist()) - {-1} for split in group]
            if not all(len(each) > 1 and each == set(range(len(each))) for each in used):
                raise misfit()
        columns = latent_columns(layout, shares, groups)
        latents = sum(len(column.groups) for column in columns)
        sizes: dict[str, tuple[int, ...]] = {"factor": (latents, latents)}
        sizes |= {f"cuts.{j}.{s}": tuple(cuts.shape) for j, c in enumerate(columns) for s, cuts in enumerate(c.cuts)}
        others = {name: shape for name, shape in whole.items() if not name.startswith(("share.", "groups."))}
        if sizes != others or len(whole) != len(sizes) + 2 * len(layout):
            raise misfit()
        names = [[f"cuts.{j}.{s}" for s in range(len(column.cuts))] for j, column in enumerate(columns)]
        self.columns_ = [
            LatentColumn(column.groups, column.share, tuple(tensors[name].double() for name in each), column.place)
            for column, each in zip(columns, names, strict=True)
        ]
        self.factor_ = tensors["factor"].double()
        rising = all(bool((cuts.diff() >= 0).all()) for column in self.columns_ for cuts in column.cuts)
        positive = bool((self.factor_.diagonal() > 0).all()) and bool((self.factor_.triu(1) == 0).all())
        if not (rising and positive):
            raise misfit()


def _first_of_best(likelihood: Mapping[float, float]) -> float:
    """Return the first key of about the highest likelihood."""
    return next(each for each, found in likelihood.items() if found >= max(likelihood.values()) - ALIKE)


def shrunken(columns: Sequence[LatentColumn], factor: Tensor, share: float) -> tuple[list[LatentColumn], Tensor]:
    """Return columns and Cholesky factor with all correlations times `share`, 0 to 1."""
    correlation = factor @ factor.T
    factor = _factor(correlation * share + torch.eye(len(factor), dtype=factor.dtype) * (1 - share))
    return calibrated(columns, factor), factor


def _factor(covariance: Tensor) -> Tensor:
    """Return the Cholesky factor of the correlation matrix."""
    deviation = covariance.diagonal().sqrt()
    factor: Tensor = torch.linalg.cholesky(covariance / deviation[:, None] / deviation)
    return factor


def _linked(columns: Sequence[LatentColumn], correlation: Tensor) -> Tensor:
    """Return the Cholesky factor, latent variables of one column independent given all those of other columns.

    Rows show no more of their correlation: a value is never seen beside its being missing.
    """
    precision, linked = torch.linalg.inv(correlation), correlation.clone()
    for column in columns:
        if len(column.groups) > 1:
            partial = torch.linalg.inv(precision[column.latents, column.latents])
            linked[column.latents, column.latents] -= partial - partial.diagonal().diag()
    factor, failed = torch.linalg.cholesky_ex(linked)
    return factor if not bool(failed) else _factor(correlation)


def _estimate(
    columns: list[LatentColumn], codes: Tensor, patient: NDArray[np.int64], limit: int, generator: torch.Generator
) -> tuple[list[LatentColumn], Tensor]:
    """Return columns with calibrated cut points, and the Cholesky factor of the correlations, by stochastic EM.

    Latent variables whose groups but the largest hold fewer than `limit` patients have no correlation.
    """
    latents = sum(len(column.groups) for column in columns)
    silent = torch.zeros(latents, dtype=torch.bool)
    for j, column in enumerate(columns):
        for split, group in enumerate(column.groups):
            of = group[codes[:, j]]
            largest = torch.bincount(of[of >= 0], minlength=1).argmax()
            silent[column.place + split] = len(np.unique(patient[((of >= 0) & (of != largest)).numpy()])) < limit
    kept = ~(silent[:, None] | silent) | torch.eye(latents, dtype=torch.bool)
    prior = latents / 8
    factor = torch.eye(latents, dtype=torch.float64)
    values = torch.zeros(latents, len(codes), dtype=torch.float64)
    average = factor.clone()
    for sweep in range(SWEEPS if latents else 0):
        if sweep % CALIBRATED_EVERY == 0:
            columns = calibrated(columns, factor)
            lower, upper = latent_bounds(columns, codes)
        precision = torch.cholesky_inverse(factor)
        for latent in range(latents):
            scale = 1 / precision[latent, latent]
            mean = values[latent] - (precision[latent] @ values) * scale
            deviation = scale.sqrt()
            noise = torch.rand(len(codes), generator=generator, dtype=torch.float64)
            standard = truncated_normal((lower[latent] - mean) / deviation, (upper[latent] - mean) / deviation, noise)
            values[latent] = mean + deviation * standard
        rate = 1 / max(1, sweep - BURN_IN + 1)
        average = average.lerp(values @ values.T / len(codes), rate)
        deviation = average.diagonal().sqrt()
        correlation = average / deviation[:, None] / deviation * kept
        weight = len(codes) / (len(codes) + prior)
        factor = _linked(columns, correlation * weight + torch.eye(latents, dtype=torch.float64) * (1 - weight))
    return calibrated(columns, factor), factor


def copula_log_likelihood(
    columns: Sequence[LatentColumn],
    factor: Tensor,
    contamination: float,
    codes: Tensor,
    order: Sequence[int],
    given: int,
    samples: int,
    generator: torch.Generator,
) -> Tensor:
    """Return the log of the mean simulated likelihood of each row, (rows,), as `CopulaRows` would sample it.

    Latent variables with many cut points come first here: little of them is left to sample, so that the likelihoods of
    few samples differ little, and their logarithm is hardly biased.

    Arguments:
        columns: by index of the column.
        factor: (latents, latents) Cholesky factor in the order of sampling.
        contamination: share of rows whose columns are independent, above 0.
        codes: (rows, columns), -1 for unknown cells, which are integrated out.
        order: of sampling.
        given: number of leading columns that are known; these keep their place.
        samples: of the latent values.
        generator: of the latent values.
    """
    context = [latent for j in order[:given] for latent in columns[j].numbers]
    information = {
        latent: columns[j].information(k) for j in order[given:] for k, latent in enumerate(columns[j].numbers)
    }
    latents = [*context, *sorted(information, key=lambda latent: -information[latent])]
    permuted = torch.linalg.cholesky((factor @ factor.T)[latents][:, latents])
    lower, upper = latent_bounds(columns, codes)
    # Each latent variable has evenly spaced random numbers over the samples (Latin hypercube sampling). They are the
    # same for all rows, so that the likelihood of a row does not depend on the rows beside it.
    shifts = torch.rand(len(latents), 1, generator=generator, dtype=torch.float64)
    places = torch.rand(len(latents), samples, generator=generator).argsort(1)
    likelihood = torch.zeros(samples, len(codes), dtype=torch.float64)
    for part in torch.arange(samples).split(max(1, AT_ONCE // max(1, len(codes)))):
        innovations = torch.zeros(len(latents), len(part), len(codes), dtype=torch.float64)
        for i, latent in enumerate(latents):
            mean = torch.tensordot(permuted[i, :i], innovations[:i], 1)
            low, high = (lower[latent] - mean) / permuted[i, i], (upper[latent] - mean) / permuted[i, i]
            if i >= len(context):
                likelihood[part] += interval_mass(low, high).log()
            innovations[i] = truncated_normal(low, high, (shifts[i] + places[i, part, None] / samples) % 1)
    independent = torch.zeros(len(codes), dtype=torch.float64)
    for j in order[given:]:
        independent += columns[j].share.log()[codes[:, j].clamp_min(0)].where(codes[:, j] >= 0, 0.0)
    whole = likelihood.logsumexp(0) - math.log(samples) + math.log1p(-contamination)
    found: Tensor = torch.logaddexp(whole, independent + math.log(contamination))
    return found.float()

"""Finite mixture of products over codes, fitted by expectation-maximisation: exact conditionals and likelihood."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from scipy.stats import norm
from sklearn.cluster import KMeans
from torch import Tensor
from torch.nn import functional

from synthclin.encoding import Encoded, Layout
from synthclin.encoding.layout import ColumnLayout
from synthclin.models.artifact import misfit
from synthclin.models.callbacks import TrainingEvent, TrainingMonitor
from synthclin.models.distributed import one_thread
from synthclin.models.generator.code_features import code_positions, code_scores, is_smooth
from synthclin.models.generator.cross_validation import fold_numbers
from synthclin.models.sequential_synthesizer import SequentialSynthesizer
from synthclin.progress import track
from synthclin.sampling.sequential import RowState
from synthclin.schema import Schema
from synthclin.schema.patients import MIN_PATIENTS
from synthclin.seeds import stream_seed

__all__ = ["Mixture", "MixtureRows"]

MOST_COMPONENTS = 256

FOLDS = 5
"""Folds of the choice of the number of components; from `SMALL` rows on, only the first is scored."""

SMALL = 4_000

ITERATIONS = 100
"""Iterations of one fit, at most."""

TOLERANCE = 1e-3
"""Gain of the likelihood, in nats per row, below which the iterations end."""

PRIOR_ROWS = 4.0
"""Rows of the marginal distribution that each component begins with (Dirichlet prior)."""

POINT_MASS = 0.03
"""Share of rows from which a single value of a number has a probability of its own in each component."""

CHUNK = 8_192
"""Rows at a time in an iteration: bounds its memory."""


class MixtureRows:
    """Row state of a mixture of products; a `synthclin.sampling.sequential.RowState`.

    The state is the posterior distribution of each row's component given its codes so far.

    Arguments:
        log_weights: (components,).
        log_probabilities: (components, codes) of each column, by its index.
    """

    def __init__(self, log_weights: Tensor, log_probabilities: Sequence[Tensor]) -> None:
        self._log_weights, self._log_probabilities = log_weights, log_probabilities
        self._probabilities = [each.exp().T.contiguous() for each in log_probabilities]
        self._posterior = torch.empty(0)

    def begin(self, rows: int) -> None:
        """Begin `rows` rows without any code."""
        self._posterior = self._log_weights[:, None].expand(-1, rows)

    def logits(self, column: int) -> Tensor:
        """Return the (codes, rows) logits of a column given those pushed before."""
        return (self._probabilities[column] @ self._posterior.softmax(0)).clamp_min(1e-30).log()

    def push(self, column: int, codes: Tensor) -> None:
        """Set the (rows,) codes of a column."""
        self._posterior = self._posterior + self._log_probabilities[column].index_select(1, codes)


@dataclass(frozen=True, slots=True)
class _Fitted:
    """Weights (components,) and the probabilities (components, codes) of each column, as logarithms."""

    log_weights: Tensor
    log_probabilities: list[Tensor]
    train_nll: float


class Mixture(SequentialSynthesizer):
    """Finite mixture: given its component, the cells of a row are independent.

    Levels have a multinomial distribution in each component (latent class model: Goodman 1974,
    doi:10.1093/biomet/61.2.215). Numbers have a Gaussian distribution on the scale of normal scores, cut into bins, and
    probabilities of their own for *missing* and for frequent single values. Expectation-maximisation: Dempster, Laird &
    Rubin 1977, doi:10.1111/j.2517-6161.1977.tb01600.x. Conditional distributions and likelihoods are exact. A component
    to which fewer patients than the limits belong is removed.

    Arguments:
        schema: what the table means.
        components: how many; by default the number with the highest out-of-fold likelihood.
        random_state: seed of everything random in fitting.
        rare_category: a level held by fewer patients never enters the model.
        trim_extremes: how many of the most extreme values are described only together.

    Example:
        >>> import synthclin as sc
        >>> table, schema = sc.datasets.load("heart_disease")
        >>> model = sc.Mixture(schema, components=4, random_state=7).fit(table)
        >>> len(model.sample(10, where="sex == 1 and age >= 65"))
        10
    """

    family: ClassVar[str] = "mixture"
    cost: ClassVar[tuple[float, float]] = (0.03, 0.025)

    def __init__(
        self,
        schema: Schema,
        *,
        components: Annotated[int, Field(ge=1, le=MOST_COMPONENTS)] | None = None,
        random_state: Annotated[int, Field(ge=0)] = 0,
        rare_category: Annotated[int, Field(ge=0)] = MIN_PATIENTS,
        trim_extremes: Annotated[int, Field(ge=0)] = MIN_PATIENTS,
    ) -> None:
        super().__init__(schema, random_state=random_state, rare_category=rare_category, trim_extremes=trim_extremes)
        self.components = components

    def _fit(
        self, encoded: Encoded, layout: Layout, monitor: TrainingMonitor, patient: NDArray[np.int64]
    ) -> dict[str, Any]:
        codes, limit = encoded.codes, max(self.rare_category, self.trim_extremes, 1)
        shares = self._marginal_shares(codes, layout)
        history: list[dict[str, Any]] = []
        with one_thread():
            em = _Maximisation(layout, shares, limit, stream_seed(self.random_state, "mixture"))
            found = self.components or _number_of_components(em, codes, patient, monitor, history)
            fitted = em.fit(codes, patient, found, monitor, history)
        self.log_weights_, self.log_probabilities_ = fitted.log_weights, fitted.log_probabilities
        kept = len(fitted.log_weights)
        return {
            "kept": f"{kept} components",
            "components": kept,
            "train_nll": fitted.train_nll,
            "parameters": kept * (1 + sum(layout.cardinalities)),
            "history": history,
        }

    def _row_state(self, generator: torch.Generator) -> RowState:  # noqa: ARG002 - nothing in it is random
        return MixtureRows(self.log_weights_, self.log_probabilities_)

    @property
    def _rows_at_once(self) -> int:
        return 4_096

    def _state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        tensors = {f"column.{j}": each for j, each in enumerate(self.log_probabilities_)}
        return tensors | {"weights": self.log_weights_}, {}

    def _restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], layout: Layout) -> None:
        weights = tensors.get("weights")
        if facts or weights is None or weights.ndim != 1 or not 0 < len(weights) <= MOST_COMPONENTS:
            raise misfit()
        shapes = {f"column.{j}": (len(weights), size) for j, size in enumerate(layout.cardinalities)}
        if {name: tuple(tensor.shape) for name, tensor in tensors.items()} != shapes | {
            "weights": tuple(weights.shape)
        }:
            raise misfit()
        self.log_weights_ = weights
        self.log_probabilities_ = [tensors[f"column.{j}"] for j in range(len(layout))]


def _number_of_components(
    em: _Maximisation,
    codes: Tensor,
    patient: NDArray[np.int64],
    monitor: TrainingMonitor,
    history: list[dict[str, Any]],
) -> int:
    """Return the number of components, a power of two, with the highest out-of-fold likelihood."""
    fold = torch.from_numpy(fold_numbers(patient, FOLDS, em.seed))
    folds = range(int(fold.max()) + 1) if len(codes) < SMALL else range(1)
    most = min(MOST_COMPONENTS, max(1, len(codes) // (2 * em.limit)))
    scores: dict[int, float] = dict(monitor.saved or {})
    number = 1
    with track("choosing components", total=most.bit_length(), unit="numbers") as step:
        while number <= most:
            if number not in scores:
                total, rows = 0.0, 0
                for k in folds:
                    inside = (fold != k).numpy()
                    fitted = em.fit(codes[fold != k], patient[inside], number, TrainingMonitor(), [])
                    likelihood = em.log_likelihood(fitted, codes[fold == k])
                    total, rows = total - float(likelihood.double().sum()), rows + len(likelihood)
                scores[number] = round(total / max(rows, 1), 5)
                monitor.keep(lambda: dict(scores))
            figures = {"validation_nll": scores[number]}
            history.append({"phase": "components", "step": number, "total": most, **figures})
            step(1, note=f"{number} components, out-of-fold NLL {scores[number]:.3f} nats per row")
            best = min(scores, key=lambda each: (scores[each], each))
            if monitor.stops(TrainingEvent("components", number, most, figures)) or number >= 4 * best:
                break
            number *= 2
    return min(scores, key=lambda each: (scores[each], each))


class _Maximisation:
    """Expectation-maximisation of mixtures of one table's columns.

    Arguments:
        layout: the columns.
        shares: (codes,) marginal distribution of each.
        limit: least number of patients of a component.
        seed: of the first assignment of rows.
    """

    def __init__(self, layout: Layout, shares: list[Tensor], limit: int, seed: int) -> None:
        self.shares, self.limit, self.seed = shares, limit, seed
        columns = list(zip(layout.columns, shares, strict=True))
        self.smooth = [_SmoothDistributions.of(column, share) for column, share in columns]
        self.scores = [code_scores(column, share) for column, share in columns]
        sizes = layout.cardinalities
        self.sizes, self.first = sizes, torch.tensor([0, *np.cumsum(sizes)[:-1]])

    def fit(
        self,
        codes: Tensor,
        patient: NDArray[np.int64],
        components: int,
        monitor: TrainingMonitor,
        history: list[dict[str, Any]],
    ) -> _Fitted:
        """Return the mixture fitted to (rows, columns) codes from one first assignment, by k-means."""
        flat = codes + self.first
        responsible = self._assigned(codes, components)
        log_weights, tables = self._maximised(*self._sums(flat, responsible), [None] * len(self.sizes))
        before, nll = math.inf, math.inf
        for done in range(1, ITERATIONS + 1):
            weight, counts, nll = self._expected(flat, log_weights, tables)
            log_weights, tables = self._maximised(weight, counts, tables)
            figures = {"train_nll": round(nll, 5)}
            history.append({"phase": "expectation-maximisation", "step": done, "total": ITERATIONS, **figures})
            if monitor.stops(TrainingEvent("expectation-maximisation", done, ITERATIONS, figures)):
                break
            if before - nll < TOLERANCE:
                break
            before = nll
        log_weights, tables = self._enough(flat, patient, log_weights, tables)
        return _Fitted(log_weights, [table.contiguous() for table in tables], nll)

    def log_likelihood(self, fitted: _Fitted, codes: Tensor) -> Tensor:
        """Return the log-likelihood of rows of codes, (rows,)."""
        whole = torch.cat(fitted.log_probabilities, dim=1).T.contiguous()
        parts = [functional.embedding_bag(part, whole, mode="sum") for part in (codes + self.first).split(CHUNK)]
        return (torch.cat(parts) + fitted.log_weights).logsumexp(1)

    def _assigned(self, codes: Tensor, components: int) -> Tensor:
        """Return the first responsibilities, (rows, components): k-means on standardised scores of the codes."""
        if components == 1:
            return torch.ones(len(codes), 1)
        points = torch.cat([scores[codes[:, j]] for j, scores in enumerate(self.scores)], dim=1).numpy()
        distinct = len(np.unique(points, axis=0))
        means = KMeans(min(components, distinct), n_init=1, max_iter=20, random_state=self.seed % 2**32).fit(points)
        return functional.one_hot(torch.from_numpy(means.labels_.astype(np.int64)), components).float()

    def _sums(self, flat: Tensor, responsible: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the rows of each component (components,) and its (components, codes) counts of each column."""
        counts = responsible.new_zeros(sum(self.sizes), responsible.shape[1])
        for j in range(flat.shape[1]):
            counts.index_add_(0, flat[:, j], responsible)
        return responsible.sum(0), list(counts.T.split(list(self.sizes), dim=1))

    def _expected(
        self, flat: Tensor, log_weights: Tensor, tables: Sequence[Tensor]
    ) -> tuple[Tensor, list[Tensor], float]:
        """Return the expected rows and counts of each component, and the negative log-likelihood per row."""
        whole = torch.cat(list(tables), dim=1).T.contiguous()
        weight, total = torch.zeros(len(log_weights)), 0.0
        counts = [torch.zeros(len(log_weights), size) for size in self.sizes]
        for part in flat.split(CHUNK):
            joint = functional.embedding_bag(part, whole, mode="sum") + log_weights
            likelihood = joint.logsumexp(1)
            more, sums = self._sums(part, (joint - likelihood[:, None]).exp())
            weight, total = weight + more, total - float(likelihood.double().sum())
            counts = [old + new for old, new in zip(counts, sums, strict=True)]
        return weight, counts, total / len(flat)

    def _maximised(
        self, weight: Tensor, counts: Sequence[Tensor], before: Sequence[Tensor | None]
    ) -> tuple[Tensor, list[Tensor]]:
        """Return log-weights and log-probabilities that raise the expected likelihood."""
        log_weights = ((weight + 1.0) / (weight + 1.0).sum()).log()
        tables = []
        for count, share, smooth, old in zip(counts, self.shares, self.smooth, before, strict=True):
            smoothed = count + PRIOR_ROWS * share / share.sum()
            tables.append(
                (smoothed / smoothed.sum(1, keepdim=True)).log() if smooth is None else smooth.fitted(smoothed, old)
            )
        return log_weights, tables

    def _enough(
        self, flat: Tensor, patient: NDArray[np.int64], log_weights: Tensor, tables: Sequence[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """Return the mixture without components that describe fewer patients than the limit; at least one is left."""
        whole = torch.cat(list(tables), dim=1).T.contiguous()
        joint = torch.cat(
            [functional.embedding_bag(part, whole, mode="sum") + log_weights for part in flat.split(CHUNK)]
        )
        responsible = joint.softmax(1).double().numpy()
        people = np.unique(patient, return_inverse=True)[1]
        # A patient counts at most once for a component, however many rows it has.
        held = np.stack([np.minimum(np.bincount(people, each), 1.0).sum() for each in responsible.T])
        keep = torch.from_numpy(held >= self.limit)
        if not bool(keep.any()):
            keep[int(held.argmax())] = True
        kept = log_weights[keep]
        return kept - kept.logsumexp(0), [table[keep] for table in tables]


@dataclass(frozen=True, slots=True)
class _SmoothDistributions:
    """Distributions of an ordered column: the marginal one times the exponential of a combination of few features.

    With a normal score and its square they are Gaussian on the scale of normal scores.

    Arguments:
        basis: (codes, features): normal score, its square, and indicators of *missing* and of frequent single values.
        log_share: (codes,) of the marginal distribution.
    """

    basis: Tensor
    log_share: Tensor

    @classmethod
    def of(cls, column: ColumnLayout, share: Tensor) -> _SmoothDistributions | None:
        """Return that of a column with many ordered codes, else None: each code has a probability of its own."""
        if not is_smooth(column):
            return None
        score = torch.from_numpy(norm.ppf(code_positions(column, share).numpy())).float()
        single = torch.from_numpy(column.point_masses) & (share / share.sum() >= POINT_MASS)
        if column.missing is not None:
            score[column.missing] = 0.0
            single[column.missing] = True
        square = (score**2 - 1) / math.sqrt(2)
        basis = torch.cat([score[:, None], square[:, None], torch.eye(len(share))[:, single]], dim=1)
        return cls(basis, (share / share.sum()).log())

    def fitted(self, counts: Tensor, before: Tensor | None) -> Tensor:
        """Return the (components, codes) log-probabilities with the moments of the counts, by damped Newton steps."""
        target = counts @ self.basis / counts.sum(1, keepdim=True)
        table = self.log_share.expand(len(counts), -1) if before is None else before
        for _ in range(8 if before is None else 2):
            share = table.exp()
            mean = share @ self.basis
            centred = self.basis - mean[:, None]
            curvature = torch.einsum("kc,kcf,kcg->kfg", share, centred, centred)
            curvature = curvature + 1e-3 * torch.eye(self.basis.shape[1])
            step = torch.linalg.solve(curvature, (target - mean)[..., None])[..., 0]
            step = step * (1.0 / step.abs().amax(1, keepdim=True).clamp_min(1.0))
            table = (table + step @ self.basis.T).log_softmax(1)
        return table

"""Membership inference attacks on the model: from its file (white box) and by shadow models."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from synthclin import progress
from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.privacy.copies import repeated
from synthclin.evaluation.privacy.epsilon import EPSILON_LOWER_BOUND, epsilon_lower_bound
from synthclin.evaluation.privacy.model_membership import MODEL_MEMBERSHIP, model_membership
from synthclin.evaluation.privacy.shadows import SHADOW_MODEL, Targets, shadow_scores, unattacked
from synthclin.parallel import processors, run_all
from synthclin.rules.validation import Finding
from synthclin.schema.patients import patients
from synthclin.seeds import numpy_generator, stream_seed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from synthclin.evaluation import Score
    from synthclin.evaluation.score_names import Tier
    from synthclin.models import Checkpoint, Synthesizer
    from synthclin.schema import Schema

__all__ = ["SHADOWS", "audit", "audit_model", "release_check"]

SHADOWS: dict[Tier, int] = {"quick": 0, "standard": 8, "full": 32}
"""Number of shadow models; even, because they are trained in pairs on complementary halves."""

_MOST_SAMPLED = 5_000
_NO_LIKELIHOOD = "The model family has no likelihood, so this attack on its file is not possible."


def audit(
    model: Synthesizer,
    synthetic: pd.DataFrame,
    *,
    train: pd.DataFrame,
    holdout: pd.DataFrame,
    tier: Tier = "quick",
    by: Sequence[str] = (),
    random_state: int = 0,
    workers: int | None = None,
    checkpoint: Checkpoint | None = None,
    on_finding: Callable[[Finding], None] = lambda _: None,
) -> tuple[Score, ...]:
    """Run membership inference attacks on a model: from its file, and by shadow models.

    Shadow models: Shokri et al. 2017, arXiv 1610.05820; Stadler et al. 2022, arXiv 2011.07018. Without a likelihood
    (`Synthesizer.has_likelihood`) attacks on the model file are not assessable.

    Arguments:
        model: fitted on `train`.
        synthetic: the table that is released, sampled from it.
        train: its typed training rows.
        holdout: typed holdout rows.
        tier: ``quick`` attacks the model file alone; ``standard`` and ``full`` also train 8 and 32 shadow models.
        by: columns in whose groups the attack is also scored.
        random_state: the same number gives the same scores, whatever the number of workers.
        workers: processes that train shadow models; None for one per processor. A model on a GPU is trained in one.
        checkpoint: keeps the signals of each shadow model, no rows and no weights, so that an audit can be resumed.
        on_finding: is called with the estimated time of the shadow models, and again once the first is trained.

    Returns:
        The scores that need a model, and those that need shadow models where the tier trains them.

    Raises:
        ModelFormatError: the checkpoint belongs to another audit.

    Example:
        >>> import synthclin as sc
        >>> table, schema = sc.datasets.load("heart_disease")
        >>> train, holdout = sc.split(table.head(200), schema, holdout=0.3)
        >>> with sc.progress.quiet():
        ...     model = sc.ConditionalGAN(schema, effort="quick", width=8, blocks=0, random_state=1).fit(train)
        >>> found = audit(model, model.sample(140), train=train, holdout=holdout)
        >>> [score.name for score in found]
        ['privacy.model_membership', 'privacy.epsilon_lower_bound']
    """
    comparison = Comparison.of(synthetic, train=train, holdout=holdout, schema=model.schema, random_state=random_state)
    return audit_model(
        model, comparison, tier=tier, by=by, workers=workers, checkpoint=checkpoint, on_finding=on_finding
    )


def audit_model(
    model: Synthesizer,
    comparison: Comparison,
    *,
    tier: Tier = "quick",
    by: Sequence[str] = (),
    workers: int | None = None,
    checkpoint: Checkpoint | None = None,
    on_finding: Callable[[Finding], None] = lambda _: None,
) -> tuple[Score, ...]:
    """Run membership inference attacks on a model whose comparison is built already; see `audit`."""
    train, holdout = comparison.tables.train, comparison.tables.holdout
    with threadpool_limits(limits=1):
        scores = tuple(each.unassessable(_NO_LIKELIHOOD) for each in (MODEL_MEMBERSHIP, EPSILON_LOWER_BOUND))
        if model.has_likelihood and holdout is not None:
            likelihoods = model.log_likelihood(train), model.log_likelihood(holdout)
            scores = tuple(
                attack(comparison, *likelihoods, by=by) for attack in (model_membership, epsilon_lower_bound)
            )
        if not SHADOWS[tier]:
            return scores
        targets = Targets.of(comparison)
        if isinstance(targets, str):
            return (*scores, *unattacked(targets))
        shadows = _Shadows(model, comparison, targets)
        signals = shadows.signals(SHADOWS[tier], processors() if workers is None else workers, checkpoint, on_finding)
        released = shadows.signals_of(model, comparison.synthetic)
        members = np.stack([shadows.members(number) for number in range(SHADOWS[tier])])
        by_table, by_model = shadow_scores(targets, released, signals, members)
        return (*scores, by_table, by_model if model.has_likelihood else SHADOW_MODEL.unassessable(_NO_LIKELIHOOD))


def release_check(
    tables: Iterable[tuple[str, pd.DataFrame]],
    train: pd.DataFrame,
    schema: Schema,
    on_finding: Callable[[Finding], None],
) -> dict[str, int]:
    """Count the exact copies of a training patient's row in each table, and report tables with such rows.

    A table may come in several parts, each with its name.
    """
    counts: dict[str, int] = {}
    for name, part in tables:
        counts[name] = counts.get(name, 0) + repeated(schema, train, {name: part})[name]
    for name, count in counts.items():
        if count:
            what = f"{count:,} rows equal, in every column, the row of one training patient"
            remedy = "With few columns of few levels this happens by chance; see `privacy.copies` in the report."
            on_finding(Finding(f"table {name!r}", what, remedy, count=count, severity="warning"))
    return counts


class _Shadows:
    """Shadow models, each trained on half of all patients; the two of a pair on complementary halves."""

    def __init__(self, model: Synthesizer, tables: Comparison, targets: Targets) -> None:
        assert tables.tables.holdout is not None
        self.model, self.tables, self.targets, self.seed = model, tables, targets, tables.seed
        self.rows = pd.concat([tables.tables.train, tables.tables.holdout], ignore_index=True)
        self.patients = patients(self.rows, model.schema)
        self.places = np.concatenate([targets.train.places, targets.control.places + len(tables.tables.train)])

    def training_rows(self, number: int) -> NDArray[np.bool_]:
        """(rows,) the training rows of shadow model `number`."""
        count = int(self.patients.max()) + 1
        order = numpy_generator(self.seed, "audit", "half", number // 2).permutation(count)
        half = np.zeros(count, dtype=bool)
        half[order[: count // 2]] = True
        chosen: NDArray[np.bool_] = half[self.patients] ^ bool(number % 2)
        return chosen

    def members(self, number: int) -> NDArray[np.bool_]:
        """(targets,) whether each target is a member of shadow model `number`."""
        members: NDArray[np.bool_] = self.training_rows(number)[self.places]
        return members

    def signals_of(self, model: Synthesizer, synthetic: NDArray[np.float64]) -> NDArray[np.float64]:
        """(targets, signals) of a table and its model; the last is the log-likelihood, 0 where there is none."""
        wanted = self.rows.iloc[self.places].reset_index(drop=True)
        likelihood = model.log_likelihood(wanted) if model.has_likelihood else np.zeros(len(wanted))
        return np.column_stack([self.targets.signals(synthetic), likelihood])

    def signals(
        self, models: int, workers: int, checkpoint: Checkpoint | None, on_finding: Callable[[Finding], None]
    ) -> NDArray[np.float64]:
        """(models, targets, signals) of each shadow model, trained in up to `workers` processes."""
        found: list[Tensor] = []
        if checkpoint is not None:
            found = list(checkpoint.open(self._identity(models)) or [])
        before, spent = len(found), self.model.training_.get("seconds", {})
        left = range(before, models)
        # Neither CUDA nor autograd of a process that has used a GPU works after a fork.
        workers = 1 if torch.cuda.is_available() else workers
        if left and spent:
            # A shadow model is trained on fewer rows and with less effort than the model that is attacked.
            seconds = len(left) * sum(spent.values()) / min(workers, len(left))
            on_finding(_cost(f"{len(left)} shadow models will take at most", seconds))
        waiting: dict[int, Tensor] = {}
        start = time.monotonic()
        with progress.track("auditing", total=models, unit="models", done=before) as step:

            def keep(place: int, signals: NDArray[np.float64]) -> None:
                first = not waiting and len(found) == before
                waiting[before + place] = torch.from_numpy(signals)
                # In the order of the models, so that a resumed audit trains the remaining ones.
                while len(found) in waiting:
                    found.append(waiting.pop(len(found)))
                step(1)
                if checkpoint is not None:
                    checkpoint.offer(lambda: found)
                if first and len(left) > 1:
                    seconds = (len(left) - 1) * (time.monotonic() - start) / min(workers, len(left))
                    on_finding(_cost(f"{len(left) - 1} more shadow models will take", seconds))

            run_all([partial(self._trained, number) for number in left], workers, done=keep)
        return np.stack([each.numpy() for each in found])

    def _trained(self, number: int) -> NDArray[np.float64]:
        """Train a shadow model and return its signals."""
        # The progress bar counts models; those of the trainings are silenced.
        with progress.quiet():
            shadow = self.model.shadow(stream_seed(self.seed, "audit", number))
            shadow.fit(self.rows[self.training_rows(number)])
            rows = min(len(self.tables.synthetic), _MOST_SAMPLED)
            if self.model.schema.visit_time is not None:
                rows = len(np.unique(self.patients)) * rows // len(self.rows)  # patients, with about as many rows
            table = shadow.sample(rows, random_state=self.seed)
        return self.signals_of(shadow, self.tables.features.values(table))

    def _identity(self, models: int) -> dict[str, bytes]:
        """Return everything on which the audit depends, by name."""
        encoded = self.model.encoder_.encode(self.rows)
        parts = self.model.identity(encoded, self.patients)
        return parts | {"audit": f"{models} {self.seed} {len(self.tables.synthetic)} {self.places.tolist()}".encode()}


def _cost(what: str, seconds: float) -> Finding:
    minutes = seconds / 60
    duration = f"about {minutes:.0f} minutes" if minutes >= 1.5 else f"about {max(1, round(seconds))} seconds"
    return Finding(
        "privacy.audit",
        f"{what} {duration}",
        "Interrupt and continue with --resume, or set `privacy.audit: quick` to skip them.",
        severity="warning",
    )

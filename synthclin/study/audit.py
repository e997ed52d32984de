"""Attacks on the model behind a table, by somebody who holds its file or trains models of their own."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from synthclin import progress
from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.privacy.copies import repeated
from synthclin.evaluation.privacy.model_membership import model_membership
from synthclin.evaluation.privacy.shadows import Targets, shadow_scores, unattacked
from synthclin.rules.validation import Finding
from synthclin.schema.patients import patients
from synthclin.seeds import numpy_generator, stream_seed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from synthclin.evaluation import Score
    from synthclin.evaluation.score_names import Tier
    from synthclin.models import Checkpoint, Synthesizer
    from synthclin.schema import Schema

__all__ = ["SHADOWS", "audit", "release_check"]

SHADOWS: dict[Tier, int] = {"quick": 0, "standard": 8, "full": 32}
"""How many models of its own the attacker trains; an even number, because they come in pairs."""

_MOST_DRAWN = 5_000


def audit(
    model: Synthesizer,
    synthetic: pd.DataFrame,
    *,
    train: pd.DataFrame,
    holdout: pd.DataFrame,
    tier: Tier = "quick",
    by: Sequence[str] = (),
    random_state: int = 0,
    checkpoint: Checkpoint | None = None,
    tell: Callable[[Finding], None] = lambda _: None,
) -> tuple[Score, ...]:
    """Attack a model.

    Arguments:
        model: fitted on `train`.
        synthetic: the table that is released, drawn from it.
        train: the typed rows that it learnt from.
        holdout: typed rows that it never saw.
        tier: ``quick`` asks the model itself; ``standard`` and ``full`` train 8 and 32 shadow models besides.
        by: columns in whose groups patients are attacked too.
        random_state: the same number gives the same scores.
        checkpoint: keeps what each shadow model showed, no rows and no weights, so that an audit can go on.
        tell: is told before they start how long the shadow models may take, and again once the first is there.

    Returns:
        The scores that `MODEL_SCORES` of `synthclin.evaluation.score_names` names, with shadow models also those of
        `SHADOW_SCORES`.

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
        ['privacy.model_membership']
    """
    with threadpool_limits(limits=1):
        tables = Comparison.of(synthetic, train=train, holdout=holdout, schema=model.schema, random_state=random_state)
        scores = (model_membership(tables, model.log_likelihood(train), model.log_likelihood(holdout), by=by),)
        if not SHADOWS[tier]:
            return scores
        targets = Targets.of(tables)
        if isinstance(targets, str):
            return (*scores, *unattacked(targets))
        pool = _ShadowTables(model, tables, targets, random_state)
        shown = pool.shown(SHADOWS[tier], checkpoint, tell)
        released = np.column_stack([targets.signals(tables.synthetic), model.log_likelihood(pool.wanted)])
        held = np.stack([pool.held(number) for number in range(SHADOWS[tier])])
        return (*scores, *shadow_scores(targets, released, shown, held))


def release_check(
    tables: Mapping[str, pd.DataFrame], train: pd.DataFrame, schema: Schema, tell: Callable[[Finding], None]
) -> dict[str, int]:
    """Return how many rows of each table equal the row of one training patient, and tell of tables that hold such."""
    counts = repeated(schema, train, tables)
    for name, count in counts.items():
        if count:
            what = f"{count:,} rows equal, in every column, the row of one training patient"
            remedy = "Where few columns of few levels make a row this is chance; see `privacy.copies` in the report."
            tell(Finding(f"table {name!r}", what, remedy, count=count, severity="warning"))
    return counts


class _ShadowTables:
    """Shadow models, trained one by one on half of all patients; of each pair the second has the other half."""

    def __init__(self, model: Synthesizer, tables: Comparison, targets: Targets, seed: int) -> None:
        assert tables.tables.holdout is not None
        self.model, self.tables, self.targets, self.seed = model, tables, targets, seed
        self.rows = pd.concat([tables.tables.train, tables.tables.holdout], ignore_index=True)
        self.patients = patients(self.rows, model.schema)
        self.places = np.concatenate([targets.train.places, targets.control.places + len(tables.tables.train)])

    @property
    def wanted(self) -> pd.DataFrame:
        """The typed rows of the targets, those of training first."""
        return self.rows.iloc[self.places].reset_index(drop=True)

    def learnt(self, number: int) -> NDArray[np.bool_]:
        """(rows,) which rows shadow model `number` learns."""
        count = int(self.patients.max()) + 1
        order = numpy_generator(self.seed, "audit", "half", number // 2).permutation(count)
        half = np.zeros(count, dtype=bool)
        half[order[: count // 2]] = True
        learnt: NDArray[np.bool_] = half[self.patients] ^ bool(number % 2)
        return learnt

    def held(self, number: int) -> NDArray[np.bool_]:
        """(targets,) whom shadow model `number` learns."""
        held: NDArray[np.bool_] = self.learnt(number)[self.places]
        return held

    def shown(self, models: int, checkpoint: Checkpoint | None, tell: Callable[[Finding], None]) -> NDArray[np.float64]:
        """(models, targets, signals) what each shadow model shows of each target."""
        done: list[Tensor] = []
        if checkpoint is not None:
            done = list(checkpoint.open(self._identity(models)) or [])
        before, spent = len(done), self.model.training_.get("seconds", {})
        if before < models and spent:
            # A shadow model is trained on fewer rows and with less effort than the model that is attacked.
            tell(_cost(f"{models - before} shadow models will take at most", (models - before) * sum(spent.values())))
        with progress.track("auditing", total=models, unit="models", done=before) as step:
            for number in range(before, models):
                start = time.monotonic()
                # The bar counts models; each model's own would stand in its way.
                with progress.quiet():
                    done.append(torch.from_numpy(self._shown_by(number)))
                step(1)
                if checkpoint is not None:
                    checkpoint.offer(lambda: done)
                if number == before and len(done) < models:
                    left = models - len(done)
                    tell(_cost(f"{left} more shadow models will take", left * (time.monotonic() - start)))
        return np.stack([each.numpy() for each in done])

    def _shown_by(self, number: int) -> NDArray[np.float64]:
        parameters = self.model.get_params(deep=False) | {"random_state": stream_seed(self.seed, "audit", number)}
        if "effort" in parameters:
            parameters["effort"] = "quick"
        shadow = type(self.model)(**parameters).fit(self.rows[self.learnt(number)])
        drawn = shadow.sample(min(len(self.tables.synthetic), _MOST_DRAWN), random_state=self.seed)
        likelihood = shadow.log_likelihood(self.wanted)
        return np.column_stack([self.targets.signals(self.tables.features.values(drawn)), likelihood])

    def _identity(self, models: int) -> dict[str, bytes]:
        """Return what the audit depends on, by name."""
        encoded = self.model.encoder_.encode(self.rows)
        parts = self.model.identity(encoded)
        return parts | {"audit": f"{models} {self.seed} {len(self.tables.synthetic)} {self.places.tolist()}".encode()}


def _cost(what: str, seconds: float) -> Finding:
    minutes = seconds / 60
    told = f"about {minutes:.0f} minutes" if minutes >= 1.5 else f"about {max(1, round(seconds))} seconds"
    return Finding(
        "privacy.audit",
        f"{what} {told}",
        "Interrupt and go on with --resume, or set `privacy.audit: quick` to do without them.",
        severity="warning",
    )

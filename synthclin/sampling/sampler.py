"""Exactly n rows of a cohort: conditions imposed while drawing, rules and leftovers checked on whole rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, product
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from synthclin.encoding import Encoded, TableEncoder
from synthclin.errors import ConditionError, ConfigError
from synthclin.expressions import quote_level, quote_name
from synthclin.progress import track
from synthclin.rules.propagation import constraint_of, constraints_of
from synthclin.rules.rules import finish
from synthclin.sampling.cohorts import Condition, allocate, rake, split_where
from synthclin.sampling.masks import ConstraintMask
from synthclin.sampling.repair import Repair
from synthclin.sampling.sequential import Imposed, allocations_of
from synthclin.schema import Schema
from synthclin.seeds import numpy_generator, torch_generator

if TYPE_CHECKING:
    from synthclin.schema.columns import Level

__all__ = ["CohortSampler", "SampleFacts", "Source"]

Floats = NDArray[np.float64]
CHUNK = 4_096
"""Rows wanted at a time: bounds the memory of any request."""

PROPOSALS_PER_ROW = 8
"""Rows drawn per conditioned row kept; importance resampling is exact as this grows."""

REJECTION_BUDGET = 200
"""Rows drawn per row wanted after which a condition counts as out of reach."""

LEAST_BUDGET = 50_000
"""Rows drawn before any condition does."""

PILOT = 512
"""Rows drawn at a time to learn how probable one combination of mixed levels is."""

PRECISE = 100.0
"""Effective sample size at which that probability is known well enough, to about a tenth of itself."""

LONGEST_PILOT = 8_192
"""Rows drawn for one combination at most."""

MOST_COMBINATIONS = 1_000
"""Combinations of mixed levels in one request: each is drawn on its own."""


class Source(Protocol):
    """How a family samples rows of codes: its `_sample`."""

    def __call__(self, rows: int, generator: torch.Generator, imposed: Imposed) -> tuple[Encoded, Tensor]:
        """Return rows and their (rows,) log-weights; see `synthclin.models.Synthesizer`."""


@dataclass(frozen=True, slots=True)
class SampleFacts:
    """Facts about a draw.

    Arguments:
        rows: how many rows were returned.
        drawn: how many were drawn for them.
        probability: the model's probability of a row as asked for: of the condition, any of the mixed levels and the
            rules of the schema together.
        effective: effective sample size of the weighted pool that the rows were taken from.
    """

    rows: int
    drawn: int
    probability: float
    effective: float


@dataclass(slots=True)
class _Proposals:
    """Candidate rows that satisfy everything, with their log-weights.

    Arguments:
        weighted: whether rows are chosen by weight; otherwise weights only tell how probable such rows are.
    """

    weighted: bool
    tables: list[pd.DataFrame] = field(default_factory=list)
    weights: list[Floats] = field(default_factory=list)
    proposed: int = 0
    mass: float = 0.0

    def add(self, proposed: int, table: pd.DataFrame, weights: Floats) -> None:
        """Take in the accepted ones of `proposed` rows."""
        self.proposed += proposed
        self.mass += float(np.exp(weights).sum())
        self.tables.append(table)
        self.weights.append(weights if self.weighted else np.zeros(len(weights)))

    @property
    def accepted(self) -> int:
        return sum(len(part) for part in self.weights)

    def log_weights(self) -> Floats:
        return np.concatenate(self.weights) if self.weights else np.empty(0)

    @property
    def probability(self) -> float:
        """The mean weight of a row drawn: the model's probability of a row that satisfies everything."""
        return self.mass / self.proposed

    def effective(self) -> float:
        weights = np.exp(self.log_weights())
        return float(weights.sum() ** 2 / np.square(weights).sum()) if weights.any() else 0.0


@dataclass(frozen=True, slots=True)
class _Request:
    """A condition, and the guide that draws towards it and the rules."""

    condition: Condition
    mask: ConstraintMask


@dataclass(frozen=True, slots=True)
class CohortSampler:
    """Draws cohorts from any model that draws codes.

    Arguments:
        source: a family's `_sample`.
        encoder: how codes become cells.
        schema: whose rules every row keeps.
        seed: of everything random in the draw.
    """

    source: Source
    encoder: TableEncoder
    schema: Schema
    seed: int

    def sample(
        self,
        rows: int,
        where: str | None = None,
        mix: Mapping[str, Mapping[Level, float]] | None = None,
        id_start: int | None = None,
    ) -> tuple[pd.DataFrame, SampleFacts]:
        """Return exactly `rows` rows that satisfy `where`, the shares of `mix` and every rule of the schema.

        Identifiers are numbered from `id_start`, by default from the `start` of their column.

        Conditions and rules are imposed code by code while a row is drawn; what that costs in probability is the
        row's weight, and the rows of a cohort are taken from a larger pool by Gumbel top-k on those weights
        (sequential importance resampling). What bins leave open of a rule is settled inside them, what they leave
        open of a condition is checked on whole rows; every row is checked in the end.

        Without a condition rows are taken as they are drawn: the guide changes a row only where the model alone would
        have broken a rule, so that this law and the weighted one are both as near to the model's as it keeps its rules,
        and a pool would cost eight times the work.

        Raises:
            ConditionError: where the rows can't be drawn.
        """
        cells = self._cells(rows, where, mix) if mix else [(where, rows)]
        tables: list[pd.DataFrame] = []
        draws: list[list[SampleFacts]] = [[] for _ in cells]
        with track("sampling", total=rows, unit="rows") as step:
            for i, (predicate, count) in enumerate(cells):
                request = self._request(predicate)
                for j, start in enumerate(range(0, count, CHUNK)):
                    table, draw = self._take(request, min(CHUNK, count - start), part=(i, j))
                    tables.append(table)
                    draws[i].append(draw)
                    step(len(table))
        table = pd.concat(tables, ignore_index=True)
        if len(cells) > 1:
            order = numpy_generator(self.seed, "shuffle").permutation(len(table))
            table = table.iloc[order].reset_index(drop=True)
        # Combinations of mixed levels exclude each other: their probabilities add up.
        total = SampleFacts(
            rows=rows,
            drawn=sum(draw.drawn for draw in chain(*draws)),
            probability=sum(
                np.average([d.probability for d in cell], weights=[d.drawn for d in cell]) for cell in draws
            ),
            effective=sum(draw.effective for draw in chain(*draws)),
        )
        # Identifiers are numbered over the whole table, not per part.
        return finish(table, self.schema, id_start), total

    def raw_violations(self, rows: int) -> dict[str, float]:
        """Return the share of rows drawn unguided whose codes break each rule; see `Synthesizer.raw_violations`."""
        imposed = Imposed(forbidden=self._forbidden(), allocations=allocations_of(self.encoder))
        encoded, _ = self.source(rows, torch_generator(self.seed, "raw"), imposed)
        written = {rule.text for rule in self.schema.imposed}
        broken = ConstraintMask(self.encoder, constraints_of(self.schema)).broken(encoded.codes)
        return {text: float(rows.mean()) for text, rows in broken.items() if text in written}

    def _request(self, predicate: str | None) -> _Request:
        """Return what is asked for, and the guide towards it."""
        condition = split_where(predicate, self.encoder)
        constraints = constraints_of(self.schema)
        for part in () if condition.residual is None else condition.residual.conjuncts():
            if len(part.columns) > 1 or not part.columns <= set(self.encoder.codecs):
                constraints.append(constraint_of(part, self.schema))
        mask = ConstraintMask(self.encoder, constraints, {j: share > 0 for j, share in condition.weights.items()})
        if mask.impossible is not None:
            where = "constraints" if condition.residual is None else f"where `{condition.residual.text}`"
            said = ", ".join(f"`{rule}`" for rule in mask.impossible.rules)
            what = f"no value that column {mask.impossible.column!r} can be drawn with satisfies {said} together"
            raise ConditionError(where, what, "Widen it, or correct the rules.")
        return _Request(condition, mask)

    def _forbidden(self) -> dict[int, Tensor]:
        """Return by column the codes that are never drawn."""
        columns = enumerate(self.encoder.layout.columns)
        return {j: torch.from_numpy(column.never) for j, column in columns if column.never.any()}

    def _take(self, request: _Request, wanted: int, part: tuple[int, int]) -> tuple[pd.DataFrame, SampleFacts]:
        """Return `wanted` rows of one condition."""
        condition = request.condition
        generator = torch_generator(self.seed, "draw", *part)
        rng = numpy_generator(self.seed, "take", *part)
        conditioned = condition.residual is not None
        proposals, amount = _Proposals(conditioned), wanted * (PROPOSALS_PER_ROW if conditioned else 1)
        while proposals.proposed < max(LEAST_BUDGET, REJECTION_BUDGET * wanted):
            amount = int(min(max(amount, 64), PROPOSALS_PER_ROW * CHUNK))
            self._propose(proposals, request, amount, generator, rng)
            # A pool whose weight rests on few rows would be kept row by row, whatever the weights say.
            rich = (
                not conditioned
                or proposals.effective() >= 2 * wanted
                or proposals.proposed >= REJECTION_BUDGET // 2 * wanted
            )
            if proposals.accepted >= wanted and rich:
                break
            # Rows accepted and the effective size grow with the rows drawn; a tenth more, and seldom a third helping.
            short = wanted / max(proposals.accepted, 0.5)
            poor = 0.0 if rich else 2 * wanted / max(proposals.effective(), 0.5)
            amount = math.ceil(proposals.proposed * (1.1 * max(short, poor) - 1))
        if proposals.accepted < wanted:
            raise self._out_of_reach(condition, wanted, proposals)
        # Gumbel top-k: a sample without replacement by weight (Kool et al. 2019, arXiv 1903.06059).
        keys = (
            proposals.log_weights() + rng.gumbel(size=proposals.accepted)
            if conditioned
            else -np.arange(proposals.accepted)
        )
        chosen = np.argsort(-keys, kind="stable")[:wanted]
        table = pd.concat(proposals.tables, ignore_index=True).iloc[chosen].reset_index(drop=True)
        return table, SampleFacts(wanted, proposals.proposed, proposals.probability, proposals.effective())

    def _propose(
        self, proposals: _Proposals, request: _Request, rows: int, generator: torch.Generator, rng: np.random.Generator
    ) -> None:
        """Draw rows with condition and rules imposed, and take in those that satisfy everything."""
        log_allowed = {j: torch.from_numpy(share).float().log() for j, share in request.condition.weights.items()}
        imposed = Imposed(log_allowed, self._forbidden(), allocations_of(self.encoder), request.mask)
        encoded, log_weight = self.source(rows, generator, imposed)
        # A row without a code left is none.
        whole = log_weight.isfinite()
        weights = log_weight[whole].double().numpy()
        proposals.add(rows, *self._accepted(request.condition, encoded[whole], weights, rng))

    def _accepted(
        self, condition: Condition, encoded: Encoded, log_weight: Floats, rng: np.random.Generator
    ) -> tuple[pd.DataFrame, Floats]:
        """Decode rows, inside the condition where a bin straddles it, and return those that satisfy everything."""
        encoded = condition.restrict(encoded, self.encoder, rng)
        table, holds = Repair(self.encoder, self.schema).rows(encoded, condition, rng)
        if condition.residual is not None:
            holds &= condition.residual.evaluate(table).fillna(value=False).to_numpy(dtype=bool)
        return table[holds], log_weight[holds]

    def _out_of_reach(self, condition: Condition, wanted: int, proposals: _Proposals) -> ConditionError:
        found = f"only {proposals.accepted:,} of {proposals.proposed:,} drawn rows satisfy"
        if condition.residual is None:
            return ConditionError(
                "constraints",
                f"{found} all {len(self.schema.constraints)} rules of the schema, {wanted:,} are wanted",
                "Run `synthclin schema check` on the real table: a rule that it rarely satisfies can't be met.",
            )
        return ConditionError(
            f"where `{condition.residual.text}`",
            f"{found} it, {wanted:,} are wanted",
            "Widen the condition, or ask for fewer rows.",
        )

    def _cells(
        self, rows: int, where: str | None, mix: Mapping[str, Mapping[Level, float]]
    ) -> list[tuple[str | None, int]]:
        """Return a predicate and its rows for each combination of mixed levels.

        Several mixed columns keep the model's association: its joint law is raked to the margins wanted. The law is
        learnt by imposing each combination, so that a rare one is known as well as a common one.
        """
        for name in mix:
            if name not in self.encoder.codecs:
                known = ", ".join(self.encoder.codecs)
                raise ConfigError(f"mix.{name}", "no such column is modelled", f"Choose from {known}.")
        levels = list(product(*mix.values()))
        if len(levels) > MOST_COMBINATIONS:
            what = f"its levels have {len(levels):,} combinations, more than {MOST_COMBINATIONS:,}"
            raise ConfigError("mix", what, "Mix fewer columns or levels.")
        predicates = [" and ".join(_terms(where, dict(zip(mix, cell, strict=True)))) for cell in levels]
        margins = [np.array(list(shares.values())) for shares in mix.values()]
        target = margins[0]
        if len(mix) > 1:
            joint = np.array([self._probability(predicate, i) for i, predicate in enumerate(predicates)])
            target = rake(joint.reshape([len(margin) for margin in margins]), margins).ravel()
        counts = allocate(dict(enumerate(target)), rows)
        return [(predicate, counts[i]) for i, predicate in enumerate(predicates) if counts[i]]

    def _probability(self, predicate: str, part: int) -> float:
        """Return the model's probability of a predicate and the rules, to about a tenth of itself; 0 if none is met."""
        try:
            request = self._request(predicate)
        except ConditionError:
            return 0.0
        generator, rng = torch_generator(self.seed, "pilot", part), numpy_generator(self.seed, "pilot", part)
        proposals = _Proposals(weighted=True)
        while proposals.proposed < LONGEST_PILOT and proposals.effective() < PRECISE:
            self._propose(proposals, request, PILOT, generator, rng)
        return proposals.probability


def _terms(where: str | None, cell: Mapping[str, Level]) -> Iterator[str]:
    if where is not None:
        yield f"({where})"
    for name, level in cell.items():
        yield f"{quote_name(name)} == {quote_level(level)}"

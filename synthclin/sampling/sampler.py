"""Conditional sampling by sequential importance resampling: exactly n rows of a cohort."""

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
from synthclin.sampling.sample_facts import SampleFacts
from synthclin.sampling.sequential import Imposed, allocations_of
from synthclin.schema import Schema
from synthclin.seeds import numpy_generator, torch_generator

if TYPE_CHECKING:
    from synthclin.schema.columns import Level

__all__ = ["CohortSampler", "Source"]

Floats = NDArray[np.float64]
CHUNK = 16_384
"""Rows requested at a time: bounds the memory of any request."""

CONDITIONED_CHUNK = 4_096
"""The same under a condition, where each row takes several proposals."""

PROPOSALS_PER_ROW = 8
"""Proposals per conditioned row; importance resampling is exact in the limit of many."""

REJECTION_BUDGET = 200
"""Proposals per requested row after which sampling fails."""

LEAST_BUDGET = 50_000
"""Proposals below which sampling never fails."""

PILOT = 512
"""Proposals at a time to estimate the probability of one combination of mixed levels."""

PRECISE = 100.0
"""Effective sample size at which that estimate suffices: a relative error of about 10 %."""

LONGEST_PILOT = 8_192
"""Proposals for one combination at most."""

MOST_COMBINATIONS = 1_000
"""Combinations of mixed levels in one request at most: each is sampled separately."""


class Source(Protocol):
    """Sampling function of a family: its `_sample`."""

    def __call__(self, rows: int, generator: torch.Generator, imposed: Imposed) -> tuple[Encoded, Tensor]:
        """Return rows and their (rows,) log-weights; see `synthclin.models.Synthesizer`."""


@dataclass(slots=True)
class _Proposals:
    """Accepted proposals with their log importance weights.

    Arguments:
        weighted: whether rows are resampled by weight; otherwise weights only serve to estimate the probability.
    """

    weighted: bool
    tables: list[pd.DataFrame] = field(default_factory=list)
    weights: list[Floats] = field(default_factory=list)
    proposed: int = 0
    mass: float = 0.0

    def add(self, proposed: int, table: pd.DataFrame, weights: Floats) -> None:
        """Add the accepted ones of `proposed` rows."""
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
        """The mean weight of a proposal: the probability of the condition under the rules, and of its acceptance."""
        return self.mass / self.proposed

    def effective(self) -> float:
        weights = np.exp(self.log_weights())
        # Equal weights may give more than their number by a rounding error.
        return min(float(weights.sum() ** 2 / np.square(weights).sum()), len(weights)) if weights.any() else 0.0


@dataclass(frozen=True, slots=True)
class _Request:
    """Condition of a request, and the constraint mask of the condition and the rules."""

    condition: Condition
    mask: ConstraintMask


@dataclass(slots=True)
class CohortSampler:
    """Sequential importance resampling of cohorts from any model of codes.

    Sampling importance resampling: Rubin 1987, doi:10.2307/2289460; Gumbel top-k: Kool et al. 2019, arXiv 1903.06059.

    Arguments:
        source: a family's `_sample`.
        encoder: how codes become cells.
        schema: whose rules every row satisfies.
        seed: of everything random in the sample.
    """

    source: Source
    encoder: TableEncoder
    schema: Schema
    seed: int
    _rules: _Request | None = field(default=None, init=False)
    _accepted_share: float | None = field(default=None, init=False)

    def sample(
        self,
        rows: int,
        where: str | None = None,
        mix: Mapping[str, Mapping[Level, float]] | None = None,
        id_start: int | None = None,
    ) -> tuple[pd.DataFrame, SampleFacts]:
        """Return exactly `rows` rows that satisfy `where`, the shares of `mix` and every rule of the schema.

        Identifiers are numbered from `id_start`, by default from the `start` of their column.

        Conditions and rules are imposed code by code while a row is sampled. The weight of a row is the probability of
        what the condition allows, relative to what the rules allow: the rows of a cohort are distributed as those rows
        of an unconditional sample that satisfy the condition. They are resampled from more proposals by Gumbel top-k on
        those weights (sequential importance resampling). Rules that depend on positions inside bins are repaired by
        rejection sampling there; a condition is checked on complete rows, as is every rule.

        The rules themselves have no weight: the mask changes a row only where the model alone would violate a rule, and
        a weight would make those levels rare that the model rarely combines as a rule demands.

        Raises:
            ConditionError: the rows cannot be sampled.
        """
        if rows == 0:
            return self._no_rows(where)
        cells = self._cells(rows, where, mix) if mix else [(where, rows)]
        tables: list[pd.DataFrame] = []
        facts: list[list[SampleFacts]] = [[] for _ in cells]
        interpolated: dict[str, None] = {}
        with track("sampling", total=rows, unit="rows") as step:
            for i, (predicate, count) in enumerate(cells):
                request = self._mixed(predicate) if mix else self._request(predicate)
                interpolated |= dict.fromkeys(request.condition.interpolated(self.encoder))
                chunk = CHUNK if request.condition.residual is None else CONDITIONED_CHUNK
                for j, start in enumerate(range(0, count, chunk)):
                    table, part_facts = self._take(request, min(chunk, count - start), part=(i, j))
                    tables.append(table)
                    facts[i].append(part_facts)
                    step(len(table))
        table = pd.concat(tables, ignore_index=True)
        if len(cells) > 1:
            order = numpy_generator(self.seed, "shuffle").permutation(len(table))
            table = table.iloc[order].reset_index(drop=True)
        # Combinations of mixed levels exclude each other: their probabilities add up.
        parts = [
            np.average([each.probability for each in cell], weights=[each.proposed for each in cell]) for cell in facts
        ]
        conditioned = where is not None or bool(mix)
        acceptance = self._acceptance() if conditioned else 1.0
        total = SampleFacts(
            rows=rows,
            proposed=sum(each.proposed for each in chain(*facts)),
            probability=min(float(sum(parts)) / acceptance, 1.0) if conditioned else 1.0,
            rarest=min(float(min(parts)) / acceptance, 1.0) if conditioned else 1.0,
            effective=sum(each.effective for each in chain(*facts)),
            interpolated=tuple(interpolated),
        )
        # Identifiers are numbered over the whole table, not per part.
        return finish(table, self.schema, id_start), total

    def _no_rows(self, where: str | None) -> tuple[pd.DataFrame, SampleFacts]:
        """Return the columns of a sample without rows; raises the errors of its condition."""
        condition = self._request(where).condition
        shape = (0, len(self.encoder.layout))
        encoded = Encoded(torch.empty(shape, dtype=torch.long), torch.empty(shape))
        table, _ = Repair(self.encoder, self.schema).rows(encoded, condition, numpy_generator(self.seed, "take"))
        return finish(table, self.schema), SampleFacts(rows=0, proposed=0, probability=math.nan, effective=0.0)

    def raw_violations(self, rows: int) -> dict[str, float]:
        """Return each rule's violation rate without constraint mask; see `Synthesizer.raw_violations`."""
        imposed = Imposed(forbidden=self._forbidden(), allocations=allocations_of(self.encoder))
        encoded, _ = self.source(rows, torch_generator(self.seed, "raw"), imposed)
        imposed_rules = {rule.text for rule in self.schema.imposed}
        broken = ConstraintMask(self.encoder, constraints_of(self.schema)).broken(encoded.codes)
        return {text: float(rows.mean()) for text, rows in broken.items() if text in imposed_rules}

    def _request(self, predicate: str | None) -> _Request:
        """Return the condition of a predicate with its constraint mask."""
        condition = split_where(predicate, self.encoder)
        constraints = constraints_of(self.schema)
        for part in () if condition.residual is None else condition.residual.conjuncts():
            if len(part.columns) > 1 or not part.columns <= set(self.encoder.codecs):
                constraints.append(constraint_of(part, self.schema))
        mask = ConstraintMask(self.encoder, constraints, {j: share > 0 for j, share in condition.weights.items()})
        if mask.impossible is not None:
            where = "constraints" if condition.residual is None else f"where `{condition.residual.text}`"
            rules = ", ".join(f"`{rule}`" for rule in mask.impossible.rules)
            what = (
                f"no value that the model can sample for column {mask.impossible.column!r} satisfies {rules} together"
            )
            raise ConditionError(where, what, "Widen it, or correct the rules.")
        return _Request(condition, mask)

    def _mixed(self, predicate: str | None) -> _Request:
        """Return the request of a combination of mixed levels, whose errors name `mix`."""
        try:
            return self._request(predicate)
        except (ConfigError, ConditionError) as error:
            raise type(error)(error.where.replace("where", "mix", 1), error.what, error.remedy) from None

    def _unconditional(self) -> _Request:
        """Return the request without a condition; its mask is that of the rules alone."""
        if self._rules is None:
            self._rules = self._request(None)
        return self._rules

    def _acceptance(self) -> float:
        """Return the share of rows sampled under the rules that satisfy them as a whole, estimated once."""
        if self._accepted_share is None:
            proposals = _Proposals(weighted=False)
            generator, rng = torch_generator(self.seed, "acceptance"), numpy_generator(self.seed, "acceptance")
            if constraints_of(self.schema):
                self._propose(proposals, self._unconditional(), PILOT, generator, rng)
            self._accepted_share = max(proposals.accepted, 1) / PILOT if proposals.proposed else 1.0
        return self._accepted_share

    def _forbidden(self) -> dict[int, Tensor]:
        """Return by column the codes that are never sampled."""
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
            amount = int(min(max(amount, 64), PROPOSALS_PER_ROW * CONDITIONED_CHUNK))
            self._propose(proposals, request, amount, generator, rng)
            # If few proposals carry most of the weight, Gumbel top-k would keep nearly all proposals.
            rich = (
                not conditioned
                or proposals.effective() >= 2 * wanted
                or proposals.proposed >= REJECTION_BUDGET // 2 * wanted
            )
            if proposals.accepted >= wanted and rich:
                break
            # Acceptances and effective sample size are proportional to proposals; 10 % more makes a third round rare.
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
        """Sample proposals with condition and rules imposed, and add the accepted ones."""
        log_allowed = {j: torch.from_numpy(share).float().log() for j, share in request.condition.weights.items()}
        mask = request.mask if request.condition.residual is None else self._unconditional().mask
        imposed = Imposed(log_allowed, self._forbidden(), allocations_of(self.encoder), request.mask, mask)
        encoded, log_weight = self.source(rows, generator, imposed)
        # A row without an allowed code has weight 0.
        whole = log_weight.isfinite()
        weights = log_weight[whole].double().numpy()
        proposals.add(rows, *self._accepted(request.condition, encoded[whole], weights, rng))

    def _accepted(
        self, condition: Condition, encoded: Encoded, log_weight: Floats, rng: np.random.Generator
    ) -> tuple[pd.DataFrame, Floats]:
        """Decode rows inside the condition, repair them, and return those that satisfy condition and rules."""
        encoded = condition.restrict(encoded, self.encoder, rng)
        table, holds = Repair(self.encoder, self.schema).rows(encoded, condition, rng)
        if condition.residual is not None:
            holds &= condition.residual.evaluate(table).fillna(value=False).to_numpy(dtype=bool)
        return table[holds], log_weight[holds]

    def _out_of_reach(self, condition: Condition, wanted: int, proposals: _Proposals) -> ConditionError:
        found = f"only {proposals.accepted:,} of {proposals.proposed:,} sampled rows satisfy"
        if condition.residual is None:
            return ConditionError(
                "constraints",
                f"{found} all {len(self.schema.constraints)} rules of the schema, {wanted:,} are wanted",
                "Run `synthclin schema check` on the real table: a rule that real rows rarely satisfy cannot be met.",
            )
        return ConditionError(
            f"where `{condition.residual.text}`",
            f"{found} it, {wanted:,} are wanted",
            "Widen the condition, or ask for fewer rows.",
        )

    def _cells(
        self, rows: int, where: str | None, mix: Mapping[str, Mapping[Level, float]]
    ) -> list[tuple[str | None, int]]:
        """Return a predicate and its number of rows for each combination of mixed levels.

        Several mixed columns keep the model's association: its joint distribution is raked to the wanted margins. Each
        combination is imposed in turn to estimate its probability, so that rare ones are estimated as well as common
        ones.
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
        """Return an estimate of the probability of a predicate under the rules; 0 if it is impossible.

        The relative error is about 10 %.
        """
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

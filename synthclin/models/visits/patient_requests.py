"""Sampling of exactly n patients under a condition: what can be imposed on the patient row, the rest by rejection."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from synthclin.errors import ConditionError, ConfigError
from synthclin.expressions import Expression, parse, quote_level, quote_name
from synthclin.models.visits.trajectories import WHO
from synthclin.rules.rules import computed
from synthclin.sampling.cohorts import check_condition
from synthclin.schema.visit_times import of_patients, visits_of
from synthclin.seeds import stream_seed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.models.visits.first_visits import FirstVisits
    from synthclin.models.visits.patient_rows import PatientRows
    from synthclin.sampling.sample_facts import SampleFacts
    from synthclin.schema import Schema
    from synthclin.schema.columns import Level

    Bools = NDArray[np.bool_]
    Mix = Mapping[str, Mapping[Level, float]]

__all__ = ["PatientCondition", "PatientSampler", "sample_patients"]

MOST_OF_A_ROUND = 10**8
"""More than the patients of any request, so that numbers of several rounds differ."""

LEAST_BUDGET = 4_000
"""Sampled patients below which a request never fails."""

REJECTION_BUDGET = 100
"""Sampled patients per requested one after which it fails."""

MOST_AT_ONCE = 8_192
"""Patients proposed in one round, beyond those that were asked for."""

GROWTH = 4
"""How many times as many patients as so far a round proposes at most: early rounds know the acceptance badly."""


class PatientSampler(Protocol):
    """What a request needs of a longitudinal model."""

    schema: Schema
    rows: PatientRows
    first: FirstVisits

    def sampled_rows(self, n: int, where: str | None, mix: Mix | None, seed: int) -> tuple[pd.DataFrame, SampleFacts]:
        """Return rows of patients, as the model of patients has them."""

    def sampled_visits(self, people: pd.DataFrame, seed: int, possible: Bools) -> tuple[pd.DataFrame, Bools]:
        """Return the visits of patients, numbered in the column `WHO`, and who of them satisfies all rules."""


@dataclass(frozen=True, slots=True)
class PatientCondition:
    """A condition on patients, by where it is met.

    Arguments:
        text: the whole condition.
        imposed: on the row of a patient while it is sampled: static columns, the first visit, the number of visits.
        of_first: on the complete row of a patient, where the network samples a residual instead of the value.
        whole: on all visits.
        named: the imposed parts, and how the condition words them.
    """

    text: str | None
    imposed: str | None = None
    of_first: Expression | None = None
    whole: Expression | None = None
    named: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, where: str | None, mix: Mix | None, sampler: PatientSampler) -> PatientCondition:
        """Return the parts of `where`; raises ConfigError where it, or `mix`, names what differs between visits."""
        schema, rows = sampler.schema, sampler.rows
        static = of_patients(schema)
        for name in mix or ():
            if name in schema.columns and name not in static:
                what = f"names {name!r}, which differs between the visits of a patient"
                raise ConfigError(f"mix.{name}", what, "Mix columns with `static: true`.")
        if where is None:
            return cls(None)
        condition = parse(where, "where")
        check_condition(condition, schema)
        inner = set(sampler.first.schema.columns) - set(sampler.first.means) - {rows.slack}
        # The first time moves into the window of the schedule.
        inner -= {schema.visit_time} if schema.planned.schedule else set()
        imposed: list[tuple[str, str]] = []
        parts: dict[str, list[str]] = {"first": [], "whole": []}
        for part in condition.conjuncts():
            here = part.at_first_visit(rows.count)
            if here is not None and here.columns <= inner:
                imposed.append((here.text, part.text))
            elif here is not None and here.columns <= set(rows.schema.columns) - {rows.slack, schema.visit_time}:
                parts["first"].append(f"({here.text})")
            else:
                parts["whole"].append(f"({part.text})")
        place = f"where `{condition.text}`"
        late, whole = (parse(" and ".join(each), place) if each else None for each in parts.values())
        return cls(where, " and ".join(f"({text})" for text, _ in imposed) or None, late, whole, tuple(imposed))

    def reworded(self, error: ConditionError | ConfigError, rows: PatientRows) -> ConditionError | ConfigError:
        """Return an error of the model of patients in the words of the condition and of the rules."""
        what, place, count = error.what, error.where, rows.count
        for text, said in (*self.named, *rows.between.items()):
            what, place = what.replace(text, said), place.replace(text, said)
        what = what.replace(f"column {count!r}", "the number of visits").replace("rows", "patients")
        place = f"where `{self.text}`" if self.text is not None and place.startswith("where") else place
        return type(error)(place, what, error.remedy.replace("rows", "patients"))


@dataclass(slots=True)
class _Group:
    """Patients wanted of one combination of mixed levels, and how many of those proposed were accepted."""

    imposed: str | None
    mix: Mix | None
    wanted: int
    proposed: int = 0
    accepted: int = 0

    def next(self) -> int:
        """Return how many patients the next round proposes."""
        if not self.proposed:
            return self.wanted
        rate = max(self.accepted, 0.5) / self.proposed
        return min(math.ceil(1.1 * self.wanted / rate), GROWTH * max(self.proposed, 64), max(MOST_AT_ONCE, self.wanted))


@dataclass(slots=True)
class _Tally:
    """Numbers of patients: whose row was judged and satisfied its part, whose visits were, and proposals."""

    proposed: int = 0
    accepted: int = 0
    rows: int = 0
    rows_held: int = 0
    whole: int = 0
    whole_held: int = 0
    facts: list[SampleFacts] = field(default_factory=list)

    def total(self, n: int) -> SampleFacts:
        """Return facts about the whole request."""
        share = self.rows_held / max(self.rows, 1) * (self.whole_held / max(self.whole, 1))
        first = self.facts[0]
        effective = sum(each.effective for each in self.facts) * share
        return replace(
            first,
            rows=n,
            proposed=max(self.proposed, sum(each.proposed for each in self.facts)),
            probability=first.probability * share,
            rarest=first.rarest * share,
            effective=effective,
        )


def sample_patients(
    sampler: PatientSampler, n: int, where: str | None, mix: Mix | None, seed: int
) -> tuple[pd.DataFrame, SampleFacts]:
    """Return all visits of exactly `n` patients who satisfy `where`, `mix` and all rules, numbered in `WHO`.

    Static columns, the first visit and the number of visits are imposed on the patient row, as conditions on rows are.
    What depends on later visits is met by rejection of whole patients: the accepted ones are distributed as those
    patients of an unconditional sample that satisfy the condition. Each round proposes as many patients as the
    acceptance so far asks for.

    Raises:
        ConfigError: the condition names a column that differs between visits.
        ConditionError: so many patients cannot be sampled; it has the acceptance rate.
    """
    condition, tally = PatientCondition.of(where, mix, sampler), _Tally()
    tables: list[pd.DataFrame] = []
    groups, number = [_Group(condition.imposed, mix, n)], 0
    while groups:
        again: list[_Group] = []
        for group in groups:
            number += 1
            if number > 1 and tally.proposed >= max(LEAST_BUDGET, REJECTION_BUDGET * n):
                raise _out_of_reach(where, n, tally)
            here, size = stream_seed(seed, "patients", number), group.next()
            try:
                sampled, facts = sampler.sampled_rows(size, group.imposed, group.mix, here)
            except (ConditionError, ConfigError) as error:
                raise condition.reworded(error, sampler.rows) from None
            tally.facts.append(facts)
            people, visits, good = _judged(sampler, condition, sampled, here, tally)
            chosen = np.flatnonzero(good)[: group.wanted]
            kept = visits[np.isin(visits[WHO].to_numpy(), chosen)].copy()
            kept[WHO] += len(tables) * MOST_OF_A_ROUND
            tables.append(kept)
            tally.proposed, tally.accepted = tally.proposed + size, tally.accepted + int(good.sum())
            group.proposed, group.accepted = group.proposed + size, group.accepted + int(good.sum())
            if group.mix:
                again += _levels(people[~good], group)
            elif len(chosen) < group.wanted:
                group.wanted -= len(chosen)
                again.append(group)
        groups = again
    return pd.concat(tables, ignore_index=True), tally.total(n)


def _judged(
    sampler: PatientSampler, condition: PatientCondition, sampled: pd.DataFrame, seed: int, tally: _Tally
) -> tuple[pd.DataFrame, pd.DataFrame, Bools]:
    """Return the rows of patients, the visits of those who satisfy all rules, and who satisfies the condition too."""
    people, possible = sampler.first.decoded(sampled)
    if condition.of_first is not None:
        held = _true(condition.of_first, computed(people, sampler.rows.schema))
        tally.rows, tally.rows_held = tally.rows + int(possible.sum()), tally.rows_held + int((possible & held).sum())
        possible = possible & held
    else:
        tally.rows, tally.rows_held = tally.rows + 1, tally.rows_held + 1
    visits, good = sampler.sampled_visits(people, seed, possible)
    tally.whole += int(good.sum())
    if condition.whole is not None and len(visits):
        time = sampler.schema.visit_time
        assert time is not None
        order = visits_of(visits[WHO], visits[time])
        held = _true(condition.whole, computed(visits, sampler.schema), order)
        good[visits[WHO].to_numpy()[~held]] = False
    tally.whole_held += int(good.sum())
    return people, visits, good


def _true(condition: Expression, table: pd.DataFrame, visits: Any = None) -> Bools:  # noqa: ANN401
    found = condition.evaluate(table, visits=visits)
    return np.asarray(found.fillna(value=False), dtype=np.bool_)


def _levels(failed: pd.DataFrame, group: _Group) -> Iterator[_Group]:
    """Yield the groups of patients in the place of failed ones, of the same mixed levels."""
    names = list(group.mix or ())
    if not len(failed):
        return
    for levels, rows in failed.groupby(names, observed=True):
        terms = [f"({group.imposed})"] if group.imposed else []
        for name, level in zip(names, levels, strict=True):
            terms.append(f"{quote_name(name)} == {quote_level(getattr(level, 'item', lambda one=level: one)())}")
        share = len(rows) / max(len(failed), 1)
        yield _Group(" and ".join(terms), None, len(rows), round(group.proposed * share), round(group.accepted * share))


def _out_of_reach(where: str | None, n: int, tally: _Tally) -> ConditionError:
    accepted, proposed = tally.accepted, tally.proposed
    rate = f"{100 * accepted / proposed:.2g} %"
    found, wanted = f"only {accepted:,} of {proposed:,} sampled patients ({rate}) satisfy", f"{n:,} are wanted"
    if where is None:
        remedy = (
            "Run `synthclin schema check` on the real table: a rule that real patients rarely satisfy cannot be met."
        )
        return ConditionError("constraints", f"{found} all rules of the schema, {wanted}", remedy)
    remedy = "Widen the condition, or ask for fewer patients."
    return ConditionError(f"where `{where}`", f"{found} it and all rules, {wanted}", remedy)

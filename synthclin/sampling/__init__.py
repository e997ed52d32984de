"""Sampling for every model family: cohorts, constraint masks, repair inside bins, and imputation.

A condition (`where`, and the levels of `mix`) is interpreted in six places, because each has information that the one
before lacks:

1. `study.config.references` checks names, levels and types against the schema, before any data are read.
2. `sampling.cohorts.Cohort.holds` evaluates it on the training rows: how many patients support the cohort.
3. `sampling.cohorts.split_where` splits it by column: the conjuncts on one modelled column become the share of each
   code's mass that is allowed. `sampling.sequential` multiplies these shares into the conditional distributions, and
   the lost mass is the log-weight of the row.
4. `sampling.masks.ConstraintMask` takes the conjuncts on several columns, beside the rules of the schema: a code is
   masked where the condition cannot be true any more, given the codes sampled so far.
5. `sampling.cohorts.Condition.restrict` samples offsets again inside bins that the condition cuts.
6. `sampling.sampler` evaluates the whole condition on decoded rows and rejects those that violate it: what neither
   codes nor offsets can decide, such as a comparison of two cells in the same bin. `ConditionError` reports the
   acceptance rate where too few are left.

The life of a row is in `synthclin.study`.
"""

from __future__ import annotations

__all__: list[str] = []

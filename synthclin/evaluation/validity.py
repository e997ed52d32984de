"""Validity: the share of rows that satisfy ranges, categories, missingness and the rules between columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import StrictStr

from synthclin.evaluation import questions
from synthclin.evaluation.details import Count, Details, Share
from synthclin.evaluation.disclosure import Published, suppressed_count
from synthclin.evaluation.intervals import wilson
from synthclin.evaluation.kind import Kind, Limit, convention
from synthclin.evaluation.score import Interval, Score
from synthclin.language import tr, tr_plural
from synthclin.rules.rules import violations
from synthclin.wording import number, share

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison

__all__ = ["RAW_RULES", "RULES", "RawRuleDetails", "RuleDetails", "raw_rules", "rules"]


class BrokenRule(Details):
    """Rows that break one rule."""

    rule: StrictStr
    """Text of the rule."""
    synthetic: Count
    """Number of synthetic rows."""
    real: Count | None
    """Number of training rows; None for 1 to 10, and for a rule that was not checked on them."""


class RuleDetails(Details):
    """Details of the rules."""

    rules: list[BrokenRule]
    """The rules that a row breaks, the one that most synthetic rows break first."""
    declared: Count
    """Number of rules."""

    def shared(self, _published: Published) -> RuleDetails:
        """Return the rules without numbers of training rows, but for 0."""
        rules = [one.model_copy(update={"real": 0 if one.real == 0 else None}) for one in self.rules]
        return RuleDetails(rules=rules, declared=self.declared)


class UnconstrainedRule(Details):
    """A rule in rows that were sampled without imposing any rule."""

    rule: StrictStr
    """Text of the rule."""
    unconstrained: Share
    """Share of rows that break it."""


class RawRuleDetails(Details):
    """Details of the rules in rows that were sampled without imposing any rule."""

    rules: list[UnconstrainedRule]
    """The rules, the one that is broken most often first."""


def _broken_rows(score: Score) -> str:
    details = RULES.read(score)
    broken = score.n - round(score.value * score.n)
    counts = {"broken": number(broken, 0), "rows": number(score.n, 0)}
    if not details or not details.declared:
        if not broken:
            return tr("No row breaks any of the ranges and categories.")
        return tr_plural(
            "{broken} of {rows} rows breaks one of the ranges and categories.",
            "{broken} of {rows} rows break one of the ranges and categories.",
            broken,
            **counts,
        )
    declared = number(details.declared, 0)
    if not broken:
        return tr("No row breaks any of the {declared} rules and ranges of the schema.", declared=declared)
    return tr_plural(
        "{broken} of {rows} rows breaks one of the {declared} rules and ranges of the schema.",
        "{broken} of {rows} rows break one of the {declared} rules and ranges of the schema.",
        broken,
        declared=declared,
        **counts,
    )


RULES = Kind(
    name="validity.rules",
    question="Are there impossible records?",
    better="higher",
    method=(
        "share of synthetic rows that break no declared range, category, missingness or rule between columns; a rule "
        "whose outcome is unknown for a missing value counts as satisfied; a census of the rows, so its interval is "
        "the number itself (project convention)"
    ),
    section="rules",
    label="Rules satisfied",
    unit="share of rows that break no rule",
    ideal=1.0,
    details=RuleDetails,
    asked=questions.RULES,
    limit=Limit(">=", 0.99, 0.95, convention("at most 1 % of rows may break a rule")),
    fail_text="impossible records remain",
    review_text="impossible records may remain",
    action="Remove or repair rows that break a rule before use.",
    scale="percent",
    answer=_broken_rows,
    shared=RuleDetails.shared,
    counts="public",
    is_headline=True,
)


RAW_RULES = Kind(
    name="validity.raw_rules",
    question="Does the model satisfy the rules without being forced to?",
    better="lower",
    method=(
        "largest share of rows, sampled without imposing any rule, whose codes certainly break one rule; Wilson "
        "interval (project convention)"
    ),
    section="rules",
    label="Rules without constraints",
    unit="share of rows that break the worst rule",
    ideal=0.0,
    details=RawRuleDetails,
    asked=questions.RAW_RULES,
    limit=Limit("<=", 0.01, 0.05, convention("rules are imposed, but a good model rarely breaks them")),
    needs=frozenset({"model", "rules"}),
    fail_text="the unconstrained model breaks a rule",
    review_text="the unconstrained model may break a rule too often",
    action="Sampled rows satisfy it, but the dependence of its columns may differ.",
    scale="percent",
    answer=lambda score: tr(
        "Without constraints, {share} of sampled rows break one rule.", share=share(score.value, 1)
    ),
    counts="public",
)


def raw_rules(shares: Mapping[str, float], rows: int) -> Score:
    """Score the largest violation rate of a rule in rows that were sampled without imposing rules.

    Arguments:
        shares: the share of rows that break each rule, by the text of the rule.
        rows: the number of sampled rows.

    Example:
        >>> raw_rules({"dbp < sbp": 0.01, "age >= 18": 0.0}, 2_000).value
        0.01
    """
    worst = max(shares.values())
    by_rule = [
        UnconstrainedRule(rule=rule, unconstrained=rate)
        for rule, rate in sorted(shares.items(), key=lambda one: -one[1])
    ]
    return RAW_RULES.score(worst, wilson(round(worst * rows), rows), n=rows, details=RawRuleDetails(rules=by_rule))


def rules(c: Comparison) -> Score:
    """Score the share of synthetic rows that break no rule."""
    synthetic = violations(c.tables.synthetic, c.schema.without_other())
    train = violations(c.tables.train, c.schema)
    valid = _valid(synthetic, len(c.tables.synthetic))
    broken = [
        BrokenRule(
            rule=rule,
            synthetic=int(mask.sum()),
            real=suppressed_count(int(train[rule].sum())) if rule in train else None,
        )
        for rule, mask in synthetic.items()
    ]
    broken = [row for row in broken if row.synthetic or row.real != 0]
    share_valid = float(valid.mean())
    return RULES.score(
        share_valid,
        Interval(share_valid, share_valid),
        n=len(valid),
        baseline=_share(c, c.tables.shuffled),
        reference=None if c.tables.holdout is None else _share(c, c.tables.holdout),
        details=RuleDetails(rules=sorted(broken, key=lambda row: -row.synthetic), declared=len(synthetic)),
    )


def _share(c: Comparison, table: pd.DataFrame) -> float:
    return float(_valid(violations(table, c.schema), len(table)).mean())


def _valid(broken: dict[str, pd.Series[bool]], rows: int) -> NDArray[np.bool_]:
    """(rows,) mask of the rows that break no rule."""
    masks = [mask.to_numpy(dtype=bool) for mask in broken.values()]
    return ~np.any(masks, axis=0) if masks else np.ones(rows, dtype=bool)

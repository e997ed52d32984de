"""`evaluate`: score a synthetic table, judge the gates and record the provenance in a report."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.gate import Gate, parse_gate
from synthclin.evaluation.gates import default_gates, judge
from synthclin.evaluation.scoring import score_comparison
from synthclin.evaluation.tasks import Tasks
from synthclin.evaluation.validity import raw_rules
from synthclin.io.documents import dump_json, validate
from synthclin.io.files import refuse_absent
from synthclin.language import Language, refuse_unknown, speaking
from synthclin.language import language as spoken
from synthclin.report.editions.synthetic_alone import synthetic_alone
from synthclin.report.pages.guarantee_section import guarantee_sentence
from synthclin.report.record.envelope import Provenance
from synthclin.report.record.guarantee_data import GuaranteeFacts
from synthclin.report.record.release import UNDECLARED, Release, TableFile
from synthclin.report.record.section_data import SupportFacts
from synthclin.report.report import Report
from synthclin.schema.arguments import require_schema
from synthclin.schema.dtypes import retyped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synthclin.evaluation import Analysis, PredictTask, Score
    from synthclin.report.record.section_data import CohortFacts, RuleFacts
    from synthclin.schema import Schema

__all__ = ["evaluate", "report_on"]


def evaluate(
    synthetic: pd.DataFrame | Sequence[pd.DataFrame],
    *,
    train: pd.DataFrame,
    holdout: pd.DataFrame | None = None,
    schema: Schema,
    tasks: Sequence[PredictTask | Analysis | Mapping[str, Any]] = (),
    by: Sequence[str] = (),
    gates: Sequence[str] | None = None,
    further: Sequence[Score] = (),
    cohorts: Sequence[CohortFacts] = (),
    rules: RuleFacts | None = None,
    support: SupportFacts | Mapping[str, Any] | None = None,
    random_state: int = 0,
    workers: int | None = None,
    provenance: Mapping[str, Any] | None = None,
    release: Release | Mapping[str, Any] | None = None,
    file: str | Path | None = None,
    guarantee: Mapping[str, Any] | None = None,
    language: Language = "en",
) -> Report:
    """Return the validation report of a synthetic table from any synthesizer.

    Arguments:
        synthetic: the table to judge, or several synthetic replicates sampled from one model, the released one first:
            scores of fidelity, detection and utility are then means over the replicates, and their intervals are
            narrower.
        train: the training rows of the model.
        holdout: real rows that were not used for training; without them attacks, detection and utility are not
            assessable.
        schema: what the columns mean.
        tasks: predictions that utility is measured by, and analyses that are run again, as
            ``synthclin.evaluation.tasks`` has them or as a study writes them, such as ``{"task": "predict", "target":
            "died"}``; without any, each column with the role event or outcome is predicted.
        by: columns of levels, in whose groups the headline scores are computed again and patients are attacked.
        gates: such as ``"fidelity.marginals >= 0.90"``; None for the default gates, empty for none.
        further: scores of the model behind the table that were computed elsewhere; they are added to the others.
        cohorts: facts about cohorts sampled from the same model; the report lists them, and no gate judges them.
        rules: how many real rows the rules of the schema excluded, and how often the unconstrained model breaks them.
        support: what the training rows support, as `training_` of a fitted model holds it: each column's dependence
            that was confirmed out of fold, and associations that the model has lost.
        random_state: the same number gives the same report.
        workers: processes to score in, with the same result; None for one per processor, a single one for small tables.
        provenance: further facts, such as ``name``, ``seed`` and ``versions``.
        release: what the custodian declares, such as ``{"use": "teaching", "recipient": "students"}``; see
            `synthclin.report.record.release.Release`. Without a ``date`` it has that of SOURCE_DATE_EPOCH, if any.
        guarantee: of a model with differential privacy, ``model.privacy_.summary()``. The report states the guarantee,
            and the shareable edition holds figures of synthetic rows alone.
        file: the file that holds the (first) synthetic table and is released; the report names it and its SHA-256.
        language: of the report: ``en`` or ``es``.

    Raises:
        ConfigError: there is no such language, a gate cannot be read or names a score that was not computed, a task or
            `by` names no column of the table, or `provenance` or `release` holds what a report may not.
        DataError: a table has no rows, lacks a column, or holds text in a column of numbers or dates; there is no
            `file`.

    Example:
        >>> import numpy as np, pandas as pd
        >>> from synthclin.schema import Schema
        >>> schema = Schema.model_validate({"columns": {"age": {"type": "number"}, "bmi": {"type": "number"}}})
        >>> sample = lambda seed: pd.DataFrame(np.random.default_rng(seed).normal(size=(60, 2)), columns=["age", "bmi"])
        >>> report = evaluate(sample(1), train=sample(2), schema=schema, gates=["fidelity.pairs >= 0.1"])
        >>> report.passed
        True
    """
    # Read before the work starts, so that a typing error does not cost minutes.
    _read(tasks, gates, provenance)
    guaranteed = None if guarantee is None else validate(GuaranteeFacts, dict(guarantee), "guarantee")
    declared = release if isinstance(release, Release) else validate(Release, dict(release or {}), "release")
    declared = declared.dated()
    if file is not None:
        refuse_absent(file)
    require_schema(schema)
    refuse_unknown(language)
    given: Sequence[Any] = synthetic if isinstance(synthetic, list | tuple) else [synthetic]
    comparison = Comparison.of(
        [retyped(table, schema, "synthetic table") for table in given],
        train=retyped(train, schema, "training table"),
        holdout=None if holdout is None else retyped(holdout, schema, "holdout table"),
        schema=schema,
        random_state=random_state,
    )
    with speaking(language):
        return report_on(
            comparison,
            tasks=tasks,
            by=by,
            gates=gates,
            further=further,
            cohorts=cohorts,
            rules=rules,
            support=support,
            workers=workers,
            provenance=provenance,
            release=declared,
            file=None if file is None else TableFile.of(file, len(comparison.tables.synthetic)),
            guarantee=guaranteed,
        )


def report_on(
    comparison: Comparison,
    *,
    tasks: Sequence[PredictTask | Analysis | Mapping[str, Any]] = (),
    by: Sequence[str] = (),
    gates: Sequence[str] | None = None,
    further: Sequence[Score] = (),
    cohorts: Sequence[CohortFacts] = (),
    rules: RuleFacts | None = None,
    support: SupportFacts | Mapping[str, Any] | None = None,
    workers: int | None = None,
    provenance: Mapping[str, Any] | None = None,
    release: Release | None = None,
    file: TableFile | None = None,
    guarantee: GuaranteeFacts | None = None,
) -> Report:
    """Return the report on tables that are compared already, in the language that is spoken; see `evaluate`."""
    wanted, asked, facts = _read(tasks, gates, provenance)
    tables, schema = comparison.tables, comparison.schema
    evaluation = score_comparison(comparison, tasks=asked, by=by, workers=workers)
    scores = (*evaluation.scores, *further)
    holdout = 0 if tables.holdout is None else len(tables.holdout)
    rows = {"train": len(tables.train), "holdout": holdout, "synthetic": len(tables.synthetic)}
    sections: dict[str, Any] = {"cohorts": [cohort.model_dump(mode="json") for cohort in cohorts]} if cohorts else {}
    if rules is not None:
        sections["rules"] = rules.model_dump(mode="json")
        scores += (raw_rules(rules.unconstrained, rules.unconstrained_rows),) if rules.unconstrained else ()
    if support is not None:
        known = support if isinstance(support, SupportFacts) else validate(SupportFacts, dict(support), "support")
        sections["support"] = known.model_dump(mode="json")
    if guarantee is not None:
        guarantee = guarantee.model_copy(update={"named": schema.entity is not None})
        sections |= {"guarantee": guarantee.model_dump(mode="json"), "alone": synthetic_alone(comparison)}
        facts["dp"] = guarantee_sentence(guarantee)
    shape = {"rows": rows, "columns": len(schema.modelled), "schema_sha256": _names_and_types(schema)}
    report = Report(
        scores=scores,
        verdicts=judge(default_gates(scores) if wanted is None else wanted, scores),
        sections=evaluation.sections | sections,
        provenance=facts | shape | {"random_state": comparison.seed, "replicates": len(comparison.replicates)},
        release=release or UNDECLARED,
        table=file,
        language=spoken(),
    )
    # Read back from its JSON, so that a page rendered now equals a page rendered from the file, to the last digit.
    return Report.from_dict(json.loads(dump_json(report.to_dict())))


def _names_and_types(schema: Schema) -> str:
    """Return the SHA-256 of names and types of the judged columns: no level or range, which may come from patients."""
    judged = [(name, schema.columns[name].type) for name in schema.modelled]
    return hashlib.sha256(json.dumps(judged).encode()).hexdigest()


def _read(
    tasks: Sequence[PredictTask | Analysis | Mapping[str, Any]],
    gates: Sequence[str] | None,
    provenance: Mapping[str, Any] | None,
) -> tuple[list[Gate] | None, tuple[PredictTask | Analysis, ...], dict[str, Any]]:
    """Return gates, tasks and provenance as types; raises ConfigError where one cannot be read."""
    wanted = None if gates is None else [parse_gate(gate) for gate in gates]
    asked = validate(Tasks, {"tasks": tasks}, "evaluate").tasks
    return wanted, asked, validate(Provenance, dict(provenance or {}), "provenance").model_dump(exclude_unset=True)

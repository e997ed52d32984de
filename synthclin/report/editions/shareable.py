"""The shareable edition: a report under statistical disclosure control.

An allow list per score; anything else is left out. Primary suppression hides real counts below 11, secondary
suppression hides others against subtraction. Shares of real patients are rounded to steps of at least 11 patients.
Figures of a column are computed again from its published counts. Notes, reasons of verdicts and extremes are removed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import ceil, isnan, log10, sqrt
from typing import TYPE_CHECKING, Any, TypeVar

from synthclin.report.editions.shareable_columns import agreement, shared_block, shared_panel
from synthclin.report.editions.suppression import round_down, round_to, round_to_or_none, round_up, rounding_step
from synthclin.report.record.clinical_details import AnalysisDetails, SubgroupDetails
from synthclin.report.record.score_details import AssociationDetails, AttackDetails, EpsilonDetails, MembershipDetails
from synthclin.report.record.section_data import SectionData
from synthclin.schema.patients import MIN_PATIENTS

if TYPE_CHECKING:
    from synthclin.evaluation.gates import Verdict
    from synthclin.evaluation.score import Score
    from synthclin.report.findings import Findings
    from synthclin.report.record.clinical_details import SurvivalCurve, Term
    from synthclin.report.record.score_details import Rate, Risk

__all__ = ["shareable"]

F = TypeVar("F", bound="Findings")

_COUNTED = ("fidelity.", "subgroups.", "validity.rules", "privacy.copies")  # means of shares of real rows
# n counts synthetic rows, so the number of real rows behind the real-data reference of a subgroup is unknown.
_OF_SYNTHETIC = "validity.rules"
_FITTED = (
    "fidelity.detection",
    "fidelity.propensity",
)  # from predicted probabilities, which are not shares of patients
_CORRELATION_STEP = 0.1
_REASONS = {
    "PASS": "The worse end of its interval meets the limit, or the value without leakage.",
    "REVIEW": "The interval includes the limit, or the limit is missed narrowly.",
    "FAIL": "The limit is missed.",
    "NOT ASSESSABLE": "It cannot be computed on these rows.",
}
_LOG_SCALE = ("inference.cox.", "inference.logistic.")
_SURE = 1 / sqrt(MIN_PATIENTS)  # with a smaller standard error of a log ratio, no cell is below 11


def shareable(report: F) -> F:
    """Return the shareable edition of a report; a shareable report is returned unchanged."""
    if report.edition == "shareable":
        return report
    data = SectionData.model_validate(report.sections)
    facts = report.provenance.get("rows") or data.rows
    train, holdout = (int(facts.get(key, 0)) for key in ("train", "holdout"))
    scores = tuple(_score(score, data, train, holdout) for score in report.scores)
    return replace(
        report,
        edition="shareable",
        scores=scores,
        verdicts=tuple(
            _verdict(verdict, next(score for score in scores if score.name == verdict.gate.score))
            for verdict in report.verdicts
        ),
        sections=_sections(data, holdout),
        provenance=_provenance(report.provenance),
    )


def _provenance(facts: dict[str, Any]) -> dict[str, Any]:
    shared = (
        "name",
        "seed",
        "random_state",
        "versions",
        "rows",
        "columns",
        "intended_use",
        "recipient",
        "dp",
        "replicates",
    )
    return {key: facts[key] for key in shared if key in facts}


def _score(score: Score, data: SectionData, train: int, holdout: int) -> Score:
    counted = score.name.startswith(_COUNTED)
    fewest = min(train, holdout or train)
    if score.name.startswith("subgroups."):
        fewest = min(fewest, score.n)
    size = rounding_step(fewest) if counted else 0.01
    # The value is rounded to the worse side and the interval outward, so that rounding never improves a result.
    worse = round_down if score.better == "higher" else round_up
    without_reference = score.name.startswith("subgroups.") and score.details.get("score") == _OF_SYNTHETIC
    value, low, high = worse(score.value, size), round_down(score.low, size), round_up(score.high, size)
    if score.name in {"privacy.copies", "validity.rules", "validity.raw_rules"} and not isnan(score.value):
        value, low, high = _of_synthetic(score)
    note = "It cannot be computed on these rows." if isnan(score.value) else ""
    shareable_details = _DETAILS.get(score.name) or _DETAILS.get(score.name.partition(".")[0]) or _nothing
    return replace(
        score,
        value=value,
        low=low,
        high=high,
        baseline=None if without_reference else round_to_or_none(score.baseline, size),
        reference=None if without_reference else round_to_or_none(score.reference, size),
        n=score.n if score.n >= MIN_PATIENTS else 0,
        note=score.note if score.name in _NOTE_SHARED else note,
        details=shareable_details(score, data, train),
        replicates=(),
        reference_error=None,
    )


def _of_synthetic(score: Score) -> tuple[float, float, float]:
    """Return a share of synthetic rows and its interval, rounded to hundredths on the worse side."""
    if score.better == "higher":
        value, low, high = (int(100 * x) / 100 for x in (score.value, score.low, score.high))
    else:
        value, low, high = (ceil(100 * x - 1e-9) / 100 for x in (score.value, score.low, score.high))
    return value, low, high


def _verdict(verdict: Verdict, score: Score) -> Verdict:
    bound = score.low if verdict.gate.op.startswith(">") else score.high
    return replace(verdict, value=score.value, bound=bound, reason=_REASONS[verdict.status])


def _sections(data: SectionData, holdout: int) -> dict[str, Any]:
    panels = {panel.column: shared_panel(panel) for panel in data.marginals}
    shared: dict[str, Any] = {
        "rows": {key: n if key == "synthetic" or n >= MIN_PATIENTS else 0 for key, n in data.rows.items()},
        "marginals": [panel.model_dump() for panel in panels.values()],
        "table_one": [
            shared_block(block, panels[block.column]).model_dump() for block in data.table_one if block.column in panels
        ],
        "cohorts": [cohort.model_dump(mode="json") | {"share_train": None} for cohort in data.cohorts],
        # Shares of sampled rows only; the number of real rows that a rule excluded is not shared.
        "rules": {"unconstrained": data.rules.unconstrained, "unconstrained_rows": data.rules.unconstrained_rows}
        if data.rules.unconstrained
        else {},
    }
    if data.pairs.columns:
        shared["pairs"] = {
            "columns": data.pairs.columns,
            "real": [[round_to_or_none(x, _CORRELATION_STEP) for x in row] for row in data.pairs.real],
            "synthetic": data.pairs.synthetic,
        }
    for key, curve, n in (("detection", data.detection, holdout), ("membership", data.membership, holdout)):
        if curve.roc and n:
            size = rounding_step(n) if key == "detection" else 0.005
            least = MIN_PATIENTS / n
            shared[key] = {
                "roc": _rounded(curve.roc, size, least),
                "attacks": [{"name": one.name, "roc": _rounded(one.roc, size, least)} for one in curve.attacks],
            }
    if data.controls.negative:
        shared["controls"] = {
            "negative": {
                name: {end: round_to_or_none(getattr(negative_control, end), 0.01) for end in ("value", "low", "high")}
                for name, negative_control in data.controls.negative.items()
            },
            "canaries": [one.model_dump() for one in data.controls.canaries],
        }
    return {key: value for key, value in shared.items() if value}


def _rounded(roc: list[tuple[float, float]], size: float, least: float) -> list[list[float]]:
    """Return a ROC curve with rounded points, without the part that rests on fewer than 11 patients."""
    points = {(round_to(x, size), round_to(y, size)) for x, y in roc if least <= x}
    highest: dict[float, float] = {}
    for x, y in sorted(points):
        highest[x] = max(y, highest.get(x, 0.0))
    return [[x, y] for x, y in highest.items()]


_NOTE_SHARED = {"privacy.smallest_leak"}  # its note concerns canaries only

# The shareable part of the details, by score or by group of scores.
ShareableDetails = Callable[["Score", SectionData, int], dict[str, Any]]


def _nothing(_score: Score, _data: SectionData, _train: int) -> dict[str, Any]:
    return {}


def _marginals(_score: Score, data: SectionData, _train: int) -> dict[str, Any]:
    return {"columns": [agreement(shared_panel(panel)) for panel in data.marginals]}


def _associations(score: Score, _data: SectionData, _train: int) -> dict[str, Any]:
    details = AssociationDetails.model_validate(score.details)
    shared: dict[str, Any] = {
        key: round_to_or_none(getattr(details, key), 0.01)
        for key in (
            "mean_change_synthetic",
            "mean_change_reference",
            "largest_change_synthetic",
            "largest_change_reference",
        )
    }
    for key in ("lost", "invented"):
        shared[key] = [
            {
                "columns": change.columns,
                "real": round_to(change.real, _CORRELATION_STEP),
                "synthetic": change.synthetic,
                "change": round_to(change.change, _CORRELATION_STEP),
            }
            for change in getattr(details, key)
            if abs(change.change) >= _CORRELATION_STEP
        ]
    return shared


def _missingness_correlations(score: Score, _data: SectionData, _train: int) -> dict[str, Any]:
    """Return rank correlations with missingness for whole columns, without levels."""
    found = {}
    for correlation in score.details.get("correlations", []):
        if correlation.get("level") is None:
            found[correlation["missing"], correlation["column"]] = {
                "missing": correlation["missing"],
                "column": correlation["column"],
                "real": round_to(correlation["real"], _CORRELATION_STEP),
                "synthetic": correlation["synthetic"],
            }
    return {"correlations": list(found.values())}


def _columns(score: Score, _data: SectionData, train: int) -> dict[str, Any]:
    """Return the distance of each column, without the positions of its percentiles."""
    size = max(rounding_step(train), 0.05)
    return {
        "columns": [
            {"column": one["column"], "value": round_to(one["value"], size), "reference": None}
            for one in score.details.get("columns", [])
        ]
    }


def _attack(score: Score, _data: SectionData, _train: int) -> dict[str, Any]:
    details = AttackDetails.model_validate(score.details)
    shared: dict[str, Any] = {
        "strongest_attack": details.strongest_attack,
        "naive_baseline": round_to_or_none(details.naive_baseline, 0.01),
    }
    shared |= {key: _rate(getattr(details, key)) for key in ("non_members", "members")}
    shared["top_decile_outliers"] = None if details.top_decile_outliers is None else _risk(details.top_decile_outliers)
    shared["groups"] = [_risk(risk) for risk in details.groups]
    if score.name == "privacy.membership":
        membership = MembershipDetails.model_validate(score.details)
        shared |= {"n_members": membership.n_members, "n_non_members": membership.n_non_members}
        shared["tpr_at_10_percent"] = round_to_or_none(membership.tpr_at_10_percent, 0.05)
    return shared


def _epsilon(score: Score, _data: SectionData, _train: int) -> dict[str, Any]:
    details = EpsilonDetails.model_validate(score.details)
    most = None if details.most_certifiable is None else round_down(details.most_certifiable, 0.01)
    return {"strongest_attack": details.strongest_attack, "most_certifiable": most, "delta": details.delta}


def _rate(rate: Rate | None) -> dict[str, Any] | None:
    if rate is None or rate.n < MIN_PATIENTS:
        return None
    return {end: round_to(getattr(rate, end), rounding_step(rate.n)) for end in ("value", "low", "high")} | {
        "n": rate.n
    }


def _risk(risk: Risk) -> dict[str, Any]:
    ends = {end: round_to_or_none(getattr(risk, end), 0.05) for end in ("value", "low", "high")}
    return ends | {"column": risk.column, "level": risk.level}


def _learners(score: Score, _data: SectionData, _train: int) -> dict[str, Any]:
    def rounded(value: object) -> object:
        if isinstance(value, dict):
            return {key: rounded(item) for key, item in value.items()}
        return round_to(value, 0.01) if isinstance(value, float) else value

    rows = [{key: rounded(value) for key, value in one.items()} for one in score.details.get("learners", [])]
    measure = {"measure": score.details["measure"]} if "measure" in score.details else {}
    return {"learners": rows} | measure


def _importance(score: Score, _data: SectionData, _train: int) -> dict[str, Any]:
    columns = score.details.get("columns", [])
    return {
        "columns": [
            one | {"real": round_to(one["real"], 0.01), "synthetic": round_to(one["synthetic"], 0.01)}
            for one in columns
        ],
        "shared_top": score.details.get("shared_top"),
    }


def _analysis(score: Score, _data: SectionData, _train: int) -> dict[str, Any]:
    details = AnalysisDetails.model_validate(score.details)
    logarithmic = score.name.startswith(_LOG_SCALE)
    levels = score.name.startswith("inference.compare.") and any(", " in term.term for term in details.terms)
    terms = [] if levels else [_term(term, logarithmic=logarithmic) for term in details.terms]
    return {
        "terms": [term for term in terms if term is not None],
        "replicates": details.replicates,
        "horizon": details.horizon,
        "curves": [
            {"group": arm.group, "times": arm.times, "real": _curve(arm.real), "synthetic": arm.synthetic.model_dump()}
            for arm in details.curves or []
        ],
    }


def _term(term: Term, *, logarithmic: bool) -> dict[str, Any] | None:
    """Return an estimate rounded to a part of its standard error; None where it may rest on fewer than 11 patients."""
    if None in term.real:
        return None
    value, low, high = (x or 0.0 for x in term.real)
    error = (high - low) / 3.92
    if error <= 0 or (logarithmic and error > _SURE):
        return None
    size = 10.0 ** ceil(log10(error / 4))
    size = next(part * size for part in (0.2, 0.5, 1.0) if part * size >= error / 4)
    shared = term.model_dump()
    shared["real"] = [round_to(x, size) for x in (value, low, high)]
    return shared | {"overlap": round_to_or_none(term.overlap, _CORRELATION_STEP)}


def _curve(curve: SurvivalCurve) -> dict[str, Any]:
    """Return a real curve rounded to steps of 11 patients, with numbers at risk to the nearest ten."""
    size = rounding_step(curve.at_risk[0]) if curve.at_risk else 0.01
    shared: dict[str, Any] = {
        key: [min(round_to(x, size), 1.0) for x in getattr(curve, key)] for key in ("survival", "low", "high")
    }
    shared["at_risk"] = [max(round(n, -1), MIN_PATIENTS) for n in curve.at_risk]
    return shared | {"censored": curve.censored}


def _groups(score: Score, _data: SectionData, _train: int) -> dict[str, Any]:
    details = SubgroupDetails.model_validate(score.details)
    shared: dict[str, Any] = {"score": details.score, "column": details.column, "worst": details.worst, "groups": []}
    for group in details.groups:
        if group.n is None:
            continue
        size = 0.01 if details.score in _FITTED else rounding_step(group.n)
        ends = {key: round_to_or_none(getattr(group, key), size) for key in ("value", "low", "high", "reference")}
        without_reference = {"reference": None} if details.score == _OF_SYNTHETIC else {}
        shared["groups"].append({"group": group.group, "n": round(group.n, -1)} | ends | without_reference)
    return shared


def _leak(score: Score, _data: SectionData, _train: int) -> dict[str, Any]:
    return {"canaries": score.details.get("canaries", [])}


def _copies(score: Score, _data: SectionData, _train: int) -> dict[str, Any]:
    copies = score.details.get("copies")
    return {"copies": copies if copies == 0 else None, "whole_table": bool(score.details.get("whole_table"))}


def _rules(score: Score, _data: SectionData, _train: int) -> dict[str, Any]:
    rules = [
        {"rule": one["rule"], "synthetic": one["synthetic"], "real": 0 if one["real"] == 0 else None}
        for one in score.details.get("rules", [])
    ]
    return {"rules": rules, "declared": score.details.get("declared")}


def _detection(score: Score, _data: SectionData, _train: int) -> dict[str, Any]:
    drops = [one | {"auc_drop": round_to(one["auc_drop"], 0.01)} for one in score.details.get("columns", [])]
    return {"columns": [one for one in drops if one["auc_drop"]]}


def _joint(score: Score, _data: SectionData, train: int) -> dict[str, Any]:
    size = max(rounding_step(train), 0.02)
    return {
        "worst": [
            {
                "columns": one["columns"],
                "value": round_to(one["value"], size),
                "reference": round_to_or_none(one.get("reference"), size),
            }
            for one in score.details.get("worst", [])
        ]
    }


_DETAILS: dict[str, ShareableDetails] = {
    "fidelity.marginals": _marginals,
    "fidelity.heaping": _columns,
    "fidelity.triples": _joint,
    "fidelity.associations": _associations,
    "fidelity.missing_dependence": _missingness_correlations,
    "fidelity.detection": _detection,
    "validity.rules": _rules,
    "privacy.copies": _copies,
    "privacy.smallest_leak": _leak,
    "privacy.epsilon_lower_bound": _epsilon,
    "privacy.table_epsilon_lower_bound": _epsilon,
    "privacy": _attack,
    "inference": _analysis,
    "utility": _learners,
    "calibration": _learners,
    "importance": _importance,
    "subgroups": _groups,
}

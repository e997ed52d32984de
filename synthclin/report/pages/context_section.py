"""The section on context: what is judged and the threat model; and the crosswalk to regulations and standards.

The crosswalk names the requirement of each framework and the section that addresses it; it claims no conformity.
"""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Any

from synthclin.evaluation.catalogue import kind_of
from synthclin.evaluation.kind import Kind
from synthclin.evaluation.privacy.attribute_inference import ATTRIBUTE_INFERENCE
from synthclin.evaluation.privacy.copies import COPIES
from synthclin.evaluation.privacy.identity_disclosure import IDENTITY_DISCLOSURE
from synthclin.evaluation.privacy.linkability import LINKABILITY
from synthclin.evaluation.privacy.membership import MEMBERSHIP
from synthclin.evaluation.privacy.membership_tpr import MEMBERSHIP_TPR
from synthclin.evaluation.privacy.model_membership import MODEL_MEMBERSHIP
from synthclin.evaluation.privacy.near_copies import NEAR_COPIES
from synthclin.evaluation.privacy.relative_f1 import RELATIVE_F1
from synthclin.evaluation.privacy.shadows import SHADOW_MODEL, SHADOW_TABLE
from synthclin.evaluation.privacy.singling_out import SINGLING_OUT
from synthclin.evaluation.privacy.uniques import DISCLOSIVE_KEYS, REPLICATED_UNIQUES
from synthclin.language import tr
from synthclin.report.pages.figures import DataTable, Figure, Row, Section

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synthclin.report.findings import Findings

__all__ = ["context_section", "crosswalk_figure"]


def _judged() -> tuple[Row, ...]:
    """Return what the report judges."""
    return (
        Row(
            tr("Unit of privacy"),
            (tr("One patient: all rows of a patient count as one where the schema names the patient"),),
        ),
        Row(
            tr("Object of the report"),
            (tr("The synthetic table; the model file reveals more: protect it like the real table"),),
        ),
        Row(
            tr("Earlier releases"),
            (tr("Not known to the tool; each further release of the same patients adds risk"),),
        ),
    )


def _attackers() -> tuple[tuple[str, tuple[Kind[Any], ...]], ...]:
    """Return the attackers of the threat model, and the attacks of each."""
    return (
        (
            tr("Has the synthetic table only"),
            (COPIES, NEAR_COPIES, SINGLING_OUT, REPLICATED_UNIQUES, DISCLOSIVE_KEYS),
        ),
        (tr("Also has some values of a patient"), (ATTRIBUTE_INFERENCE, LINKABILITY, IDENTITY_DISCLOSURE)),
        (tr("Also has a reference sample of similar people"), (MEMBERSHIP, MEMBERSHIP_TPR, RELATIVE_F1)),
        (tr("Trains models of their own"), (SHADOW_TABLE,)),
        (tr("Has the model file"), (MODEL_MEMBERSHIP, SHADOW_MODEL)),
    )


def _crosswalk() -> tuple[tuple[str, str, str], ...]:
    """Return each framework, what it asks for, and where the report addresses it."""
    return (
        (
            tr("GDPR, recital 26; CJEU C-413/23 P"),
            tr("Means reasonably likely to be used, judged for each recipient"),
            tr("Context; attacks; use and recipient as declared"),
        ),
        (
            tr("WP29 opinion 05/2014"),
            tr("Singling out, linkability, inference"),
            tr("Privacy: one attack for each, against non-members"),
        ),
        (
            tr("ICO guidance (2025) and PETs (2023)"),
            tr("A motivated intruder; outliers"),
            tr("Membership inference; top-decile outliers"),
        ),
        (
            "HIPAA 164.514(b)(1)",
            tr("Very small risk; an expert documents methods and results; no number in the rule"),
            tr("Identity disclosure; Methods; sign-off by people"),
        ),
        (
            "EMA policy 0070; Health Canada PRCI",
            tr("Quantitative risk, 0.09 in most cases; methodology; utility"),
            tr("Identity disclosure against 0.09; Methods; Analyses; Prediction"),
        ),
        (
            tr("EHDS, Regulation 2025/327, article 66"),
            tr("Minimisation; synthetic data with assessed risk"),
            tr("Context; Privacy; Limits"),
        ),
        (
            "ISO/IEC 27559:2022",
            tr("Context, data, identifiability with adversarial testing, governance"),
            tr("Context; Source data; Privacy with both controls; sign-off"),
        ),
        (
            "NIST SP 800-226",
            tr("Epsilon, unit, model and what is not covered"),
            tr("The question on differential privacy"),
        ),
    )


def context_section(report: Findings) -> Section:
    """Return what the report judges, and the attackers of the threat model."""
    attackers = tuple((who, *_attacks(report, kinds)) for who, kinds in _attackers())
    return Section(
        "context",
        tr("Context and threat model"),
        tr("Context"),
        lead=(
            tr(
                "The risk depends on the recipient, whom page one names as declared, and on what else the recipient "
                "knows."
            ),
        ),
        figures=(
            Figure(
                title=tr("What the report judges"),
                table=DataTable(tr("Context"), ("", tr("What it is")), _judged(), words=1, form="wordy"),
            ),
            Figure(
                title=tr("Threat model: which attackers were simulated"),
                how=tr("Each attacker has all the knowledge of the previous one."),
                table=DataTable(
                    tr("Attackers"),
                    (tr("Attacker"), tr("In this report"), tr("Attacks")),
                    tuple(Row(who, (status, what)) for who, status, what in attackers),
                    words=2,
                    form="wordy",
                ),
            ),
        ),
    )


def _attacks(report: Findings, kinds: Sequence[Kind[Any]]) -> tuple[str, str]:
    """Return whether the attacks of an attacker were run, and each of them with its result."""
    found = [(kind_of(kind.name), report.find(kind.name)) for kind in kinds]
    results = [kind.label if score is None else f"{kind.label} {kind.write(score.value)}" for kind, score in found]
    known = [score for _, score in found if score is not None and not isnan(score.value)]
    if not any(score for _, score in found):
        status = tr("not run")
    elif len(known) == len(found):
        status = tr("run")
    else:
        status = tr("run in part") if known else tr("not run or not assessable")
    return status, ", ".join(results)


def crosswalk_figure() -> Figure:
    """Return the crosswalk: requirements of laws and standards, and the sections that address them."""
    return Figure(
        title=tr("Crosswalk to regulations and standards"),
        how=tr(
            "The requirements of each framework, in short, and the sections of this report that address them. No "
            "conformity is claimed: people decide whether the evidence is enough."
        ),
        table=DataTable(
            tr("Crosswalk"),
            (tr("Framework"), tr("Requirement"), tr("In this report")),
            tuple(Row(name, (asks, here)) for name, asks, here in _crosswalk()),
            words=2,
            form="wordy",
        ),
    )

"""The section on context: what is judged and the threat model; and the crosswalk to regulations and standards.

The crosswalk names the requirement of each framework and the section that addresses it; it claims no conformity.
"""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Any

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
from synthclin.report.pages.figures import DataTable, Figure, Row, Section

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synthclin.report.findings import Findings

__all__ = ["context_section", "crosswalk_figure"]

_LEAD = "The risk depends on the recipient, whom page one names as declared, and on what else the recipient knows."
_JUDGED = (
    Row("Unit of privacy", ("One patient: all rows of a patient count as one where the schema names the patient",)),
    Row("Object of the report", ("The synthetic table; the model file reveals more: protect it like the real table",)),
    Row("Earlier releases", ("Not known to the tool; each further release of the same patients adds risk",)),
)
_ATTACKERS: tuple[tuple[str, tuple[Kind[Any], ...]], ...] = (
    ("Has the synthetic table only", (COPIES, NEAR_COPIES, SINGLING_OUT, REPLICATED_UNIQUES, DISCLOSIVE_KEYS)),
    ("Also has some values of a patient", (ATTRIBUTE_INFERENCE, LINKABILITY, IDENTITY_DISCLOSURE)),
    ("Also has a reference sample of similar people", (MEMBERSHIP, MEMBERSHIP_TPR, RELATIVE_F1)),
    ("Trains models of their own", (SHADOW_TABLE,)),
    ("Has the model file", (MODEL_MEMBERSHIP, SHADOW_MODEL)),
)
_CROSSWALK = (
    (
        "GDPR, recital 26; CJEU C-413/23 P",
        "Means reasonably likely to be used, judged for each recipient",
        "Context; attacks; use and recipient as declared",
    ),
    (
        "WP29 opinion 05/2014",
        "Singling out, linkability, inference",
        "Privacy: one attack for each, against non-members",
    ),
    (
        "ICO guidance (2025) and PETs (2023)",
        "A motivated intruder; outliers",
        "Membership inference; top-decile outliers",
    ),
    (
        "HIPAA 164.514(b)(1)",
        "Very small risk; an expert documents methods and results; no number in the rule",
        "Identity disclosure; Methods; sign-off by people",
    ),
    (
        "EMA policy 0070; Health Canada PRCI",
        "Quantitative risk, 0.09 in most cases; methodology; utility",
        "Identity disclosure against 0.09; Methods; Analyses; Prediction",
    ),
    (
        "EHDS, Regulation 2025/327, article 66",
        "Minimisation; synthetic data with assessed risk",
        "Context; Privacy; Limits",
    ),
    (
        "ISO/IEC 27559:2022",
        "Context, data, identifiability with adversarial testing, governance",
        "Context; Source data; Privacy with both controls; sign-off",
    ),
    ("NIST SP 800-226", "Epsilon, unit, model and what is not covered", "The question on differential privacy"),
)


def context_section(report: Findings) -> Section:
    """Return what the report judges, and the attackers of the threat model."""
    attackers = tuple((who, *_attacks(report, kinds)) for who, kinds in _ATTACKERS)
    return Section(
        "context",
        "Context and threat model",
        "Context",
        lead=(_LEAD,),
        figures=(
            Figure(
                title="What the report judges",
                table=DataTable("Context", ("", "What it is"), _JUDGED, words=1, form="wordy"),
            ),
            Figure(
                title="Threat model: which attackers were simulated",
                how="Each attacker has all the knowledge of the previous one.",
                table=DataTable(
                    "Attackers",
                    ("Attacker", "In this report", "Attacks"),
                    tuple(Row(who, (status, what)) for who, status, what in attackers),
                    words=2,
                    form="wordy",
                ),
            ),
        ),
    )


def _attacks(report: Findings, kinds: Sequence[Kind[Any]]) -> tuple[str, str]:
    """Return whether the attacks of an attacker were run, and each of them with its result."""
    found = [(kind, report.find(kind.name)) for kind in kinds]
    results = [kind.label if score is None else f"{kind.label} {kind.write(score.value)}" for kind, score in found]
    known = [score for _, score in found if score is not None and not isnan(score.value)]
    status = "run" if len(known) == len(found) else "run in part" if known else "not run or not assessable"
    if not any(score for _, score in found):
        status = "not run"
    return status, ", ".join(results)


def crosswalk_figure() -> Figure:
    """Return the crosswalk: requirements of laws and standards, and the sections that address them."""
    return Figure(
        title="Crosswalk to regulations and standards",
        how="The requirements of each framework, in short, and the sections of this report that address them. No "
        "conformity is claimed: people decide whether the evidence is enough.",
        table=DataTable(
            "Crosswalk",
            ("Framework", "Requirement", "In this report"),
            tuple(Row(name, (asks, here)) for name, asks, here in _CROSSWALK),
            words=2,
            form="wordy",
        ),
    )

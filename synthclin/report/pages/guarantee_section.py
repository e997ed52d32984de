"""The section on differential privacy: the guarantee in words, what it does not cover, the ledger and the audit."""

from __future__ import annotations

from math import exp
from typing import TYPE_CHECKING

from synthclin.evaluation.labels import column_name
from synthclin.language import tr
from synthclin.report.pages.figures import DataTable, Figure, Row, Section
from synthclin.report.record.guarantee_data import most_accurate, most_found
from synthclin.wording import number, plain, share, significant

if TYPE_CHECKING:
    from synthclin.report.record.guarantee_data import GuaranteeFacts

__all__ = ["guarantee_section", "guarantee_sentence"]


_ONE_WAY = "table of "


def guarantee_sentence(facts: GuaranteeFacts) -> str:
    """Return the guarantee in a sentence, for page one."""
    if not facts.named:
        figures = {"epsilon": _exact(facts.epsilon), "delta": _exact(facts.delta)}
        return tr("Epsilon {epsilon}, delta {delta}, for each row: no column says whose it is.", **figures)
    return tr(
        "Epsilon {epsilon}, delta {delta}, for all rows of one patient (at most {n}).",
        epsilon=_exact(facts.epsilon),
        delta=_exact(facts.delta),
        n=facts.at_most,
    )


def _exact(value: float) -> str:
    """Return epsilon or delta without rounding, such as ``2.5`` and ``1e-6``."""
    return f"{value:.15g}".replace("e-0", "e-")


def guarantee_section(facts: GuaranteeFacts, edition: str) -> Section:
    """Return the guarantee, epsilon in words, the ledger and the audit."""
    covered = (
        tr(
            "The guarantee covers the synthetic table and the model file. It does not cover this edition, whose scores "
            "are computed from real rows: keep it with the custodian of the data."
        )
        if edition == "internal"
        else tr(
            "The guarantee covers the synthetic table, the model file and this edition, which shows the guarantee, its "
            "ledger and figures of synthetic rows, and no figure of real rows."
        )
    )
    lead = tr(
        "Leaving out any one patient changes the probability of any released result by a factor of at most {factor}, "
        "plus {delta}. This holds whatever else a recipient knows.",
        factor=significant(exp(facts.epsilon)),
        delta=_exact(facts.delta),
    )
    figures = (_guarantee(facts), _in_words(facts), _ledger(facts), _audit(facts))
    return Section(
        "guarantee", tr("What does differential privacy guarantee?"), tr("Guarantee"), None, (lead, covered), figures
    )


def _guarantee(facts: GuaranteeFacts) -> Figure:
    mechanism = {
        "aim": tr("AIM: noisy tables of adaptively chosen pairs of columns (McKenna et al. 2022)"),
        "mst": tr("MST: noisy tables of a tree of pairs of columns (McKenna et al. 2021)"),
    }[facts.mechanism]
    patients = (
        tr("{n}, declared", n=number(facts.patients, 0))
        if facts.patients_declared
        else tr("{n}, counted with noise", n=number(facts.patients, 0))
    )
    noise = tr(
        "{columns} of the table of one column, {pairs} of the table of a pair (expected total variation)",
        columns=share(min(facts.noise_share_columns, 1.0), 1),
        pairs=share(min(facts.noise_share_pairs, 1.0), 0),
    )
    training = tr("on {n} rows sampled from the noisy tables", n=number(facts.fitted_rows, 0))
    rows = (
        Row(tr("Epsilon"), (_exact(facts.epsilon),)),
        Row(tr("Delta"), (_exact(facts.delta),)),
        Row(
            tr("Unit"),
            (
                tr("one patient: all rows of one patient are added or removed together")
                if facts.named
                else tr("one row: no column says whose it is, so each row counts as a patient"),
            ),
        ),
        Row(tr("Rows of one patient"), (tr("at most {n}; others are left out at random", n=facts.at_most),)),
        Row(tr("Patients"), (patients,)),
        Row(tr("Mechanism"), (mechanism,)),
        Row(tr("Training of the network"), (training,)),
        Row(tr("Expected noise"), (noise,)),
        Row(tr("Declared before any row was read"), (tr("ranges, precision, levels, missing cells and rules"),)),
        Row(
            tr("Not covered"),
            (
                tr(
                    "scores of real rows and every other figure of the internal edition; how long the run took and "
                    "whether it failed; the declarations, which count as public"
                ),
            ),
        ),
    )
    return Figure(
        title=tr("The guarantee"),
        table=DataTable(tr("The guarantee"), (tr("Item"), tr("Value")), rows, words=1, form="wordy"),
    )


def _in_words(facts: GuaranteeFacts) -> Figure:
    found = [most_found(facts.epsilon, facts.delta, fpr) for fpr in (0.01, 0.001)]
    accuracy = most_accurate(facts.epsilon, facts.delta)
    rows = (
        Row(tr("Right guesses among equally many members and non-members"), (share(accuracy, 1), share(0.5, 1))),
        Row(tr("Members identified at a false positive rate of 1 %"), (share(found[0], 1), share(0.01, 1))),
        Row(tr("Members identified at a false positive rate of 0.1 %"), (share(found[1], 2), share(0.001, 2))),
    )
    if accuracy > 0.98:
        title = tr("At this epsilon the guarantee alone protects practically nobody")
    else:
        title = tr("Upper limits of every attack on membership")
    return Figure(
        title=title,
        how=tr(
            "The attacker knows all other patients and everything that is released, and guesses whether one patient "
            "(a member) was in the data."
        ),
        table=DataTable(tr("Epsilon in words"), (tr("Attack"), tr("At most"), tr("By chance")), rows),
        note=tr("Source: {source}.", source="Kairouz, Oh & Viswanath 2015, arXiv 1311.0776"),
    )


def _ledger(facts: GuaranteeFacts) -> Figure:
    lines = tuple(Row(_entry(line.what), (significant(line.rho),)) for line in facts.ledger)
    return Figure(
        title=tr("The privacy ledger has {n} measurements and selections", n=number(len(lines), 0)),
        how=tr(
            "Costs are in rho of zero-concentrated differential privacy, which add up. Epsilon follows from their "
            "total; it is no sum of epsilons."
        ),
        table=DataTable(
            tr("Budget"),
            (tr("Item"), tr("rho")),
            (
                Row(tr("Budget"), (significant(facts.rho),)),
                Row(tr("Spent"), (significant(facts.spent),)),
            ),
        ),
        data=(DataTable(tr("Ledger"), (tr("Measurement or selection"), tr("rho")), lines),),
    )


def _entry(what: str) -> str:
    """Return the name of a measurement in the language of the report, with the label of its column."""
    known = {
        "number of patients": tr("number of patients"),
        "two-way table": tr("table of a pair"),
        "selection of a pair": tr("selection of a pair"),
        "edge of the tree": tr("selection of a pair of the tree"),
    }
    if what.startswith(_ONE_WAY):
        return tr("table of {column}", column=column_name(what.removeprefix(_ONE_WAY), 60))
    return known.get(what, plain(what, 80))


def _audit(facts: GuaranteeFacts) -> Figure:
    if not facts.audits:
        return Figure(
            title=tr("The mechanism was not audited in this run"),
            note=tr("synthclin audit-dp computes a lower bound of epsilon by canaries."),
        )
    parts = {
        "tables": tr("Tables of one column, by canaries"),
        "mechanism": tr("The whole mechanism, by canaries"),
        "selection": tr("The first selection of a pair, by runs on two tables"),
    }
    rows = tuple(
        Row(
            parts[audit.part],
            (significant(audit.claimed), significant(audit.bound), significant(audit.most), number(audit.trials, 0)),
        )
        for audit in facts.audits
    )
    title = (
        tr("The audit refutes the claimed epsilon")
        if any(audit.refutes for audit in facts.audits)
        else tr("The audit does not refute the claimed epsilon")
    )
    head = (
        tr("Part"),
        tr("Claimed epsilon"),
        tr("Lower bound found"),
        tr("The largest lower bound that this audit could have found"),
        tr("Canaries or runs"),
    )
    return Figure(
        title=title,
        how=tr(
            "Each canary is inserted with probability one half. An attacker guesses from the noisy tables which were."
        ),
        table=DataTable(tr("Audit"), head, rows),
        note=tr(
            "An audit can refute an epsilon and never prove it. Sources: {sources}.",
            sources="Steinke et al. 2023, arXiv 2305.08846; Jagielski et al. 2020, arXiv 2006.07709",
        ),
    )

"""The section on differential privacy: the promise in words, what it does not cover, the ledger and the audit."""

from __future__ import annotations

from math import exp
from typing import TYPE_CHECKING

from synthclin.language import tr
from synthclin.report.pages.figures import DataTable, Figure, Row, Section
from synthclin.report.record.promise_data import most_accurate, most_found
from synthclin.wording import number, plain, share, significant

if TYPE_CHECKING:
    from synthclin.report.record.promise_data import PromiseFacts

__all__ = ["guarantee_sentence", "promise_section"]


def guarantee_sentence(facts: PromiseFacts) -> str:
    """Return the guarantee in a sentence, for page one."""
    return tr(
        "Epsilon {epsilon}, delta {delta}, for all rows of one patient (at most {n}).",
        epsilon=significant(facts.epsilon),
        delta=f"{facts.delta:.0e}",
        n=facts.at_most,
    )


def promise_section(facts: PromiseFacts, edition: str) -> Section:
    """Return the promise, epsilon in words, the ledger and the audit."""
    covered = (
        tr(
            "The synthetic table and the model file have this guarantee. The scores of this report compare real rows: "
            "they are not covered by it, and this edition stays with the custodian."
        )
        if edition == "internal"
        else tr(
            "The synthetic table and the model file have this guarantee. This edition holds no figure of real rows: "
            "the promise, its ledger, and figures of synthetic rows, which are covered too."
        )
    )
    lead = tr(
        "Whatever a recipient knows, what is released changes the probability of any event by a factor of at most "
        "{factor} if one patient is left out, but for a probability of {delta}.",
        factor=significant(exp(facts.epsilon)),
        delta=f"{facts.delta:.0e}",
    )
    figures = (_promise(facts), _in_words(facts), _ledger(facts), _audit(facts))
    return Section(
        "promise", tr("What does differential privacy promise?"), tr("Guarantee"), None, (lead, covered), figures
    )


def _promise(facts: PromiseFacts) -> Figure:
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
        "{columns} of a table of one column, {pairs} of a table of two",
        columns=share(min(facts.noise_share_columns, 1.0), 1),
        pairs=share(min(facts.noise_share_pairs, 1.0), 0),
    )
    rows = (
        Row(tr("Epsilon"), (significant(facts.epsilon),)),
        Row(tr("Delta"), (f"{facts.delta:.0e}",)),
        Row(tr("Unit"), (tr("one patient: all rows of one patient are added or removed together"),)),
        Row(tr("Rows of one patient"), (tr("at most {n}; others are left out at random", n=facts.at_most),)),
        Row(tr("Patients"), (patients,)),
        Row(tr("Mechanism"), (mechanism,)),
        Row(tr("Rows that the generator was fitted to"), (number(facts.fitted_rows, 0),)),
        Row(tr("Expected noise"), (noise,)),
        Row(tr("Declared before any row was read"), (tr("ranges, precision, levels, missing cells and rules"),)),
        Row(
            tr("Not covered"),
            (
                tr(
                    "scores of real rows, the time that the training took, and selection scores' rounding beyond the "
                    "margin that is added; the declarations themselves"
                ),
            ),
        ),
    )
    return Figure(
        title=tr("The promise"),
        table=DataTable(tr("The promise"), (tr("Item"), tr("Value")), rows, words=1, form="wordy"),
    )


def _in_words(facts: PromiseFacts) -> Figure:
    found = [most_found(facts.epsilon, facts.delta, fpr) for fpr in (0.01, 0.001)]
    accuracy = most_accurate(facts.epsilon, facts.delta)
    rows = (
        Row(tr("Right guesses, of equally many members and non-members"), (share(accuracy, 1), share(0.5, 1))),
        Row(tr("Members identified, if 1 % of non-members are called members"), (share(found[0], 1), share(0.01, 1))),
        Row(tr("Members identified, if 0.1 % of non-members are"), (share(found[1], 2), share(0.001, 2))),
    )
    if accuracy > 0.98:
        title = tr("The theorem alone promises practically nothing at this epsilon")
    else:
        title = tr("No attacker can guess better than this who was in the data")
    return Figure(
        title=title,
        how=tr("An attacker who knows all patients but one, and everything that is released, guesses about that one."),
        table=DataTable(tr("Epsilon in words"), (tr("Attack"), tr("At most"), tr("By chance")), rows),
        note=tr("Source: {source}.", source="Kairouz, Oh & Viswanath 2015, arXiv 1311.0776"),
    )


def _ledger(facts: PromiseFacts) -> Figure:
    lines = tuple(Row(plain(line.what, 80), (significant(line.rho),)) for line in facts.ledger)
    return Figure(
        title=tr("What was spent: {n} measurements and selections", n=number(len(lines), 0)),
        how=tr(
            "Cost in zero-concentrated differential privacy (rho), which adds up. Epsilon follows from the total, not "
            "from a sum of epsilons."
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


def _audit(facts: PromiseFacts) -> Figure:
    audit = facts.audit
    if audit is None:
        return Figure(
            title=tr("The mechanism was not audited in this run"),
            note=tr("Run `synthclin audit-dp` for a lower bound of epsilon by canaries."),
        )
    rows = (
        Row(tr("Claimed epsilon"), (significant(facts.epsilon),)),
        Row(tr("Lower bound found"), (significant(audit.bound),)),
        Row(tr("The most that this audit could have found"), (significant(audit.most),)),
        Row(tr("Canaries"), (number(audit.canaries, 0),)),
    )
    title = (
        tr("The audit found a violation: the claim is wrong")
        if audit.bound > facts.epsilon
        else tr("The audit found no violation")
    )
    return Figure(
        title=title,
        how=tr("Canaries are inserted by fair coins, and an attacker with the noisy tables guesses the coins."),
        table=DataTable(tr("Audit"), (tr("Item"), tr("Value")), rows),
        note=tr(
            "An audit can refute a claim and never prove it. Source: {source}.",
            source="Steinke, Nasr & Jagielski 2023, arXiv 2305.08846",
        ),
    )

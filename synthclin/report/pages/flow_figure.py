"""The tables behind a report: training, holdout and synthetic rows, or visits and patients."""

from __future__ import annotations

from synthclin.language import tr
from synthclin.report.pages.figures import Figure
from synthclin.wording import count, number

__all__ = ["flow_figure"]


def flow_figure(rows: dict[str, int], patients: dict[str, int]) -> Figure:
    """Return a box for each table, with its rows.

    Arguments:
        rows: numbers of rows of ``train``, ``holdout`` and ``synthetic``.
        patients: the same of patients, where rows are visits; else empty.
    """
    holdout = rows.get("holdout", 0)
    train, synthetic = count(rows.get("train", 0)), number(rows.get("synthetic", 0), 0)
    boxes = (
        _boxes_of_visits(rows, patients)
        if patients
        else (
            (tr("Training rows"), tr("{n} real rows, used to train the model", n=train), False),
            (
                tr("Holdout rows"),
                tr("{n} real rows, not used for training", n=count(holdout))
                if holdout
                else tr("none, so attacks and prediction are not assessable"),
                False,
            ),
            (tr("Synthetic rows"), tr("{n} rows, judged in this report", n=synthetic), True),
        )
    )
    return Figure(
        title=tr("Where the rows come from"),
        how=tr(
            "Synthetic rows are compared with training rows and with holdout rows. The real-data reference of a score "
            "is its value for holdout rows in the place of the synthetic ones."
        ),
        flow=boxes,
    )


def _boxes_of_visits(rows: dict[str, int], patients: dict[str, int]) -> tuple[tuple[str, str, bool], ...]:
    """Return the tables of visits: how many visits of how many patients each has."""

    def size(table: str) -> str:
        return tr(
            "{visits} visits of {patients} patients",
            visits=count(rows.get(table, 0)),
            patients=count(patients.get(table, 0)),
        )

    without = tr("none, so attacks and prediction are not assessable")
    return (
        (tr("Training patients"), tr("{visits}, used to train the model", visits=size("train")), False),
        (
            tr("Holdout patients"),
            tr("{visits}, not used for training", visits=size("holdout")) if rows.get("holdout") else without,
            False,
        ),
        (tr("Synthetic patients"), tr("{visits}, judged in this report", visits=size("synthetic")), True),
    )

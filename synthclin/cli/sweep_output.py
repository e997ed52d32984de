"""Results of a sweep as text and JSON: its cells before and after they were run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synthclin.cli.terminal import show_table, show_text

# Imported inside functions: `synthclin --help` does not load the scores.
# ruff: noqa: PLC0415

if TYPE_CHECKING:
    from synthclin.study.sweep import CellResult, SweepDone

__all__ = ["show_sweep", "show_sweep_plan", "sweep_record"]


def show_sweep_plan(plan: dict[str, Any]) -> None:
    """Print the cells of a sweep and what there is of each."""
    cells = plan["cells"]
    left = sum(cell["state"] != "complete" for cell in cells)
    show_text(f"{plan['name']}: {len(cells)} cells, {left} to run, {plan['workers']} at a time")
    show_text("")
    rows = [[cell["cell"], cell["table"], cell["model"], str(cell["seed"]), cell["state"]] for cell in cells]
    show_table(["cell", "study", "model", "seed", "state"], rows)
    show_text("")
    show_text(f"would write index.html, cells.jsonl and cells/ to {plan['folder']}/")


def show_sweep(done: SweepDone) -> None:
    """Print the cells, worst first, with their gates, and the errors of those that failed."""
    rows = [[result.cell.name, _status(result)] for result in done.results]
    show_table(["cell", "gates"], rows)
    for result in done.failed:
        assert result.failure is not None
        show_text("{}: {}: {}. {}".format(result.cell.name, *result.failure))
    complete = len(done.results) - len(done.failed)
    show_text(f"{complete} cells complete, {len(done.failed)} failed, {done.ran} run now")
    show_text(f"written to {done.folder.as_posix()}/index.html")


def sweep_record(done: SweepDone) -> dict[str, Any]:
    """Return a sweep as a JSON object."""
    from synthclin.evaluation.statuses import WORST_FIRST

    return {
        "folder": done.folder.as_posix(),
        "ran": done.ran,
        "cells": [
            {
                "cell": result.cell.name,
                "status": "failed" if result.failure else "complete",
                "error": result.failure._asdict() if result.failure else None,
                "gates": {status: result.counts[status] for status in WORST_FIRST if result.counts[status]},
            }
            for result in done.results
        ],
    }


def _status(result: CellResult) -> str:
    """Return how many gates have each status, the worst first."""
    from synthclin.evaluation.statuses import WORST_FIRST

    if result.failure is not None:
        return "failed"
    return ", ".join(f"{result.counts[s]} {s}" for s in WORST_FIRST if result.counts[s]) or "no gates"

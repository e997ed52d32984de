"""Sweep: studies x models x seeds, an ordinary run each, in parallel and resumable, with one page about all of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from synthclin import progress
from synthclin.errors import ConfigError, SynthclinError
from synthclin.evaluation.statuses import WORST_FIRST
from synthclin.io.documents import dump_json
from synthclin.io.files import private_folder, refuse_absent, write_atomic
from synthclin.parallel import engine, processors, run_all
from synthclin.report import Report
from synthclin.report.sweep_index import SweepRun, sweep_index
from synthclin.study import manifest
from synthclin.study.config import Cell, Sweep, load_sweep
from synthclin.study.data import source_file
from synthclin.study.sweep_cells import Failure, run_cell, state_of

__all__ = ["INDEX", "LINES", "CellResult", "SweepDone", "dry_run", "sweep"]

INDEX, LINES = "index.html", "cells.jsonl"


@dataclass(frozen=True, slots=True)
class CellResult:
    """How a cell ended.

    Arguments:
        cell: the cell.
        report: its report; None where it failed.
        record: the manifest of its folder; None where it failed.
        failure: why it failed; None where it did not.
    """

    cell: Cell
    report: Report | None
    record: manifest.Manifest | None
    failure: Failure | None

    @property
    def counts(self) -> Counter[str]:
        """The number of gates of each status."""
        return Counter(verdict.status for verdict in self.report.verdicts) if self.report else Counter()


@dataclass(frozen=True, slots=True)
class SweepDone:
    """A sweep that has ended: its folder and its cells, worst first.

    Arguments:
        folder: holds `index.html`, `cells.jsonl` and the run folders below `cells/`.
        results: failed cells first, then by gates that fail and gates to review.
        ran: how many cells were run now; the others were complete.
    """

    folder: Path
    results: tuple[CellResult, ...]
    ran: int

    @property
    def failed(self) -> tuple[CellResult, ...]:
        """The cells without a result."""
        return tuple(result for result in self.results if result.failure is not None)


def sweep(config: Sweep | str | Path, *, overrides: Sequence[str] = (), overwrite: bool = False) -> SweepDone:
    """Run every cell of a sweep that is not complete, then write `index.html` and `cells.jsonl`.

    A cell is complete if its run folder is unaltered and its study, its table and the versions of all packages are
    those of now; any other is run, an interrupted training from its checkpoint on. A cell that fails is recorded and
    the others go on. Cells are ordinary runs: each folder has its report and manifest and is verified alone.

    Arguments:
        config: a YAML sweep, or what `synthclin.study.config.load_sweep` returned.
        overrides: ``KEY=VALUE`` texts about the sweep, as for `load_sweep`.
        overwrite: run complete cells again.

    Returns:
        The cells, worst first. A gate that is missed is no failure: a sweep compares.

    Raises:
        ConfigError: the sweep or a study is wrong; known before anything is fitted.
        DataError: the table of a study is absent; known before anything is fitted.
        OutputError: the folder cannot be written.

    Example:
        >>> done = sweep("sweep.yaml", overrides=["sweep.workers=2"])  # doctest: +SKIP
        >>> [result.cell.name for result in done.failed]  # doctest: +SKIP
        []
    """
    if isinstance(config, Sweep) and overrides:
        raise ConfigError("overrides", "the sweep is loaded already", "Give them to `load_sweep`.")
    grid = config if isinstance(config, Sweep) else load_sweep(config, overrides)
    _refuse_absent_tables(grid)
    states = [state_of(cell) for cell in grid.cells]
    left = [i for i, state in enumerate(states) if overwrite or state != "complete"]
    folder = grid.config.folder / "cells"
    _make(folder)
    jobs = [partial(run_cell, grid.cells[i], resume=states[i] == "unfinished" and not overwrite) for i in left]
    names = [grid.cells[i].name for i in left]
    # Of nothing that is left to run no cluster is needed.
    with engine(None if grid.config.engine == "local" or not left else grid.config.engine, grid.config.sweep.workers):
        failures = dict(zip(left, _run(jobs, names, _workers(grid), folder), strict=True))
    results = sorted(
        (_result(cell, failures.get(i)) for i, cell in enumerate(grid.cells)),
        key=lambda result: (*_severity(result), result.cell.name),
    )
    write_atomic(grid.config.folder / LINES, "".join(f"{_line(result)}\n" for result in results))
    write_atomic(grid.config.folder / INDEX, sweep_index(grid.config.name, [_shown(result) for result in results]))
    return SweepDone(grid.config.folder, tuple(results), len(left))


def dry_run(config: Sweep) -> dict[str, Any]:
    """Return the cells of a sweep and what there is of each as plain data, without training and without writing.

    Raises:
        DataError: the table of a study is absent.
    """
    _refuse_absent_tables(config)
    return {
        "name": config.config.name,
        "folder": config.config.folder.as_posix(),
        "workers": _workers(config),
        "cells": [
            {
                "cell": cell.name,
                "table": cell.study,
                "model": cell.model,
                "parameters": cell.parameters,
                "seed": cell.seed,
                "state": state_of(cell),
            }
            for cell in config.cells
        ],
    }


def _refuse_absent_tables(grid: Sweep) -> None:
    for place in dict.fromkeys(source_file(cell.config) for cell in grid.cells):
        if place is not None:
            refuse_absent(place)


def _make(folder: Path) -> None:
    """Make a folder and its parents, private to their owner."""
    for place in (*reversed(folder.parents), folder):
        if not place.exists():
            private_folder(place)


def _workers(grid: Sweep) -> int:
    """Return in how many processes cells run; a single one with a GPU, which no fork may use."""
    if torch.cuda.is_available():
        return 1
    asked = grid.config.sweep.workers
    return min(processors() if asked is None else asked, len(grid.cells))


def _run(
    jobs: Sequence[partial[Failure | None]], names: Sequence[str], workers: int, folder: Path
) -> list[Failure | None]:
    """Return how each cell ended; a worker that was killed ends those that were not finished."""
    found: dict[int, Failure | None] = {}
    with progress.track("sweep", total=len(jobs), unit="cells") as step:

        def note(number: int, failure: Failure | None) -> None:
            found[number] = failure
            step(1, note=f"{names[number]}{' failed' if failure else ''}")

        try:
            run_all(jobs, workers, done=note, folder=folder)
        except ConfigError:
            raise  # of the cluster, not of a cell
        except SynthclinError as error:
            lost = Failure(error.where, error.what, "Start the sweep again with `--set sweep.workers=1`.")
            found |= {number: lost for number in range(len(jobs)) if number not in found}
    return [found[number] for number in range(len(jobs))]


def _result(cell: Cell, failure: Failure | None) -> CellResult:
    """Return a cell with its report, read from its folder."""
    if failure is not None:
        return CellResult(cell, None, None, failure)
    folder = cell.config.folder
    return CellResult(cell, Report.read(folder / "report.json"), manifest.read(folder), None)


def _severity(result: CellResult) -> tuple[float, ...]:
    return (result.failure is None, *(-result.counts[status] for status in WORST_FIRST[:-1]))


def _shown(result: CellResult) -> SweepRun:
    """Return a cell as the index shows it."""
    cell = result.cell
    return SweepRun(
        name=cell.name,
        table=cell.study,
        model=cell.model,
        seed=cell.seed,
        page=f"cells/{cell.name}/report.html",
        report=result.report,
        failure=result.failure,
    )


def _line(result: CellResult) -> str:
    """Return the line of a cell, JSON with sorted keys; only `seconds` depends on the machine."""
    cell, report = result.cell, result.report
    line: dict[str, Any] = {
        "cell": cell.name,
        "table": cell.study,
        "model": cell.model,
        "family": cell.config.model.type,
        "parameters": {"type": cell.config.model.type, **cell.config.model.parameters},
        "seed": cell.seed,
        "folder": f"cells/{cell.name}",
        "status": "complete" if result.failure is None else "failed",
        "error": None if result.failure is None else result.failure._asdict(),
        "seconds": dict(result.record.seconds) if result.record else None,
        "versions": result.record.versions if result.record else None,
        "rows": result.record.rows if result.record else None,
        "gates": [
            {"gate": v.gate.text, "score": v.gate.score, "status": v.status, "value": v.value}
            for v in (report.verdicts if report else ())
        ],
        "scores": {
            score.name: {
                key: getattr(score, key) for key in ("value", "low", "high", "better", "reference", "baseline")
            }
            for score in (report.scores if report else ())
        },
    }
    return json.dumps(json.loads(dump_json(line)), sort_keys=True, ensure_ascii=False)

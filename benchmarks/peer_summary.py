"""A Markdown table of the lines of `peers.py`: median over seeds, with the lowest and the highest; failures by name."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence

__all__ = ["FIGURES", "markdown"]

Figures = dict[str, tuple[Callable[[dict], float | None], int]]

FIGURES: Figures = {
    "C2ST AUC, holdout": (lambda line: line["independent"].get("c2st_holdout"), 3),
    "C2ST AUC, training rows": (lambda line: line["independent"].get("c2st_train"), 3),
    "TSTR - TRTR": (lambda line: line["independent"].get("tstr_less_trtr"), 3),
    "TRTR": (lambda line: line["independent"].get("trtr"), 3),
    "MIA, nearest neighbour": (lambda line: line["independent"].get("mia"), 3),
    "unseen pairs": (lambda line: line["independent"].get("unseen_pairs"), 3),
    "marginals": (lambda line: _score(line, "fidelity.marginals"), 3),
    "pairs": (lambda line: _score(line, "fidelity.pairs"), 3),
    "associations": (lambda line: _score(line, "fidelity.associations"), 3),
    "missingness": (lambda line: _score(line, "fidelity.missingness"), 3),
    "detection": (lambda line: _score(line, "fidelity.detection"), 3),
    "utility": (lambda line: _score(line, "utility."), 3),
    "membership": (lambda line: _score(line, "privacy.membership"), 3),
    "rules": (lambda line: _score(line, "validity.rules"), 3),
    "CPU s of fit": (lambda line: line.get("fit_seconds"), 1),
    "CPU s of sampling": (lambda line: line.get("sample_seconds"), 1),
    "peak, MB": (lambda line: line.get("peak_mb"), 0),
}
"""Each column of the table: where a line has its figure, and its decimals."""


def _score(line: dict, name: str) -> float | None:
    return next((values[0] for found, values in line["scores"].items() if found.startswith(name)), None)


def markdown(lines: list[dict], shown: Sequence[str] = ()) -> str:
    """Return a table for each table and number of rows: a line for each model and version, failures named.

    Arguments:
        lines: of `peers.py`.
        shown: names of `FIGURES`; all of them, if none is given.
    """
    figures = {name: FIGURES[name] for name in shown or FIGURES}
    groups: dict[tuple, dict[tuple, list[dict]]] = {}
    # The last line of a cell counts: a failure may have been tried again.
    for line in {
        tuple(line[key] for key in ("table", "rows", "seed", "model", "version")): line for line in lines
    }.values():
        models = groups.setdefault((line["table"], line["rows"]), {})
        models.setdefault((line["model"], line["version"]), []).append(line)
    return "\n\n".join(_block(table, rows, models, figures) for (table, rows), models in groups.items())


def _block(table: str, rows: int, models: dict[tuple, list[dict]], figures: Figures) -> str:
    some = next(iter(next(iter(models.values()))))
    out = [f"### {table}, {rows:,} training rows, {some['columns']} columns, {some['holdout']:,} holdout rows", ""]
    out += [f"| model | seeds | {' | '.join(figures)} |", "|" + "---|" * (len(figures) + 2)]
    reference = [line for lines in models.values() for line in lines if line["status"] == "ok"]
    if reference:
        out.append(_reference({line["seed"]: line for line in reference}.values(), figures))
    failures = []
    for (model, version), lines in models.items():
        good = [line for line in lines if line["status"] == "ok"]
        name = model if version == "bootstrap" else f"{model} ({version})"
        if good:
            cells = [_cell([read(line) for line in good], digits) for read, digits in figures.values()]
            out.append(f"| {name} | {len(good)} | {' | '.join(cells)} |")
        failures += [f"- {name}, seed {line['seed']}: {line['reason']}" for line in lines if line["status"] == "failed"]
    return "\n".join([*out, *(["", "Failed:", "", *failures] if failures else [])])


def _reference(lines: Iterable[dict], figures: Figures) -> str:
    """Return the line of holdout rows in the place of synthetic rows, one line a seed."""
    lines = list(lines)
    own = {
        "C2ST AUC, holdout": [line["independent"].get("c2st_reference") for line in lines],
        "unseen pairs": [line["independent"].get("unseen_pairs_holdout") for line in lines],
        "TRTR": [line["independent"].get("trtr") for line in lines],
    }
    cells = []
    for name, (read, digits) in figures.items():
        if name in own:
            cells.append(_cell(own[name], digits))
            continue
        # The score's own reference, read like the score.
        swapped = [{"scores": {n: [v] for n, v in line["reference"].items()}, "independent": {}} for line in lines]
        cells.append(_cell([read(line) for line in swapped], digits))
    return f"| holdout rows | {len(lines)} | {' | '.join(cells)} |"


def _cell(values: list[float | None], digits: int) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, middle, high = (f"{f(known):,.{digits}f}" for f in (min, statistics.median, max))
    text = middle if len(known) == 1 else f"{middle} ({low} to {high})"
    return text if len(known) == len(values) else f"{text}, {len(known)} of {len(values)}"

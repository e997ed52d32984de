"""From one visit to the next: the context of a visit as columns of the network and as features of the linear means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from synthclin.models.visits.history import History
from synthclin.models.visits.variables import MISSING, POOLED, Levels, Variables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from synthclin.models.visits.line import Line

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

__all__ = [
    "Patients",
    "Scales",
    "code_of",
    "context",
    "features",
    "indicators",
    "label",
    "labels_of",
    "own_features",
    "own_width",
    "shared_width",
]

MOST_MEDIANS = 100
"""Visit numbers with a median gap of their own at most."""


@dataclass(frozen=True, slots=True)
class Patients:
    """What is known of each patient beside the visits.

    Arguments:
        count: (patients,) number of visits.
        slack: (patients,) follow-up after the last visit, NaN where unknown.
        numbers: (patients, lines) standardised static numbers.
        codes: (patients, levels) static codes.
    """

    count: Ints
    slack: Floats
    numbers: Floats
    codes: Ints

    def __getitem__(self, who: Ints) -> Patients:
        return Patients(self.count[who], self.slack[who], self.numbers[who], self.codes[who])


@dataclass(frozen=True, slots=True)
class Scales:
    """Scales of time, each an average of many patients.

    Arguments:
        gaps: median distance of the second visit from the first, of the third from the second, and so on; the last
            one is that of all later visits.
        span: median time from the first visit to the last.
        slack: median follow-up after the last visit.
    """

    gaps: tuple[float, ...]
    span: float
    slack: float

    @classmethod
    def fit(cls, time: Floats, patient: Ints, slack: Floats, limit: int) -> Self:
        """Return the scales of (rows,) visits, sorted by patient and time, and of (patients,) slacks."""
        number = np.arange(len(patient)) - np.unique(patient, return_index=True)[1][patient]
        later = np.flatnonzero(number > 0)
        gap, before = time[later] - time[later - 1], number[later]
        gaps = []
        for k in range(1, MOST_MEDIANS):
            here = gap[before == k]
            if len(here) < max(limit, 2):
                break
            gaps.append(_rounded(np.median(here)))
        rest = gap[before > len(gaps)]
        if len(rest) >= max(limit, 2) or not gaps:
            gaps.append(_rounded(np.median(rest if len(rest) else gap)))
        spans = pd.Series(time).groupby(patient).agg(lambda each: each.max() - each.min()).to_numpy()
        known = slack[np.isfinite(slack)]
        typical = _rounded(np.median(known)) if len(known) else 1.0
        return cls(tuple(gaps), _rounded(np.median(spans)) or gaps[0], max(typical, 1e-9))

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Self:
        """Return the scales from plain data; raises LookupError, TypeError or ValueError."""
        gaps = tuple(float(gap) for gap in state["gaps"])
        span, slack = float(state["span"]), float(state["slack"])
        if not gaps or not all(np.isfinite(each) and each > 0 for each in (*gaps, span, slack)):
            raise ValueError("scales of time are above 0")
        return cls(gaps, span, slack)

    @property
    def state(self) -> dict[str, Any]:
        """The fitted numbers, as plain data."""
        return {"gaps": list(self.gaps), "span": self.span, "slack": self.slack}

    def median(self, number: Ints) -> Floats:
        """Return the median gap before the visits of these numbers, from 1 for the second visit."""
        return np.array(self.gaps)[np.clip(number - 1, 0, len(self.gaps) - 1)]

    def elapsed(self, count: Ints) -> Floats:
        """Return the time from the first visit to the last of so many, by the median gaps."""
        whole = np.concatenate([[0.0], np.cumsum(self.gaps)])
        beyond = np.maximum(count - len(whole), 0) * self.gaps[-1]
        return np.asarray(whole[np.clip(count - 1, 0, len(whole) - 1)] + beyond)

    def ratio(self, gap: Floats, number: Ints) -> Floats:
        """Return the log of a gap over the median gap of its visit number."""
        return np.log(np.maximum(gap, 1e-12) / self.median(number))


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def label(code: int) -> str:
    """Return the text of a code in the tables of the inner models."""
    return f"c{code}"


def code_of(text: str) -> int:
    """Return the code of a text that `label` returned."""
    return int(text[1:])


def labels_of(codes: Ints) -> pd.Series:
    """Return (rows,) texts of codes; None where missing or pooled."""
    return pd.Series([None if code < 0 else label(code) for code in codes.tolist()], dtype=object)


def context(variables: Variables, scales: Scales, patients: Patients, history: History, who: Ints) -> pd.DataFrame:
    """Return the context of the next visit of the patients `who` as columns: a slim one, for the network."""
    number, these = history.number[who], patients[who]
    columns: dict[str, Any] = {
        "number": number,
        "left": these.count - number - 1,
        "time": (history.time[who] - history.start[who]) / scales.span,
        "gap before": np.where(number > 1, history.gap[who], np.nan),
        "slack": np.log1p(these.slack / scales.slack),
    }
    for j, levels in enumerate(variables.static_levels):
        columns[f"static {levels.name}"] = labels_of(these.codes[:, j])
    for j, levels in enumerate(variables.levels):
        columns[f"last {levels.name}"] = labels_of(history.level[who, j])
        columns[f"age {levels.name}"] = history.level_age[who, j]
        columns[f"changes {levels.name}"] = history.changes[who, j]
    for j, line in enumerate(variables.lines):
        columns[f"last {line.name}"] = history.last[who, j]
        columns[f"age {line.name}"] = history.age[who, j]
    return pd.DataFrame(columns)


def features(
    variables: Variables, scales: Scales, patients: Patients, history: History, who: Ints, ratio: Floats, now: Ints
) -> Floats:
    """Return the (visits, features) that all linear means share.

    Arguments:
        variables: the columns.
        scales: of time.
        patients: all of them.
        history: of their visits so far.
        who: (visits,) patients with a further visit.
        ratio: (visits,) standardised log distance of the visit from the one before.
        now: (visits, levels) codes at the visit; MISSING where missing.
    """
    number, these = history.number[who], patients[who]
    left = (these.count - number - 1).astype(np.float64)
    near, last = np.exp(-left / 2), (left == 0).astype(np.float64)
    slack = np.log1p(np.nan_to_num(these.slack) / scales.slack)
    # The time to the end of follow-up, about: many values change before it.
    rest = scales.elapsed(these.count) - scales.elapsed(number + 1) + np.nan_to_num(these.slack)
    until = np.log1p(np.maximum(rest, 0) / scales.span)
    elapsed = (history.time[who] - history.start[who]) / scales.span
    gap = np.clip(ratio, -3, 3)
    parts = [
        np.column_stack([number, np.log(number), elapsed, gap, np.clip(history.gap[who], -3, 3), left, near, last]),
        np.column_stack([slack, last * slack, until, until**2]),
        these.numbers,
        these.numbers * near[:, None],
        np.nan_to_num(history.last[who]),
        history.unseen(who),
    ]
    for j, levels in enumerate(variables.static_levels):
        held = indicators(these.codes[:, j], levels)
        parts += [held, held * near[:, None], held * (last * np.exp(-slack))[:, None], held * until[:, None]]
    for j, levels in enumerate(variables.levels):
        before, here = history.level[who, j], now[:, j]
        parts += [indicators(before, levels), indicators(np.where(here == MISSING, before, here), levels)]
        parts.append((here == MISSING).astype(np.float64)[:, None])
    return np.concatenate(parts, axis=1)


def own_features(
    history: History, who: Ints, place: int, line: Line, ratio: Floats, moved: Floats
) -> tuple[Floats, Any]:
    """Return the features of one line's mean beside the shared ones, and which of all of these are hardly penalised.

    Arguments:
        history: before the visit.
        who: (visits,) patients.
        place: of the line among all.
        line: the column.
        ratio: (visits,) standardised log distance of the visit from the one before.
        moved: (visits, lines before) change of the columns before at this visit.
    """
    own, unseen = history.own(who, place), history.unseen(who)[:, [place]]
    gap, age = np.clip(ratio, -3, 3)[:, None], history.age[who, place].astype(np.float64)[:, None]
    away = own[:, :1] - own[:, 1:2]
    # The value at a spike, such as a detection limit, says less of the next one than its distance from others.
    spike = (line.at_spike(own[:, 0])[:, None] == np.arange(len(line.spikes))) & (unseen == 0)
    # The more values are known, the more their mean says: that of a single one is the value itself.
    few = own[:, :2] / np.maximum(history.seen[who, place], 1)[:, None]
    parts = [own[:, :2], unseen, few, spike, own[:, 2:], own[:, :1] * gap, away * gap, away * age, moved]
    mine = np.concatenate(parts, axis=1, dtype=np.float64)
    free = np.zeros(mine.shape[1], dtype=np.bool_)
    free[: 5 + len(line.spikes)] = True
    return mine, free


def own_width(place: int, line: Line) -> int:
    """Return the number of `own_features` of a line."""
    return 12 + len(line.spikes) + place


def shared_width(variables: Variables) -> int:
    """Return the number of `features`."""
    static, lines = len(variables.static_lines), len(variables.lines)
    held = sum(len(levels.codes) + 1 for levels in variables.static_levels)
    return 12 + 2 * static + 2 * lines + 4 * held + sum(2 * len(levels.codes) + 3 for levels in variables.levels)


def indicators(codes: Ints, levels: Levels) -> Floats:
    """Return (rows, codes + 1) which code each row has; the last column is for pooled levels."""
    kept = np.array([*levels.codes, POOLED])
    return np.asarray(codes[:, None] == kept, dtype=np.float64)

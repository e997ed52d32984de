"""What is known of each patient before a visit: the context of the next visit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synthclin.models.visits.variables import MISSING

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

__all__ = ["History"]

MOST_AGE = 4
"""Visits since a value was last observed, from which on they count the same."""


MOST_CHANGES = 3
"""Changes of a level, from which on they count the same."""


class History:
    """Running state of the visits of several patients, filled visit by visit; the same for real and sampled ones.

    Arguments:
        patients: how many.
        lines: numbers that differ between visits.
        levels: columns of levels that differ between visits.

    Attributes:
        number: (patients,) visits so far.
        start: (patients,) time of the first visit.
        time: (patients,) time of the last one.
        gap: (patients,) standardised log distance between the last two, 0 before the second.
        last: (patients, lines) last observed value, NaN where there is none; `before` the one before it.
        first: (patients, lines) first observed value.
        total: (patients, lines) sum of the `seen` observed values.
        low: (patients, lines) lowest observed value; `high` the highest.
        age: (patients, lines) visits since the last observed value, 0 if it is of the last visit.
        level: (patients, levels) last observed code, MISSING where there is none, or POOLED.
        level_age: (patients, levels) visits since then.
        changes: (patients, levels) changes of the observed code so far, `MOST_CHANGES` at most.
    """

    def __init__(self, patients: int, lines: int, levels: int) -> None:
        self.number = np.zeros(patients, dtype=np.int64)
        self.start, self.time, self.gap = (np.zeros(patients) for _ in range(3))
        self.last, self.before, self.first, self.low, self.high = (np.full((patients, lines), np.nan) for _ in range(5))
        self.total, self.seen = np.zeros((patients, lines)), np.zeros((patients, lines))
        self.age = np.full((patients, lines), MOST_AGE, dtype=np.int64)
        self.level = np.full((patients, levels), MISSING, dtype=np.int64)
        self.level_age = np.full((patients, levels), MOST_AGE, dtype=np.int64)
        self.changes = np.zeros((patients, levels), dtype=np.int64)

    def take(self, index: Ints) -> History:
        """Return the histories of some patients, (index,), who may repeat."""
        found = History(0, 0, 0)
        for name, state in vars(self).items():
            setattr(found, name, state[index])
        return found

    def observe(self, who: Ints, time: Floats, gap: Floats, values: Floats, codes: Ints) -> None:
        """Add the next visit of the patients `who`.

        Arguments:
            who: (visits,) the patients, each once.
            time: (visits,) of the visit.
            gap: (visits,) standardised log distance from the visit before.
            values: (visits, lines), NaN where missing.
            codes: (visits, levels), MISSING or POOLED where there is none that can be sampled.
        """
        begins = self.number[who] == 0
        self.start[who] = np.where(begins, time, self.start[who])
        self.time[who], self.gap[who] = time, np.where(begins, 0.0, gap)
        self.number[who] += 1
        known = np.isfinite(values)
        plain = np.where(known, values, 0.0)
        self.before[who] = np.where(known, self.last[who], self.before[who])
        self.last[who] = np.where(known, values, self.last[who])
        self.first[who] = np.where(known & np.isnan(self.first[who]), values, self.first[who])
        self.low[who] = np.where(known, np.fmin(self.low[who], values), self.low[who])
        self.high[who] = np.where(known, np.fmax(self.high[who], values), self.high[who])
        self.total[who] += plain
        self.seen[who] += known
        self.age[who] = np.where(known, 0, np.minimum(self.age[who] + 1, MOST_AGE))
        told = codes != MISSING
        other = told & (self.level[who] != MISSING) & (codes != self.level[who])
        self.changes[who] = np.minimum(self.changes[who] + other, MOST_CHANGES)
        self.level[who] = np.where(told, codes, self.level[who])
        self.level_age[who] = np.where(told, 0, np.minimum(self.level_age[who] + 1, MOST_AGE))

    def own(self, who: Ints, line: int) -> Floats:
        """Return (visits, 6) features of a line: last, mean, one before, first, lowest, highest; 0 where unseen."""
        last = self.last[who, line]
        mean = self.total[who, line] / np.maximum(self.seen[who, line], 1)
        before = np.where(np.isnan(self.before[who, line]), last, self.before[who, line])
        each = (last, mean, before, self.first[who, line], self.low[who, line], self.high[who, line])
        return np.asarray(np.nan_to_num(np.column_stack(each)), dtype=np.float64)

    def unseen(self, who: Ints) -> Floats:
        """Return (visits, lines) 1 where a line was never observed, else 0."""
        return np.asarray(self.seen[who] == 0, dtype=np.float64)

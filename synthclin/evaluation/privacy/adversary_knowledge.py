"""The adversary's knowledge: quasi-identifiers and sensitive columns, declared in the schema or by default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from synthclin.language import tr

if TYPE_CHECKING:
    from synthclin.evaluation.comparison import Comparison

__all__ = ["Knowledge"]

_KEY_SIZES = (2, 3, 4, 5)
_MOST_SENSITIVE = 4
_OUTCOMES = {"event", "outcome"}


@dataclass(frozen=True, slots=True)
class Knowledge:
    """The adversary's knowledge, as places of columns in `Features`.

    Arguments:
        keys: sets of known columns: the declared quasi-identifiers, or else one random set of each size from 2 to 5;
            each patient is assigned to one set; empty where every column is sensitive.
        sensitive_columns: the declared sensitive columns, or else events and outcomes, or else random ones; at most 4.
        declared: whether the schema declares quasi-identifiers.
        note: the defaults in place of missing declarations, as sentences; empty where there are none.
    """

    keys: tuple[tuple[int, ...], ...]
    sensitive_columns: tuple[int, ...]
    declared: bool
    note: str

    @classmethod
    def of(cls, c: Comparison) -> Knowledge:
        """Read the declarations of a schema."""
        rng = c.rng("privacy", "knowledge")
        columns = [feature.column for feature in c.features.columns]
        summaries = [feature.summary for feature in c.features.columns]
        varied = [j for j in range(len(columns)) if len(np.unique(c.train[:, j])) > 1]
        sensitive_columns = [
            j for j, column in enumerate(columns) if column.disclosure == "sensitive" and summaries[j] is None
        ]
        known = tuple(j for j, column in enumerate(columns) if column.disclosure == "quasi_identifier")
        notes = []
        if not known:
            notes.append(tr("No quasi-identifier is declared: random sets of 2 to 5 columns are used."))
        if not sensitive_columns:
            sensitive_columns = [j for j in varied if columns[j].role in _OUTCOMES and j not in known]
            notes.append(tr("No column is declared sensitive: events and outcomes are used."))
        if not sensitive_columns:
            left = [j for j in varied if j not in known and summaries[j] is None]
            sensitive_columns = (
                sorted(rng.choice(left, min(2, len(left), max(1, len(columns) - 1)), replace=False).tolist())
                if left
                else []
            )
            notes[-1] = tr("No column is declared sensitive: random ones are used.")
        if len(sensitive_columns) > _MOST_SENSITIVE:
            sensitive_columns = sorted(rng.choice(sensitive_columns, _MOST_SENSITIVE, replace=False).tolist())
            notes.append(tr("{most} of the sensitive columns were chosen at random.", most=_MOST_SENSITIVE))
        # Of a table of visits the known columns are static ones and those of the first visit.
        open_columns = [j for j in range(len(columns)) if j not in sensitive_columns and summaries[j] is None]
        keys = (known,) if known else _random_sets(open_columns, rng)
        return cls(keys, tuple(sensitive_columns), bool(known), " ".join(notes))


def _random_sets(columns: list[int], rng: np.random.Generator) -> tuple[tuple[int, ...], ...]:
    sets = (rng.choice(columns, size, replace=False) for size in _KEY_SIZES if size <= len(columns))
    return tuple(tuple(sorted(each.tolist())) for each in sets) or ((tuple(columns),) if columns else ())

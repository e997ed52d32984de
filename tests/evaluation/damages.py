"""Faults that a synthetic table of the clinic's trial can have, one at a time, so that what sees each is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from .clinic import shuffled

__all__ = ["DAMAGES"]


def _some(table: pd.DataFrame, share: float) -> pd.Series[bool]:
    return pd.Series(np.random.default_rng(0).random(len(table)) < share, table.index)


def _women(table: pd.DataFrame) -> pd.Series[bool]:
    return table["sex"] == "F"


def _swapped(table: pd.DataFrame, column: str, one: str, other: str) -> pd.DataFrame:
    levels = table[column]
    return table.assign(**{column: levels.mask(levels == one, other).mask(levels == other, one)})


def _tie_lost(table: pd.DataFrame) -> pd.DataFrame:
    """Weight no longer goes along with body mass; the same cells are missing."""
    weight = table["weight"].copy()
    weight[weight.notna()] = np.random.default_rng(0).permutation(weight.dropna())
    return table.assign(weight=weight)


def _tie_invented(table: pd.DataFrame) -> pd.DataFrame:
    """The old were seen last, though the day goes along with nothing."""
    seen = table["seen"].to_numpy().copy()
    seen[table["age"].to_numpy(dtype=float).argsort(kind="stable")] = np.sort(seen)
    return table.assign(seen=seen)


def _missing_of_others(table: pd.DataFrame) -> pd.DataFrame:
    """As many cells are missing, and together, but no longer more often of men."""
    columns, rng, filled = ["bmi", "weight"], np.random.default_rng(0), table.copy()
    for women in (True, False):
        seen, holes = (
            table.index[(_women(table) == women) & (table["bmi"].isna() == empty)] for empty in (False, True)
        )
        filled.loc[holes, columns] = table.loc[rng.choice(seen, len(holes)), columns].to_numpy()
    filled.loc[rng.permutation(table.index)[: table["bmi"].isna().sum()], columns] = np.nan
    return filled


def _old_on_the_drug(table: pd.DataFrame) -> pd.DataFrame:
    age = table["age"].to_numpy(dtype=float) + np.random.default_rng(0).normal(0, 15, len(table))
    return table.assign(arm=pd.Categorical(np.where(age > 60, "drug", "control"), table["arm"].cat.categories))


def _hazards_crossing(table: pd.DataFrame) -> pd.DataFrame:
    """On the drug nothing happens for long, and then all at once."""
    drug, late = table["arm"] == "drug", np.random.default_rng(0).normal(14, 1, len(table)).round(4)
    return table.assign(months=table["months"].mask(drug, late), end=table["end"].mask(drug, "cardiac"))


def _censored_early(table: pd.DataFrame) -> pd.DataFrame:
    stop = np.random.default_rng(0).uniform(3, 22, len(table)).round(4)
    gone = stop < table["months"]
    return table.assign(months=table["months"].mask(gone, stop), end=table["end"].mask(gone, "alive"))


def _women_damaged(table: pd.DataFrame) -> pd.DataFrame:
    """Women are too young for the rules, too heavy, sometimes unknown, with ties, times and outcome of their own."""
    women, bmi = _women(table), table["bmi"] + 6
    return table.assign(
        age=table["age"].mask(women & _some(table, 0.2), 25),
        bmi=table["bmi"].mask(women, bmi.mask(_some(table, 0.3))),
        weight=table["weight"].mask(women, _tie_lost(table)["weight"]),
        seen=table["seen"].mask(women, _tie_invented(table)["seen"]),
        months=table["months"].mask(women, table["months"] / 3),
        died=table["died"].mask(women, 1 - table["died"]),
    )


def _women_left_out(table: pd.DataFrame) -> pd.DataFrame:
    men = table[~_women(table)].sample(len(table), replace=True, random_state=0).set_axis(table.index)
    return table.mask(_women(table) & _some(table, 0.5), men).astype(table.dtypes)


DAMAGES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "every column shuffled": shuffled,
    "a tie lost": _tie_lost,
    "a tie invented": _tie_invented,
    "a number shifted": lambda t: t.assign(weight=t["weight"] + 8),
    "a range left": lambda t: t.assign(bmi=t["bmi"] + 60),
    "tails cut": lambda t: t.assign(weight=t["weight"].clip(*t["weight"].quantile([0.1, 0.9]))),
    "heaped on tens": lambda t: t.assign(age=((t["age"] + 5) // 10 * 10).astype("Int64")),
    "a rare level dropped": lambda t: t.assign(rhythm=t["rhythm"].mask(t["rhythm"] == "flutter", "sinus")),
    "levels met that never meet": lambda t: t.assign(
        rhythm=t["rhythm"].mask((t["nyha"] == "I") & _some(t, 0.3), "paced")
    ),
    "missing at random": lambda t: t.assign(bmi=t["bmi"].mask(_some(t, 0.15))),
    "missing of others": _missing_of_others,
    "a rule broken": lambda t: t.assign(age=t["age"].mask(_some(t, 0.05), 25)),
    "outcome turned": lambda t: t.assign(died=1 - t["died"]),
    "outcome too frequent": lambda t: t.assign(died=t["died"].mask(_some(t, 0.6), 1)),
    "sexes swapped": lambda t: _swapped(t, "sex", "F", "M"),
    "arms swapped": lambda t: _swapped(t, "arm", "control", "drug"),
    "the old on the drug": _old_on_the_drug,
    "hazards crossing": _hazards_crossing,
    "twice as slow": lambda t: t.assign(months=(t["months"] * 2).clip(upper=40)),
    "censored early": _censored_early,
    "causes swapped": lambda t: _swapped(t, "end", "cardiac", "other"),
    "women damaged": _women_damaged,
    "women left out": _women_left_out,
}

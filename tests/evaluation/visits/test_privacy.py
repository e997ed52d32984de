"""Privacy of patients with visits: a copied patient, visit or run of gaps is found; a table without a leak passes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthclin.evaluation import scoring
from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.gates import default_gates, judge
from synthclin.evaluation.held_cells import HeldCells
from synthclin.evaluation.privacy.attack_data import AttackData
from synthclin.evaluation.privacy.copies import copies
from synthclin.evaluation.privacy.linkability import _halves
from synthclin.evaluation.privacy.membership import membership
from synthclin.evaluation.privacy.near_copies import near_copies
from synthclin.evaluation.score import Score
from synthclin.evaluation.sections import marginal_panels, sections
from synthclin.evaluation.visits.copied_parts import copied_gaps, copied_visits
from synthclin.evaluation.visits.patient_vectors import patient_vectors

from .cohort import SCHEMA, cohort, compared

_COPIED = 30


def status(score: Score) -> str:
    (verdict,) = judge(default_gates([score]), [score])
    return verdict.status


def _first(table: pd.DataFrame, patients: int) -> pd.DataFrame:
    return table[table["patient"].isin(table["patient"].unique()[:patients])]


@pytest.fixture(scope="module")
def leak_free() -> Comparison:
    return compared(cohort(150, 3))


@pytest.fixture(scope="module")
def leaking() -> Comparison:
    """A fifth of the synthetic patients are training patients with all their visits."""
    kept = cohort(150, 3)
    kept = kept[~kept["patient"].isin(kept["patient"].unique()[:_COPIED])]
    return compared(pd.concat([_first(cohort(150, 1), _COPIED), kept], ignore_index=True))


def test_a_copied_patient_is_found_as_one(leaking: Comparison) -> None:
    score = copies(patient_vectors(leaking))
    assert score.details is not None
    assert (score.n, score.details["copies"]) == (150, _COPIED)
    assert score.details["copied_rows"] == list(range(1, _COPIED + 1))
    assert status(score) == "FAIL"


@pytest.mark.parametrize("attack", [copies, membership])
def test_a_table_without_a_leak_is_not_flagged(attack: object, leak_free: Comparison) -> None:
    score = attack(patient_vectors(leak_free))  # type: ignore[operator]
    assert status(score) in {"PASS", "REVIEW", "NOT ASSESSABLE"}
    assert score.low <= (0.5 if attack is membership else 0.0)


def test_near_copies_raise_no_alarm_without_a_leak(leak_free: Comparison) -> None:
    assert near_copies(patient_vectors(leak_free)).low <= 0


def test_membership_of_copied_patients_is_found(leaking: Comparison) -> None:
    whole = compared(cohort(150, 1))
    assert membership(patient_vectors(whole)).value > 0.95
    assert membership(patient_vectors(leaking)).value > 0.55


def test_members_are_patients_not_visits(leak_free: Comparison) -> None:
    data = AttackData.of(patient_vectors(leak_free))
    assert len(data.train) == 150
    assert data.train.table is None  # one row each: what repeats at each visit counts once


def test_the_summaries_of_a_column_are_in_one_data_set(leak_free: Comparison) -> None:
    data = AttackData.of(patient_vectors(leak_free))
    features = data.features.columns
    for one, other in _halves(data):
        sources = [{features[j].summarised or features[j].name for j in part} for part in (one, other)]
        assert not sources[0] & sources[1]
        assert sorted((*one, *other)) == list(range(len(features)))


def test_an_attacker_knows_no_summaries() -> None:
    columns = {
        name: column.model_copy(update={"disclosure": None, "role": None if name == "died" else column.role})
        for name, column in SCHEMA.columns.items()
    }
    c = compared(cohort(60, 3), patients=60)
    c = Comparison.of(
        c.tables.synthetic, train=c.tables.train, holdout=c.tables.holdout,
        schema=SCHEMA.model_copy(update={"columns": columns}),
    )  # fmt: skip
    data = AttackData.of(patient_vectors(c))
    known = {j for keys in data.knowledge.keys for j in keys} | set(data.knowledge.sensitive_columns)
    assert known
    assert all(data.features.columns[j].summary is None for j in known)


def test_a_single_copied_visit_in_other_patients_is_found() -> None:
    train, table = cohort(150, 1), cohort(150, 3)
    values = ["sbp", "crp", "grade", "ward"]
    rows = np.arange(0, len(table), 20)
    source = train.dropna().iloc[: len(rows)]
    for name in values:
        table.loc[rows, name] = source[name].to_numpy()
    score = copied_visits(compared(table))
    assert score.details is not None
    assert score.details["copies"] == table.loc[rows, "patient"].nunique()
    assert status(score) == "FAIL"
    # The patients are not copies, and their gaps are their own.
    assert copies(patient_vectors(compared(table))).value == 0.0
    assert copied_gaps(compared(table)) == copied_gaps(compared(cohort(150, 3)))


@pytest.mark.parametrize("dates", [False, True])
def test_copied_gaps_are_found_at_other_dates(dates: bool) -> None:
    train, table = cohort(150, 1, dates=dates), cohort(150, 3, dates=dates)
    long = [name for name, rows in train.groupby("patient", sort=False) if len(rows) >= 5][:20]
    taken = [name for name, rows in table.groupby("patient", sort=False) if len(rows) >= 5][:20]
    for mine, theirs in zip(taken, long, strict=True):
        rows = table.index[table["patient"] == mine][:4]
        source = train.loc[train["patient"] == theirs, "day"].iloc[:4]
        # Their first four visits, at another time: gaps alone are copied.
        first = table.loc[rows[0], "day"]
        table.loc[rows, "day"] = (first + (source - source.iloc[0])).to_numpy()
    score = copied_gaps(compared(table, dates=dates))
    assert score.details is not None
    assert score.details["copies"] >= 18
    assert status(score) == "FAIL"
    assert status(copied_gaps(compared(cohort(150, 3, dates=dates), dates=dates))) == "PASS"


def test_gaps_of_a_schedule_belong_to_nobody() -> None:
    """Where all patients come each 28 days, equal gaps are no copies."""
    tables = []
    for seed in (1, 2, 3):
        table = cohort(60, seed)
        turn = table.groupby("patient", sort=False).cumcount()
        tables.append(table.assign(day=pd.array(28 * turn, dtype="Int64"), followed=pd.array([500] * len(table))))
    c = Comparison.of(tables[2], train=tables[0], holdout=tables[1], schema=SCHEMA)
    score = copied_gaps(c)
    assert status(score) == "PASS"
    assert score.details is not None
    assert score.details["copies"] == 0
    assert score.details is not None
    assert score.details["copies_of_repeated_rows"] > 0


def test_short_tables_give_a_reason() -> None:
    table = cohort(60, 3).groupby("patient", sort=False).head(2).reset_index(drop=True)
    score = copied_gaps(compared(table, patients=60))
    assert np.isnan(score.value)
    assert score.note


def test_a_copied_patient_is_named_by_its_first_row(leaking: Comparison) -> None:
    score = scoring._of_patients(copies, patient_vectors(leaking), leaking)
    assert score.note.endswith("summaries of all visits.")
    assert score.details is not None
    first = np.flatnonzero(~leaking.tables.synthetic.duplicated("patient"))[:_COPIED] + 1
    assert score.details["copied_rows"] == first.tolist()


def test_many_visits_of_one_patient_are_a_small_cell() -> None:
    tables = [cohort(60, seed) for seed in (1, 2, 3)]
    one = tables[0]["patient"] == tables[0]["patient"].iloc[-1]
    many = pd.concat([tables[0], *[tables[0][one].assign(day=tables[0][one]["day"] + 500 * k) for k in range(1, 9)]])
    ward = many["ward"].astype(str).where(many["patient"] != many["patient"].iloc[-1], "attic")
    tables = [many.assign(ward=ward), *tables[1:]]
    levels = ["north", "south", "west", "attic"]
    columns = {**SCHEMA.columns, "ward": SCHEMA.columns["ward"].model_copy(update={"categories": tuple(levels)})}
    schema = SCHEMA.model_copy(update={"columns": columns})
    tables = [t.assign(ward=pd.Categorical(t["ward"].astype(str), categories=levels)) for t in tables]
    assert (tables[0]["ward"] == "attic").sum() >= 11
    c = Comparison.of(tables[2], train=tables[0].reset_index(drop=True), holdout=tables[1], schema=schema)
    panel = next(panel for panel in marginal_panels(c) if panel["column"] == "ward")
    assert "attic" not in panel["labels"]
    assert panel["labels"][-1] == "other (2 levels)"


def test_table_one_is_of_patients_at_the_first_visit(leak_free: Comparison) -> None:
    found = sections(leak_free)
    assert found["patients"] == {"train": 150, "holdout": 150, "synthetic": 150}
    assert found["rows"]["train"] == len(leak_free.train)
    blocks = {block["column"]: block for block in found["table_one"]}
    assert sum(row["real"]["n"] for row in blocks["arm"]["levels"]) == 150
    assert sum(row["real"]["n"] for row in blocks["ward"]["levels"]) == 150
    first = leak_free.tables.train.groupby("patient", sort=False)["sbp"].first()
    assert blocks["sbp"]["real"]["mean"] == pytest.approx(first.mean())
    # Static columns are counted by patient, the others by visit.
    panels = {panel["column"]: panel for panel in found["marginals"]}
    assert sum(panels["arm"]["real"]) == 150
    assert sum(panels["ward"]["real"]) == len(leak_free.train)


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 30)), min_size=1, max_size=120))
def test_merged_cells_have_few_patients_only_where_all_have(rows: list[tuple[int, int]]) -> None:
    cell, who = (np.array(part, dtype=np.intp) for part in zip(*rows, strict=True))
    held = HeldCells.of(cell, who.astype(np.int64), 8)
    runs = held.merged()
    assert [run.start for run in runs] == [0, *(run.stop for run in runs[:-1])]
    assert runs[-1].stop == 8
    for run in runs:
        inside = (cell >= run.start) & (cell < run.stop)
        assert held.holders(run) == len(np.unique(who[inside]))
        assert len(runs) == 1 or not 0 < held.holders(run) < 11

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from synthclin.evaluation.disclosure import is_small, merged_cells, suppressed_count
from synthclin.schema.patients import MIN_PATIENTS


@given(st.lists(st.integers(0, 40), min_size=1, max_size=30))
def test_merged_cells_have_no_small_count_and_lose_none(counts):
    runs = merged_cells(counts)
    assert [i for run in runs for i in range(run.start, run.stop)] == list(range(len(counts)))
    assert len(runs) == 1 or not any(is_small(sum(counts[run])) for run in runs)


def test_only_small_counts_are_suppressed():
    assert suppressed_count(0) == 0
    assert [suppressed_count(n) for n in (1, MIN_PATIENTS - 1)] == [None, None]
    assert suppressed_count(MIN_PATIENTS) == MIN_PATIENTS

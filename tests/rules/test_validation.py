from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from synthclin.errors import DataError
from synthclin.rules.validation import Finding, check, conform
from synthclin.schema import Schema
from synthclin.schema.columns import Boolean, Category, Code, Date, Datetime, Id, Text
from tests.schemas import schemas, simulate

CANARY = "Zx7canary9"
SEEDS = st.integers(0, 2**32 - 1)
WARD = Schema.model_validate(
    {
        "columns": {
            "patient": {"type": "id"},
            "sex": {"type": "category", "categories": ["F", "M"]},
            "nyha": {"type": "ordinal", "categories": ["I", "II", "III", "IV"]},
            "sbp": {"type": "integer", "range": [50, 260], "missing": "allowed"},
            "dbp": {"type": "integer", "range": [20, 160], "missing": "allowed"},
            "pregnant": {"type": "boolean", "missing_when": "sex == 'M'"},
            "note": {"type": "text"},
        },
        "constraints": ["dbp < sbp"],
    }
)


def ward(**changes):
    table = pd.DataFrame(
        {
            "note": ["ok", None, "ok", "ok", "ok", "ok"],
            "patient": [f"P{row}" for row in range(6)],
            "sex": ["F", "F", "M", "M", "F", "M"],
            "nyha": ["I", "II", "III", "IV", "I", "I"],
            "sbp": [120, 130, np.nan, 110, 150, 140],
            "dbp": ["80", "85", "70", "", "90", "95"],
            "pregnant": [True, False, None, None, False, None],
        }
    ).replace("", None)
    return table.assign(**changes)


def lines(table, schema=WARD):
    with pytest.raises(DataError) as caught:
        conform(table, schema)
    assert caught.value.exit_code == 2
    return str(caught.value).splitlines()


def test_a_table_is_put_into_the_order_and_dtypes_of_the_schema():
    table = ward()
    table.index = [3, 3, 5, 6, 7, 8]
    typed = conform(table, WARD)
    assert typed.columns.tolist() == list(WARD.columns)
    assert typed.dtypes.tolist() == [column.dtype for column in WARD.columns.values()]
    assert typed.index.equals(pd.RangeIndex(6))
    assert typed["dbp"].tolist() == [80, 85, 70, pd.NA, 90, 95]


def test_a_text_column_may_be_absent():
    assert "note" not in conform(ward().drop(columns="note"), WARD)


def test_rows_are_reported_with_counts_numbers_and_remedy():
    assert lines(ward(nyha=["I", "V", "I", "0", "I", "I"])) == [
        "column 'nyha': 2 of 6 rows (2, 4) hold a value outside its 4 categories. Add it to `categories`, or recode it."
    ]
    remedy = "Widen `range`, correct it, or recode it as missing."
    assert lines(ward(sbp=[120, 130, 1e3, 110, 150, 140])) == [
        f"column 'sbp': 1 of 6 rows (3) holds a value outside its `range`. {remedy}"
    ]
    assert lines(ward(sex=["F", None, "F", "F", "F", "F"])) == [
        "column 'sex': 1 of 6 rows (2) holds no value. Declare `missing: allowed`, or fill them in."
    ]


def test_only_five_row_numbers_are_printed():
    (line,) = lines(ward(nyha=["?"] * 6))
    assert "6 of 6 rows (1, 2, 3, 4, 5, ...) hold" in line


def test_every_problem_has_a_line_and_ten_at_most():
    found = lines(ward(nyha="?", sex="?", sbp="?"))
    assert [line.split(":")[0] for line in found] == ["column 'sex'", "column 'nyha'", "column 'sbp'"]
    table = ward().assign(**{f"other {number}": 0 for number in range(14)})
    found = lines(table)
    assert len(found) == 11
    assert found[-1].startswith("... and 4 more.")


@pytest.mark.parametrize(
    ("table", "line"),
    [
        (ward().iloc[:0], "table: has no rows. Give at least two."),
        (ward().iloc[:1], "table: has one row. Give at least two."),
        (ward().drop(columns="sex"), "column 'sex': is in the schema, but not in the table"),
        (
            ward(extra=1),
            "column 'extra': is in the table, but not in the schema. Add it to the schema; `type: text` leaves",
        ),
        (ward().set_axis([*"abcdefg"], axis=1), "table: none of its 7 columns is in the schema. Check that this is"),
        (ward().set_axis(range(7), axis=1), "table: none of its 7 columns is in the schema."),
        (pd.DataFrame(index=range(3)), "table: none of its 0 columns is in the schema."),
        (pd.concat([ward(), ward()[["sex"]]], axis=1), "column 'sex': is in the table 2 times. Rename or remove"),
        (ward(sbp=None), "column 'sbp': every cell is missing. Declare `type: text` to leave it out, or remove it."),
        (ward(sex=np.nan), "column 'sex': every cell is missing."),
        (ward(patient=["a", "b", "c", "d", "e", None]), "column 'patient': 1 of 6 rows (6) holds no value."),
        (ward(sbp=[1e308, np.inf, 1, 2, 3, 4]), "column 'sbp': 2 of 6 rows (1, 2) hold something that is not a whole"),
        (
            ward(sbp=["120 ", "1e3x", "1,5", "", "5.5", "150"]),
            "column 'sbp': 5 of 6 rows (1, 2, 3, 4, 5) hold something",
        ),
    ],
    ids=str,
)
def test_bad_tables_get_one_clear_line(table, line):
    assert lines(table)[0].startswith(line)
    assert len(lines(table)) <= 2


def test_a_table_with_one_column_to_learn_is_refused():
    schema = Schema.model_validate({"columns": {"patient": {"type": "id"}, "age": {"type": "number"}}})
    (line,) = lines(pd.DataFrame({"patient": [1, 2], "age": [3, 4]}), schema)
    assert line.startswith("table: has one column to model.")


def test_names_are_not_disclosed_without_a_header():
    table = ward().set_axis([CANARY, *"abcdef"], axis=1)
    assert CANARY not in "".join(lines(table))


def test_undeclared_names_are_reported_only_if_no_column_is_absent():
    lost = ward(**{CANARY: 1, "other": 2}).drop(columns="sex")
    first, second = lines(lost)
    assert first.startswith("column 'sex': is in the schema, but not in the table")
    assert second.startswith("table: 2 of its columns are not in the schema. Check that its first line holds the names")
    assert "1 of its columns is not" in lines(lost.drop(columns="other"))[1]
    twins = pd.concat([lost, lost[[CANARY]]], axis=1)
    assert CANARY not in "".join(lines(twins))
    assert "its columns 7 and 9 have the same name" in "".join(lines(twins))
    assert f"column '{CANARY}'" in "".join(lines(ward(**{CANARY: 1})))


def test_time_zones_are_refused():
    schema = Schema.model_validate({"columns": {"seen": {"type": "datetime"}, "age": {"type": "number"}}})
    moments = pd.Series(pd.to_datetime(["2026-01-01 07:00", "2026-01-02 08:00"]))
    assert len(conform(pd.DataFrame({"seen": moments, "age": [1, 2]}), schema)) == 2
    (line,) = lines(pd.DataFrame({"seen": moments.dt.tz_localize("UTC"), "age": [1, 2]}), schema)
    assert "2 of 2 rows (1, 2) hold something that is not a datetime without time zone" in line


def test_an_id_may_repeat_and_a_constant_column_is_a_warning():
    table = ward(patient="P1", nyha="I")
    assert len(conform(table, WARD)) == 6
    (finding,) = check(table, WARD)
    assert (finding.where, finding.severity) == ("column 'nyha'", "warning")
    assert str(finding).startswith("column 'nyha': every value is the same. ")


def test_violations_are_reported_with_the_treatment_of_the_rows():
    table = ward(dbp=[80, 150, 70, None, 90, 140], pregnant=[True, None, True, None, False, None])
    assert len(conform(table, WARD)) == 6
    remedy = "Correct the rows or the rule, or choose `on_violation: drop` or `keep` for it."
    kept = "They stay in the training rows; no synthetic row violates it."
    assert [str(finding) for finding in check(table, WARD)] == [
        f"rule 'dbp < sbp': 2 of 6 rows (2, 6) violate it. {remedy}",
        f"rule \"if sex == 'M' then pregnant is missing\": 1 of 6 rows (3) violates it. {kept}",
        f"rule \"if not (sex == 'M') then pregnant is not missing\": 1 of 6 rows (2) violates it. {kept}",
    ]
    assert [finding.severity for finding in check(table, WARD)] == ["error", "warning", "warning"]


def test_a_finding_holds_the_numbers():
    (finding,) = check(ward(nyha=["I", "V", "I", "0", "II", "I"]), WARD)
    assert finding == Finding(
        where="column 'nyha'",
        what="2 of 6 rows (2, 4) hold a value outside its 4 categories",
        remedy="Add it to `categories`, or recode it.",
        count=2,
        total=6,
        rows=(2, 4),
        severity="error",
        readable=True,
    )


def test_check_never_raises_and_puts_errors_first():
    table = ward(nyha="?", sex="F", dbp=200).drop(columns="sbp")
    severities = [finding.severity for finding in check(table, WARD)]
    assert severities == sorted(severities)
    assert {"error", "warning"} == set(severities)
    for empty in (pd.DataFrame(), ward().iloc[:0], pd.DataFrame(index=range(3))):
        assert check(empty, WARD)


def test_a_rule_that_cannot_be_judged_is_found_not_raised():
    schema = Schema.model_validate(
        {"columns": {"arm": {"type": "category"}, "age": {"type": "number"}}, "constraints": ["arm == 'A' or age < 5"]}
    )
    (finding,) = check(pd.DataFrame({"arm": [1, 2], "age": [3, 4]}), schema)
    assert finding.severity == "error"
    assert finding.where == "rule \"arm == 'A' or age < 5\""


def test_the_result_shares_no_memory_with_the_input():
    schema = Schema.model_validate({"columns": {"a": {"type": "number"}, "b": {"type": "integer"}}})
    table = pd.DataFrame({"a": [1.0, 2.0], "b": pd.array([1, 2], dtype="Int64")})
    typed = conform(table, schema)
    typed.iloc[0] = 9
    assert table.to_dict("list") == {"a": [1.0, 2.0], "b": [1, 2]}


@settings(max_examples=40, deadline=None)
@given(schema=schemas(), seed=SEEDS)
def test_a_table_simulated_from_a_schema_conforms(schema, seed):
    table = simulate(schema, 12, np.random.default_rng(seed))
    before = table.copy(deep=True)
    typed = conform(table, schema)
    pd.testing.assert_frame_equal(table, before)
    assert typed.columns.tolist() == list(schema.columns)
    for name, column in schema.columns.items():
        if not (isinstance(column, Category | Code) and column.levels is None):
            assert typed[name].dtype == column.dtype
    pd.testing.assert_frame_equal(conform(typed, schema), typed)
    assert not [finding for finding in check(table, schema) if finding.severity == "error"]


FAULTS = {
    "canary": (
        CANARY,
        lambda column: not isinstance(column, Category | Code | Id | Text) or column.levels is not None,
    ),
    "missing": (None, lambda column: not column.may_be_missing),
    "infinite": (float("inf"), lambda column: not isinstance(column, Text)),
    "huge": (7.3519e200, lambda column: column.is_numeric),
    "below": (-7.3519e8, lambda column: column.is_numeric and column.range is not None and column.range[0] > -7e8),
    "list": ([CANARY], lambda column: not isinstance(column, Text)),
    "far": (
        pd.Timestamp("2199-09-09"),
        lambda column: isinstance(column, Date | Datetime) and column.range is not None,
    ),
    "truth": (True, lambda column: not isinstance(column, Boolean | Text)),
    "blank": (" ", lambda column: not isinstance(column, Text)),
}


@settings(max_examples=80, deadline=None)
@given(data=st.data(), schema=schemas(), seed=SEEDS, kind=st.sampled_from(sorted(FAULTS)))
def test_a_single_planted_fault_is_found_in_its_row_and_not_disclosed(data, schema, seed, kind):
    cell, breaks = FAULTS[kind]
    names = [name for name, column in schema.columns.items() if breaks(column)]
    assume(names)
    name, row = data.draw(st.sampled_from(names)), data.draw(st.integers(0, 11))
    table = simulate(schema, 12, np.random.default_rng(seed)).astype({name: object})
    cells = table[name].tolist()
    cells[row] = cell
    table[name] = pd.Series(cells, dtype=object)
    errors = [finding for finding in check(table, schema) if finding.severity == "error"]
    assert [(finding.where, finding.rows, finding.count, finding.total) for finding in errors] == [
        (f"column {name!r}", (row + 1,), 1, 12)
    ]
    (line,) = lines(table, schema)
    assert line == str(errors[0])
    for value in (CANARY, "7.3519", "735190", "2199", "inf,"):
        assert value not in line


def test_a_large_table_conforms_quickly():
    rng, rows, many = np.random.default_rng(0), 20_000, 10
    columns, table = {}, {}
    moments = pd.Timestamp("2015-01-01") + pd.to_timedelta(rng.integers(0, 10**8, rows), unit="s")
    for number in range(many):
        columns |= {
            f"number {number}": {"type": "number"},
            f"integer {number}": {"type": "integer"},
            f"moment {number}": {"type": "datetime"},
            f"category {number}": {"type": "category", "categories": [1, 2, 3]},
            f"code {number}": {"type": "code"},
        }
        table |= {
            f"number {number}": np.char.mod("%.3f", rng.normal(size=rows)).astype(object),
            f"integer {number}": rng.integers(100, size=rows).astype(str).astype(object),
            f"moment {number}": moments.strftime("%Y-%m-%d %H:%M:%S").astype(object),
            f"category {number}": rng.choice(["1", "2", "3"], rows).astype(object),
            f"code {number}": rng.choice([f"A{code}" for code in range(500)], rows).astype(object),
        }
    schema, frame = Schema.model_validate({"columns": columns}), pd.DataFrame(table)
    start = time.perf_counter()
    conform(frame, schema)
    assert time.perf_counter() - start < 5, "a million cells take 0.6 s on one free core"

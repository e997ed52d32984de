"""ADSL and ADTTE of a trial: known cells, the rules of ADaM by pointblank, and clear refusals."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest

from synthclin import datasets
from synthclin.errors import ConfigError, DataError
from synthclin.rules.validation import conform
from synthclin.study import run
from synthclin.study.adam import adam_tables, write_adam
from synthclin.study.config import load, resolved_yaml
from synthclin.study.config.outputs import plan_of
from synthclin.study.plan import dry_run
from synthclin.study.verify import verify

CONFIG = Path(__file__).parents[2] / "configs" / "actg175_adam.yaml"
COLUMNS = {
    "who": {"type": "id", "format": "P-{:03d}", "role": "entity"},
    "place": {"type": "category", "categories": ["north", "south"], "role": "site"},
    "arm": {"type": "category", "categories": ["A", "B"], "labels": {"A": "Placebo", "B": "Drug"}, "role": "treatment"},
    "sex": {"type": "category", "categories": [1, 2], "labels": {1: "male", 2: "female"}, "missing": "allowed"},
    "age": {"type": "integer", "unit": "a", "range": [18, 90]},
    "grade": {"type": "ordinal", "categories": [1, 2, 3], "label": "Grade of the tumour"},
    "bmi": {"type": "number", "unit": "kg/m2", "decimals": 1, "missing": "allowed", "label": "Body mass index"},
    "entered": {"type": "date", "range": ["2020-01-01", "2021-01-01"]},
    "months": {"type": "number", "unit": "mo", "decimals": 1, "range": [0, 60], "role": "time", "missing": "allowed"},
    "end": {
        "type": "category",
        "categories": ["alive", "relapse", "death"],
        "role": "event",
        "censored": "alive",
        "label": "First event",
    },
    "note": {"type": "text", "missing": "allowed"},
}
ROWS = [
    ("P-001", "north", "A", 1, 40, 1, 21.04, "2020-01-31", 1.0, "alive", None),
    ("P-002", "south", "B", 2, 61, 3, None, "2020-02-01", 12.5, "death", None),
    ("P-003", "south", "B", None, 55, 2, 30.0, "2020-03-01", None, "relapse", None),
    ("P-004", "north", "A", 2, 33, 1, 25.5, "2020-04-01", 0.0, "relapse", None),
]
BLOCK = {
    "columns": {"AGE": "age", "SEX": {"column": "sex", "values": {1: "M", 2: "F"}}, "GRADE": "grade", "BMI": "bmi"},
    "start": "entered",
}


def studied(block, columns=None, **keys):
    schema = {"columns": COLUMNS if columns is None else columns}
    document = {"version": 1, "name": "trial-1", "data": {"source": "t.csv"}, "schema": schema}
    return load(document | {"outputs": {"adam": block}} | keys)


def made(block, rows=ROWS, columns=None, **keys):
    """The data sets of some rows, by name."""
    config = studied(block, columns, **keys)
    table = conform(pd.DataFrame(rows, columns=list(config.table_schema.columns)), config.table_schema)
    return {each.name: each for each in adam_tables(table, config.table_schema, plan_of(config))}


def refused(block, columns=None, **keys):
    with pytest.raises(ConfigError) as caught:
        studied(block, columns, **keys)
    return str(caught.value)


def test_subjects_have_the_cells_of_the_table_under_the_names_of_the_standard():
    adsl = made(BLOCK)["ADSL"]
    assert adsl.frame.iloc[1].to_dict() == {
        "STUDYID": "TRIAL-1",
        "USUBJID": "TRIAL-1-P-002",
        "SUBJID": "P-002",
        "SITEID": "south",
        "ARM": "Drug",
        "ARMCD": "B",
        "TRT01P": "Drug",
        "TRT01PN": 2.0,
        "TRT01A": "Drug",
        "TRT01AN": 2.0,
        "AGE": 61.0,
        "AGEU": "YEARS",
        "SEX": "F",
        "GRADE": 3.0,
        "BMI": pytest.approx(float("nan"), nan_ok=True),
        "ITTFL": "Y",
        "SAFFL": "Y",
    }
    assert adsl.frame["BMI"].tolist()[0] == 21.0
    assert adsl.frame["SEX"].tolist() == ["M", "F", None, "F"]
    assert adsl.labels["GRADE"] == "Grade of the tumour"
    assert adsl.labels["BMI"] == "Body mass index (kg/m2)"
    assert adsl.labels["AGEU"] == "Age Units"


def test_times_to_an_event_have_one_row_for_each_subject_with_both():
    adtte = made(BLOCK)["ADTTE"].frame
    assert adtte["USUBJID"].tolist() == ["TRIAL-1-P-001", "TRIAL-1-P-002", "TRIAL-1-P-004"]
    assert adtte["CNSR"].tolist() == [1.0, 0.0, 0.0]
    assert adtte["AVAL"].tolist() == [1.0, 12.5, 0.0]
    assert set(adtte["AVALU"]) == {"MONTHS"}
    assert set(adtte["PARAM"]) == {"Time to First event (months)"}
    assert adtte["PARAMCD"].tolist() == ["END"] * 3
    assert adtte["EVNTDESC"].tolist() == ["alive", "death", "relapse"]
    assert adtte["CNSDTDSC"].tolist() == ["End of follow-up", None, None]
    assert adtte["STARTDT"].tolist()[0] == dt.date(2020, 1, 31)
    assert adtte["ADT"].tolist() == [dt.date(2020, 3, 1), dt.date(2021, 2, 15), dt.date(2020, 4, 1)]
    assert adtte["TRTP"].tolist() == ["Placebo", "Drug", "Placebo"]


def test_a_competing_cause_is_censored_with_a_code_of_its_own():
    tasks = [
        {"task": "survival", "event": "end", "cause": "death"},
        {"task": "cox", "event": "end", "cause": "death", "covariates": ["age"]},
    ]
    adtte = made(BLOCK, evaluation={"utility": tasks})["ADTTE"].frame
    assert adtte["CNSR"].tolist() == [1.0, 0.0, 2.0]
    both = BLOCK | {
        "endpoints": [
            {"event": "end", "paramcd": "EFS", "param": "Event-free survival"},
            {
                "event": "end",
                "cause": "relapse",
                "paramcd": "TTR",
                "evntdesc": {"alive": "Followed", "relapse": "Relapse", "death": "Death first"},
            },
        ]
    }
    adtte = made(both)["ADTTE"].frame
    assert adtte["PARAMCD"].tolist() == ["EFS", "TTR"] * 3
    assert adtte["CNSR"].tolist() == [1.0, 1.0, 0.0, 2.0, 0.0, 0.0]
    assert adtte["EVNTDESC"].tolist()[3] == "Death first"


def test_a_minimal_block_takes_the_roles():
    plan = plan_of(studied({}))
    assert (plan.subject, plan.site.column, plan.treatment.column) == ("who", "place", "arm")
    assert [each.event for each in plan.endpoints] == ["end"]
    assert plan.start is None
    found = made({})
    assert list(found["ADSL"].frame)[-2:] == ["ITTFL", "SAFFL"]
    assert "STARTDT" not in found["ADTTE"].frame
    alone = made({"site": {"value": "007"}, "treatment": {"value": "Drug"}, "endpoints": []})
    assert list(alone) == ["ADSL"]
    assert set(alone["ADSL"].frame["TRT01P"]) == set(alone["ADSL"].frame["ARMCD"]) == {"Drug"}
    assert set(alone["ADSL"].frame["TRT01PN"]) == {1.0}


def test_subjects_without_an_identifier_are_numbered_and_doubled_ones_refused():
    columns = {name: column for name, column in COLUMNS.items() if name != "who"}
    adsl = made({}, [row[1:] for row in ROWS], columns)["ADSL"].frame
    assert adsl["USUBJID"].tolist()[0] == "TRIAL-1-000001"
    assert adsl["USUBJID"].is_unique
    columns = {"who": {"type": "id"}} | columns
    with pytest.raises(DataError, match="is the same for two subjects"):
        made({}, [ROWS[0], ROWS[0]], columns)


def test_a_table_of_visits_gives_one_row_for_each_subject():
    columns = {name: column | {"static": True} for name, column in COLUMNS.items() if name not in {"note", "who"}}
    columns = {"who": COLUMNS["who"], "day": {"type": "integer", "role": "visit"}} | columns
    columns["weight"] = {"type": "number"}
    rows = [(row[0], day, *row[1:-1], 70 + day) for row in ROWS for day in (0, 30)]
    adsl = made(BLOCK, rows, columns)["ADSL"].frame
    assert adsl["SUBJID"].tolist() == ["P-001", "P-002", "P-003", "P-004"]
    told = refused({"columns": {"WEIGHT": "weight"}}, columns)
    assert "outputs.adam.columns.WEIGHT: 'weight' differs between the visits of a subject" in told


@pytest.mark.parametrize(
    ("block", "says"),
    [
        ({"columns": {"weight": "bmi"}}, "columns: 'weight' is no name of a variable. Write at most 8 capital letters"),
        ({"columns": {"WEIGHTBASE": "bmi"}}, "is no name of a variable"),
        ({"columns": {"GROESSE_": "note"}}, "'note' is not a column of the synthetic table. There are: who, place,"),
        ({"columns": {"USUBJID": "who"}}, "columns.USUBJID: USUBJID has a place of its own"),
        (
            {"columns": {"SEX": "sex"}},
            "columns.SEX: 'male' is no term of SEX: F, M, U, INTERSEX. Map each level, as in",
        ),
        ({"columns": {"SEX": {"column": "sex", "values": {1: "M"}}}}, "the level 2 is left out. Give each level its"),
        ({"columns": {"SEX": {"column": "sex", "values": {1: "M", 2: "F", 3: "U"}}}}, "3 is no level of the column"),
        ({"columns": {"SEX": {"column": "bmi"}}}, "'bmi' has no declared levels, which SEX needs"),
        ({"columns": {"BMI": {"column": "bmi", "values": {1: "x"}}}}, "the column has no declared levels"),
        ({"columns": {"RACE": {"value": "white"}}}, "'white' is no term of RACE"),
        ({"columns": {"COUNTRY": {"value": "Germany"}}}, "'Germany' is no code of a country in three letters"),
        ({"columns": {"PPROTFL": {"column": "arm"}}}, "'Placebo' is no term of PPROTFL: Y, N"),
        ({"columns": {"BMI": {"column": "bmi", "label": "x" * 41}}}, "has more than 40 bytes. Give a shorter one"),
        ({"columns": {"GRP": {"value": "x" * 201}}}, "a text has more than 200 bytes"),
        ({"columns": {"GRP": {"column": "arm", "values": {"A": "", "B": "x"}}}}, "a text of GRP is empty, has blanks"),
        ({"columns": {"GRP": {"value": "a\nb"}}}, "or signs that cannot be printed"),
        ({"columns": {"GRP": {"value": "x", "label": "a\tb"}}}, "the label is no line of printable signs"),
        ({"study": " "}, "a text of STUDYID is empty, has blanks at its ends"),
        ({"columns": {"GRP": {"value": "x", "column": "arm"}}}, "names both a column and a value, or neither"),
        ({"columns": {"ENTRY": "entered"}}, "ENTRY holds dates, so its name ends in DT. Write ENTRYDT."),
        ({"columns": {"BMIDT": "bmi"}}, "BMIDT is a name of dates, and 'bmi' holds none"),
        ({"columns": {"AGE": "grade"}}, "the unit of 'grade' is not declared, or is no unit of time"),
        ({"treatment": "bmi"}, "treatment: 'bmi' has no declared levels, which TRT01P needs"),
        ({"treatment": "sex"}, "treatment: 'sex' may be missing, and TRT01P may not"),
        ({"codes": {"A": "X"}}, "codes: its keys are not the levels of the treatment"),
        ({"codes": {"A": "X", "B": "X"}}, "two levels of the treatment have the same code"),
        ({"codes": {"A": "x" * 21, "B": "X"}}, "has more than 20 characters. Give shorter `codes`"),
        ({"subject": "age"}, "subject: 'age' identifies no subject"),
        ({"start": "soon"}, "start: 'soon' is neither a column nor a day"),
        ({"start": "age"}, "start: 'age' holds no dates"),
        ({"endpoints": [{"event": "arm", "time": "bmi"}]}, "the unit of 'bmi' is not declared, or is no unit of time"),
        ({"endpoints": [{"event": "end", "time": "arm"}]}, "endpoints[0]: column 'arm' is no number"),
        ({"endpoints": [{"event": "end"}, {"event": "end", "cause": "death"}]}, "another parameter has the code END"),
        ({"endpoints": [{"event": "end", "paramcd": "TOOLONGER"}]}, "endpoints[0].paramcd: 'TOOLONGER' is no name"),
        ({"format": []}, "outputs.adam.format"),
        ({"nothing": 1}, "outputs.adam.nothing"),
    ],
)
def test_what_does_not_fit_is_refused_before_training(block, says):
    told = refused(block)
    assert "outputs.adam" in told
    assert says in told


def test_a_table_without_arms_needs_a_treatment():
    told = refused({}, {"age": COLUMNS["age"], "who": COLUMNS["who"]})
    assert "outputs.adam.treatment: no column has the role treatment. Write `treatment: COLUMN`, or" in told
    two = COLUMNS | {"other": COLUMNS["arm"]}
    assert "several columns have the role treatment" in refused({}, two)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The data sets of a published trial, in both formats."""
    pytest.importorskip("pyreadstat", reason="the extra `readstat` is not installed")
    folder = tmp_path_factory.mktemp("adam")
    table, schema = datasets.load("actg175")
    write_adam(table, schema, plan_of(load(CONFIG)), folder)
    return folder / "adam"


def read(files, name, form):
    if form == "parquet":
        return pd.read_parquet(files / f"{name}.parquet")
    return pytest.importorskip("pyreadstat").read_xport(files / f"{name}.xpt")[0].replace({"": None})


@pytest.mark.parametrize("form", ["xpt", "parquet"])
def test_pointblank_accepts_both_data_sets(files, form):
    pb = pytest.importorskip("pointblank", reason="pointblank is not installed")
    adsl, adtte = read(files, "adsl", form), read(files, "adtte", form)
    for name, frame in (("ADSL", adsl), ("ADTTE", adtte)):
        structure = pb.validate_adam_structure(frame, name)
        assert structure["valid"], structure["issues"]
        assert structure["issues"] == []
        assert pb.validate_adam(frame, name).interrogate().all_passed()
    assert len(adsl) == 2_139
    required = ["STUDYID", "USUBJID", "SUBJID", "SITEID", "ARM", "ARMCD", "TRT01P", "TRT01PN", "TRT01A", "AGE", "AGEU"]
    subjects = (
        pb.Validate(adsl)
        .col_vals_not_null(columns=[*required, "SEX", "RACE", "ITTFL", "SAFFL"])
        .rows_distinct(columns_subset=["USUBJID"])
        .col_vals_in_set(columns="SEX", set=["F", "M", "U", "INTERSEX"])
        .col_vals_in_set(columns="RACE", set=["WHITE", "OTHER"])
        .col_vals_in_set(columns="AGEU", set=["YEARS"])
        .col_vals_in_set(columns=["ITTFL", "SAFFL", "HEMOFL"], set=["Y", "N"])
        .col_vals_between(columns="AGE", left=12, right=100)
        .col_vals_regex(columns="ARMCD", pattern=r"^[A-Z0-9]{1,20}$")
        .interrogate()
    )
    assert subjects.all_passed()
    times = (
        pb.Validate(adtte)
        .col_vals_not_null(columns=["STUDYID", "USUBJID", "TRTP", "PARAMCD", "PARAM", "AVAL", "AVALU", "CNSR", "ADT"])
        .rows_distinct(columns_subset=["USUBJID", "PARAMCD"])
        .col_vals_in_set(columns="CNSR", set=[0, 1])
        .col_vals_ge(columns="AVAL", value=0)
        .col_vals_in_set(columns="USUBJID", set=adsl["USUBJID"].tolist())
        .col_vals_regex(columns="PARAMCD", pattern=r"^[A-Z][A-Z0-9_]{0,7}$")
        .col_vals_in_set(columns="AVALU", set=["DAYS"])
        .interrogate()
    )
    assert times.all_passed()
    arms = adtte.merge(adsl, on="USUBJID")
    assert (
        pb.Validate(arms).col_vals_expr(expr=lambda frame: frame["TRTP"] == frame["TRT01P"]).interrogate().all_passed()
    )
    package = pb.SubmissionPackage(datasets={"ADSL": adsl, "ADTTE": adtte}, standard="adamig")
    assert package.validate_conformance(engine="validate").all_passed()
    doubled = pb.Validate(pd.concat([adsl, adsl.head(1)])).rows_distinct(columns_subset=["USUBJID"]).interrogate()
    assert not doubled.all_passed()  # the checks find what is wrong


def test_both_formats_hold_the_cells_of_the_table(files):
    table = datasets.load("actg175")[0]
    adsl, adtte = read(files, "adsl", "xpt"), read(files, "adtte", "xpt")
    pd.testing.assert_frame_equal(adsl, read(files, "adsl", "parquet"))
    assert adsl["AGE"].tolist() == table["age"].tolist()
    assert (adsl["SEX"] == "M").tolist() == (table["gender"] == 1).tolist()
    assert (adtte["CNSR"] == 0).tolist() == (table["cens"] == 1).tolist()
    assert adtte["AVAL"].tolist() == table["days"].tolist()
    later = pd.to_datetime(adtte["ADT"]) - pd.to_datetime(adtte["STARTDT"])
    assert later.dt.days.tolist() == table["days"].tolist()
    about = pytest.importorskip("pyreadstat").read_xport(files / "adtte.xpt")[1]
    assert (about.table_name, about.file_label) == ("ADTTE", "Time-to-Event Analysis Dataset")
    assert about.original_variable_types["ADT"] == "DATE"
    assert about.column_names_to_labels["CNSR"] == "Censor"
    for name in ("adsl.xpt", "adtte.xpt"):
        content = (files / name).read_bytes()
        assert content.startswith(b"HEADER RECORD*******LIBRARY HEADER RECORD")  # version 5, not LIBV8
        assert b"LIBV8" not in content[:200]
        assert b"01JAN70:00:00:00" in content[:400]
        assert (files / name).stat().st_mode & 0o777 == 0o600


def test_a_run_writes_verifies_and_repeats_them(study):
    pytest.importorskip("pyreadstat", reason="the extra `readstat` is not installed")
    study.config["schema"]["columns"]["age"]["unit"] = "a"
    study.config["schema"]["columns"]["sex"]["role"] = "treatment"
    block = {"format": ["xpt", "parquet"], "columns": {"AGE": "age"}}
    study.config |= {"model": {"type": "independent"}, "outputs": {"adam": block, "table": "sav"}, "gates": []}
    config = load(study.write())
    assert load(study.folder / "study.yaml") == config
    assert "adam:" in resolved_yaml(config)
    listed = dry_run(config)["outputs"]["files"]
    assert [name for name in listed if "adam" in name] == ["adam/adsl.xpt", "adam/adsl.parquet"]
    done = run.run(config)
    assert {"adam/adsl.xpt", "adam/adsl.parquet", "synthetic.sav", "cohorts/women.sav"} <= set(done.manifest.files)
    assert verify(done.folder).problems == ()
    adsl = pd.read_parquet(done.folder / "adam" / "adsl.parquet")
    assert len(adsl) == 90
    assert not adsl["SUBJID"].isin(study.table()["patient"]).any()
    (done.folder / "adam" / "adsl.xpt").write_bytes(b"")
    assert any("adam/adsl.xpt" in problem for problem in verify(done.folder).problems)


def test_a_label_of_the_schema_is_never_cut():
    columns = COLUMNS | {"x": {"type": "number", "label": "x" * 60}}
    assert "has more than 40 bytes. Give a shorter one" in refused({"columns": {"X": "x"}}, columns)
    assert made({"columns": {"X": {"column": "age", "label": "Short"}}})["ADSL"].labels["X"] == "Short"

"""Constrained sampling: every sampled or imputed row satisfies the rules, for a family of independent columns."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from synthclin.encoding import Encoded
from synthclin.errors import ConfigError, DataError
from synthclin.expressions import parse
from synthclin.rules.propagation import constraints_of
from synthclin.rules.rules import violations
from synthclin.rules.validation import conform
from synthclin.sampling.masks import ConstraintMask, values_of
from synthclin.sampling.sampler import CohortSampler
from synthclin.sampling.sequential import Imposed
from synthclin.schema import Schema
from synthclin.schema.combinations import Combinations
from synthclin.schema.schema_yaml import schema_document

from .marginal import Marginal

WHOLE = {"type": "integer", "range": [0, 200]}
COLUMNS = {
    "low": WHOLE,
    "mid": WHOLE,
    "high": {**WHOLE, "missing": "allowed"},
    "total": {"type": "integer", "range": [0, 400]},
    "weight": {"type": "number", "range": [30, 150], "decimals": 1},
    "height": {"type": "number", "range": [1, 2.5], "decimals": 2},
    "bmi": {"type": "number", "decimals": 1, "range": [10, 60], "derive": "weight / height ** 2"},
    "sex": {"type": "category", "categories": ["F", "M"]},
    "pregnant": {"type": "boolean", "missing_when": "sex == 'M'"},
    "stage": {"type": "ordinal", "categories": ["I", "II", "III"]},
    "group": {"type": "category", "categories": ["a", "b", "c", "d"]},
    "kind": {"type": "category", "categories": ["x", "y"]},
    "admitted": {"type": "date", "range": ["2020-01-01", "2022-12-31"]},
    "discharged": {"type": "date", "range": ["2020-01-01", "2023-12-31"]},
    "stay": {"type": "integer", "range": [0, 99]},
    "echo": {**WHOLE, "missing": "allowed"},
}
RULES = [
    "low < mid",
    "mid <= high",
    "total == low + mid",
    "bmi < 35",
    {"when": "pregnant", "then": "low >= 20 and stage != 'III'"},
    {"when": "stage == 'III'", "then": "high > 60 or high is missing"},
    {"columns": ["group", "kind"]},
    "admitted <= discharged",
    "stay == discharged - admitted",
    {"when": "group == 'a'", "then": "echo == low"},
    {"when": "group == 'b'", "then": "echo is missing"},
    "not (kind == 'y' and sex == 'F')",
]
WHERE = [
    None,
    "sex == 'F'",
    "mid - low > 30",
    "bmi > 24 and group in ['a', 'c']",
    "stay < 7",
    "high is missing or total > 100",
    "pregnant",
]


def ward(rows=500, seed=0):
    """Rows that satisfy every rule of the list."""
    rng = np.random.default_rng(seed)
    low = rng.integers(0, 60, rows)
    mid = low + rng.integers(1, 80, rows)
    group = rng.choice(list("abcd"), rows)
    kind = np.where(np.isin(group, ["a", "b"]), "x", "y")
    sex = np.where(kind == "y", "M", rng.choice(["F", "M"], rows))
    high = (mid + rng.integers(0, 60, rows)).astype(float)
    stage = np.where(high > 60, rng.choice(["I", "II", "III"], rows), "I")
    pregnant = (low >= 20) & (stage != "III") & (rng.random(rows) < 0.6)
    height = rng.normal(1.7, 0.1, rows).clip(1.4, 2).round(2)
    stay = rng.integers(0, 40, rows)
    admitted = pd.Timestamp("2020-03-01") + pd.to_timedelta(rng.integers(0, 700, rows), unit="D")
    table = {
        "low": low,
        "mid": mid,
        "high": np.where((rng.random(rows) < 0.2), np.nan, high),
        "total": low + mid,
        "weight": (rng.uniform(18, 34, rows) * height**2).round(1),
        "height": height,
        "sex": sex,
        "pregnant": pd.Series(pregnant, dtype=object).where(sex == "F", None),
        "stage": stage,
        "group": group,
        "kind": kind,
        "admitted": admitted,
        "discharged": admitted + pd.to_timedelta(stay, unit="D"),
        "stay": stay,
        "echo": np.where(group == "b", np.nan, np.where(group == "a", low, rng.integers(0, 60, rows))),
    }
    frame = pd.DataFrame(table)
    return frame.assign(bmi=(frame["weight"] / frame["height"] ** 2).round(1))[list(COLUMNS)]


def schema_of(rules, **columns):
    return Schema.model_validate({"columns": {**COLUMNS, **columns}, "constraints": rules})


def broken(rows, schema):
    return {rule: int(mask.sum()) for rule, mask in violations(rows, schema).items() if mask.any()}


@settings(max_examples=6, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(st.lists(st.sampled_from(range(len(RULES))), unique=True), st.sampled_from(WHERE), st.integers(0, 10**6))
def test_every_row_satisfies_the_rules(chosen, where, seed):
    schema = schema_of([RULES[i] for i in sorted(chosen)])
    model = Marginal(schema).fit(ward(seed=seed % 7))
    rows = model.sample(150, where=where, random_state=seed)
    assert len(rows) == 150
    assert broken(rows, model.encoder_.schema) == {}
    if where is not None:
        assert parse(where).evaluate(rows).fillna(False).all()


@pytest.fixture(scope="module")
def model():
    return Marginal(schema_of(RULES)).fit(ward())


def test_all_rules_together_are_satisfied(model):
    rows = model.sample(3_000, random_state=1)
    assert len(rows) == 3_000
    assert broken(rows, model.encoder_.schema) == {}
    # Computed, not resampled: sums and differences are exact.
    assert (rows["total"] == rows["low"] + rows["mid"]).all()
    assert (rows["stay"] == (rows["discharged"] - rows["admitted"]).dt.days).all()


def test_a_rule_that_equates_a_rounded_number_refuses_no_code():
    """The logarithm of a grade has one decimal: no code of it equals the logarithm to the last bit."""
    grade = np.tile(np.arange(1, 10), 40)
    columns = {
        "grade": {"type": "integer", "range": [1, 9]},
        "log_grade": {"type": "number", "decimals": 1, "range": [0, 2.2], "spikes": [0]},
        "level": {"type": "number", "decimals": 1, "range": [0, 2.2]},
        "sex": {"type": "category", "categories": ["F", "M"]},
    }
    rules = ["log_grade == log(grade)", {"when": "sex == 'F'", "then": "level == log(grade)"}]
    schema = Schema.model_validate({"columns": columns, "constraints": rules})
    log = np.log(grade).round(1)
    frame = pd.DataFrame({"grade": grade, "log_grade": log, "level": log, "sex": ["F", "M"] * 180})
    model = Marginal(schema).fit(conform(frame, schema))
    mask = ConstraintMask(model.encoder_, constraints_of(schema))
    codes = model.encoder_.encode(conform(frame, schema)).codes
    assert not np.any(list(mask.broken(codes).values()))
    for where in (None, "grade == 5 and sex == 'F'", "log_grade == 1.6"):
        rows = model.sample(60, where=where, random_state=1)
        assert (rows["log_grade"].astype(float) == np.log(rows["grade"].astype(float)).round(1)).all()
    holes = conform(frame, schema).head(18).assign(log_grade=None, sex=None)
    (done,) = model.impute(holes, 1, random_state=2)
    assert done["log_grade"].astype(float).tolist() == log[:18].tolist()


def test_without_constraint_mask_rules_are_violated(model):
    raw = model.raw_violations(random_state=0)
    assert set(raw) == {rule.text for rule in model.encoder_.schema.imposed}
    share = ward()[["kind", "sex"]].eq({"kind": "y", "sex": "F"}).mean()
    assert raw["not (kind == 'y' and sex == 'F')"] == pytest.approx(share["kind"] * share["sex"], abs=0.04)
    assert raw["low < mid"] > 0.05


def test_rules_that_always_hold_change_nothing():
    free, ruled = schema_of([]), schema_of(["low >= 0"])
    one, two = (Marginal(schema).fit(ward()).sample(200, random_state=3) for schema in (free, ruled))
    pd.testing.assert_frame_equal(one, two)


def test_rows_without_masked_codes_are_unchanged():
    columns = {name: COLUMNS[name] for name in ("low", "mid")}
    model = Marginal(Schema.model_validate({"columns": columns, "constraints": ["low < mid"]})).fit(ward()[[*columns]])
    sampler, mask = model._sampler(0), ConstraintMask(model.encoder_, constraints_of(model.encoder_.schema))
    samples = []
    for code_mask in (None, mask):
        generator = torch.Generator().manual_seed(5)
        imposed = Imposed(forbidden=sampler._forbidden(), code_mask=code_mask)
        codes, weight = model._sample(4_000, generator, imposed)
        samples.append((codes.codes, weight))
    (raw, _), (masked, weight) = samples
    # A row without masked codes has weight 1, and the same codes.
    same = weight.abs() < 1e-6
    assert same.any()
    assert torch.equal(raw[same], masked[same])
    assert not mask.broken(masked)["low < mid"][weight.isfinite().numpy()].any()


def test_propagation_through_a_chain():
    columns = {name: {"type": "integer", "range": [0, 30]} for name in ("first", "last", "middle")}
    schema = Schema.model_validate({"columns": columns, "constraints": ["first < middle", "middle < last"]})
    rng = np.random.default_rng(0)
    values = np.sort(np.stack([rng.permutation(31)[:3] for _ in range(600)]), axis=1)
    table = pd.DataFrame({"first": values[:, 0], "last": values[:, 2], "middle": values[:, 1]}, dtype="Int64")
    model = Marginal(schema).fit(table)
    rows = model.sample(1_000, random_state=0)
    assert broken(rows, schema) == {}
    # `last` is sampled before `middle`, and look-ahead keeps the domain of `middle` non-empty: few rows are rejected.
    assert model.sample_facts_.proposed < 1_600


@pytest.fixture(scope="module")
def clinic():
    """A model of an anchored date, two kinds of missing, and codes of a hierarchy."""
    columns = COLUMNS | {
        "seen": {"type": "date", "anchor": "admitted", "missing": "allowed", "range": ["2020-01-01", "2022-06-30"]},
        "lab": {**WHOLE, "missing_codes": {-1: "refused", -2: "lost"}},
        "dx": {"type": "code", "hierarchy": "icd10"},
    }
    rules = [
        *RULES,
        "admitted <= seen",
        "seen <= discharged",
        {"when": "lab_missing == 'lost'", "then": "group in ['a', 'c']"},
        {"when": "lab is missing", "then": "mid >= 3"},
        {"columns": ["dx", "kind"]},
    ]
    rng, table = np.random.default_rng(1), ward()
    stay = (rng.random(len(table)) * (table["stay"] + 1)).astype(int)
    seen = table["admitted"] + pd.to_timedelta(stay, unit="D")
    lost = np.where(table["group"].isin(["a", "c"]), -2, -1)
    empty = (rng.random(len(table)) < 0.3) & (table["mid"] >= 3)
    rare = np.array([f"E11.{i % 10}{i // 10 % 10}" for i in range(len(table))], dtype=object)
    table["seen"] = seen.mask((rng.random(len(table)) < 0.2) | (seen > "2022-06-30"))
    table["lab"] = np.where(empty, np.where(rng.random(len(table)) < 0.3, lost, -1), rng.integers(0, 99, len(table)))
    table["dx"] = np.where(table["kind"] == "x", np.where(rng.random(len(table)) < 0.15, rare, "I10"), "C50")
    schema = Schema.model_validate({"columns": columns, "constraints": rules})
    return Marginal(schema).fit(table), table


def test_anchors_kinds_of_missing_and_hierarchies_satisfy_rules(clinic):
    model, _ = clinic
    schema = model.encoder_.schema
    (combined,) = (rule for rule in schema.constraints if rule.text == "combinations of dx, kind")
    assert set(combined.combinations) == {("C50", "y"), ("E11", "x"), ("I10", "x")}
    rows = model.sample(2_000, random_state=2)
    assert broken(rows, schema) == {}
    assert set(rows["dx"]) == {"C50", "E11", "I10"}
    assert (rows["lab"].isna() == rows["lab_missing"].notna()).all()


def test_kinds_of_missing_are_imposed(clinic):
    table = clinic[1][["low", "lab"]]
    columns = {"low": WHOLE, "lab": {**WHOLE, "missing_codes": {-1: "refused", -2: "lost"}}}
    model = Marginal(Schema.model_validate({"columns": columns})).fit(table)
    rows = model.sample(4_000, random_state=0)
    # Independent sampling of the two columns would reject rows in which they disagree, and bias the shares.
    assert model.sample_facts_.proposed == 4_000
    for code, kind in ((-1, "refused"), (-2, "lost")):
        assert (rows["lab_missing"] == kind).mean() == pytest.approx((table["lab"] == code).mean(), abs=0.02)


@pytest.mark.parametrize("which", ["model", "clinic"])
def test_domains_contain_all_decoded_values(which, request):
    fitted = request.getfixturevalue(which)
    encoder, rng = (fitted[0] if which == "clinic" else fitted).encoder_, np.random.default_rng(0)
    columns = encoder.layout.columns
    codes = np.stack([rng.choice(np.flatnonzero(~column.never), 4_000) for column in columns], axis=1)
    codes[:, len(encoder.codecs) :] = 0  # ties
    offsets = rng.random(codes.shape, dtype=np.float32).clip(0, 0.999)
    table = encoder.decode(Encoded(torch.from_numpy(codes), torch.from_numpy(offsets)))
    for j, name in enumerate(encoder.codecs):
        cells, code, domain = table[name], codes[:, j], values_of(encoder, columns[j])
        known = cells.notna().to_numpy()
        # A cell with a kind of missing is empty whatever its code: rules forbid the others.
        with_kind = table[f"{name}_missing"].notna().to_numpy() if f"{name}_missing" in table else np.zeros_like(known)
        assert domain.missing[code][~known & ~with_kind].all(), name
        if hasattr(domain, "levels"):
            place = {level: i for i, level in enumerate(domain.levels)}
            assert domain.possible[code[known], [place[level] for level in cells[known]]].all(), name
            continue
        value = cells.astype("datetime64[us]").astype("int64") / 1e6 if domain.dated else cells.astype("Float64")
        value = value.to_numpy(dtype=float, na_value=np.nan)[known]
        assert domain.present[code][known].all(), name
        assert (domain.low[code][known] <= value).all(), name
        assert (value <= domain.high[code][known]).all(), name


def test_combinations_of_few_patients_are_neither_sampled_nor_stored():
    table = ward()
    table.loc[:2, ["group", "kind", "sex"]] = ["a", "y", "M"]
    model = Marginal(schema_of([{"columns": ["group", "kind"]}])).fit(table)
    (rule,) = model.encoder_.schema.constraints
    assert set(rule.combinations) == {("a", "x"), ("b", "x"), ("c", "y"), ("d", "y")}
    rows = model.sample(2_000, random_state=0)
    assert set(zip(rows["group"], rows["kind"], strict=True)) == set(rule.combinations)
    assert model.schema.constraints[0].combinations == "observed"
    assert Schema.model_validate({"columns": COLUMNS, "constraints": [rule]}).constraints == (rule,)


def test_combinations_that_are_all_rare_are_refused_before_training():
    table = ward(40)
    with pytest.raises(DataError, match="no combination has 11 patients"):
        Marginal(schema_of([{"columns": ["group", "kind", "stage", "sex"]}])).fit(table)


def test_rows_that_violate_a_rule_are_refused_dropped_or_kept():
    table = ward()
    table.loc[:19, "mid"] = 0
    table.loc[:19, "total"] = table["low"]
    with pytest.raises(DataError, match=r"rule 'low < mid': 20 of 500 rows \(1, 2, 3, 4, 5, ...\) violate it"):
        Marginal(schema_of(["low < mid"])).fit(table)
    for choice in ("drop", "keep"):
        schema = schema_of([{"then": "low < mid", "on_violation": choice}])
        model = Marginal(schema).fit(table)
        zero = model.encoder_.encode(table).codes[0, 1]
        assert (model.logits_[1][zero].exp() >= 20) == (choice == "keep")
        assert broken(model.sample(300, random_state=0), schema) == {}


def test_rules_that_contradict_each_other_are_refused_before_training():
    schema = schema_of(["low > 150", "mid < 100", "low < mid"])
    with pytest.raises(ConfigError, match="'low < mid', 'low > 150', 'mid < 100'"):
        Marginal(schema).fit(ward())


def test_rules_are_satisfied_by_rejection_sampling_alone(model):
    """Violations that the mask cannot find, such as by a tie that makes two cells equal, are found in whole rows."""
    schema = model.encoder_.schema
    sampler = CohortSampler(model._sample, model.encoder_, schema, 0)
    request = sampler._request(None)
    request.mask.constraints.clear()
    table, facts = sampler._take(request, 20, part=(0, 0))
    assert broken(table, schema) == {}
    assert facts.proposed > 200


@pytest.mark.parametrize(
    "holes", [["total"], ["low", "mid"], ["stay"], ["discharged"], ["echo", "group"], ["sex", "kind"]], ids=str
)
def test_imputed_rows_satisfy_rules_of_small_probability(model, holes):
    rows = ward(60, seed=5)
    done = model.impute(rows.drop(columns="bmi").assign(**dict.fromkeys(holes)), random_state=0)
    assert broken(done[list(COLUMNS)], model.encoder_.schema) == {}
    for name in rows.columns.difference([*holes, "bmi"]):
        given = rows[name].notna()
        assert (done.loc[given, name] == rows.loc[given, name]).all(), name


INVERTED = {"type": "boolean", "values": [1, 0], "event_when": 0}
COMPETING = {"type": "category", "categories": ["none", "dead", "moved"], "censored": "none"}


@pytest.mark.parametrize("end", [900, "1000 - entry"])
@pytest.mark.parametrize("event", [INVERTED, COMPETING], ids=["inverted", "competing"])
def test_administrative_censoring_bounds_follow_up(end, event):
    rng = np.random.default_rng(0)
    entry, death = rng.integers(0, 300, 400), rng.integers(1, 1_500, 400)
    last = np.full(400, 900) if end == 900 else 1_000 - entry
    nothing, *causes = [1, 0] if "values" in event else event["categories"]
    status = np.where(death < last, rng.choice(causes, 400), nothing)
    table = pd.DataFrame({"entry": entry, "days": np.minimum(death, last), "status": status})
    columns = {"entry": WHOLE | {"range": [0, 300]}, "days": WHOLE | {"range": [0, 2_000], "role": "time"}}
    columns["status"] = event | {"role": "event", "administrative": end}
    schema = Schema.model_validate({"columns": columns})
    assert Schema.model_validate(schema_document(schema.columns, schema.constraints)) == schema
    model = Marginal(schema).fit(table)
    rows = model.sample(800, where="days > 500", random_state=0)
    limit = 900 if end == 900 else 1_000 - rows["entry"]
    assert (rows["days"] <= limit).all()
    assert (rows.loc[rows["days"] == limit, "status"] == nothing).all()
    # The event is sampled first: 40 % have none, and 40 % of these are followed to the end.
    rows = model.sample(800, random_state=0)
    assert (rows["days"] == (900 if end == 900 else 1_000 - rows["entry"])).mean() > (0.12 if end == 900 else 0.1)
    with pytest.raises(DataError, match="days <="):
        Marginal(schema).fit(table.assign(days=table["days"] + 1))


# -- missing cells in combinations -----------------------------------------------------------------------------------


def wards(rows=400, at_home=60):
    """Return patients of three wards on two sites; those at home have no ward."""
    rng = np.random.default_rng(12)
    ward = rng.choice(["ICU", "MED", "SUR"], rows)
    site = np.where(ward == "ICU", "S1", "S2")
    home = np.arange(rows) < at_home
    return pd.DataFrame({"ward": np.where(home, None, ward), "site": np.where(home, "HOME", site)})


WARDS = {
    "ward": {"type": "category", "categories": ["ICU", "MED", "SUR"], "missing": "allowed"},
    "site": {"type": "category", "categories": ["HOME", "S1", "S2"], "missing": "allowed"},
}


def fitted_wards(table, rule=("ward", "site"), columns=None):
    schema = Schema.model_validate({"columns": columns or WARDS, "constraints": [{"columns": list(rule)}]})
    model = Marginal(schema).fit(conform(table, schema))
    rows = model.sample(3_000, random_state=1)
    (combined,) = model.encoder_.schema.constraints
    cells = rows[list(rule)].astype(object)
    return (
        set(combined.combinations),
        set(cells.mask(cells.isna(), other=None).itertuples(index=False, name=None)),
        rows,
    )


def test_a_missing_cell_is_a_level_of_a_combination():
    allowed, sampled, rows = fitted_wards(wards())
    assert allowed == sampled == {(None, "HOME"), ("ICU", "S1"), ("MED", "S2"), ("SUR", "S2")}
    assert (rows["site"] == "HOME").mean() > 0.03


def test_a_missing_cell_of_a_few_patients_is_no_combination():
    _, sampled, _ = fitted_wards(wards(at_home=10))
    assert sampled == {("ICU", "S1"), ("MED", "S2"), ("SUR", "S2")}


def test_cells_missing_at_random_stay_missing_beside_levels_that_go_together():
    table = wards(at_home=0)
    table["dose"] = np.where(np.arange(400) % 2, "low", "high")
    # Each combination with a missing dose is of fewer than 11 patients; together they are 24.
    table.loc[::17, "dose"] = None
    columns = WARDS | {"dose": {"type": "category", "categories": ["low", "high"], "missing": "allowed"}}
    _, sampled, _ = fitted_wards(table, ("ward", "site", "dose"), columns)
    assert {one[:2] for one in sampled if one[2] is None} == {("ICU", "S1"), ("MED", "S2"), ("SUR", "S2")}
    assert all(None not in one[:2] for one in sampled)


def test_whole_numbers_may_be_missing_in_a_combination_too():
    table = wards()
    table["site"] = table["site"].map({"HOME": 9, "S1": 1, "S2": 2})
    columns = {"ward": WARDS["ward"], "site": {"type": "integer", "range": [0, 9]}}
    _, sampled, _ = fitted_wards(table, columns=columns)
    assert sampled == {(None, 9), ("ICU", 1), ("MED", 2), ("SUR", 2)}


def test_a_listed_combination_may_name_a_missing_cell():
    rows = pd.DataFrame({"ward": [None, None, "ICU"], "site": ["HOME", "S1", None]})
    listed = [["ICU", "S1"], [None, "HOME"]]
    rule = Combinations.model_validate({"columns": ["ward", "site"], "combinations": listed})
    assert rule.broken(rows).tolist() == [False, True, True]
    # A list without one leaves missing cells alone.
    rule = Combinations.model_validate({"columns": ["ward", "site"], "combinations": listed[:1]})
    assert rule.broken(rows).tolist() == [False, False, False]

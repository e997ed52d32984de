from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import synthclin as sc
from synthclin.encoding import TableEncoder
from synthclin.errors import ConfigError
from synthclin.evaluation.features import Features
from synthclin.io.documents import validate
from synthclin.rules.validation import check, conform
from synthclin.schema import Schema
from synthclin.schema.columns import Code

TERMS = st.from_regex(r"\A[A-C][0-2][0-2](\.[0-3]{1,2})?\Z")


def schema(**words):
    return validate(Schema, {"columns": {"age": {"type": "integer"}, "dx": {"type": "code", **words}}}, "schema")


def table(terms, one):
    return conform(pd.DataFrame({"age": np.arange(len(terms)) % 60, "dx": terms}), one)


@pytest.mark.parametrize(
    ("hierarchy", "term", "above"),
    [
        ("icd10", "E11.93", ("E11.9", "E11")),
        ("icd10", "E1193", ("E119", "E11")),
        ("icd10", "E11", ()),
        ("icd10", "S72.001A", ("S72.001", "S72.00", "S72.0", "S72")),
        ("icd10", "E", ()),
        ("icd9", "250.13", ("250.1", "250")),
        ("icd9", "25013", ("2501", "250")),
        ("icd9", "V27.0", ("V27",)),
        ("icd9", "E850.1", ("E850",)),
        ("atc", "A10BA02", ("A10BA", "A10B", "A10", "A")),
        ({"levels": [2, 4]}, "12.34.5", ("12.34", "12")),
        (None, "E11.9", ()),
    ],
)
def test_the_terms_above(hierarchy, term, above):
    assert Code.model_validate({"hierarchy": hierarchy}).above(term) == above


@pytest.mark.parametrize(
    "words",
    [
        {"hierarchy": "icd11"},
        {"hierarchy": {"levels": []}},
        {"hierarchy": {"levels": [3, 3]}},
        {"hierarchy": {"levels": [0]}},
    ],
)
def test_a_hierarchy_that_is_none_is_refused(words):
    with pytest.raises(ConfigError, match=r"schema: columns\.dx\.hierarchy"):
        schema(**words)


def test_rare_leaves_fall_back_level_by_level_and_never_into_a_bucket():
    terms = ["E11.9"] * 30 + ["E11.01"] * 4 + ["E11.02"] * 4 + ["E11.03"] * 4 + ["E11.2"] * 6 + ["E11.31"] * 6
    terms += ["I10"] * 20 + ["J45.0"] * 5 + ["K35"] * 3
    one = schema(hierarchy="icd10")
    typed = table(terms, one)
    encoder = TableEncoder.fit(typed, one)
    names = {level for group in encoder.codecs["dx"].state.groups for level in group.levels}
    # E11.0 gathers 12 patients; E11.2 and E11.31 reach 12 only at E11; J45 and K35 are named nowhere.
    assert names == {"E11.9", "E11.0", "E11", "I10"}
    layout = encoder.codecs["dx"].layout("dx")
    assert layout.never.sum() == 1
    known = encoder.codecs["dx"].has_code(pd.Series(["E11.93", "E11.77", "I10.5", "J45.0", None], dtype=object))
    assert known.tolist() == [True, True, True, False, False]


@settings(max_examples=60, deadline=None)
@given(st.lists(TERMS, min_size=3, max_size=60), st.integers(1, 6), st.data())
def test_every_term_kept_is_held_by_enough_and_lies_on_the_way_up(terms, limit, data):
    column = Code(hierarchy="icd10")
    holder = np.array([data.draw(st.integers(0, 8)) for _ in terms])
    kept = column.frequent(pd.Series(terms), holder, limit)
    standin = [column.nearest(term, kept) for term in terms]
    for term, found in zip(terms, standin, strict=True):
        assert found is None or found == term or found in column.above(term)
    for one in kept:
        assert len(np.unique(holder[[found == one for found in standin]])) >= limit
    # A term with enough holders of its own never moves.
    for term in set(terms):
        if len(np.unique(holder[[other == term for other in terms]])) >= limit:
            assert term in kept


@settings(max_examples=25, deadline=None)
@given(st.lists(TERMS, min_size=30, max_size=80))
def test_decoding_gives_the_term_or_one_above_it(terms):
    one = schema(hierarchy="icd10", missing="allowed")
    typed = table(terms, one)
    encoder = TableEncoder.fit(typed, one, rare_category=3, trim_extremes=3)
    encoded = encoder.encode(typed)
    drawable = ~encoder.layout.columns[1].never[encoded.codes[:, 1].numpy()]
    back = encoder.decode(encoded[drawable.nonzero()[0].tolist()])["dx"]
    for term, found in zip(typed["dx"][drawable], back, strict=True):
        assert found == term or found in Code(hierarchy="icd10").above(term)
    again = TableEncoder.from_dict(encoder.to_dict(), one)
    assert again.encode(typed).codes.equal(encoded.codes)


def test_strange_terms_are_a_warning():
    one = schema(hierarchy="icd9")
    found = check(pd.DataFrame({"age": [1, 2, 3, 4], "dx": ["250.01", "V27", "E850.1", "8"]}), one)
    assert [(finding.severity, finding.rows) for finding in found] == [("warning", (4,))]


def test_seven_hundred_terms_are_modelled_and_sampled():
    rng = np.random.default_rng(1)
    leaves = [f"{letter}{number:02d}.{digit}" for letter in "AEIJK" for number in range(18) for digit in range(8)]
    age = rng.integers(0, 90, 3_000)
    # The old have the first terms.
    place = np.clip((rng.exponential(180, 3_000) * np.where(age > 45, 0.6, 1.4)).astype(int), 0, len(leaves) - 1)
    one = schema(hierarchy="icd10")
    typed = conform(pd.DataFrame({"age": age, "dx": np.array(leaves)[place]}), one)
    model = sc.ConditionalGAN(one, effort="quick", width=32, random_state=1).fit(typed)
    sampled = model.sample(3_000, random_state=2)
    column = one.columns["dx"]
    kept = column.frequent(typed["dx"], np.arange(len(typed)), 11)
    assert set(sampled["dx"].astype(str)) <= kept
    features = Features.of(one, [typed, sampled])
    assert set(features.columns[1].levels) >= kept
    shares = [
        np.bincount(features.values(rows)[:, 1].astype(int), minlength=len(features.columns[1].levels)) / 3_000
        for rows in (typed, sampled)
    ]
    assert np.abs(shares[0] - shares[1]).sum() / 2 < 0.2
    assert (
        sampled["age"][sampled["dx"].astype(str) < "E"].mean()
        > sampled["age"][sampled["dx"].astype(str) > "J"].mean() + 5
    )
    # A rare term is known by the one above it.
    assert model.sample(20, where="dx == 'A00.0'", random_state=3)["dx"].eq("A00.0").all()
    rare = next(term for term in typed["dx"].cat.categories if term not in kept and column.nearest(term, kept))
    holes = pd.DataFrame({"age": [None], "dx": [rare]})
    assert model.impute(holes, random_state=1)["dx"].tolist() == [rare]

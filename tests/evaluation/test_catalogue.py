"""The catalogue: what every kind of score states of itself."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import numpy as np
import pandas as pd
import pytest

from synthclin.evaluation.catalogue import FAMILIES, KINDS, find_kind, headline_kinds, kind_of, names_of
from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.details import Details, NoDetails
from synthclin.evaluation.fidelity.associations import AssociationDetails
from synthclin.evaluation.gates import MODEL_GATE, default_gates
from synthclin.evaluation.kind import CONVENTION, Kind, Limit
from synthclin.evaluation.score import Score
from synthclin.evaluation.scoring import SCORES
from synthclin.schema import Schema
from tests.report.typed import typed

_TASKS = (
    *(f"{group}.{task}.died" for group in ("inference", "treatment") for task in ("linear", "logistic", "survival")),
    *(f"subgroups.sex.{headline.name.partition('.')[2]}" for headline in headline_kinds()),
    *(f"subgroups.sex.{rest}" for rest in ("prevalence.died", "utility.died", "curve.died", "rmst.died", "cox.died")),
)
ALL = (
    *KINDS,
    *(family.kind(example) for family in FAMILIES for example in family.examples),
    *(kind_of(name) for name in _TASKS),
)
_PUBLICATION = re.compile(r"\b(19|20)\d\d\b|\b[A-Z][a-z]+ (et al\.|and [A-Z])|sdmetrics\.dev|NIST|EMA|HIPAA|WP29")


def each_kind() -> Any:
    return pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.name)


@cache
def parts_of(details: type[Details]) -> frozenset[type[Details]]:
    """Return a type of details and the types of its parts."""
    inner = {part for field in details.model_fields.values() for part in _details_in(field.annotation)}
    return frozenset({details}).union(*(parts_of(part) for part in inner - {details}))


def _details_in(hint: Any) -> set[type[Details]]:
    if isinstance(hint, type) and issubclass(hint, Details):
        return {hint}
    if get_origin(hint) in {Annotated, Union, UnionType, list, tuple, dict}:
        return set().union(*(_details_in(part) for part in get_args(hint)))
    return set()


def test_names_are_unique_and_begin_with_their_group() -> None:
    names = [kind.name for kind in ALL]
    assert [name for name, count in Counter(names).items() if count > 1] == []
    assert all(re.fullmatch(r"[a-z]+\.\w[\w.]*", name) for name in names)


@each_kind()
def test_name_leads_to_the_kind(kind: Kind[Any]) -> None:
    found = kind_of(kind.name)
    assert (found.name, found.details, found.section, found.better) == (
        kind.name,
        kind.details,
        kind.section,
        kind.better,
    )


@each_kind()
def test_texts_are_complete(kind: Kind[Any]) -> None:
    assert re.fullmatch(r"\S.+\?", kind.question)
    assert kind.label
    assert kind.unit
    assert kind.action.endswith(".")
    for status in ("FAIL", "REVIEW"):
        assert kind.clause(status)
        assert not kind.clause(status).endswith(".")
    assert kind.clause("FAIL") != kind.clause("REVIEW")


@each_kind()
def test_method_names_its_source(kind: Kind[Any]) -> None:
    in_brackets = re.findall(r"\(((?:[^()]|\([^()]*\))*)\)", kind.method)
    assert any(CONVENTION in text or _PUBLICATION.search(text) for text in in_brackets), kind.method


def named_source(source: str) -> bool:
    """Return whether every part of the source of a limit is a publication, or a convention that gives its reason."""
    parts = source.split("; ") if re.match(r"[\d.]+: ", source) else [source]
    return all(
        bool(re.search(rf"{CONVENTION}, because \S+ .*\w", part))
        if CONVENTION in part
        else bool(_PUBLICATION.search(part))
        for part in parts
    )


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("El Emam et al. 2022", True),
        ("project convention, because 0.5 is chance", True),
        ("project convention", False),
        ("project convention, because", False),
        ("0.2: El Emam et al. 2022; 0.3: project convention", False),
        ("common practice", False),
    ],
)
def test_a_convention_without_reason_is_no_source(source: str, named: bool) -> None:
    assert named_source(source) is named


def test_the_gate_of_a_model_and_relative_limits_have_a_source() -> None:
    assert named_source(MODEL_GATE.source)
    score = Score("fidelity.heaping", "?", 0.1, 0.0, 0.2, "lower", None, 0.05, 100, "toy")
    details = typed(AssociationDetails, {})
    associations = replace(score, name="fidelity.associations", baseline=0.5, details=details)
    for gate in default_gates([score, associations]):
        assert named_source(gate.source), gate


def test_identity_disclosure_asks_for_review_up_to_the_limit_of_regulators() -> None:
    limit = kind_of("privacy.identity_disclosure").limit
    assert isinstance(limit, Limit)
    assert (limit.op, limit.limit, limit.review) == ("<=", 0.05, 0.09)
    assert limit.source.startswith("0.09: El Emam et al. 2020, EMA Policy 0070, Health Canada PRCI; ")


@each_kind()
def test_default_limit_has_a_source_and_leaves_room_for_review(kind: Kind[Any]) -> None:
    if isinstance(kind.limit, Limit):
        limit = kind.limit
        assert named_source(limit.source)
        assert limit.op.startswith(">") == (kind.better == "higher")
        assert (limit.review < limit.limit) == (kind.better == "higher")


@each_kind()
def test_details_are_closed_complete_and_described(kind: Kind[Any]) -> None:
    for part in parts_of(kind.details):
        assert part.model_config["extra"] == "forbid", part
        assert part.__doc__, part
        for name, field in part.model_fields.items():
            assert field.is_required(), (part, name)
            assert field.description, (part, name)
        if part is not NoDetails:
            assert part.model_fields, part


@each_kind()
def test_json_schema_describes_every_node(kind: Kind[Any]) -> None:
    schema = kind.details.model_json_schema()
    for node in (schema, *schema.get("$defs", {}).values()):
        assert node["description"]
        assert node["additionalProperties"] is False
        for name, field in node.get("properties", {}).items():
            assert field["description"], name


def test_unknown_names_have_no_kind() -> None:
    for name in ("fidelity.pears", "house.own", "inference.cluster.died", "survival.mood.died", "subgroups.sex", ""):
        assert find_kind(name) is None
        with pytest.raises(KeyError):
            kind_of(name)


def test_a_family_has_its_own_prefix() -> None:
    prefixes = [family.prefix for family in FAMILIES]
    assert len(set(prefixes)) == len(prefixes)
    assert not [kind.name for kind in KINDS if kind.name.startswith(tuple(prefixes))]


@pytest.mark.parametrize("holdout", [True, False])
def test_every_table_score_is_computed_once(holdout: bool) -> None:
    schema = Schema.model_validate(
        {"columns": {"age": {"type": "number"}, "sex": {"type": "category", "categories": ["F", "M"]}}}
    )
    tables = [
        pd.DataFrame(
            {
                "age": np.random.default_rng(seed).normal(50, 9, 12),
                "sex": pd.Categorical(["F", "M"] * 6, categories=["F", "M"]),
            }
        )
        for seed in range(3)
    ]
    c = Comparison.of(tables[0], train=tables[1], holdout=tables[2] if holdout else None, schema=schema)
    scores = [score(c) for score in SCORES]
    assert sorted(score.name for score in scores) == sorted(names_of())
    for score in scores:
        kind = kind_of(score.name)
        assert (score.question, score.method, score.better) == (kind.question, kind.method, kind.better)
        assert score.details is None or type(score.details) is kind.details
        assert np.isfinite(score.value) or score.note


def test_scores_page_names_every_kind() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "scores.md").read_text("utf-8")
    assert [kind.name for kind in KINDS if f"`{kind.name}`" not in page] == []
    assert [family.prefix for family in FAMILIES if f"`{family.prefix}" not in page] == []

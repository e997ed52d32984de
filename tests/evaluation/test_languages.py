"""Scores in Spanish: other texts, and the same values, statuses and details."""

from __future__ import annotations

from string import Formatter

import pytest

from synthclin.evaluation import PredictTask, score_table
from synthclin.evaluation.catalogue import FAMILIES, KINDS, find_kind
from synthclin.evaluation.gates import default_gates, judge
from synthclin.evaluation.kind import TEXTS
from synthclin.evaluation.labels import Labels, group_name, level_name, showing_labels, term_name, with_labels
from synthclin.evaluation.tasks import CompareTask, CoxTask, LinearTask, LogisticTask, SurvivalTask
from synthclin.language import speaking
from tests import messages

from .clinic import TRIAL, trial
from .conftest import spare

TASKS = (
    PredictTask(target="died"),
    CoxTask(event="end", cause="cardiac", covariates=("age", "arm")),
    SurvivalTask(event="end", cause="cardiac", by="arm"),
    LogisticTask(target="died", covariates=("age",)),
    LinearTask(target="bmi", covariates=("age", "sex")),
    CompareTask(target="bmi", by="arm"),
)
OF_TEXTS = {"question", "method", "note"}
TERMS = {
    "age (per SD)": "age (por DE)",
    "sex: M against F": "sex: M frente a F",
    "difference, sex: M against F": "diferencia, sex: M frente a F",
    "mean survival time, sex: F": "tiempo medio de supervivencia, sex: F",
    "mean survival time, all": "tiempo medio de supervivencia, todos los pacientes",
    "sex: M against F, nyha: II": "sex: M frente a F, nyha: II",
    "an unknown term": "an unknown term",
}


def scored():
    train, holdout, synthetic = trial(150, 1), trial(60, 2), trial(150, 3)
    return score_table(synthetic, train=train, holdout=holdout, schema=TRIAL, tasks=TASKS, by=("sex",), workers=1)


def test_values_statuses_and_details_are_the_same_in_spanish_and_texts_are_not(monkeypatch):
    spare(monkeypatch)
    english = scored()
    with speaking("es"):
        spanish = scored()
        verdicts = judge(default_gates(spanish.scores), spanish.scores)
    for one, other in zip(english.scores, spanish.scores, strict=True):
        first, second = one.to_dict(), other.to_dict()
        assert [key for key in first if first[key] != second[key] and key not in OF_TEXTS] == []
        assert [key for key in OF_TEXTS if first[key] and first[key] == second[key]] == [], one.name
    for one, other in zip(judge(default_gates(english.scores), english.scores), verdicts, strict=True):
        figures = (one.gate, one.status, one.excused, one.holdout_needed)
        assert figures == (other.gate, other.status, other.excused, other.holdout_needed)
        assert one.reason != other.reason
        assert one.without_figures != other.without_figures
    for score in english.scores:
        kind = find_kind(score.name)
        with speaking("es"):
            answer = find_kind(score.name).answer(score)
        assert (kind.answer(score) == "") == (answer == "")
        assert answer == "" or answer != kind.answer(score)
        assert_translated(score.name)


@pytest.mark.parametrize(
    "name", [*(kind.name for kind in KINDS), *(f.prefix + example for f in FAMILIES for example in f.examples)]
)
def test_every_text_of_a_kind_has_a_translation(name):
    assert_translated(name)


def assert_translated(name):
    english = find_kind(name)
    with speaking("es"):
        spanish = find_kind(name)
    for field in TEXTS:
        text = getattr(english, field)
        assert not text or getattr(spanish, field) != text, f"{name}.{field}"


def test_every_text_of_kinds_limits_and_questions_has_a_translation():
    known = {message.id: message.string for message in messages.read(messages.LOCALE / "es.po")}
    assert [message.text for message in messages._of_kinds() if message.text and not known.get(message.text)] == []


def test_translations_have_the_values_of_their_messages():
    for message in messages.read(messages.LOCALE / "es.po"):
        texts = (message.string,) if isinstance(message.string, str) else message.string
        original = message.id if isinstance(message.id, str) else message.id[-1]
        for text in filter(None, texts if message.id else ()):
            if "python-brace-format" in message.flags:
                assert places(text) == places(original), original


def places(text):
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


@pytest.mark.parametrize(("term", "spanish"), TERMS.items())
def test_terms_are_shown_in_the_language_with_labels_and_without(term, spanish):
    labels = Labels({"sex": "Sexo", "age": "Edad"}, {"sex": {"M": "hombre", "F": "mujer"}})
    with speaking("es"):
        assert term_name(term, 80) == group_name(term, 80) == spanish
        assert with_labels(f"A '{term}'.") == f"A '{spanish}'."
        with showing_labels(labels):
            shown = spanish.replace("sex: M", "Sexo: hombre").replace("sex: F", "Sexo: mujer").replace("age", "Edad")
            assert term_name(term, 80) == shown.replace("frente a F", "frente a mujer")
    assert term_name(term, 80) == term
    assert with_labels(f"A '{term}'.") == f"A '{term}'."


def test_groups_of_levels_are_shown_in_the_language():
    levels = ["other (5 levels)", "part 1 of 4 by rank", "1 to 3"]
    assert [level_name("x", level, 40) for level in levels] == levels
    with speaking("es"):
        assert [level_name("x", level, 40) for level in levels] == [
            "otras (5 categorías)",
            "parte 1 de 4 por rango",
            "1 to 3",
        ]
        with showing_labels(Labels({}, {"x": {"1": "uno", "3": "tres"}})):
            assert level_name("x", "1 to 3", 40) == "uno a tres"

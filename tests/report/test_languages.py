"""Reports in Spanish: every text is translated, values stay escaped, and keys and counts do not depend on it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from string import Formatter

import pytest
from babel.messages.catalog import Message

from synthclin.language import LANGUAGES, Language, speaking
from synthclin.report import Report
from synthclin.report.html import sections
from synthclin.report.pages.decision import decision, sentence
from synthclin.report.pages.notebook import page_one_html
from synthclin.report.pages.sheet import sheet_style
from synthclin.report.pages.statements import carried, counts_people, figures_by_key
from synthclin.report.pages.words import edition_name, status_name
from synthclin.report.summary import summary
from tests.messages import LOCALE, read
from tests.report.study import study
from tests.report.test_html import HOSTILE, Page
from tests.report.test_release import FILE, WHOLE

LONG = 24  # letters of a message that is sought within other text; a shorter one is a text of its own
SHORT = 10  # letters without which a message with values cannot be told from other texts
STATUSES = ("PASS", "REVIEW", "FAIL", "NOT ASSESSABLE", "TOO WEAK", "NONE", "STATED")
SPANISH = read(LOCALE / "es.po")


def reported(code: Language, first: str = "sbp", second: str = "sex") -> Report:
    """Return a report whose texts are made in a language, those of verdicts too."""
    with speaking(code):
        report = study(first, second, release=WHOLE, table=FILE)
    return dataclasses.replace(report, language=code)


class Texts(HTMLParser):
    """The texts of a page, those of attributes too, with plain spaces."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = tag
        self.found += [value for name, value in attrs if name in {"aria-label", "title", "data-l"} and value]

    def handle_endtag(self, tag: str) -> None:
        self.inside = "" if tag == self.inside else self.inside

    def handle_data(self, data: str) -> None:
        if self.inside != "style" and data.strip():
            self.found.append(data.strip())


def texts(html: str) -> list[str]:
    return [text.replace("\u00a0", " ") for text in Texts(html).found]


def translated() -> Iterator[tuple[str, str]]:
    """Yield each message that has a translation, its plural form too, and the translation."""
    for message in SPANISH:
        for english, spanish in zip(*forms(message), strict=True):
            if english and spanish:
                yield english, spanish


def forms(message: Message) -> tuple[tuple[str, ...], tuple[str, ...]]:
    ids, strings = message.id, message.string
    return (ids,) if isinstance(ids, str) else tuple(ids), (strings,) if isinstance(strings, str) else tuple(strings)


def is_in(message: str, shown: list[str]) -> bool:
    """Whether a message is among the texts, with any values in the places of its own."""
    parts = re.split(r"\{\w+\}", re.sub(r"</?\w+>", "", message).replace("\u00a0", " "))
    pattern, letters = re.compile(".+?".join(map(re.escape, parts)), re.DOTALL), sum(map(len, parts))
    if len(parts) > 1 and letters < SHORT:
        return False
    return any((pattern.search if letters >= LONG else pattern.fullmatch)(text) for text in shown)


@pytest.mark.parametrize("shareable", [False, True], ids=["internal", "shareable"])
def test_no_english_message_is_left_in_a_spanish_report(shareable: bool) -> None:
    reports = {code: reported(code) for code in LANGUAGES}
    pages = {code: texts((report.shareable() if shareable else report).to_html()) for code, report in reports.items()}
    in_english = {english for english, spanish in translated() if english != spanish and is_in(english, pages["en"])}
    assert len(in_english) > 200
    assert [message for message in sorted(in_english) if is_in(message, pages["es"])] == []


def test_pages_in_one_language_leave_those_in_another_as_they_are() -> None:
    report = reported("en")
    before = report.to_html(), summary(report), page_one_html(report)
    spanish = reported("es").to_html()
    assert (report.to_html(), summary(report), page_one_html(report)) == before
    assert '<html lang="en">' in before[0]
    assert '<html lang="es">' in spanish


def test_summary_and_notebook_are_in_the_language_of_the_report() -> None:
    report = reported("es")
    for text in (summary(report), page_one_html(report)):
        assert "Edición interna" in text
        assert "NO CUMPLE" in text
        assert not re.search(r"\b(FAIL|REVIEW|PASS|edition|Question)\b", text)


@pytest.mark.parametrize("name", HOSTILE)
def test_values_are_escaped_in_spanish(name: str) -> None:
    usual, hostile = Page(reported("es").to_html()), Page(reported("es", name, f"{name} again").to_html())
    assert {tag for tag, _ in hostile.elements} == {tag for tag, _ in usual.elements}
    assert not [key for _, attributes in hostile.elements for key in attributes if key.startswith("on")]


def test_the_sentence_of_page_one_escapes_its_reasons() -> None:
    with speaking("es"):
        told = sentence([("PASS", ""), ("FAIL", "<i>{n}</i>"), ("REVIEW", "b"), ("NOT ASSESSABLE", "")])
    assert told == (
        "Una de cuatro preguntas cumple. Una se debe <b>revisar</b>: b. "
        "Una <b>no cumple</b>: &lt;i&gt;{n}&lt;/i&gt;. Una no es evaluable."
    )


def test_statuses_are_translated_where_they_are_shown_and_not_in_files() -> None:
    report = reported("es")
    rows = decision(report).rows
    chips = re.findall(r'<span class="chip[^>]*>.*?<span>([^<]*)</span></span>', report.to_html(), re.DOTALL)
    with speaking("es"):
        assert [status_name(row.status) for row in rows] == chips[: len(rows)]
        assert set(chips) <= {status_name(status) for status in STATUSES}
        assert not {status_name(status) for status in STATUSES} & set(STATUSES)
    document = report.to_dict()
    assert {question["status"] for question in document["questions"]} <= set(STATUSES)
    assert [gate["status"] for gate in document["gates"]] == [verdict.status for verdict in report.verdicts]


def test_every_language_names_the_statuses_and_editions() -> None:
    for code in LANGUAGES:
        with speaking(code):
            assert len({status_name(status) for status in STATUSES}) == len(STATUSES)
            assert edition_name("internal") != edition_name("shareable")


def test_printed_sheets_are_numbered_in_the_language() -> None:
    with speaking("es"):
        style = sheet_style(reported("es"))
    assert r'content: "p\0000e1gina " counter(page) " de " counter(pages)' in style
    assert r"Edici\0000f3n interna" in style


def test_translations_have_the_places_and_the_markup_of_their_messages() -> None:
    for english, spanish in translated():
        assert places(spanish) <= places(english), english
        assert sorted(re.findall(r"</?\w+>", spanish)) == sorted(re.findall(r"</?\w+>", english))
    for message in SPANISH:
        if isinstance(message.id, str) and message.string:
            assert places(message.string) == places(message.id), message.id


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_keys_of_statements_are_codes_and_those_of_figures_are_unique() -> None:
    keys = {}
    for code in LANGUAGES:
        with speaking(code):
            report = reported(code)
            figures = [figure for section in sections(report) for figure in section.figures]
            keys[code] = list(figures_by_key(sections(report)))
            assert len(keys[code]) == len(figures)
            assert all(key.endswith("/0") for key in keys[code])
            statements = report.shareable().statements
        shown = {*keys[code], "limits"}
        coded = [key for key in statements if key not in shown and not key.startswith("limits/")]
        assert all(re.fullmatch(r"(?:answer|fact|groups)/[\w.]+(?:/\w+)?", key, re.ASCII) for key in coded)
    assert [key.partition("/")[0] for key in keys["en"]] == [key.partition("/")[0] for key in keys["es"]]


def test_both_editions_say_the_same_in_spanish() -> None:
    with speaking("es"):
        internal = reported("es")
        shared = internal.shareable()
        ours, theirs = (figures_by_key(sections(report)) for report in (internal, shared))
        assert [key for key in ours if key in theirs] == list(theirs)
        pages = decision(internal), decision(shared)
    assert pages[0].sentence == pages[1].sentence
    assert [row.status for row in pages[0].rows] == [row.status for row in pages[1].rows]
    assert [limit.headline for limit in pages[0].limits] == [limit.headline for limit in pages[1].limits]


@pytest.mark.parametrize(
    "text",
    [
        "3 filas sintéticas son iguales a una",
        "Tres pacientes difieren",
        "Un paciente difiere",
        "Una sola fila difiere",
        "183 de 400 filas incumplen una regla",
        "tres de las 400 filas incumplen una regla",
        "Diez nuevas filas sintéticas",
        "1\u202f200 pacientes de entrenamiento",
        "Filas iguales a las de varios pacientes: 3",
    ],
)
def test_numbers_of_rows_and_patients_stay_in_their_edition_in_spanish(text: str) -> None:
    with speaking("es"):
        assert carried(text, "Alguna difiere", (), 0.05) == ""
    assert carried(text, "Alguna difiere", (), 0.05) == ""


@pytest.mark.parametrize(
    "text",
    [
        "La intensidad es 0.5 en filas reales",
        "El riesgo es de 0.05 por paciente",
        "Proporción de filas que cumplen las reglas: 0.95",
        "sbp es la columna que más difiere",
        "Dos columnas difieren entre pacientes",
    ],
)
def test_other_numbers_are_carried_over_in_spanish(text: str) -> None:
    assert not counts_people(text)
    assert carried(text, "Nada difiere", (), 0.05) == text


def test_each_message_that_counts_people_does_so_in_its_translation() -> None:
    counting = 0
    for english, spanish in translated():
        for value, valor in (("3", "3"), ("three", "tres")):
            if counts_people(re.sub(r"\{\w+\}", value, english)):
                counting += 1
                assert counts_people(re.sub(r"\{\w+\}", valor, spanish)), spanish
    assert counting > 20

"""The HTML page: escaping, content security policy, text alternatives and contrast."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from synthclin.report import Report
from synthclin.report.html import _style
from tests.report.conftest import example, made, panels

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</style><svg onload=alert(1)>",
    "</title></desc></svg><iframe>",
    "\" onmouseover=\"alert(1)' x='",
    "{{ 7 * 7 }}{% raw %}",
    "a&amp;b &lt; c",
    "\u202egnp.exe\x00\x1b[31m",
    "x" * 5000,
    "]]><!--",
    "",
]


class Page(HTMLParser):
    """Elements with their attributes, and the text, of a page."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"an attribute of <{tag}> occurs twice"
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def html() -> str:
    return example().to_html()


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_name_is_escaped(name: str, html: str) -> None:
    report = example(
        first=name, second=name + " again", provenance={"name": name, "intended_use": name, name or "x": name}
    )
    hostile = report.to_html()
    hostile.encode()
    page, usual = Page(hostile), Page(html)
    assert {tag for tag, _ in page.elements} == {tag for tag, _ in usual.elements}
    assert not [key for _, attributes in page.elements for key in attributes if key.startswith("on") or key == "src"]
    assert not set(hostile) & {"\x00", "\x1b", "\u202e"}
    assert "49" not in re.findall(r"\b49\b", page.text)
    if name == HOSTILE[0]:
        assert name in page.text


def test_policy_allows_only_the_style_and_nothing_is_fetched(html: str) -> None:
    page = Page(html)
    policy = next(m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)
    assert policy is not None
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert not {"script", "link", "img", "iframe", "object", "form", "base"} & {tag for tag, _ in page.elements}
    assert not [tag for tag, attributes in page.elements if "style" in attributes]
    assert all((a["href"] or "").startswith("#") for a in page.all("a"))
    assert "http:" not in html
    assert "https:" not in html
    assert "url(" not in html.replace("url(#hatch)", "")


def test_anchors_resolve_and_ids_are_unique(html: str) -> None:
    ids = [attributes["id"] for _, attributes in Page(html).elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for attributes in Page(html).all("a"):
        assert (attributes["href"] or "")[1:] in ids


def test_every_svg_has_text_alternative_or_is_hidden(html: str) -> None:
    found = re.findall(r"<svg\b([^>]*)>(.{0,40})", html)
    assert len(found) > 15
    for attributes, start in found:
        spoken = 'role="img"' in attributes and start.startswith("<title>")
        nested = 'class="nv"' in attributes
        assert spoken or nested or 'aria-hidden="true"' in attributes, attributes


@pytest.mark.parametrize("word", ["anonymous", "anonymis", "compliant", "safe", "guaranteed", "no risk"])
def test_promises_do_not_occur(html: str, word: str) -> None:
    assert word not in Page(html).text.lower()


def test_page_states_edition_and_limits(html: str) -> None:
    text = Page(html).text
    assert "Internal edition." in text
    assert "may still be personal data" in text
    assert "not a legal determination" in text
    assert "none stated" in text
    assert "Sign-off" in text


def test_small_real_counts_are_suppressed(html: str) -> None:
    table = re.search(r"sbp: rows per bin.*?</table>", html, re.DOTALL)
    assert table is not None
    rows = [re.findall(r"<bdi>([^<]*)</bdi>", row) for row in table[0].split("<tr")[2:]]
    # bin, real, synthetic: only real counts are suppressed
    assert rows[0] == ["below 80", "&lt;\u00a011", "3"]
    assert rows[-1] == ["missing", "13", "7"]
    assert "suppressed" in Page(html).text


def test_statuses_are_words_and_not_only_colours(html: str) -> None:
    text = Page(html).text
    for status in ("PASS", "REVIEW", "FAIL", "NOT ASSESSABLE"):
        assert status in text


@pytest.mark.parametrize(
    "report",
    [
        Report((), (), {}, {}),
        example(sections={}),
        example(scores=(), verdicts=(), sections={}),
        example(provenance={"rows": {"train": 400, "holdout": 0, "synthetic": 400}}),
    ],
)
def test_incomplete_report_renders(report: Report) -> None:
    page = Page(report.to_html())
    assert "Annex: limits, methods and crosswalk" in page.text
    assert not re.search(r"\bnan\b", page.text, re.IGNORECASE)
    assert "None" not in page.text.replace("None of", "").replace("None was", "")


def test_dates_and_empty_columns_have_panels() -> None:
    date = panels("seen", "x")[0] | {"unit": None, "edges": ["2020-01-01", "2020-07-01", "2021-01-01"]}
    empty = panels("gone", "x")[0] | {"edges": [], "real": [0], "synthetic": [0]}
    one = panels("spike", "x")[0] | {"edges": [3.0], "real": [200, 187], "synthetic": [200, 193]}
    report = example(sections=example().sections | {"marginals": [date, empty, one]})
    assert "2020-01-01" in report.to_html()


def test_every_score_is_listed_in_methods() -> None:
    report = example()
    rare = made("calibration.<i>own</i>", 0.5, 0.4, 0.6, note="Ours.")
    text = Page(example(scores=(*report.scores, rare)).to_html()).text
    assert "calibration.<i>own</i>" in text
    assert "Ours." in text


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(a: str, b: str) -> float:
    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


PAIRS = [
    ("ink", "paper"),
    ("ink", "wash"),
    ("mut", "paper"),
    ("mut", "wash"),
    ("syn", "paper"),
    ("review", "review-bg"),
    ("fail", "fail-bg"),
]


def schemes() -> list[dict[str, str]]:
    return [
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
        for block in re.findall(r":root \{(.*?)\}", _style(), re.DOTALL)
    ]


def test_contrast_in_every_colour_scheme() -> None:
    assert len(schemes()) == 3  # light, dark, print
    for scheme in schemes():
        for text, ground in PAIRS:
            assert contrast(scheme[text], scheme[ground]) >= 4.5, (text, ground)
        assert contrast(scheme["ctl"], scheme["paper"]) >= 3

"""What a notebook shows of a schema, a model, a sample and a report: small, escaped, without scripts."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

import synthclin as sc
from synthclin.evaluation.gate import parse_gate
from synthclin.evaluation.gates import Verdict
from synthclin.evaluation.score import Score
from synthclin.io.html_card import MOST_BYTES, card, cell
from synthclin.report import Report
from synthclin.sampling.sample_facts import SampleFacts

HOSTILE = "<script>alert('x')</script><img src=x onerror=\"y\">"
LIMIT = 300_000
ALLOWED = {"div", "style", "p", "strong", "table", "thead", "tbody", "tr", "th", "td", "bdi"}


class Tags(HTMLParser):
    """Collects tags and attributes, and checks that each tag that opens closes."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes = [], set(), set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def check(text):
    seen = Tags(text)
    assert seen.open == []
    assert seen.tags <= ALLOWED
    assert seen.attributes <= {"class", "scope"}
    assert "<script" not in text
    assert "http" not in text
    assert len(text.encode()) < LIMIT
    return text


def report(name="toy"):
    score = Score(
        "fidelity.marginals", "?", 0.95, 0.94, 0.96, "higher", None, None, 100, "toy", details={"columns": []}
    )
    verdicts = (
        Verdict(parse_gate("fidelity.marginals >= 0.9"), "PASS", 0.95, 0.94, "It meets the limit.", "It meets it."),
    )
    return Report((score,), verdicts, {}, {"name": name})


@pytest.fixture(scope="module")
def fitted():
    table, schema = sc.datasets.load("heart_disease")
    return sc.ConditionalGAN(schema, effort="quick", width=8).fit(table.head(60)), table.head(60)


def test_a_schema_is_a_table_of_its_columns():
    columns = {
        "age": {"type": "integer", "unit": "a", "range": [18, 105], "disclosure": "quasi_identifier"},
        "crp": {"type": "number", "range": [0, 500], "missing_codes": {-9: "unknown", -8: "refused"}},
        "arm": {"type": "category", "categories": ["SECRET_A", "SECRET_B"], "role": "treatment"},
        "note": {"type": "text"},
    }
    text = check(sc.Schema.model_validate({"columns": columns})._repr_html_())
    for shown in ("age", "18 to 105", "2 levels", "treatment", "quasi_identifier", "never, 2 codes"):
        assert f"<bdi>{shown}</bdi>" in text
    assert "SECRET" not in text
    assert "crp_missing" not in text


def test_hostile_names_are_text():
    text = check(sc.Schema.model_validate({"columns": {HOSTILE: {"type": "number"}}})._repr_html_())
    assert "&lt;script&gt;" in text
    check(report(HOSTILE)._repr_html_())
    assert "\n" not in repr(report(f"a\nb\u202e{HOSTILE}"))


def test_blanks_stay_and_what_hides_text_is_replaced():
    assert cell("55\u00a0%") == "55\u00a0%"
    assert cell("a\u202eb\nc") == "a\ufffdb\ufffdc"
    assert "\u202e" not in card("t", lines=["a\u202eb"])


def test_thousands_of_columns_stay_small():
    many = {f"{HOSTILE}{'&' * 200}{i}": {"type": "number"} for i in range(3_000)}
    text = check(sc.Schema.model_validate({"columns": many})._repr_html_())
    assert "more rows are not shown." in text
    assert "more rows" not in card("few", rows=[["a"]] * 10)
    assert len(card("many", rows=[["\U0001f3e5" * 120]] * 3_000).encode()) < MOST_BYTES + 2_000


def test_a_model_tells_of_its_training_and_no_cell(fitted, tmp_path):
    model, table = fitted
    text = check(model._repr_html_())
    assert '<th scope="row">training rows</th><td><bdi>60</bdi></td>' in text
    assert "warm-up" in text
    assert model._repr_mimebundle_()["text/html"] == text
    assert not any(f"<bdi>{value}</bdi>" in text for value in table["chol"].dropna().astype(int).unique())
    check(sc.ConditionalGAN(model.schema)._repr_html_())
    model.save(tmp_path / "model")
    assert "not kept in a model folder" in check(sc.load_model(tmp_path / "model")._repr_html_())


def test_a_sample_tells_how_probable_its_condition_is():
    text = check(SampleFacts(200, 3_000, 0.0734, 1_234.0)._repr_html_())
    assert "0.0734" in text
    assert "1,234" in text


def test_a_report_is_page_one_and_one_line():
    text = check(report()._repr_html_())
    assert "PASS" in text
    assert "0.950" in text
    assert "not differentially private" in text
    assert repr(report("heart-disease")) == "Report(heart-disease: 1 PASS)"
    assert repr(Report((), (), {}, {})) == "Report(synthetic table: no gates)"


def test_no_colour_is_set_so_that_every_theme_can_be_read():
    text = report()._repr_html_()
    style = text[text.index("<style>") : text.index("</style>")]
    assert "color:inherit" in style
    assert "#" not in style

"""The index of a sweep: medians and ranges by model and table, the worst first, and names as text."""

from __future__ import annotations

import dataclasses
import re

import pytest

from synthclin.evaluation.gate import parse_gate
from synthclin.evaluation.gates import judge
from synthclin.language import speaking
from synthclin.report import Report
from synthclin.report.sweep_index import SweepRun, sweep_index
from tests.report.conftest import made
from tests.report.test_html import HOSTILE, Page

GATE = parse_gate("fidelity.marginals >= 0.9")


def run(table, model, seed, value, half=0.01, **words):
    """A cell with one score and one gate."""
    scores = (made("fidelity.marginals", value, value - half, value + half, reference=0.97),)
    report = Report(scores, judge([GATE], scores), {}, {"name": table, "rows": {"train": 700, "holdout": 80}}, **words)
    name = f"{table}-{model}-{seed}"
    return SweepRun(name, table, model, seed, f"cells/{name}/report.html", report)


def lost(table, model, seed, *failure):
    return SweepRun(
        f"{table}-{model}-{seed}", table, model, seed, "", None, failure or ("data.csv", "is empty", "Fill it.")
    )


def rows(page, table=1):
    """The rows of a table of models: name and the texts of its cells."""
    section = page.partition(f'id="table-{table}"')[2].partition("</section>")[0]
    found = {}
    for line in re.findall(r"<tr.*?</tr>", section.partition("<tbody>")[2], re.DOTALL):
        texts = re.sub(r"<svg.*?</svg>", "", line, flags=re.DOTALL)
        name, *cells = [re.sub(r"<[^>]+>", " ", cell).split() for cell in re.findall(r"<t[hd].*?</t[hd]>", texts)]
        found[name[0]] = [" ".join(cell) for cell in cells]
    return found


def test_a_cell_is_the_median_and_the_range_over_the_seeds():
    values = {0: 0.93, 1: 0.95, 2: 0.91}
    page = sweep_index("grid", [run("ward", "gan", seed, value) for seed, value in values.items()])
    assert rows(page)["gan"] == ["0.930 0.910 to 0.950"]
    assert rows(page)["Holdout"] == ["0.970"]
    assert "One table, one model and three seeds: three runs. Every run is complete." in page
    assert "700 training rows, 80 holdout rows" in page


def test_of_one_seed_the_interval_is_shown():
    assert rows(sweep_index("grid", [run("ward", "gan", 0, 0.93, 0.02)]))["gan"] == ["0.930 0.910 to 0.950"]


def test_the_worst_model_is_first_in_each_table():
    runs = [run("a", "good", 0, 0.97), run("a", "bad", 0, 0.7), run("b", "good", 0, 0.6), run("b", "bad", 0, 0.98)]
    page = sweep_index("grid", runs)
    assert list(rows(page, 1)) == ["bad", "good", "Holdout"]
    assert list(rows(page, 2)) == ["good", "bad", "Holdout"]


def test_failed_cells_are_named_and_make_a_model_the_worst():
    runs = [lost("a", "gone", 1), run("a", "bad", 0, 0.5), run("a", "bad", 1, 0.5), run("a", "gone", 0, 0.97)]
    page = sweep_index("grid", runs)
    assert list(rows(page)) == ["gone", "bad", "Holdout"]
    assert "Four runs. One run failed." in page or "four runs. One run failed." in page
    assert "1 of 2 seeds" in page
    assert "data.csv" in page
    assert "is empty" in page
    assert "Fill it." in page
    assert page.count('href="cells/') == 3


def test_a_table_without_any_result_has_no_empty_table():
    page = sweep_index("grid", [lost("a", "gan", 0), run("b", "gan", 0, 0.9)])
    assert "No run of this table is complete" in page
    assert rows(page, 1) == {}
    assert rows(page, 2)["gan"]


def test_the_number_of_runs_and_their_order_do_not_change_the_tables():
    runs = [run(table, model, seed, 0.9 + seed / 100) for table in "ab" for model in "xy" for seed in (0, 1)]
    assert rows(sweep_index("grid", runs)) == rows(sweep_index("grid", runs[::-1]))


@pytest.mark.parametrize("text", HOSTILE)
def test_names_and_errors_are_text(text):
    known = dataclasses.replace(run(text, text, 0, 0.9), page="cells/a/report.html")  # made of checked names
    runs = [known, lost(text, text, 1, text, text, text)]
    html, usual = sweep_index(text, runs), sweep_index("x", [run("x", "x", 0, 0.9), lost("x", "x", 1)])
    page = Page(html)
    assert {tag for tag, _ in page.elements} == {tag for tag, _ in Page(usual).elements}
    assert not [key for _, attributes in page.elements for key in attributes if key.startswith("on") or key == "src"]
    assert not set(html) & {"\x00", "\x1b", "\u202e"}
    assert "49" not in re.findall(r"\b49\b", page.text)


def test_it_speaks_the_language_of_the_reports():
    page = sweep_index("grid", [run("ward", "gan", 0, 0.95, language="es")])
    assert 'lang="es"' in page
    assert "Filas reservadas" in page
    assert "holdout" not in page
    with speaking("es"):
        assert 'lang="en"' in sweep_index("grid", [run("ward", "gan", 0, 0.95)])

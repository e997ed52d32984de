"""The pages in a real browser: offline, without errors, responsive, printable and accessible.

The tests need Chromium and the extra ``browser``; without them they are skipped.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from synthclin.report import Report
from synthclin.report.compare import NamedReport, compare, index
from tests.report.conftest import example
from tests.report.study import study
from tests.report.test_html import HOSTILE
from tests.report.test_release import released

sync_api = pytest.importorskip("playwright.sync_api")
axe_module = pytest.importorskip("axe_playwright_python.sync_playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

LONG = "a_column_name_of_more_than_sixty_letters_as_registries_export_them_now"
RUNS = [NamedReport("first", study()), NamedReport("second", example()), NamedReport(LONG, study().shareable())]
PAGES = {
    "internal": study().to_html,
    "shareable": study().shareable().to_html,
    "hostile": study(first=HOSTILE[1], second=LONG).to_html,
    "compare": lambda: compare(RUNS),
    "index": lambda: index(RUNS),
}
A4 = {"width": 688, "height": 1017}  # pixels inside of the margins


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as play:
        started = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module", params=PAGES)
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pages") / f"{request.param}.html"
    path.write_text(PAGES[request.param](), encoding="utf-8")
    return path


@pytest.fixture
def page(browser: Any, file: Path) -> Iterator[Any]:
    context = browser.new_context(offline=True)
    opened = context.new_page()
    opened.messages, opened.requests = [], []
    opened.on("console", lambda message: opened.messages.append(message.text))
    opened.on("pageerror", lambda error: opened.messages.append(str(error)))
    opened.on("request", lambda request: opened.requests.append(request.url))
    opened.goto(file.as_uri())
    yield opened
    context.close()


def test_page_opens_offline_without_console_messages(page: Any, file: Path) -> None:
    assert page.messages == []
    assert page.requests == [file.as_uri()]
    assert page.title()


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_page_has_no_horizontal_scroll(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    for details in (False, True):
        page.evaluate("open => document.querySelectorAll('details').forEach(d => d.open = open)", details)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_violation(page: Any, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    found = axe_module.Axe().run(page).response["violations"]
    serious = [(one["id"], one["nodes"][0]["html"][:120]) for one in found if one["impact"] in {"serious", "critical"}]
    assert serious == []


def test_no_table_is_cut_in_print(page: Any) -> None:
    page.emulate_media(media="print")
    page.set_viewport_size(A4)
    cut = page.evaluate(
        """() => [...document.querySelectorAll('table, svg, .scroll, .srow')].filter(part => {
            const box = part.getBoundingClientRect();
            const hidden = part.matches('.scroll') && part.scrollWidth > part.clientWidth + 1;
            return box.width && (hidden || box.right > document.documentElement.clientWidth + 1);
        }).map(part => part.outerHTML.slice(0, 100))"""
    )
    assert cut == []
    broken = page.evaluate(
        """() => [...document.querySelectorAll('tr, .srow, .cell')].filter(
            part => getComputedStyle(part).breakInside !== 'avoid' && part.getBoundingClientRect().width).length"""
    )
    assert broken == 0
    assert page.pdf(format="A4", prefer_css_page_size=True).startswith(b"%PDF")


@pytest.mark.parametrize(
    "report",
    [study(), study().shareable(), example(), released(), released().shareable(), replace(released(), language="es")],
)
def test_page_one_fits_one_a4_sheet(browser: Any, tmp_path: Path, report: Report) -> None:
    (tmp_path / "report.html").write_text(report.to_html(), encoding="utf-8")
    page = browser.new_page(viewport=A4)
    page.emulate_media(media="print")
    page.goto((tmp_path / "report.html").as_uri())
    assert page.evaluate("document.querySelector('.page.first').getBoundingClientRect().bottom") <= A4["height"]
    page.close()

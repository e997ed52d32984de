"""The report as one HTML page without script, network access or other files."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from functools import cache
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from synthclin.language import language, tr
from synthclin.report.pages.analysis_section import clinical_section
from synthclin.report.pages.appendix import limits_section, methods_section, source_section
from synthclin.report.pages.cohort_section import cohorts_section
from synthclin.report.pages.context_section import context_section
from synthclin.report.pages.decision import decision, definitions
from synthclin.report.pages.fidelity_section import detection_section, fidelity_section
from synthclin.report.pages.figures import Section, joined
from synthclin.report.pages.gates_section import gates_section
from synthclin.report.pages.guarantee_section import guarantee_section
from synthclin.report.pages.names import showing_labels_of
from synthclin.report.pages.prediction_section import utility_section
from synthclin.report.pages.privacy_section import privacy_section
from synthclin.report.pages.rules_section import rules_section
from synthclin.report.pages.sheet import sheet_style
from synthclin.report.pages.statements import stated
from synthclin.report.pages.subgroup_section import subgroups_section
from synthclin.report.pages.synthetic_section import synthetic_section
from synthclin.report.pages.visits_section import visits_section
from synthclin.report.pages.words import edition_name, status_name
from synthclin.report.record.seal import sealed, unsigned
from synthclin.report.record.section_data import SectionData
from synthclin.wording import as_many_digits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synthclin.report.findings import Findings

__all__ = ["page", "render", "sections"]


def render(report: Findings) -> str:
    """Return the page of a report."""
    with showing_labels_of(report):
        seal = Markup(unsigned(report.table, passed=report.passed))  # noqa: S704 (hexadecimal digits and our own words)
        sheet = sheet_style(report)
        shown = {"page": decision(report), "sections": sections(report), "definitions": definitions(), "seal": seal}
        return sealed(page("report.html", sheet=sheet, **shown))


def sections(report: Findings) -> tuple[Section, ...]:
    """Return the sections with content, in the order of the page."""
    with as_many_digits(shown=report.edition == "shareable"):
        built = [section for section in _sections(report) if section is not None]
    return tuple(stated(section, report.statements) for section in built)


def page(template: str, *, sheet: str = "", **context: object) -> str:
    """Return a page from a template. All text is escaped; the content security policy allows the style by its hash.

    Arguments:
        template: its name.
        sheet: further style, of printed sheets; text from outside is escaped in it.
        context: the names in the template.
    """
    style = _style() + sheet
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    shown = Markup(style)  # noqa: S704 (our own style sheet)
    return _environment().get_template(template).render(style=shown, style_hash=f"sha256-{digest}", **context)


def _sections(report: Findings) -> Iterator[Section | None]:
    """Yield the sections in the order of the page, None for an empty one."""
    data = SectionData.model_validate(report.sections)
    if data.guarantee is not None and report.is_of_synthetic_rows:
        yield gates_section(report)
        yield guarantee_section(data.guarantee, report.edition)
        yield synthetic_section(data)
        yield joined(rules_section(report), cohorts_section(data.cohorts) if data.cohorts else None)
        yield joined(limits_section(report), methods_section(report))
        return
    yield gates_section(report)
    yield joined(context_section(report), source_section(report, data))
    yield None if data.guarantee is None else guarantee_section(data.guarantee, report.edition)
    yield privacy_section(report)
    yield joined(fidelity_section(report, data), detection_section(report))
    yield visits_section(report, data)
    yield clinical_section(report)
    yield utility_section(report)
    yield subgroups_section(report)
    yield joined(rules_section(report), cohorts_section(data.cohorts) if data.cohorts else None)
    yield joined(limits_section(report), methods_section(report))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("synthclin.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_unbroken,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Called anew for each page, in its language; a filter of a constant would be computed once.
    environment.globals |= {"tr": tr, "language": language, "edition_name": edition_name, "status_name": status_name}
    return environment


def _unbroken(value: object) -> object:
    """Keep a number and its percent sign on one line."""
    return value.replace(" %", "\u00a0%") if type(value) is str else value


@cache
def _style() -> str:
    """Return the style sheet without comments and indents."""
    source, _, _ = _environment().loader.get_source(_environment(), "report.css")  # type: ignore[union-attr]
    lines = (line.strip() for line in source.splitlines())
    return "\n".join(line for line in lines if line and not (line.startswith("/*") and line.endswith("*/"))) + "\n"

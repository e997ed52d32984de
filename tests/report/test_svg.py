"""SVG elements: escaping, coordinates and finite numbers."""

from __future__ import annotations

from math import inf, nan
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthclin.report.charts import svg

visible = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff"))


@given(visible, visible)
def test_text_and_attributes_round_trip(content: str, title: str) -> None:
    root = ET.fromstring(svg.picture(title, content, 10, svg.text(0.5, 3, content)))
    assert [child.text or "" for child in root] == [title, content, content]
    assert ET.fromstring(svg.element("g", id=content)).get("id") == content


@pytest.mark.parametrize("value", [nan, inf])
def test_non_finite_coordinate_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="must be finite"):
        svg.line(0.0, value, 1.0, 1.0, "ax")


def test_positions_are_shares_of_the_width() -> None:
    assert svg.rect(0.25, 1, -0.5, 2, "x") == '<rect class="x" x="25%" y="1" width="0%" height="2"/>'
    assert svg.path([(0.0, 5.0), (1.0, -0.001)], "x", closed=True) == '<path class="x" d="M0 5L1000 0Z"/>'

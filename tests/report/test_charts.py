"""Charts: scales, marks, labels and text alternatives."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from synthclin.report.charts import charts, roc_plot
from synthclin.report.charts.charts import GateScale

HOSTILE = "</text><script>alert(1)</script>"
CURVE = [(0.0, 0.0), (0.3, 0.6), (1.0, 1.0)]

PICTURES = {
    "gate": charts.gate_bar(GateScale(0.5, 0.55, 0.6, higher=False), 0.9, 0.4, 0.95, str),
    "numeric": charts.numeric_panel(
        HOSTILE, [0.0, 0.5, 1.0], [1.0, 3.0], [2.0, 2.0], (None, 0.2), [(0.5, HOSTILE)], desc=HOSTILE, labelled=True
    ),
    "category": charts.category_panel(
        HOSTILE, [HOSTILE, "b"], [0.7, 0.3], [0.5, 0.5], (0.0, 1.0), desc=HOSTILE, labelled=True
    ),
    "empty": charts.category_panel("x", [], [], [], (0.0, 0.0), desc="nothing"),
    "map": charts.heat_map("map", [HOSTILE, "b", "c"], [[], [0.4], [-0.2, None]], "difference", HOSTILE),
    "roc": roc_plot.roc_plot("roc", [(HOSTILE, "lsyn2", CURVE)], HOSTILE),
    "attack": roc_plot.attack_roc_plot(HOSTILE, CURVE, [CURVE, []], 0.05, HOSTILE),
    "sharp attack": roc_plot.attack_roc_plot("roc", CURVE, [], 0.002, "x"),
    "unknown controls": roc_plot.attack_roc_plot("roc", CURVE, [CURVE], None, "x"),
    "dots": charts.reference_dots(HOSTILE, 0.7, 0.6, 1.2, 0.5, 0.9),
}


@pytest.mark.parametrize("name", PICTURES)
def test_every_chart_is_well_formed_with_text_alternative(name: str) -> None:
    root = ET.fromstring(PICTURES[name])
    assert root.get("role") == "img"
    assert [child.tag for child in root][:2] == ["title", "desc"]
    assert all(child.text for child in root[:2])
    assert "script" not in {element.tag for element in root.iter()}
    assert not {"style", "onload"} & {key for element in root.iter() for key in element.attrib}


@given(st.floats(-5, 5), st.floats(0.01, 3), st.floats(0.01, 3), st.booleans())
def test_gate_scale_fixes_limits_and_puts_worse_right(ideal: float, first: float, second: float, higher: bool) -> None:
    sign = -1 if higher else 1
    scale = GateScale(ideal, ideal + sign * first, ideal + sign * (first + second), higher)
    places = [scale.place(ideal + sign * x) for x in (0.0, first, first + second, first + 2 * second)]
    assert places[:3] == pytest.approx([0.08, 0.44, 0.80], abs=1e-6)
    assert places == sorted(places)


@pytest.mark.parametrize("scale", [GateScale(0.0, 0.0, None, higher=False), GateScale(1.0, 2.0, 0.9, higher=True)])
def test_gate_scale_with_limit_at_or_beyond_the_ideal(scale: GateScale) -> None:
    assert scale.place(scale.limit) == pytest.approx(0.44)
    assert scale.place(scale.limit + (-0.1 if scale.higher else 0.1)) > 0.44


def test_value_off_the_scale_is_marked_and_clipped() -> None:
    bar = PICTURES["gate"]
    assert "\u203a" in bar
    assert "\u2039" in bar
    places = [float(e.get(k, "0%").rstrip("%")) for e in ET.fromstring(bar) for k in ("x1", "x2", "cx")]
    assert 0 <= min(places) <= max(places) <= 100


def test_heat_map_prints_strengths_from_010() -> None:
    picture = charts.heat_map("m", ["a", "b", "c"], [[], [0.42], [0.05, -0.31]], "real", "d")
    assert texts(picture, "hl real") == [".42", "\u2212.31"]


def test_heat_map_difference_shows_direction_by_class_and_sign() -> None:
    picture = charts.heat_map("m", ["a", "b", "c"], [[], [0.2], [-0.31, 0.0]], "difference", "d")
    assert texts(picture, "hl difference") == ["+.20", "\u2212.31"]
    forms = [e.get("class", "").split()[0] for e in ET.fromstring(picture) if e.tag == "rect"]
    assert forms == ["hb", "hs", "hb", "hr", "hb", "hr"]


def test_suppressed_values_are_not_drawn_as_zero() -> None:
    bars = charts.category_panel("x", ["a", "b"], [None, 0.4], [0.5, 0.5], (None, 0.0), desc="d")
    assert "suppressed" in texts(bars, "sm")
    assert "? \u00b7 0\u00a0%" in texts(bars, "sm")
    steps = charts.numeric_panel("x", [0, 0.2, 0.5, 1], [0.1, None, 0.3], [0.2] * 3, (0.0, 0.0), [], desc="d")
    outlines = [path for path in ET.fromstring(steps).iter("path") if path.get("class") == "lreal"]
    assert len(outlines) == 2


@pytest.mark.parametrize(("real", "anchor"), [([9.0, 1.0, 1.0], "end"), ([1.0, 1.0, 9.0], "start")])
def test_labels_are_placed_in_the_emptier_corner(real: list[float], anchor: str) -> None:
    picture = charts.numeric_panel("x", [0, 0.3, 0.7, 1], real, real, (0.0, 0.0), [], desc="d", labelled=True)
    name = next(e for e in ET.fromstring(picture) if e.get("class") == "treal")
    assert name.get("text-anchor") == anchor


def texts(picture: Markup, class_: str) -> list[str | None]:
    return [element.text for element in ET.fromstring(picture) if element.get("class") == class_]

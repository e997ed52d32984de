from __future__ import annotations

import json
import math

import numpy as np

from synthclin.evaluation.details import NoDetails, plain
from synthclin.evaluation.kind import Kind
from synthclin.evaluation.score import Interval


def kind(name, better):
    return Kind(
        name=name,
        question="?",
        better=better,
        method="toy",
        section="fidelity",
        label="Toy",
        unit="points",
        ideal=1.0,
        details=NoDetails,
    )


def test_the_worse_end_follows_the_direction():
    up, down = (kind("a.b", better).score(0.5, Interval(0.4, 0.6), n=1, details={}) for better in ("higher", "lower"))
    assert (up.unfavourable, down.unfavourable) == (0.4, 0.6)


def test_an_unknown_baseline_is_none_and_empty_notes_are_left_out():
    score = kind("a.b", "higher").score(
        0.5,
        Interval(0.4, 0.6),
        n=np.int64(3),
        details={},
        baseline=math.nan,
        reference=np.float64(0.9),
        notes=["One.", "", "Two."],
    )
    assert score.baseline is None
    assert type(score.reference) is float
    assert type(score.n) is int
    assert score.note == "One. Two."


def test_plain_data_survives_json_unchanged():
    messy = {1: (np.float32(0.5), np.nan), "x": {"y": np.array([[1, 2]]), "z": [np.bool_(True), None, "text"]}}
    clean = plain(messy)
    assert clean == {"1": [0.5, None], "x": {"y": [[1, 2]], "z": [True, None, "text"]}}
    assert json.loads(json.dumps(clean, allow_nan=False)) == clean

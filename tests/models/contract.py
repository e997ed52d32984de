"""What tests of all families share: unfitted models, short trainings, and the family that CONTRIBUTING.md shows."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path

import pytest

from synthclin.models import MODELS
from synthclin.models.families import copula
from synthclin.models.parameters import parameter_fields
from synthclin.sampling import sampler
from tests.short import short_trainings
from tests.ward import SCHEMA

SMALL = {"effort": "quick", "width": 16, "candidates": ("independent", "mixture")}


def made(family, schema=SCHEMA, **parameters):
    """An unfitted model of a family, as quick to fit as it can be."""
    taken = parameter_fields(MODELS[family])
    small = {name: value for name, value in SMALL.items() if name in taken}
    return MODELS[family](schema, **small | {"random_state": 3} | parameters)


def contributed():
    """The family that CONTRIBUTING.md shows."""
    text = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text("utf-8")
    names = {}
    exec(re.search(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)[1], names)
    return names["Chain"]


@contextmanager
def contract():
    """Shorten trainings, and what is sampled for a condition in vain; `chain` is a family."""
    with pytest.MonkeyPatch.context() as patch:
        chain = contributed()
        patch.setitem(MODELS, chain.family, chain)
        short_trainings(patch)
        patch.setattr(copula, "SWEEPS", 20)
        patch.setattr(copula, "BURN_IN", 10)
        patch.setattr(copula, "SHRINKAGES", copula.SHRINKAGES[::3])
        patch.setattr(sampler, "LEAST_BUDGET", 500)
        yield

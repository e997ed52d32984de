"""Whatever the schema, its rules and the condition: rows that keep all of it, or a refusal that is right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from synthclin.errors import SynthclinError
from synthclin.expressions import parse
from synthclin.rules.rules import violations
from synthclin.sampling import sampler
from tests.ruled import conditions, rows_of, schemas
from tests.sampling.marginal import Marginal

if TYPE_CHECKING:
    import pandas as pd

    from synthclin.schema import Schema

ROWS = 60


def kept(rows: pd.DataFrame, schema: Schema, where: str | None) -> pd.Series[bool]:
    """Return which rows break no rule and no declaration of a column, and satisfy a condition."""
    held = ~sum(violations(rows, schema).values(), rows.index < 0)
    return held if where is None else held & parse(where).evaluate(rows).fillna(value=False).astype(bool)


def test_random_schemas_rules_and_conditions(monkeypatch):
    monkeypatch.setattr(sampler, "LEAST_BUDGET", 4_000)  # to give up sooner
    drawn: list[bool] = []

    @settings(max_examples=16, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))
    @given(st.data(), st.integers(0, 99))
    def whatever(data, seed):
        schema, columns = data.draw(schemas())
        where = data.draw(st.none() | conditions(columns))
        real = rows_of(schema, columns, 200, seed)
        rows, refused = None, ""
        try:
            model = Marginal(schema).fit(real)
            schema = model.encoder_.schema
            rows = model.sample(ROWS, where=where, random_state=seed)
        except SynthclinError as error:
            refused = error.what
        drawn.append(rows is not None)
        if rows is None:
            # Only what next to no row of the very law that the model learnt satisfies may be refused; or a column that
            # is empty wherever all is kept, or combinations of which each is rare.
            fine = real[kept(real, schema, where)]
            assert len(fine) < 5 or fine.isna().all().any() or "no combination" in refused
            return
        assert len(rows) == ROWS
        assert kept(rows, schema, where).all()
        for name, column in schema.columns.items():
            assert column.dtype in (rows[name].dtype, "category"), name

    whatever()
    assert sum(drawn) > 0.6 * len(drawn)

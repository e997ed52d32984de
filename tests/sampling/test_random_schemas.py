"""Random schemas, rules and conditions: sampled rows satisfy all of them, or a justified error is raised."""

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


def satisfying(rows: pd.DataFrame, schema: Schema, where: str | None) -> pd.Series[bool]:
    """Return which rows satisfy the rules, the declarations of the columns, and a condition."""
    satisfied = ~sum(violations(rows, schema).values(), rows.index < 0)
    return satisfied if where is None else satisfied & parse(where).evaluate(rows).fillna(value=False).astype(bool)


def test_random_schemas_rules_and_conditions(monkeypatch):
    monkeypatch.setattr(sampler, "LEAST_BUDGET", 4_000)  # to fail sooner
    sampled: list[bool] = []

    @settings(max_examples=16, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))
    @given(st.data(), st.integers(0, 99))
    def check(data, seed):
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
        sampled.append(rows is not None)
        if rows is None:
            # An error is justified if hardly any training row satisfies all, or a column is empty wherever all is
            # satisfied, or all combinations are rare.
            fine = real[satisfying(real, schema, where)]
            assert len(fine) < 5 or fine.isna().all().any() or "no combination" in refused
            return
        assert len(rows) == ROWS
        assert satisfying(rows, schema, where).all()
        for name, column in schema.columns.items():
            assert column.dtype in (rows[name].dtype, "category"), name

    check()
    assert sum(sampled) > 0.6 * len(sampled)

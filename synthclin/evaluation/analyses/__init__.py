"""Replication of declared analyses: regressions, survival and comparisons of groups, on synthetic and real rows."""

__all__: list[str] = []

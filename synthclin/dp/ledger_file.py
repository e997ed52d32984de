"""Placeholder until the ledger file stands."""

from __future__ import annotations
from synthclin.dp.budget import Budget


class LedgerFile:
    def __init__(self, path: str, total: Budget) -> None: ...
    def spend(self, rho: float, what: str) -> None: ...

"""Differential privacy for tables of codes: budget, ledger, noise, selection and graphical models.

The room knows codes and cardinalities, nothing of columns, schemas or cells. `PrivateTable` alone holds rows; every
other module sees noisy tables, whose cost stands in the ledger before the noise is sampled.
"""

from __future__ import annotations

__all__: list[str] = []

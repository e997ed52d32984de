"""OpenDP's MST or AIM on a table of codes, as a process in an environment of its own: `pip install "opendp[mbi]"`.

python benchmarks/dp_opendp.py CODES.csv SIZES.json mst|aim RHO ROWS OUT.csv
"""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import Any

import opendp.prelude as dp
import polars as pl
from opendp.mod import OpenDPException

SPLITS = (0.25, 0.26, 0.24, 0.27, 0.3, 0.2)


def main() -> None:
    """Write sampled codes, and print processor seconds and peak memory as JSON."""
    codes, sizes, algorithm, rho, rows, out = sys.argv[1:]
    with open(sizes) as file:  # noqa: PTH123 - a script of another environment
        keys = {name: list(range(size)) for name, size in json.load(file).items()}
    dp.enable_features("contrib")
    start = time.process_time()
    table, split = _released(codes, keys, algorithm, float(rho))
    # By default its rows are rounded, which breaks relations of columns that no table measures together.
    table.synthesize(int(rows), method="sample").write_csv(out)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"cpu_seconds": time.process_time() - start, "peak_mb": peak, "oneway_split": split}))


def _released(codes: str, keys: dict[str, list[int]], algorithm: str, rho: float) -> tuple[Any, float]:
    """Return the released table, and the share of the budget for one-way tables.

    With many shares OpenDP 0.16 refuses its own split of the budget by a rounding error ("insufficient budget for
    query"): the first one that it accepts is taken, which a real release could not do.
    """
    for split in SPLITS:
        # Pairs as in synthclin; the size of the model is one with which both run.
        mst, aim = dp.mbi.MST(oneway_split=split), dp.mbi.AIM(queries=2, oneway_split=split, max_size=1)
        context = dp.Context.compositor(
            data=pl.scan_csv(codes), privacy_unit=dp.unit_of(contributions=1), privacy_loss=dp.loss_of(rho=rho)
        )
        query = context.query(rho=rho).select(*keys)
        try:
            chosen = mst if algorithm == "mst" else aim
            return query.contingency_table(keys=keys, algorithm=chosen).release(), split
        except OpenDPException as error:
            if "insufficient budget" not in str(error):
                raise
    raise SystemExit("no split of the budget is accepted")


if __name__ == "__main__":
    main()

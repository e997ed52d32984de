"""OpenDP's MST or AIM on a table of codes, as a process in an environment of its own: `pip install "opendp[mbi]"`.

python benchmarks/dp_opendp.py CODES.csv SIZES.json mst|aim RHO ROWS OUT.csv
"""

from __future__ import annotations

import json
import resource
import sys
import time

import opendp.prelude as dp
import polars as pl


def main() -> None:
    """Write sampled codes, and print processor seconds and peak memory as JSON."""
    codes, sizes, algorithm, rho, rows, out = sys.argv[1:]
    with open(sizes) as file:  # noqa: PTH123 - a script of another environment
        keys = {name: list(range(size)) for name, size in json.load(file).items()}
    dp.enable_features("contrib")
    start = time.process_time()
    # Pairs as in synthclin; the share of one-way tables and the size of the model are those with which both run.
    chosen = (
        dp.mbi.MST(oneway_split=0.25) if algorithm == "mst" else dp.mbi.AIM(queries=2, oneway_split=0.25, max_size=1)
    )
    context = dp.Context.compositor(
        data=pl.scan_csv(codes), privacy_unit=dp.unit_of(contributions=1), privacy_loss=dp.loss_of(rho=float(rho))
    )
    query = context.query(rho=float(rho)).select(*keys)
    table = query.contingency_table(keys=keys, algorithm=chosen).release()
    # By default its rows are rounded, which breaks relations of columns that no table measures together.
    table.synthesize(int(rows), method="sample").write_csv(out)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"cpu_seconds": time.process_time() - start, "peak_mb": peak}))


if __name__ == "__main__":
    main()

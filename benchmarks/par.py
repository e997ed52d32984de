"""SDV's PAR on the patients of a split: a process of its own in an environment of its own, documented API, defaults."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

import pandas as pd

from synthclin.schema import Schema
from synthclin.schema.visit_times import times_of

LIMIT = 1_800
"""Seconds after which a fit counts as failed."""

PROGRAM = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
import numpy, pandas as pd, torch
from sdv.metadata import Metadata
from sdv.sequential import PARSynthesizer
source, target, facts = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
torch.set_num_threads(1), torch.manual_seed(facts["seed"]), numpy.random.seed(facts["seed"])
table = pd.read_parquet(source)
metadata = Metadata.detect_from_dataframe(table)
for name in table:
    kind = "categorical" if name in facts["levels"] else "numerical"
    metadata.update_column(column_name=name, sdtype="id" if name == facts["entity"] else kind)
metadata.set_sequence_key(column_name=facts["entity"])
metadata.set_sequence_index(column_name=facts["time"])
start = time.process_time()
model = PARSynthesizer(metadata, context_columns=facts["static"])
model.fit(table)
fitted = time.process_time() - start
for i, size in enumerate(facts["sizes"]):
    model.sample(num_sequences=size).to_parquet(f"{target}/{i}.parquet")
print(json.dumps({"fit_seconds": round(fitted, 1)}))
"""


class PeerError(Exception):
    """A fit of the peer that failed; the message is the last line of its output."""


def sampled(
    train: pd.DataFrame, schema: Schema, sizes: list[int], seed: int, environments: Path
) -> tuple[list[pd.DataFrame], dict[str, float]]:
    """Return a synthetic table of each size in patients, and its seconds of fit; raises PeerError."""
    names = [schema.entity, *schema.modelled]
    levels = [name for name in schema.modelled if schema.columns[name].levels is not None]
    plain = {name: times_of(train[name]) for name in schema.modelled if name not in levels}
    plain |= {name: train[name].astype(object).map(str, na_action="ignore") for name in [schema.entity, *levels]}
    facts = {"entity": schema.entity, "time": schema.visit_time, "levels": levels, "static": list(schema.static)}
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "train.parquet"
        pd.DataFrame(plain)[names].to_parquet(source)
        command = [str(environments / "sdv" / "bin" / "python"), "-c", PROGRAM, str(source), folder]
        given = json.dumps(facts | {"sizes": sizes, "seed": seed})
        try:
            done = subprocess.run([*command, given], check=False, capture_output=True, text=True, timeout=LIMIT)
        except subprocess.TimeoutExpired:
            raise PeerError(f"longer than {LIMIT} seconds") from None
        if done.returncode:
            raise PeerError(done.stderr.strip().splitlines()[-1][:200])
        tables = [pd.read_parquet(Path(folder) / f"{i}.parquet") for i in range(len(sizes))]
        return [typed(table, schema) for table in tables], json.loads(done.stdout.splitlines()[-1])


def typed(table: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return the cells in canonical types, sorted by patient and time; cells that are not valid are missing."""
    found = {}
    for name in [schema.entity, *schema.modelled]:
        column = schema.columns[name]
        cells = table[name]
        if column.is_temporal:
            cells = pd.to_datetime(cells * 86_400, unit="s").dt.round("D")
        elif column.is_integer:
            cells = cells.round()
        found[name] = column.coerce(cells)[0]
    whole = pd.DataFrame(found)
    return whole.sort_values([schema.entity, schema.visit_time], kind="stable").reset_index(drop=True)

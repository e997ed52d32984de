"""Rows with differential privacy to which a network is fitted: declared codes, noisy tables, a graphical model.

Select, measure, generate (McKenna et al. 2021, arXiv 2108.04978): noisy tables of codes are measured within a budget, a
graphical model is fitted to them, and its rows take the place of real rows. What a network learns from these rows costs
nothing more (post-processing).
"""

from __future__ import annotations

import hashlib
import secrets
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
import torch

from synthclin.dp.aim import aim
from synthclin.dp.budget import Budget
from synthclin.dp.ledger import Ledger
from synthclin.dp.ledger_file import LedgerFile
from synthclin.dp.merging import merged_bins
from synthclin.dp.mst import mst
from synthclin.dp.noise import opendp_library
from synthclin.dp.noise_shares import ONE_WAY, UNSPENT, Verdict, verdict
from synthclin.dp.parameters import DifferentialPrivacy
from synthclin.dp.private_table import NoisyTable, PrivateTable, one_way_tables
from synthclin.dp.record import Mechanism, PrivacyRecord
from synthclin.encoding import Encoded, TableEncoder
from synthclin.encoding.anchors import shifted
from synthclin.encoding.declared import declared_encoder, merged_encoder
from synthclin.encoding.determined import determined_columns
from synthclin.encoding.line_codec import LineCodec
from synthclin.errors import ConfigError, NoisyTrainingWarning
from synthclin.io.documents import validate
from synthclin.models.distributed import processes
from synthclin.rules.validation import readable_cells
from synthclin.schema.patients import patients
from synthclin.seeds import numpy_generator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from synthclin.models.checkpoints import Checkpoint
    from synthclin.schema import Schema

__all__ = [
    "FITTED_ROWS",
    "PrivateRows",
    "guarantee_of",
    "noise_remedy",
    "noise_text",
    "private_rows",
    "refuse_longer_training",
    "refuse_spent",
    "refuse_useless",
    "resumable_private_rows",
]

FITTED_ROWS = 50_000
"""Rows of the graphical model that a network is fitted to."""

MERGED_BINS = 16
"""About how many bins a range has after fine ones are merged."""

_PURPOSE = "generative model"

_MEASUREMENT, _TRAINING = "private rows", "training"  # parts of a checkpoint

_FEWEST = 2  # columns, or codes of a column, of which a table has relations

_COUNT = 0.01
"""Share of the budget for a noisy number of patients, where none is declared."""


@dataclass(frozen=True, slots=True)
class PrivateRows:
    """Rows that a network is fitted to, none of which is a real one.

    Arguments:
        encoder: of declared codes, fine bins merged by noisy counts.
        encoded: (FITTED_ROWS, columns).
        record: guarantee, ledger and noisy tables.
    """

    encoder: TableEncoder
    encoded: Encoded
    record: PrivacyRecord

    def state(self) -> dict[str, Any]:
        """Return the rows as plain data and tensors for a checkpoint; see `restored`."""
        return {"encoder": self.encoder.to_dict(), "codes": self.encoded.codes, "record": self.record.to_dict()}

    @classmethod
    def restored(cls, state: Mapping[str, Any], schema: Schema) -> Self:
        """Return the rows of a checkpoint; raises ModelFormatError where it holds something else."""
        where, codes = "checkpoint", state["codes"]
        encoder = TableEncoder.from_dict(state["encoder"], schema)
        return cls(encoder, Encoded(codes, torch.zeros(codes.shape)), PrivacyRecord.from_dict(state["record"], where))


def guarantee_of(parameters: Mapping[str, Any]) -> DifferentialPrivacy:
    """Return the guarantee in the parameters `dp` of a model; raises ConfigError, naming the first fault."""
    return validate(DifferentialPrivacy, dict(parameters), "dp")


def refuse_longer_training(effort: str, *, warmup: bool, where: str) -> None:
    """Raise ConfigError for a training that would learn the noise of the rows that it is fitted to."""
    if effort == "thorough" or not warmup:
        what = "with differential privacy a longer or adversarial training would learn the noise"
        raise ConfigError(where, what, "Leave out `effort: thorough` and `warmup: false`.")


def refuse_useless(schema: Schema, guarantee: DifferentialPrivacy) -> Verdict | None:
    """Raise ConfigError where the schema declares too little, or noise would hide what the table shows; no row is read.

    Returns:
        How much of the tables noise will be, or None where the number of patients is not declared: then that is known
        once a noisy number is counted.
    """
    opendp_library()  # without it no noise can be sampled: a ledger file must not be charged
    if processes() > 1:
        what = "each process would measure the table anew, and spend a budget of its own"
        raise ConfigError("dp", what, "Train with one process, without `torchrun`.")
    if schema.visit_time is not None:
        what = "patients with visits have no training with differential privacy: all visits of a patient count together"
        remedy = "Declare `visits: independent` and how many visits of a patient are used `at_most`."
        raise ConfigError("dp", what, remedy)
    if guarantee.at_most > 1 and schema.entity is None:
        what = "`at_most` counts rows of a patient, and no column says whose a row is"
        raise ConfigError("dp", what, "Declare `role: entity` for the column of patients, or leave `at_most` out.")
    encoder = declared_encoder(schema)
    budget = Budget(guarantee.epsilon, guarantee.delta)
    if guarantee.patients is None:
        return None
    sizes = _sizes(encoder, _measured(encoder))
    return _useful(verdict(sizes, budget.rho, guarantee.patients, guarantee.at_most))


def _measured(encoder: TableEncoder) -> list[int]:
    """Return the indices of the columns that are measured: all but those that another one determines."""
    determined = determined_columns(encoder.schema, encoder.codecs)
    return [j for j, name in enumerate(encoder.layout.names) if name not in determined]


def _sizes(encoder: TableEncoder, measured: Sequence[int]) -> tuple[int, ...]:
    """Return about how many codes each of the measured columns has once its fine bins are merged."""
    sizes = [
        codec.cardinality - max(0, len(codec.bins) - MERGED_BINS) if isinstance(codec, LineCodec) else codec.cardinality
        for codec in encoder.codecs.values()
    ]
    return tuple(sizes[j] for j in measured)


def _useful(found: Verdict) -> Verdict:
    """Return the verdict; raises ConfigError where it is to refuse, with three ways out and their numbers."""
    if found.word == "refuse":
        what = f"about {found.one_way:.0%} of each table of one column would be noise, and relations nothing but noise"
        ways = [f"Use {found.patients_to_fit:,} patients (without a warning {found.patients_to_go:,})"]
        if found.columns_to_fit >= _FEWEST:
            ways.append(f"keep {found.columns_to_fit} columns")
        if found.codes_to_fit >= _FEWEST:
            ways.append(f"declare {found.codes_to_fit} levels, bins and spikes per column on average")
        raise ConfigError(
            "dp", what, f"{', or '.join(ways)}. A larger epsilon needs fewer patients, and protects less."
        )
    return found


def private_rows(
    table: pd.DataFrame,
    schema: Schema,
    guarantee: DifferentialPrivacy,
    *,
    quick: bool,
    random_state: int,
) -> PrivateRows:
    """Return rows with the differential privacy of `guarantee`; noise comes from the operating system.

    Arguments:
        table: real rows. Cells outside a range count at its end, and cells that are no value as missing. Rows without
            an identifier are left out where the schema has a column of role ``entity``.
        schema: must declare every range, precision and level.
        guarantee: epsilon, delta and the unit.
        quick: whether a tree of pairs is measured (MST) instead of adaptively chosen pairs (AIM).
        random_state: seed of the rows that are sampled from the graphical model; none of the noise.

    Raises:
        ConfigError: something is not declared, the noise would hide what the table shows, or the budget is spent.
        DataError: a column is absent from the table.
    """
    refuse_useless(schema, guarantee)
    encoder = declared_encoder(schema)
    measured = _measured(encoder)
    names, sizes = tuple(encoder.layout.names[j] for j in measured), _sizes(encoder, measured)
    budget = Budget(guarantee.epsilon, guarantee.delta)
    cells = readable_cells(table, schema)
    if schema.entity is not None:
        # Nobody knows how many of them are of one patient.
        cells = cells[cells[schema.entity].notna()].reset_index(drop=True)
    # With a seed, one patient more would change the shifts of others.
    cells = shifted(cells, schema, numpy_generator(secrets.randbits(62), "shift"))
    ledger = _ledger(guarantee, budget)
    rows = PrivateTable(
        encoder.encode(cells).codes.numpy()[:, measured],
        [encoder.layout.cardinalities[j] for j in measured],
        ledger,
        patient=patients(cells, schema),
        at_most=guarantee.at_most,
        names=names,
    )
    left, count = budget.rho * (1 - UNSPENT), guarantee.patients
    if count is None:
        count = rows.count(_COUNT * left, "number of patients")
        left *= 1 - _COUNT
    found = _useful(verdict(sizes, budget.rho, count, guarantee.at_most))
    if found.word == "warn":
        warnings.warn(f"dp: {noise_text(found)}. {noise_remedy(found)}", NoisyTrainingWarning, stacklevel=4)
    fine = one_way_tables(rows, ONE_WAY * left)
    encoder, maps = _merged(encoder, dict(zip(names, fine, strict=True)))
    one_way = [table.summed([maps[j]]) for j, table in enumerate(fine)]
    mechanism = mst if quick else aim
    model, tables = mechanism(rows.recoded(maps), one_way, (1 - ONE_WAY) * left)
    sampled = model.sample(FITTED_ROWS, numpy_generator(random_state, "graphical model"))
    codes = torch.from_numpy(_with_determined(encoder, measured, sampled))
    name: Mechanism = "mst" if quick else "aim"
    record = PrivacyRecord(guarantee, ledger, name, names, sizes, tuple(tables), count, FITTED_ROWS)
    return PrivateRows(encoder, Encoded(codes, torch.zeros(codes.shape)), record)


def resumable_private_rows(
    table: pd.DataFrame,
    schema: Schema,
    guarantee: DifferentialPrivacy,
    checkpoint: Checkpoint | None,
    belongs: Callable[[bytes], dict[str, bytes]],
    *,
    quick: bool,
    random_state: int,
) -> tuple[PrivateRows, Checkpoint | None, Any]:
    """Return `private_rows`, or those of a checkpoint, and the checkpoint of the training on them with its state.

    What was measured is saved at once: a resumed fit must not spend a budget again.

    Arguments:
        table: real rows.
        schema: as for `private_rows`.
        guarantee: as for `private_rows`.
        checkpoint: where rows and training are saved; None for nowhere.
        belongs: gives what a checkpoint depends on, from a digest of the table.
        quick: as for `private_rows`.
        random_state: as for `private_rows`.
    """
    if checkpoint is None:
        return private_rows(table, schema, guarantee, quick=quick, random_state=random_state), None, None
    refuse_useless(schema, guarantee)
    digest = hashlib.sha256(pd.util.hash_pandas_object(readable_cells(table, schema)).to_numpy().tobytes()).digest()
    parts = checkpoint.parts(checkpoint.open(belongs(digest)), (_MEASUREMENT, _TRAINING))
    saved = parts[_MEASUREMENT].open({})
    if saved is None:
        rows = private_rows(table, schema, guarantee, quick=quick, random_state=random_state)
        parts[_MEASUREMENT].offer(rows.state, last=True, at_once=True)
    else:
        rows = PrivateRows.restored(saved, schema)
    return rows, parts[_TRAINING], parts[_TRAINING].open({})


def noise_text(found: Verdict) -> str:
    """Return a sentence on how much of the tables will be noise."""
    columns, pairs = (f"{min(part, 1):.0%}" for part in (found.one_way, found.two_way))
    return f"about {columns} of each table of one column, and {pairs} of a pair, will be noise"


def noise_remedy(found: Verdict) -> str:
    """Return what to expect, and what would make it better, as sentences."""
    what = "Expect the shapes of columns and their strongest relations only."
    return f"{what} {found.patients_to_go:,} patients, or fewer columns or levels, give more."


def refuse_spent(guarantee: DifferentialPrivacy) -> None:
    """Raise ConfigError where the ledger file is damaged, or leaves less than the budget; no row is read."""
    if guarantee.ledger is not None:
        _ledger_file(guarantee, guarantee.ledger).require(Budget(guarantee.epsilon, guarantee.delta).rho)


def _ledger_file(guarantee: DifferentialPrivacy, path: str) -> LedgerFile:
    return LedgerFile(path, Budget(guarantee.total_epsilon or guarantee.epsilon, guarantee.delta))


def _ledger(guarantee: DifferentialPrivacy, budget: Budget) -> Ledger:
    """Return the ledger of a fit; the ledger file is charged the whole budget before anything is measured."""
    if guarantee.ledger is not None:
        _ledger_file(guarantee, guarantee.ledger).spend(budget.rho, f"fit with epsilon {guarantee.epsilon:g}", _PURPOSE)
    return Ledger(budget.rho)


def _with_determined(encoder: TableEncoder, measured: Sequence[int], sampled: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the codes of all columns from those of the (rows, measured) ones."""
    names = encoder.layout.names
    codes = np.empty((len(sampled), len(names)), dtype=np.int64)
    codes[:, measured] = sampled
    for target, (source, follows) in determined_columns(encoder.schema, encoder.codecs).items():
        codes[:, names.index(target)] = follows[codes[:, names.index(source)]]
    return codes


def _merged(encoder: TableEncoder, fine: Mapping[str, NoisyTable]) -> tuple[TableEncoder, list[NDArray[np.int64]]]:
    """Return the encoder with bins merged by their noisy counts, and the maps of measured codes; nothing is spent."""
    merged = {}
    for name, table in fine.items():
        codec = encoder.codecs[name]
        if isinstance(codec, LineCodec) and len(codec.bins):
            values, variance = table.values[codec.bin_code], table.variance[codec.bin_code]
            bins = NoisyTable((0,), values, variance, table.rho)
            groups = merged_bins(bins, [(0, len(values))], bins=MERGED_BINS)
            merged[name] = groups, np.where(values > np.sqrt(variance), values, 0.0)
    result, maps = merged_encoder(encoder, merged)
    return result, [to for name, to in zip(encoder.layout.names, maps, strict=True) if name in fine]

"""The encoder of a whole table: every cell a code and an offset."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
import pandas as pd
import torch

from synthclin.encoding.anchors import anchored, distance_column, distances, fit_distances, placed
from synthclin.encoding.codecs import Codec, codec_from_dict, fit_codec
from synthclin.encoding.column_order import column_order
from synthclin.encoding.layout import Encoded, Layout
from synthclin.encoding.offset_cells import LARGEST_OFFSET, Intervals
from synthclin.encoding.protection import Limits
from synthclin.encoding.tied_columns import TiedColumns, find_tied_columns, tied_columns_from_dict
from synthclin.errors import DataError, ModelFormatError
from synthclin.schema.patients import MIN_PATIENTS, patients

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.encoding.line_codec import LineCodec
    from synthclin.expressions import Expression
    from synthclin.schema import Schema

__all__ = ["TableEncoder"]

_VERSION = 1
_RETRIES = 8


class TableEncoder:
    """Codes and offsets of a typed table, and the table of codes and offsets.

    Everything it stores describes at least as many patients as its limits: values and levels of `rare_category`
    patients, and averages over `trim_extremes` patients.

    Arguments:
        schema: what the table means; its `modelled` columns are encoded.
        codecs: one per modelled column, by name.
        ties: pairs of columns with often equal values; each is a column of codes after all others.
        in_order: whether columns are sampled in the order of the schema.
    """

    def __init__(
        self,
        schema: Schema,
        codecs: dict[str, Codec],
        ties: tuple[TiedColumns, ...] = (),
        *,
        in_order: bool = False,
    ) -> None:
        self.schema, self.codecs, self.ties, self.in_order = schema, codecs, ties, in_order
        self.anchors = anchored(schema)
        columns = (*(codec.layout(name) for name, codec in codecs.items()), *(tie.layout for tie in ties))
        self.layout = Layout(columns, tuple(range(len(columns))) if in_order else column_order(schema, columns))

    @classmethod
    def fit(
        cls,
        table: pd.DataFrame,
        schema: Schema,
        *,
        rare_category: int = MIN_PATIENTS,
        trim_extremes: int = MIN_PATIENTS,
        in_order: bool = False,
    ) -> Self:
        """Fit the encoder to a typed table.

        Arguments:
            table: (rows, columns) with every modelled column in its canonical type.
            schema: what the columns mean. A column of role ``entity`` identifies the patient of each row.
            rare_category: the smallest number of patients with a stored value or level.
            trim_extremes: the smallest number of patients behind an edge, an average or a bin.
            in_order: whether columns are sampled in the order of the schema; no pairs are then tied.

        Raises:
            DataError: a column has too few patients to be described.
        """
        limits = Limits.of(rare_category, trim_extremes)
        patient = patients(table, schema)
        anchors = anchored(schema)
        codecs: dict[str, Codec] = {}
        for name in schema.modelled:
            column, cells = schema.columns[name], _column(table, name)
            if name in anchors:
                codecs[name] = fit_distances(name, column, cells, table[anchors[name]], patient, limits)
            else:
                codecs[name] = fit_codec(name, column, cells, patient, limits)
        if in_order:
            return cls(schema, codecs, in_order=True)
        free = {name: codec for name, codec in codecs.items() if name not in anchors}
        return cls(schema, codecs, find_tied_columns(table, free, schema.ends, patient, limits))

    @property
    def allocations(self) -> dict[int, NDArray[np.float64]]:
        """Return by column index the (codes,) probabilities of a randomised arm, which no other column changes."""
        if (arm := self.schema.randomised) is None:
            return {}
        codec, shares = self.codecs[arm], self.schema.columns[arm].allocation_ratio
        codes, _ = codec.encode(pd.Series(list(shares), dtype=object))
        probabilities = np.bincount(codes, list(shares.values()), codec.cardinality)
        return {self.layout.names.index(arm): probabilities / probabilities.sum()}

    def encode(self, table: pd.DataFrame) -> Encoded:
        """Return the codes and offsets of a typed table; values without a code of their own go to the nearest."""
        codes = np.empty((len(table), len(self.layout)), dtype=np.int64)
        offsets = np.zeros(codes.shape, dtype=np.float32)
        for j, (name, codec) in enumerate(self.codecs.items()):
            codes[:, j], offsets[:, j] = codec.encode(self._relative(table, name))
        for j, tie in enumerate(self.ties, start=len(self.codecs)):
            codes[:, j] = tie.encode(table)
        return Encoded(torch.from_numpy(codes), torch.from_numpy(offsets))

    def decode(self, encoded: Encoded) -> pd.DataFrame:
        """Return the modelled columns, in canonical types, inside declared ranges.

        Raises:
            ValueError: a code does not exist or stands for pooled levels that are never sampled.
        """
        codes = encoded.codes.detach().cpu().numpy()
        offsets = encoded.offsets.detach().cpu().numpy()
        table = pd.DataFrame(
            {name: self._decode_column(j, codes[:, j], offsets[:, j]) for j, name in enumerate(self.codecs)},
            index=pd.RangeIndex(len(codes)),
        )
        return self._emptied(self.placed(self.tied(table, codes)))

    def _relative(self, table: pd.DataFrame, name: str) -> pd.Series:
        """Return the input of a column's codec: distances, if it has an anchor."""
        cells = _column(table, name)
        if name not in self.anchors:
            return cells
        anchor, step = _column(table, self.anchors[name]), cast("LineCodec", self.codecs[name]).state.step
        return distances(cells, anchor, self.schema.columns[name], step)

    def placed(self, table: pd.DataFrame, given: pd.DataFrame | None = None) -> pd.DataFrame:
        """Return the table with distances in anchored columns turned into dates, and given dates unchanged."""
        table = table.copy(deep=False)
        for name, anchor in self.anchors.items():
            column, step = self.schema.columns[name], cast("LineCodec", self.codecs[name]).state.step
            dates = placed(table[name], table[anchor], column, step).set_axis(table.index)
            table[name] = dates if given is None else given[name].where(given[name].notna(), dates)
        return table

    def tied(self, table: pd.DataFrame, codes: NDArray[np.int64], given: pd.DataFrame | None = None) -> pd.DataFrame:
        """Return the modelled columns with tied columns made equal where the code of the tie is 1.

        Arguments:
            table: (rows, modelled columns) in canonical types.
            codes: (rows, columns) of the layout.
            given: which cells stay as they are; by default none, and the second column of each tie repeats the first.
        """
        table = table.copy(deep=False)
        for j, tie in enumerate(self.ties, start=len(self.codecs)):
            fixed = np.zeros(len(table), dtype=np.bool_) if given is None else given[tie.second].to_numpy()
            table[tie.second] = self._repeated(table, tie.value(table), tie.second, (codes[:, j] == 1) & ~fixed)
            if given is not None and not tie.declared:
                free = fixed & ~given[tie.first].to_numpy()
                table[tie.first] = self._repeated(table, table[tie.second], tie.first, (codes[:, j] == 1) & free)
        return table

    def _emptied(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the table with cells missing wherever their column of missing reasons has a reason."""
        for name, column in self.schema.columns.items():
            if (explained := column.reason_for) is not None:
                table[explained] = table[explained].mask(table[name].notna())
        return table

    def _repeated(self, table: pd.DataFrame, cells: pd.Series, target: str, here: NDArray[np.bool_]) -> pd.Series:
        """Return column `target` with the given cells where they are wanted and valid, and neither is missing."""
        axis = cast("LineCodec", self.codecs[target]).axis
        position = axis.positions(self.schema.columns[target].coerce(cells)[0])
        here = here & (position >= axis.low) & (position <= axis.high) & table[target].notna().to_numpy()
        return table[target].mask(here, axis.cells(np.where(here, position, np.nan)).set_axis(table.index))

    def allowed(self, name: str, predicate: Expression) -> NDArray[np.float64]:
        """Return the (cardinality,) share of each code's mass that satisfies a predicate over column `name` alone.

        Exact where a code decodes to levels or lattice points, and around values that the predicate names; from 256
        offsets in wider bins otherwise.
        Where the predicate is unknown it is not satisfied; a code that is never sampled has 0.
        """
        probes, good = self._satisfied(name, predicate)
        return probes.mass(good, self.codecs[name].cardinality)

    def restrict(
        self,
        name: str,
        codes: NDArray[np.int64],
        offsets: NDArray[np.float32],
        predicate: Expression,
        generator: np.random.Generator,
    ) -> NDArray[np.float32]:
        """Resample (rows,) offsets inside their codes so that the decoded cells satisfy a one-column predicate.

        Offsets of codes of which `allowed` is 0 stay as they are.
        """
        j = self.layout.names.index(name)
        probes, good = self._satisfied(name, predicate)
        codes, result = np.asarray(codes), np.array(offsets, dtype=np.float32)
        waiting = np.arange(len(codes))
        for _ in range(_RETRIES):
            cell, sampled = probes.sample(codes[waiting], good, generator)
            waiting, cell, sampled = waiting[cell >= 0], cell[cell >= 0], sampled[cell >= 0]
            result[waiting] = np.minimum(sampled, LARGEST_OFFSET)
            satisfied = _holds(predicate, name, self._decode_column(j, codes[waiting], result[waiting]))
            waiting, cell = waiting[~satisfied], cell[~satisfied]
            if not len(waiting):
                return result
        # The centre of every chosen cell is known to satisfy the predicate.
        result[waiting] = probes.centre[cell]
        return result

    def to_dict(self) -> dict[str, Any]:
        """Return the fitted parameters as plain JSON data; see `from_dict`."""
        columns = {name: codec.state.model_dump(mode="json") for name, codec in self.codecs.items()}
        ties = [[tie.first, tie.second] for tie in self.ties]
        return {"version": _VERSION, "columns": columns, "ties": ties} | ({"in_order": True} if self.in_order else {})

    @classmethod
    def from_dict(cls, data: dict[str, Any], schema: Schema) -> Self:
        """Return the encoder from the data of `to_dict`.

        Raises:
            ModelFormatError: `data` is not what `to_dict` returns for a table of this schema.
        """
        remedy = "Restore the model folder from its origin, or fit the model again."
        keys = set(data) - {"in_order"} if isinstance(data, dict) else set()
        in_order = keys and data.get("in_order", False)
        if keys != {"version", "columns", "ties"} or data["version"] != _VERSION or not isinstance(in_order, bool):
            raise ModelFormatError("encoder.json", f"not an encoder of version {_VERSION}", remedy)
        columns = data["columns"]
        if not isinstance(columns, dict) or set(columns) != set(schema.modelled):
            raise ModelFormatError("encoder.json", "its columns are not those of the schema", remedy)
        anchors = anchored(schema)
        codecs = {}
        for name in schema.modelled:
            try:
                column = schema.columns[name]
                encoded = distance_column(column) if name in anchors else column
                codecs[name] = codec_from_dict(encoded, columns[name])
            except (ValueError, TypeError, ArithmeticError, MemoryError):
                # The cause may quote values of the file: it is not passed on.
                raise ModelFormatError(f"encoder.json: columns.{name}", "not a valid codec", remedy) from None
        try:
            ties = tuple(tied_columns_from_dict(pair, codecs, schema.ends) for pair in data["ties"])
        except (ValueError, TypeError, LookupError):
            raise ModelFormatError("encoder.json: ties", "not pairs of columns alike", remedy) from None
        return cls(schema, codecs, ties, in_order=in_order)

    def _decode_column(self, j: int, codes: NDArray[np.int64], offsets: NDArray[np.float32]) -> pd.Series:
        column = self.layout.columns[j]
        if ((codes < 0) | (codes >= column.cardinality)).any():
            raise ValueError(f"column {column.name!r}: a code outside its {column.cardinality} codes")
        if column.never[codes].any():
            raise ValueError(f"column {column.name!r}: a code that is never sampled")
        return self.codecs[column.name].decode(codes, np.clip(np.nan_to_num(offsets), 0, LARGEST_OFFSET))

    def _satisfied(self, name: str, predicate: Expression) -> tuple[Intervals, NDArray[np.bool_]]:
        """Return probes of a column, and at which of these (cells,) the predicate is true."""
        codec = self.codecs[name]
        named, _ = self.schema.columns[name].coerce(pd.Series(_constants(predicate), dtype=object))
        probes = codec.probes_around(named)
        possible = ~codec.layout(name).never[probes.code]
        return probes, possible & _holds(predicate, name, codec.decode(probes.code, probes.centre))


def _constants(predicate: Expression) -> list[object]:
    """Return the numbers and texts that a predicate names, numbers with either sign."""
    values = [node.value for node in ast.walk(predicate.tree) if isinstance(node, ast.Constant)]
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    return [*numbers, *(-value for value in numbers), *(value for value in values if isinstance(value, str))]


def _holds(predicate: Expression, name: str, cells: pd.Series) -> NDArray[np.bool_]:
    return predicate.evaluate(pd.DataFrame({name: cells})).fillna(value=False).to_numpy(dtype=np.bool_)


def _column(table: pd.DataFrame, name: str) -> pd.Series:
    if name not in table:
        raise DataError(f"column {name!r}", "absent from the table", "Bring the column, or take it out of the schema.")
    return table[name]

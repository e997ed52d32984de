"""A random sample of patients of a table that is too large for memory, in one pass over its rows."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from synthclin.errors import ConfigError, DataError
from synthclin.progress import track
from synthclin.schema.arguments import require_schema
from synthclin.seeds import numpy_generator, stream_seed
from synthclin.tables.addresses import is_database
from synthclin.tables.file_notation import FileNotation
from synthclin.tables.table_batches import retyped_as_csv
from synthclin.tables.table_sources import read_table, sorted_rows, table_batches

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.schema import Schema

__all__ = ["PatientSample", "read_sample", "read_some"]


class PatientSample(NamedTuple):
    """Rows of a random sample of patients.

    Arguments:
        table: all rows of the patients of the sample, in the order of the source, not checked against a schema; those
            of a database are sorted, as by `synthclin.read_table`.
        rows: number of rows of the source.
    """

    table: pd.DataFrame
    rows: int


def read_sample(
    source: str | Path,
    patients: int,
    schema: Schema | None = None,
    random_state: int = 0,
    **reading: Any,  # noqa: ANN401 - as for `read_table`
) -> PatientSample:
    r"""Read all rows of a simple random sample of patients, in one pass and in bounded memory.

    Each patient has a random key, which is a keyed hash of the identifier, and the `patients` smallest keys are the
    sample (bottom-k sampling: Cohen and Kaplan 2007, doi:10.1145/1281100.1281133). Without a column of role ``entity``
    each row is a patient, whose key is random. All rows are read, so that a damaged line anywhere is an error; the
    cells of the sample alone are to be checked against the schema. Memory is that of about twice the sample and of one
    batch; Excel, SAS, SPSS and Stata files are held as a whole.

    Arguments:
        source: as for `synthclin.read_table`.
        patients: how many patients, at least 2; all where the table has fewer.
        schema: what the columns mean; without one each row is a patient.
        random_state: the same number gives the same patients, whatever the order of the rows where they have
            identifiers.
        reading: notation, query or table, as for `synthclin.read_table`.

    Raises:
        ConfigError: `patients` is no such number, or the source is a database, whose rows have no order, and the schema
            has no column of role ``entity``.
        DataError: as for `synthclin.read_table`, or a row has no identifier.

    Example:
        >>> import tempfile
        >>> import synthclin as sc
        >>> path = Path(tempfile.mkdtemp()) / "toy.csv"
        >>> _ = path.write_text("age\n" + "\n".join(map(str, range(1000))))
        >>> found = read_sample(path, 100, sc.Schema.model_validate({"columns": {"age": {"type": "integer"}}}))
        >>> len(found.table), found.rows
        (100, 1000)
    """
    if schema is not None:
        require_schema(schema)
    if not isinstance(patients, int) or patients < 2:
        raise ConfigError("sample", f"{patients!r} is no number of patients", "Give a whole number from 2 on.")
    entity = None if schema is None else schema.entity
    if entity is None and is_database(source):
        what = "rows of a database have no order, so a sample of them could not be repeated"
        remedy = "Declare the column of the patients' identifiers `role: entity`, or sample in the query."
        raise ConfigError("sample", what, remedy)
    sample, rows = _Sample(patients), 0
    keys = _Keys(schema, random_state, str(source))
    percent = 0
    with track("reading", total=100, unit="%") as step, closing(table_batches(source, schema, **reading)) as batches:
        for batch, share in batches:
            sample.add(batch, keys.of(batch))
            rows += len(batch)
            read = 0 if share is None else int(100 * share)  # a database does not say how many rows follow
            step(read - percent, f"{rows:,} rows")
            percent = read
    table = sorted_rows(sample.table()) if is_database(source) else sample.table()
    if schema is None and not is_database(source):
        declared = {key: value for key, value in reading.items() if key in FileNotation.model_fields}
        table = retyped_as_csv(table, source, FileNotation(**declared))
    return PatientSample(table, rows)


def read_some(source: str | Path, rows: int | None = None, **reading: Any) -> pd.DataFrame:  # noqa: ANN401
    """Return a table without a schema: all of it, or so many random rows; see `read_sample`."""
    return read_table(source, **reading) if rows is None else read_sample(source, rows, **reading).table


class _Sample:
    """The rows with the smallest keys so far."""

    def __init__(self, patients: int) -> None:
        self.patients = patients
        self.kept: list[tuple[pd.DataFrame, NDArray[np.uint64]]] = []
        self.most = np.uint64(2**64 - 1)  # the largest key that may be of the sample
        self.rows, self.limit = 0, 2 * patients

    def add(self, batch: pd.DataFrame, keys: NDArray[np.uint64]) -> None:
        """Add the rows of a batch whose keys are small enough."""
        inside = keys <= self.most
        if not inside.any():
            return
        self.kept.append((batch[inside], keys[inside]))
        self.rows += int(inside.sum())
        if self.rows > self.limit:
            self._cut()
            # So that each row is copied a few times, however many visits a patient has.
            self.limit = 2 * max(self.rows, self.patients)

    def _cut(self) -> None:
        """Leave out the rows that are no longer of the sample."""
        keys = np.unique(np.concatenate([each for _, each in self.kept]))
        if len(keys) > self.patients:
            self.most = keys[self.patients - 1]
            masks = [each <= self.most for _, each in self.kept]
            self.kept = [(rows[mask], each[mask]) for (rows, each), mask in zip(self.kept, masks, strict=True)]
        # Of batches with few rows each, one table is smaller than many.
        self.kept = [(self._joined(), np.concatenate([each for _, each in self.kept]))]
        self.rows = len(self.kept[0][1])

    def table(self) -> pd.DataFrame:
        """Return the rows of the sample, in the order in which they came."""
        self._cut()
        return self.kept[0][0]

    def _joined(self) -> pd.DataFrame:
        """Return the kept rows as one table, each column in the dtype of a table that is read as a whole."""
        parts = [rows for rows, _ in self.kept]
        wanted = {name: _common_dtype([part[name] for part in parts]) for name in parts[0].columns}
        parts = [part.astype({name: kind for name, kind in wanted.items() if kind is not None}) for part in parts]
        table = pd.concat(parts, ignore_index=True)
        for name in (name for name, kind in wanted.items() if kind == np.dtype(object)):
            table[name] = pd.Series([None if pd.isna(cell) else cell for cell in table[name]], dtype=object)
        return table


def _common_dtype(parts: list[pd.Series[Any]]) -> Any:  # noqa: ANN401 - a dtype of numpy or pandas
    """Return the dtype that holds the cells of one column in several batches; None where they have one already."""
    kinds = {part.dtype for part in parts}
    if len(kinds) == 1:
        return None
    kinds = {part.dtype for part in parts if part.notna().any()} or kinds
    if len(kinds) == 1:
        return kinds.pop()
    if all(map(pd.api.types.is_numeric_dtype, kinds)):
        return np.dtype(float)
    # Only a batch with years that nanoseconds cannot hold has microseconds.
    return np.dtype("datetime64[us]" if all(kind.kind == "M" for kind in kinds) else object)


class _Keys:
    """The random key of each row's patient."""

    def __init__(self, schema: Schema | None, seed: int, where: str) -> None:
        self.entity, self.where = None if schema is None else schema.entity, where
        self.column = None if schema is None or self.entity is None else schema.columns[self.entity]
        self.generator = numpy_generator(seed, "sample of patients")
        self.secret = f"{stream_seed(seed, 'sample of patients'):016x}"  # 16 bytes, as SipHash needs

    def of(self, batch: pd.DataFrame) -> NDArray[np.uint64]:
        """Return the (rows,) keys of a batch; batches are to come in the order of the source."""
        if self.column is None:
            return self.generator.integers(2**64, size=len(batch), dtype=np.uint64)
        if self.entity not in batch.columns:
            remedy = "Add the column, or remove its role."
            raise DataError(f"{self.where}: column {self.entity!r}", "is absent", remedy)
        cells, _ = self.column.coerce(batch[self.entity])
        if cells.isna().any():
            remedy = "Fill it in, or remove the row."
            raise DataError(f"{self.where}: column {self.entity!r}", "a row holds no identifier", remedy)
        texts = cells.astype(object).map(str).to_numpy(dtype=object)
        return pd.util.hash_array(texts, hash_key=self.secret, categorize=True)

"""Sampling a table of any size into a folder of Parquet files, shard by shard, in bounded memory."""

from __future__ import annotations

import hashlib
import json
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from synthclin import progress
from synthclin.errors import ConfigError, FewEventsWarning, OutputError
from synthclin.io.documents import dump_json
from synthclin.io.files import path_of, private_folder, sha256, staged_folder
from synthclin.io.held_folder import held_folder
from synthclin.models.checkpoints import Checkpoint
from synthclin.parallel import processors, run_all
from synthclin.sampling.cohorts import require_condition
from synthclin.sampling.sample_facts import SampleFacts, warn_of_few_events
from synthclin.schema.columns import Id
from synthclin.seeds import stream_seed
from synthclin.tables import write_table
from synthclin.tables.shard_index import SHARDS, Shard, shard_name, write_index

if TYPE_CHECKING:
    from synthclin.models.artifact import ModelParts
    from synthclin.models.synthesizer import Synthesizer
    from synthclin.schema import Schema
    from synthclin.schema.columns import Level

__all__ = [
    "SHARD_ROWS",
    "ShardCheckpoint",
    "ShardRequest",
    "Shards",
    "known_identity",
    "refuse_shards",
    "sample_shards",
    "write_shards",
]

SHARD_ROWS = 200_000
"""Rows of a shard by default: its memory is some hundred megabytes, and a minute or two of work is lost at most."""

MOST_SHARDS = 99_999


@dataclass(frozen=True, slots=True)
class Shards:
    """A table in shards.

    Arguments:
        folder: of its files.
        rows: of all files.
        facts: about the sample; see `synthclin.sampling.sample_facts.SampleFacts`.
    """

    folder: Path
    rows: int
    facts: SampleFacts


def sample_shards(
    model: Synthesizer,
    n: int,
    folder: str | Path,
    *,
    shard_rows: int = SHARD_ROWS,
    where: str | None = None,
    mix: Mapping[str, Mapping[Level, float]] | None = None,
    random_state: int | None = None,
    id_start: int | None = None,
    workers: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> Shards:
    """Sample `n` rows into a folder of Parquet files, ``part-00000.parquet`` and so on.

    `synthclin.read_table` reads it as one table. Each shard has a random stream of its own, so that the files do not
    depend on the number of workers. Finished shards are kept beside `folder` until all are there: an interrupted call
    goes on with `resume`. Memory is that of one shard per worker. The rows differ from those of one call of
    `Synthesizer.sample`, and have the same distribution.

    Arguments:
        model: a fitted model.
        n: how many rows, or patients of a table of visits; at least 1.
        folder: to be made.
        shard_rows: rows, or patients, of each file; the last one may have fewer.
        where: a predicate that every row satisfies; see `Synthesizer.sample`.
        mix: wanted shares of levels; they hold in each shard.
        random_state: seed of the sample; that of the model by default.
        id_start: the number of the first identifier; `Synthesizer.first_id` by default.
        workers: processes to sample in, with the same files; None for one per processor. A model on a GPU has one.
        resume: go on with the finished shards of an interrupted call with the same arguments.
        overwrite: replace the folder of an earlier call, and finished shards of an interrupted one.

    Raises:
        ConfigError: a number is out of bounds, the model consists of its training rows, or rows of visits have
            identifiers of their own, which would be repeated.
        ConditionError: the model cannot sample such rows.
        OutputError: the folder cannot be written, is there, an interrupted call has left shards, or another process
            samples into the same folder.
        ModelFormatError: the finished shards are of another model or of other arguments.

    Example:
        >>> import synthclin as sc
        >>> model = sc.load_model("runs/heart-disease-1/model")  # doctest: +SKIP
        >>> sc.sample_shards(model, 10_000_000, "cohort", workers=2).rows  # doctest: +SKIP
        10000000
    """
    request = ShardRequest(model, n, shard_rows, where, mix, random_state, id_start)
    checkpoint = ShardCheckpoint.beside(path_of(folder))
    if checkpoint.exists and not (resume or overwrite):
        what = "finished shards of an interrupted sampling are here"
        raise OutputError(str(checkpoint.folder), what, "Add --resume to go on, or --overwrite to begin anew.")
    if checkpoint.exists and not resume:
        checkpoint.discard()
    with checkpoint, staged_folder(folder, overwrite=overwrite) as stage:
        done = write_shards(request, stage, checkpoint, workers)
    if (where or mix) and hasattr(model, "rows_"):
        warn_of_few_events(done.facts, model.rows_)
    return Shards(path_of(folder), done.rows, done.facts)


def write_shards(request: ShardRequest, folder: Path, checkpoint: Checkpoint, workers: int | None = None) -> Shards:
    """Sample the shards that a checkpoint does not have yet, and put all of them into an empty folder with their list.

    The arguments and errors are those of `sample_shards`.
    """
    workers = 1 if torch.cuda.is_available() else processors() if workers is None else workers
    private_folder(checkpoint.folder)
    with held_folder(checkpoint.folder) as held:
        if not held:
            what = "another process samples the same output now"
            raise OutputError(str(checkpoint.folder), what, "Wait for it, or choose another output.")
        facts = _sampled(request, checkpoint, workers)
        shards = {shard_name(i): Shard(rows=each["rows"], sha256=each["sha256"]) for i, each in enumerate(facts)}
        for name in shards:
            _share(checkpoint.folder / name, folder / name)
    write_index(folder, shards)
    return Shards(folder, sum(shard.rows for shard in shards.values()), _total([each["facts"] for each in facts]))


class ShardCheckpoint(Checkpoint):
    """Finished shards of a sample, beside the folder that they are for, and the facts about them."""

    of = "sample"

    @classmethod
    def beside(cls, target: str | Path, kind: str = "shards") -> Self:
        """Return the checkpoint of the folder `target`: a hidden folder next to it."""
        return super().beside(target, kind)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None or not self.exists:
            self.discard()

    def discard(self) -> None:
        """Remove the shards, and the folder if it is then empty; all stays while another process samples into it."""
        if not self.folder.is_dir() or self.folder.is_symlink():
            return
        with held_folder(self.folder) as held:
            if held:
                for path in self.folder.glob(SHARDS):
                    path.unlink()
                super().discard()


class ShardRequest:
    """What is sampled: the shards, each with its number of rows, seed and first identifier.

    The arguments and errors are those of `sample_shards`.
    """

    def __init__(
        self,
        model: Synthesizer,
        n: int,
        shard_rows: int = SHARD_ROWS,
        where: str | None = None,
        mix: Mapping[str, Mapping[Level, float]] | None = None,
        random_state: int | None = None,
        id_start: int | None = None,
    ) -> None:
        for name, number in (("n", n), ("shard_rows", shard_rows)):
            if not isinstance(number, int | np.integer) or number < 1:
                raise ConfigError("sample_shards", f"`{name}` is no whole number from 1 on", "Ask for as many rows.")
        refuse_shards(model.encoder_.schema, n, shard_rows, "sample_shards")
        self.count = -(-n // shard_rows)
        require_condition(where, mix)
        self.model, self.n, self.shard_rows = model, n, shard_rows
        self.where, self.mix = where, mix
        self.seed = model.random_state if random_state is None else random_state
        self.first_id = model.first_id if id_start is None else id_start

    def rows(self, number: int) -> int:
        """Return the rows, or patients, of one shard."""
        return min(self.shard_rows, self.n - number * self.shard_rows)

    def sample(self, number: int, folder: Path) -> dict[str, Any]:
        """Sample one shard into a file of a folder, and return its rows, its SHA-256 and the facts about the sample."""
        with progress.quiet(), threadpool_limits(limits=1), warnings.catch_warnings():
            warnings.simplefilter("ignore", FewEventsWarning)  # given once, for all shards
            table = self.model.sample(
                self.rows(number),
                self.where,
                self.mix,
                stream_seed(self.seed, "shard", number),
                self.first_id + number * self.shard_rows,
            )
        place = folder / shard_name(number)
        write_table(table, place, self.model.schema)
        return {"rows": len(table), "sha256": sha256(place), "facts": asdict(self.model.sample_facts_)}

    def identity(self) -> dict[str, bytes]:
        """Return everything on which the shards depend, by name."""
        return known_identity(self.n, self.shard_rows, self.seed) | {
            "identifiers": str(self.first_id).encode(),
            "condition": json.dumps([self.where, self.mix], sort_keys=True, default=str).encode(),
            "model": _digest(self.model.parts()),
        }


def known_identity(n: int | None, shard_rows: int | None, seed: int) -> dict[str, bytes]:
    """Return the part of a request's identity that is known before there is a model, by name."""
    numbers = {"number of rows": n, "rows of a shard": shard_rows, "seed": seed}
    return {name: str(int(number)).encode() for name, number in numbers.items() if number is not None}


def refuse_shards(schema: Schema, n: int, shard_rows: int, where: str) -> None:
    """Refuse more shards than can be named, and visits with identifiers of their own.

    A shard does not know how many visits those before it have. Raises ConfigError.
    """
    if (count := -(-n // shard_rows)) > MOST_SHARDS:
        what = f"{count:,} shards are more than {MOST_SHARDS:,}"
        raise ConfigError(where, what, "Ask for more rows in each: `shard_rows`.")
    for name, column in schema.columns.items():
        if schema.visit_time is not None and isinstance(column, Id) and name != schema.entity:
            what = "its identifiers number the visits, and would be repeated in each shard"
            raise ConfigError(f"column {name!r}", what, "Sample without shards, or leave it out by `type: text`.")


def _digest(parts: ModelParts) -> bytes:
    """Return a hash of everything of a model on which a sample depends."""
    found = hashlib.sha256(dump_json([parts.family, parts.parameters, parts.facts, parts.dtypes], digits=None).encode())
    found.update(dump_json(parts.encoder.to_dict(), digits=None).encode())
    found.update(parts.encoder.schema.to_yaml(comments=False).encode())
    for name, tensor in sorted(parts.tensors.items()):
        found.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    for name, inner in sorted(parts.inner.items()):
        found.update(name.encode() + _digest(inner))
    return found.digest()


def _sampled(request: ShardRequest, checkpoint: Checkpoint, workers: int) -> list[dict[str, Any]]:
    """Sample the shards that are not there yet, and return the facts of all."""
    found: dict[int, dict[str, Any]] = {
        int(number): facts
        for number, facts in (checkpoint.open(request.identity()) or {}).items()
        if _intact(checkpoint.folder / shard_name(int(number)), facts)
    }
    left = [number for number in range(request.count) if number not in found]
    before = sum(map(request.rows, found))
    with progress.track("sampling", total=request.n, unit="rows", done=before) as step:

        def keep(place: int, facts: dict[str, Any]) -> None:
            number = left[place]
            found[number] = facts
            checkpoint.offer(lambda: {str(number): facts for number, facts in found.items()}, at_once=True)
            step(request.rows(number), f"shard {number + 1}")

        samplers = [partial(request.sample, number, checkpoint.folder) for number in left]
        run_all(samplers, workers, done=keep, folder=checkpoint.folder)
    return [found[number] for number in range(request.count)]


def _intact(path: Path, facts: Mapping[str, Any]) -> bool:
    return path.is_file() and not path.is_symlink() and sha256(path) == facts.get("sha256")


def _share(finished: Path, place: Path) -> None:
    """Give a finished file a second name, or copy it: it stays where it is until the whole folder is in place."""
    try:
        place.hardlink_to(finished)
    except OSError:
        shutil.copyfile(finished, place)
        place.chmod(0o600)


def _total(parts: list[dict[str, Any]]) -> SampleFacts:
    """Return the facts about all shards together."""
    weights = [each["proposed"] for each in parts]

    def mean(key: str) -> float:
        return float(np.average([each[key] for each in parts], weights=weights)) if any(weights) else 1.0

    return SampleFacts(
        rows=sum(each["rows"] for each in parts),
        proposed=sum(weights),
        probability=mean("probability"),
        effective=sum(each["effective"] for each in parts),
        rarest=mean("rarest"),
        interpolated=tuple(dict.fromkeys(name for each in parts for name in each["interpolated"])),
    )

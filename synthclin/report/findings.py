"""The report as data: scores, verdicts on gates, data of the figures, and provenance."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from math import isfinite, isnan, nan
from typing import TYPE_CHECKING, Any, Literal, Self

import pandas as pd

from synthclin.errors import ConfigError, GateError, UnknownScoreError
from synthclin.evaluation.catalogue import find_kind
from synthclin.evaluation.gate import Gate, parse_gate
from synthclin.evaluation.gates import Verdict, judge
from synthclin.evaluation.score import Score
from synthclin.evaluation.statuses import WORST_FIRST
from synthclin.io.documents import dump_json, validate
from synthclin.language import Language, speaking, tr
from synthclin.report.record.envelope import SCHEMA_VERSION, ReportRecord, ScoreRecord, Statement
from synthclin.report.record.guarantee_data import GuaranteeFacts
from synthclin.report.record.release import UNDECLARED, Release, TableFile
from synthclin.report.record.section_data import SectionData
from synthclin.wording import interval, number

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Findings", "checksum"]

_FRAME = (
    *("value", "low", "high", "better", "baseline", "reference", "n", "spread", "gate", "status", "note"),
    *("question", "limit", "review", "bound", "reason"),
)


@dataclass(frozen=True, slots=True)
class Findings:
    """The results for one synthetic table: scores, verdicts, data of the figures, provenance.

    Arguments:
        scores: the scores, in the order of the evaluation.
        verdicts: the outcome of each gate.
        sections: plain data of the figures; see `synthclin.evaluation.sections`.
        provenance: study, seeds, versions and row counts; see `synthclin.report.record.envelope.Provenance`.
        edition: ``internal``, for the custodian of the data, or ``shareable``; see `synthclin.report.editions`.
        release: what the custodian declares about the release.
        table: the file of the synthetic table; None where it was scored in memory.
        statements: titles, answers and orders that the shareable edition takes from the internal one, by place.
        language: of its texts: notes, reasons and all that its pages say.

    Example:
        >>> findings = Findings(scores=(), verdicts=(), sections={}, provenance={"name": "toy"})
        >>> Findings.from_dict(findings.to_dict()) == findings
        True
    """

    scores: tuple[Score, ...]
    verdicts: tuple[Verdict, ...]
    sections: dict[str, Any]
    provenance: dict[str, Any]
    edition: Literal["internal", "shareable"] = "internal"
    release: Release = UNDECLARED
    table: TableFile | None = None
    statements: dict[str, Statement] = field(default_factory=dict)
    language: Language = "en"

    def __getitem__(self, name: str) -> Score:
        """Return the score called `name`.

        Raises:
            UnknownScoreError: a KeyError; there is none, and the message has the nearest name.
            ConfigError: the key is no text.
        """
        if not isinstance(name, str):
            what = "a key of a report is the name of a score, a text"
            raise ConfigError("report", what, 'Write report["fidelity.marginals"], or report.scores[0] by its place.')
        found = self.find(name)
        if found is None:
            raise UnknownScoreError.of("report", name, (score.name for score in self.scores))
        return found

    def find(self, name: str) -> Score | None:
        """Return the score called `name`, or None."""
        return next((score for score in self.scores if score.name == name), None)

    @property
    def guarantee(self) -> GuaranteeFacts | None:
        """The guarantee of differential privacy of the model, or None."""
        facts = self.sections.get("guarantee")
        return None if facts is None else GuaranteeFacts.model_validate(facts)

    @property
    def is_of_synthetic_rows(self) -> bool:
        """Whether this is the shareable edition of a model with differential privacy: no figure is of real rows."""
        return self.edition == "shareable" and "guarantee" in self.sections

    @property
    def passed(self) -> bool:
        """Whether every gate was met."""
        return not any(verdict.missed for verdict in self.verdicts)

    @property
    def verdict(self) -> tuple[str, ...]:
        r"""The verdict as lines for a terminal, worst first: status, gate, score and interval.

        Example:
            >>> gate = parse_gate("fidelity.pairs >= 0.9")
            >>> score = Score("fidelity.pairs", "?", 0.95, 0.94, 0.96, "higher", None, None, 100, "toy")
            >>> print(*Findings((score,), judge([gate], [score]), {}, {}).verdict, sep="\n")
            PASS  fidelity.pairs >= 0.9  0.950 (0.940 to 0.960)
        """
        ordered = sorted(self.verdicts, key=lambda verdict: WORST_FIRST.index(verdict.status))
        statuses = max((len(verdict.status) for verdict in ordered), default=0)
        gates = max((len(verdict.gate.text) for verdict in ordered), default=0)
        return tuple(
            f"{verdict.status:<{statuses}}  {verdict.gate.text:<{gates}}  {self._result(verdict)}"
            for verdict in ordered
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What the report does not answer for lack of holdout rows or of tasks, and samples in it, a sentence each.

        Example:
            >>> Findings((), (), {}, {"rows": {"train": 60, "holdout": 20}}).notes
            ('No prediction or analysis task is declared: the report says nothing of utility.',)
        """
        if self.is_of_synthetic_rows:
            return ()
        holdout = self.provenance.get("rows", {}).get("holdout")
        tasks = any(score.name.startswith(("utility.", "inference.", "treatment.")) for score in self.scores)
        with speaking(self.language):
            no_holdout = tr(
                "No holdout rows were given: detection, utility and most attacks on privacy are not assessable."
            )
            no_task = tr("No prediction or analysis task is declared: the report says nothing of utility.")
            samples = self._samples()
        return (*(() if holdout else (no_holdout,)), *(() if tasks else (no_task,)), *samples)

    def _samples(self) -> tuple[str, ...]:
        """Return which tables are compared in part, a sentence each."""
        rows, of = self.provenance.get("rows", {}), self.provenance.get("source_rows")
        scored, released = rows.get("synthetic", 0), 0 if self.table is None else self.table.rows
        found = []
        if of:
            real = rows.get("train", 0) + rows.get("holdout", 0)
            found.append(
                tr(
                    "The {n} real rows are those of a random sample of patients; their source has {total} rows.",
                    n=number(real, 0),
                    total=number(of, 0),
                )
            )
        if 0 < scored < released:
            found.append(
                tr(
                    "Scores are of the first {n} of {total} synthetic rows, a random sample. "
                    "Attacks on privacy that have all rows can succeed more often.",
                    n=number(scored, 0),
                    total=number(released, 0),
                )
            )
        return tuple(found)

    def _result(self, verdict: Verdict) -> str:
        score = self[verdict.gate.score]
        if score.low == score.high:
            return number(score.value)  # a census has no interval
        ends = interval(score.low, score.high)
        return f"{number(score.value)} ({ends})" if ends else verdict.reason

    def require(self, *gates: str) -> None:
        """Raise unless the scores meet `gates`, or the report's own gates where none is given.

        Raises:
            GateError: naming each gate that is missed, also where its score is not assessable.
            ConfigError: a gate cannot be read, or names a score that was not computed.

        Example:
            >>> score = Score("fidelity.pairs", "?", 0.95, 0.94, 0.96, "higher", None, None, 100, "toy")
            >>> Findings((score,), (), {}, {}).require("fidelity.pairs >= 0.99")
            Traceback (most recent call last):
            ...
            synthclin.errors.GateError: report: 1 of 1 gates is missed: fidelity.pairs >= 0.99 (FAIL). See the report.
        """
        verdicts = judge([parse_gate(gate) for gate in gates], self.scores) if gates else self.verdicts
        missed = [verdict for verdict in verdicts if verdict.missed]
        if missed:
            named = "; ".join(f"{v.gate.text} ({v.status})" for v in missed)
            verb = "is" if len(missed) == 1 else "are"
            what = f"{len(missed)} of {len(verdicts)} gates {verb} missed: {named}"
            raise GateError("report", what, "See the report.")

    def to_frame(self) -> pd.DataFrame:
        """Return a frame of one row per score, with the verdict of its gate; NaN or None where unknown or not judged.

        The columns are ``value``, ``low`` and ``high`` (95 % interval), ``better``, ``baseline`` (independence
        baseline), ``reference`` (real-data reference), ``n`` (rows), ``spread`` (standard deviation across synthetic
        replicates), ``gate``, ``status``, ``note``; and ``question`` (that of page one which the score answers, or its
        own), ``limit`` (for PASS), ``review`` (limit for REVIEW), ``bound`` (the end of the interval that was compared)
        and ``reason`` (of the status).
        """
        verdicts = {verdict.gate.score: verdict for verdict in self.verdicts}
        rows = []
        for score in self.scores:
            verdict = verdicts.get(score.name)
            rows.append(
                {
                    "score": score.name,
                    "value": score.value,
                    "low": score.low,
                    "high": score.high,
                    "better": score.better,
                    "baseline": nan if score.baseline is None else score.baseline,
                    "reference": nan if score.reference is None else score.reference,
                    "n": score.n,
                    "spread": nan if score.spread is None else score.spread,
                    "gate": None if verdict is None else verdict.gate.text,
                    "status": None if verdict is None else verdict.status,
                    "note": score.note,
                    "question": _question(score),
                    "limit": nan if verdict is None else verdict.gate.limit,
                    "review": nan if verdict is None or verdict.gate.review is None else verdict.gate.review,
                    "bound": nan if verdict is None else verdict.bound,
                    "reason": None if verdict is None else verdict.reason,
                }
            )
        return pd.DataFrame(rows, columns=["score", *_FRAME]).set_index("score")

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values; an unknown number is None."""
        document: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "edition": self.edition,
            "language": self.language,
            "release": self.release.to_dict(),
            "table": None if self.table is None else self.table.model_dump(mode="json"),
            "scores": [score.to_dict() for score in self.scores],
            "gates": [_gate_record(verdict) for verdict in self.verdicts],
            "sections": self.sections,
            "provenance": self.provenance,
        }
        if self.statements:
            document["statements"] = {key: one.model_dump(mode="json") for key, one in self.statements.items()}
        written: dict[str, Any] = _json_value(document)
        return written

    def to_json(self) -> str:
        """Return the report as text for machines, with a checksum of its content.

        `synthclin schema json report` prints its JSON Schema. The checksum detects accidental changes; against
        forgery, keep the manifest of the run elsewhere.
        """
        document = self.to_dict()
        return dump_json(document | {"sha256": checksum(document)})

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], where: str = "report") -> Self:
        """Return the report that `to_dict` wrote, after validating every part that a page shows.

        Arguments:
            data: the document.
            where: its file, for errors.

        Raises:
            ConfigError: a key is unknown, absent or of the wrong type, or a gate names a score that is absent.
        """
        record = validate(ReportRecord, data, where)
        scores = tuple(_score(one, f"{where}: scores[{i}]") for i, one in enumerate(record.scores))
        names = [score.name for score in scores]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ConfigError(f"{where}: scores", f"'{twice}' occurs twice", "Write the file again.")
        validate(SectionData, record.sections, f"{where}: sections")
        for i, gate in enumerate(record.gates):
            if gate.score not in names:
                raise ConfigError(f"{where}: gates[{i}].score", "no score has this name", "Write the file again.")
        return cls(
            scores=scores,
            verdicts=tuple(
                Verdict(
                    Gate(
                        gate.score,
                        gate.op,
                        gate.limit,
                        nan if isnan(gate.limit) else gate.review,
                        gate.source,
                        gate.null,
                        gate.alarm,
                    ),
                    gate.status,
                    gate.value,
                    gate.bound,
                    gate.reason,
                    gate.without_figures,
                    gate.reached,
                    gate.excused,
                    gate.holdout_needed,
                )
                for gate in record.gates
            ),
            sections=record.sections,
            provenance=record.provenance.model_dump(exclude_unset=True),
            edition=record.edition,
            release=record.release,
            table=record.table,
            statements=record.statements,
            language=record.language,
        )


def checksum(document: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the document in its written form."""
    return hashlib.sha256(dump_json(document).encode()).hexdigest()


def _score(record: ScoreRecord, where: str) -> Score:
    """Return the score of a record, its details as those of its kind.

    Raises:
        ConfigError: no score has this name, or its details are not those of its kind.
    """
    kind = find_kind(record.name)
    if kind is None:
        remedy = "Read the file with the version of synthclin that wrote it."
        raise ConfigError(f"{where}.name", "this version of synthclin has no such score", remedy)
    details = None if record.details is None else validate(kind.details, record.details, f"{where}.details")
    return Score(**(record.model_dump() | {"details": details}))


def _question(score: Score) -> str:
    """Return the question of page one that a score answers, or its own."""
    kind = find_kind(score.name)
    return score.question if kind is None or kind.asked is None else kind.asked.text


def _gate_record(verdict: Verdict) -> dict[str, Any]:
    gate = verdict.gate
    return {
        "score": gate.score,
        "op": gate.op,
        "limit": gate.limit,
        "review": gate.review,
        "source": gate.source,
        "null": gate.null,
        "alarm": gate.alarm,
        "status": verdict.status,
        "value": verdict.value,
        "bound": verdict.bound,
        "reached": verdict.reached,
        "excused": verdict.excused,
        "reason": verdict.reason,
        "without_figures": verdict.without_figures,
        "holdout_needed": verdict.holdout_needed,
    }


def _json_value(value: Any) -> Any:  # noqa: ANN401 (JSON is of any type)
    """Return `value` with None for numbers that are not finite, and lists for tuples."""
    if isinstance(value, dict):
        return {key: _json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value

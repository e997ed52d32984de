"""Error classes; each message has where, what and remedy, and never a patient's value."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "ChangedReportError",
    "ConditionError",
    "ConfigError",
    "DataError",
    "FewEventsWarning",
    "GateError",
    "ModelFormatError",
    "NoisyTrainingWarning",
    "OutputError",
    "SynthclinError",
    "UnknownScoreError",
]


class SynthclinError(Exception):
    """Base of every error that synthclin raises on purpose.

    Arguments:
        where: the file, column or setting at fault, such as ``configs/hf.yaml: schema.columns.bmi.range``.
        what: the fact, as a sentence without its full stop. Counts and row numbers, never cell values.
        remedy: the action, as a sentence.

    Example:
        >>> str(SynthclinError("column 'bmi'", "low 60 exceeds high 12", "Swap them."))
        "column 'bmi': low 60 exceeds high 12. Swap them."
    """

    exit_code = 1

    def __init__(self, where: str, what: str, remedy: str) -> None:
        self.where, self.what, self.remedy = where, what, remedy
        super().__init__(f"{where}: {what}. {remedy}")

    def __reduce__(self) -> tuple[type[SynthclinError], tuple[str, str, str]]:
        """Return how the error comes back whole from a worker process."""
        return type(self), (self.where, self.what, self.remedy)


class ConfigError(SynthclinError):
    """A configuration, schema, expression or argument that cannot be used."""

    exit_code = 2


class ChangedReportError(ConfigError):
    """A report that was changed after it was written."""


class DataError(SynthclinError):
    """A table that cannot be read, or that violates its schema."""

    exit_code = 2


class ConditionError(SynthclinError):
    """A cohort that the model cannot sample; the message has its support."""

    exit_code = 2


class ModelFormatError(SynthclinError):
    """A model folder that is damaged, unsafe or of another version."""

    exit_code = 2


class OutputError(SynthclinError):
    """A file or folder that cannot be written."""

    exit_code = 2


class UnknownScoreError(ConfigError, KeyError):
    """A score that was not computed, or that is misspelt; a KeyError too, as of a mapping."""

    __str__ = Exception.__str__  # that of KeyError quotes the message

    @classmethod
    def of(cls, where: str, name: str, known: Iterable[str]) -> UnknownScoreError:
        """Return the error for a name, with the nearest of the known names as its remedy.

        Example:
            >>> str(UnknownScoreError.of("report", "fidelity.marginal", ["fidelity.marginals", "privacy.copies"]))
            "report: no score is called 'fidelity.marginal'. Did you mean 'fidelity.marginals'?"
        """
        names = sorted(known)
        near = get_close_matches(name, names, n=1)
        remedy = f"Did you mean '{near[0]}'?" if near else f"Scores of this run: {', '.join(names) or 'none'}."
        return cls(where, f"no score is called '{name}'", remedy)


class GateError(SynthclinError):
    """Scores that miss the gates set for them; the message names each miss."""

    exit_code = 3


class FewEventsWarning(UserWarning):
    """A sample whose condition rests on few training patients."""


class NoisyTrainingWarning(UserWarning):
    """A training with differential privacy whose noise leaves only the strongest relations of a table."""

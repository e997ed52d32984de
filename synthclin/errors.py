"""Error classes; each message has where, what and remedy, and never a patient's value."""

from __future__ import annotations

__all__ = [
    "ChangedReportError",
    "ConditionError",
    "ConfigError",
    "DataError",
    "FewEventsWarning",
    "GateError",
    "ModelFormatError",
    "OutputError",
    "SynthclinError",
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


class GateError(SynthclinError):
    """Scores that miss the gates set for them; the message names each miss."""

    exit_code = 3


class FewEventsWarning(UserWarning):
    """A sample whose condition rests on few training patients."""

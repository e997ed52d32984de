"""What an analyst will do with the table: the tasks that utility is measured by."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

__all__ = ["PredictTask"]


class PredictTask(BaseModel):
    """Predict one column from the others.

    Columns of the roles time, event and outcome are known only after the
    prediction is wanted, so they never help to predict another column.

    Example:
        >>> PredictTask(target="died").name
        'utility.died'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: Literal["predict"] = "predict"
    target: str

    @property
    def name(self) -> str:
        """The name of the score."""
        return f"utility.{self.target}"

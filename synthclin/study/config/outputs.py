"""Check of the block `outputs` before training: the files that it names can be written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthclin.errors import ConfigError, DataError
from synthclin.study.config.adam import adam_plan
from synthclin.tables.readstat_output import WRITING, refuse_unwritable, require_readstat

if TYPE_CHECKING:
    from synthclin.study.config.adam import AdamPlan
    from synthclin.study.config.blocks import Config

__all__ = ["check_outputs", "plan_of"]


def check_outputs(config: Config, where: str) -> None:
    """Refuse files that this machine or their format does not allow.

    Raises:
        ConfigError: an extra is not installed, the schema has a column that the format does not hold, or the block
            `adam` does not fit the schema.
    """
    suffix = f".{config.outputs.table}"
    if suffix in WRITING:
        at = f"{where}: outputs.table"
        require_readstat(suffix, at)
        try:
            refuse_unwritable(config.table_schema, suffix)
        except DataError as error:
            raise ConfigError(f"{at}: {error.where}", error.what, error.remedy) from None
    if plan_of(config, where) is not None and config.outputs.adam is not None and "xpt" in config.outputs.adam.format:
        require_readstat(".xpt", f"{where}: outputs.adam.format")


def plan_of(config: Config, where: str = "study") -> AdamPlan | None:
    """Return what ADSL and ADTTE of a study hold; None where it does not write them.

    Raises:
        ConfigError: the block `adam` does not fit the schema.
    """
    block = config.outputs.adam
    if block is None:
        return None
    tasks = config.evaluation.utility
    return adam_plan(block, config.name, config.table_schema, tasks, f"{where}: outputs.adam")

"""Validation of a model family's constructor arguments, by its signature."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, create_model

from synthclin.errors import ConfigError, SynthclinError
from synthclin.io.documents import validate

__all__ = ["check_parameters", "parameter_fields"]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


def parameter_fields(family: type) -> dict[str, Any]:
    """Return type and default of every constructor argument but the schema, as `pydantic.create_model` takes them."""
    hints = get_type_hints(family.__init__, include_extras=True)  # type: ignore[misc]
    signature = inspect.signature(family)
    return {
        name: (hints.get(name, Any), parameter.default)
        for name, parameter in signature.parameters.items()
        if name != "schema"
    }


def check_parameters(
    family: type, parameters: Mapping[str, Any], where: str, error: type[SynthclinError] = ConfigError
) -> None:
    """Raise `error`, naming the first parameter that is unknown, of another type or out of bounds."""
    model = create_model("Parameters", __base__=_Strict, **parameter_fields(family))
    validate(model, {name: value for name, value in parameters.items() if name != "schema"}, where, error)

"""Configuration of a run: one YAML file, parsed strictly, validated against the schema, immutable."""

from __future__ import annotations

from synthclin.study.config.blocks import Config, Data, EvaluationBlock, Judging, Model, Outputs, Protect, Sampling
from synthclin.study.config.loading import load, load_judging, parse_value, resolved_yaml

__all__ = [
    "Config",
    "Data",
    "EvaluationBlock",
    "Judging",
    "Model",
    "Outputs",
    "Protect",
    "Sampling",
    "load",
    "load_judging",
    "parse_value",
    "resolved_yaml",
]

"""Configuration of a run: one YAML file, parsed strictly, validated against the schema, immutable."""

from __future__ import annotations

from synthclin.study.config.blocks import Config, Data, EvaluationBlock, Judging, Model, Outputs, Protect, Sampling
from synthclin.study.config.loading import load, load_judging, parse_value, resolved_yaml
from synthclin.study.config.sweep import Cell, Sweep, SweepConfig, is_sweep, load_sweep

__all__ = [
    "Cell",
    "Config",
    "Data",
    "EvaluationBlock",
    "Judging",
    "Model",
    "Outputs",
    "Protect",
    "Sampling",
    "Sweep",
    "SweepConfig",
    "is_sweep",
    "load",
    "load_judging",
    "load_sweep",
    "parse_value",
    "resolved_yaml",
]

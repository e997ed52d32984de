"""Data sets of the Analysis Data Model (ADaM) of CDISC in a study: the block `outputs.adam` and its plan."""

from __future__ import annotations

from synthclin.study.config.adam.blocks import Adam, AdamEndpoint, AdamVariable
from synthclin.study.config.adam.plan import adam_plan
from synthclin.study.config.adam.rules import LABELS
from synthclin.study.config.adam.variables import AdamPlan, Endpoint, Variable

__all__ = ["LABELS", "Adam", "AdamEndpoint", "AdamPlan", "AdamVariable", "Endpoint", "Variable", "adam_plan"]

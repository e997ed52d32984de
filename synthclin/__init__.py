"""Synthetic clinical tables that researchers can use and data-sharing reviewers can trust."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from synthclin.io.version import VERSION

if TYPE_CHECKING:
    from synthclin import datasets
    from synthclin.errors import GateError, SynthclinError
    from synthclin.inference import infer_schema
    from synthclin.models import (
        AutoSynthesizer,
        Bootstrap,
        CellTransformer,
        Checkpoint,
        ConditionalGAN,
        GaussianCopula,
        Independent,
        MaskedDiffusion,
        Mixture,
        SequentialTrees,
    )
    from synthclin.models import load as load_model
    from synthclin.models.shards import sample_shards
    from synthclin.parallel import engine
    from synthclin.report import Report, evaluate
    from synthclin.schema import Schema
    from synthclin.study.reports import compare
    from synthclin.study.run import run
    from synthclin.study.sweep import sweep
    from synthclin.tables import read_sample, read_table, split, write_table

__all__ = [
    "AutoSynthesizer",
    "Bootstrap",
    "CellTransformer",
    "Checkpoint",
    "ConditionalGAN",
    "GateError",
    "GaussianCopula",
    "Independent",
    "MaskedDiffusion",
    "Mixture",
    "Report",
    "Schema",
    "SequentialTrees",
    "SynthclinError",
    "__version__",
    "compare",
    "datasets",
    "engine",
    "evaluate",
    "infer_schema",
    "load_model",
    "read_sample",
    "read_table",
    "run",
    "sample_shards",
    "split",
    "sweep",
    "write_table",
]

__version__ = VERSION

_HOMES = {
    "AutoSynthesizer": ("synthclin.models", "AutoSynthesizer"),
    "Bootstrap": ("synthclin.models", "Bootstrap"),
    "CellTransformer": ("synthclin.models", "CellTransformer"),
    "Checkpoint": ("synthclin.models", "Checkpoint"),
    "ConditionalGAN": ("synthclin.models", "ConditionalGAN"),
    "GateError": ("synthclin.errors", "GateError"),
    "GaussianCopula": ("synthclin.models", "GaussianCopula"),
    "Independent": ("synthclin.models", "Independent"),
    "MaskedDiffusion": ("synthclin.models", "MaskedDiffusion"),
    "Mixture": ("synthclin.models", "Mixture"),
    "Report": ("synthclin.report", "Report"),
    "Schema": ("synthclin.inference", "Schema"),  # which provides Schema.infer
    "SequentialTrees": ("synthclin.models", "SequentialTrees"),
    "SynthclinError": ("synthclin.errors", "SynthclinError"),
    "compare": ("synthclin.study.reports", "compare"),
    "datasets": ("synthclin.datasets", None),
    "engine": ("synthclin.parallel", "engine"),
    "evaluate": ("synthclin.report", "evaluate"),
    "infer_schema": ("synthclin.inference", "infer_schema"),
    "load_model": ("synthclin.models", "load"),
    "read_table": ("synthclin.tables", "read_table"),
    "read_sample": ("synthclin.tables", "read_sample"),
    "run": ("synthclin.study.run", "run"),
    "sample_shards": ("synthclin.models.shards", "sample_shards"),
    "split": ("synthclin.tables", "split"),
    "sweep": ("synthclin.study.sweep", "sweep"),
    "write_table": ("synthclin.tables", "write_table"),
}


def __getattr__(name: str) -> object:
    # Public names load on first use: `synthclin --help` need not wait for torch.
    if name not in _HOMES:
        raise AttributeError(f"module 'synthclin' has no attribute '{name}'")
    module, attribute = _HOMES[name]
    found = import_module(module)
    return found if attribute is None else getattr(found, attribute)


def __dir__() -> list[str]:
    return list(__all__)

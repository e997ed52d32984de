"""Model families behind one contract: learn a table, draw rows."""

from synthclin.models.artifact import load
from synthclin.models.base import Synthesizer
from synthclin.models.gan import ConditionalGAN

__all__ = ["MODELS", "ConditionalGAN", "Synthesizer", "load"]

MODELS: dict[str, type[Synthesizer]] = {ConditionalGAN.family: ConditionalGAN}
"""Every family by the name it has in a config."""

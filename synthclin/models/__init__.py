"""Model families behind one contract: learn a table, draw rows."""

from synthclin.models.artifact import load
from synthclin.models.base import Synthesizer
from synthclin.models.checkpoints import Checkpoint
from synthclin.models.gan import ConditionalGAN
from synthclin.models.watch import Moment

__all__ = ["MODELS", "Checkpoint", "ConditionalGAN", "Moment", "Synthesizer", "load"]

MODELS: dict[str, type[Synthesizer]] = {ConditionalGAN.family: ConditionalGAN}
"""Every family by the name it has in a config."""

"""Generative models of tables behind one interface: `fit`, `sample`, `impute`, `log_likelihood`, `save`."""

from synthclin.models.callbacks import TrainingEvent
from synthclin.models.checkpoints import Checkpoint
from synthclin.models.families import MODELS, load
from synthclin.models.gan import ConditionalGAN
from synthclin.models.synthesizer import Synthesizer

__all__ = ["MODELS", "Checkpoint", "ConditionalGAN", "Synthesizer", "TrainingEvent", "load"]

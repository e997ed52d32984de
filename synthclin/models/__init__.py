"""Generative models of tables behind one interface: `fit`, `sample`, `impute`, `log_likelihood`, `save`."""

from synthclin.models.auto import AutoSynthesizer
from synthclin.models.callbacks import TrainingEvent
from synthclin.models.checkpoints import Checkpoint
from synthclin.models.families.bootstrap import Bootstrap
from synthclin.models.families.copula import GaussianCopula
from synthclin.models.families.diffusion import MaskedDiffusion
from synthclin.models.families.gan import ConditionalGAN
from synthclin.models.families.independent import Independent
from synthclin.models.families.mixture import Mixture
from synthclin.models.families.transformer import CellTransformer
from synthclin.models.families.trees import SequentialTrees
from synthclin.models.registry import MODELS, load
from synthclin.models.synthesizer import Synthesizer

__all__ = [
    "MODELS",
    "AutoSynthesizer",
    "Bootstrap",
    "CellTransformer",
    "Checkpoint",
    "ConditionalGAN",
    "GaussianCopula",
    "Independent",
    "MaskedDiffusion",
    "Mixture",
    "SequentialTrees",
    "Synthesizer",
    "TrainingEvent",
    "load",
]

"""Model families: one module each, one line each in the list."""

from synthclin.models.families.bootstrap import Bootstrap
from synthclin.models.families.copula import GaussianCopula
from synthclin.models.families.diffusion import MaskedDiffusion
from synthclin.models.families.gan import ConditionalGAN
from synthclin.models.families.independent import Independent
from synthclin.models.families.mixture import Mixture
from synthclin.models.families.transformer import CellTransformer
from synthclin.models.families.trees import SequentialTrees
from synthclin.models.sequential_synthesizer import SequentialSynthesizer

__all__ = ["FAMILIES"]

FAMILIES: tuple[type[SequentialSynthesizer], ...] = (
    ConditionalGAN,
    Independent,
    Bootstrap,
    Mixture,
    CellTransformer,
    MaskedDiffusion,
    GaussianCopula,
    SequentialTrees,
)
"""Every family; `auto` chooses among them."""

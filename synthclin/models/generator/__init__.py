"""Masked autoregressive generator of the conditional GAN, and the phases of its training."""

__all__: list[str] = []

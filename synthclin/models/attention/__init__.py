"""Attention networks over the cells of a row: what the transformer and the masked diffusion share."""

__all__: list[str] = []

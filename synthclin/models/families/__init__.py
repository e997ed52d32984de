"""Model families: one module each, listed in `synthclin.models.registry`."""

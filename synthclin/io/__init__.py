"""Files and documents: written whole or not at all, read strictly. Knows nothing of tables or patients."""

__all__: list[str] = []

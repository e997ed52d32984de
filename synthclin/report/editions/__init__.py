"""The shareable edition: findings without what a few patients could be read from."""

__all__: list[str] = []

"""The types of `report.json`: what is read is checked against them."""

__all__: list[str] = []

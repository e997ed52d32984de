"""SVG charts as text: axes, panels, ROC curves and dot plots, drawn from plain numbers."""

__all__: list[str] = []

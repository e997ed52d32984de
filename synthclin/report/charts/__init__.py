"""SectionData as SVG text: axes, marks and panels. Know numbers and words, nothing of scores."""

__all__: list[str] = []

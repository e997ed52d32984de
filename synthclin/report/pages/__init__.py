"""Sections of the HTML report: figures with title, reading help, chart and data table, built from the findings.

`figures`: types. `score_texts` and `questions`: texts per score and the questions of page one. `decision`: page one.
``*_section``: one section each. ``*_figures``: figures of a section.
"""

__all__: list[str] = []

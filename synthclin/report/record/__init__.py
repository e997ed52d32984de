"""The types of ``report.json``, which validate every report that is read.

`envelope`: the top level. `section_data`: data of the figures that belong to no score. The details of scores have the
types of `synthclin.evaluation.catalogue`. `json_schema`: the published JSON Schema.
"""

__all__: list[str] = []

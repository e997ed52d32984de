"""The types of ``report.json``, which validate every report that is read.

`envelope`: the top level. `section_data`: data of the figures. `score_details` and `clinical_details`: details of the
scores. `json_schema`: the published JSON Schema.
"""

__all__: list[str] = []

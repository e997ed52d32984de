"""One study: its configuration, its data, the run, the run folder, and the checks of a finished run.

The life of a row, from a CSV file to a synthetic CSV file:

1. `tables.read_table` reads text cells; with a schema, `rules.validation.conform` types each column and refuses cells
   that no declaration allows. Missing codes move to a column of their own beside the cell.
2. `study.data.prepare` leaves out rows that violate a rule with ``on_violation: drop`` and splits the others: rows of
   one patient stay on one side. Holdout rows are not used again before the scores.
3. `Synthesizer.fit` shifts the dates of a patient (`encoding.anchors`), and `encoding.TableEncoder` turns each cell
   into a code (level, bin, spike or missing) and an offset inside the bin. Levels of few patients are pooled and
   extremes are trimmed here: nothing later sees them.
4. `models.training` fits the conditional distribution of each code given the codes of the columns before it.
5. `sampling.sequential.sample_codes` samples a row of codes, column by column, with masked codes for every rule;
   offsets are uniform.
6. `sampling.repair` decodes codes and offsets to cells, computes derived columns, and samples offsets again where a
   rule is still violated; `rules.rules.finish` numbers identifiers and empties cells by ``missing_when``.
7. `tables.write_table` writes cells as the real file has them: missing codes return to their cells.

The life of a condition (`where`) is in `synthclin.sampling`.
"""

from __future__ import annotations

__all__: list[str] = []

"""Classification by a generative model: class probabilities by Bayes' theorem from its exact likelihood."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from synthclin.encoding import TableEncoder
from synthclin.encoding.level_codec import LevelsCodec
from synthclin.errors import ConfigError, DataError
from synthclin.rules.propagation import constraints_of
from synthclin.sampling.masks import ConstraintMask
from synthclin.sampling.observed import Partial
from synthclin.schema.arguments import require_table

__all__ = ["class_probabilities"]

CHUNK = 4_096
"""Rows whose likelihoods are computed at a time, one for each class."""


def class_probabilities(
    likelihood: Callable[[Tensor], Tensor], encoder: TableEncoder, table: pd.DataFrame, target: str
) -> pd.DataFrame:
    """Return the probability of each level of `target` given the other cells of a row.

    Bayes' theorem over the codes of the target: the probability of a code is proportional to the likelihood of the
    whole row with it (generative classification: Ng & Jordan 2001). Levels that a rule forbids beside the other cells
    have 0.

    Arguments:
        likelihood: returns the (rows,) log-likelihood of (rows, columns) codes.
        encoder: of the model.
        table: typed or untyped; all modelled columns but the target, which is ignored.
        target: a modelled column of levels.

    Returns:
        (rows, levels) with the index of `table`; each row sums to 1.

    Raises:
        ConfigError: the target is no modelled column of levels.
        DataError: a column is absent, or a cell is not valid or missing where training rows have none.
    """
    require_table(table)
    codec = encoder.codecs.get(target)
    if not isinstance(codec, LevelsCodec):
        known = ", ".join(name for name, each in encoder.codecs.items() if isinstance(each, LevelsCodec)) or "none"
        what = "is no modelled column of levels"
        raise ConfigError(f"predict_proba: {target!r}", what, f"Choose one of these: {known}.")
    absent = [name for name in encoder.codecs if name != target and name not in table]
    if absent:
        what = f"lacks {len(absent)} modelled columns: {', '.join(absent[:10])}"
        raise DataError("predict_proba: the table", what, "Impute them with `model.impute(table)` first.")
    given = table.drop(columns=target, errors="ignore")
    partial = Partial.read(given, encoder, {target})
    place = encoder.layout.names.index(target)
    for j, name in enumerate(encoder.codecs):
        unknown = int(((partial.codes[:, j] < 0).numpy() & partial.cells[name].isna().to_numpy()).sum())
        if j != place and unknown:
            what = f"{unknown:,} cells are missing, which training rows never are"
            raise DataError(f"column {name!r}", what, f"Impute them first: model.impute(table, columns=[{name!r}]).")
    # A level that the model does not know has the code of its nearest kin.
    codes = encoder.encode(partial.cells).codes
    joint = _by_code(likelihood, encoder, codes, place).softmax(0).double().numpy()
    levels = list(codec.column.levels or codec.level_names)
    probability = codec.level_shares(levels) @ joint
    names = pd.Series(levels, dtype=object, name=target)
    return pd.DataFrame((probability / probability.sum(0)).T, index=table.index, columns=pd.Index(names))


def _by_code(likelihood: Callable[[Tensor], Tensor], encoder: TableEncoder, codes: Tensor, place: int) -> Tensor:
    """Return the (codes, rows) log-likelihood of each row with each code of one column; -inf for forbidden ones."""
    column = encoder.layout.columns[place]
    usable = ~column.never
    if column.missing is not None:
        usable[column.missing] = False
    allowed = torch.from_numpy(np.where(usable, 0.0, -np.inf)).float()[:, None]
    mask = ConstraintMask(encoder, constraints_of(encoder.schema))
    parts = []
    for part in codes.split(CHUNK):
        found = torch.full((column.cardinality, len(part)), -torch.inf)
        for code in np.flatnonzero(usable).tolist():
            changed = part.clone()
            changed[:, place] = code
            found[code] = likelihood(changed).float().cpu()
        others = {j: part[:, j] for j in range(part.shape[1]) if j != place}
        rules = mask(place, others)
        if rules is not None:
            ruled = found + rules
            # Where the other cells break a rule themselves, it decides nothing.
            found = torch.where((ruled > -torch.inf).any(0), ruled, found)
        parts.append(found + allowed)
    return torch.cat(parts, dim=1)

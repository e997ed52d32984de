"""Classification by a generative model: class probabilities by Bayes' theorem from its exact likelihood."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from synthclin.encoding import TableEncoder
from synthclin.encoding.level_codec import LevelsCodec
from synthclin.errors import ConfigError
from synthclin.rules.propagation import constraints_of
from synthclin.sampling.masks import ConstraintMask
from synthclin.sampling.observed import Partial
from synthclin.schema.arguments import require_table

__all__ = ["class_probabilities"]

CHUNK = 4_096
"""Rows whose likelihoods are computed at a time, one for each class."""

SAMPLES = 32
"""Sampled values of the unknown cells of a row, over which its likelihood is averaged."""


def class_probabilities(
    likelihood: Callable[[Tensor, int], Tensor], encoder: TableEncoder, table: pd.DataFrame, target: str
) -> pd.DataFrame:
    """Return the probability of each level of `target` given the other cells of a row.

    Bayes' theorem over the codes of the target: the probability of a code is proportional to the likelihood of the
    whole row with it (generative classification: Ng & Jordan 2001). Unknown cells are integrated out: the likelihood is
    the mean over values sampled given the cells before them (sequential importance sampling: Liu & Chen 1998,
    doi:10.1080/01621459.1998.10473765). Levels that a rule forbids beside the other cells have 0.

    Arguments:
        likelihood: returns the (rows,) log-likelihood of (rows, columns) codes; where a code is -1, its mean over a
            number of sampled values.
        encoder: of the model.
        table: typed or untyped; the target in it is ignored.
        target: a modelled column of levels.

    Returns:
        (rows, levels) with the index of `table`; each row sums to 1.

    Raises:
        ConfigError: the target is no modelled column of levels.
        DataError: the table has no modelled column besides the target, or a cell is not valid.
    """
    require_table(table)
    codec = encoder.codecs.get(target)
    if not isinstance(codec, LevelsCodec):
        known = ", ".join(name for name, each in encoder.codecs.items() if isinstance(each, LevelsCodec)) or "none"
        what = "is no modelled column of levels"
        raise ConfigError(f"predict_proba: {target!r}", what, f"Choose one of these: {known}.")
    partial = Partial.read(table.drop(columns=target, errors="ignore"), encoder, {target})
    place = encoder.layout.names.index(target)
    # A level that the model does not know has the code of its nearest kin.
    nearest = encoder.encode(partial.cells).codes
    present = partial.cells[list(encoder.codecs)].notna().to_numpy()
    given = torch.from_numpy(np.pad(present, ((0, 0), (0, len(encoder.ties)))))
    codes = torch.where((partial.codes < 0) & given, nearest, partial.codes)
    # Differences by rounding alone are no order of patients.
    joint = _by_code(likelihood, encoder, codes, place).softmax(0).numpy().round(9)
    levels = list(codec.column.levels or codec.level_names)
    probability = codec.level_shares(levels) @ joint
    names = pd.Series(levels, dtype=object, name=target)
    return pd.DataFrame((probability / probability.sum(0)).T, index=table.index, columns=pd.Index(names))


def _by_code(likelihood: Callable[[Tensor, int], Tensor], encoder: TableEncoder, codes: Tensor, place: int) -> Tensor:
    """Return the (codes, rows) log-likelihood of each row with each code of one column; -inf for forbidden ones."""
    column = encoder.layout.columns[place]
    usable = ~column.never
    if column.missing is not None:
        usable[column.missing] = False
    allowed = torch.from_numpy(np.where(usable, 0.0, -np.inf)).float()[:, None]
    mask = ConstraintMask(encoder, constraints_of(encoder.schema))
    parts = []
    for part in codes.split(CHUNK):
        found = torch.full((column.cardinality, len(part)), -torch.inf, dtype=torch.float64)
        others = [j for j in range(part.shape[1]) if j != place]
        for code in np.flatnonzero(usable).tolist():
            changed = part.clone()
            changed[:, place] = code
            found[code] = likelihood(changed, SAMPLES).double().cpu()
        rules = mask(place, {j: part[:, j] for j in others})
        if rules is not None:
            ruled = found + rules
            # Where the other cells break a rule themselves, it decides nothing.
            found = torch.where((ruled > -torch.inf).any(0), ruled, found)
        parts.append(found + allowed)
    return torch.cat(parts, dim=1)

"""Automatic choice of the model family that suits a table, by cross-validation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import AfterValidator, Field
from torch import Tensor

from synthclin.encoding import Encoded, Layout
from synthclin.errors import ConfigError
from synthclin.models.artifact import misfit
from synthclin.models.calibrated_rows import CalibratedRows
from synthclin.models.callbacks import TrainingEvent, TrainingMonitor
from synthclin.models.families import FAMILIES
from synthclin.models.families.gan import ConditionalGAN
from synthclin.models.families.independent import Independent
from synthclin.models.generator.training import Effort
from synthclin.models.parameters import check_parameters, parameter_fields
from synthclin.models.selection import Trial, best_of, folds_of, trial_of
from synthclin.models.sequential_synthesizer import SequentialSynthesizer
from synthclin.models.synthesizer import Synthesizer
from synthclin.progress import quiet, track
from synthclin.sampling.sequential import Imposed, RowState, SampledCodes
from synthclin.schema import Schema
from synthclin.schema.patients import MIN_PATIENTS

__all__ = ["AutoSynthesizer"]

_BY_NAME = {family.family: family for family in FAMILIES}
_CANDIDATES = tuple(name for name, family in _BY_NAME.items() if not family.keeps_rows)


def _candidate(name: str) -> str:
    """Return the name of a family that may be chosen; raises ValueError for another."""
    if name not in _CANDIDATES:
        raise ValueError(f"{name!r} cannot be chosen. Choose from {', '.join(_CANDIDATES)}.")
    return name


FORESTS = 0.4
"""Processor seconds of the forests of a fold for each target, and of its likelihood, about."""

Candidate = Annotated[str, AfterValidator(_candidate)]
"""Name of a family that may be chosen."""


class AutoSynthesizer(SequentialSynthesizer):
    """The model family that suits a table best, chosen by cross-validation, fitted to all rows.

    Candidates are the families whose estimated time fits the budget, the quickest first; the default family and the
    independent baseline are always among them. Each is fitted to the training part of three folds of patients (one from
    20,000 rows on) and judged on the other part by its likelihood, and by the utility of sampled rows for the targets
    (`synthclin.models.selection`). Where a family does not shrink its conditional distributions itself, they are shrunk
    towards the marginal ones, column by column, as the other part asks for. The default is taken unless another family
    is better beyond noise.

    Arguments:
        schema: what the table means.
        targets: columns that analyses predict; by default those with the role event or outcome. A study gives those of
            its tasks.
        candidates: names of families; by default all but the bootstrap.
        seconds: processor seconds that the selection may take, about, by an estimate from the table's size.
        effort: of the families that have one.
        random_state: seed of everything random in fitting.
        device: ``cpu``, ``cuda`` or ``auto``, of the families that have one.
        rare_category: a level held by fewer patients never enters the model.
        trim_extremes: how many of the most extreme values are described only together.

    Attributes after `fit`:
        chosen_: the fitted model of the family that was chosen.
        training_: its facts, and `selection`: the figures of each candidate, and by how much the best exceeds the
            default.

    Example:
        >>> import synthclin as sc
        >>> table, schema = sc.datasets.load("heart_disease")
        >>> model = sc.AutoSynthesizer(schema, candidates=["independent", "mixture"], random_state=1)
        >>> model.fit(table.head(200)).chosen_.family
        'mixture'
    """

    family: ClassVar[str] = "auto"

    def __init__(
        self,
        schema: Schema,
        *,
        targets: Annotated[tuple[str, ...], Field(strict=False)] | None = None,
        candidates: Annotated[tuple[Candidate, ...], Field(strict=False, min_length=1)] | None = None,
        seconds: Annotated[float, Field(gt=0)] = 1_800.0,
        effort: Effort = "standard",
        random_state: Annotated[int, Field(ge=0)] = 0,
        device: Literal["auto", "cpu", "cuda"] = "auto",
        rare_category: Annotated[int, Field(ge=0)] = MIN_PATIENTS,
        trim_extremes: Annotated[int, Field(ge=0)] = MIN_PATIENTS,
    ) -> None:
        super().__init__(schema, random_state=random_state, rare_category=rare_category, trim_extremes=trim_extremes)
        self.targets = targets
        self.candidates = candidates
        self.seconds = seconds
        self.effort = effort
        self.device = device

    def shadow(self, random_state: int) -> Synthesizer:
        """Return a shadow model of the family that was chosen: the choice itself is not repeated."""
        return self.chosen_.shadow(random_state) if self.longitudinal_ is None else super().shadow(random_state)

    def _fit(
        self, encoded: Encoded, layout: Layout, monitor: TrainingMonitor, patient: NDArray[np.int64]
    ) -> dict[str, Any]:
        shares = self._marginal_shares(encoded.codes, layout)
        folds = folds_of(patient, self.random_state)
        targets = [name for name in self._targets() if name in layout.names]
        names, left_out = self._within_budget(folds, len(layout), len(targets))
        saved = dict(monitor.saved or {})
        trials = {name: Trial(**each) for name, each in saved.get("trials", {}).items()}
        stopped = False
        with track("selecting a family", total=len(names), unit="families", done=len(trials)) as step:
            for name in names:
                if name not in trials and not stopped:
                    with quiet():
                        trials[name] = trial_of(
                            name,
                            self._fitted_on(name, encoded, layout, patient),
                            encoded.codes,
                            shares,
                            layout,
                            folds,
                            targets,
                            self.random_state,
                        )
                    monitor.keep(lambda: {"trials": {key: trial.to_dict() for key, trial in trials.items()}})
                    nll = round(float(np.mean(trials[name].nll)), 5)
                    step(1, note=f"{name}, out-of-fold NLL {nll:.3f} nats per row")
                    event = TrainingEvent("selection", len(trials), len(names), {"validation_nll": nll})
                    stopped = monitor.stops(event)
        default = ConditionalGAN.family if ConditionalGAN.family in trials else Independent.family
        found = best_of(trials, default, Independent.family)
        self.chosen_ = self._made(found.chosen)
        inner = _Inner(monitor, trials, saved.get("chosen"))
        facts = self.chosen_._fit(encoded, layout, inner, patient)  # noqa: SLF001
        self.shares_ = shares
        self.strengths_ = torch.tensor(trials[found.chosen].strengths)
        selection = {
            "chosen": found.chosen,
            "best": found.best,
            "default": found.default,
            "gain": found.gain,
            "noise": found.noise,
            "left_out": left_out,
            "trials": [_facts(trial, found.scores[name]) for name, trial in trials.items()],
        }
        return facts | {"selection": selection}

    def _within_budget(
        self, folds: Sequence[NDArray[np.bool_]], columns: int, targets: int
    ) -> tuple[list[str], list[str]]:
        """Return the names of the candidates, the quickest first, and of those that the budget excludes."""
        rows = [int((~outside).sum()) for outside in folds]
        seconds = {
            name: sum(FORESTS * (1 + targets) + family.estimated_seconds(each, columns) for each in rows)
            for name, family in _BY_NAME.items()
        }
        wanted = self.candidates or _CANDIDATES
        always = {Independent.family, ConditionalGAN.family if self.candidates is None else Independent.family}
        spent, taken, excluded = 0.0, [], []
        for name in sorted({*wanted, Independent.family}, key=lambda each: (seconds[each], each)):
            if name not in always and spent + seconds[name] > self.seconds:
                excluded.append(name)
                continue
            taken.append(name)
            spent += seconds[name]
        return taken, excluded

    def _targets(self) -> tuple[str, ...]:
        if self.targets is not None:
            unknown = [name for name in self.targets if name not in self.schema.columns]
            if unknown:
                what = f"there is no column {unknown[0]!r}"
                raise ConfigError("model.targets", what, "Name columns of the schema.")
            return self.targets
        columns = self.schema.columns.items()
        return tuple(name for name, column in columns if column.role in {"event", "outcome"})

    def _made(self, name: str) -> SequentialSynthesizer:
        """Return an unfitted model of a family on this model's encoder."""
        family = _BY_NAME[name]
        taken, own = parameter_fields(family), self.get_params(deep=False)
        shared = {key: own[key] for key in taken.keys() & own.keys() - {"schema"}}
        model = family(self.schema, **shared)
        model.encoder_, model.calls_, model.given_, model.in_order_ = self.encoder_, 0, self.given_, self.in_order_
        return model

    def _fitted_on(
        self, name: str, encoded: Encoded, layout: Layout, patient: NDArray[np.int64]
    ) -> Callable[[NDArray[np.bool_]], SequentialSynthesizer]:
        def fitted(inside: NDArray[np.bool_]) -> SequentialSynthesizer:
            model = self._made(name)
            who = np.unique(patient[inside], return_inverse=True)[1].astype(np.int64)
            model._fit(encoded[torch.from_numpy(inside)], layout, TrainingMonitor(), who)  # noqa: SLF001
            return model

        return fitted

    @property
    def _is_calibrated(self) -> bool:
        return bool((self.strengths_ < 1).any())

    def _row_state(self, generator: torch.Generator) -> RowState:
        state = self.chosen_._row_state(generator)  # noqa: SLF001
        return CalibratedRows(state, self.shares_, self.strengths_) if self._is_calibrated else state

    def _sample_part(self, state: RowState, rows: int, generator: torch.Generator, imposed: Imposed) -> SampledCodes:
        if self._is_calibrated:
            return super()._sample_part(state, rows, generator, imposed)
        return self.chosen_._sample_part(state, rows, generator, imposed)  # noqa: SLF001

    def _codes_log_likelihood(self, codes: Tensor, samples: int = 1) -> Tensor:
        if self._is_calibrated:
            return super()._codes_log_likelihood(codes, samples)
        return self.chosen_._codes_log_likelihood(codes, samples)  # noqa: SLF001

    @property
    def _rows_at_once(self) -> int:
        return self.chosen_._rows_at_once  # noqa: SLF001

    def _device(self) -> torch.device:
        return self.chosen_._device()  # noqa: SLF001

    def _state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        tensors, facts = self.chosen_._state()  # noqa: SLF001
        tensors = {f"chosen.{name}": tensor for name, tensor in tensors.items()}
        tensors |= {f"share.{j}": share for j, share in enumerate(self.shares_)}
        return tensors | {"strengths": self.strengths_}, {"family": self.chosen_.family, "chosen": facts}

    def _restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], layout: Layout) -> None:
        name, inner = facts.get("family"), facts.get("chosen")
        if not isinstance(name, str) or name not in _CANDIDATES or not isinstance(inner, dict) or len(facts) != 2:
            raise misfit()
        own = {key: value for key, value in tensors.items() if not key.startswith("chosen.")}
        shapes = {f"share.{j}": (size,) for j, size in enumerate(layout.cardinalities)} | {"strengths": (len(layout),)}
        if {key: tuple(value.shape) for key, value in own.items()} != shapes:
            raise misfit()
        self.shares_, self.strengths_ = [own[f"share.{j}"] for j in range(len(layout))], own["strengths"]
        if not all(bool((share > 0).all()) for share in self.shares_):
            raise misfit()
        if not bool(((self.strengths_ >= 0) & (self.strengths_ <= 1)).all()):
            raise misfit()
        self.chosen_ = self._made(name)
        check_parameters(type(self.chosen_), self.chosen_.get_params(deep=False), "model.json: parameters")
        part = {key.removeprefix("chosen."): value for key, value in tensors.items() if key.startswith("chosen.")}
        self.chosen_._restore(part, inner, layout)  # noqa: SLF001


class _Inner(TrainingMonitor):
    """Monitor of the fit of the chosen family, whose state is saved beside the trials."""

    def __init__(self, whole: TrainingMonitor, trials: Mapping[str, Trial], saved: Any) -> None:  # noqa: ANN401
        super().__init__(saved=saved)
        self._whole, self._trials = whole, trials

    def stops(self, event: TrainingEvent) -> bool:
        """Pass an event to the callback and return whether the training shall stop."""
        return self._whole.stops(event)

    def keep(self, state: Callable[[], object], *, last: bool = False) -> None:
        """Save the trials and `state()` if a checkpoint is due."""
        trials = {name: trial.to_dict() for name, trial in self._trials.items()}
        self._whole.keep(lambda: {"trials": trials, "chosen": state()}, last=last)


def _facts(trial: Trial, score: float) -> dict[str, Any]:
    """Return the figures of one candidate, means over folds, as plain data."""
    utility, real = (
        {name: round(float(np.mean(values)), 4) for name, values in each.items() if np.isfinite(values).all()}
        for each in (trial.utility, trial.real)
    )
    return {
        "family": trial.family,
        "nll": round(float(np.mean(trial.nll)), 4),
        "utility": utility,
        "real": real,
        "score": score,
    }

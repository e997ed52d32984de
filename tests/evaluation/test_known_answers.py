"""Known answers of each score: ideal rows, a copy, and tables with one damage at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import NamedTuple

import numpy as np
import pytest

from synthclin.evaluation import validity
from synthclin.evaluation.analyses import analysis_fits, proportional_hazards, replication, survival_fidelity
from synthclin.evaluation.catalogue import names_of
from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.fidelity import (
    associations,
    balance,
    detection,
    heaping,
    marginals,
    missing_dependence,
    missingness,
    pairs,
    precision_recall,
    propensity,
    rare_levels,
    sdmetrics,
    tails,
    triples,
    unseen_pairs,
    wasserstein,
)
from synthclin.evaluation.learners import classifiers
from synthclin.evaluation.score import Score, Z
from synthclin.evaluation.score_names import hazard_names, outcome_name, representation_name, survival_names, within
from synthclin.evaluation.subgroups import representation
from synthclin.evaluation.subgroups.headlines import Groups, Headline, headlines
from synthclin.evaluation.tasks import CompareTask, CoxTask, LinearTask, LogisticTask, PredictTask, SurvivalTask
from synthclin.evaluation.utility import prediction_problem, predictions
from tests.evaluation.clinic import TRIAL, trial
from tests.evaluation.completeness import is_whole
from tests.evaluation.damages import DAMAGES

TRAIN, HOLDOUT, IDEAL = trial(800, 1), trial(400, 2), trial(800, 3)
MADE = {"ideal": lambda _: IDEAL, "copy": lambda _: TRAIN, **DAMAGES}

DIED = PredictTask(target="died")
LINEAR = LinearTask(target="weight", covariates=("age", "sex"))
LOGISTIC = LogisticTask(target="died", covariates=("age",))
COMPARE = CompareTask(target="bmi", by="sex")
COX = CoxTask(event="end", covariates=("age", "arm"))
SURVIVAL = SurvivalTask(event="end", by="arm", horizon=18)


def _cox(c: Comparison) -> Iterable[Score]:
    found = analysis_fits.study(c, COX)
    return [
        replication.replicate(c, COX, found),
        *proportional_hazards.hazards(c, COX, found),
        *proportional_hazards.predictive_accuracy(c, COX, found),
    ]


def _in_groups(c: Comparison, headline: Headline) -> Score:
    return Groups.of(c, "sex").again(headline)


@dataclass(frozen=True, eq=False)
class Judge:
    """What gives some scores, of all rows and columns or, where it takes its time, of fewer."""

    names: tuple[str, ...]
    compute: Callable[[Comparison], Score | Iterable[Score]]
    columns: tuple[str, ...] = tuple(TRIAL.columns)
    rows: int = 800


def _one(name: str, compute: Callable[[Comparison], Score], **some: object) -> Judge:
    return Judge((name,), compute, **some)


_FEW = ("age", "sex", "bmi", "weight", "nyha", "died")
_REPLICATED = [
    _one(task.name, partial(replication.replicate, task=task)) for task in (LINEAR, LOGISTIC, COMPARE, SURVIVAL)
]
_HEADLINES = (*headlines(), *headlines(LOGISTIC), *headlines(SURVIVAL))
_GROUPED = [
    _one(
        within("sex", headline.kind.name),
        partial(_in_groups, headline=headline),
        **({"columns": _FEW, "rows": 450} if headline.kind is detection.DETECTION else {}),
    )
    for headline in _HEADLINES
]
JUDGES = (
    _one("validity.rules", validity.rules),
    _one("fidelity.marginals", marginals.marginals),
    _one("fidelity.wasserstein", wasserstein.wasserstein),
    _one("fidelity.tails", tails.tails),
    _one("fidelity.heaping", heaping.heaping),
    _one("fidelity.rare_levels", rare_levels.rare_levels),
    _one("fidelity.pairs", pairs.pairs),
    _one("fidelity.triples", triples.triples),
    _one("fidelity.associations", associations.association_changes),
    _one("fidelity.unseen_pairs", unseen_pairs.unseen_pairs),
    _one("fidelity.missingness", missingness.missingness),
    _one("fidelity.missing_dependence", missing_dependence.missing_dependence),
    _one("fidelity.propensity", propensity.propensity),
    _one("fidelity.precision", precision_recall.precision),
    _one("fidelity.recall", precision_recall.recall),
    _one("fidelity.detection", detection.detection, rows=300),
    _one("fidelity.logistic_detection", detection.logistic_detection),
    _one("fidelity.balance", balance.balance),
    _one("sdmetrics.quality", sdmetrics.quality, columns=_FEW, rows=400),
    _one("sdmetrics.diagnostic", sdmetrics.diagnostic, columns=_FEW, rows=400),
    Judge((*DIED.names, outcome_name("sex", "utility", "died")), partial(predictions.predict, task=DIED, by=["sex"])),
    *_REPLICATED,
    Judge(survival_names("end"), partial(survival_fidelity.followed, task=SURVIVAL)),
    Judge((COX.name, *hazard_names("end")), _cox, ("age", "site", "arm", "months", "end"), rows=320),
    *_GROUPED,
    _one(representation_name("sex"), partial(representation.representation, by="sex")),
    _one(outcome_name("sex", "prevalence", "died"), partial(representation.prevalence, by="sex", task=DIED)),
)
JUDGE_OF = {name: judge for judge in JUDGES for name in judge.names}


class Answer(NamedTuple):
    """Of a damage: the scores that see it, and some that look elsewhere."""

    sees: str
    blind: str


ANSWERS = {
    "every column shuffled": Answer(
        sees=(
            "fidelity.pairs fidelity.triples fidelity.associations fidelity.unseen_pairs fidelity.missingness "
            "fidelity.missing_dependence fidelity.precision fidelity.recall fidelity.detection sdmetrics.quality "
            "utility.died calibration.died subgroups.sex.utility.died inference.linear.weight "
            "inference.logistic.died inference.compare.bmi inference.survival.end survival.curve.end "
            "survival.rmst.end"
        ),
        blind=(
            "validity.rules fidelity.marginals fidelity.wasserstein fidelity.tails fidelity.heaping "
            "fidelity.rare_levels fidelity.logistic_detection fidelity.balance sdmetrics.diagnostic "
            "survival.premature_end.end subgroups.sex.representation"
        ),
    ),
    "a tie lost": Answer(
        sees="fidelity.associations",
        blind=(
            "fidelity.marginals fidelity.wasserstein fidelity.tails fidelity.heaping fidelity.missingness "
            "fidelity.missing_dependence fidelity.unseen_pairs fidelity.precision inference.logistic.died "
            "inference.compare.bmi subgroups.sex.prevalence.died"
        ),
    ),
    "a tie invented": Answer(
        sees="fidelity.associations fidelity.pairs fidelity.triples",
        blind=(
            "fidelity.marginals fidelity.wasserstein fidelity.tails fidelity.missingness "
            "fidelity.missing_dependence fidelity.unseen_pairs fidelity.precision"
        ),
    ),
    "a number shifted": Answer(
        sees=(
            "fidelity.marginals fidelity.wasserstein fidelity.tails fidelity.pairs fidelity.triples "
            "fidelity.propensity fidelity.recall fidelity.detection fidelity.logistic_detection"
        ),
        blind=(
            "fidelity.associations fidelity.heaping fidelity.missingness fidelity.missing_dependence "
            "fidelity.rare_levels fidelity.unseen_pairs utility.died calibration.died subgroups.sex.utility.died"
        ),
    ),
    "a range left": Answer(
        sees="validity.rules sdmetrics.diagnostic",
        blind="fidelity.missingness",
    ),
    "tails cut": Answer(
        sees="fidelity.tails",
        blind="fidelity.missingness fidelity.wasserstein fidelity.rare_levels",
    ),
    "heaped on tens": Answer(
        sees="fidelity.heaping",
        blind="fidelity.tails fidelity.missingness",
    ),
    "a rare level dropped": Answer(
        sees="fidelity.rare_levels",
        blind="fidelity.wasserstein fidelity.tails fidelity.missingness fidelity.unseen_pairs",
    ),
    "levels met that never meet": Answer(
        sees="fidelity.unseen_pairs",
        blind="fidelity.wasserstein fidelity.tails fidelity.missing_dependence",
    ),
    "missing at random": Answer(
        sees="fidelity.missingness fidelity.propensity",
        blind="fidelity.wasserstein fidelity.tails fidelity.heaping fidelity.associations",
    ),
    "missing of others": Answer(
        sees="fidelity.missing_dependence",
        blind="fidelity.missingness fidelity.marginals fidelity.recall",
    ),
    "a rule broken": Answer(
        sees="validity.rules",
        blind="fidelity.missingness fidelity.rare_levels",
    ),
    "outcome turned": Answer(
        sees="utility.died calibration.died subgroups.sex.utility.died inference.logistic.died fidelity.pairs",
        blind=(
            "fidelity.marginals fidelity.associations fidelity.propensity inference.linear.weight survival.curve.end"
        ),
    ),
    "outcome too frequent": Answer(
        sees="calibration.died inference.logistic.died subgroups.sex.prevalence.died fidelity.marginals",
        blind="utility.died fidelity.missingness inference.compare.bmi subgroups.sex.representation",
    ),
    "sexes swapped": Answer(
        sees="inference.linear.weight inference.compare.bmi fidelity.missing_dependence",
        blind="fidelity.associations inference.logistic.died inference.survival.end fidelity.wasserstein",
    ),
    "arms swapped": Answer(
        sees=(
            "inference.cox.end survival.hazards.end survival.concordance.end survival.brier.end "
            "inference.survival.end survival.curve.end survival.rmst.end"
        ),
        blind=(
            "survival.optimism.end survival.censoring.end survival.premature_end.end survival.incidence.end "
            "fidelity.marginals"
        ),
    ),
    "the old on the drug": Answer(
        sees="fidelity.balance",
        blind="fidelity.wasserstein inference.logistic.died validity.rules",
    ),
    "hazards crossing": Answer(
        sees="survival.proportional.end",
        blind="inference.logistic.died fidelity.missingness",
    ),
    "twice as slow": Answer(
        sees=(
            "survival.optimism.end survival.curve.end survival.rmst.end survival.censoring.end inference.survival.end"
        ),
        blind="fidelity.missing_dependence fidelity.rare_levels",
    ),
    "censored early": Answer(
        sees="survival.censoring.end survival.premature_end.end",
        blind=(
            "survival.curve.end survival.optimism.end survival.rmst.end survival.incidence.end "
            "inference.survival.end inference.cox.end survival.hazards.end survival.proportional.end "
            "survival.concordance.end survival.brier.end"
        ),
    ),
    "causes swapped": Answer(
        sees="survival.incidence.end",
        blind=(
            "survival.curve.end survival.optimism.end survival.rmst.end survival.censoring.end "
            "survival.premature_end.end inference.survival.end"
        ),
    ),
    "women damaged": Answer(
        sees=(
            "subgroups.sex.rules subgroups.sex.marginals subgroups.sex.pairs subgroups.sex.associations "
            "subgroups.sex.missingness subgroups.sex.propensity subgroups.sex.detection subgroups.sex.logistic.died "
            "subgroups.sex.survival.end subgroups.sex.curve.end subgroups.sex.rmst.end "
            "subgroups.sex.utility.died inference.compare.bmi"
        ),
        blind="subgroups.sex.representation fidelity.rare_levels fidelity.unseen_pairs fidelity.balance",
    ),
    "women left out": Answer(
        sees="subgroups.sex.representation",
        blind=("subgroups.sex.prevalence.died fidelity.associations"),
    ),
}
MOVED = [(made, name) for made, answer in ANSWERS.items() for name in answer.sees.split()]
STILL = [(made, name) for made, answer in ANSWERS.items() for name in answer.blind.split()]


@pytest.fixture(scope="module", autouse=True)
def _one_learner() -> Iterator[None]:
    """Use one learner and one C2ST repeat: more of them only reduce the variance, and take time."""

    def one(features, x):
        return {"trees": classifiers(features, x, trees=20)["boosted trees"]}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prediction_problem, "classifiers", one)
        patch.setattr(detection, "_REPEATS", 1)
        yield


@cache
def compared(made: str, columns: tuple[str, ...], rows: int) -> Comparison:
    chosen = {name: TRIAL.columns[name] for name in columns}
    schema = TRIAL.model_validate({"columns": chosen, "constraints": TRIAL.constraints})
    synthetic, train = (table[list(columns)][:rows] for table in (MADE[made](IDEAL), TRAIN))
    holdout = HOLDOUT[list(columns)][: rows // 2]
    return Comparison.of(synthetic, train=train, holdout=holdout, schema=schema, random_state=1)


@cache
def judged(made: str, judge: Judge) -> dict[str, Score]:
    found = judge.compute(compared(made, judge.columns, judge.rows))
    scores = {score.name: score for score in ([found] if isinstance(found, Score) else found)}
    assert tuple(scores) == judge.names
    return scores


def score(made: str, name: str) -> Score:
    return judged(made, JUDGE_OF[name])[name]


def test_every_score_detects_one_damage_and_ignores_another():
    names = {name for name in (*names_of(), *names_of("trial")) if not name.startswith("privacy.")}
    assert names <= set(JUDGE_OF)
    assert set(ANSWERS) == set(DAMAGES)
    elsewhere = {"importance.died"}  # ranks of nine columns say little: see test_utility
    assert {name for _, name in MOVED} == set(JUDGE_OF) - elsewhere
    # What looks at whole rows is blind to no damage, and what looks at groups is as blind as what it repeats.
    elsewhere |= {"fidelity.pairs", "fidelity.triples", "fidelity.detection", "sdmetrics.quality"}
    assert {name for _, name in STILL} == set(JUDGE_OF) - elsewhere - {
        within("sex", headline.kind.name) for headline in _HEADLINES
    }


def test_no_score_sees_decimals_beyond_the_schema():
    noisy = Comparison.of(IDEAL.assign(weight=IDEAL["weight"] + 0.001), train=TRAIN, holdout=HOLDOUT, schema=TRIAL)
    assert np.array_equal(
        noisy.synthetic, Comparison.of(IDEAL, train=TRAIN, holdout=HOLDOUT, schema=TRIAL).synthetic, equal_nan=True
    )


def _behind_by_chance(ideal: Score) -> float:
    """Return the distance to the reference in half widths of the 95 % interval of the difference."""
    own = (ideal.low if ideal.reference < ideal.value else ideal.high) - ideal.value
    gap, beside = abs(ideal.reference - ideal.value), Z * (ideal.reference_error or abs(own) / Z)
    return gap / np.hypot(own, beside) if gap else 0.0


@pytest.mark.parametrize("name", JUDGE_OF)
def test_ideal_rows_reach_the_reference(name):
    ideal = score("ideal", name)
    assert is_whole(ideal)
    assert _behind_by_chance(ideal) < 1.5


def test_ideal_rows_differ_from_the_reference_by_sampling_error():
    assert sum(_behind_by_chance(score("ideal", name)) > 1 for name in JUDGE_OF) <= 0.05 * len(JUDGE_OF)
    assert sum(score("ideal", name).beyond_reference for name in JUDGE_OF) <= 0.05 * len(JUDGE_OF)


@pytest.mark.parametrize(("made", "name"), MOVED)
def test_a_score_detects_its_damage_beyond_the_interval(made, name):
    ideal, damaged = score("ideal", name), score(made, name)
    if ideal.better == "lower":
        assert damaged.low > ideal.high
    else:
        assert damaged.high < ideal.low


@pytest.mark.parametrize(("made", "name"), STILL)
def test_a_score_ignores_damage_elsewhere(made, name):
    damaged = score(made, name)
    assert damaged.low <= score("ideal", name).value <= damaged.high


@pytest.mark.parametrize("name", ["marginals", "pairs", "triples", "associations", "propensity", "recall"])
def test_a_copy_is_closer_to_the_training_rows_than_ideal_rows(name):
    copy = score("copy", f"fidelity.{name}")
    assert copy.beyond_reference
    assert "no merit" in copy.note


def test_a_copy_is_taken_for_the_training_rows_themselves():
    copy, ideal = (score(made, "fidelity.detection").details["auc_against_train"] for made in ("copy", "ideal"))
    assert copy < 0.3 < ideal

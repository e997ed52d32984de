"""Model release: a model folder for sharing, gated by a membership inference attack, with a model card."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING

from synthclin.errors import ConfigError, GateError, ModelFormatError
from synthclin.evaluation.gates import MODEL_GATE, judge
from synthclin.evaluation.privacy.model_membership import MODEL_MEMBERSHIP
from synthclin.evaluation.score import Interval
from synthclin.io.files import inside, path_of, sha256, staged_folder, write_atomic
from synthclin.io.version import VERSION
from synthclin.models import load
from synthclin.models.artifact import write
from synthclin.study import manifest
from synthclin.wording import interval, number, plain, share

if TYPE_CHECKING:
    from synthclin.dp.record import PrivacyRecord
    from synthclin.evaluation.gates import Verdict
    from synthclin.models import Synthesizer

__all__ = ["CARD", "ENOUGH", "Shared", "export"]

CARD = "MODEL_CARD.md"
ENOUGH = 3.0
"""The largest epsilon whose guarantee alone lets a model be shared: no attacker guesses right more often than 95 %."""

_MODEL = "model"
_LONGEST_REASON = 2_000
_UNKNOWN = "not assessable"


@dataclass(frozen=True, slots=True)
class Shared:
    """Released model folder, the verdict of its gate, and whether the verdict was overridden."""

    folder: Path
    verdict: Verdict
    overridden: bool


def export(source: str | Path, output: str | Path, *, reason: str | None = None, overwrite: bool = False) -> Shared:
    """Write a copy of a run's model folder for sharing, with a model card (Mitchell et al. 2019, arXiv 1810.03993).

    The copy holds only what sampling needs. The seed is removed, because an attacker who knows all patients but one
    could repeat the training to infer that one, and so are facts about the training.

    A model with differential privacy and an epsilon of at most `ENOUGH` is shared by its guarantee. The attack does not
    decide then, and the card has no figure of real rows: both would disclose what the guarantee protects.

    Arguments:
        source: a run folder, or the model folder inside one; the run holds the result of the attack.
        output: the folder to write.
        reason: why the model is shared although the attack exceeds its limit; it is written into the card.
        overwrite: whether a model folder at `output` may be replaced.

    Raises:
        ConfigError: the model is not in a run folder, so it was never attacked, or the reason is empty.
        ModelFormatError: the model is not the one that was attacked, or cannot be read.
        GateError: the attack exceeds its limit or is not assessable, and there is no `reason`.
        OutputError: the folder cannot be written.

    Example:
        >>> export("runs/heart-7", "heart_to_share").verdict.status  # doctest: +SKIP
        'PASS'
        >>> export(".", "nowhere")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        synthclin.errors.ConfigError: .: this model is not in a run folder, so its privacy risk is unknown. ...
    """
    run = _run_of(path_of(source))
    if reason is not None and not 1 <= len(reason.strip()) <= _LONGEST_REASON:
        raise ConfigError("--override", "the reason is empty or too long", "Say in a sentence why it may be shared.")
    record = manifest.read(run)
    _refuse_another_model(run, record)
    attack = next((attack for attack in record.attacks if attack.name == MODEL_GATE.score), None)
    if attack is None:
        remedy = "Run the study again with this version, which attacks every model that it trains."
        raise ConfigError(str(run), "the model of this run was never attacked", remedy)
    verdict, model = _judged(attack), load(run / _MODEL)
    guaranteed = model.privacy_ is not None and model.privacy_.guarantee.epsilon <= ENOUGH
    if verdict.status != "PASS" and reason is None and not guaranteed:
        what = f"the attack on the model is {verdict.status}: {_found(attack)}, limit {MODEL_GATE.limit:.2f}"
        remedy = "Share the synthetic table instead, or add --override with the reason why the model may be shared."
        raise GateError(MODEL_GATE.score, what, remedy)
    model.random_state, model.training_ = 0, {}
    overridden = verdict.status != "PASS" and not guaranteed
    with staged_folder(output, overwrite=overwrite) as folder:
        write(model.parts(), folder)
        attacks = "" if guaranteed else _attacks(record, verdict, reason if overridden else None)
        write_atomic(folder / CARD, _card(model, record, attacks))
    return Shared(path_of(output), verdict, overridden)


def _run_of(source: Path) -> Path:
    """Return the run folder of `source`, which is a run folder or the model folder inside one."""
    if (source / manifest.FILE).is_file():
        return source
    around = source.resolve().parent
    if (source / "model.json").is_file() and source.name == _MODEL and (around / manifest.FILE).is_file():
        return around
    remedy = "Give the folder that `synthclin run` wrote: a run attacks its model with holdout rows."
    raise ConfigError(str(source), "this model is not in a run folder, so its privacy risk is unknown", remedy)


def _refuse_another_model(run: Path, record: manifest.Manifest) -> None:
    """Refuse a model folder that is not, byte for byte, the one that the run attacked."""
    files = {name: digest for name, digest in record.files.items() if name.startswith(f"{_MODEL}/")}
    for name, digest in files.items():
        path = inside(run, name, error=ModelFormatError)
        if not path.is_file() or sha256(path) != digest:
            what = f"{name} is not the file that was attacked"
            raise ModelFormatError(str(run), what, "Share the model as its run wrote it.")
    if not files:
        raise ModelFormatError(str(run), "the run lists no model", "Run the study again.")


def _judged(attack: manifest.ModelAttack) -> Verdict:
    ends = (nan if end is None else end for end in (attack.value, attack.low, attack.high))
    value, low, high = ends
    details = MODEL_MEMBERSHIP.details.of({"null": MODEL_GATE.null})
    score = MODEL_MEMBERSHIP.score(value, Interval(low, high), n=attack.n, notes=[attack.note], details=details)
    return judge([MODEL_GATE], [score])[0]


def _found(attack: manifest.ModelAttack) -> str:
    if attack.value is None:
        return _UNKNOWN
    return f"AUC {number(attack.value)} ({interval(attack.low, attack.high)})"


def _attacks(record: manifest.Manifest, verdict: Verdict, reason: str | None) -> str:
    """Return the part of the card on the attacks and their verdict."""
    rows = [
        ["Attack", "AUC (95 % interval)", "TPR at 1 % FPR", "TPR at 10 % FPR", "AUC of top-decile outliers"],
        ["---"] * 5,
        *(
            [
                f"`{attack.name}`",
                _found(attack),
                _rate(attack.tpr_at_1_percent),
                _rate(attack.tpr_at_10_percent),
                _UNKNOWN if attack.top_decile_outliers is None else number(attack.top_decile_outliers),
            ]
            for attack in record.attacks
        ),
    ]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    override = (
        ""
        if reason is None
        else "\nThe model is shared all the same. The reason given:\n\n" + f"    {plain(reason, _LONGEST_REASON)}\n"
    )
    return f"""## Membership inference attacks

{table}

An AUC of 0.5 is chance. Limit for sharing: AUC at most {MODEL_GATE.limit:.2f} at the upper end of its interval
({MODEL_GATE.source}). Verdict: **{verdict.status}**. {verdict.reason}
{override}"""


def _guarantee(record: PrivacyRecord, *, attacks: bool, named: bool) -> str:
    """Return the part of the card on differential privacy.

    `attacks` says whether the card has figures of attacks, `named` whether a column says whose a row is.
    """
    guarantee = record.guarantee
    card = "it does not cover the figures of attacks below" if attacks else "it covers this card too"
    unit = (
        f"all rows of one patient, of which at most {guarantee.at_most} are used"
        if named
        else "one row, because no column of the schema says whose a row is"
    )
    return f"""## Differential privacy

Epsilon {guarantee.epsilon:g}, delta {guarantee.delta:g}. Unit: {unit}; tables that
differ in one such unit are neighbours. Budget: rho {record.ledger.rho:.5g} of zero-concentrated
differential privacy, {len(record.ledger.entries)} measurements and selections ({record.mechanism.upper()}), listed with
the noisy tables in `privacy.json`. The guarantee covers whatever is sampled from the model;
{card}. Declared ranges, levels and rules count as public.
"""


def _card(model: Synthesizer, record: manifest.Manifest, attacks: str) -> str:
    private = model.privacy_
    # The exact number of rows is a figure of real rows.
    data = (
        f"{record.rows.get('train', 0):,} training rows, {record.rows.get('holdout', 0):,} holdout rows"
        if private is None
        else f"about {private.patients:,} patients"
    )
    protected = (
        f"levels of fewer than {model.rare_category} patients are merged, {model.trim_extremes} extremes too"
        if private is None
        else "by differential privacy"
    )
    guarantee = (
        "" if private is None else _guarantee(private, attacks=bool(attacks), named=model.schema.entity is not None)
    )
    parts = "\n".join(part for part in (guarantee, attacks) if part)
    evidence = (
        "The attacks above are those that were run. Stronger attacks exist; the verdict is no evidence against them."
        if attacks
        else "The guarantee holds for this model and its tables. Another model of the same patients adds its epsilon."
    )
    return f"""# Model card: {record.name}

A generator of synthetic patients, exported by synthclin {VERSION}.

**This model derives from personal data. Treat it as personal data** unless an authorised person has decided otherwise
for its recipients. Synthetic output alone does not justify such a decision.

| | |
| --- | --- |
| Family | `{model.family}` |
| Data | {data} |
| Protected | {protected} |
| Differential privacy | {"none" if private is None else f"epsilon {private.guarantee.epsilon:g}"} |

{parts}
## Limits

- {evidence}
- A model discloses more about its training patients than a table sampled from it. Where a table is enough, share it.
- Every further release about the same patients adds to the disclosure risk.
- `schema.yaml` and `encoder.json` hold column names, declared categories and ranges.
- Removed from this copy: the seed, the training history, and every score of real rows. Rows, row numbers, critic and
  optimiser were never in it.
- Intended use: sampling and imputing rows for research, teaching and software tests. Not for decisions about patients.

`synthclin sample FOLDER -n ROWS -o TABLE` samples from it. Reading it executes no code.
"""


def _rate(rate: float | None) -> str:
    return _UNKNOWN if rate is None else share(rate, 1)

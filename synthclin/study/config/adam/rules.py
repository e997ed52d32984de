"""Rules of the Analysis Data Model (ADaM) for names, labels, texts and controlled terms.

Source: CDISC ADaM Implementation Guide 1.3, ADaM Basic Data Structure for Time-to-Event Analyses 1.0, and SDTM
Controlled Terminology 2024-09-27.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from synthclin.errors import ConfigError
from synthclin.study.config.adam.blocks import NAME

__all__ = ["LABELS", "check_label", "check_name", "check_texts"]

_MOST_LABEL, _MOST_TEXT = 40, 200  # bytes in a transport file of version 5
_MOST_CODE = 20  # characters of ARMCD

LABELS = {
    "STUDYID": "Study Identifier",
    "USUBJID": "Unique Subject Identifier",
    "SUBJID": "Subject Identifier for the Study",
    "SITEID": "Study Site Identifier",
    "AGE": "Age",
    "AGEU": "Age Units",
    "SEX": "Sex",
    "RACE": "Race",
    "ETHNIC": "Ethnicity",
    "COUNTRY": "Country",
    "ARM": "Description of Planned Arm",
    "ARMCD": "Planned Arm Code",
    "TRT01P": "Planned Treatment for Period 01",
    "TRT01PN": "Planned Treatment for Period 01 (N)",
    "TRT01A": "Actual Treatment for Period 01",
    "TRT01AN": "Actual Treatment for Period 01 (N)",
    "ITTFL": "Intent-To-Treat Population Flag",
    "SAFFL": "Safety Population Flag",
    "TRTP": "Planned Treatment",
    "TRTPN": "Planned Treatment (N)",
    "PARAMCD": "Parameter Code",
    "PARAM": "Parameter",
    "AVAL": "Analysis Value",
    "AVALU": "Analysis Value Unit",
    "STARTDT": "Time-to-Event Origin Date for Subject",
    "ADT": "Analysis Date",
    "CNSR": "Censor",
    "EVNTDESC": "Event or Censoring Description",
    "CNSDTDSC": "Censor Date Description",
    "RANDFL": "Randomized Population Flag",
    "EFFFL": "Efficacy Population Flag",
    "PPROTFL": "Per-Protocol Population Flag",
    "COMPLFL": "Completers Population Flag",
    "RANDDT": "Date of Randomization",
    "TRTSDT": "Date of First Exposure to Treatment",
    "TRTEDT": "Date of Last Exposure to Treatment",
    "DTHFL": "Subject Death Flag",
    "DTHDT": "Date of Death",
}
"""Labels of the standard, by variable."""

_TERMS = {
    "SEX": ("F", "M", "U", "INTERSEX"),
    "RACE": (
        "AMERICAN INDIAN OR ALASKA NATIVE",
        "ASIAN",
        "BLACK OR AFRICAN AMERICAN",
        "MULTIPLE",
        "NATIVE HAWAIIAN OR OTHER PACIFIC ISLANDER",
        "NOT REPORTED",
        "OTHER",
        "UNKNOWN",
        "WHITE",
    ),
    "ETHNIC": ("HISPANIC OR LATINO", "NOT HISPANIC OR LATINO", "NOT REPORTED", "UNKNOWN"),
    "AGEU": ("DAYS", "HOURS", "MONTHS", "WEEKS", "YEARS"),
}
_FLAG = ("Y", "N")
_COUNTRY = re.compile(r"[A-Z]{3}")


def check_name(name: str, where: str) -> None:
    """Refuse a name that no variable has.

    Raises:
        ConfigError: it is longer than 8 characters, or has others than capital letters, digits and the underscore.

    Example:
        >>> check_name("weight", "columns")
        Traceback (most recent call last):
        ...
        synthclin.errors.ConfigError: columns: 'weight' is no name of a variable. Write at most 8 capital letters, ...
    """
    if not NAME.fullmatch(name):
        remedy = "Write at most 8 capital letters, digits and _, a letter first."
        raise ConfigError(where, f"{name!r} is no name of a variable", remedy)


def check_label(label: str, where: str) -> None:
    """Refuse a label of more than 40 bytes.

    Raises:
        ConfigError: it is longer.
    """
    if not label.isprintable() or not label.strip():
        raise ConfigError(where, "the label is no line of printable signs", "Write it in one line.")
    if len(label.encode()) > _MOST_LABEL:
        what = f"the label {label!r} has more than {_MOST_LABEL} bytes"
        raise ConfigError(where, what, "Give a shorter one: `{column: NAME, label: TEXT}`.")


def check_texts(name: str, texts: Iterable[str], where: str) -> None:
    """Refuse texts that a variable cannot have.

    Arguments:
        name: of the variable.
        texts: all that it may have.
        where: the place in the study, for errors.

    Raises:
        ConfigError: one is empty, longer than 200 bytes, or no term of a controlled variable.
    """
    known = _FLAG if name.endswith("FL") else _TERMS.get(name)
    remedy = "Map each level, as in `{column: NAME, values: {LEVEL: TERM}}`."
    for text in texts:
        if text != text.strip() or not text or not text.isprintable():
            what = f"a text of {name} is empty, has blanks at its ends, or signs that cannot be printed"
            raise ConfigError(where, what, "Write it in one line of printable signs.")
        if len(text.encode()) > _MOST_TEXT:
            raise ConfigError(where, f"a text has more than {_MOST_TEXT} bytes", "Shorten it.")
        if name == "ARMCD" and len(text) > _MOST_CODE:
            raise ConfigError(where, f"{text!r} has more than {_MOST_CODE} characters", "Give shorter `codes`.")
        if known is not None and text not in known:
            raise ConfigError(where, f"{text!r} is no term of {name}: {', '.join(known)}", remedy)
        if name == "COUNTRY" and not _COUNTRY.fullmatch(text):
            raise ConfigError(where, f"{text!r} is no code of a country in three letters (ISO 3166-1)", remedy)

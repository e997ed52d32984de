"""Hints from column names, by words that many tables share; a name alone decides nothing."""

from __future__ import annotations

import re
import unicodedata

__all__ = [
    "codes_levels",
    "identifies",
    "identifies_person",
    "is_percentage",
    "knowable",
    "pair_endings",
    "points_to_person",
]

_PERSON = r"(patient|pat|pt|subject|subj|participant|person|proband|case)"
_NUMBER = r"(id|ident|identifier|no|nr|nbr|num|number|key|pseudonym)"
_IDENTIFIER = re.compile(r"(^|.* )(id|identifier|uid|uuid|guid|pseudonym|row ?(id|no|nr|number|index))$|^index$")
_PERSON_IDENTIFIER = re.compile(rf"(^|.* ){_PERSON} ?{_NUMBER}$|^(patient|subject|participant|person)$|^usubjid$")
_RECORD_NUMBER = re.compile(  # numbers of patients, records and health cards in the languages of Europe
    r"(^|.* )(nhc|(n|no|nr|num|numero) ?(de )?(historia|hc|paciente|expediente|tarjeta sanitaria|dossier|processo)"
    r"( clinica)?|historia( clinica)?|expediente|dni|nie|nif|cip|cipa|codigo ?(de )?(paciente|historia)"
    r"|(cod|id|clave) ?(de )?(paciente|historia|paziente|utente)|patnr|pat nr|(patienten|fall) ?(nummer|nr|id)"
    r"|ipp|nda|nir|(numero|num|no|id) ?(de )?patient|codice ?(fiscale|paziente|sanitario)|patientnummer|bsn|cpr"
    r"|personnummer|pesel|mrn)$"
)
_SHORT_IDENTIFIER = re.compile(r"p(at|t)?id ?(num|no|nr)?$")
_EVENT_IDENTIFIER = re.compile(rf"(^|.* )(encounter|visit|admission|hadm|stay|sample|specimen|record) ?{_NUMBER}$")
_LEVELS = re.compile(r".* (id|code|type|kind)$|^(site|centre|center|hospital|ward|clinic)$")
_DIRECT = re.compile(
    r"(^|.* )((first|last|given|family|middle|maiden|full|sur|patient|birth|mother|father|contact|kin|doctor|physician)"
    r" ?(s )?name|surname|forename|vorname|nachname|familienname|prenom|apellidos?|initials"
    r"|e ?mail( address)?|((tele|mobile|cell)?phone|mobile|fax|telefon|handy)( (number|no|nr))?"
    r"|(home |postal |street )?address|anschrift|adresse|street|stra(ss|\u00df)e|next of kin|emergency contact"
    r"|((medical|health) record|hospital|chart|social security|national|nhs|(health )?insurance|medicare|tax|passport"
    r"|driving licen[cs]e|account) (number|no|nr|id)"
    r"|mrn|ssn|nino|passport|licen[cs]e plate|iban|ip address|device serial( (number|no|nr))?)$|^name$"
)
_KNOWABLE = frozenset(
    [
        "age",
        "birth",
        "birthdate",
        "birthday",
        "country",
        "county",
        "dob",
        "education",
        "ethnic",
        "ethnicity",
        "gender",
        "language",
        "marital",
        "nationality",
        "occupation",
        "postal",
        "postcode",
        "profession",
        "race",
        "region",
        "religion",
        "sex",
        "zip",
        "zipcode",
    ]
)


def _words(name: str) -> str:
    """Return a name as words of lower case, parted by one space each: ``firstName2`` is ``first name 2``.

    Accents are dropped: ``Código`` is ``codigo``.
    """
    name = "".join(sign for sign in unicodedata.normalize("NFD", name) if not unicodedata.combining(sign))
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z])(?=[0-9])|[^A-Za-z0-9]+", " ", name)
    return parted.strip().lower()


def identifies(name: str) -> bool:
    """Whether a name is one of an identifier, such as ``encounter_id`` or ``row_id``."""
    words = _words(name)
    return bool(_IDENTIFIER.match(words) or _EVENT_IDENTIFIER.match(words)) or identifies_person(name)


def identifies_person(name: str) -> bool:
    """Whether a name is one of a patient's identifier.

    Example:
        >>> [identifies_person(name) for name in ("patient_nbr", "SubjectID", "nhc", "patient_type_id")]
        [True, True, True, False]
    """
    words = _words(name)
    return bool(_PERSON_IDENTIFIER.match(words) or _RECORD_NUMBER.match(words)) or bool(
        re.fullmatch(r"p(at|t)?id ?(num|no|nr)?", words)
    )


def points_to_person(name: str) -> bool:
    """Whether a name is one of a direct identifier: a person's name, telephone, e-mail, address or record number.

    Example:
        >>> [points_to_person(name) for name in ("firstName", "phone_no", "mrn", "drug_name")]
        [True, True, True, False]
    """
    return bool(_DIRECT.match(_words(name)))


def codes_levels(name: str) -> bool:
    """Whether a name is one of numbered levels, such as ``admission_type_id`` or ``site``."""
    return bool(_LEVELS.match(_words(name)))


def knowable(name: str) -> bool:
    """Whether a name is one of a quasi-identifier, such as ``age`` or ``zip_code``."""
    return not _KNOWABLE.isdisjoint(_words(name).split())


def is_percentage(name: str) -> bool:
    """Whether a name is one of percentages.

    Example:
        >>> [is_percentage(name) for name in ("pct_viable", "HbA1c_percent", "fat (%)", "percentile")]
        [True, True, True, False]
    """
    return name.strip(" )]").endswith("%") or not {"pct", "percent", "percentage", "perc"}.isdisjoint(
        _words(name).split()
    )


def pair_endings(name: str) -> tuple[str, str]:
    """Return what is added to the name of a column of two numbers for the names of its parts.

    Example:
        >>> pair_endings("BP_day1"), pair_endings("acuity")
        (('systolic', 'diastolic'), ('1', '2'))
    """
    pressure = re.search(r"(^| )(bp|nibp|rr|blood pressure|blutdruck)( |$)", _words(name))
    return ("systolic", "diastolic") if pressure else ("1", "2")

"""Codes of a clinical vocabulary and their parent terms."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from synthclin.schema.columns import parsing
from synthclin.schema.columns.column import Problem
from synthclin.schema.columns.levels import Levels, categorical, padded

__all__ = ["Code", "Depths"]

# How many characters the terms of each level have, from the top; ICD-10 chapters and blocks are no prefixes.
_DEPTHS = {"icd10": (3, 4, 5, 6), "icd9": (3, 4), "atc": (1, 3, 4, 5)}
_SHAPES = {
    "icd10": r"[A-Z][0-9][0-9A-Z](\.?[0-9A-Z]{1,4})?",
    "icd9": r"([0-9]{3}|V[0-9]{2}|E[0-9]{3})(\.?[0-9]{1,2})?",
    "atc": r"[A-Z]([0-9]{2}([A-Z]([A-Z]([0-9]{2})?)?)?)?",
}


class Depths(BaseModel):
    """The lengths of parent terms, dots not counted, from the top of the hierarchy."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    levels: Annotated[tuple[Annotated[int, Field(ge=1, le=20)], ...], Field(min_length=1, strict=False)]

    @model_validator(mode="after")
    def _levels_rise(self) -> Self:
        if any(low >= high for low, high in pairwise(self.levels)):
            raise ValueError("levels: do not rise. Write the shortest prefix first.")
        return self


class Code(Levels):
    """A term of a clinical vocabulary (ICD-10, ATC, LOINC), kept as text exactly as written.

    `hierarchy` gives the lengths of parent terms, dots not counted: ``icd10``, ``icd9``, ``atc``, or
    ``{levels: [3, 4, 5]}``. With it, a term of too few patients is replaced by its parent, up to the top of the
    hierarchy; a term that is too rare even there is never sampled.

    Example:
        >>> Code(hierarchy="icd10").above("E11.93"), Code(hierarchy="atc").above("A10BA02")
        (('E11.9', 'E11'), ('A10BA', 'A10B', 'A10', 'A'))
    """

    type: Literal["code"] = "code"
    system: str | None = None
    hierarchy: Literal["icd10", "icd9", "atc"] | Depths | None = None

    @property
    def is_categorical(self) -> bool:
        """False: the schema does not list the codes."""
        return False

    @property
    def is_written_as_text(self) -> bool:
        """True."""
        return True

    def above(self, term: str) -> tuple[str, ...]:
        """Return the parent terms, nearest first; none without a `hierarchy`."""
        if self.hierarchy is None:
            return ()
        depths = self.hierarchy.levels if isinstance(self.hierarchy, Depths) else _DEPTHS[self.hierarchy]
        longer = self.hierarchy == "icd9" and term[:1].upper() == "E"  # E850.1 has its dot a place later
        lengths = [depth + longer for depth in depths]
        return tuple(_prefix(term, length) for length in reversed(lengths) if length < _length(term))

    def nearest(self, term: str, known: Container[str]) -> str | None:
        """Return the term itself or its nearest parent among `known`, None if there is none."""
        return next((one for one in (term, *self.above(term)) if one in known), None)

    def frequent(self, terms: pd.Series[Any], patient: NDArray[Any], limit: int) -> frozenset[str]:
        """Return the terms of at least `limit` patients after rarer terms are replaced by their parents.

        Arguments:
            terms: (rows,) typed cells.
            patient: (rows,) the number of each row's patient.
            limit: the smallest number of patients per term.

        Example:
            >>> terms = pd.Series(["E11.9"] * 3 + ["E11.0", "E11.1", "E11.22", "I10"])
            >>> sorted(Code(hierarchy="icd10").frequent(terms, np.arange(7), 3))
            ['E11', 'E11.9']
        """
        codes, names = pd.factorize(terms)
        pairs = pd.DataFrame({"term": codes, "patient": patient})[codes >= 0].drop_duplicates()
        place = np.array([*names], dtype=object)

        def counts() -> dict[str, int]:
            counted = pairs.assign(term=place[pairs["term"]]).drop_duplicates()["term"].value_counts()
            return {str(term): int(count) for term, count in counted.items()}

        # Longest terms first: a replaced term counts for its parent.
        for length in range(max(map(_length, place), default=0), 0, -1):
            rare = {term for term, count in counts().items() if count < limit and _length(term) == length}
            place = np.array([(*self.above(term), term)[0] if term in rare else term for term in place], dtype=object)
        return frozenset(term for term, count in counts().items() if count >= limit)

    def pooled(self, terms: pd.Series[Any], patient: NDArray[Any], limit: int) -> pd.Series[Any]:
        """Return (rows,) typed cells with terms of fewer than `limit` patients replaced by their parents.

        Example:
            >>> terms = pd.Series(["E11.9"] * 3 + ["E11.0", "E11.1", "E11.22", "I10"], dtype="category")
            >>> Code(hierarchy="icd10").pooled(terms, np.arange(7), 3).unique().tolist()
            ['E11.9', 'E11', 'I10']
        """
        if self.hierarchy is None:
            return terms
        kept = self.frequent(terms, patient, limit)
        return terms.astype(object).map({term: self.nearest(term, kept) or term for term in terms.cat.categories})

    @property
    def unreadable(self) -> tuple[str, str]:
        """The fault of a cell that is no term, and the remedy."""
        return (
            "a blank, a number with decimals or something else that is no text",
            "Read the column as text, so that 250.10 keeps its zero, or recode it as missing.",
        )

    def _read(self, series: pd.Series[Any]) -> tuple[pd.Series[Any], pd.Series[bool]]:
        """Read text as it is written, and whole numbers as their digits.

        Example:
            >>> typed, unread = Code().coerce(pd.Series(["V27", "250.10", 401, 250.1], dtype=object))
            >>> typed.cat.categories.tolist(), unread.tolist()
            (['250.10', '401', 'V27'], [False, False, False, True])
        """
        codes, cells = parsing.distinct(series)
        terms = [*map(parsing.digits_or_text, cells)]
        levels = sorted({term for code in np.unique(codes[codes >= 0]) if (term := terms[code]) is not None})
        places = {term: place for place, term in enumerate(levels)}
        found = np.array([*(places.get(term, parsing.UNREAD) for term in terms), parsing.MISSING])[codes]
        typed = self._typed(found, categorical(levels), series.index)
        return typed, pd.Series(found == parsing.UNREAD, index=series.index)

    def problems(self, typed: pd.Series[Any]) -> Iterator[Problem]:
        """Yield warnings for terms with surrounding blanks, and for terms without the vocabulary's format."""
        yield padded(typed)
        if isinstance(self.hierarchy, str):
            shape = re.compile(_SHAPES[self.hierarchy], re.IGNORECASE)
            strange = [term for term in typed.cat.categories if not shape.fullmatch(term)]
            remedy = "Correct it, or declare another `hierarchy`."
            yield Problem(
                typed.isin(strange), f"a term without the format of {self.hierarchy} codes", remedy, "warning"
            )


def _length(term: str) -> int:
    return len(term) - term.count(".")


def _prefix(term: str, length: int) -> str:
    """Return the first `length` characters other than dots, with the dots between them."""
    places = [place for place, character in enumerate(term) if character != "."]
    return term[: places[length - 1] + 1]

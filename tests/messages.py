"""The catalogue of messages of the report: written anew from the code with ``python -m tests.messages``.

It holds every literal that the code gives to `tr`, `plural` or `tr_plural`, every such text of a template, and the
texts of the kinds of score, of their limits and of the questions of page one.
"""

from __future__ import annotations

import ast
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from synthclin.evaluation.analyses.analysis_kinds import ANALYSES
from synthclin.evaluation.catalogue import FAMILIES, KINDS
from synthclin.evaluation.fidelity.estimate import AGAINST
from synthclin.evaluation.gate import parse_gate
from synthclin.evaluation.gates import MODEL_GATE
from synthclin.evaluation.kind import TEXTS, Limit, RelativeLimit
from synthclin.evaluation.questions import QUESTIONS
from synthclin.language import LANGUAGES, speaking

PACKAGE = Path(__file__).parent.parent / "synthclin"
LOCALE = PACKAGE / "locale"
TEMPLATE = LOCALE / "synthclin.pot"
_TEMPLATES = [("**/templates/**.html", "jinja2.ext:babel_extract")]
_ARGUMENTS = {"tr": (0,), "tr_plural": (0, 1), "plural": (1, 2)}
"""The functions that return a message, and which of their arguments are its literals."""


@dataclass(frozen=True)
class Message:
    """A message of the code; `text` is a pair where it has a plural form."""

    text: str | tuple[str, str]


def messages() -> list[Message]:
    """Return the messages of the package, sorted."""
    found = {message for message in (*_of_code(), *_of_kinds()) if message.text and message.text != ("", "")}
    return sorted(found, key=lambda message: str(message.text))


def _of_code() -> Iterator[Message]:
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _ARGUMENTS:
                yield from _of_call(node, _ARGUMENTS[node.func.id])
    for _, _, text, _, _ in extract_from_dir(PACKAGE, method_map=_TEMPLATES, keywords={"tr": None}):
        yield Message(str(text))


def _of_call(call: ast.Call, places: tuple[int, ...]) -> Iterator[Message]:
    """Yield the message of a call, unless it is a variable, whose literals are elsewhere."""
    given = [call.args[place] for place in places if place < len(call.args)]
    texts = tuple(each.value for each in given if isinstance(each, ast.Constant) and isinstance(each.value, str))
    if len(texts) == len(places):
        yield Message(texts[0] if len(texts) == 1 else (texts[0], texts[1]))


def _of_kinds() -> Iterator[Message]:
    by_user = parse_gate("fidelity.pairs >= 0.9").source
    yield from (*_of_source(MODEL_GATE.source), Message(by_user), Message(AGAINST))
    for question in QUESTIONS:
        yield from (Message(question.text), Message(question.kind))
    for analysis in ANALYSES.values():
        yield from (Message(analysis.name), Message(analysis.method))
    for kind in KINDS:
        yield from (Message(getattr(kind, name)) for name in TEXTS)
        yield from _of_limit(kind.limit)
    for family in FAMILIES:
        for example in family.examples:
            kind = family.kind(example)
            with _untranslated():
                other = family.kind(example)
            # Texts that `tr` has made are in the code.
            same = (name for name in TEXTS if getattr(kind, name) == getattr(other, name))
            yield from (Message(getattr(kind, name)) for name in same)
            yield from _of_limit(kind.limit)


@contextmanager
def _untranslated() -> Iterator[None]:
    """Return every message as an empty text inside a `with` block."""
    empty = SimpleNamespace(gettext=lambda _: "", ngettext=lambda *_: "")
    with speaking("es"), patch("synthclin.language._translations", lambda _: empty):
        yield


def _of_limit(limit: Limit | RelativeLimit | None) -> Iterator[Message]:
    if limit is not None:
        yield from _of_source(limit.source)
    if isinstance(limit, RelativeLimit):
        yield Message(limit.text)


def _of_source(source: str) -> Iterator[Message]:
    """Yield the source of a limit, and the part of it that page one shows, which is without the reason."""
    yield from (Message(source), Message(source.partition(", because ")[0]))


def read(path: Path) -> Catalog:
    """Return a catalogue of this folder."""
    with path.open("rb") as file:
        return read_po(file, locale=None if path == TEMPLATE else path.stem)


def template() -> Catalog:
    """Return the catalogue of all English messages."""
    catalog = Catalog(project="synthclin", charset="utf-8")
    for message in messages():
        catalog.add(message.text)
    return catalog


def written(catalog: Catalog) -> str:
    """Return a catalogue as text, without the dates and places that would change with every edit of the code."""
    buffer = io.BytesIO()
    write_po(buffer, catalog, width=120, no_location=True, omit_header=True, sort_output=True)
    plural = f'"Plural-Forms: {catalog.plural_forms}\\n"\n' if catalog.locale else ""
    head = f'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n{plural}\n'
    return head + buffer.getvalue().decode().strip() + "\n"


def renew() -> None:
    """Write the template from the code, and each language with the messages of the template."""
    current = template()
    TEMPLATE.write_text(written(current), encoding="utf-8")
    for code in LANGUAGES[1:]:
        path = LOCALE / f"{code}.po"
        known = read(path) if path.exists() else Catalog(locale=code)
        known.update(current, no_fuzzy_matching=True)
        known.obsolete.clear()
        path.write_text(written(known), encoding="utf-8")


if __name__ == "__main__":
    renew()

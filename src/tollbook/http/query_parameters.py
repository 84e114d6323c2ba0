"""What stands behind the question mark: read strictly, described once.

The same table says how a parameter is checked and what ``/openapi.json`` tells of it.
Whatever is wrong with one is 422 with its name first and the remedy last.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NoReturn
from urllib.parse import unquote_to_bytes

import msgspec

from tollbook.http.exchange import RefusedError

TEXT_MAX = 256
"""How many characters a value may have."""

_FIELDS_MAX = 64
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)

Schema = Mapping[str, object]
TEXT: Schema = {"type": "string", "maxLength": TEXT_MAX}


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """One parameter of a query."""

    name: str
    text: str  # what it means, one sentence
    schema: Schema = msgspec.field(default_factory=lambda: TEXT)
    many: bool = False  # it may be given several times
    required: bool = False


Values = Mapping[str, list[str]]
"""The values given, by parameter."""


def refuse(name: str, what: str) -> NoReturn:
    """Say what is wrong with a parameter, and what to write."""
    raise RefusedError(422, "parameter", f"{name}: {what}")


def parse_query(query: bytes, known: Iterable[Parameter]) -> Values:
    """Read a query string.

    Raises:
        RefusedError: 422; a parameter is unknown, repeated, too long, missing or no UTF-8.
    """
    parameters = {each.name: each for each in known}
    values: dict[str, list[str]] = {}
    fields = query.split(b"&") if query else []
    if len(fields) > _FIELDS_MAX:
        refuse("query", f"{len(fields)} fields; give at most {_FIELDS_MAX}")
    for field in filter(None, fields):
        raw_name, _, raw = field.partition(b"=")
        name = _text(raw_name, "query")
        if name not in parameters:
            listed = ", ".join(parameters) or "none"
            refuse(_shown(name), f"there is no such parameter; there is {listed}")
        longest = parameters[name].schema.get("maxLength", TEXT_MAX)
        assert isinstance(longest, int)
        values.setdefault(name, []).append(_text(raw, name, longest))
    for name, given in values.items():
        if len(given) > 1 and not parameters[name].many:
            refuse(name, "is given more than once; give it once")
    for name, parameter in parameters.items():
        if parameter.required and not values.get(name, [""])[0]:
            refuse(
                name,
                f"is missing; give {parameter.text[:1].lower()}"
                f"{parameter.text[1:].rstrip('.')}",
            )
    return values


def _text(raw: bytes, name: str, longest: int = TEXT_MAX) -> str:
    try:
        text = unquote_to_bytes(raw.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        refuse(name, "is no UTF-8; encode it as UTF-8 and then with percent signs")
    if len(text) > longest:
        refuse(name, f"is too long; give at most {longest} characters")
    return text


def _shown(name: str) -> str:
    """A foreign name, short and harmless."""
    return repr(name[:40])


def text_of(values: Values, name: str) -> str | None:
    """The value of a parameter; ``None`` when it was not given."""
    given = values.get(name)
    return given[0] if given else None


def choice_of(
    values: Values, name: str, choices: Iterable[str], usual: str | None = None
) -> str:
    """One of some words."""
    word = text_of(values, name) or usual
    known = list(choices)
    if word not in known:
        what = "is missing" if word is None else f"{_shown(word)} is none"
        refuse(name, f"{what}; use one of {', '.join(known)}")
    return word


def number_of(values: Values, name: str, *, usual: int, most: int) -> int:
    """A whole number from 1 to ``most``."""
    text = text_of(values, name)
    if text is None:
        return usual
    if not _NUMBER.fullmatch(text) or not 1 <= int(text) <= most:
        refuse(
            name, f"{_shown(text)} is out of range; use a whole number from 1 to {most}"
        )
    return int(text)


def number_schema(*, usual: int, most: int) -> Schema:
    """What ``number_of`` takes."""
    return {"type": "integer", "minimum": 1, "maximum": most, "default": usual}


def choice_schema(choices: Iterable[str], usual: str | None = None) -> Schema:
    """What ``choice_of`` takes."""
    schema: dict[str, object] = {"type": "string", "enum": list(choices)}
    return schema if usual is None else schema | {"default": usual}

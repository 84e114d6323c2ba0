"""JSON of which some fields are not what they should be: the others still count."""

from __future__ import annotations

from types import UnionType
from typing import TypeVar, get_args

import msgspec

_T = TypeVar("_T", bound=msgspec.Struct)

NOT_JSON = (ValueError, RecursionError)
"""What ``msgspec`` raises for a text that it cannot read as it was asked to."""


def read_leniently(
    text: bytes | msgspec.Raw, shape: type[_T], path: str = ""
) -> tuple[_T, list[str]]:
    """An object without its unusable fields, and the paths of those.

    Raises:
        ValueError: It is no JSON object.
        RecursionError: It is nested too deeply to be looked at.
    """
    given = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    kept: dict[str, object] = {}
    refused: list[str] = []
    for field in msgspec.structs.fields(shape):
        raw = given.get(field.encode_name)
        if raw is None:
            continue
        place = f"{path}{field.name}"
        try:
            kept[field.name] = msgspec.json.decode(raw, type=field.type)
        except NOT_JSON:
            refused += _within(kept, field, raw, place)
    return shape(**kept), refused


def _within(
    kept: dict[str, object],
    field: msgspec.structs.FieldInfo,
    raw: msgspec.Raw,
    place: str,
) -> list[str]:
    """Keep what can be of a field that is an object itself; give what cannot."""
    inner = _object_in(field.type)
    if inner is None:
        return [place]
    try:
        kept[field.name], refused = read_leniently(raw, inner, f"{place}.")
    except NOT_JSON:
        return [place]
    return refused


def _object_in(shape: object) -> type[msgspec.Struct] | None:
    """The struct among a field's types."""
    options = get_args(shape) if isinstance(shape, UnionType) else (shape,)
    for option in options:
        if isinstance(option, type) and issubclass(option, msgspec.Struct):
            return option
    return None

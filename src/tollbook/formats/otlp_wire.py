"""How many things a request holds, before anybody makes objects of them.

An empty message takes two bytes on the wire and a hundred in memory, so a small request
can be a large one. This looks at the tags and lengths of protobuf alone: field after
field, down to the items of a request, and gives up as soon as there are too many.
The encoding is the one of https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from collections.abc import Iterator

from tollbook.formats.otlp import ITEMS_MAX, TooManyError

FIELDS_MAX = 1_000_000
"""How many fields all items of a request may have."""

SMALL_BYTES = 1 << 20
"""Up to this size a request's items cannot hold so many that it would matter."""

Path = tuple[frozenset[int], ...]
"""The numbers of the fields that lead from a request to its items."""

ITEMS: Path = (frozenset({1}), frozenset({2}), frozenset({2}))
POINTS: Path = (*ITEMS, frozenset({5, 7, 9, 10, 11}), frozenset({1}))

_Place = tuple[int, int]


def check(body: bytes, path: Path) -> None:
    """Look how many items there are, and how many fields in all of them.

    Bytes that are no protobuf are left to its parser.

    Raises:
        TooManyError: More than any exporter sends at once.
    """
    places = [(0, len(body))]
    for numbers in path:
        found = []
        for seen, (number, place) in enumerate(_fields(body, places)):
            if seen > 2 * ITEMS_MAX:
                raise TooManyError
            if number in numbers:
                found.append(place)
        places = found
        if len(places) > ITEMS_MAX:
            raise TooManyError
    if len(body) > SMALL_BYTES:
        for seen, _ in enumerate(_fields(body, places)):
            if seen > FIELDS_MAX:
                raise TooManyError


def _fields(body: bytes, places: list[_Place]) -> Iterator[tuple[int, _Place]]:
    """Number and place of every field in some messages, as far as they are sound."""
    for start, end in places:
        at = start
        while at < end:
            tag, at = _varint(body, at, end)
            size = 0
            match tag & 7:
                case 0:
                    _, at = _varint(body, at, end)
                case 1:
                    size = 8
                case 2:
                    size, at = _varint(body, at, end)
                case 5:
                    size = 4
                case _:
                    return
            if at + size > end:
                return
            yield tag >> 3, (at, at + size)
            at += size


def _varint(body: bytes, at: int, end: int) -> tuple[int, int]:
    """A number and where it ends; past the end where it has none."""
    number = shift = 0
    while at < end:
        byte = body[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80 or shift > 63:  # noqa: PLR2004  # the last of them; 64 bits
            return number, at
        shift += 7
    return 0, end + 1

"""Cursors: where a page of events ended, as a text that callers hand back unread."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated

import msgspec

from tollbook.core.observation import Instant

Position = tuple[Annotated[Instant, msgspec.Meta(ge=-(2**53), le=2**53)], str]
"""Time and id of an event."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Position).decode


def packed(data: bytes) -> str:
    """Bytes as a text that may stand anywhere in an address."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def unpacked(text: str) -> bytes | None:
    """What ``packed`` packed; ``None`` when it was not so."""
    try:
        data = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except ValueError:
        return None
    return data if packed(data) == text else None


def cursor_text(at: Instant, event: str) -> str:
    """The cursor that stands behind an event."""
    return packed(_encode((at, event)))


def parse_cursor(text: str) -> Position | None:
    """Where a cursor stands; ``None`` when it is none of ours."""
    try:
        position: Position = _decode(unpacked(text) or b"")
    except msgspec.DecodeError:
        return None
    return position

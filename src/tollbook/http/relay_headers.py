"""Header lines on their way through the relay: rebuilt, never copied.

What concerns one connection only, what names somebody, and what the relay answers for
itself stays behind (RFC 9110 section 7.6, read on 2026-11-24). All else passes as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tollbook.config import Upstream

Lines = Iterable[tuple[bytes, bytes]]

_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
_NOT_UP = _HOP | {
    b"accept-encoding",
    b"authorization",
    b"content-length",
    b"cookie",
    b"expect",
    b"forwarded",
    b"host",
    b"via",
    b"x-api-key",
    b"x-real-ip",
    b"x-tollbook-project",
}
_NOT_DOWN = _HOP | {b"set-cookie", b"set-cookie2", b"date"}  # the date is ours
_FORWARDED = b"x-forwarded-"
_CODING = re.compile(rb"[\t ]*(gzip|deflate|br|zstd|identity)(?:[\t ]*;[^,]*)?[\t ]*")
_BETA = "anthropic-beta"


def _listed(lines: Lines) -> set[bytes]:
    """The lines that ``Connection`` says are for this connection only."""
    return {
        token.strip().lower()
        for name, value in lines
        if name.lower() == b"connection"
        for token in value.split(b",")
    }


def upward(
    lines: list[tuple[bytes, bytes]], upstream: Upstream, key: str
) -> list[tuple[str, str]]:
    """What an upstream is told, with our key in the place of the client's."""
    left = (
        _NOT_UP | _listed(lines) | {n.lower().encode() for n in upstream.drop_headers}
    )
    told: list[tuple[str, str]] = []
    betas: list[str] = []
    stated = {name.lower() for name in upstream.set_headers}
    for name, value in lines:
        text = name.decode("ascii")
        if name in left or name.startswith(_FORWARDED) or text in stated:
            continue
        if not value.isascii():
            continue
        if text == _BETA:
            betas.append(value.decode())
        else:
            told.append((text, value.decode()))
    told += upstream.set_headers.items()
    if betas := _joined(betas, upstream.betas):
        told.append((_BETA, ",".join(betas)))
    told.append(("accept-encoding", _codings(lines)))
    if upstream.auth == "bearer":
        told.append(("authorization", f"Bearer {key}"))
    else:
        told.append(("x-api-key", key))
    return told


def _joined(said: list[str], more: tuple[str, ...]) -> list[str]:
    """Every beta once; those of the client as it wrote them."""
    known = {each.strip() for line in said for each in line.split(",")}
    return said + [each for each in more if each not in known]


def _codings(lines: Lines) -> str:
    """Those the client takes and we can look into; ``identity`` where there is none."""
    offered = [
        each.strip()
        for name, value in lines
        if name == b"accept-encoding"
        for each in value.lower().split(b",")
        if _CODING.fullmatch(each)
    ]
    return b", ".join(offered).decode() or "identity"


def downward(lines: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """What a client is told."""
    lower = [(name.lower(), value) for name, value in lines]
    left = _NOT_DOWN | _listed(lower)
    return [line for line in lower if line[0] not in left]

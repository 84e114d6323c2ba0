"""What an event is called where only one text may name it: in an address, in a cursor.

That is the provider's message id, else its request id. A response that has neither goes
by its time and session: ``1795349400000:["","5e551011-…"]``.
"""

from __future__ import annotations

import re

import msgspec

from tollbook.core.identity import Identity, IdentityKind

_MOMENT = re.compile(r"(\d{1,16}):(\[.*\])", re.DOTALL | re.ASCII)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[str, str]).decode


def event_id(identity: Identity) -> str:
    """The one text."""
    if identity.kind != IdentityKind.MOMENT:
        return identity.name
    names = _encode((identity.name, identity.session)).decode()
    return f"{identity.at}:{names}"


def moment_of(text: str) -> Identity | None:
    """The identity behind such an id, where it is one of time and session."""
    match = _MOMENT.fullmatch(text)
    if match is None:
        return None
    try:
        name, session = _decode(match[2])
    except msgspec.DecodeError:
        return None
    return Identity(IdentityKind.MOMENT, name, session, int(match[1]))

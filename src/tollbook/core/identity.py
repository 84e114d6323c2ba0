"""Which observations speak of the same response.

A provider's message id decides, whatever the request ids beside it say: asides and
replays copy a message under a new request id and another time. A message id that does
not look like the provider's proves nothing, for relays exist that send one constant id
with every answer. There the request id decides, and without one session and time.
"""

from __future__ import annotations

import re
from datetime import datetime
from enum import IntEnum

import msgspec

from tollbook.core.event import UsageEvent
from tollbook.core.observation import Observation

# msg_01… from the Claude API, msg_bdrk_… from Bedrock, msg_vrtx_… from Google Cloud;
# the random part had 22 or more characters in every recording (2026-11-22).
_PROVIDER_MESSAGE_ID = re.compile(r"msg_(?:[a-z]{4}_)?[0-9A-Za-z]{20,64}", re.ASCII)
looks_like_the_providers = _PROVIDER_MESSAGE_ID.fullmatch

# req_011C…, 24 or more characters behind the mark in every recording (2026-11-22).
_PROVIDER_REQUEST_ID = re.compile(r"req_[0-9A-Za-z]{10,64}", re.ASCII)
is_providers_request = _PROVIDER_REQUEST_ID.fullmatch


Chain = tuple[str | None, str, datetime]
"""Message id, the last line's own id and the first line's time of an answer that only
its session and time can name: its further lines name the one before them."""


class IdentityKind(IntEnum):
    """By which of its marks a response is known."""

    MESSAGE = 0
    REQUEST = 1
    MOMENT = 2  # session and time, where a source gave nothing better


class Identity(msgspec.Struct, frozen=True, array_like=True, order=True):
    """What names one response, everywhere. A struct of its parts, never a joined text."""

    kind: int
    name: str
    session: str = ""
    at: int = 0


def own_id(project: str | None, text: str) -> str:
    """An id that is not the provider's, as a request id of its project alone.

    No project can spell another's ids: a colon in its name is written ``%3A``.
    """
    name = (project or "").replace("%", "%25").replace(":", "%3A")
    return f"{name}:{text}"


def identify(seen: Observation | UsageEvent) -> Identity:
    """The strongest name an observation, or an event, gives its response."""
    message_id = seen.message_id
    if message_id is not None and looks_like_the_providers(message_id):
        return Identity(IdentityKind.MESSAGE, message_id)
    if seen.request_id:
        return Identity(IdentityKind.REQUEST, seen.request_id)
    return Identity(
        IdentityKind.MOMENT, message_id or "", seen.session or "", seen.first_at
    )

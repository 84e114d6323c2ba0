"""The file beside a sub-agent's transcript: ``{"agentType": "Explore", …}``."""

from __future__ import annotations

import msgspec


class _Meta(msgspec.Struct):
    agentType: str | None = None  # noqa: N815  # the wire's spelling


_decode = msgspec.json.Decoder(_Meta).decode


def agent_type(text: bytes) -> str | None:
    """Which kind of sub-agent wrote the transcript, if the file can be understood."""
    try:
        return _decode(text).agentType
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None

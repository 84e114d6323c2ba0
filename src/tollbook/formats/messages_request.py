r"""What a request to the Messages API says of itself: little, and never its text.

Claude Code names its session in a header and, like others, once more in the body::

    {"model": "claude-opus-5-5", "stream": true, "max_tokens": 1024, "messages": […],
     "metadata": {"user_id": "{\"device_id\":…,\"account_uuid\":…,\"session_id\":…}"}}

Older versions wrote ``user_…_account_…_session_…`` there; applications write what they
like.
"""

from __future__ import annotations

import re

import msgspec

NAME_MAX = 200
"""How many characters of a name are kept."""

_LEGACY = re.compile(
    r"user_[0-9a-f]+_account_([0-9a-f-]*)_session_([0-9a-f-]+)", re.ASCII
)
_PRODUCT = re.compile(r"[A-Za-z0-9._-]{1,64}(?: ?/[A-Za-z][A-Za-z0-9._-]{0,63})?")
_CLAUDE_CODE = re.compile(r"claude-(?:cli|code)\b", re.ASCII)
_NOT_COUNTED = ("max_tokens", "stream", "metadata", "temperature", "top_p", "top_k")
_NOT_COUNTED_EITHER = ("stop_sequences", "service_tier", "inference_geo", "speed")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks for what. ``None``: not said."""

    model: str | None = None
    stream: bool = False
    session: str | None = None
    user: str | None = None


class _Metadata(msgspec.Struct):
    user_id: object = None


class _Body(msgspec.Struct):
    model: object = None
    stream: object = None
    metadata: _Metadata | None = None


class _UserId(msgspec.Struct):
    account_uuid: str | None = None
    session_id: str | None = None


_BODY = msgspec.json.Decoder(_Body)
_USER = msgspec.json.Decoder(_UserId)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def parse_request(body: bytes) -> Asked:
    """Read a body's few plain fields; what cannot be read says nothing."""
    try:
        read = _BODY.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Asked()
    user_id = read.metadata.user_id if read.metadata else None
    user, session = _who(user_id) if isinstance(user_id, str) else (None, None)
    return Asked(
        model=name(read.model), stream=read.stream is True, session=session, user=user
    )


def name(said: object) -> str | None:
    """A text that may be kept as a name, or nothing."""
    if not isinstance(said, str) or not said or not said.isprintable():
        return None
    return said[:NAME_MAX]


def _who(user_id: str) -> tuple[str | None, str | None]:
    """The user and the session that a ``metadata.user_id`` names."""
    legacy = _LEGACY.fullmatch(user_id)
    if legacy is not None:
        return legacy[1] or None, legacy[2]
    if not user_id.startswith("{"):
        return name(user_id), None
    try:
        read = _USER.decode(user_id)
    except (msgspec.DecodeError, RecursionError):
        return None, None
    return name(read.account_uuid), name(read.session_id)


def program_of(user_agent: str) -> str | None:
    """The program behind a ``User-Agent``: ``claude_code``, ``Anthropic/Python``."""
    if _CLAUDE_CODE.match(user_agent):
        return "claude_code"
    found = _PRODUCT.match(user_agent)
    return found[0].replace(" ", "") if found else None


def unstreamed(body: bytes) -> bytes | None:
    """The same request, to be answered in one piece; ``None`` when it is no object."""
    fields = _fields(body)
    if fields is None:
        return None
    return msgspec.json.encode(fields | {"stream": msgspec.Raw(b"false")})


def countable(body: bytes) -> bytes | None:
    """What ``count_tokens`` takes of a request; ``None`` when it is no object."""
    fields = _fields(body)
    if fields is None:
        return None
    left = {*_NOT_COUNTED, *_NOT_COUNTED_EITHER}
    return msgspec.json.encode({k: v for k, v in fields.items() if k not in left})


def counted(body: bytes) -> int | None:
    """The answer of ``count_tokens``."""
    try:
        return msgspec.json.decode(body, type=_Counted).input_tokens
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


class _Counted(msgspec.Struct):
    input_tokens: int


def _fields(body: bytes) -> dict[str, msgspec.Raw] | None:
    try:
        return _FIELDS.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None

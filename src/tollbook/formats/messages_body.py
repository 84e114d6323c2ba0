"""The usage of an answer of the Messages API that comes as one JSON object.

::

    {"type": "message", "id": "msg_…", "model": "claude-…", "stop_reason": "end_turn",
     "content": [{"type": "text", "text": "…"}], "usage": {…}}
    {"type": "error", "error": {"type": "overloaded_error", "message": "…"}}
"""

from __future__ import annotations

import msgspec

from tollbook.formats.lenient_json import NOT_JSON, read_leniently
from tollbook.formats.messages_shapes import Body, WrittenBlock, decode_body
from tollbook.formats.metered import Ended, Flag, Metered, OutputChars
from tollbook.formats.transcript_lines import Usage
from tollbook.formats.usage_so_far import UsageSoFar
from tollbook.formats.verdict import ERROR_STATUS, Heard, judge

_MARK = b"\xef\xbb\xbf"


def meter_body(
    body: bytes,
    *,
    asked: str | None = None,
    status: int = 200,
    ended: Ended = Ended.WHOLE,
    unread: int = 0,
) -> Metered:
    """What a whole body says of its usage, whatever it is.

    Args:
        body: The bytes, without their content coding.
        asked: The model that was asked for, in case the answer names none.
        status: The HTTP status.
        ended: How the bytes came to an end.
        unread: How many bytes it has, if they are too many to be given here.
    """
    usage = UsageSoFar()
    answer = _unread(usage) if unread else _read(body, usage, ended)
    blocks = answer.content or []
    failed = answer.type == "error" or answer.error is not None
    said = answer.usage or Usage()
    carries = usage.state(said, closing=True, wrote=bool(blocks))
    return judge(
        Heard(
            ended=ended,
            message_id=answer.id,
            model=answer.model or asked,
            stop_reason=answer.stop_reason,
            stopped=True,
            failed=failed,
            began=carries or bool(blocks),
            error_type=answer.error.type if answer.error is not None else None,
            seen_in=("body",) if carries else (),
            lacked=() if carries or failed or status >= ERROR_STATUS else ("body",),
            output_chars=_measured(blocks, unread),
            status=status,
        ),
        usage,
    )


def _unread(usage: UsageSoFar) -> Body:
    usage.flags.add(Flag.OVERSIZED)
    return Body()


def _read(body: bytes, usage: UsageSoFar, ended: Ended) -> Body:
    body = body.removeprefix(_MARK)
    try:
        return decode_body(body)
    except NOT_JSON:
        pass
    try:
        answer, refused = read_leniently(body, Body)
    except NOT_JSON:
        if ended is Ended.WHOLE:
            usage.flags.add(Flag.BAD_JSON)
        return Body()
    for path in refused:
        usage.refuse(path)
    return answer


def _measured(blocks: list[WrittenBlock], unread: int) -> OutputChars:
    """How much was written; the texts themselves are not kept."""
    return OutputChars(
        text=sum(len(block.text or "") for block in blocks),
        thinking=sum(len(block.thinking or "") for block in blocks),
        tool_input=sum(_characters(block.input) for block in blocks),
        unread_bytes=unread,
    )


def _characters(raw: msgspec.Raw) -> int:
    """The length of a JSON text; ``{}``, which a stream would not write, has none."""
    text = bytes(raw).decode("utf-8", "replace")
    return 0 if text == "{}" else len(text)

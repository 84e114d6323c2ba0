"""Claude Code's own telemetry: its events, and the spans of its requests.

One ``api_request`` is one answered request, with the counts the provider reported. Its
``request_id`` is the one that transcripts know as ``requestId``, so both tell of one
response. Facts of the format were observed on versions 2.1.197 and 2.1.330 (2026-11-22)::

    body "claude_code.api_request", attributes:
    session.id, event.name "api_request", event.timestamp, event.sequence, model,
    input_tokens (uncached), output_tokens, cache_read_tokens, cache_creation_tokens,
    cache_creation_5m_tokens, cache_creation_1h_tokens (since 2.1.330), cost_usd,
    cost_usd_micros, duration_ms, request_id, speed "normal"|"fast", query_source

``event.sequence`` begins anew with each process. Of an event without a request id, session,
sequence and time together are the id: the same bytes sent twice are one response.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec

from tollbook.core.identity import looks_like_the_providers
from tollbook.core.money import Money
from tollbook.core.observation import (
    Conditions,
    Evidence,
    Instant,
    Lesser,
    Observation,
    Part,
)
from tollbook.core.units import Unit
from tollbook.formats.otlp import (
    Attributes,
    Group,
    LogRecord,
    Span,
    UnusableItemError,
    count,
    digest,
    duration,
    text,
    whole,
)
from tollbook.formats.otlp_sender import Heard, Sender, Whose
from tollbook.formats.transcript_lines import Line, Message, Usage
from tollbook.formats.transcript_usage import Draft, instant, observation, stated

SCOPE = "com.anthropic.claude_code"
APP = "claude_code"
LLM_REQUEST = "claude_code.llm_request"
_PREFIX = "claude_code."
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAME_SHOWN = 64
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_MISSING = int(Evidence.MISSING)
_SIDE_CHAIN = "agent:"  # how the query source of a sub-agent begins
_SPEEDS = {"normal": "standard"}
_PLATFORMS = {"bedrock", "vertex", "foundry"}

IGNORED = frozenset({
    "api_request_body", "api_retries_exhausted", "assistant_response", "at_mention",
    "auth", "compaction", "feedback_survey", "hook_execution_complete",
    "hook_execution_start", "hook_plugin_metrics", "hook_registered", "internal_error",
    "managed_settings_resolved", "mcp_server_connection", "permission_mode_changed",
    "plugin_installed", "plugin_loaded", "retention_sweep", "skill_activated",
    "subagent_completed", "tool_decision", "tool_result", "user_prompt",
})  # fmt: skip
"""Events that say nothing of usage. ``compaction`` and ``subagent_completed`` hold counts
of a context's size; ``api_retries_exhausted`` sums up the ``api_error`` before it."""


class _Moment(msgspec.Struct, frozen=True, gc=False):
    """When an item was, and a name for it where it has no request id."""

    at: Instant
    own: str


class _Answer(msgspec.Struct, gc=False):
    """What is read of a response's body: never its content."""

    id: str | None = None
    model: str | None = None
    stop_reason: str | None = None
    usage: Usage | None = None


_decode_answer = msgspec.json.Decoder(_Answer).decode


def hear(heard: Heard, group: Group[LogRecord], sender: Sender) -> None:
    """Add what a group of log records says of usage."""
    ours = group.scope.startswith(SCOPE)
    whose = heard.whose(sender, group)
    if whose is None:
        return
    for number, record in enumerate(group.items, start=1):
        name = _event(record)
        if not ours and not name.startswith(_PREFIX):
            continue
        name = name.removeprefix(_PREFIX)
        read = _READERS.get(name)
        if read is not None:
            try:
                seen = read(record, whose)
            except UnusableItemError as error:
                heard.refuse(f"{name}: {error}")
                continue
            if seen is not None:
                heard.observations.append(msgspec.structs.replace(seen, line=number))
        elif name not in IGNORED:
            heard.unknown(f"event {name[:_NAME_SHOWN]!r} of Claude Code")


def _event(record: LogRecord) -> str:
    return record.name or record.body or text(record.attributes, "event.name") or ""


def _request(record: LogRecord, whose: Whose) -> Observation:
    """``api_request``: an answered request and its counts."""
    return request(record.attributes, whose, _moment(record, whose))


def request(attributes: Attributes, whose: Whose, at: _Moment) -> Observation:
    """One request with its counts, of an event or a span.

    A response always reads something, so counts of zeros were written by a client that
    received none. Writes without a split are an estimate of those for five minutes.

    Raises:
        UnusableItemError: A count is none.
    """
    usage, lesser = _counts(attributes)
    seen = _seen(attributes, whose, at)
    return msgspec.structs.replace(
        seen,
        parts=(Part(seen.parts[0].model, usage),),
        evidence=int(Evidence.REPORTED) if usage else _MISSING,
        lesser=lesser,
        stated_cost=_cost(attributes),
    )


def _counts(attributes: Attributes) -> tuple[dict[str, int], Lesser | None]:
    uncached = count(attributes, "input_tokens") or 0
    read = count(attributes, "cache_read_tokens") or 0
    written = count(attributes, "cache_creation_tokens") or 0
    minutes = count(attributes, "cache_creation_5m_tokens")
    hour = count(attributes, "cache_creation_1h_tokens")
    output = count(attributes, "output_tokens") or 0
    short = max(minutes or 0, written - (hour or 0))
    if not (uncached or read or short or hour or output):
        return {}, None
    usage: dict[str, int] = {
        Unit.UNCACHED_INPUT.value: uncached,
        Unit.CACHE_READ.value: read,
        Unit.CACHE_WRITE_5M.value: short,
        Unit.CACHE_WRITE_1H.value: hour or 0,
        Unit.OUTPUT.value: output,
    }
    if written and minutes is None and hour is None:
        del usage[Unit.CACHE_WRITE_1H.value]
        return usage, {Unit.CACHE_WRITE_5M.value: int(Evidence.ESTIMATED)}
    return usage, None


def _cost(attributes: Attributes) -> Money | None:
    micros = whole(attributes.get("cost_usd_micros"))
    if micros is not None:
        return stated(Decimal(micros).scaleb(-6))
    dollars = attributes.get("cost_usd")
    if isinstance(dollars, bool) or not isinstance(dollars, int | Decimal):
        return None
    return stated(Decimal(dollars))


def _error(record: LogRecord, whose: Whose) -> Observation:
    """``api_error``: a request that brought no answer. Its text is never kept."""
    seen = _seen(record.attributes, whose, _moment(record, whose))
    return msgspec.structs.replace(seen, failure=failure(record.attributes))


def failure(attributes: Attributes) -> str:
    """Why a request failed: the status of the answer, or that there was none."""
    status = whole(attributes.get("status_code"))
    return "connection" if status is None else str(status)


def _refusal(record: LogRecord, whose: Whose) -> Observation | None:
    """``api_refusal``: the model declined. Its usage comes with the ``api_request``."""
    if text(record.attributes, "request_id") is None:
        return None
    seen = _seen(record.attributes, whose, _moment(record, whose))
    return msgspec.structs.replace(
        seen, tags=tuple(sorted((*seen.tags, ("outcome", "refusal"))))
    )


def _response_body(record: LogRecord, whose: Whose) -> Observation | None:
    """``api_response_body``: the only event that knows the message id.

    Of a whole body the usage is read too; its content never leaves this function.
    """
    attributes = record.attributes
    message = _message(attributes.get("body"))
    message_id = message.id or text(attributes, "message.id")
    if message_id is None or not looks_like_the_providers(message_id):
        return None
    at = _moment(record, whose)
    seen = _seen(attributes, whose, at)
    seen = msgspec.structs.replace(seen, message_id=message_id)
    if message.usage is None:
        return seen
    moment = _EPOCH + timedelta(milliseconds=at.at)
    draft = Draft(Line(), message, 0, moment)
    told = observation(draft, project=None, agent=None)
    return msgspec.structs.replace(
        seen,
        parts=told.parts,
        conditions=told.conditions,
        evidence=told.evidence,
        lesser=told.lesser,
    )


def _message(body: object) -> Message:
    if not isinstance(body, str):
        return Message()
    try:
        answer = _decode_answer(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return Message()
    return Message(answer.id, answer.model, answer.stop_reason, answer.usage)


_READERS: dict[str, Callable[[LogRecord, Whose], Observation | None]] = {
    "api_request": _request,
    "api_error": _error,
    "api_refusal": _refusal,
    "api_response_body": _response_body,
}


def llm_request(span: Span, whose: Whose) -> Observation:
    """A span ``claude_code.llm_request``: the same request as its event.

    Raises:
        UnusableItemError: A count or the time is unusable.
    """
    attributes = span.attributes
    at = _Moment(whose.instant(span.end), span.own)
    if span.failed or attributes.get("success") is False:
        seen = _seen(attributes, whose, at)
        return msgspec.structs.replace(seen, failure=failure(attributes))
    return request(attributes, whose, at)


def _moment(record: LogRecord, whose: Whose) -> _Moment:
    attributes = record.attributes
    said = text(attributes, "event.timestamp")
    at = _instant(said) if said else None
    at = whose.instant(record.time) if at is None else whose.within(at)
    session = text(attributes, "session.id")
    sequence = whole(attributes.get("event.sequence"))
    if session is None or sequence is None:
        return _Moment(at, digest(attributes.items(), record.time))
    return _Moment(at, f"{session}/{sequence}/{at}")


def _instant(said: str) -> Instant | None:
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:
        return None
    return None if moment.tzinfo is None else instant(moment)


def _seen(attributes: Attributes, whose: Whose, moment: _Moment) -> Observation:
    """What every event tells: which request it was, and whose.

    It was there as soon as it was asked, before any line of a transcript: so a project
    that is named here is the response's.
    """
    latency = duration(attributes, "duration_ms")
    source = text(attributes, "query_source")
    platform = text(attributes, "anthropic.provider")
    speed = text(attributes, "speed")
    tags = dict(whose.tags)
    if source is not None:
        tags["query_source"] = source
    return Observation(
        message_id=None,
        request_id=_request_id(attributes, whose) or whose.request_id(moment.own),
        session=text(attributes, "session.id"),
        first_at=moment.at - (latency or 0),
        at=moment.at,
        line=0,
        parts=(Part(text(attributes, "model") or "", {}),),
        conditions=Conditions(
            speed=_SPEEDS.get(speed, speed) if speed else None,
            platform=platform if platform in _PLATFORMS else None,
        ),
        evidence=_MISSING,
        sidechain=source is not None and source.startswith(_SIDE_CHAIN),
        project=whose.project,
        agent=text(attributes, "agent.name"),
        skill=text(attributes, "skill.name"),
        provider="anthropic",
        app=APP,
        user=text(attributes, "user.account_id", "user.email", "user.id"),
        machine=whose.machine,
        key=whose.sender.key,
        tags=tuple(sorted(tags.items())),
        latency_ms=latency,
    )


def _request_id(attributes: Attributes, whose: Whose) -> str | None:
    """The provider's id of the request; on other clouds it is a UUID."""
    given = text(attributes, "request_id")
    if given is not None and _UUID.fullmatch(given):
        return given
    return whose.named(given)

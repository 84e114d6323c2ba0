"""Spans of model calls, in the dialects that are about: one response for each call.

===================  ==========================================================
Anthropic's SDK      scope ``com.anthropic.sdk.…``, ``gen_ai.usage.*``
OpenTelemetry        ``gen_ai.usage.*``, cache as ``cache_read.input_tokens`` and
                     ``cache_creation.`` or (newer) ``cache_write.input_tokens``
OpenLLMetry          the same names with ``cache_read_input_tokens`` and
                     ``cache_creation_input_tokens``
OpenInference        ``llm.token_count.prompt``, ``.completion``, ``.prompt_details.*``
Claude Code          ``claude_code.llm_request``, see ``otlp_claude_code``
===================  ==========================================================

Only a call of a model counts. Spans above it (agents, chains, workflows) repeat its sums,
and so does a call that has another one below it in the same request: it is left out.

Whether the input includes what was read from and written to the cache is told by the
scope (``INCLUDING``), by the numbers where the cache is larger than the input, or by
a provider who always includes it. Where none of them tells, the input without the cache
is kept as a lower bound, and the scope is reported as a problem.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from tollbook.core.identity import looks_like_the_providers
from tollbook.core.observation import (
    Conditions,
    Evidence,
    Lesser,
    Observation,
    Part,
)
from tollbook.core.units import Unit
from tollbook.formats.otlp import (
    NANOS_PER_MS,
    Attributes,
    Group,
    Span,
    UnusableItemError,
    count,
    text,
)
from tollbook.formats.otlp_claude_code import LLM_REQUEST, llm_request
from tollbook.formats.otlp_claude_code import SCOPE as CLAUDE_CODE
from tollbook.formats.otlp_sender import Heard, Sender, Whose

INCLUDING = re.compile(
    r"com\.anthropic\.sdk\..+"
    r"|opentelemetry\.util\.genai(\..+)?"
    r"|opentelemetry\.instrumentation\.anthropic(\..+)?"
    r"|openinference\.instrumentation\.(anthropic|bedrock)(\..+)?",
)
"""Scopes whose input includes what was read from and written to the cache, by their
sources (2026-11-24): Anthropic's SDKs, OpenTelemetry's own and OpenLLMetry's package for
Anthropic, OpenInference's for Anthropic and Bedrock."""

_INCLUDING_PROVIDERS = re.compile(
    r"openai|azure[._].*|gcp[._].*|gemini|google|vertex_?ai|deepseek|groq|x_?ai|mistral_?ai"
)
"""Providers whose own count of the input includes the cached part."""

_CALLS = {"chat", "completion", "generate_content", "text_completion", "embeddings"}
_INPUT = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens")
_INPUTS = (*_INPUT, "llm.token_count.prompt")
_OUTPUTS = (
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.token_count.completion",
)
_READS = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "gen_ai.usage.input_tokens.cached",
    "llm.token_count.prompt_details.cache_read",
)
_WRITES = (
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "gen_ai.usage.input_tokens.cache_write",
    "llm.token_count.prompt_details.cache_write",
)
_SPLIT = "anthropic.usage.cache_creation.ephemeral_{}_input_tokens"
_COMPACTION = "anthropic.usage.compaction.{}_tokens"
_MODELS = (
    "gen_ai.response.model",
    "gen_ai.request.model",
    "llm.model_name",
)
_SESSIONS = (
    "session.id",
    "gen_ai.conversation.id",
    "anthropic.session.id",
    "traceloop.association.properties.session_id",
)
_USERS = ("user.id", "enduser.id", "traceloop.association.properties.user_id")
_PROVIDERS = ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system")
_PLATFORMS = {
    "aws.bedrock": "bedrock",
    "gcp.vertex_ai": "vertex",
    "vertex_ai": "vertex",
    "azure.ai.foundry": "foundry",
}
_ESTIMATED, _PARTIAL = int(Evidence.ESTIMATED), int(Evidence.PARTIAL)
_SCOPE_SHOWN = _FAILURE_MAX = 64
_ANTHROPIC = "com.anthropic."


class _Counts(msgspec.Struct, frozen=True, gc=False):
    """A span's counts, with what of them is less than reported."""

    usage: dict[str, int]
    lesser: dict[str, int]
    unclear: bool  # whether the input includes the cache could not be told


def hear(heard: Heard, groups: Sequence[Group[Span]], sender: Sender) -> None:
    """Add what all spans of one request say of usage."""
    above = _above(groups)
    for group in groups:
        whose = heard.whose(sender, group)
        for number, span in enumerate(group.items if whose else (), start=1):
            assert whose is not None
            try:
                seen = _heard(heard, span, group.scope, whose, above)
            except UnusableItemError as error:
                heard.refuse(f"span: {error}")
                continue
            if seen is not None:
                heard.observations.append(msgspec.structs.replace(seen, line=number))


def _heard(
    heard: Heard, span: Span, scope: str, whose: Whose, above: set[tuple[str, str]]
) -> Observation | None:
    if scope.startswith(CLAUDE_CODE):
        return llm_request(span, whose) if span.name == LLM_REQUEST else None
    if not _is_call(span, scope) or (span.trace, span.span) in above:
        return None
    return _call(heard, span, scope, whose)


def _is_call(span: Span, scope: str) -> bool:
    """Whether a span is one call of a model, by what its dialect says of it."""
    attributes = span.attributes
    if scope.startswith(_ANTHROPIC) and span.name != "anthropic.messages.create":
        # The API's inner steps repeat their call; one that names the message joins it.
        return looks_like_the_providers(_response(span) or "") is not None
    kind = text(attributes, "openinference.span.kind")
    if kind is not None:
        return kind.upper() in ("LLM", "EMBEDDING")
    if text(attributes, "traceloop.span.kind") is not None:
        return False
    operation = text(attributes, "gen_ai.operation.name", "llm.request.type")
    if operation is not None:
        return operation in _CALLS
    told = span.client or _response(span) is not None
    return told and any(name in attributes for name in _INPUTS)


def _response(span: Span) -> str | None:
    return text(span.attributes, "gen_ai.response.id")


def _above(groups: Sequence[Group[Span]]) -> set[tuple[str, str]]:
    """The spans that stand above a call of a model."""
    parents = {
        (span.trace, span.span): span.parent for group in groups for span in group.items
    }
    above: set[tuple[str, str]] = set()
    for group in groups:
        for span in group.items:
            place = (span.trace, span.parent)
            if span.parent not in ("", span.span) and _is_call(span, group.scope):
                while place in parents and place not in above:
                    above.add(place)
                    place = (span.trace, parents[place])
    return above


def _call(heard: Heard, span: Span, scope: str, whose: Whose) -> Observation | None:
    attributes = span.attributes
    provider = (text(attributes, *_PROVIDERS) or "").lower() or None
    counts = _counts(attributes, scope, provider)
    failed = span.failed and not counts.usage
    if not counts.usage and not failed:
        return None
    if counts.unclear:
        heard.find(
            "otlp-input",
            f"spans of scope {scope[:_SCOPE_SHOWN]!r} do not tell whether their input "
            "includes the cache; a lower bound was kept",
        )
    at = whose.instant(span.end)
    message_id, request_id = _ids(span, whose)
    latency = max(0, span.end - span.start) // NANOS_PER_MS if span.start else None
    return Observation(
        message_id=message_id,
        request_id=request_id,
        session=text(attributes, *_SESSIONS),
        first_at=at - (latency or 0),
        at=at,
        line=0,
        parts=_parts(attributes, counts),
        conditions=_conditions(attributes, provider),
        evidence=int(Evidence.REPORTED if counts.usage else Evidence.MISSING),
        lesser=_lesser(attributes, counts),
        project=whose.project,
        agent=text(attributes, "gen_ai.agent.name"),
        provider=provider,
        app=whose.app,
        user=text(attributes, *_USERS),
        machine=whose.machine,
        key=whose.sender.key,
        tags=whose.tags,
        latency_ms=latency,
        failure=_failure(attributes) if failed else None,
    )


def _failure(attributes: Attributes) -> str:
    return (text(attributes, "error.type") or "error")[:_FAILURE_MAX]


def _ids(span: Span, whose: Whose) -> tuple[str | None, str | None]:
    """Message id and request id; what is no id of the provider is the project's own."""
    response = _response(span)
    request = whose.named(text(span.attributes, "anthropic.request.id"))
    if response is not None and looks_like_the_providers(response):
        return response, request
    if request is None:
        request = whose.request_id(span.own if response is None else response)
    return None, request


def _counts(attributes: Attributes, scope: str, provider: str | None) -> _Counts:
    given = count(attributes, *_INPUTS)
    output = count(attributes, *_OUTPUTS)
    usage, lesser = _cache(attributes)
    unclear = False
    if given is not None:
        cached = sum(usage.values())
        uncached = given if cached > given else given - cached
        usage[Unit.UNCACHED_INPUT.value] = uncached
        unclear = 0 < cached <= given and not _includes(scope, provider)
        if unclear:
            lesser[Unit.UNCACHED_INPUT.value] = _PARTIAL
    usage[Unit.OUTPUT.value] = output or 0
    if output is None:  # a stream that ended before its count
        lesser[Unit.OUTPUT.value] = _PARTIAL
    if not any(usage.values()):
        return _Counts({}, {}, unclear=False)
    return _Counts(usage, lesser, unclear)


def _includes(scope: str, provider: str | None) -> bool:
    return INCLUDING.fullmatch(scope) is not None or (
        provider is not None and _INCLUDING_PROVIDERS.fullmatch(provider) is not None
    )


def _cache(attributes: Attributes) -> tuple[dict[str, int], dict[str, int]]:
    """Reads and writes by lifetime; writes without a split are an estimate."""
    usage: dict[str, int] = {}
    read, written = count(attributes, *_READS), count(attributes, *_WRITES)
    minutes = count(attributes, _SPLIT.format("5m"))
    hour = count(attributes, _SPLIT.format("1h"))
    if read is not None:
        usage[Unit.CACHE_READ.value] = read
    if written is None and minutes is None and hour is None:
        return usage, {}
    usage[Unit.CACHE_WRITE_5M.value] = max(minutes or 0, (written or 0) - (hour or 0))
    if written and minutes is None and hour is None:
        return usage, {Unit.CACHE_WRITE_5M.value: _ESTIMATED}
    usage[Unit.CACHE_WRITE_1H.value] = hour or 0
    return usage, {}


def _parts(attributes: Attributes, counts: _Counts) -> tuple[Part, ...]:
    """The call, and the compactions that its own counts leave out."""
    model = text(attributes, *_MODELS) or ""
    main = Part(model, counts.usage)
    compaction = _compaction(attributes)
    return (main, Part(model, compaction, "compaction")) if compaction else (main,)


def _compaction(attributes: Attributes) -> dict[str, int]:
    given = count(attributes, _COMPACTION.format("input"))
    output = count(attributes, _COMPACTION.format("output"))
    if not given and not output:
        return {}
    return {Unit.UNCACHED_INPUT.value: given or 0, Unit.OUTPUT.value: output or 0}


def _lesser(attributes: Attributes, counts: _Counts) -> Lesser | None:
    """What is known less well. A compaction's input may have been cached: an estimate."""
    lesser = dict(counts.lesser)
    if counts.usage and _compaction(attributes):
        lesser[Unit.UNCACHED_INPUT.value] = _ESTIMATED
    return lesser or None


def _conditions(attributes: Attributes, provider: str | None) -> Conditions:
    return Conditions(
        service_tier=text(
            attributes,
            "anthropic.response.service_tier",
            "openai.response.service_tier",
            "gen_ai.openai.response.service_tier",
        ),
        platform=_PLATFORMS.get(provider or ""),
    )

"""What the relay writes of one request when it has ended."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from tollbook.core.identity import is_providers_request, looks_like_the_providers
from tollbook.core.observation import Evidence, Instant, Observation, Part
from tollbook.core.units import Unit
from tollbook.formats.metered import Metered
from tollbook.ledger.relaying import Opened

PROVIDER = "anthropic"
_TAG = re.compile(r"[\x21-\x7e]{1,200}")


class Asker(msgspec.Struct, frozen=True, kw_only=True):
    """Who sent a request. ``None``: not known."""

    key: str | None = None
    user: str | None = None
    app: str | None = None
    sidechain: bool = False


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer said besides its usage, and how it came."""

    request_id: str | None = None  # the upstream's
    latency_ms: int
    at: Instant  # when it ended
    marks: Mapping[str, str | None] = {}  # tags; ``None``: none


def row(opened: Opened, asker: Asker, metered: Metered, told: Told) -> Observation:
    """The one row of a request."""
    given = told.request_id or ""
    theirs = is_providers_request(given) is not None
    message = metered.message_id or ""
    known = looks_like_the_providers(message) is not None
    marks: dict[str, str | None] = {
        "state": metered.state,
        "lacked": "+".join(metered.lacked),
        "flags": "+".join(metered.flags),
        "error": metered.error_type,
        "stop_reason": metered.stop_reason,
        "upstream_request_id": None if theirs else given,
        "upstream_message_id": None if known else message,
        "unwritten": None if opened.secured else "yes",
        **_written(metered),
        **told.marks,
    }
    tags = [(k, v) for k, v in marks.items() if v and _TAG.fullmatch(v)]
    return Observation(
        message_id=message if known else None,
        request_id=given if theirs else opened.own_id,
        session=opened.session,
        first_at=opened.at,
        at=max(opened.at, told.at),
        line=0,
        parts=metered.parts or (Part(metered.model or opened.model or "", {}),),
        conditions=metered.conditions,
        evidence=int(metered.evidence),
        lesser=metered.lesser,
        sidechain=asker.sidechain,
        project=opened.project,
        provider=PROVIDER,
        app=asker.app,
        user=asker.user,
        key=asker.key,
        tags=tuple(sorted(tags)),
        latency_ms=told.latency_ms,
        failure=metered.failure,
    )


def with_input(metered: Metered, tokens: int) -> Metered:
    """A count the upstream gave on asking, beside what the answer lacked: an estimate."""
    first, *others = metered.parts or (Part(metered.model or "", {}),)
    usage = {Unit.UNCACHED_INPUT: tokens, **first.usage}
    parts = (Part(first.model, usage, first.kind), *others)
    if metered.evidence == Evidence.MISSING:
        return msgspec.structs.replace(
            metered, parts=parts, evidence=int(Evidence.ESTIMATED)
        )
    lesser = {Unit.UNCACHED_INPUT: int(Evidence.ESTIMATED), **(metered.lesser or {})}
    return msgspec.structs.replace(metered, parts=parts, lesser=lesser)


def lacks_input(metered: Metered) -> bool:
    """Whether an answer that was given does not say what it read."""
    known = any(Unit.UNCACHED_INPUT in part.usage for part in metered.parts)
    return metered.failure is None and not known


def _written(metered: Metered) -> dict[str, str | None]:
    """How many characters the answer wrote, by class: what estimates are made from."""
    chars = metered.output_chars
    return {
        f"chars_{name}": str(count) if count else None
        for name, count in (
            ("text", chars.text),
            ("thinking", chars.thinking),
            ("tool_input", chars.tool_input),
        )
    }

"""What one source said about one response: a fact, kept and never changed."""

from __future__ import annotations

from enum import IntEnum

import msgspec

from tollbook.core.money import Money

Instant = int
"""Whole milliseconds since 1970-01-01T00:00Z. An integer has no zone to forget; it
becomes an aware ``datetime`` where people read it."""


class Evidence(IntEnum):
    """How good a statement is; the higher one is believed."""

    MISSING = 0  # there was a response, its usage is not known
    ESTIMATED = 1
    APPORTIONED = 2  # this response's share of a statement
    PARTIAL = 3  # a placeholder, or a stream that ended early: a lower bound
    REPORTED = 4  # the provider's own usage object, final


MESSAGE = "message"  # the kind of the part that made the answer
Lesser = dict[str, int]
"""Units that are known less well than the rest of a statement, each with its
``Evidence``."""


class Part(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one model did for a response.

    ``kind`` is the provider's word: ``message``, ``compaction``, ``advisor_message`` or
    ``fallback_message``. ``model`` is the id as the source wrote it.
    """

    model: str
    usage: dict[str, int]
    kind: str = MESSAGE


class Conditions(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What besides model and time decides the price. ``None``: not stated."""

    service_tier: str | None = None  # "standard", "batch", "priority"
    speed: str | None = None  # "standard", "fast"
    inference_geo: str | None = None  # "us", "global", "not_available"
    platform: str | None = None  # "bedrock", "vertex", ...; None: the Claude API


Standing = dict[str, tuple[int, int]]
"""By unit: how many are known, and with which ``Evidence``."""


class Adjustment(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Who corrected what a response counted, when, why and from what; or took it back.

    ``run`` and ``number`` name it: all that was corrected at once has one ``run``. With
    ``withdrawn`` it takes back the one it names, for good; the correction itself stays.
    """

    run: str
    number: int
    withdrawn: bool
    who: str
    at: Instant
    why: str
    basis: str  # what it was taken from: "console", "window", "person"
    before: Standing = {}
    after: Standing = {}


class Observation(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one source said about one response.

    Where it was said (``Batch.origin``, ``line``) lets anybody look it up again. One
    observation may stand for several lines of one file that spoke of the same response:
    ``first_at`` is the earliest of them, ``at`` the latest that gave the best count.
    """

    message_id: str | None
    request_id: str | None
    session: str | None
    first_at: Instant
    at: Instant
    line: int
    parts: tuple[Part, ...]
    conditions: Conditions
    evidence: int = Evidence.REPORTED
    lesser: Lesser | None = None
    sidechain: bool = False  # said by a sub-agent or an aside
    copied: bool = False  # a copy that names the session it was copied from
    project: str | None = None  # the folder's name below ``projects``
    branch: str | None = None
    agent: str | None = None  # the sub-agent's type
    skill: str | None = None
    tools: tuple[str, ...] = ()  # names of the tools the response called, sorted
    stated_cost: Money | None = None
    lines: int = 1  # how many lines it stands for
    provider: str | None = None  # who served it: "anthropic", "openai", ...
    app: str | None = None  # the program that asked: "claude_code", "llm_router", ...
    user: str | None = None
    machine: str | None = None
    key: str | None = None  # the id of the key that reported it; never the key
    tags: tuple[tuple[str, str], ...] = ()  # sorted, one value for each name
    latency_ms: int | None = None
    failure: str | None = None  # why the request brought no answer: "429", "connection"
    adjustment: Adjustment | None = None  # it corrects what others said


class Call(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """That a request was sent (``asked``), or that a response refers to it.

    A call that was asked and never answered is one whose usage no line holds.
    """

    reference: str
    asked: bool
    session: str | None = None
    at: Instant | None = None
    model: str | None = None
    project: str | None = None


class ModelTotal(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One model's line of a statement."""

    model: str
    usage: dict[str, int]
    stated_cost: Money | None = None


class StatementLine(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Somebody else's running total: held against the charges, never added to them.

    A later snapshot of the same ``session`` and ``series`` has the larger ``sequence``.
    Statements of different series stand beside each other: they add up.
    """

    session: str
    sequence: int
    stated_cost: Money
    models: tuple[ModelTotal, ...]
    line: int = 0
    series: str = ""  # what tells the counters of one session apart

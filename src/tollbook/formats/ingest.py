"""A record to an observation, or to the reason why not.

Identity: a message or request id of the provider's is taken as it is. Every other id is
the sender's own and holds within its project. A record without any is known by a digest
of what it says, where it says when; else by a mark the caller made up, and then a second
sending counts again.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from hashlib import sha256
from typing import NoReturn

import msgspec
from msgspec import UNSET

from tollbook.core.control import unfit
from tollbook.core.identity import (
    is_providers_request,
    looks_like_the_providers,
    own_id,
)
from tollbook.core.money import Money, nearest_pico
from tollbook.core.observation import Conditions, Evidence, Instant, Observation
from tollbook.core.units import Unit
from tollbook.formats.ingest_record import Record, RecordError, Refused
from tollbook.formats.ingest_tags import Tags, bounded, lift, tags_of
from tollbook.formats.ingest_usage import count

PAST_MAX = 400 * 86_400_000
FUTURE_MAX = 600_000
TOOLS_MAX = 64

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_COST_MAX = Decimal(1_000_000)  # dollars for one response
_LATENCY_MAX = Decimal(10**9)  # milliseconds
_ERROR_STATUS = 400
_WORD_MAX = 64
_DIGEST_CHARS = 32  # 128 bits

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_SECONDS = slice(17, 19)
_REASON = re.compile(r"[\w.:/ -]{1,64}", re.ASCII)
_FINE = frozenset(("ok", "success", "succeeded", "completed", "done"))
_MISSING = int(Evidence.MISSING)
_REPORTED = int(Evidence.REPORTED)
_EVIDENCE = {"reported": _REPORTED, "estimated": int(Evidence.ESTIMATED)}
_PARTIAL = {Unit.OUTPUT.value: int(Evidence.PARTIAL)}
_NO_CONDITIONS = Conditions()


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of all records of a request or a file, beside what they say.

    Args:
        now: When they arrived, also the time of a record that states none.
        nonce: Made up anew for each request; marks records that nothing else marks.
        project: For records that name none.
        projects: Those that may be reported for; ``None``: all.
        key: The id of the key.
        idempotency_key: The request's own mark.
        timeless: Whether a record may lack a time.
        past_max: How many milliseconds a time may lie back; ``None``: any.
    """

    now: Instant
    nonce: str
    project: str | None = None
    projects: tuple[str, ...] | None = None
    key: str | None = None
    idempotency_key: str | None = None
    timeless: bool = True
    past_max: int | None = PAST_MAX


def observe(record: Record, given: Given, number: int) -> Observation | Refused:
    """What a record says, as the ``number``-th of its request or file."""
    try:
        return _observe(record, given, number)
    except RecordError as error:
        return Refused(code=error.code, message=str(error), path=error.path)


def _observe(record: Record, given: Given, number: int) -> Observation:
    project = _project(record.project_id or given.project, given.projects)
    parts = count(record)
    at = _at(record, given)
    message_id, request_id = _ids(record, given, number, project)
    lifted, tags = _context(record)
    known = bool(parts[0].usage) or any(part.usage for part in parts)
    evidence, lesser = _evidence(record.evidence or "reported", known=known)
    who = _who(record, lifted)
    session, branch, agent, skill, app, user, machine, provider = who
    _hold_no_control((record.model, *who), record)
    return Observation(
        message_id,
        request_id,
        session,
        at,
        at,
        number,
        parts,
        _conditions(record),
        evidence,
        lesser,
        False,  # noqa: FBT003  # no side chain,
        False,  # noqa: FBT003  # no copy
        project,
        branch,
        agent,
        skill,
        _tools(record) if record.tools else (),
        _cost(record),
        1,
        provider,
        app,
        user,
        machine,
        given.key,
        tags,
        _latency(record),
        _failure(record),
    )


def _who(record: Record, lifted: dict[str, str]) -> tuple[str | None, ...]:
    """Session, branch, agent, skill, app, user, machine and provider."""
    got = lifted.get
    return (
        record.session_id or got("session"),
        record.branch or got("branch"),
        record.agent or got("agent"),
        record.skill or got("skill"),
        record.app or got("app"),
        record.user or got("user"),
        record.machine or got("machine"),
        record.provider.lower() if record.provider else None,
    )


def _refuse(code: str, path: str, message: str) -> NoReturn:
    raise RecordError(message, code=code, path=path)


def _project(named: str | None, projects: tuple[str, ...] | None) -> str | None:
    if named is None:
        if projects is None:
            return None
        if len(projects) == 1:
            return projects[0]
        message = "the key serves several projects; say which with project_id"
        _refuse("record-project", "project_id", message)
    wrong = _unfit(named)
    if wrong:
        message = f"the project's name {wrong}; choose another"
        _refuse("record-project", "project_id", message)
    if projects is not None and named not in projects:
        message = "the key does not serve this project; use one that does"
        _refuse("record-forbidden", "project_id", message)
    return named


@lru_cache(maxsize=4096)
def _unfit(project: str) -> str | None:
    return unfit(project)


def _hold_no_control(texts: tuple[str | None, ...], record: Record) -> None:
    """Refuse names that could steer a terminal or end a line."""
    if "".join(filter(None, texts)).isprintable():
        return
    for text in texts:
        if text and _CONTROL.search(text):
            where = "model" if text == record.model else ""
            _refuse(
                "record-text", where, "a name holds a control character; leave it out"
            )


def instant_of(text: str) -> Instant:
    """An RFC 3339 time with its zone, in milliseconds.

    A leap second is the second after it, as everywhere in POSIX time.

    Raises:
        RecordError: It is no such time.
    """
    if not _TIME.fullmatch(text):
        message = "no RFC 3339 time with a zone, such as 2026-11-22T10:00:00Z"
        _refuse("record-time", "timestamp", message)
    leap = text[_SECONDS] == "60"
    try:
        at = datetime.fromisoformat(f"{text[:17]}59{text[19:]}" if leap else text)
    except ValueError:
        _refuse(
            "record-time", "timestamp", "no day of the calendar, or time of the day"
        )
    return (at - _EPOCH) // _MILLISECOND + (1000 if leap else 0)


def _at(record: Record, given: Given) -> Instant:
    if not record.timestamp:
        if given.timeless:
            return given.now
        _refuse(
            "record-time", "timestamp", "it has no time; without one it has no price"
        )
    at = instant_of(record.timestamp)
    if at > given.now + FUTURE_MAX:
        message = "over 10 minutes ahead; set the sender's clock"
        _refuse("record-time", "timestamp", message)
    if given.past_max is not None and at < given.now - given.past_max:
        message = "over 400 days ago; bring old records in with `tollbook import`"
        _refuse("record-time", "timestamp", message)
    return at


def _ids(
    record: Record, given: Given, number: int, project: str | None
) -> tuple[str | None, str | None]:
    """The provider's message id, and the request's id: the provider's or the sender's."""
    message_id = request_id = own = None
    mark = f"{given.idempotency_key}/{number}" if given.idempotency_key else None
    for text in (
        record.idempotency_key,
        mark,
        record.id,
        record.request_id,
        record.message_id,
    ):
        if not text:
            continue
        if looks_like_the_providers(text):
            message_id = message_id or text
        elif is_providers_request(text):
            request_id = request_id or text
        else:
            own = own or text
    if own is None and message_id is None and request_id is None:
        own = _digest(record) if record.timestamp else f"{given.nonce}/{number}"
    elif own is not None and not own.isprintable() and _CONTROL.search(own):
        _refuse("record-text", "id", "an id holds a control character; leave it out")
    if request_id is None and own is not None:
        request_id = own_id(project, own)
    return message_id, request_id


def _digest(record: Record) -> str:
    canonical = msgspec.json.encode(record, order="deterministic")
    return f"sha256-{sha256(canonical).hexdigest()[:_DIGEST_CHARS]}"


def _context(record: Record) -> tuple[dict[str, str], Tags]:
    """What the metadata holds that has a place, and the tags."""
    lifted: dict[str, str] = {}
    tags: dict[str, str] = {}
    if record.metadata:
        lifted, tags = lift(record.metadata)
    if record.tags:
        tags |= tags_of(record.tags)
    return lifted, bounded(tags) if tags else ()


def _evidence(stated: str, *, known: bool) -> tuple[int, dict[str, int] | None]:
    if not known:
        return _MISSING, None
    if stated == "partial":
        return _REPORTED, _PARTIAL
    evidence = _EVIDENCE.get(stated)
    if evidence is None:
        _refuse("record-shape", "evidence", "one of reported, partial, estimated")
    return evidence, None


def _conditions(record: Record) -> Conditions:
    usage = record.usage or None
    tier = record.service_tier or (usage.service_tier if usage else None)
    speed = record.speed or (usage.speed if usage else None)
    geo = record.inference_geo or (usage.inference_geo if usage else None)
    platform = record.platform or None
    if not (tier or speed or geo or platform):
        return _NO_CONDITIONS
    return _condition(tier or None, speed or None, geo or None, platform)


@lru_cache(maxsize=1024)
def _condition(*stated: str | None) -> Conditions:
    """The conditions of a response, each combination built once."""
    for text in filter(None, stated):
        if len(text) > _WORD_MAX or not text.isprintable():
            message = f"a condition has up to {_WORD_MAX} printable characters"
            _refuse("record-text", "", message)
    return Conditions(*stated)


def _tools(record: Record) -> tuple[str, ...]:
    tools = tuple(sorted({*(record.tools or ())} - {""}))
    if len(tools) > TOOLS_MAX or _CONTROL.search("".join(tools)):
        _refuse(
            "record-text",
            "tools",
            f"up to {TOOLS_MAX} names of tools, no control signs",
        )
    return tools


def _cost(record: Record) -> Money | None:
    cost = record.cost_usd
    if cost is None or cost is UNSET:
        return None
    if not cost.is_finite() or not 0 <= cost <= _COST_MAX:
        _refuse(
            "record-cost", "cost_usd", f"dollars from 0 to {_COST_MAX:,}, in digits"
        )
    return nearest_pico(cost)


def _latency(record: Record) -> int | None:
    latency = record.latency_ms
    if latency is None or latency is UNSET:
        return None
    if not latency.is_finite() or not 0 <= latency <= _LATENCY_MAX:
        _refuse(
            "record-shape", "latency_ms", f"milliseconds from 0 to {_LATENCY_MAX:,}"
        )
    return int(latency)


def _failure(record: Record) -> str | None:
    """Why there was no answer: a status or the error's type, never its text."""
    status, error = record.status, record.error
    if not status and not error:
        return None
    if isinstance(status, int) and status >= _ERROR_STATUS:
        return str(status)
    if error:
        kind = error.get("type") if isinstance(error, dict) else error
        return kind if isinstance(kind, str) and _REASON.fullmatch(kind) else "error"
    if isinstance(status, str) and status.lower() not in _FINE:
        if status.isdecimal() and int(status) < _ERROR_STATUS:
            return None
        return status if _REASON.fullmatch(status) else "error"
    return None

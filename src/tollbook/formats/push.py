"""What one ledger tells another: facts, as they are kept, in MessagePack.

The body is a map, an item of its ``facts`` an array. One fact may come in several
pieces, and any of them any number of times::

    {"version": 1, "user": "ada", "machine": "laptop", "project": null, "facts": [
      [17, "claude-code", "/home/ada/.claude/…/3f0c.jsonl", [observation, …], [call, …],
       [statement, …]]]}

The answer is JSON: ``{"observations": 1200, "added": 900, "repeated": 300, "refused": 0,
"refused_others": 0, "refusals": []}``.

Observations, calls and statements are the arrays of ``core.observation``: a newer sender
may say more at their end, an older one less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Annotated, TypeVar

import msgspec

from tollbook.core.identity import is_providers_request, own_id
from tollbook.core.observation import (
    Adjustment,
    Call,
    Evidence,
    Observation,
    StatementLine,
)
from tollbook.core.units import COUNT_MAX

VERSION = 1
TEXT_MAX = 4096
MEMBERS_MAX = 1000
"""How many parts, units, tools or tags one observation may have."""

_INT_MAX = 2**63 - 1
_INSTANT_END = 253_402_300_800_000  # the year 10000
_T = TypeVar("_T", Observation, Call, StatementLine)
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=TEXT_MAX)]


class WireFact(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A batch of facts on its way; its members are decoded one by one."""

    id: int
    source: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    origin: Annotated[str, msgspec.Meta(max_length=TEXT_MAX)]
    observations: Sequence[msgspec.Raw] = ()
    calls: Sequence[msgspec.Raw] = ()
    statements: Sequence[msgspec.Raw] = ()


class Sender(msgspec.Struct, frozen=True, kw_only=True):
    """Whose facts they are, where they do not say so themselves."""

    user: _Name | None = None
    machine: _Name
    project: _Name | None = None  # instead of every fact's own


class _Head(Sender, frozen=True, kw_only=True):
    version: int
    facts: list[msgspec.Raw]


class Piece(msgspec.Struct, frozen=True, gc=False):
    """What could be used of one fact, tagged with its sender."""

    source: str
    origin: str  # behind the machine's name
    observations: Sequence[Observation]
    calls: Sequence[Call]
    statements: Sequence[StatementLine]


class Refused(msgspec.Struct, frozen=True, gc=False):
    """One thing that could not be used, and why."""

    fact: int  # 0 where not even that could be read
    kind: str  # "fact", "observation", "call" or "statement"
    index: int  # its place among those of its kind in the piece
    code: str
    message: str


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a parcel; ``observations = added + repeated + refused`` of them."""

    observations: int = 0
    added: int = 0  # those that taught the receiver something
    repeated: int = 0  # those that said what it knew
    refused: int = 0  # those that it could not use, or may not take from this key
    refused_others: int = 0  # calls, statements and whole facts, for the same reasons
    refusals: Sequence[Refused] = ()  # the first of those


class Parcel(msgspec.Struct, frozen=True, gc=False):
    """A body, understood."""

    project: str | None  # the one that everything is for
    pieces: Sequence[Piece]
    refused: Sequence[Refused]


class ParcelError(ValueError):
    """A body cannot be used as a whole; ``code`` says why, for programs."""

    def __init__(self, message: str, code: str) -> None:
        self.code = code
        super().__init__(message)


class Rights(msgspec.Struct, frozen=True, kw_only=True):
    """Which key brought a body, and the projects it is limited to."""

    key: str | None = None
    projects: frozenset[str] | None = None  # ``None``: all of them


encode_item = msgspec.msgpack.Encoder().encode
_head = msgspec.msgpack.Decoder(_Head)
_fact = msgspec.msgpack.Decoder(WireFact)
_observation = msgspec.msgpack.Decoder(Observation)
_call = msgspec.msgpack.Decoder(Call)
_statement = msgspec.msgpack.Decoder(StatementLine)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def write_parcel(sender: Sender, facts: Sequence[WireFact]) -> bytes:
    """A body of some facts."""
    said = msgspec.structs.asdict(sender)
    return encode_item({"version": VERSION, **said, "facts": facts})


def parse_parcel(body: bytes, rights: Rights) -> Parcel:
    """Understand a body; what cannot be used of it is refused one by one.

    Raises:
        ParcelError: Nothing of it can be used.
    """
    try:
        head = _head.decode(body)
    except _UNREADABLE as error:
        message = f"the body is no parcel of facts ({error}); send what push sends"
        raise ParcelError(message, "not_a_parcel") from None
    if head.version != VERSION:
        message = f"version {head.version} is not understood; update the older side"
        raise ParcelError(message, "parcel_version")
    if head.project is not None and not _may(rights, head.project):
        message = "the key may not report to this project; use another key or project"
        raise ParcelError(message, "project_not_allowed")
    refused: list[Refused] = []
    pieces = [
        piece
        for raw in head.facts
        if (piece := _piece(raw, head, rights, refused)) is not None
    ]
    return Parcel(head.project, pieces, refused)


def _piece(
    raw: msgspec.Raw, sender: Sender, rights: Rights, refused: list[Refused]
) -> Piece | None:
    try:
        fact = _fact.decode(raw)
    except _UNREADABLE as error:
        refused.append(Refused(0, "fact", 0, "fact_shape", f"{error}; leave it out"))
        return None

    def usable(
        kind: str,
        raws: Sequence[msgspec.Raw],
        decoder: msgspec.msgpack.Decoder[_T],
        prepare: Callable[[_T], _T],
    ) -> Iterator[_T]:
        for index, item in enumerate(raws):
            try:
                yield prepare(decoder.decode(item))
            except ParcelError as error:
                refused.append(Refused(fact.id, kind, index, error.code, str(error)))
            except _UNREADABLE as error:
                text = f"{error}; leave it out"
                refused.append(Refused(fact.id, kind, index, f"{kind}_shape", text))

    tag = _Tag(sender, rights)
    return Piece(
        fact.source,
        f"{sender.machine}:{fact.origin}",
        list(usable("observation", fact.observations, _observation, tag.observation)),
        list(usable("call", fact.calls, _call, tag.call)),
        list(usable("statement", fact.statements, _statement, tag.statement)),
    )


class _Tag:
    """Checks what a sender says, and adds what is known of the sender."""

    def __init__(self, sender: Sender, rights: Rights) -> None:
        self._sender = sender
        self._rights = rights

    def observation(self, seen: Observation) -> Observation:
        _require(_is_sound(seen), "observation")
        sender, rights = self._sender, self._rights
        project = sender.project or seen.project
        self._require_right(project)
        request_id = seen.request_id
        if rights.projects is not None and request_id and project:
            request_id = _own(request_id, project)
        if seen.adjustment is not None:  # who corrects a request has not asked it
            return msgspec.structs.replace(seen, request_id=request_id, project=project)
        return msgspec.structs.replace(
            seen,
            request_id=request_id,
            project=project,
            user=seen.user or sender.user,
            machine=seen.machine or sender.machine,
            key=rights.key or seen.key,
        )

    def call(self, call: Call) -> Call:
        texts = (call.reference, call.session, call.model, call.project)
        instant = call.at is None or 0 <= call.at < _INSTANT_END
        _require(instant and _are_short(texts), "call")
        project = self._sender.project or call.project
        self._require_right(project)
        return msgspec.structs.replace(call, project=project)

    def statement(self, line: StatementLine) -> StatementLine:
        models = line.models
        counts = (count for total in models for count in total.usage.values())
        costs = (line.stated_cost, *(total.stated_cost or 0 for total in models))
        _require(
            len(models) <= MEMBERS_MAX
            and _are_short((line.session, line.series))
            and _are_short(total.model for total in models)
            and all(-_INT_MAX <= each <= _INT_MAX for each in costs)
            and all(0 <= each <= _INT_MAX for each in (line.sequence, line.line))
            and _are_counts(counts),
            "statement",
        )
        if self._rights.projects is not None and self._sender.project is None:
            message = "a statement names no project; push with --project"
            raise ParcelError(message, "project_not_allowed")
        return line

    def _require_right(self, project: str | None) -> None:
        if not _may(self._rights, project):
            message = "the key may not report to this project; push with --project"
            raise ParcelError(message, "project_not_allowed")


def _may(rights: Rights, project: str | None) -> bool:
    return rights.projects is None or project in rights.projects


def _own(request_id: str, project: str) -> str:
    """An id of the provider as it is; any other only within its project."""
    prefix = own_id(project, "")
    if is_providers_request(request_id) or request_id.startswith(prefix):
        return request_id
    return prefix + request_id


def _require(sound: bool, kind: str) -> None:  # noqa: FBT001 - the one thing it is about
    if not sound:
        message = "a count, time or text is out of bounds; leave it out"
        raise ParcelError(message, f"{kind}_bounds")


def _is_sound(seen: Observation) -> bool:
    """Whether the values of an observation lie where a ledger can hold them."""
    members = (seen.parts, seen.tools, seen.tags, *(part.usage for part in seen.parts))
    grades = (seen.evidence, *(seen.lesser or {}).values())
    small = (seen.line, seen.lines, seen.latency_ms or 0)
    return (
        all(len(each) <= MEMBERS_MAX for each in members)
        and len(seen.parts) > 0
        and all(0 <= grade <= Evidence.REPORTED for grade in grades)
        and all(0 <= at < _INSTANT_END for at in (seen.first_at, seen.at))
        and all(0 <= each <= COUNT_MAX for each in small)
        and -_INT_MAX <= (seen.stated_cost or 0) <= _INT_MAX
        and _are_counts(n for part in seen.parts for n in part.usage.values())
        and _are_short(_texts(seen))
        and (seen.adjustment is None or _is_sound_adjustment(seen.adjustment))
    )


def _is_sound_adjustment(made: Adjustment) -> bool:
    counts = [*made.before.values(), *made.after.values()]
    return (
        len(counts) <= MEMBERS_MAX
        and 0 <= made.number <= COUNT_MAX
        and 0 <= made.at < _INSTANT_END
        and all(0 <= grade <= Evidence.REPORTED for _, grade in counts)
        and all(0 <= count <= _INT_MAX for count, _ in counts)
        and _are_short((made.run, made.who, made.why, made.basis))
        and _are_short((*made.before, *made.after))
    )


def _texts(seen: Observation) -> Iterator[str | None]:
    yield from (
        seen.message_id, seen.request_id, seen.session, seen.project, seen.branch,
        seen.agent, seen.skill, seen.provider, seen.app, seen.user, seen.machine,
        seen.key, seen.failure,
    )  # fmt: skip
    yield from msgspec.structs.astuple(seen.conditions)
    yield from seen.tools
    for part in seen.parts:
        yield from (part.model, part.kind, *part.usage)
    for tag in seen.tags:
        yield from tag
    yield from seen.lesser or ()


def _are_short(texts: Iterable[str | None]) -> bool:
    return all(text is None or len(text) <= TEXT_MAX for text in texts)


def _are_counts(counts: Iterable[int]) -> bool:
    return all(0 <= count <= COUNT_MAX for count in counts)

"""Events as rows and back, without loss."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from tollbook.core.event import EventState, UsageEvent, lift, settle_one
from tollbook.core.identity import IdentityKind, identify, looks_like_the_providers
from tollbook.core.observation import (
    MESSAGE,
    Evidence,
    Observation,
    Part,
)
from tollbook.core.tally import Share, Tally
from tollbook.core.units import TOKEN_UNITS, Unit
from tollbook.stores.sqlite.contexts import Contexts, ContextsById
from tollbook.stores.sqlite.names import Names, Texts
from tollbook.stores.sqlite.schema import EVENT_UNIT_COLUMNS

COLUMNS = (
    "name", "kind", "moment", "request_id", "first_at", "at",
    "session", "project", "model", "context", "segment", "priced",
    *EVENT_UNIT_COLUMNS, "list_pico", "net_pico", "joined_to", "stated_pico", "latency_ms",
    "state",
)  # fmt: skip
_AT = {name: place for place, name in enumerate(("id", *COLUMNS))}
_UNITS_FROM = _AT[EVENT_UNIT_COLUMNS[0]]
_UNITS_TO = _UNITS_FROM + len(EVENT_UNIT_COLUMNS)

# Where it stands in a row that has no ``id`` yet.
CONTEXT = COLUMNS.index("context")

Row = tuple[Any, ...]
Key = tuple[str, int, int]
"""Name, kind and moment: an identity as the table spells it."""

_MESSAGE, _REQUEST = int(IdentityKind.MESSAGE), int(IdentityKind.REQUEST)
_REPORTED = int(Evidence.REPORTED)
_TOKEN_ORDER = tuple(unit.value for unit in TOKEN_UNITS)
_TOKENS = frozenset(_TOKEN_ORDER)
_COLUMN_UNITS = frozenset(EVENT_UNIT_COLUMNS)
PARTIAL_OUTPUT = {Unit.OUTPUT.value: int(Evidence.PARTIAL)}
_encode_state = msgspec.msgpack.Encoder().encode
_encode_text = msgspec.json.Encoder().encode


def key_of(seen: Observation) -> Key:
    """How the table names the response an observation speaks of; see ``identify``."""
    name = seen.message_id
    if name is not None and looks_like_the_providers(name):
        return (name, _MESSAGE, 0)
    identity = identify(seen)
    if identity.kind == IdentityKind.MOMENT:
        text = _encode_text([identity.name, identity.session]).decode()
        return (text, int(identity.kind), identity.at)
    return (identity.name, int(identity.kind), 0)


class RowWriter:
    """Turns events into rows; common texts become numbers through ``names``."""

    def __init__(self, names: Names, contexts: Contexts) -> None:
        self._names = names
        self.contexts = contexts

    def row(
        self,
        key: Key,
        event: UsageEvent,
        share: Share,
        *,
        segment: int,
        joined_to: int | None,
        state: EventState | None,
    ) -> Row:
        """One event's columns, in the order of ``COLUMNS``.

        ``state`` is what must be kept where the columns cannot say everything.
        """
        model, priced, tally = share
        names = self._names
        context = (
            "+".join(event.sources), event.branch, event.agent, event.skill, event.tools,
            event.conditions, event.sidechain, event.copied, event.evidence,
            tally.partial_responses > 0, event.provider, event.app, event.user,
            event.machine, event.key, event.tags, event.failure,
            units_of(event.parts[0].usage) if len(event.parts) == 1 else (),
        )  # fmt: skip
        return (
            *key, event.request_id, event.first_at, event.at,
            names[event.session], names[event.project], names[model],
            self.contexts[context], segment, priced, *tally[4:10],
            tally.list_cost, tally.net_cost, joined_to, event.stated_cost,
            event.latency_ms, None if state is None else _encode_state(state),
        )  # fmt: skip


def is_plain(key: Key, seen: Observation, shares: list[Share]) -> bool:
    """Whether the columns alone can give one observation back."""
    if len(shares) != 1 or len(seen.parts) != 1 or seen.adjustment is not None:
        return False
    usage = seen.parts[0].usage
    if usage and seen.failure is not None:
        return False
    if not _is_named_by(key, seen) or seen.parts[0].kind != MESSAGE:
        return False
    if not usage.keys() <= _COLUMN_UNITS:
        return False
    return seen.lesser is None or seen.lesser == PARTIAL_OUTPUT


def _is_named_by(key: Key, seen: Observation) -> bool:
    """Whether an observation's ids can be told from its key and its request id."""
    if key[1] == _MESSAGE:
        return True
    return key[1] == _REQUEST and seen.message_id is None


def is_usual(key: Key, seen: Observation) -> bool:
    """Whether ``plain_row`` may be tried: one final or partial answer, tokens only."""
    parts = seen.parts
    return (
        _is_named_by(key, seen)
        and len(parts) == 1
        and parts[0].kind == MESSAGE
        and seen.evidence == _REPORTED
        and seen.failure is None
        and seen.adjustment is None
        and parts[0].usage.keys() <= _TOKENS
        and (seen.lesser is None or seen.lesser == PARTIAL_OUTPUT)
    )


def token_counts(usage: Mapping[str, int]) -> Iterable[int]:
    """Counts in the order of ``TOKEN_UNITS``; 0 where none is known."""
    if tuple(usage) == _TOKEN_ORDER:
        return usage.values()
    return [usage.get(unit, 0) for unit in _TOKEN_ORDER]


def units_of(usage: Mapping[str, int]) -> tuple[str, ...]:
    """Whose counts are known, where they are not just those of all tokens."""
    if tuple(usage) == _TOKEN_ORDER or usage.keys() == _TOKENS:
        return ()
    return tuple(unit for unit in EVENT_UNIT_COLUMNS if unit in usage)


class RowReader:
    """Turns rows back into what was known."""

    def __init__(self, texts: Texts, contexts: ContextsById) -> None:
        self._texts = texts
        self._contexts = contexts

    def key(self, row: Row) -> Key:
        """How the table names the row's response."""
        return (row[_AT["name"]], row[_AT["kind"]], row[_AT["moment"]])

    def state(self, row: Row) -> EventState:
        """All that the row's own observations said."""
        blob = row[_AT["state"]]
        if blob is not None:
            return msgspec.msgpack.decode(blob, type=EventState)
        source = self._contexts[row[_AT["context"]]].source
        return lift(self._observation(row), source)

    def event(self, row: Row) -> UsageEvent | None:
        """The event of a row whose columns say everything; ``None`` of any other."""
        if row[_AT["state"]] is not None:
            return None
        source = self._contexts[row[_AT["context"]]].source
        return settle_one(self._observation(row), source)

    def share(self, row: Row) -> Share:
        """What the row's columns add to totals."""
        context = self._contexts[row[_AT["context"]]]
        answered = context.failure is None
        missing = int(answered and context.evidence == Evidence.MISSING)
        output = row[_AT["output_tokens"]] if context.partial else 0
        standing = (int(answered), int(context.partial), missing, output)
        units = row[_UNITS_FROM:_UNITS_TO]
        took = row[_AT["latency_ms"]]
        rest = (int(not answered), int(took is not None), took or 0)
        costs = row[_AT["list_pico"]], row[_AT["net_pico"]]
        tally = Tally._make((*standing, *units, 0, 0, 0, *rest, *costs))
        model = self._texts[row[_AT["model"]]] or ""
        return Share(model, bool(row[_AT["priced"]]), tally)

    def _observation(self, row: Row) -> Observation:
        texts = self._texts
        context = self._contexts[row[_AT["context"]]]
        counts = zip(EVENT_UNIT_COLUMNS, row[_UNITS_FROM:_UNITS_TO], strict=True)
        known = context.evidence != Evidence.MISSING
        lesser = context.partial and context.evidence > Evidence.PARTIAL
        units = (context.units or _TOKENS) if known else ()
        usage = {unit: count for unit, count in counts if unit in units}
        return Observation(
            message_id=row[_AT["name"]] if row[_AT["kind"]] == _MESSAGE else None,
            request_id=row[_AT["request_id"]],
            session=texts[row[_AT["session"]]],
            first_at=row[_AT["first_at"]],
            at=row[_AT["at"]],
            line=0,
            parts=(Part(texts[row[_AT["model"]]] or "", usage),),
            conditions=context.conditions,
            evidence=context.evidence,
            lesser=PARTIAL_OUTPUT if lesser else None,
            sidechain=context.sidechain,
            copied=context.copied,
            project=texts[row[_AT["project"]]],
            branch=context.branch,
            agent=context.agent,
            skill=context.skill,
            tools=context.tools,
            stated_cost=row[_AT["stated_pico"]],
            provider=context.provider,
            app=context.app,
            user=context.user,
            machine=context.machine,
            key=context.key,
            tags=context.tags,
            latency_ms=row[_AT["latency_ms"]],
            failure=context.failure,
        )


def column(row: Row, name: str) -> Any:  # noqa: ANN401  # SQLite's own dynamic types
    """One column of a row that begins with its ``id``."""
    return row[_AT[name]]

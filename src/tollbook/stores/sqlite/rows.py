"""Events as rows and back, without loss."""

from __future__ import annotations

from typing import Any

import msgspec

from tollbook.core.event import EventState, UsageEvent, lift
from tollbook.core.identity import IdentityKind, identify, looks_like_the_providers
from tollbook.core.money import Money
from tollbook.core.observation import (
    MESSAGE,
    Conditions,
    Evidence,
    Observation,
    Part,
)
from tollbook.core.tally import UNITS, Share, Tally
from tollbook.core.units import TOKEN_UNITS, Unit
from tollbook.stores.sqlite.names import Names, Texts
from tollbook.stores.sqlite.schema import COST_COLUMNS, MICRO, UNIT_COLUMNS

SIDECHAIN, COPIED, PARTIAL = 1, 2, 4
COLUMNS = (
    "name", "kind", "moment", "request_id", "first_at", "at",
    "session", "project", "model", "branch", "agent", "skill", "tools",
    "conditions", "flags", "evidence", "source", "segment", "priced",
    *UNIT_COLUMNS, *COST_COLUMNS, "joined_to", "stated_pico", "state",
)  # fmt: skip
_AT = {name: place for place, name in enumerate(COLUMNS, start=1)}
_UNITS_FROM = _AT[UNIT_COLUMNS[0]]
_COST_FROM = _AT[COST_COLUMNS[0]]

Row = tuple[Any, ...]
Key = tuple[str, int, int]
"""Name, kind and moment: an identity as the table spells it."""

_MESSAGE = int(IdentityKind.MESSAGE)
_REPORTED = int(Evidence.REPORTED)
_TOKEN_ORDER = tuple(unit.value for unit in TOKEN_UNITS)
_TOKENS = frozenset(_TOKEN_ORDER)
PARTIAL_OUTPUT = {Unit.OUTPUT.value: int(Evidence.PARTIAL)}
_encode_state = msgspec.msgpack.Encoder().encode
_decode_state = msgspec.msgpack.Decoder(EventState).decode
_encode_text = msgspec.json.Encoder().encode
_decode_conditions = msgspec.json.Decoder(Conditions).decode
_decode_tools = msgspec.json.Decoder(tuple[str, ...]).decode


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

    def __init__(self, names: Names) -> None:
        self._names = names
        self._conditions: dict[Conditions, int] = {}
        self._tools: dict[tuple[str, ...], int] = {(): 0}

    def row(
        self,
        key: Key,
        event: UsageEvent,
        shares: list[Share],
        *,
        segment: int,
        joined_to: int | None,
        state: EventState | None,
    ) -> Row:
        """One event's columns, in the order of ``COLUMNS``.

        ``state`` is what must be kept where the columns cannot say everything.
        """
        model, priced, tally = shares[0]
        names = self._names
        name, kind, moment = key
        lesser = event.lesser
        flags = event.sidechain + 2 * event.copied + (4 if lesser else 0)
        return (
            name, kind, moment, event.request_id, event.first_at, event.at,
            names[event.session], names[event.project], names[model],
            names[event.branch], names[event.agent], names[event.skill],
            self._tools.get(event.tools) or self._tools_number(event.tools),
            self._conditions.get(event.conditions)
            or self._conditions_number(event.conditions),
            flags, event.evidence, names[event.sources[0]], segment, priced,
            *tally[4:13],
            *divmod(tally.list_cost, MICRO), *divmod(tally.net_cost, MICRO),
            joined_to, event.stated_cost,
            None if state is None else _encode_state(state),
        )  # fmt: skip

    def plain_row(
        self, seen: Observation, source: str, segment: int, *, cost: Money, net: Money
    ) -> Row:
        """What ``row`` gives for one priced observation whose columns say everything."""
        names = self._names
        part = seen.parts[0]
        tools, conditions = seen.tools, seen.conditions
        return (
            seen.message_id, _MESSAGE, 0, seen.request_id, seen.first_at, seen.at,
            names[seen.session], names[seen.project], names[part.model],
            names[seen.branch], names[seen.agent], names[seen.skill],
            self._tools[tools] if tools in self._tools else self._tools_number(tools),
            self._conditions.get(conditions) or self._conditions_number(conditions),
            seen.sidechain + 2 * seen.copied + (4 if seen.lesser else 0),
            seen.evidence, names[source], segment, 1,
            *part.usage.values(), 0, 0, 0, 0,
            *divmod(cost, MICRO), *divmod(net, MICRO),
            None, seen.stated_cost, None,
        )  # fmt: skip

    def _conditions_number(self, conditions: Conditions) -> int:
        number = self._names[_encode_text(conditions).decode()]
        self._conditions[conditions] = number
        return number

    def _tools_number(self, tools: tuple[str, ...]) -> int:
        if not tools:
            return 0
        number = self._tools[tools] = self._names[_encode_text(tools).decode()]
        return number


def is_plain(key: Key, seen: Observation, shares: list[Share]) -> bool:
    """Whether the columns alone can give one observation back."""
    if len(shares) != 1 or len(seen.parts) != 1:
        return False
    usage = seen.parts[0].usage
    if seen.message_id != key[0] or seen.parts[0].kind != MESSAGE:
        return False
    if usage.keys() != _TOKENS:
        if usage and not _TOKENS <= usage.keys() <= set(UNITS):
            return False
        if any(not usage[unit] for unit in usage.keys() - _TOKENS):
            return False
    return seen.lesser is None or seen.lesser == PARTIAL_OUTPUT


def is_usual(seen: Observation) -> bool:
    """Whether ``plain_row`` may be tried: one final or partial answer, tokens only."""
    parts = seen.parts
    return (
        len(parts) == 1
        and parts[0].kind == MESSAGE
        and tuple(parts[0].usage) == _TOKEN_ORDER
        and seen.evidence == _REPORTED
        and (seen.lesser is None or seen.lesser == PARTIAL_OUTPUT)
    )


class RowReader:
    """Turns rows back into what was known."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    def key(self, row: Row) -> Key:
        """How the table names the row's response."""
        return (row[_AT["name"]], row[_AT["kind"]], row[_AT["moment"]])

    def state(self, row: Row) -> EventState:
        """All that the row's own observations said."""
        blob = row[_AT["state"]]
        if blob is not None:
            return _decode_state(blob)
        return lift(self._observation(row), self._texts[row[_AT["source"]]] or "")

    def share(self, row: Row) -> Share:
        """What the row's columns add to totals."""
        evidence, flags = row[_AT["evidence"]], row[_AT["flags"]]
        units = row[_UNITS_FROM : _UNITS_FROM + len(UNIT_COLUMNS)]
        micro, rest, net_micro, net_rest = row[_COST_FROM : _COST_FROM + 4]
        partial = bool(flags & PARTIAL) or 0 < evidence <= Evidence.PARTIAL
        tally = Tally(
            1,
            int(partial),
            int(evidence == Evidence.MISSING),
            row[_AT["output_tokens"]] if partial else 0,
            *units,
            micro * MICRO + rest,
            net_micro * MICRO + net_rest,
        )
        return Share(
            self._texts[row[_AT["model"]]] or "", bool(row[_AT["priced"]]), tally
        )

    def _observation(self, row: Row) -> Observation:
        texts = self._texts
        evidence = row[_AT["evidence"]]
        counts = zip(UNITS, row[_UNITS_FROM:], strict=False)
        usage = {u: n for u, n in counts if n or u in _TOKENS} if evidence else {}
        tools = texts[row[_AT["tools"]]]
        flags = row[_AT["flags"]]
        return Observation(
            message_id=row[_AT["name"]],
            request_id=row[_AT["request_id"]],
            session=texts[row[_AT["session"]]],
            first_at=row[_AT["first_at"]],
            at=row[_AT["at"]],
            line=0,
            parts=(Part(texts[row[_AT["model"]]] or "", usage),),
            conditions=_decode_conditions(texts[row[_AT["conditions"]]] or "[]"),
            evidence=evidence,
            lesser=PARTIAL_OUTPUT if flags & PARTIAL else None,
            sidechain=bool(flags & SIDECHAIN),
            copied=bool(flags & COPIED),
            project=texts[row[_AT["project"]]],
            branch=texts[row[_AT["branch"]]],
            agent=texts[row[_AT["agent"]]],
            skill=texts[row[_AT["skill"]]],
            tools=_decode_tools(tools) if tools else (),
            stated_cost=row[_AT["stated_pico"]],
        )


def column(row: Row, name: str) -> Any:  # noqa: ANN401  # SQLite's own dynamic types
    """One column of a row that begins with its ``id``."""
    return row[_AT[name]]

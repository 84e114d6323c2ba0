"""The store that is obviously right: it keeps what it hears and derives on demand.

The other stores must give the same answers. It is the fake for tests of everything that
needs a store, and no place for a large history.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from tollbook.core.event import UsageEvent, join, lift
from tollbook.core.event_id import event_id
from tollbook.core.identity import Identity, IdentityKind, identify
from tollbook.core.measure import Measure, measured
from tollbook.core.merge import gather, merge, owners
from tollbook.core.observation import Call, Instant, Observation
from tollbook.core.problem import Problem
from tollbook.core.receipt import Receipt
from tollbook.core.slots import DAY_MS, SLOT_MS, bounds
from tollbook.core.tally import Pricer, shares
from tollbook.ports import (
    Appended,
    Batch,
    Coverage,
    EventQuery,
    Fact,
    Health,
    ListedEvent,
    Statement,
    StoredEvent,
    Total,
    UsageQuery,
    size_of,
)
from tollbook.stores.memory_dimensions import dimensions_of, seen_at
from tollbook.stores.memory_inbox import receipts
from tollbook.stores.memory_pages import page, wanted
from tollbook.stores.memory_problems import Key, note_problems, standing

_SESSIONS_MAX = 20
_REQUEST = IdentityKind.REQUEST
_encode = msgspec.json.Encoder().encode
_order = msgspec.msgpack.Encoder().encode

_Said = tuple[str, str, Observation]
"""Source, origin, and what was said there."""

_Ranked = tuple[tuple[int, int, bytes], Statement]


class MemoryStore:
    """Everything it was ever told, in the order it was told."""

    def __init__(self, pricer: Pricer, price_version: str) -> None:
        self._pricer = pricer
        self._price_version = price_version
        self._stamped: str | None = None
        self._batches: tuple[Batch, ...] = ()
        self._waiting: tuple[Batch, ...] = ()
        self._recorded_at: Instant | None = None
        self._acknowledged: dict[Key, Instant] = {}

    def limit(self, milliseconds: int | None) -> None:
        """See ``LedgerStore.limit``. What is small takes no time."""

    def close(self) -> None:
        """See ``LedgerStore.close``."""

    # -- writing ---------------------------------------------------------------------

    def append(self, batches: Sequence[Batch], *, now: Instant) -> Appended:
        """See ``LedgerStore.append``."""
        accepted = tuple(self._accepted(batches))
        known = len(gather(_pairs(self._batches)))
        lines = sum(batch.lines for batch in accepted)
        added = sum(seen.lines for seen in _news(self._batches, accepted))
        refused = sum(batch.refused for batch in accepted)
        problems = standing(self._batches)
        noted = 0
        for batch in accepted:
            noted += note_problems(problems, batch)
        self._batches += accepted
        known_of = self._acknowledged
        self._acknowledged = {k: at for k, at in known_of.items() if k in problems}
        if any(map(size_of, accepted)):
            self._recorded_at = now
        self._stamped = self._stamped or self._price_version
        return Appended(
            lines=lines,
            added=added,
            repeated=lines - added - refused,
            refused=refused,
            responses=len(gather(_pairs(self._batches))) - known,
            problems=noted,
            superseded=len(batches) - len(accepted),
        )

    def _accepted(self, batches: Sequence[Batch]) -> Iterator[Batch]:
        cursors = {(b.source, b.origin): b.cursor for b in self._batches if b.cursor}
        for batch in batches:
            if batch.cursor is not None:
                place = (batch.source, batch.origin)
                if cursors.get(place) != batch.previous:
                    continue
                cursors[place] = batch.cursor
            yield batch

    def receive(self, batches: Sequence[Batch], *, now: Instant) -> list[list[Receipt]]:
        """See ``LedgerStore.receive``."""
        states = gather(_pairs((*self._batches, *self._waiting)))
        answers = receipts(states, batches, self._pricer)
        problems = [
            Batch(source=batch.source, origin=batch.origin, problems=batch.problems)
            for batch in batches
        ]
        self.append(problems, now=now)
        self._waiting += tuple(
            msgspec.structs.replace(batch, problems=())
            for batch in batches
            if size_of(batch)
        )
        return answers

    def post(self, *, limit: int) -> int:
        """See ``LedgerStore.post``."""
        posted = 0
        while self._waiting and posted < limit:
            first, *rest = self._waiting
            self._waiting = tuple(rest)
            self.append([first], now=self._recorded_at or 0)
            posted += size_of(first)
        return posted

    def rerate(self) -> int:
        """See ``LedgerStore.rerate``."""
        return self.rebuild()

    def rebuild(self) -> int:
        """See ``LedgerStore.rebuild``. Nothing is derived before somebody asks."""
        self._stamped = self._price_version
        return len(self._events())

    def verify(self) -> list[str]:
        """See ``LedgerStore.verify``. Nothing derived is stored, so nothing differs."""
        return []

    # -- reading ---------------------------------------------------------------------

    def price_version(self) -> str | None:
        """See ``LedgerStore.price_version``."""
        return self._stamped

    def cursors(self, source: str) -> dict[str, bytes]:
        """See ``LedgerStore.cursors``."""
        return {
            batch.origin: batch.cursor
            for batch in self._batches
            if batch.source == source and batch.cursor is not None
        }

    def facts(self, after: int, limit: int, *, source: str | None = None) -> list[Fact]:
        """See ``LedgerStore.facts``."""
        found = [
            Fact(
                id=number,
                source=batch.source,
                origin=batch.origin,
                observations=batch.observations,
                calls=batch.calls,
                statements=batch.statements,
            )
            for number, batch in enumerate(self._batches, 1)
            if number > after and size_of(batch) and source in (None, batch.source)
        ]
        return found[:limit]

    def totals(self, query: UsageQuery) -> list[Total]:
        """See ``LedgerStore.totals``."""
        found: dict[tuple[object, ...], Total] = {}
        for event in self._events().values():
            for bucket, (start, end) in enumerate(query.buckets):
                if start <= event.at < end:
                    seen = seen_at(query, event.at, start, end)
                    for total in self._shares(event, query, bucket, seen):
                        key = (bucket, *total.dimensions.values(), total.priced)
                        known = found.get(key)
                        found[key] = total if known is None else _add(known, total)
        return list(found.values())

    def _shares(
        self, event: UsageEvent, query: UsageQuery, bucket: int, at: Instant
    ) -> Iterator[Total]:
        common = dimensions_of(event)
        for model, priced, tally in shares(event, self._pricer):
            dimensions = {**common, "model": model or None}
            if all(dimensions.get(k) == value for k, value in query.where.items()):
                chosen = {name: dimensions.get(name) for name in sorted(query.by)}
                yield Total(bucket, priced, chosen, tally, at, at)

    def labels(self) -> dict[str, str]:
        """See ``LedgerStore.labels``."""
        found: dict[str, str] = {}
        for batch in self._batches:
            for name, label in batch.labels.items():
                found[name] = min(found.get(name, label), label)
        return found

    def sessions(self, prefix: str) -> list[str]:
        """See ``LedgerStore.sessions``."""
        known = {event.session for event in self._events().values()}
        found = sorted(s for s in known if s is not None and s.startswith(prefix))
        return found[:_SESSIONS_MAX]

    def find_events(
        self, *, session: str | None = None, response: str | None = None
    ) -> Iterator[StoredEvent]:
        """See ``LedgerStore.find_events``."""
        said = self._said_by_event()
        events = sorted(
            self._events().items(),
            key=lambda item: (item[1].at, item[0]),
            reverse=session is None,
        )
        for identity, event in events:
            names = (identity.name, event.request_id, event.message_id)
            if event.session == session if session is not None else response in names:
                yield StoredEvent(event, shares(event, self._pricer), said[identity])

    def _said_by_event(self) -> dict[Identity, list[_Said]]:
        found: dict[Identity, list[_Said]] = {}
        owner = owners(gather(_pairs(self._batches)))
        for said in _said(self._batches):
            identity = identify(said[2])
            home = owner.get(identity.name) if identity.kind == _REQUEST else None
            known = found.setdefault(home or identity, [])
            if said not in known:
                known.append(said)
        return found

    def page(self, query: EventQuery) -> list[ListedEvent]:
        """See ``LedgerStore.page``."""
        return page(self._listed(query), query)

    def measures(self, query: EventQuery, measure: Measure) -> list[int]:
        """See ``LedgerStore.measures``."""
        values = (
            measured(((s.priced, s.tally) for s in each.shares), measure)
            for each in self._listed(query)
        )
        return [value for value in values if value is not None][: query.limit]

    def _listed(self, query: EventQuery) -> Iterator[ListedEvent]:
        for identity, event in self._events().items():
            found = shares(event, self._pricer)
            known = dimensions_of(event) | {"model": found[0].model or None}
            listed = ListedEvent(event_id(identity), event, found)
            if wanted(listed, known, query):
                yield listed

    def statements(self, session: str) -> list[Statement]:
        """See ``LedgerStore.statements``."""
        latest: dict[tuple[str, str], _Ranked] = {}
        for batch in self._batches:
            for line in batch.statements:
                if line.session == session:
                    rank = (line.sequence, line.stated_cost, _order(line))
                    found = (rank, Statement(batch.source, batch.origin, line))
                    place = (batch.source, line.series)
                    known = latest.get(place)
                    if known is None or _supersedes(found, known):
                        latest[place] = found
        return [latest[place][1] for place in sorted(latest)]

    def unrecorded(
        self, start: Instant, end: Instant, *, session: str | None = None
    ) -> list[Call]:
        """See ``LedgerStore.unrecorded``."""
        return [
            call
            for call in self._unanswered()
            if (call.at is None or start <= call.at < end)
            and (session is None or call.session == session)
        ]

    def _unanswered(self) -> list[Call]:
        calls = [call for batch in self._batches for call in batch.calls]
        answered = {call.reference for call in calls if not call.asked}
        earliest: dict[str, Call] = {}
        for call in sorted(calls, key=_call_order):
            if call.asked and call.reference not in answered:
                earliest.setdefault(call.reference, call)
        return list(earliest.values())

    def problems(self) -> list[Problem]:
        """See ``LedgerStore.problems``."""
        known = sorted(standing(self._batches).items())
        return [p for key, (_, p) in known if key not in self._acknowledged]

    def acknowledged(self) -> list[tuple[Problem, Instant]]:
        """See ``LedgerStore.acknowledged``."""
        known, at = standing(self._batches), self._acknowledged
        return [(known[key][1], at[key]) for key in sorted(at)]

    def acknowledge(self, origin: str | None, *, now: Instant) -> int:
        """See ``LedgerStore.acknowledge``."""
        news = [
            (problem.origin, problem.line, problem.code)
            for problem in self.problems()
            if origin in (None, problem.origin)
        ]
        self._acknowledged |= dict.fromkeys(news, now)
        return len(news)

    def coverage(self) -> Coverage:
        """See ``LedgerStore.coverage``."""
        events = self._events().values()
        slots = [_slot(event.at) for event in events]
        days: dict[str, list[Instant]] = {
            batch.source: [] for batch in self._batches if size_of(batch)
        }
        for event in events:
            for source in event.sources:
                days[source].append(event.at // DAY_MS * DAY_MS)
        return Coverage(
            responses=sum(event.failure is None for event in events),
            unrecorded_calls=len(self._unanswered()),
            problems=len(self.problems()),
            sources={
                source: bounds((min(found), max(found)), (min(slots), max(slots)))
                if found
                else (None, None)
                for source, found in days.items()
            },
        )

    def health(self) -> Health:
        """See ``LedgerStore.health``."""
        return Health(
            engine="memory",
            schema=0,
            price_version=self._stamped,
            responses=len(self._events()),
            batches=sum(size_of(batch) > 0 for batch in self._batches),
            recorded_at=self._recorded_at,
        )

    def _events(self) -> dict[Identity, UsageEvent]:
        return merge(_pairs(self._batches))


def _said(batches: Iterable[Batch]) -> Iterator[_Said]:
    for batch in batches:
        for seen in batch.observations:
            yield batch.source, batch.origin, seen


def _pairs(batches: Iterable[Batch]) -> Iterator[tuple[str, Observation]]:
    for source, _, seen in _said(batches):
        yield source, seen


def _news(before: Iterable[Batch], batches: Iterable[Batch]) -> Iterator[Observation]:
    """The observations that taught something, as they came in."""
    states = gather(_pairs(before))
    for source, seen in _pairs(batches):
        identity = identify(seen)
        state = lift(seen, source)
        known = states.get(identity)
        joined = state if known is None else join(known, state)
        if joined != known:
            yield seen
        states[identity] = joined


def _supersedes(found: _Ranked, known: _Ranked) -> bool:
    """The later statement wins; of equal ones the first file's, by name."""
    if found[0] != known[0]:
        return found[0] > known[0]
    return found[1].origin < known[1].origin


def _call_order(call: Call) -> tuple[bool, Instant, str, str, str, str]:
    marks = (call.reference, call.session or "", call.model or "", call.project or "")
    return (call.at is not None, call.at or 0, *marks)


def _add(one: Total, other: Total) -> Total:
    return msgspec.structs.replace(
        one,
        tally=one.tally.plus(other.tally),
        first_at=min(one.first_at, other.first_at),
        last_at=max(one.last_at, other.last_at),
    )


def _slot(at: Instant) -> Instant:
    return at // SLOT_MS * SLOT_MS

"""One transaction's work: batches in, facts kept, everything derived brought up to date.

Every response the batches speak of has one ``_Entry`` while the work lasts. What the
ledger already knew is loaded for those responses only, joined with what is new, and the
difference goes into the rollups.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from operator import add, sub

import apsw
import msgspec

from tollbook.core.event import EventState, UsageEvent, join, lift, settle, settle_one
from tollbook.core.identity import IdentityKind, identify
from tollbook.core.observation import Call, Instant, Observation, StatementLine
from tollbook.core.tally import Pricer, Share, Tally, shares
from tollbook.ports import Appended, Batch
from tollbook.stores.sqlite.names import Names, Texts
from tollbook.stores.sqlite.rows import (
    COLUMNS,
    Key,
    Row,
    RowReader,
    RowWriter,
    column,
    is_plain,
    key_of,
)
from tollbook.stores.sqlite.schema import MICRO, SLOT_MS, TALLY_COLUMNS

_MESSAGE, _REQUEST = int(IdentityKind.MESSAGE), int(IdentityKind.REQUEST)
_SELECT = f"SELECT id, {', '.join(COLUMNS)} FROM events "  # noqa: S608  # constants


class Segment(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The facts of one batch, as they are kept."""

    observations: Sequence[Observation]
    calls: Sequence[Call] = ()
    statements: Sequence[StatementLine] = ()


encode_segment = msgspec.msgpack.Encoder().encode
decode_segment = msgspec.msgpack.Decoder(Segment).decode


class _Entry:
    """One response while work goes on. ``seen`` while one observation is all there is."""

    __slots__ = ("event", "id", "more", "row", "seen", "segment", "source", "state")

    def __init__(self, seen: Observation | None, source: str, segment: int) -> None:
        self.seen = seen
        self.source = source
        self.segment = segment
        self.state: EventState | None = None
        self.row: Row | None = None
        self.id = 0
        self.more: list[int] = []
        self.event: UsageEvent | None = None

    def own_state(self) -> EventState:
        """All that this response's own observations said."""
        if self.state is None:
            assert self.seen is not None
            self.state = lift(self.seen, self.source)
        return self.state

    def absorb(self, seen: Observation, source: str, segment: int) -> bool:
        """Join a further observation; False when it says nothing new."""
        state = self.own_state()
        joined = join(state, lift(seen, source))
        if joined == state:
            return False
        self.state, self.seen = joined, None
        if segment not in (self.segment, *self.more):
            self.more.append(segment)
        return True

    def own_event(self) -> UsageEvent:
        """The event of this response's own observations."""
        if self.seen is not None:
            return settle_one(self.seen, self.source)
        return settle(self.own_state())


class Work:
    """What one transaction does. Call ``take`` for each batch, then ``finish``."""

    def __init__(
        self, connection: apsw.Connection, names: Names, texts: Texts, pricer: Pricer
    ) -> None:
        self._db = connection
        self._names = names
        self._reader = RowReader(texts)
        self._writer = RowWriter(names)
        self._pricer = pricer
        self._entries: dict[Key, _Entry] = {}
        self._sums: dict[tuple[int, int, int, int, bool], Sequence[int]] = {}
        self._removed = False

    def take(self, batches: Sequence[Batch], *, now: Instant) -> Appended:
        """Store the facts of batches and join them into what is known."""
        self._load(key_of(identify(o)) for batch in batches for o in batch.observations)
        known = len(self._entries)
        lines = added = refused = 0
        segment = (self._db.execute("SELECT max(id) FROM segments").get or 0) + 1
        segments: list[tuple[object, ...]] = []
        for batch in batches:
            kept = self._join(batch, segment)
            lines += batch.lines
            refused += batch.refused
            added += sum(seen.lines for seen in kept)
            if kept or batch.calls or batch.statements:
                body = encode_segment(Segment(kept, batch.calls, batch.statements))
                source, origin = self._names[batch.source], self._names[batch.origin]
                facts = (segment, source, origin, now, zlib.crc32(body), body)
                segments.append(facts)
                segment += 1
        self._db.executemany("INSERT INTO segments VALUES (?,?,?,?,?,?)", segments)
        return Appended(
            lines=lines,
            added=added,
            repeated=lines - added - refused,
            refused=refused,
            responses=len(self._entries) - known,
        )

    def replay(self, segment: int, source: str, facts: Segment) -> None:
        """Join a stored segment's facts, when everything is derived again."""
        keys = [key_of(identify(seen)) for seen in facts.observations]
        self._load(keys)
        for key, seen in zip(keys, facts.observations, strict=True):
            self._join_one(key, seen, source, segment)

    def finish(self) -> int:
        """Write every touched event and the rollups; returns how many events."""
        self._link()
        entries = sorted(self._entries.items())
        number = self._db.execute("SELECT max(id) FROM events").get or 0
        for _, entry in entries:
            if entry.row is None:
                number += 1
                entry.id = number
        links = self._links()
        new: list[Row] = []
        changed: list[Row] = []
        parts: list[tuple[object, ...]] = []
        for key, entry in entries:
            row, rest = self._settled(key, entry, links)
            (new if entry.row is None else changed).append((entry.id, *row))
            parts.extend(rest)
        self._write_events(new, changed, parts)
        self._write_segments(entry for _, entry in entries)
        self._write_sums()
        return len(entries)

    # -- joining ---------------------------------------------------------------------

    def _join(self, batch: Batch, segment: int) -> list[Observation]:
        """The observations of a batch that say something new."""
        source = batch.source
        return [
            seen
            for seen in batch.observations
            if self._join_one(key_of(identify(seen)), seen, source, segment)
        ]

    def _join_one(self, key: Key, seen: Observation, source: str, segment: int) -> bool:
        entry = self._entries.get(key)
        if entry is None:
            self._entries[key] = _Entry(seen, source, segment)
            return True
        return entry.absorb(seen, source, segment)

    def _load(self, keys: Iterable[Key]) -> None:
        """Bring what the ledger knows of some responses into the work."""
        missing = [key for key in keys if key not in self._entries]
        if not missing or self._db.execute("SELECT 1 FROM events LIMIT 1").get is None:
            return
        wanted = msgspec.json.encode(missing).decode()
        self._admit(
            "JOIN json_each(?) AS wanted ON name = wanted.value ->> 0"
            " AND kind = wanted.value ->> 1 AND moment = wanted.value ->> 2",
            wanted,
        )

    def _admit(self, where: str, wanted: str) -> None:
        for row in self._db.execute(_SELECT + where, (wanted,)).fetchall():
            key = self._reader.key(row)
            if key not in self._entries:
                segment = column(row, "segment")
                entry = self._entries[key] = _Entry(None, "", segment)
                entry.row, entry.id = row, row[0]
                entry.state = self._reader.state(row)

    # -- request ids -----------------------------------------------------------------

    def _link(self) -> None:
        """Bring everything into the work whose request ids may now belong together."""
        requests = {key[0] for key in self._entries if key[1] == _REQUEST}
        any_stored = "SELECT 1 FROM events WHERE kind = 1 LIMIT 1"
        if not requests and self._db.execute(any_stored).get is None:
            return
        for key, entry in list(self._entries.items()):
            if key[1] == _MESSAGE:
                claims = {entry.own_event().request_id}
                if entry.row is not None:
                    claims.add(column(entry.row, "request_id"))
                requests |= {request for request in claims if request is not None}
        wanted = msgspec.json.encode(sorted(requests)).decode()
        self._admit(
            "WHERE kind = 1 AND name IN (SELECT value FROM json_each(?))", wanted
        )
        stored = {key[0] for key in self._entries if key[1] == _REQUEST}
        wanted = msgspec.json.encode(sorted(stored & requests)).decode()
        self._admit(
            "WHERE kind = 0 AND request_id IN (SELECT value FROM json_each(?))", wanted
        )
        owners = [
            column(entry.row, "joined_to")
            for entry in self._entries.values()
            if entry.row is not None and column(entry.row, "joined_to") is not None
        ]
        wanted = msgspec.json.encode(owners).decode()
        self._admit("WHERE id IN (SELECT value FROM json_each(?))", wanted)

    def _links(self) -> dict[Key, _Entry]:
        """Which request belongs to which message, for both of them; see ``core.merge``."""
        stored = {key[0]: entry for key, entry in self._entries.items() if key[1] == 1}
        if not stored:
            return {}
        claims: dict[str, tuple[int, Key]] = {}
        for key, entry in self._entries.items():
            if key[1] == _MESSAGE:
                event = entry.own_event()
                if event.request_id in stored:
                    claim = (event.first_at, key)
                    claims[event.request_id] = min(
                        claims.get(event.request_id, claim), claim
                    )
        found: dict[Key, _Entry] = {}
        for request, (_, message) in claims.items():
            found[message] = stored[request]
            found[request, _REQUEST, 0] = self._entries[message]
        return found

    # -- writing ---------------------------------------------------------------------

    def _settled(
        self, key: Key, entry: _Entry, links: dict[Key, _Entry]
    ) -> tuple[Row, list[tuple[object, ...]]]:
        """An entry's row and further parts; its difference goes into the sums."""
        if entry.row is not None:
            self._forget(entry.row)
        partner = links.get(key) if links else None
        event = entry.own_event()
        joined_to = None
        if partner is not None and key[1] == _REQUEST:
            joined_to = partner.id
        elif partner is not None:
            whole = settle(join(entry.own_state(), partner.own_state()))
            event = msgspec.structs.replace(whole, request_id=event.request_id)
        found = shares(event, self._pricer)
        plain = (
            partner is None
            and entry.seen is not None
            and is_plain(key, entry.seen, found)
        )
        row = self._writer.row(
            key,
            event,
            found,
            segment=entry.segment,
            joined_to=joined_to,
            state=None if plain else entry.own_state(),
        )
        if joined_to is None:
            self._count(event, found)
        names = self._names
        return row, [
            (entry.id, n, names[model], priced, *_columns(tally))
            for n, (model, priced, tally) in enumerate(found[1:], start=1)
        ]

    def _count(self, event: UsageEvent, found: list[Share]) -> None:
        slot = event.at // SLOT_MS
        names, sums = self._names, self._sums
        session, project = names[event.session], names[event.project]
        for model, priced, tally in found:
            place = (slot, session, project, names[model], priced)
            known = sums.get(place)
            sums[place] = tally if known is None else tuple(map(add, known, tally))

    def _forget(self, row: Row) -> None:
        """Take out of the totals what a row had put in."""
        self._db.execute("DELETE FROM event_segments WHERE event = ?", (row[0],))
        parts = self._db.execute(
            "DELETE FROM event_parts WHERE event = ? RETURNING *", (row[0],)
        ).fetchall()
        if column(row, "joined_to") is not None:
            return
        self._removed = True
        slot = column(row, "at") // SLOT_MS
        session, project = column(row, "session"), column(row, "project")
        model, priced = column(row, "model"), bool(column(row, "priced"))
        taken = [(model, priced, self._reader.share(row).tally)]
        taken += [(part[2], bool(part[3]), tally_of(part[4:])) for part in parts]
        for number, is_priced, tally in taken:
            place = (slot, session, project, number, is_priced)
            known = self._sums.get(place, Tally())
            self._sums[place] = tuple(map(sub, known, tally))

    def _write_events(
        self, new: list[Row], changed: list[Row], parts: list[tuple[object, ...]]
    ) -> None:
        marks = ",".join("?" * (len(COLUMNS) + 1))
        self._db.executemany(f"INSERT INTO events VALUES ({marks})", new)
        self._db.executemany(f"REPLACE INTO events VALUES ({marks})", changed)
        marks = ",".join("?" * (len(TALLY_COLUMNS) + 4))
        self._db.executemany(f"INSERT INTO event_parts VALUES ({marks})", parts)

    def _write_segments(self, entries: Iterable[_Entry]) -> None:
        self._db.executemany(
            "INSERT OR IGNORE INTO event_segments VALUES (?, ?)",
            [(entry.id, segment) for entry in entries for segment in entry.more],
        )

    def _write_sums(self) -> None:
        by_project: dict[tuple[int, ...], Sequence[int]] = {}
        for (slot, _, *rest), tally in self._sums.items():
            place = (slot, *rest)
            known = by_project.get(place)
            by_project[place] = (
                tally if known is None else tuple(map(add, known, tally))
            )
        for table, sums in (
            ("usage_by_session", self._sums),
            ("usage_by_project", by_project),
        ):
            _upsert(self._db, table, sums)
            if self._removed:
                self._db.execute(
                    f"DELETE FROM {table} WHERE responses = 0 AND list_micro = 0"  # noqa: S608
                    f" AND list_rest = 0 AND net_micro = 0 AND net_rest = 0"
                    f" AND {' + '.join(TALLY_COLUMNS[4:13])} = 0"
                )


def _upsert(
    connection: apsw.Connection,
    table: str,
    sums: dict[tuple[int, ...], Sequence[int]],
) -> None:
    if not sums:
        return
    rows = [(*place, *_columns(tally)) for place, tally in sorted(sums.items())]
    marks = ",".join("?" * len(rows[0]))
    added = ", ".join(f"{name} = {name} + excluded.{name}" for name in TALLY_COLUMNS)
    connection.executemany(
        f"INSERT INTO {table} VALUES ({marks}) ON CONFLICT DO UPDATE SET {added}",  # noqa: S608
        rows,
    )


def _columns(tally: Sequence[int]) -> Iterator[int]:
    """A tally as the tables split it."""
    yield from tally[:13]
    yield from divmod(tally[13], MICRO)
    yield from divmod(tally[14], MICRO)


def tally_of(columns: Sequence[int]) -> Tally:
    """A tally from its columns."""
    micro, rest, net_micro, net_rest = columns[13:17]
    return Tally(*columns[:13], micro * MICRO + rest, net_micro * MICRO + net_rest)

"""One transaction's work: batches in, facts kept, everything derived brought up to date.

Every response the batches speak of has one ``Entry`` while the work lasts. What the
ledger already knew is loaded for those responses only, joined with what is new, and the
difference goes into the rollups.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat

import apsw
import msgspec

from tollbook.core.event import UsageEvent, join, settle
from tollbook.core.identity import IdentityKind
from tollbook.core.observation import Instant, Observation
from tollbook.core.slots import SLOT_MS
from tollbook.core.tally import Pricer, Share, Tally, shares
from tollbook.ports import Appended, Batch
from tollbook.stores.sqlite.contexts import Askers, Contexts
from tollbook.stores.sqlite.entry import Entry
from tollbook.stores.sqlite.names import Names
from tollbook.stores.sqlite.rows import (
    COLUMNS,
    CONTEXT,
    Key,
    Row,
    RowReader,
    RowWriter,
    column,
    is_plain,
    key_of,
)
from tollbook.stores.sqlite.schema import TALLY_COLUMNS
from tollbook.stores.sqlite.segments import Segment, encode_segment
from tollbook.stores.sqlite.sums import Sums, columns_of, tally_of
from tollbook.stores.sqlite.usual import Fresh, Usual

_MESSAGE, _REQUEST = int(IdentityKind.MESSAGE), int(IdentityKind.REQUEST)
_LISTED = ", ".join(f"events.{name}" for name in ("id", *COLUMNS))
_SELECT = f"SELECT {_LISTED} FROM events "  # noqa: S608  # constants
_INSERT = (
    f"INSERT INTO events (id, {', '.join(COLUMNS)})"  # noqa: S608  # constants
    f" VALUES ({','.join('?' * (len(COLUMNS) + 1))})"
)
_ANY_REQUEST = "SELECT 1 FROM events WHERE kind = 1 LIMIT 1"
INDEX_REQUESTS = (  # paid for only where a source knows request ids alone
    "CREATE INDEX IF NOT EXISTS events_by_request_id ON events (request_id)"
    " WHERE kind = 0 AND request_id IS NOT NULL"
)


class Work:
    """What one transaction does. Call ``take`` for each batch, then ``finish``."""

    def __init__(
        self,
        connection: apsw.Connection,
        names: Names,
        reader: RowReader,
        pricer: Pricer,
    ) -> None:
        self._db = connection
        self._names = names
        self._reader = reader
        self._writer = RowWriter(names, Contexts(connection, names))
        self._askers = Askers(connection)
        self._pricer = pricer
        self._fresh: dict[Key, Fresh] = {}
        self._entries: dict[Key, Entry] = {}
        self._sums = Sums()

    def take(self, batches: Sequence[Batch], *, now: Instant) -> Appended:
        """Store the facts of batches and join them into what is known."""
        keys = [[key_of(seen) for seen in batch.observations] for batch in batches]
        self._load(key for found in keys for key in found)
        known = len(self._entries)
        lines = added = refused = 0
        segment = (self._db.execute("SELECT max(id) FROM segments").get or 0) + 1
        segments: list[tuple[object, ...]] = []
        for batch, found in zip(batches, keys, strict=True):
            kept = self._join(found, batch.observations, batch.source, segment)
            lines += batch.lines
            refused += batch.refused
            added += sum([seen.lines for seen in kept])
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
            responses=len(self._fresh) + len(self._entries) - known,
        )

    def replay(self, segment: int, source: str, facts: Segment) -> None:
        """Join a stored segment's facts, when everything is derived again."""
        keys = [key_of(seen) for seen in facts.observations]
        self._load(keys)
        self._join(keys, facts.observations, source, segment)

    def finish(self) -> None:
        """Write every touched event and bring the rollups up to date."""
        self._link()
        self._write_fresh()
        links = self._links()
        number = self._db.execute("SELECT max(id) FROM events").get or 0
        for entry in self._entries.values():
            if entry.row is None:
                number += 1
                entry.id = number
        rows: list[Row] = []
        parts: list[tuple[object, ...]] = []
        for key, entry in self._entries.items():
            if entry.row is not None:
                self._forget(entry.row)
            row, rest = self._settled(key, entry, links)
            rows.append((entry.id, *row))
            parts.extend(rest)
        self._write_entries(rows, parts)
        self._sums.write(self._db)

    # -- joining ---------------------------------------------------------------------

    def _join(
        self,
        keys: Sequence[Key],
        observations: Sequence[Observation],
        source: str,
        segment: int,
    ) -> Sequence[Observation]:
        """Join observations; returns those that say something new."""
        fresh, entries = self._fresh, self._entries
        told = zip(observations, repeat(source), repeat(segment), strict=False)
        news = dict(zip(keys, told, strict=True))
        if (
            len(news) == len(keys)
            and not _meet(news, fresh)
            and not _meet(news, entries)
        ):
            fresh.update(news)  # as most batches: nobody has spoken of these
            return observations
        kept = []
        for key, seen in zip(keys, observations, strict=True):
            if key in fresh:
                entries[key] = Entry(*fresh.pop(key))
            entry = entries.get(key) if entries else None
            if entry is None:
                fresh[key] = (seen, source, segment)
            elif not entry.absorb(seen, source, segment):
                continue
            kept.append(seen)
        return kept

    def _load(self, keys: Iterable[Key]) -> None:
        """Bring what the ledger knows of some responses into the work."""
        if self._db.execute("SELECT 1 FROM events LIMIT 1").get is None:
            return
        wanted = [
            key for key in keys if key not in self._entries and key not in self._fresh
        ]
        self._admit(
            "JOIN json_each(?) AS wanted ON events.name = wanted.value ->> 0"
            " AND kind = wanted.value ->> 1 AND moment = wanted.value ->> 2",
            wanted,
        )

    def _admit(self, where: str, wanted: Sequence[object]) -> None:
        """Load rows that are not in the work yet, neither known nor fresh."""
        if not wanted:
            return
        listed = msgspec.json.encode(wanted).decode()
        for row in self._db.execute(_SELECT + where, (listed,)).fetchall():
            key = self._reader.key(row)
            if key not in self._entries:
                entry = Entry(None, "", column(row, "segment"))
                entry.row, entry.id = row, column(row, "id")
                entry.state = self._reader.state(row)
                self._entries[key] = entry

    # -- request ids -----------------------------------------------------------------

    def _link(self) -> None:
        """Bring everything into the work whose request ids may now belong together."""
        asked = self._asked()
        if not asked and self._db.execute(_ANY_REQUEST).get is None:
            return
        self._db.execute(INDEX_REQUESTS)
        told = self._told()
        for entry in self._entries.values():
            if entry.row is not None and column(entry.row, "kind") == _MESSAGE:
                told.add(column(entry.row, "request_id"))
        listed = "IN (SELECT value FROM json_each(?))"
        self._admit(f"WHERE kind = 1 AND name {listed}", list(told))
        self._admit(f"WHERE kind = 0 AND request_id {listed}", list(self._asked()))
        shared = self._asked() & self._told()
        for key, fresh in list(self._fresh.items()):
            if (fresh[0].request_id if key[1] == _MESSAGE else key[0]) in shared:
                self._entries[key] = Entry(*self._fresh.pop(key))
        owners = [
            column(entry.row, "joined_to")
            for entry in self._entries.values()
            if entry.row is not None and column(entry.row, "joined_to") is not None
        ]
        self._admit(f"WHERE id {listed}", owners)

    def _asked(self) -> set[str | None]:
        """Requests in the work that are known by their id alone."""
        return {
            key[0] for known in (self._fresh, self._entries) for key in known
            if key[1] == _REQUEST
        }  # fmt: skip

    def _told(self) -> set[str | None]:
        """Requests that messages in the work call theirs."""
        told = {
            fresh[0].request_id
            for key, fresh in self._fresh.items()
            if key[1] == _MESSAGE
        }
        told |= {
            entry.own_event().request_id
            for key, entry in self._entries.items()
            if key[1] == _MESSAGE
        }
        return told - {None}

    def _links(self) -> dict[Key, Entry]:
        """Which request belongs to which message, for both of them; see ``core.merge``."""
        stored = {
            key[0]: entry for key, entry in self._entries.items() if key[1] == _REQUEST
        }
        claims: dict[str, tuple[int, Key]] = {}
        for key, entry in self._entries.items() if stored else ():
            if key[1] == _MESSAGE:
                event = entry.own_event()
                if event.request_id in stored:
                    claim = (event.first_at, key)
                    known = claims.get(event.request_id, claim)
                    claims[event.request_id] = min(known, claim)
        found: dict[Key, Entry] = {}
        for request, (_, message) in claims.items():
            found[message] = stored[request]
            found[request, _REQUEST, 0] = self._entries[message]
        return found

    # -- writing ---------------------------------------------------------------------

    def _write_fresh(self) -> None:
        """Usual responses in bulk; the others are entries like those known before."""
        contexts = self._writer.contexts
        usual = Usual(self._names, contexts, self._askers, self._pricer)
        for key, fresh in usual.take(self._fresh):
            self._entries[key] = Entry(*fresh)
        self._fresh = {}
        usual.write(self._db, self._sums)

    def _settled(
        self, key: Key, entry: Entry, links: dict[Key, Entry]
    ) -> tuple[Row, list[tuple[object, ...]]]:
        """An entry's row and further parts; what it adds goes into the sums."""
        partner = links.get(key)
        event = entry.own_event()
        joined_to = None
        if partner is not None and key[1] == _REQUEST:
            joined_to = partner.id
        elif partner is not None:
            whole = settle(join(entry.own_state(), partner.own_state()))
            event = msgspec.structs.replace(whole, request_id=event.request_id)
        found = shares(event, self._pricer)
        alone = partner is None and entry.seen is not None
        plain = alone and entry.seen is not None and is_plain(key, entry.seen, found)
        row = self._writer.row(
            key,
            event,
            found[0],
            segment=entry.segment,
            joined_to=joined_to,
            state=None if plain else entry.own_state(),
        )
        if joined_to is None:
            self._count(event, found, row[CONTEXT])
        names = self._names
        return row, [
            (entry.id, n, names[model], priced, *columns_of(tally))
            for n, (model, priced, tally) in enumerate(_beside(found), start=1)
        ]

    def _count(self, event: UsageEvent, found: list[Share], context: int) -> None:
        names, who = self._names, self._askers[context]
        slot = event.at // SLOT_MS
        session, project = names[event.session], names[event.project]
        for model, priced, tally in found:
            self._sums.add((slot, session, project, names[model], priced, who), tally)

    def _forget(self, row: Row) -> None:
        """Take out of the ledger what a row had put in."""
        parts: list[Row] = self._db.execute(
            "DELETE FROM event_parts WHERE event = ? RETURNING *", (row[0],)
        ).fetchall()
        self._db.execute("DELETE FROM events WHERE id = ?", (row[0],))
        if column(row, "joined_to") is not None:
            return
        slot = column(row, "at") // SLOT_MS
        session, project = column(row, "session"), column(row, "project")
        model, priced = column(row, "model"), bool(column(row, "priced"))
        taken = [(model, priced, self._reader.share(row).tally)]
        taken += [(part[2], bool(part[3]), tally_of(part[4:])) for part in parts]
        who = self._askers[column(row, "context")]
        for number, is_priced, tally in taken:
            place = (slot, session, project, number, is_priced, who)
            self._sums.remove(place, tally)

    def _write_entries(self, rows: list[Row], parts: list[tuple[object, ...]]) -> None:
        self._db.executemany(_INSERT, rows)
        marks = ",".join("?" * (len(TALLY_COLUMNS) + 4))
        self._db.executemany(
            f"INSERT INTO event_parts VALUES ({marks})",  # noqa: S608  # constants
            parts,
        )
        self._db.executemany(
            "INSERT OR IGNORE INTO event_segments VALUES (?, ?)",
            [
                (entry.id, segment)
                for entry in self._entries.values()
                for segment in entry.more
            ],
        )


def _meet(one: Mapping[Key, object], other: Mapping[Key, object]) -> bool:
    return not one.keys().isdisjoint(other.keys())


def _beside(found: list[Share]) -> list[Share]:
    """What an event's own row cannot hold: rare units, and its further shares."""
    model, priced, tally = found[0]
    rare = Tally()._replace(
        web_fetch_requests=tally.web_fetch_requests,
        code_execution_requests=tally.code_execution_requests,
        other_units=tally.other_units,
    )
    return [Share(model, priced, rare), *found[1:]] if any(rare) else found[1:]

"""Observations taken in, not yet posted: one small durable write each, and a receipt.

Posting derives what follows, in larger portions; until then a receipt must already know
what waits. So the states of waiting responses are kept in memory, too, also of those
that another process took in.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from operator import mul

import apsw
import msgspec

from tollbook.core.errors import StoreDamagedError
from tollbook.core.event import EventState, join, lift, settle, settle_one
from tollbook.core.identity import IdentityKind
from tollbook.core.observation import Instant, Observation
from tollbook.core.receipt import (
    ADDED,
    Receipt,
    receipt,
    verdict,
)
from tollbook.core.tally import Pricer, shares
from tollbook.ports import Batch, size_of
from tollbook.stores.sqlite.names import Names, Texts
from tollbook.stores.sqlite.rows import (
    COLUMNS,
    Key,
    Row,
    RowReader,
    is_usual,
    key_of,
    token_counts,
)
from tollbook.stores.sqlite.segments import Segment, decode_segment, encode_segment

_KNOWN = (
    f"SELECT events.id, {', '.join(f'events.{name}' for name in COLUMNS)}"  # noqa: S608  # constants
    " FROM json_each(?) AS wanted CROSS JOIN events"
    " ON events.name = wanted.value ->> 0 AND kind = wanted.value ->> 1"
    " AND moment = wanted.value ->> 2"
)

_ROW_FACTS = 200
_Said = tuple[Observation, str] | EventState
"""One observation and its source, or what several together say."""

_Rows = dict[int, dict[Key, list[tuple[Observation, str]]]]
"""Rows of the inbox that were read again, by number."""


class Inbox:
    """What one process knows of the inbox. Its methods run inside a transaction."""

    def __init__(
        self, connection: apsw.Connection, names: Names, texts: Texts, pricer: Pricer
    ) -> None:
        self._db = connection
        self._names = names
        self._texts = texts
        self._pricer = pricer
        self._waiting: dict[Key, tuple[int, ...]] = {}  # which rows speak of it
        self._news: dict[Key, tuple[int, ...]] = {}
        self._keys: dict[int, list[Key]] = {}  # what the rows speak of
        self._last = self._read = 0

    def take_in(
        self, batches: Sequence[Batch], reader: RowReader, *, now: Instant
    ) -> list[list[Receipt]]:
        """Store batches' facts, and say what they mean. ``keep`` must follow."""
        self._catch_up()
        keys = [[key_of(seen) for seen in batch.observations] for batch in batches]
        known = self._known({key for found in keys for key in found}, reader)
        numbers = self._write(batches, now)
        receipts = []
        for batch, found, number in zip(batches, keys, numbers, strict=True):
            answers = []
            for key, seen in zip(found, batch.observations, strict=True):
                before = known.get(key)
                if before is None:
                    known[key] = (seen, batch.source)
                    answers.append(self._first(key, seen, batch.source))
                else:
                    state = _state(before)
                    known[key], answer = self._again(key, state, seen, batch.source)
                    answers.append(answer)
                rows = self._news.get(key) or self._waiting.get(key, ())
                self._news[key] = (*rows, number)
            receipts.append(answers)
        return receipts

    def keep(self) -> None:
        """The transaction came through: what was taken in is waiting."""
        self._waiting.update(self._news)
        for key, rows in self._news.items():
            self._keys.setdefault(rows[-1], []).append(key)
        self._news = {}
        self._read = self._last

    def drop(self) -> None:
        """The transaction was undone."""
        self._news = {}
        self._last = self._read

    def oldest(self, limit: int) -> tuple[int, Instant, list[Batch]]:
        """About ``limit`` of the oldest observations: the last row, its time, batches."""
        batches: list[Batch] = []
        last, at, size = 0, 0, 0
        for (
            number,
            source,
            origin,
            recorded_at,
            count,
            checksum,
            body,
        ) in self._db.execute("SELECT * FROM inbox ORDER BY id"):
            facts = self._decoded(number, checksum, body)
            batches.append(
                Batch(
                    source=self._texts[source] or "",
                    origin=self._texts[origin] or "",
                    observations=facts.observations,
                    calls=facts.calls,
                    statements=facts.statements,
                    lines=sum(seen.lines for seen in facts.observations),
                )
            )
            last, at, size = number, recorded_at, size + count
            if size >= limit:
                break
        return last, at, batches

    def clear(self, last: int) -> None:
        """Forget rows that were posted."""
        self._db.execute("DELETE FROM inbox WHERE id <= ?", (last,))

    def forget(self, last: int) -> None:
        """Their transaction came through: the ledger's own rows know them now."""
        posted = [number for number in self._keys if number <= last]
        for number in posted:
            for key in self._keys.pop(number):
                if self._waiting.get(key, (last + 1,))[-1] <= last:
                    del self._waiting[key]

    # -- what waits ------------------------------------------------------------------

    def _catch_up(self) -> None:
        """Learn what other processes took in, and what this one did before it began."""
        rows: list[Row] = self._db.execute(
            "SELECT id, checksum, body FROM inbox WHERE id > ? ORDER BY id",
            (self._read,),
        ).fetchall()
        for number, checksum, body in rows:
            for seen in self._decoded(number, checksum, body).observations:
                key = key_of(seen)
                self._waiting[key] = (*self._waiting.get(key, ()), number)
                self._keys.setdefault(number, []).append(key)
            self._read = self._last = number

    def _known(self, keys: set[Key], reader: RowReader) -> dict[Key, _Said]:
        """What the ledger and the inbox know of some responses."""
        found: dict[Key, _Said] = {}
        listed = msgspec.json.encode(list(keys)).decode()
        for row in self._db.execute(_KNOWN, (listed,)).fetchall():
            found[reader.key(row)] = reader.state(row)
        rows: _Rows = {}
        for key in keys & self._waiting.keys():
            for number in dict.fromkeys(self._waiting[key]):
                for seen, source in self._row(number, rows).get(key, ()):
                    known, said = found.get(key), lift(seen, source)
                    found[key] = said if known is None else join(_state(known), said)
        return found

    def _row(
        self, number: int, rows: _Rows
    ) -> dict[Key, list[tuple[Observation, str]]]:
        """What a row holds; nothing when it has been posted, for then events know it."""
        if number not in rows:
            found: dict[Key, list[tuple[Observation, str]]] = {}
            rows[number] = found
            for source, checksum, body in self._db.execute(
                "SELECT source, checksum, body FROM inbox WHERE id = ?", (number,)
            ):
                text = self._texts[source] or ""
                for seen in self._decoded(number, checksum, body).observations:
                    found.setdefault(key_of(seen), []).append((seen, text))
        return rows[number]

    def _write(self, batches: Sequence[Batch], now: Instant) -> list[int]:
        """Rows of one source and origin each; returns which one has each batch's facts.

        A row is what ``post`` takes at once, so it stays small.
        """
        numbers = [0] * len(batches)
        together: dict[tuple[str, str], list[int]] = {}
        sizes: dict[tuple[str, str], int] = {}
        for n, batch in enumerate(batches):
            if not size_of(batch):
                continue
            place = (batch.source, batch.origin)
            together.setdefault(place, []).append(n)
            sizes[place] = sizes.get(place, 0) + size_of(batch)
            if sizes[place] >= _ROW_FACTS:
                self._write_row(batches, together.pop(place), now, numbers)
                del sizes[place]
        for chosen in together.values():
            self._write_row(batches, chosen, now, numbers)
        return numbers

    def _write_row(
        self,
        batches: Sequence[Batch],
        chosen: Sequence[int],
        now: Instant,
        numbers: list[int],
    ) -> None:
        found = [batches[n] for n in chosen]
        seen = [seen for batch in found for seen in batch.observations]
        calls = [call for batch in found for call in batch.calls]
        statements = [line for batch in found for line in batch.statements]
        body = encode_segment(Segment(seen, calls, statements))
        place = (self._names[found[0].source], self._names[found[0].origin], now)
        self._db.execute(
            "INSERT INTO inbox (source, origin, recorded_at, size, checksum, body)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (*place, sum(map(size_of, found)), zlib.crc32(body), body),
        )
        self._last = self._db.last_insert_rowid()
        for n in chosen:
            numbers[n] = self._last

    def _decoded(self, number: int, checksum: int, body: bytes) -> Segment:
        if zlib.crc32(body) != checksum:
            message = (
                f"the facts of inbox row {number} are damaged; keep the ledger file and "
                "restore a backup"
            )
            raise StoreDamagedError(message)
        return decode_segment(body)

    # -- receipts --------------------------------------------------------------------

    def _first(self, key: Key, seen: Observation, source: str) -> Receipt:
        """The receipt of a response nobody has spoken of."""
        if is_usual(key, seen):
            part = seen.parts[0]
            prices = self._pricer.token_prices(part.model, seen.conditions, seen.at)
            if prices is not None:
                cost = sum(map(mul, prices, token_counts(part.usage)))
                return Receipt(
                    status=ADDED, name=_name(key), usage=part.usage, list_cost=cost
                )
        event = settle_one(seen, source)
        found = shares(event, self._pricer)
        return receipt(_name(key), event, found, (ADDED, None))

    def _again(
        self, key: Key, known: EventState, seen: Observation, source: str
    ) -> tuple[EventState, Receipt]:
        """The receipt of a response somebody has spoken of, and what is known now."""
        said = lift(seen, source)
        joined = join(known, said)
        event = settle(joined)
        found = shares(event, self._pricer)
        return joined, receipt(_name(key), event, found, verdict(known, said, joined))


def _name(key: Key) -> str:
    """``core.event_id.event_id`` of the identity behind a key."""
    name, kind, moment = key
    return f"{moment}:{name}" if kind == IdentityKind.MOMENT else name


def _state(said: _Said) -> EventState:
    return said if isinstance(said, EventState) else lift(*said)

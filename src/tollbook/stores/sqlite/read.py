"""Questions to the ledger file, besides its totals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce

import apsw
import msgspec

from tollbook.core.event import UsageEvent, join, settle
from tollbook.core.identity import IdentityKind, looks_like_the_providers
from tollbook.core.observation import Call, Instant, Observation, StatementLine
from tollbook.core.slots import DAY_MS, SLOT_MS, bounds
from tollbook.core.tally import Share
from tollbook.ports import (
    Coverage,
    Statement,
    StoredEvent,
)
from tollbook.stores.sqlite.contexts import ContextsById
from tollbook.stores.sqlite.facts import SOURCE_MARK
from tollbook.stores.sqlite.names import Texts
from tollbook.stores.sqlite.problems import count_problems
from tollbook.stores.sqlite.rows import COLUMNS, Row, RowReader, column, key_of
from tollbook.stores.sqlite.schema import (
    DAILY_DIMENSIONS,
)
from tollbook.stores.sqlite.segments import decode_segment
from tollbook.stores.sqlite.sums import tally_of
from tollbook.stores.sqlite.totals import Totals

_SESSIONS_MAX = 20

_SOURCE = DAILY_DIMENSIONS.index("source")  # every event has one
_RESPONSES = "SELECT sum(responses) FROM usage_by_day WHERE dimension = ?"
_SLOTS = (  # each by a look at one end of the table
    f"SELECT (SELECT min(slot) FROM usage_by_project) * {SLOT_MS},"  # noqa: S608  # constants
    f" (SELECT max(slot) FROM usage_by_project) * {SLOT_MS}"
)

_BY_ITS_ID = (
    "SELECT id, 1 AS surely FROM events WHERE name = :id AND kind < 2"
    " UNION SELECT id, 1 FROM events WHERE kind = 0 AND request_id = :id"
    " UNION SELECT id, 1 FROM events WHERE kind = 2 AND name ->> 0 = :id"
)
_BY_ANOTHER = (  # a message id that is none of the provider's stands in the state alone
    " UNION SELECT ifnull(joined_to, id), 0 FROM events"
    " WHERE kind = 1 AND instr(state, :bytes)"
)
_NAMED = (
    "SELECT events.id, max(surely) FROM ({}) AS found JOIN events ON events.id = found.id"
    " WHERE joined_to IS NULL GROUP BY events.id ORDER BY at DESC, events.id DESC"
)


_LISTED = "IN (SELECT value FROM json_each(?))"


def _list(values: Sequence[object]) -> str:
    return msgspec.json.encode(values).decode()


class Reader:
    """Reads through one connection; a transaction around several reads is one moment."""

    def __init__(self, connection: apsw.Connection, texts: Texts) -> None:
        self._db = connection
        self._texts = texts
        self.rows = RowReader(texts, ContextsById(connection, texts))
        self._sums = Totals(connection, texts)
        self.totals = self._sums.totals
        self.condition = self._sums.condition
        self.number = self._sums.number

    def labels(self) -> dict[str, str]:
        """See ``LedgerStore.labels``."""
        rows: list[Row] = self._db.execute("SELECT name, label FROM labels").fetchall()
        return dict(rows)

    def sessions(self, prefix: str) -> list[str]:
        """See ``LedgerStore.sessions``."""
        found = self._db.execute(
            "SELECT text FROM names WHERE text >= ?1 AND text <= ?1 || char(1114111)"
            " AND id IN (SELECT session FROM usage_by_session) ORDER BY text LIMIT ?2",
            (prefix, _SESSIONS_MAX),
        )
        return [text for (text,) in found]

    def find_events(
        self, *, session: str | None, response: str | None
    ) -> Iterator[StoredEvent]:
        """See ``LedgerStore.find_events``."""
        if session is not None:
            where = "joined_to IS NULL AND session = ? ORDER BY at, id"
            for row in self._select(where, self.number(session)):
                yield self._stored(row)
            return
        assert response is not None, "a session or a response is asked for"
        arms = _BY_ITS_ID
        if not looks_like_the_providers(response):
            arms += _BY_ANOTHER
        texts = {"id": response, "bytes": response.encode()}
        for number, surely in self._db.execute(_NAMED.format(arms), texts).fetchall():
            (row,) = self._select("id = ?", number)
            if surely or self._event(row)[0].message_id == response:
                yield self._stored(row)

    def _select(self, where: str, key: object) -> list[Row]:
        return self._db.execute(
            f"SELECT id, {', '.join(COLUMNS)} FROM events WHERE {where}",  # noqa: S608  # constants
            (key,),
        ).fetchall()

    def _stored(self, row: Row) -> StoredEvent:
        event, shares = self._event(row)
        both = (row, *self._partners(row))
        return StoredEvent(
            event, shares, [s for each in both for s in self._seen(each)]
        )

    def _partners(self, row: Row) -> list[Row]:
        """The rows that were joined to one: that of its request, found by its name."""
        request_id = column(row, "request_id")
        if column(row, "kind") != IdentityKind.MESSAGE or request_id is None:
            return []
        found = self._select("kind = 1 AND name = ?", request_id)
        return [each for each in found if column(each, "joined_to") == row[0]]

    def _event(self, row: Row) -> tuple[UsageEvent, list[Share]]:
        parts = self._db.execute(
            "SELECT * FROM event_parts WHERE event = ? ORDER BY part", (row[0],)
        )
        return self._whole(row, self._partners(row), parts.fetchall())

    def _whole(
        self, row: Row, partners: Sequence[Row], parts: Sequence[Row]
    ) -> tuple[UsageEvent, list[Share]]:
        """A row with those that were joined to it, and its further parts."""
        event = None if partners else self.rows.event(row)
        if event is None:
            states = map(self.rows.state, (row, *partners))
            event = settle(reduce(join, states))
        shares = [
            Share(self._texts[part[2]] or "", bool(part[3]), tally_of(part[4:]))
            for part in parts
        ]
        return event, [self.rows.share(row), *shares]

    def events(self, numbers: Sequence[int]) -> list[tuple[UsageEvent, list[Share]]]:
        """What is in some rows and in those that were joined to them, in that order."""
        rows = {row[0]: row for row in self._select(f"id {_LISTED}", _list(numbers))}
        asked = [
            column(row, "request_id")
            for row in rows.values()
            if column(row, "kind") == IdentityKind.MESSAGE
        ]
        partners: dict[int, list[Row]] = {}
        for row in self._select(f"kind = 1 AND name {_LISTED}", _list(asked)):
            partners.setdefault(column(row, "joined_to"), []).append(row)
        parts: dict[int, list[Row]] = {}
        found = self._db.execute(
            f"SELECT * FROM event_parts WHERE event {_LISTED} ORDER BY event, part",  # noqa: S608  # constants
            (_list(numbers),),
        )
        for part in found:
            parts.setdefault(int(part[0]), []).append(part)
        return [
            self._whole(rows[each], partners.get(each, ()), parts.get(each, ()))
            for each in numbers
        ]

    def _seen(self, row: Row) -> Iterator[tuple[str, str, Observation]]:
        key = self.rows.key(row)
        segments: list[Row] = self._db.execute(
            "SELECT source, origin, body FROM segments WHERE id = ? OR id IN"
            " (SELECT segment FROM event_segments WHERE event = ?) ORDER BY id",
            (column(row, "segment"), row[0]),
        ).fetchall()
        for source, origin, body in segments:
            for seen in decode_segment(body).observations:
                if key_of(seen) == key:
                    yield self._texts[source] or "", self._texts[origin] or "", seen

    def statements(self, session: str) -> list[Statement]:
        """See ``LedgerStore.statements``."""
        rows = self._db.execute(
            "SELECT source, origin, body FROM statements WHERE session = ?"
            " ORDER BY series",
            (self.number(session),),
        )
        found = [
            Statement(
                self._texts[source] or "", self._texts[origin] or "", _statement(body)
            )
            for source, origin, body in rows
        ]
        return sorted(found, key=lambda statement: statement.source)

    def unrecorded(
        self, start: Instant, end: Instant, *, session: str | None
    ) -> list[Call]:
        """See ``LedgerStore.unrecorded``."""
        number = None if session is None else self.number(session)
        rows = self._db.execute(
            "SELECT reference, session, at, model, project FROM calls"
            " WHERE asked AND NOT answered AND (at IS NULL OR at >= ? AND at < ?)"
            " AND (?3 IS NULL OR session = ?3) ORDER BY at, reference",
            (start, end, number),
        )
        return [
            Call(
                reference=reference,
                asked=True,
                session=self._texts[asked_by],
                at=at,
                model=self._texts[model],
                project=self._texts[project],
            )
            for reference, asked_by, at, model, project in rows
        ]

    def coverage(self) -> Coverage:
        """See ``LedgerStore.coverage``."""
        count = self._db.execute
        calls = "SELECT count(*) FROM calls WHERE asked AND NOT answered"
        return Coverage(
            responses=count(_RESPONSES, (_SOURCE,)).get or 0,
            unrecorded_calls=count(calls).get,
            problems=count_problems(self._db),
            sources=self._sources(),
        )

    def _sources(self) -> dict[str, tuple[Instant | None, Instant | None]]:
        """Every source that gave facts, and between when its events lie."""
        names = self._db.execute(
            "SELECT substr(name, 1 + length(?1)) FROM meta"
            " WHERE substr(name, 1, length(?1)) = ?1",
            (SOURCE_MARK,),
        )
        days: dict[str, list[Instant]] = {name: [] for (name,) in names}
        spans = self._db.execute(
            "SELECT value, min(day), max(day) FROM usage_by_day WHERE dimension = ?"
            " GROUP BY value",
            (_SOURCE,),
        )
        for number, *span in spans:
            for source in (self._texts[number] or "").split("+"):
                days[source] += [day * DAY_MS for day in span]
        first, last = self._db.execute(_SLOTS).get
        return {
            source: bounds((min(found), max(found)), (first, last))
            if found
            else (None, None)
            for source, found in days.items()
        }


_statement = msgspec.msgpack.Decoder(StatementLine).decode

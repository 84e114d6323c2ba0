"""Questions to the ledger file, each answered by the narrowest table that can."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import apsw
import msgspec

from tollbook.core.event import join, settle
from tollbook.core.observation import Call, Instant, Observation, StatementLine
from tollbook.core.problem import Problem
from tollbook.core.tally import Share
from tollbook.ports import Coverage, Statement, StoredEvent, Total, UsageQuery
from tollbook.stores.sqlite.append import decode_segment
from tollbook.stores.sqlite.contexts import ContextsById
from tollbook.stores.sqlite.facts import SOURCE_MARK
from tollbook.stores.sqlite.names import Texts
from tollbook.stores.sqlite.rows import COLUMNS, Row, RowReader, column, key_of
from tollbook.stores.sqlite.schema import (
    EVENT_UNIT_COLUMNS,
    MICRO,
    SLOT_MS,
    TALLY_COLUMNS,
    UNIT_COLUMNS,
)
from tollbook.stores.sqlite.sums import tally_of

_SUMS = ", ".join(f"sum(t.{name})" for name in TALLY_COLUMNS)
_ROLLUP_DIMENSIONS = ("project", "model", "session")
_EVENT_DIMENSIONS = (*_ROLLUP_DIMENSIONS, "branch", "agent", "skill", "tools")
_SESSIONS_MAX = 20

_OF_EVENTS = (
    "1",
    "c.partial",
    "c.evidence = 0",
    "iif(c.partial, t.output_tokens, 0)",
    *(f"t.{name}" for name in EVENT_UNIT_COLUMNS),
    *("0" for _ in UNIT_COLUMNS[len(EVENT_UNIT_COLUMNS) :]),
    *(f"t.{kind}_pico {part} {MICRO}" for kind in ("list", "net") for part in "/%"),
)
_SUMS_OF_EVENTS = ", ".join(f"sum({each})" for each in _OF_EVENTS)
_SUMS_OF_PARTS = ", ".join(f"sum(p.{name})" for name in TALLY_COLUMNS)
_EVENTS = "events AS t JOIN contexts AS c ON c.id = t.context AND t.joined_to IS NULL"
_PARTS = f"{_EVENTS} JOIN event_parts AS p ON p.event = t.id"
_OF_CONTEXT = ("branch", "agent", "skill", "tools")


class _Arm(NamedTuple):
    """One table to sum over, with its neighbours."""

    table: str
    time: str
    model: str  # the alias that knows the model and whether it is priced
    sums: str

    def column(self, dimension: str) -> str:
        """Where a dimension stands."""
        if dimension in _OF_CONTEXT:
            return f"c.{dimension}"
        return f"{self.model if dimension == 'model' else 't'}.{dimension}"


def _added(events: list[Total], parts: list[Total]) -> list[Total]:
    """What events' rows hold, with their further parts."""
    found = {
        (each.bucket, each.priced, *each.dimensions.values()): each for each in events
    }
    for each in parts:
        key = (each.bucket, each.priced, *each.dimensions.values())
        known = found.get(key)
        found[key] = (
            each
            if known is None
            else Total(
                bucket=each.bucket,
                priced=each.priced,
                dimensions=each.dimensions,
                tally=known.tally.plus(each.tally),
                first_at=min(known.first_at, each.first_at),
                last_at=max(known.last_at, each.last_at),
            )
        )
    return list(found.values())


class Reader:
    """Reads through one connection; a transaction around several reads is one moment."""

    def __init__(self, connection: apsw.Connection, texts: Texts) -> None:
        self._db = connection
        self._texts = texts
        self.rows = RowReader(texts, ContextsById(connection, texts))

    def totals(self, query: UsageQuery) -> list[Total]:
        """See ``LedgerStore.totals``."""
        assert query.by <= set(_EVENT_DIMENSIONS), query.by
        if query.by <= set(_ROLLUP_DIMENSIONS):
            table = "usage_by_session" if "session" in query.by else "usage_by_project"
            return self._totals(query, _Arm(f"{table} AS t", "t.slot", "t", _SUMS))
        events = self._totals(query, _Arm(_EVENTS, "t.at", "t", _SUMS_OF_EVENTS))
        parts = self._totals(query, _Arm(_PARTS, "t.at", "p", _SUMS_OF_PARTS))
        return _added(events, parts)

    def _totals(self, query: UsageQuery, arm: _Arm) -> list[Total]:
        unit = 1 if arm.time == "t.at" else SLOT_MS
        by = sorted(query.by)
        dimensions = "".join(f", {arm.column(name)}" for name in by)
        buckets = [
            (n, -(-start // unit), -(-end // unit))
            for n, (start, end) in enumerate(query.buckets)
        ]
        rows = self._db.execute(
            "WITH b AS MATERIALIZED (SELECT value ->> 0 AS n, value ->> 1 AS start,"  # noqa: S608  # constants
            " value ->> 2 AS stop FROM json_each(?))"
            f" SELECT b.n, {arm.model}.priced, min({arm.time}), max({arm.time}),"
            f" {arm.sums}{dimensions} FROM b CROSS JOIN {arm.table}"
            f" WHERE {arm.time} >= b.start AND {arm.time} < b.stop"
            f" GROUP BY b.n, {arm.model}.priced{dimensions}"
            f" ORDER BY b.n{dimensions}, {arm.model}.priced",
            (msgspec.json.encode(buckets).decode(),),
        )
        end = 4 + len(TALLY_COLUMNS)
        return [
            Total(
                bucket=row[0],
                priced=bool(row[1]),
                dimensions={
                    name: self._texts[number]
                    for name, number in zip(by, row[end:], strict=True)
                },
                tally=tally_of(row[4:end]),
                first_at=row[2] * unit,
                last_at=row[3] * unit,
            )
            for row in rows
        ]

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
        where = (
            "joined_to IS NULL AND (name = ? OR request_id = ?1"
            " OR kind = 2 AND name ->> 0 = ?1) ORDER BY at, id"
        )
        key: object = response
        if session is not None:
            where = "joined_to IS NULL AND session = ? ORDER BY at, id"
            key = self._number(session)
        for row in self._select(where, key):
            partners = self._select("kind = 1 AND joined_to = ?", row[0])
            yield self._stored(row, partners)

    def _select(self, where: str, key: object) -> list[Row]:
        return self._db.execute(
            f"SELECT id, {', '.join(COLUMNS)} FROM events WHERE {where}",  # noqa: S608  # constants
            (key,),
        ).fetchall()

    def _stored(self, row: Row, partners: Sequence[Row]) -> StoredEvent:
        state = self.rows.state(row)
        for partner in partners:
            state = join(state, self.rows.state(partner))
        parts = self._db.execute(
            "SELECT * FROM event_parts WHERE event = ? ORDER BY part", (row[0],)
        )
        return StoredEvent(
            event=settle(state),
            shares=[
                self.rows.share(row),
                *(
                    Share(self._texts[part[2]] or "", bool(part[3]), tally_of(part[4:]))
                    for part in parts
                ),
            ],
            seen=[s for each in (row, *partners) for s in self._seen(each)],
        )

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

    def _number(self, text: str) -> int:
        found = self._db.execute("SELECT id FROM names WHERE text = ?", (text,)).get
        return -1 if found is None else int(found)

    def statements(self, session: str) -> list[Statement]:
        """See ``LedgerStore.statements``."""
        rows = self._db.execute(
            "SELECT source, origin, body FROM statements WHERE session = ?",
            (self._number(session),),
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
        number = None if session is None else self._number(session)
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

    def problems(self) -> list[Problem]:
        """See ``LedgerStore.problems``."""
        rows = self._db.execute(
            "SELECT origin, line, code, message FROM problems ORDER BY origin, line, code"
        )
        return [
            Problem(origin=origin, line=line, code=code, message=message)
            for origin, line, code, message in rows
        ]

    def coverage(self) -> Coverage:
        """See ``LedgerStore.coverage``."""
        count = self._db.execute
        sources: list[Row] = count(
            "SELECT substr(name, 1 + length(?1)) FROM meta"
            " WHERE substr(name, 1, length(?1)) = ?1",
            (SOURCE_MARK,),
        ).fetchall()
        bounds: list[Row] = count(
            f"SELECT min(slot) * {SLOT_MS}, max(slot) * {SLOT_MS} FROM usage_by_project"  # noqa: S608  # constants
        ).fetchall()
        first, last = bounds[0]
        calls = "SELECT count(*) FROM calls WHERE asked AND NOT answered"
        return Coverage(
            responses=count("SELECT sum(responses) FROM usage_by_project").get or 0,
            unrecorded_calls=count(calls).get,
            problems=count("SELECT count(*) FROM problems").get,
            sources={source: (first, last) for (source,) in sources},
        )


_statement = msgspec.msgpack.Decoder(StatementLine).decode

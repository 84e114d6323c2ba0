"""Questions to the ledger file, each answered by the narrowest table that can."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import apsw
import msgspec

from tollbook.core.event import UsageEvent, join, settle
from tollbook.core.observation import Call, Instant, Observation, StatementLine
from tollbook.core.problem import Problem
from tollbook.core.slots import DAY_MS, SLOT_MS, bounds, whole_days
from tollbook.core.tally import Share
from tollbook.ports import (
    DAILY,
    TAG,
    Coverage,
    Statement,
    StoredEvent,
    Total,
    UsageQuery,
)
from tollbook.stores.sqlite.contexts import ContextsById
from tollbook.stores.sqlite.facts import SOURCE_MARK
from tollbook.stores.sqlite.names import NONE, Texts
from tollbook.stores.sqlite.rows import COLUMNS, Row, RowReader, column, key_of
from tollbook.stores.sqlite.schema import (
    DAILY_DIMENSIONS,
    EVENT_UNIT_COLUMNS,
    MICRO,
    TALLY_COLUMNS,
    UNIT_COLUMNS,
)
from tollbook.stores.sqlite.segments import decode_segment
from tollbook.stores.sqlite.sums import tally_of

_SUMS = ", ".join(f"sum(t.{name})" for name in TALLY_COLUMNS)
_SESSIONS_MAX = 20

_OF_EVENTS = (
    "c.failure = 0",
    "c.partial",
    "c.evidence = 0 AND c.failure = 0",
    "iif(c.partial, t.output_tokens, 0)",
    *(f"t.{name}" for name in EVENT_UNIT_COLUMNS),
    *("0" for _ in UNIT_COLUMNS[len(EVENT_UNIT_COLUMNS) :]),
    "c.failure <> 0",
    "t.latency_ms IS NOT NULL",
    "ifnull(t.latency_ms, 0)",
    *(f"t.{kind}_pico {part} {MICRO}" for kind in ("list", "net") for part in "/%"),
)
_SUMS_OF_EVENTS = ", ".join(f"sum({each})" for each in _OF_EVENTS)
_SUMS_OF_PARTS = ", ".join(f"sum(p.{name})" for name in TALLY_COLUMNS)
_EVENTS = "events AS t JOIN contexts AS c ON c.id = t.context AND t.joined_to IS NULL"
_PARTS = f"{_EVENTS} JOIN event_parts AS p ON p.event = t.id"
_OF_EVENTS_ROW = ("project", "session")
_TAGGED = (
    "(SELECT j.value ->> 1 FROM names AS n, json_each(n.text) AS j"
    " WHERE n.id = c.tags AND j.value ->> 0 = :tag{})"
)

_Range = tuple[int, Instant, Instant]
"""A bucket's number and a part of it."""


class _Arm(NamedTuple):
    """One table to sum over, with its neighbours."""

    table: str
    time: str
    unit: int  # milliseconds of one step of its time
    model: str  # the alias that knows the model and whether it is priced
    sums: str

    def column(self, dimension: str) -> str:
        """Where a dimension stands."""
        if dimension == "model":
            return f"{self.model}.model"
        if dimension in _OF_EVENTS_ROW or self.unit == SLOT_MS:
            return f"t.{dimension}"
        return "t.value" if self.unit == DAY_MS else f"c.{dimension}"


_BY_EVENT = (
    _Arm(_EVENTS, "t.at", 1, "t", _SUMS_OF_EVENTS),
    _Arm(_PARTS, "t.at", 1, "p", _SUMS_OF_PARTS),
)


def _by_slot(table: str) -> _Arm:
    return _Arm(f"{table} AS t", "t.slot", SLOT_MS, "t", _SUMS)


def _by_day(dimension: str) -> _Arm:
    number = DAILY_DIMENSIONS.index(dimension)
    joined = f"usage_by_day AS t ON t.dimension = {number}"
    return _Arm(joined, "t.day", DAY_MS, "t", _SUMS)


def _added(found: Sequence[Total]) -> list[Total]:
    """Totals of one bucket and the same dimensions, as one."""
    sums: dict[tuple[object, ...], Total] = {}
    for each in found:
        key = (each.bucket, each.priced, *each.dimensions.values())
        known = sums.get(key)
        sums[key] = (
            each
            if known is None
            else msgspec.structs.replace(
                each,
                tally=known.tally.plus(each.tally),
                first_at=min(known.first_at, each.first_at),
                last_at=max(known.last_at, each.last_at),
            )
        )
    return list(sums.values())


def _split(ranges: Sequence[_Range]) -> tuple[list[_Range], list[_Range]]:
    """The whole days of some ranges, and what is left of them."""
    days: list[_Range] = []
    edges: list[_Range] = []
    for n, start, end in ranges:
        whole = whole_days(start, end)
        first, last = whole or (end, end)
        days.append((n, first, last))
        edges += [(n, start, first), (n, last, end)]
    return [r for r in days if r[1] < r[2]], [r for r in edges if r[1] < r[2]]


class Reader:
    """Reads through one connection; a transaction around several reads is one moment."""

    def __init__(self, connection: apsw.Connection, texts: Texts) -> None:
        self._db = connection
        self._texts = texts
        self.rows = RowReader(texts, ContextsById(connection, texts))

    def totals(self, query: UsageQuery) -> list[Total]:
        """See ``LedgerStore.totals``."""
        ranges = [(n, *bucket) for n, bucket in enumerate(query.buckets)]
        named = query.by | query.where.keys()
        if query.grain == "slot":
            table = "usage_by_session" if "session" in named else "usage_by_project"
            return self._totals(query, _by_slot(table), ranges)
        if query.grain == "event":
            return _added(
                [t for arm in _BY_EVENT for t in self._totals(query, arm, ranges)]
            )
        days, edges = _split(ranges)
        (dimension,) = named & DAILY
        found = self._totals(query, _by_day(dimension), days)
        for arm in _BY_EVENT:
            found += self._totals(query, arm, edges)
        return _added(found)

    def _totals(
        self, query: UsageQuery, arm: _Arm, ranges: Sequence[_Range]
    ) -> list[Total]:
        if not ranges:
            return []
        by = sorted(query.by)
        unit = arm.unit
        texts: dict[str, object] = {}
        columns = [self._column(arm, name, texts) for name in by]
        wanted = [
            f"{self._column(arm, name, texts)} IS {self._value(name, value, texts)}"
            for name, value in query.where.items()
        ]
        buckets = [(n, -(-start // unit), -(-end // unit)) for n, start, end in ranges]
        chosen = "".join(f", {column} AS d{n}" for n, column in enumerate(columns))
        groups = "".join(f", d{n}" for n in range(len(by)))
        rows = self._db.execute(
            "WITH b AS MATERIALIZED (SELECT value ->> 0 AS n, value ->> 1 AS start,"  # noqa: S608  # constants
            " value ->> 2 AS stop FROM json_each(:buckets))"
            f" SELECT b.n, {arm.model}.priced, min({arm.time}), max({arm.time}),"
            f" {arm.sums}{chosen} FROM b CROSS JOIN {arm.table}"
            f" WHERE {arm.time} >= b.start AND {arm.time} < b.stop"
            f"{''.join(f' AND {condition}' for condition in wanted)}"
            f" GROUP BY b.n, {arm.model}.priced{groups}"
            f" ORDER BY b.n{groups}, {arm.model}.priced",
            {"buckets": msgspec.json.encode(buckets).decode(), **texts},
        )
        return [self._total(row, by, unit) for row in rows]

    def _column(self, arm: _Arm, dimension: str, texts: dict[str, object]) -> str:
        if not dimension.startswith(TAG):
            return arm.column(dimension)
        number = len(texts)
        texts[f"tag{number}"] = dimension.removeprefix(TAG)
        return _TAGGED.format(number)

    def _value(self, name: str, value: str | None, texts: dict[str, object]) -> str:
        """The placeholder of a dimension's wanted value."""
        mark = f"value{len(texts)}"
        tagged = name.startswith(TAG)
        texts[mark] = value if tagged else self.number(value)
        return f":{mark}"

    def _total(self, row: Row, by: Sequence[str], unit: int) -> Total:
        end = 4 + len(TALLY_COLUMNS)
        named = zip(by, row[end:], strict=True)
        return Total(
            bucket=row[0],
            priced=bool(row[1]),
            dimensions={
                name: value if name.startswith(TAG) else self._texts[value]
                for name, value in named
            },
            tally=tally_of(row[4:end]),
            first_at=row[2] * unit,
            last_at=row[3] * unit,
        )

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
            key = self.number(session)
        for row in self._select(where, key):
            partners = self._select("kind = 1 AND joined_to = ?", row[0])
            yield self._stored(row, partners)

    def _select(self, where: str, key: object) -> list[Row]:
        return self._db.execute(
            f"SELECT id, {', '.join(COLUMNS)} FROM events WHERE {where}",  # noqa: S608  # constants
            (key,),
        ).fetchall()

    def _stored(self, row: Row, partners: Sequence[Row]) -> StoredEvent:
        event, shares = self._event(row, partners)
        seen = [said for each in (row, *partners) for said in self._seen(each)]
        return StoredEvent(event, shares, seen)

    def _event(
        self, row: Row, partners: Sequence[Row]
    ) -> tuple[UsageEvent, list[Share]]:
        state = self.rows.state(row)
        for partner in partners:
            state = join(state, self.rows.state(partner))
        parts = self._db.execute(
            "SELECT * FROM event_parts WHERE event = ? ORDER BY part", (row[0],)
        )
        shares = [
            Share(self._texts[part[2]] or "", bool(part[3]), tally_of(part[4:]))
            for part in parts
        ]
        return settle(state), [self.rows.share(row), *shares]

    def event(self, number: int) -> tuple[UsageEvent, list[Share]]:
        """What is in a row and in those that were joined to it."""
        (row,) = self._select("id = ?", number)
        return self._event(row, self._select("kind = 1 AND joined_to = ?", number))

    def condition(
        self, dimension: str, value: str | None, texts: dict[str, object]
    ) -> str:
        """That an event (``t``) in its context (``c``) has a value; fills ``texts``."""
        column = self._column(_BY_EVENT[0], dimension, texts)
        return f"{column} IS {self._value(dimension, value, texts)}"

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

    def number(self, text: str | None) -> int:
        """The number of a text; one that nothing has when it is not known."""
        if text is None:
            return NONE
        found = self._db.execute("SELECT id FROM names WHERE text = ?", (text,)).get
        return -1 if found is None else int(found)

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
        calls = "SELECT count(*) FROM calls WHERE asked AND NOT answered"
        return Coverage(
            responses=count("SELECT sum(responses) FROM usage_by_project").get or 0,
            unrecorded_calls=count(calls).get,
            problems=count("SELECT count(*) FROM problems").get,
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
            (DAILY_DIMENSIONS.index("source"),),
        )
        for number, *span in spans:
            for source in (self._texts[number] or "").split("+"):
                days[source] += [day * DAY_MS for day in span]
        first, last = self._db.execute(
            f"SELECT min(slot) * {SLOT_MS}, max(slot) * {SLOT_MS} FROM usage_by_project"  # noqa: S608  # constants
        ).get
        return {
            source: bounds((min(found), max(found)), (first, last))
            if found
            else (None, None)
            for source, found in days.items()
        }


_statement = msgspec.msgpack.Decoder(StatementLine).decode

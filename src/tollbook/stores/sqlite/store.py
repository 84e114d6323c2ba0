"""The SQLite store: what ``ports.LedgerStore`` promises, on one file."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import apsw

from tollbook.core.errors import StoreDamagedError
from tollbook.core.measure import Measure
from tollbook.core.observation import Call, Instant
from tollbook.core.problem import Problem
from tollbook.core.receipt import Receipt
from tollbook.core.tally import Pricer
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
    StrPath,
    Total,
    UsageQuery,
    size_of,
)
from tollbook.render.figures import plural
from tollbook.stores.sqlite.append import INDEX_REQUESTS, Work
from tollbook.stores.sqlite.connection import (
    limit_time,
    open_ledger,
    transaction,
    translated,
)
from tollbook.stores.sqlite.facts import (
    accept,
    note_sources,
    save_calls,
    save_statements,
)
from tollbook.stores.sqlite.inbox import Inbox
from tollbook.stores.sqlite.names import Names, Texts
from tollbook.stores.sqlite.outgoing import Wanted, read_facts
from tollbook.stores.sqlite.pages import Pages
from tollbook.stores.sqlite.problems import (
    acknowledge,
    read_acknowledged,
    read_problems,
    save_problems,
)
from tollbook.stores.sqlite.read import Reader
from tollbook.stores.sqlite.schema import DERIVED_TABLES, MICRO
from tollbook.stores.sqlite.segments import Segment, decode_segment

_COMPARED = (
    "events",
    "event_parts",
    "usage_by_project",
    "usage_by_session",
    "usage_by_day",
    "calls",
    "statements",
)
_CARRIED = {
    name: text
    for kind in ("list", "net")
    for name, text in (
        (f"{kind}_micro", f"{kind}_micro + {kind}_rest / {MICRO}"),
        (f"{kind}_rest", f"{kind}_rest % {MICRO}"),
    )
}
"""Added in parts, the picodollars of a sum may exceed a micro-dollar."""
_SIGHTINGS = (
    "SELECT name, kind, moment, segment AS seen_in FROM events UNION"
    " SELECT name, kind, moment, s.segment FROM event_segments AS s"
    " JOIN events AS e ON e.id = s.event"
)
"""Which facts speak of an event; a rebuild may name another one of them first."""
_NOT_COMPARED = ("id", "event", "joined_to", "segment", "state")
"""Numbers that a rebuild may give anew, and a blob whose spelling may differ."""
_REPLAY_EVENTS_MAX = 50_000


class SqliteStore:
    """One ledger file. Several processes may hold it open at once.

    Costs are rated when events are written, at the prices named by ``price_version``.
    """

    def __init__(self, path: StrPath, pricer: Pricer, price_version: str) -> None:
        self.path = path
        self._pricer = pricer
        self._price_version = price_version
        self._db = open_ledger(path)
        self._names = Names(self._db)
        self._texts = Texts(self._db)
        self._reader = Reader(self._db, self._texts)
        self._pages = Pages(self._db, self._reader)
        self._inbox = Inbox(self._db, self._names, self._texts, pricer)

    def limit(self, milliseconds: int | None) -> None:
        """See ``LedgerStore.limit``."""
        limit_time(self._db, milliseconds)

    def close(self) -> None:
        """See ``LedgerStore.close``."""
        self._db.close()

    # -- writing ---------------------------------------------------------------------

    def append(self, batches: Sequence[Batch], *, now: Instant) -> Appended:
        """See ``LedgerStore.append``."""
        self._names.forget()
        with transaction(self._db, self.path):
            self._stamp()
            accepted = accept(self._db, self._names, batches)
            note_sources(self._db, accepted)
            problems = save_problems(self._db, accepted, now)
            work = self._work()
            appended = work.take(accepted, now=now)
            for batch in accepted:
                self._save_rest(batch)
            work.finish()
        return appended.plus(
            Appended(problems=problems, superseded=len(batches) - len(accepted))
        )

    def receive(self, batches: Sequence[Batch], *, now: Instant) -> list[list[Receipt]]:
        """See ``LedgerStore.receive``."""
        self._names.forget()
        try:
            with transaction(self._db, self.path):
                self._stamp()
                save_problems(self._db, batches, now)
                receipts = self._inbox.take_in(batches, self._reader.rows, now=now)
        except BaseException:
            self._inbox.drop()
            raise
        self._inbox.keep()
        return receipts

    def post(self, *, limit: int) -> int:
        """See ``LedgerStore.post``."""
        if self._db.execute("SELECT 1 FROM inbox LIMIT 1").get is None:
            return 0
        self._names.forget()
        with transaction(self._db, self.path):
            self._db.execute(INDEX_REQUESTS)
            last, at, batches = self._inbox.oldest(limit)
            note_sources(self._db, batches)
            work = self._work()
            work.take(batches, now=at)
            for batch in batches:
                self._save_rest(batch)
            work.finish()
            self._inbox.clear(last)
        self._inbox.forget(last)
        return sum(map(size_of, batches))

    def _save_rest(self, batch: Batch) -> None:
        if batch.calls:
            save_calls(self._db, self._names, batch.calls)
        if batch.statements:
            source, origin = batch.source, batch.origin
            save_statements(self._db, self._names, source, origin, batch.statements)

    def _work(self) -> Work:
        return Work(self._db, self._names, self._reader.rows, self._pricer)

    def _stamp(self) -> None:
        """Note the prices of a ledger's first costs."""
        if self.price_version() is None:
            self._set_price_version()

    def _set_price_version(self) -> None:
        self._db.execute(
            "REPLACE INTO meta VALUES ('price_version', ?)", (self._price_version,)
        )

    # -- deriving again --------------------------------------------------------------

    def price_version(self) -> str | None:
        """See ``LedgerStore.price_version``."""
        found = self._db.execute(
            "SELECT value FROM meta WHERE name = 'price_version'"
        ).get
        return None if found is None else str(found)

    def rerate(self) -> int:
        """See ``LedgerStore.rerate``."""
        return self.rebuild()

    def rebuild(self) -> int:
        """See ``LedgerStore.rebuild``."""
        with transaction(self._db, self.path):
            return self._derive()

    def _derive(self) -> int:
        self._names.forget()
        for table in DERIVED_TABLES:
            self._db.execute(f"DELETE FROM {table}")  # noqa: S608  # constants
        work = self._work()
        pending = 0
        for number, source, origin, facts in self._segments():
            work.replay(number, source, facts)
            rest = Batch(
                source=source,
                origin=origin,
                calls=facts.calls,
                statements=facts.statements,
            )
            self._save_rest(rest)
            pending += len(facts.observations)
            if pending >= _REPLAY_EVENTS_MAX:
                work.finish()
                work, pending = self._work(), 0
        work.finish()
        self._set_price_version()
        count = "SELECT count(*) FROM events WHERE joined_to IS NULL"
        return int(self._db.execute(count).get)

    def _segments(self) -> Iterator[tuple[int, str, str, Segment]]:
        last = self._db.execute("SELECT max(id) FROM segments").get or 0
        for number in range(1, last + 1):
            row = self._db.execute(
                "SELECT source, origin, checksum, body FROM segments WHERE id = ?",
                (number,),
            ).get
            if row is None:
                what = f"the facts of segment {number} are gone"
                raise self._damaged(what)
            source, origin, checksum, body = row
            if zlib.crc32(body) != checksum:
                what = f"the facts of segment {number} are damaged"
                raise self._damaged(what)
            yield (
                number,
                self._texts[source] or "",
                self._texts[origin] or "",
                decode_segment(body),
            )

    def _damaged(self, what: str) -> StoreDamagedError:
        remedy = "restore a backup, or move the file away and scan again"
        return StoreDamagedError(f"{self.path}: {what}; {remedy}")

    def verify(self) -> list[str]:
        """See ``LedgerStore.verify``."""
        with translated(self.path):
            sound = self._db.execute("PRAGMA integrity_check(1)").get
            if sound != "ok":
                what = f"the file is not sound ({sound})"
                raise self._damaged(what)
            return self._differences()

    def _differences(self) -> list[str]:
        """Derive everything again, compare, and take it back."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for table in _COMPARED:
                self._db.execute(
                    f"CREATE TEMP TABLE before_{table} AS SELECT * FROM {table}"  # noqa: S608  # constants
                )
            self._db.execute(f"CREATE TEMP TABLE before_sightings AS {_SIGHTINGS}")
            self._derive()
            self._db.execute(f"CREATE TEMP TABLE sightings AS {_SIGHTINGS}")
            tables = (*_COMPARED, "sightings")
            return [text for table in tables for text in self._compare(table)]
        finally:
            self._db.execute("ROLLBACK")
            self._names.forget()

    def _compare(self, table: str) -> Iterator[str]:
        columns = ", ".join(
            _CARRIED.get(name, name)
            for _, name, *_ in self._db.execute(f"PRAGMA table_info({table})")
            if name not in _NOT_COMPARED
        )
        for there, here, what in (
            (f"before_{table}", table, "stored, but not what the facts say"),
            (table, f"before_{table}", "what the facts say, but not stored"),
        ):
            count = self._db.execute(
                f"SELECT count(*) FROM (SELECT {columns} FROM {there}"  # noqa: S608  # constants
                f" EXCEPT SELECT {columns} FROM {here})"
            ).get
            if count:
                yield f"{table}: {plural(count, 'row')} {what}"

    # -- reading ---------------------------------------------------------------------

    def cursors(self, source: str) -> dict[str, bytes]:
        """See ``LedgerStore.cursors``."""
        rows: list[tuple[Any, ...]] = self._db.execute(
            "SELECT origin, cursor FROM cursors WHERE source ="
            " (SELECT id FROM names WHERE text = ?)",
            (source,),
        ).fetchall()
        return dict(rows)

    def facts(self, after: int, limit: int, *, source: str | None = None) -> list[Fact]:
        """See ``LedgerStore.facts``."""
        with translated(self.path):
            wanted = Wanted(after, limit, source)
            return read_facts(self._db, self._texts, self.path, wanted)

    def totals(self, query: UsageQuery) -> list[Total]:
        """See ``LedgerStore.totals``."""
        with translated(self.path):
            return self._reader.totals(query)

    def labels(self) -> dict[str, str]:
        """See ``LedgerStore.labels``."""
        with translated(self.path):
            return self._reader.labels()

    def sessions(self, prefix: str) -> list[str]:
        """See ``LedgerStore.sessions``."""
        with translated(self.path):
            return self._reader.sessions(prefix)

    def find_events(
        self, *, session: str | None = None, response: str | None = None
    ) -> Iterator[StoredEvent]:
        """See ``LedgerStore.find_events``."""
        with translated(self.path):
            yield from self._reader.find_events(session=session, response=response)

    def page(self, query: EventQuery) -> list[ListedEvent]:
        """See ``LedgerStore.page``."""
        with translated(self.path):
            return self._pages.page(query)

    def measures(self, query: EventQuery, measure: Measure) -> list[int]:
        """See ``LedgerStore.measures``."""
        with translated(self.path):
            return self._pages.measures(query, measure)

    def statements(self, session: str) -> list[Statement]:
        """See ``LedgerStore.statements``."""
        with translated(self.path):
            return self._reader.statements(session)

    def unrecorded(
        self, start: Instant, end: Instant, *, session: str | None = None
    ) -> list[Call]:
        """See ``LedgerStore.unrecorded``."""
        with translated(self.path):
            return self._reader.unrecorded(start, end, session=session)

    def problems(self) -> list[Problem]:
        """See ``LedgerStore.problems``."""
        with translated(self.path):
            return read_problems(self._db)

    def acknowledged(self) -> list[tuple[Problem, Instant]]:
        """See ``LedgerStore.acknowledged``."""
        return read_acknowledged(self._db)

    def acknowledge(self, origin: str | None, *, now: Instant) -> int:
        """See ``LedgerStore.acknowledge``."""
        with transaction(self._db, self.path):
            return acknowledge(self._db, origin, now)

    def health(self) -> Health:
        """See ``LedgerStore.health``."""
        with translated(self.path):
            schema = self._db.pragma("user_version")
            batches, recorded_at = self._db.execute(
                "SELECT count(*), max(recorded_at) FROM segments"
            ).get
        assert isinstance(schema, int)
        return Health(
            engine=f"SQLite {apsw.sqlite_lib_version()}",
            schema=schema,
            price_version=self.price_version(),
            responses=self.coverage().responses,
            batches=batches,
            recorded_at=recorded_at,
        )

    def coverage(self) -> Coverage:
        """See ``LedgerStore.coverage``."""
        with translated(self.path):
            return self._reader.coverage()

"""Totals, each summed over the narrowest tables that can give it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import apsw
import msgspec

from tollbook.core.observation import Instant
from tollbook.core.slots import DAY_MS, SLOT_MS, whole_days, whole_slots
from tollbook.ports import DAILY, TAG, Total, UsageQuery
from tollbook.stores.sqlite.names import NONE, Texts
from tollbook.stores.sqlite.rows import Row
from tollbook.stores.sqlite.schema import (
    DAILY_DIMENSIONS,
    EVENT_UNIT_COLUMNS,
    MICRO,
    TALLY_COLUMNS,
    UNIT_COLUMNS,
)
from tollbook.stores.sqlite.sums import tally_of

_SUMS = ", ".join(f"sum(t.{name})" for name in TALLY_COLUMNS)
_NO_SUMS = ", ".join("0" for _ in TALLY_COLUMNS)
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


def _key(total: Total) -> tuple[object, ...]:
    return (total.bucket, total.priced, *total.dimensions.values())


def _added(found: Sequence[Total]) -> list[Total]:
    """Totals of one bucket and the same dimensions, as one."""
    sums: dict[tuple[object, ...], Total] = {}
    for each in found:
        key = _key(each)
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


def _split(
    ranges: Sequence[_Range],
    whole: Callable[[Instant, Instant], tuple[Instant, Instant] | None],
) -> tuple[list[_Range], list[_Range]]:
    """The whole days, or quarter hours, of some ranges, and what is left of them."""
    inner: list[_Range] = []
    edges: list[_Range] = []
    for n, start, end in ranges:
        first, last = whole(start, end) or (end, end)
        inner.append((n, first, last))
        edges += [(n, start, first), (n, last, end)]
    return [r for r in inner if r[1] < r[2]], [r for r in edges if r[1] < r[2]]


class Totals:
    """Adds up through one connection."""

    def __init__(self, connection: apsw.Connection, texts: Texts) -> None:
        self._db = connection
        self._texts = texts

    def totals(self, query: UsageQuery) -> list[Total]:
        """See ``LedgerStore.totals``."""
        ranges = [(n, *bucket) for n, bucket in enumerate(query.buckets)]
        named = query.by | query.where.keys()
        if query.grain == "event":
            return _added(self._by_event(query, ranges))
        if query.grain == "slot":
            slots, edges = _split(ranges, whole_slots)
            if "session" in named:
                found = self._totals(query, _by_slot("usage_by_session"), slots)
            else:
                found = self._by_project(query, slots)
        else:
            days, edges = _split(ranges, whole_days)
            (dimension,) = named & DAILY
            found = self._totals(query, _by_day(dimension), days)
        return _added(found + self._by_event(query, edges))

    def _by_event(self, query: UsageQuery, ranges: Sequence[_Range]) -> list[Total]:
        return [t for arm in _BY_EVENT for t in self._totals(query, arm, ranges)]

    def _by_project(self, query: UsageQuery, ranges: Sequence[_Range]) -> list[Total]:
        """Whole days from the sums by day, the rest from those by quarter hour.

        When something was first and last seen is then looked up in the quarter hours of
        the first and last days of anything.
        """
        slots = _by_slot("usage_by_project")
        days, edges = _split(ranges, whole_days)
        coarse = self._totals(query, _by_day(DAILY_DIMENSIONS[0]), days)
        ends = {(t.bucket, at) for t in coarse for at in (t.first_at, t.last_at)}
        looked_at = [(n, day, day + DAY_MS) for n, day in sorted(ends)]
        spans = self._totals(query, slots._replace(sums=_NO_SUMS), looked_at)
        exact = {_key(total): total for total in _added(spans)}
        found = [
            msgspec.structs.replace(
                total,
                first_at=exact[_key(total)].first_at,
                last_at=exact[_key(total)].last_at,
            )
            for total in coarse
        ]
        return _added(found + self._totals(query, slots, edges))

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

    def condition(
        self, dimension: str, value: str | None, texts: dict[str, object]
    ) -> str:
        """That an event (``t``) in its context (``c``) has a value; fills ``texts``."""
        column = self._column(_BY_EVENT[0], dimension, texts)
        return f"{column} IS {self._value(dimension, value, texts)}"

    def number(self, text: str | None) -> int:
        """The number of a text; one that nothing has when it is not known."""
        if text is None:
            return NONE
        found = self._db.execute("SELECT id FROM names WHERE text = ?", (text,)).get
        return -1 if found is None else int(found)

"""Single events by time, page by page, and what each of them cost, used or took."""

from __future__ import annotations

from collections.abc import Iterable

import apsw
import msgspec

from tollbook.core.measure import Measure
from tollbook.core.observation import Evidence
from tollbook.core.units import TOKEN_UNITS
from tollbook.ports import EventQuery, ListedEvent
from tollbook.stores.sqlite.read import Reader
from tollbook.stores.sqlite.rows import Row
from tollbook.stores.sqlite.schema import MICRO

_JOINED = "+"  # between the sources that spoke of one response
_ID = "iif(t.kind = 2, t.moment || ':' || t.name, t.name)"
"""See ``core.event_id``."""

_KNOWN = "c.failure = 0 AND c.evidence <> 0"
_IN_DOUBT = f"c.failure = 0 AND (c.partial OR c.evidence < {int(Evidence.REPORTED)})"
_OF_PARTS = "ifnull((SELECT sum({}) FROM event_parts AS p WHERE p.event = t.id), 0)"
_COST = f"p.list_micro * {MICRO} + p.list_rest"
_TOKENS = " + ".join(f"t.{unit.value}" for unit in TOKEN_UNITS)
_PART_TOKENS = _TOKENS.replace("t.", "p.")
_PRICED_PART = (
    "EXISTS (SELECT 1 FROM event_parts AS p"  # noqa: S608  # constants
    f" WHERE p.event = t.id AND p.priced AND {_COST} <> 0)"
)
_SOURCE = (
    "c.source IN (SELECT n.id FROM names AS n WHERE n.id IN"  # noqa: S608  # constants
    f" (SELECT source FROM contexts) AND instr('{_JOINED}' || n.text || '{_JOINED}',"
    " :source))"
)
_AMONG = "t.{0} IN (SELECT value FROM json_each(:{0}))"
_MEASURES: dict[Measure, tuple[str, str]] = {
    "cost": (
        f"t.list_pico + {_OF_PARTS.format(_COST)}",
        f"{_KNOWN} AND (t.priced OR {_PRICED_PART})",
    ),
    "tokens": (f"{_TOKENS} + {_OF_PARTS.format(_PART_TOKENS)}", _KNOWN),
    "latency": ("t.latency_ms", "t.latency_ms IS NOT NULL"),
}
"""The value, and the condition under which it is known."""


class Pages:
    """Reads through a reader's connection."""

    def __init__(self, connection: apsw.Connection, reader: Reader) -> None:
        self._db = connection
        self._reader = reader

    def page(self, query: EventQuery) -> list[ListedEvent]:
        """See ``LedgerStore.page``."""
        texts: dict[str, object] = {}
        conditions = self._conditions(query, texts)
        order = "DESC" if query.newest_first else "ASC"
        if query.after is not None:
            texts["last_at"], texts["last_id"] = query.after
            turn = "<" if query.newest_first else ">"
            conditions += [
                f"t.at {turn}= :last_at",
                f"(t.at <> :last_at OR {_ID} {turn} :last_id)",
            ]
        rows: list[Row] = self._db.execute(
            f"SELECT t.id, {_ID} FROM events AS t CROSS JOIN contexts AS c"  # noqa: S608  # constants
            f" ON c.id = t.context WHERE {' AND '.join(conditions)}"
            f" ORDER BY t.at {order}, {_ID} {order} LIMIT :most",
            texts,
        ).fetchall()
        events = self._reader.events([number for number, _ in rows])
        return [
            ListedEvent(name, *event)
            for (_, name), event in zip(rows, events, strict=True)
        ]

    def measures(self, query: EventQuery, measure: Measure) -> list[int]:
        """See ``LedgerStore.measures``."""
        texts: dict[str, object] = {}
        value, known = _MEASURES[measure]
        conditions = [*self._conditions(query, texts), known]
        rows = self._db.execute(
            f"SELECT {value} FROM events AS t CROSS JOIN contexts AS c"  # noqa: S608  # constants
            f" ON c.id = t.context WHERE {' AND '.join(conditions)} LIMIT :most",
            texts,
        )
        return [number for (number,) in rows]

    def _conditions(self, query: EventQuery, texts: dict[str, object]) -> list[str]:
        texts |= {"start": query.start, "stop": query.end, "most": query.limit}
        found = ["t.joined_to IS NULL", "t.at >= :start", "t.at < :stop"]
        for name, names in (("project", query.projects), ("model", query.models)):
            if names is not None:
                texts[name] = self._numbers(names)
                found.append(_AMONG.format(name))
        if query.source is not None:
            texts["source"] = _JOINED + query.source + _JOINED
            found.append(_SOURCE)
        if _JOINED in (query.source or ""):
            found.append("0")
        if query.in_doubt:
            found.append(_IN_DOUBT)
        found += [
            self._reader.condition(name, value, texts)
            for name, value in query.where.items()
        ]
        return found

    def _numbers(self, names: Iterable[str]) -> str:
        numbers = [self._reader.number(name or None) for name in sorted(names)]
        return msgspec.json.encode(numbers).decode()

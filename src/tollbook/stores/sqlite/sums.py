"""The rollups' share of one transaction: collected in memory, written in one go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import apsw

from tollbook.core.slots import SLOTS_A_DAY
from tollbook.core.tally import Tally
from tollbook.stores.sqlite.schema import COST_COLUMNS, MICRO, TALLY_COLUMNS

_COUNTS = len(TALLY_COLUMNS) - len(COST_COLUMNS)
_P = TypeVar("_P", bound=tuple[int, ...])
Place = tuple[int, int, int, int, bool, tuple[int, ...]]
"""Slot, session, project, model (by number), whether it has a price, and who asked: the
numbers of ``DAILY_DIMENSIONS``."""

_Sums = dict[tuple[int, ...], list[Sequence[int]]]
_TABLES = ("usage_by_session", "usage_by_project", "usage_by_day")


class Sums:
    """What a transaction adds to the totals, and takes out of them."""

    def __init__(self) -> None:
        self._found: dict[Place, list[Sequence[int]]] = {}
        self._removed = False

    def add(self, place: Place, tally: Sequence[int]) -> None:
        """Count a tally at a place."""
        known = self._found.get(place)
        if known is None:
            self._found[place] = [tally]
        else:
            known.append(tally)

    def remove(self, place: Place, tally: Sequence[int]) -> None:
        """Take out what was counted before."""
        self._removed = True
        self.add(place, [-value for value in tally])

    def write(self, connection: apsw.Connection) -> None:
        """Bring the rollups up to date."""
        sessions: _Sums = defaultdict(list)
        projects: _Sums = defaultdict(list)
        for (slot, session, *rest, _), found in self._found.items():
            tally = _total(found)
            sessions[slot, session, *rest].append(tally)
            projects[slot, *rest].append(tally)
        for table, sums in zip(
            _TABLES, (sessions, projects, self._days()), strict=True
        ):
            totals = {place: _total(found) for place, found in sums.items()}
            _upsert(connection, table, totals)
        if self._removed:
            nothing = " AND ".join(f"{name} = 0" for name in TALLY_COLUMNS[:_COUNTS])
            for table in _TABLES:
                connection.execute(f"DELETE FROM {table} WHERE {nothing}")  # noqa: S608  # constants

    def _days(self) -> _Sums:
        """The sums by day: of all who asked alike first, then by each dimension."""
        alike: dict[Any, list[Sequence[int]]] = defaultdict(list)
        for (slot, _, *place), found in self._found.items():
            alike[slot // SLOTS_A_DAY, *place].extend(found)
        days: _Sums = defaultdict(list)
        for (day, *rest, who), found in alike.items():
            tally = _total(found)
            for dimension, value in enumerate(who):
                days[dimension, day, value, *rest].append(tally)
        return days


def _total(found: list[Sequence[int]]) -> Sequence[int]:
    return found[0] if len(found) == 1 else tuple(map(sum, zip(*found, strict=True)))


def _upsert(
    connection: apsw.Connection, table: str, sums: Mapping[_P, Sequence[int]]
) -> None:
    if not sums:
        return
    rows = [(*place, *columns_of(tally)) for place, tally in sorted(sums.items())]
    marks = ",".join("?" * len(rows[0]))
    added = ", ".join(f"{name} = {name} + excluded.{name}" for name in TALLY_COLUMNS)
    connection.executemany(
        f"INSERT INTO {table} VALUES ({marks}) ON CONFLICT DO UPDATE SET {added}",  # noqa: S608  # constants
        rows,
    )


def columns_of(tally: Sequence[int]) -> Iterator[int]:
    """A tally as the tables split it."""
    yield from tally[:_COUNTS]
    yield from divmod(tally[_COUNTS], MICRO)
    yield from divmod(tally[_COUNTS + 1], MICRO)


def tally_of(columns: Sequence[Any]) -> Tally:
    """A tally from its columns."""
    micro, rest, net_micro, net_rest = columns[_COUNTS : _COUNTS + 4]
    costs = (micro * MICRO + rest, net_micro * MICRO + net_rest)
    return Tally._make((*columns[:_COUNTS], *costs))

"""Responses that one usual observation speaks of, which nearly all are, in bulk.

Their columns say everything and their price is five products, so neither an event nor a
share is made of them. What one row of them costs decides what a first scan costs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import apsw
from msgspec.structs import astuple

from tollbook.core.observation import Observation
from tollbook.core.slots import SLOT_MS
from tollbook.core.tally import Pricer
from tollbook.core.units import TOKEN_UNITS
from tollbook.stores.sqlite.contexts import Askers, Contexts
from tollbook.stores.sqlite.names import Names
from tollbook.stores.sqlite.rows import Key, Row, is_usual, token_counts, units_of
from tollbook.stores.sqlite.sums import Sums

Fresh = tuple[Observation, str, int]
"""The one observation of a response nobody has spoken of, its source and segment."""

_COLUMNS = (
    "name", "kind", "moment", "request_id", "first_at", "at",
    "session", "project", "model", "context", "segment",
    *(unit.value for unit in TOKEN_UNITS), "list_pico", "stated_pico", "latency_ms",
)  # fmt: skip
_COUNTED = slice(_COLUMNS.index(TOKEN_UNITS[0].value), _COLUMNS.index("list_pico") + 1)
_COST = _COLUMNS.index("list_pico") + 1  # the number of its parameter
_INSERT = (
    f"INSERT INTO events ({', '.join(_COLUMNS)}, net_pico, priced, web_search_requests)"  # noqa: S608  # constants
    f" VALUES ({','.join('?' * len(_COLUMNS))}, ?{_COST}, 1, 0)"
)

_RARE = (0, 0, 0, 0)  # units such a response has none of

_Where = tuple[int, int, int, tuple[int, ...], bool]
"""Session, project, model, who asked, and whether the output is a lower bound."""


class Usual:
    """What some usual responses add to the events and to the sums."""

    def __init__(
        self, names: Names, contexts: Contexts, askers: Askers, pricer: Pricer
    ) -> None:
        self._whose = _Whose(names, contexts, askers)
        self._pricer = pricer
        self._rows: list[Row] = []
        self._placed: dict[tuple[int, _Where], list[Row]] = defaultdict(list)

    def take(self, fresh: Mapping[Key, Fresh]) -> Iterable[tuple[Key, Fresh]]:
        """Take responses in; gives back those that are not usual."""
        token_prices, whose = self._pricer.token_prices, self._whose
        keep, placed = self._rows.append, self._placed
        for key, one in fresh.items():
            seen, source, segment = one
            prices = None
            if is_usual(key, seen):
                part, at = seen.parts[0], seen.at
                prices = token_prices(part.model, seen.conditions, at)
            if prices is None:
                yield key, one
                continue
            (
                _, request, session, first_at, _, _, _, conditions, evidence, lesser,
                sidechain, copied, project, branch, agent, skill, tools, stated, _,
                provider, app, user, machine, by, tags, took, _, _,
            ) = astuple(seen)  # fmt: skip
            numbers, where = whose[
                session, project, part.model,
                source, branch, agent, skill, tools, conditions, sidechain, copied,
                evidence, lesser is not None, provider, app, user, machine, by, tags,
                None, units_of(part.usage),
            ]  # fmt: skip
            uncached, read, minutes, hour, output = token_counts(part.usage)
            p1, p2, p3, p4, p5 = prices
            cost = uncached * p1 + read * p2 + minutes * p3 + hour * p4 + output * p5
            row = (
                *key, request, first_at, at, *numbers, segment,
                uncached, read, minutes, hour, output, cost, stated, took,
            )  # fmt: skip
            keep(row)
            placed[at // SLOT_MS, where].append(row)

    def write(self, connection: apsw.Connection, sums: Sums) -> None:
        """Store the rows, and hand on what they add up to."""
        connection.executemany(_INSERT, self._rows)
        for (slot, where), rows in self._placed.items():
            session, project, model, who, partial = where
            counted = zip(*[row[_COUNTED] for row in rows], strict=True)
            *units, output, cost = map(sum, counted)
            took = [row[-1] for row in rows if row[-1] is not None]
            count = len(rows)
            standing = (count, count, 0, output) if partial else (count, 0, 0, 0)
            timed = (0, len(took), sum(took))
            tally = (*standing, *units, output, *_RARE, *timed, cost, cost)
            sums.add((slot, session, project, model, True, who), tally)


class _Whose(dict[tuple[Any, ...], tuple[tuple[int, ...], _Where]]):
    """What responses have in common, to its numbers and to its place in the sums."""

    def __init__(self, names: Names, contexts: Contexts, askers: Askers) -> None:
        super().__init__()
        self._names = names
        self._contexts = contexts
        self._askers = askers

    def __missing__(self, told: tuple[Any, ...]) -> tuple[tuple[int, ...], _Where]:
        names = self._names
        session, project, model = (names[text] for text in told[:3])
        context = self._contexts[told[3:]]
        who, partial = self._askers[context], told[12]
        found = self[told] = (
            (session, project, model, context),
            (session, project, model, who, partial),
        )
        return found

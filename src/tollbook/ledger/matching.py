"""Which line of a console speaks of which flagged request; never a guess.

An id decides: the message's, else the request's. Lines without an id that we know are
held against account, model and time. There a line belongs to a request only where
neither could belong to another one: what is measured already takes its own line first,
and whatever then can be read in two ways is listed and left alone. The order of the
lines decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from tollbook.core.adjustment import level, standing
from tollbook.core.event import UsageEvent, main_model
from tollbook.core.observation import Evidence, Instant
from tollbook.core.review import ACCOUNT, Flagged
from tollbook.core.units import Unit
from tollbook.formats.console_csv import ConsoleRow
from tollbook.ledger.naming import Naming
from tollbook.ledger.review import pages
from tollbook.ports import EventQuery, LedgerStore, ListedEvent

By = Literal["message id", "request id", "time"]
LONGEST_MS = 3_600_000
"""A request may have begun so long before it ended; a console may state either."""

_PAGE = 500
_REPORTED = int(Evidence.REPORTED)


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """A line and the request it speaks of."""

    row: ConsoleRow
    flagged: Flagged
    by: By


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """A line that was left alone, and why."""

    line: int
    why: str
    among: tuple[str, ...] = ()  # requests it could belong to


class Matched(msgspec.Struct, frozen=True, kw_only=True):
    """What became of every line."""

    matches: Sequence[Match]
    known: Sequence[Left]  # of requests that are measured already
    ambiguous: Sequence[Left]  # could be read in two ways, or contradict what was seen
    unmatched: Sequence[Left]


class Matcher:
    """Holds lines against a ledger.

    Args:
        store: Knows what is measured.
        naming: Tells which ids are one model.
        flagged: What is to be filled.
        window: How far a console's clock and ours may differ, in milliseconds.
    """

    def __init__(
        self,
        store: LedgerStore,
        naming: Naming,
        flagged: Sequence[Flagged],
        *,
        window: int,
    ) -> None:
        self._store = store
        self._naming = naming
        self._window = window
        self._flagged = {each.id: each for each in flagged}
        self._named: dict[str, dict[str, Flagged]] = {}
        for each in flagged:
            for name in _ids(each.event):
                self._named.setdefault(name, {})[each.id] = each
        self._known: list[Left] = []
        self._ambiguous: list[Left] = []
        self._unmatched: list[Left] = []

    def match(self, rows: Iterable[ConsoleRow]) -> Matched:
        """Say of every line what becomes of it."""
        found: list[Match] = []
        nameless = [row for row in rows if not self._take_by_id(row, found)]
        found += self._by_time(nameless, {match.flagged.id for match in found})
        return Matched(
            matches=self._single(found),
            known=self._known,
            ambiguous=self._ambiguous,
            unmatched=self._unmatched,
        )

    # -- by id -----------------------------------------------------------------------

    def _take_by_id(self, row: ConsoleRow, found: list[Match]) -> bool:
        """Whether a line's ids say all there is to say of it."""
        told: Sequence[tuple[By, str | None]] = (
            ("message id", row.message_id),
            ("request id", row.request_id),
        )
        names = [(by, name) for by, name in told if name]
        for by, name in names:
            among = self._named.get(name, {})
            if len(among) > 1:
                self._leave(row, "its id is that of several requests", sorted(among))
            elif among:
                (flagged,) = among.values()
                found.append(Match(row=row, flagged=flagged, by=by))
            if among:
                return True
        for _, name in names:
            stored = next(iter(self._store.find_events(response=name)), None)
            if stored is not None:
                self._note_known(row, stored.event, name)
                return True
        return False

    def _note_known(self, row: ConsoleRow, event: UsageEvent, name: str) -> None:
        told = "; ".join(differences(event, row))
        why = f"measured as {told}" if told else "measured, and the same"
        self._known.append(Left(line=row.line, why=why, among=(name,)))

    def _leave(self, row: ConsoleRow, why: str, among: Iterable[str]) -> None:
        self._ambiguous.append(Left(line=row.line, why=why, among=tuple(among)))

    # -- by account, model and time --------------------------------------------------

    def _by_time(self, rows: Sequence[ConsoleRow], taken: set[str]) -> list[Match]:
        open_rows: dict[int, tuple[ConsoleRow, dict[str, ListedEvent]]] = {}
        for row in rows:
            if row.at is None or row.model is None:
                why = "it has no id we know, and no time and model to go by"
                self._unmatched.append(Left(line=row.line, why=why))
                continue
            near = {each.id: each for each in self._near(row, row.at)}
            open_rows[row.line] = row, {k: v for k, v in near.items() if k not in taken}
        self._take_own(open_rows)
        claims: dict[str, list[int]] = {}
        for line, (_, near) in open_rows.items():
            for name in near:
                claims.setdefault(name, []).append(line)
        found = []
        for row, near in open_rows.values():
            match = self._only(row, near, claims)
            if match is not None:
                found.append(match)
        return found

    def _take_own(
        self, rows: dict[int, tuple[ConsoleRow, dict[str, ListedEvent]]]
    ) -> None:
        """Lines that say just what is measured fill nothing, and take it if it is one."""
        taken: set[str] = set()
        for line, (row, near) in list(rows.items()):
            same = [
                name
                for name, each in near.items()
                if name not in self._flagged and _says_the_same(each.event, row)
            ]
            if same:
                self._note_known(row, near[same[0]].event, same[0])
                taken.update(same if len(same) == 1 else ())
                del rows[line]
        for _, near in rows.values():
            for name in taken & near.keys():
                del near[name]

    def _only(
        self,
        row: ConsoleRow,
        near: dict[str, ListedEvent],
        claims: dict[str, list[int]],
    ) -> Match | None:
        if not near:
            why = "no request of its account and model at its time"
            self._unmatched.append(Left(line=row.line, why=why))
            return None
        if len(near) > 1:
            self._leave(row, "several requests at its time", sorted(near))
            return None
        (name,) = near
        if len(claims[name]) > 1:
            self._leave(row, "several lines could be of this request", [name])
            return None
        if name not in self._flagged:
            self._note_known(row, near[name].event, name)
            return None
        return Match(row=row, flagged=self._flagged[name], by="time")

    def _near(self, row: ConsoleRow, at: Instant) -> Iterable[ListedEvent]:
        """Answered requests of the same account and model, about then."""
        query = EventQuery(
            start=at - self._window, end=at + self._window + LONGEST_MS, limit=_PAGE
        )
        model = self._naming.model(row.model)
        for each in pages(self._store, query):
            event = each.event
            account = dict(event.tags).get(ACCOUNT)
            told = main_model(event.parts)
            if (
                event.failure is None
                and event.first_at - self._window <= at
                and (not told or self._naming.model(told) == model)
                and (None in (account, row.account) or account == row.account)
            ):
                yield each

    # -- at the end ------------------------------------------------------------------

    def _single(self, found: Sequence[Match]) -> list[Match]:
        """One line for each request, which contradicts nothing that was seen."""
        lines: dict[str, list[Match]] = {}
        for match in found:
            lines.setdefault(match.flagged.id, []).append(match)
        single = []
        for name, same in lines.items():
            first, *others = same
            if any(other.row.usage != first.row.usage for other in others):
                for each in same:
                    why = "other lines say other counts of the same request"
                    self._leave(each.row, why, [name])
                continue
            why = _contradiction(first)
            if why:
                for each in same:
                    self._leave(each.row, why, [name])
                continue
            self._known += [
                Left(
                    line=each.row.line, why="a line before says the same", among=(name,)
                )
                for each in others
            ]
            single.append(first)
        return single


def differences(event: UsageEvent, row: ConsoleRow) -> list[str]:
    """Measured counts that a line puts otherwise."""
    known = standing(event)
    return [
        f"{unit} {known[unit][0]:,}, here {count:,}"
        for unit, count in row.usage.items()
        if unit in known and known[unit][1] == _REPORTED and known[unit][0] != count
    ]


def _says_the_same(event: UsageEvent, row: ConsoleRow) -> bool:
    known = standing(event)
    return bool(row.usage) and all(
        known.get(unit, (0, 0))[0] == count for unit, count in row.usage.items()
    )


def _contradiction(match: Match) -> str:
    """Where a line says less than was surely written; empty where it does not."""
    event, unit = match.flagged.event, Unit.OUTPUT.value
    told, seen = match.row.usage.get(unit), standing(event).get(unit, (0, 0))[0]
    if told is None or level(event, unit) != Evidence.PARTIAL or told >= seen:
        return ""
    return f"{unit} {told:,}, and at least {seen:,} were seen"


def _ids(event: UsageEvent) -> set[str]:
    """What a console may call a request: also our own id of it, without its project."""
    names = {event.message_id, event.request_id}
    names.add((event.request_id or "").partition(":")[2])
    return {name for name in names if name}

"""Answer what was used and what it cost: one loader behind every view.

Whatever the lines of a report are, they are sums over the same local days of the same
totals. So daily, weekly, monthly, by session, project or model: all add up to the same
counts and the same picodollars.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta, tzinfo

import msgspec

from tollbook.core.calendar import (
    WEEKDAYS,
    Bucket,
    Days,
    day_buckets,
    day_start,
    hour_buckets,
    local_day,
    local_time,
    month_of,
    week_of,
)
from tollbook.core.observation import Instant
from tollbook.core.report import Known, Line, PlanShare, Report
from tollbook.core.tally import UNITS, Pricer, Tally
from tollbook.ledger.dimensions import called, stored_dimension
from tollbook.ledger.estimate import Estimator, Partials, make_estimator
from tollbook.ledger.filters import Wanted, filter_of
from tollbook.ledger.naming import EVER, Naming
from tollbook.ledger.plan import Plan, plan_share
from tollbook.ports import Coverage, LedgerStore, Total, UsageQuery

Key = tuple[str, str | None]
"""Where a line stands by name, and what it is called."""

_ONE_DAY = timedelta(days=1)
_COUNTERS = (*UNITS, "other_units")


class Question(Wanted, frozen=True, kw_only=True):
    """What a report is about."""

    name: str
    dimension: str
    breakdown: str | None = None
    since: date | None = None
    before: date | None = None  # the first day after the period
    today: date
    zone: tzinfo
    zone_name: str = "UTC"
    week_start: int = 0


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """Where the answers come from."""

    store: LedgerStore
    naming: Naming
    pricer: Pricer
    kinds: Mapping[str, str] = {}  # of registered projects, where they matter
    net: bool = False
    plan: Plan | None = None


class Sum:
    """One line while it is added up."""

    def __init__(self, key: Key) -> None:
        self.key = key
        self.tally: Tally | None = None
        self.unpriced: dict[str, dict[str, int]] = {}
        self.partials: Partials = {}
        self.seen: list[Instant] = []
        self.costs: dict[str, int] = {}
        self.folders: set[str] = set()
        self.parts: dict[Key, Sum] = {}

    def add(self, total: Total, model: str, month: date) -> None:
        """Count a total in; ``model`` is its canonical name, ``month`` a first day."""
        tally = total.tally
        self.tally = tally if self.tally is None else self.tally.plus(tally)
        self.costs[model] = self.costs.get(model, 0) + tally.list_cost
        self.seen += (total.first_at, total.last_at)
        folder = total.dimensions.get("project")
        if folder:
            self.folders.add(folder)
        if tally.partial_responses:
            key = (model, month)
            self.partials[key] = self.partials.get(key, 0) + tally.partial_responses
        if not total.priced:
            units = self.unpriced.setdefault(model, {})
            for unit in _COUNTERS:
                count = getattr(tally, unit)
                if count:
                    units[unit] = units.get(unit, 0) + count

    def part(self, key: Key) -> Sum:
        """The sum of one part of the line."""
        if key not in self.parts:
            self.parts[key] = Sum(key)
        return self.parts[key]

    def line(self, naming: Naming, estimator: Estimator) -> Line:
        """The finished line."""
        tally = self.tally or Tally()
        added = estimator.added_cost(self.partials)
        folders = sorted(self.folders)
        costs = self.costs
        return Line(
            name=self.key[1],
            place=self.key[0],
            path=naming.path(folders[0]) if len(folders) == 1 else None,
            used=tally,
            unpriced=self.unpriced,
            estimated_cost=None if added is None else tally.list_cost + added,
            first_at=min(self.seen, default=None),
            last_at=max(self.seen, default=None),
            models=tuple(sorted(costs, key=lambda model: (-costs[model], model))),
            projects=tuple(
                sorted({naming.project(folder) or "" for folder in folders})
            ),
            breakdown=tuple(
                self.parts[key].line(naming, estimator) for key in in_order(self.parts)
            ),
        )


def in_order(sums: Iterable[Key]) -> list[Key]:
    """Names in their own order, and what has none at the end."""
    return sorted(sums, key=lambda key: (key[1] is None, key[0], key[1] or ""))


def load(books: Books, question: Question) -> Report:
    """Answer a question.

    Raises:
        NothingMatchesError: A filter means nothing in this ledger.
    """
    return Loader(books, question).report()


class Loader:
    """Everything that one question needs to know at several places.

    Args:
        books: Where the answers come from.
        question: What is asked.
        buckets: Windows to add up by instead of local days.
    """

    def __init__(
        self,
        books: Books,
        question: Question,
        *,
        buckets: Sequence[Bucket] | None = None,
    ) -> None:
        self.books = books
        self.question = question
        self.kinds = [k for k in (question.dimension, question.breakdown) if k]
        self.chosen = filter_of(
            books.store,
            books.naming,
            wanted=question,
            kinds=books.kinds,
        )
        self.coverage = books.store.coverage()
        self.days = days_of(question, self.coverage)
        self.dates: list[date] = []  # of each bucket
        self.buckets: list[Bucket] = []
        if buckets is not None:
            self.buckets = list(buckets)
            self.dates = [local_day(start, question.zone) for start, _ in buckets]
        elif self.days is not None:
            self.dates, self.buckets = day_buckets(self.days, question.zone)
        if "hour" in self.kinds:
            self._split_into_hours()
        self.months = [month_of(day) for day in self.dates]
        self.stored = {kind: stored_dimension(kind) for kind in self.kinds}
        self.times = {
            k: self._time_keys(k) for k, s in self.stored.items() if s is None
        }

    def _split_into_hours(self) -> None:
        """Hours, of the days that have any usage."""
        query = UsageQuery(buckets=self.buckets)
        active = sorted({total.bucket for total in self.books.store.totals(query)})
        hours = [(n, hour) for n in active for hour in hour_buckets(self.buckets[n])]
        self.dates = [self.dates[n] for n, _ in hours]
        self.buckets = [hour for _, hour in hours]

    def _time_keys(self, kind: str) -> list[Key]:
        if kind == "block":
            return [(f"{start:016}", None) for start, _ in self.buckets]
        if kind == "hour":
            zone = self.question.zone
            hours = [local_time(start, zone).hour for start, _ in self.buckets]
            return [(f"{hour:02}", f"{hour:02}:00") for hour in hours]
        start = self.question.week_start
        return [_day_key(kind, day, start) for day in self.dates]

    def report(self) -> Report:
        """Add everything up."""
        question = self.question
        totals = self._totals()
        sums, total = self._add_up(totals)
        books, naming = self.books, self.books.naming
        estimator = make_estimator(books.store, naming, books.pricer, total.partials)
        days = self.days
        return Report(
            name=question.name,
            dimension=question.dimension,
            breakdown=question.breakdown,
            since=question.since or (days[0] if days else None),
            until=(question.before or question.today + _ONE_DAY) - _ONE_DAY,
            timezone=question.zone_name,
            lines=tuple(sums[key].line(naming, estimator) for key in in_order(sums)),
            total=total.line(naming, estimator),
            known=self._known(),
            net=books.net,
            plan=self._plan(totals),
        )

    def _totals(self) -> list[Total]:
        by = {stored for stored in self.stored.values() if stored is not None}
        by |= {"model"} | self.chosen.by
        if "session" in by:
            by.add("project")
        if not self.buckets:
            return []
        query = UsageQuery(
            buckets=self.buckets, by=frozenset(by), where=self.chosen.where
        )
        return self.books.store.totals(query)

    def _add_up(self, totals: Iterable[Total]) -> tuple[dict[Key, Sum], Sum]:
        sums: dict[Key, Sum] = {}
        everything = Sum(("", None))
        dimension, breakdown = self.question.dimension, self.question.breakdown
        for total in totals:
            if not self.chosen(total.dimensions):
                continue
            model = self.books.naming.model(total.dimensions["model"]) or ""
            month = self.months[total.bucket]
            key = self._key(dimension, total)
            if key not in sums:
                sums[key] = Sum(key)
            everything.add(total, model, month)
            sums[key].add(total, model, month)
            if breakdown is not None:
                part = sums[key].part(self._key(breakdown, total))
                part.add(total, model, month)
        return sums, everything

    def _key(self, kind: str, total: Total) -> Key:
        stored = self.stored[kind]
        if stored is None:
            return self.times[kind][total.bucket]
        value = total.dimensions[stored]
        name = called(kind, value, self.books.naming, self.books.kinds)
        place = value if kind == "tool" else name and name.lower()
        return place or "", name

    def _known(self) -> Known:
        question, chosen = self.question, self.chosen
        start, end = EVER
        if question.since is not None:
            start = day_start(question.since, question.zone)
        if question.before is not None:
            end = day_start(question.before, question.zone)
        calls = self.books.store.unrecorded(start, end)
        return Known(
            sources=self.coverage.sources,
            unrecorded_calls=sum(map(chosen.counts, calls)),
            problems=self.coverage.problems,
        )

    def _plan(self, totals: Iterable[Total]) -> PlanShare | None:
        plan, days = self.books.plan, self.days
        if plan is None or days is None or self.chosen:
            return None
        since = self.question.since or days[0]
        before = self.question.before or self.question.today + _ONE_DAY
        values = ((self.dates[t.bucket], t.tally.list_cost) for t in totals)
        return plan_share(plan, (since, before), values)


def days_of(question: Question, coverage: Coverage) -> Days | None:
    """The local days of a question on which the ledger has any usage."""
    seen = [at for pair in coverage.sources.values() for at in pair if at is not None]
    if not seen:
        return None
    first = local_day(min(seen), question.zone)
    end = local_day(max(seen), question.zone) + _ONE_DAY
    first = max(first, question.since or first)
    end = min(end, question.before or end)
    return (first, end) if first < end else None


def _day_key(kind: str, day: date, week_start: int) -> Key:
    match kind:
        case "week":
            name = week_of(day, week_start).isoformat()
        case "month":
            name = day.isoformat()[:7]
        case "weekday":
            place = (day.weekday() - week_start) % len(WEEKDAYS)
            return str(place), WEEKDAYS[day.weekday()]
        case _:
            name = day.isoformat()
    return name, name

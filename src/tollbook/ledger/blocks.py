"""Five-hour windows: each begins at the full hour of the first response after the last.

Windows are those of the whole ledger, also where a report shows only some of them or
only one project's share: limits are the account's. A response at or after a window's
end begins the next one, so windows never overlap and every response lies in one.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from tollbook.core.calendar import HOUR_MS, day_start, hour_buckets, local_time
from tollbook.core.observation import Instant
from tollbook.core.report import Block, Line, Pace, Report
from tollbook.ledger.report import Books, Loader, Question
from tollbook.ports import LedgerStore, UsageQuery

BLOCK_MS = 5 * HOUR_MS
_MINUTE_MS = 60_000
_DAY_MS = 24 * HOUR_MS


def windows(hours: Iterable[Instant]) -> list[Instant]:
    """Where windows begin, given the full hours in which anything was used."""
    starts: list[Instant] = []
    for hour in sorted(hours):
        if not starts or hour >= starts[-1] + BLOCK_MS:
            starts.append(hour)
    return starts


def active_hours(store: LedgerStore) -> list[Instant]:
    """Every full hour (UTC) in which anything was used."""
    seen = [at for pair in store.coverage().sources.values() for at in pair if at]
    if not seen:
        return []
    first, last = min(seen), max(seen)
    days = [
        (at, at + _DAY_MS) for at in range(first - first % _DAY_MS, last + 1, _DAY_MS)
    ]
    used = sorted({total.bucket for total in store.totals(UsageQuery(buckets=days))})
    hours = [hour for n in used for hour in hour_buckets(days[n])]
    found = {total.bucket for total in store.totals(UsageQuery(buckets=hours))}
    return [hours[n][0] for n in sorted(found)]


def pace(line: Line, *, began: Instant, end: Instant, now: Instant) -> Pace:
    """Go on as since the window's first response until its end.

    At least one minute is taken to have passed.
    """
    passed = max(_MINUTE_MS, now - began)
    left = max(0, end - now)
    tokens, cost = line.tokens, line.used.list_cost
    return Pace(
        tokens_per_minute=tokens * _MINUTE_MS // passed,
        cost_per_hour=cost * HOUR_MS // passed,
        left_ms=left,
        projected_tokens=tokens + tokens * left // passed,
        projected_cost=cost + cost * left // passed,
    )


def load_blocks(
    books: Books, question: Question, *, now: Instant, at: Instant | None = None
) -> tuple[Report, list[Block]]:
    """The windows that begin in the asked period, and their sum as a report.

    Args:
        books: Where the answers come from.
        question: What is asked.
        now: Decides which window is not over.
        at: Only the window that holds this instant.

    Raises:
        NothingMatchesError: A filter means nothing in this ledger.
    """
    zone = question.zone
    starts = windows(active_hours(books.store))
    if question.since is not None:
        starts = [at for at in starts if at >= day_start(question.since, zone)]
    if question.before is not None:
        starts = [at for at in starts if at < day_start(question.before, zone)]
    if at is not None:
        starts = [start for start in starts if start <= at < start + BLOCK_MS]
    loader = Loader(books, question, buckets=[(at, at + BLOCK_MS) for at in starts])
    report = loader.report()
    by_place = {line.place: line for line in report.lines}
    blocks = []
    for start in starts:
        line = by_place.get(f"{start:016}")
        if line is not None:
            clock = local_time(start, zone).isoformat(" ", "minutes")[:16]
            block = Block(start=start, end=start + BLOCK_MS, title=clock, line=line)
            if start <= now < block.end:
                began = first_response(books.store, block)
                found = pace(line, began=began, end=block.end, now=now)
                block = msgspec.structs.replace(block, pace=found)
            blocks.append(block)
    return report, blocks


def first_response(store: LedgerStore, block: Block) -> Instant:
    """When the first response of a window came, to the millisecond."""
    by = frozenset({"agent"})  # a dimension only events have, so events are read
    query = UsageQuery(buckets=[(block.start, block.end)], by=by)
    return min((total.first_at for total in store.totals(query)), default=block.start)

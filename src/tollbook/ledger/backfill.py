"""Fill what flagged requests lack, show what that changes, and take it back.

Nothing is overwritten: each change is an adjustment, a fact beside the others, with who,
when, why and from what, and with the counts before and after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from tollbook.core.adjustment import (
    SOURCE,
    Author,
    Change,
    Correction,
    Made,
    adjust,
    withdraw,
)
from tollbook.core.errors import NothingMatchesError
from tollbook.core.event import UsageEvent, join, lift, settle
from tollbook.core.identity import identify
from tollbook.core.merge import merge
from tollbook.core.money import Money
from tollbook.core.observation import (
    Adjustment,
    Evidence,
    Instant,
    Observation,
)
from tollbook.core.tally import Pricer, shares
from tollbook.ledger.matching import Match
from tollbook.ports import Batch, LedgerStore, StoredEvent
from tollbook.render.safe import safe

_FACTS_AT_ONCE = 64


class Desk:
    """Makes adjustments.

    Args:
        author: Who makes them, and why.
        pricer: Says what they cost.
    """

    def __init__(self, author: Author, pricer: Pricer) -> None:
        self._author = author
        self._pricer = pricer
        self._number = 0

    def change(
        self, name: str, event: UsageEvent, correction: Correction, by: str = ""
    ) -> Change | None:
        """What one correction changes; ``None`` where better is known."""
        said = adjust(event, correction, self._author, self._number + 1)
        if said is None:
            return None
        self._number += 1
        known = lift(_as_seen(event), SOURCE)
        after = settle(join(known, lift(said, SOURCE)))
        return Change(
            id=name,
            said=said,
            cost_before=_cost(event, self._pricer),
            cost_after=_cost(after, self._pricer),
            by=by,
        )

    def changes(self, matches: Iterable[Match]) -> Iterator[Change]:
        """What a console's lines change."""
        for match in matches:
            row, flagged = match.row, match.flagged
            correction = Correction(
                usage=row.usage,
                evidence=int(Evidence.REPORTED),
                model=row.model,
                stated_cost=row.cost,
                line=row.line,
            )
            change = self.change(flagged.id, flagged.event, correction, match.by)
            if change is not None:
                yield change


def apply(
    store: LedgerStore, changes: Sequence[Change], *, origin: str, now: Instant
) -> None:
    """Store changes, all of them or none; every total follows at once.

    Raises:
        StoreUnavailableError: Locked, or the disk is full; nothing was stored.
    """
    said = [change.said for change in changes]
    batch = Batch(source=SOURCE, origin=origin, observations=said, lines=len(said))
    store.append([batch], now=now)


def adjustments(store: LedgerStore) -> list[Made]:
    """Every adjustment the ledger holds, also those taken back, the latest first."""
    made: dict[tuple[str, int], Made] = {}
    gone: dict[tuple[str, int], Adjustment] = {}
    after = 0
    while facts := store.facts(after, _FACTS_AT_ONCE, source=SOURCE):
        after = facts[-1].id
        for fact in facts:
            for said in fact.observations:
                about = said.adjustment
                if about is None:
                    continue
                key = (about.run, about.number)
                if about.withdrawn:
                    gone.setdefault(key, about)
                else:
                    made.setdefault(key, Made(said=said, origin=fact.origin))
    found = [
        msgspec.structs.replace(each, withdrawn=gone.get(key))
        for key, each in made.items()
    ]
    return sorted(
        found, key=lambda each: (-each.about.at, each.about.run, each.about.number)
    )


def undoing(
    store: LedgerStore, name: str, author: Author, pricer: Pricer
) -> list[Change]:
    """What it changes to take back an adjustment, or all of a run.

    Raises:
        NothingMatchesError: No adjustment that stands has that name.
    """
    found = [each for each in adjustments(store) if name in (each.about.run, each.name)]
    if not found:
        text = f"no adjustment is called {safe(name)!r}; see `tollbook backfill --list`"
        raise NothingMatchesError(text)
    standing = [each for each in found if each.withdrawn is None]
    if not standing:
        text = f"{safe(name)}: was taken back already; see `tollbook backfill --list`"
        raise NothingMatchesError(text)
    return [_undone(store, each, author, pricer) for each in standing]


def _undone(store: LedgerStore, made: Made, author: Author, pricer: Pricer) -> Change:
    said = withdraw(made.said, author)
    stored = _stored(store, made.said)
    before = after = 0
    if stored is not None:
        known = [(source, seen) for source, _, seen in stored.seen]
        before = _cost(stored.event, pricer)
        events = merge([*known, (SOURCE, said)]).values()
        after = sum(_cost(event, pricer) for event in events)
    return Change(
        id=made.id,
        said=said,
        cost_before=before,
        cost_after=after,
        by="undo",
    )


def _stored(store: LedgerStore, said: Observation) -> StoredEvent | None:
    """The event that an adjustment speaks of."""
    name = said.message_id or said.request_id
    found = (
        store.find_events(response=name)
        if name
        else store.find_events(session=said.session or "")
    )
    wanted = identify(said)
    for stored in found:
        if any(identify(seen) == wanted for _, _, seen in stored.seen):
            return stored
    return None


def _as_seen(event: UsageEvent) -> Observation:
    """An event as one observation that says all of it."""
    shared = {
        name: getattr(event, name)
        for name in Observation.__struct_fields__
        if name in UsageEvent.__struct_fields__
    }
    return Observation(**shared, line=0)


def _cost(event: UsageEvent, pricer: Pricer) -> Money:
    return sum(share.tally.list_cost for share in shares(event, pricer))

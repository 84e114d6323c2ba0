"""How the in-memory store answers those who bring it something."""

from __future__ import annotations

from collections.abc import Sequence

from tollbook.core.event import EventState, join, lift, settle
from tollbook.core.event_id import event_id
from tollbook.core.identity import Identity, identify
from tollbook.core.observation import Observation
from tollbook.core.receipt import Receipt, receipt, verdict
from tollbook.core.tally import Pricer, shares
from tollbook.ports import Batch


def receipts(
    states: dict[Identity, EventState], batches: Sequence[Batch], pricer: Pricer
) -> list[list[Receipt]]:
    """What batches mean beside what is known; ``states`` then know it, too."""
    return [
        [_receipt(states, batch.source, seen, pricer) for seen in batch.observations]
        for batch in batches
    ]


def _receipt(
    states: dict[Identity, EventState], source: str, seen: Observation, pricer: Pricer
) -> Receipt:
    identity, said = identify(seen), lift(seen, source)
    known = states.get(identity)
    joined = states[identity] = said if known is None else join(known, said)
    event = settle(joined)
    told = verdict(known, said, joined)
    return receipt(event_id(identity), event, shares(event, pricer), told)

"""Collapse any number of observations into events: the whole rule, in one place.

This is what every store must answer. The in-memory store calls it afresh; the others
keep ``EventState`` rows and join what arrives into them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tollbook.core.event import EventState, UsageEvent, join, lift, settle
from tollbook.core.identity import Identity, IdentityKind, identify
from tollbook.core.observation import Observation

States = Mapping[Identity, EventState]


def gather(seen: Iterable[tuple[str, Observation]]) -> dict[Identity, EventState]:
    """Join observations, each with its source, by the strongest name they give."""
    states: dict[Identity, EventState] = {}
    for source, observation in seen:
        identity = identify(observation)
        state = lift(observation, source)
        known = states.get(identity)
        states[identity] = state if known is None else join(known, state)
    return states


def owners(states: States) -> dict[str, Identity]:
    """Which message each request id belongs to.

    A message's request is the one its home knows it by. Where several messages claim one
    request id, the earliest has it: a replay under another's request proves nothing.
    """
    claims: dict[str, tuple[int, Identity]] = {}
    for identity, state in states.items():
        if identity.kind == IdentityKind.MESSAGE:
            event = settle(state)
            if event.request_id is not None:
                claim = (event.first_at, identity)
                known = claims.get(event.request_id)
                claims[event.request_id] = claim if known is None else min(known, claim)
    return {request: identity for request, (_, identity) in claims.items()}


def merge(seen: Iterable[tuple[str, Observation]]) -> dict[Identity, UsageEvent]:
    """Every response once, whatever the order and repetition of what was seen.

    An observation known by its request id alone belongs to the message of that request,
    as soon as any other observation names both.
    """
    states = gather(seen)
    owner = owners(states)
    joined = dict(states)
    for identity, state in states.items():
        if identity.kind == IdentityKind.REQUEST and identity.name in owner:
            del joined[identity]
            message = owner[identity.name]
            joined[message] = join(joined[message], state)
    return {identity: settle(state) for identity, state in joined.items()}

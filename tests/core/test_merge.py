"""The rule of ``tollbook.core.merge``: every response once, in any order."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from strategies import OUTPUT, SAID, START
from tollbook.core.identity import Identity, IdentityKind, identify
from tollbook.core.merge import gather, merge, owners
from tollbook.core.observation import Conditions, Observation, Part

A, B = "msg_01" + "A" * 22, "msg_01" + "B" * 22
SEEN = Observation(
    message_id=A,
    request_id="req_1",
    session="s",
    first_at=START,
    at=START,
    line=1,
    parts=(Part("claude-large", {OUTPUT: 5}),),
    conditions=Conditions(),
)

Said = list[tuple[str, Observation]]


def said(*changes: dict[str, object]) -> Said:
    """``SEEN`` once for each set of changes."""
    return [("relay", msgspec.structs.replace(SEEN, **change)) for change in changes]


def names(seen: Said) -> set[str]:
    """How the merged responses are known."""
    return {identity.name for identity in merge(seen)}


@given(seen=st.lists(SAID, max_size=10), data=st.data())
def test_order_and_repetition_change_nothing(seen: Said, data: st.DataObject) -> None:
    again = data.draw(st.permutations(seen + seen[:3]))

    assert merge(again) == merge(seen)


@given(seen=st.lists(SAID, max_size=10))
def test_nothing_that_was_seen_is_lost(seen: Said) -> None:
    events = merge(seen)
    requests = {event.request_id for event in events.values()}

    for _, observation in seen:
        identity = identify(observation)
        assert identity in events or identity.name in requests


@given(seen=st.lists(SAID, max_size=10))
def test_every_request_belongs_to_one_message(seen: Said) -> None:
    states = gather(seen)

    assert all(
        identity.kind == IdentityKind.MESSAGE for identity in owners(states).values()
    )
    assert len(merge(seen)) <= len(states)


@given(order=st.permutations(range(3)))
def test_an_observation_with_both_ids_joins_what_each_alone_had_kept_apart(
    order: list[int],
) -> None:
    seen = said({"request_id": None}, {"message_id": None}, {})

    assert len(merge(seen[:2])) == 2
    assert names([seen[place] for place in order]) == {A}


def test_a_replay_under_a_new_request_is_the_same_response() -> None:
    assert len(merge(said({}, {"request_id": "req_2", "first_at": START + 9}))) == 1


def test_a_request_that_two_messages_claim_belongs_to_the_earlier() -> None:
    seen = said({"message_id": B, "first_at": START + 1}, {}, {"message_id": None})
    identity = Identity(IdentityKind.MESSAGE, A)

    assert owners(gather(seen)) == {"req_1": identity}
    assert names(seen) == {A, B}


def test_a_constant_message_id_keeps_every_request_apart() -> None:
    foreign: dict[str, object] = {"message_id": "x"}
    seen = [pair for n in range(5) for pair in said({**foreign, "request_id": f"r{n}"})]

    assert len(merge(seen)) == 5


def test_a_relays_lines_join_a_transcripts_by_request() -> None:
    seen = said({"message_id": "x"}, {})

    assert names(seen) == {A}

"""What ``tollbook.core.receipt`` tells a sender."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from strategies import OUTPUT, SAID, START, FlatPricer
from tollbook.core.event import EventState, join, lift, settle
from tollbook.core.observation import Conditions, Evidence, Observation, Part
from tollbook.core.receipt import contradiction, receipt, verdict
from tollbook.core.tally import shares


def said(count: int, *, at: int = START, model: str = "claude-large") -> EventState:
    seen = Observation(
        message_id="msg_01" + "A" * 22,
        request_id=None,
        session="one",
        first_at=at,
        at=at,
        line=1,
        parts=(Part(model, {OUTPUT: count}),),
        conditions=Conditions(),
    )
    return lift(seen, "http")


def told(known: EventState | None, new: EventState) -> tuple[str, str | None]:
    return verdict(known, new, new if known is None else join(known, new))


def test_the_first_word_is_an_addition() -> None:
    assert told(None, said(1)) == ("added", None)


def test_a_retry_is_a_repetition_whenever_it_arrives() -> None:
    assert told(said(1), said(1)) == ("repeated", None)
    assert told(said(1), said(1, at=START - 5)) == ("repeated", None)


def test_another_count_is_a_conflict_whichever_came_first() -> None:
    note = f"{OUTPUT}: 9 stands, 5 was said, too"

    assert told(said(5), said(9)) == ("conflict", note)
    assert told(said(9), said(5)) == ("conflict", note)


def test_another_model_is_a_conflict() -> None:
    note = f"{OUTPUT}: claude-small stands, claude-large was said, too"

    assert told(said(5), said(5, model="claude-small")) == ("conflict", note)


def test_better_evidence_contradicts_nothing() -> None:
    placeholder = lift(
        Observation(
            message_id="msg_01" + "A" * 22,
            request_id="req_1",
            session="one",
            first_at=START,
            at=START,
            line=1,
            parts=(Part("claude-large", {OUTPUT: 1}),),
            conditions=Conditions(),
            evidence=int(Evidence.PARTIAL),
        ),
        "relay",
    )

    assert told(placeholder, said(9)) == ("merged", None)


@given(one=SAID, other=SAID)
def test_a_contradiction_is_one_from_both_sides(
    one: tuple[str, Observation], other: tuple[str, Observation]
) -> None:
    states = [lift(seen, source) for source, seen in (one, other)]

    assert contradiction(*states) == contradiction(*reversed(states))


@given(said=SAID, name=st.text(max_size=3))
def test_a_receipt_holds_what_the_event_holds(
    said: tuple[str, Observation], name: str
) -> None:
    event = settle(lift(said[1], said[0]))
    found = shares(event, FlatPricer())

    answer = receipt(name, event, found, ("added", None))

    counted = sum(sum(part.usage.values()) for part in event.parts)
    assert sum(answer.usage.values()) == counted
    assert (answer.list_cost is None) == all(not share.priced for share in found)
    assert set(answer.unpriced) == {s.model for s in found if not s.priced}

"""What an adjustment says, and what it leaves alone."""

from __future__ import annotations

import msgspec

from strategies import OUTPUT, START
from tollbook.core.adjustment import (
    Author,
    Change,
    Correction,
    Made,
    adjust,
    level,
    news,
    standing,
    withdraw,
)
from tollbook.core.event import UsageEvent, lift, settle
from tollbook.core.identity import identify
from tollbook.core.merge import merge
from tollbook.core.observation import Conditions, Evidence, Observation, Part
from tollbook.core.units import Unit

MESSAGE = "msg_01" + "A" * 22
INPUT = Unit.UNCACHED_INPUT.value
REPORTED, PARTIAL = int(Evidence.REPORTED), int(Evidence.PARTIAL)
ADA = Author(run="adj_1", who="ada", at=START, why="the console", basis="console")
SEEN = Observation(
    message_id=MESSAGE,
    request_id="req_1",
    session="s",
    first_at=START,
    at=START + 5,
    line=1,
    parts=(Part("claude-large", {INPUT: 12, OUTPUT: 2}),),
    conditions=Conditions(),
    lesser={OUTPUT: PARTIAL},
    project="shop",
    user="ada",
    failure=None,
)


def event_of(**changes: object) -> UsageEvent:
    """An event that one observation speaks of."""
    return settle(lift(msgspec.structs.replace(SEEN, **changes), "relay"))


def test_only_what_is_less_well_known_is_filled() -> None:
    said = Correction(usage={INPUT: 99, OUTPUT: 700})

    assert standing(event_of()) == {INPUT: (12, REPORTED), OUTPUT: (2, PARTIAL)}
    assert news(event_of(), said) == {OUTPUT: 700}
    made = adjust(event_of(), said, ADA, 3)
    assert made is not None
    assert made.parts == (Part("claude-large", {OUTPUT: 700}),)
    assert made.adjustment is not None
    assert made.adjustment.after == {INPUT: (12, REPORTED), OUTPUT: (700, REPORTED)}


def test_of_several_parts_what_none_names_there_was_none_of() -> None:
    parts = (Part("a", {OUTPUT: 1}), Part("b", {OUTPUT: 2}, "compaction"))

    assert level(event_of(parts=parts, lesser=None), INPUT) == REPORTED
    assert level(event_of(lesser=None), Unit.CACHE_READ) == Evidence.MISSING
    assert standing(event_of(parts=parts))[OUTPUT] == (3, PARTIAL)


def test_it_repeats_the_one_name_that_identifies_the_response() -> None:
    said = Correction(usage={OUTPUT: 700})
    for changes in (
        {},
        {"message_id": None},
        {"message_id": "constant"},
        {"message_id": None, "request_id": None},
        {"message_id": "constant", "request_id": None},
    ):
        seen = msgspec.structs.replace(SEEN, **changes)
        made = adjust(event_of(**changes), said, ADA, 1)

        assert made is not None
        assert identify(made) == identify(seen)
        assert None in (made.message_id, made.request_id)
        assert made.user is None


def test_who_takes_it_back_signs_and_nothing_is_left_of_it() -> None:
    made = adjust(event_of(), Correction(usage={OUTPUT: 700}), ADA, 3)
    assert made is not None
    ben = msgspec.structs.replace(ADA, who="ben", why="wrong")
    back = withdraw(made, ben)

    assert back.adjustment is not None
    assert (back.adjustment.who, back.adjustment.withdrawn) == ("ben", True)
    assert back.adjustment.after == standing(event_of())
    (event,) = merge([("a", back), ("relay", SEEN), ("a", made)]).values()
    assert event == event_of()


def test_a_model_that_nobody_knew_is_filled_too() -> None:
    said = Correction(usage={OUTPUT: 700}, model="claude-small")
    made = adjust(event_of(parts=(Part("", {}),), lesser=None), said, ADA, 1)

    assert made is not None
    assert made.parts[0].model == "claude-small"


def test_it_is_called_by_its_run_and_number() -> None:
    made = adjust(event_of(), Correction(usage={OUTPUT: 700}), ADA, 3)
    assert made is not None
    change = Change(id=MESSAGE, said=made, cost_before=0, cost_after=1)

    assert change.name == Made(said=made, origin="o").name == "adj_1.3"
    assert Made(said=made, origin="o").id == MESSAGE
    assert change.before[OUTPUT] == (2, PARTIAL)
    assert change.after[OUTPUT] == (700, REPORTED)

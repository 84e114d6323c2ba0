"""The rules of ``tollbook.core.event``: many statements, one response."""

from __future__ import annotations

from functools import reduce

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from strategies import OBSERVATIONS, OUTPUT, SAID, START
from tollbook.core.event import EventState, join, lift, main_model, settle, settle_one
from tollbook.core.observation import Conditions, Evidence, Observation, Part

STATES = SAID.map(lambda said: lift(said[1], said[0]))
INPUT = "uncached_input_tokens"
READ = "cache_read_input_tokens"
SEEN = Observation(
    message_id="msg_01" + "A" * 22,
    request_id="req_1",
    session="parent",
    first_at=START,
    at=START,
    line=1,
    parts=(Part("claude-large", {INPUT: 10, OUTPUT: 5}),),
    conditions=Conditions(),
)


def seen(count: int | None = None, **changes: object) -> Observation:
    """``SEEN`` with changes, and with another output count."""
    if count is not None:
        changes["parts"] = (Part("claude-large", {INPUT: 10, OUTPUT: count}),)
    return msgspec.structs.replace(SEEN, **changes)


def merged(*said: Observation) -> EventState:
    """What one source's observations make together."""
    return reduce(join, (lift(one, "claude-code") for one in said))


def output_of(*said: Observation) -> int:
    """The output count they settle on."""
    [part] = settle(merged(*said)).parts
    return part.usage[OUTPUT]


@given(one=STATES, other=STATES)
def test_a_join_does_not_depend_on_the_order(
    one: EventState, other: EventState
) -> None:
    assert join(one, other) == join(other, one)


@given(one=STATES, other=STATES, third=STATES)
def test_a_join_does_not_depend_on_the_grouping(
    one: EventState, other: EventState, third: EventState
) -> None:
    assert join(join(one, other), third) == join(one, join(other, third))


@given(one=STATES, other=STATES)
def test_to_say_it_again_changes_nothing(one: EventState, other: EventState) -> None:
    known = join(one, other)

    assert join(one, one) == one
    assert join(known, one) == known
    assert join(known, other) == known


@given(states=st.lists(STATES, min_size=1, max_size=5), data=st.data())
def test_any_order_and_any_repetition_give_the_same_event(
    states: list[EventState], data: st.DataObject
) -> None:
    again = data.draw(st.permutations(states + states[:2]))

    assert settle(reduce(join, again)) == settle(reduce(join, states))


@given(observation=OBSERVATIONS)
def test_one_observation_settles_as_if_it_had_been_joined(
    observation: Observation,
) -> None:
    event = settle_one(observation, "relay")

    assert event == settle(lift(observation, "relay"))


@given(observation=OBSERVATIONS)
def test_one_observation_loses_no_count(observation: Observation) -> None:
    taken_back = observation.adjustment and observation.adjustment.withdrawn
    event = settle(lift(observation, "relay"))
    if taken_back:
        assert event.evidence == Evidence.MISSING
        return

    for unit in {unit for part in observation.parts for unit in part.usage}:
        said = sum(part.usage.get(unit, 0) for part in observation.parts)
        assert sum(part.usage.get(unit, 0) for part in event.parts) == said


@given(states=st.lists(STATES, min_size=1, max_size=4))
def test_a_state_survives_being_stored(states: list[EventState]) -> None:
    state = reduce(join, states)
    stored = msgspec.msgpack.encode(state)

    assert msgspec.msgpack.decode(stored, type=EventState) == state


def test_of_equal_evidence_the_larger_count_wins() -> None:
    assert output_of(seen(7), seen(5), seen(6)) == 7


def test_a_stale_partial_line_does_not_replace_the_final_one() -> None:
    stale = seen(9, lesser={OUTPUT: int(Evidence.PARTIAL)}, at=START + 5)

    assert output_of(seen(7), stale) == 7
    assert settle(merged(seen(7), stale)).lesser is None


def test_what_the_better_statement_does_not_know_is_kept_from_the_worse() -> None:
    worse = seen(
        parts=(Part("claude-large", {READ: 40, OUTPUT: 9}),),
        evidence=Evidence.ESTIMATED,
    )
    event = settle(merged(seen(7), worse))

    assert event.parts[0].usage == {INPUT: 10, READ: 40, OUTPUT: 7}
    assert event.evidence == Evidence.REPORTED
    assert event.lesser == {READ: Evidence.ESTIMATED}


def test_a_response_is_at_home_with_its_parent_however_late_it_is_seen() -> None:
    aside = seen(session="aside", sidechain=True, first_at=START - 9, at=START - 9)
    event = settle(merged(aside, seen(first_at=START + 9, at=START + 9)))

    assert (event.session, event.sidechain) == ("parent", False)
    assert (event.first_at, event.at) == (START + 9, START + 9)


def test_a_fork_does_not_move_a_response() -> None:
    fork = seen(session="fork", copied=True, project="elsewhere")

    assert settle(merged(fork, seen(project="home"))).project == "home"


def test_of_two_sessions_the_earlier_is_home() -> None:
    later = seen(session="a-later", first_at=START + 1, request_id="req_9")
    event = settle(merged(later, seen()))

    assert (event.session, event.request_id) == ("parent", "req_1")


def test_it_occurred_when_its_final_count_was_written() -> None:
    first = seen(1, lesser={OUTPUT: int(Evidence.PARTIAL)})
    last = seen(7, first_at=START + 60_000, at=START + 60_000)
    event = settle(merged(first, last))

    assert (event.first_at, event.at) == (START, START + 60_000)


def test_a_request_id_that_only_another_place_knows_is_kept() -> None:
    fork = seen(session="fork", first_at=START + 1, request_id="req_2")

    assert settle(merged(fork, seen(request_id=None))).request_id == "req_2"


def test_what_an_early_witness_does_not_know_is_kept_from_the_next() -> None:
    relay = seen(message_id=None, project=None, branch=None, first_at=START - 5)
    transcript = seen(project="-work", branch="main")
    event = settle(merged(relay, transcript))

    assert event.first_at == START - 5
    assert event.message_id == SEEN.message_id
    assert (event.project, event.branch) == ("-work", "main")


def test_a_witness_that_knows_no_session_does_not_hide_it() -> None:
    relay = seen(session=None, project=None, first_at=START - 5)
    event = settle(merged(relay, seen(project="-work")))

    assert (event.session, event.project) == ("parent", "-work")


def test_a_copy_does_not_lend_its_branch_or_agent() -> None:
    copy = seen(session="aside", sidechain=True, branch="fix", agent="Explore")
    event = settle(merged(seen(), copy))

    assert (event.branch, event.agent) == (None, None)


def test_iterations_outrank_a_flat_count() -> None:
    steps = (
        Part("claude-large", {INPUT: 10, OUTPUT: 3}),
        Part("claude-small", {OUTPUT: 1}, "advisor_message"),
    )
    event = settle(merged(seen(7), seen(parts=steps)))

    assert event.parts == steps


def test_tools_and_sources_are_collected() -> None:
    one, other = seen(tools=("Read",)), seen(tools=("Bash", "Read"))
    event = settle(join(lift(one, "relay"), lift(other, "claude-code")))

    assert event.tools == ("Bash", "Read")
    assert event.sources == ("claude-code", "relay")


def test_without_any_usage_the_response_is_known_and_its_usage_missing() -> None:
    lost = seen(parts=(Part("claude-large", {}),), evidence=Evidence.MISSING)
    event = settle(merged(lost, lost))

    assert event.evidence == Evidence.MISSING
    assert event.parts == (Part("claude-large", {}),)


def test_a_count_that_arrives_later_fills_what_was_missing() -> None:
    lost = seen(parts=(Part("claude-large", {}),), evidence=Evidence.MISSING)

    assert settle(merged(lost, seen(7))).evidence == Evidence.REPORTED


def test_the_larger_stated_cost_stays_as_a_check() -> None:
    event = settle(merged(seen(stated_cost=3), seen(), seen(stated_cost=4)))

    assert event.stated_cost == 4


def test_the_model_that_answered_is_the_main_one() -> None:
    helper = Part("claude-small", {}, "compaction")

    assert main_model((helper, Part("claude-large", {}))) == "claude-large"
    assert main_model((helper,)) == "claude-small"
    assert main_model(()) == ""

"""How ``tollbook.formats.messages_stream`` meters what streams say."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sse_events import (
    COUNTS,
    FINAL,
    ID,
    MODEL,
    NOTHING,
    PROMPT,
    STOP,
    WHOLE,
    WRITTEN,
    block,
    delta,
    event,
    start,
    text,
)
from tollbook.core.observation import Conditions, Evidence, Part
from tollbook.formats.messages_stream import StreamMeter
from tollbook.formats.metered import Ended, Flag, Metered, OutputChars, State

OUTPUT = "output_tokens"
PARTIAL_OUTPUT = {OUTPUT: int(Evidence.PARTIAL)}
FULL = {**PROMPT, OUTPUT: 377}
ZEROS = {"input_tokens": 0, "cache_read_input_tokens": 0, OUTPUT: 0}


def meter(*chunks: bytes, ended: Ended = Ended.WHOLE) -> Metered:
    """What a stream says."""
    machine = StreamMeter(asked="asked-for")
    for chunk in chunks:
        machine.feed(chunk)
    return machine.outcome(ended)


def counts(said: Metered) -> dict[str, int]:
    """The counts of its only part."""
    [part] = said.parts
    return dict(part.usage)


def test_a_plain_stream_says_everything() -> None:
    assert meter(WHOLE) == Metered(
        state=State.COMPLETE,
        message_id=ID,
        model=MODEL,
        stop_reason="end_turn",
        parts=(Part(MODEL, COUNTS),),
        conditions=Conditions("standard"),
        evidence=int(Evidence.REPORTED),
        seen_in=("message_start", "message_delta"),
        output_chars=OutputChars(text=5),
    )


WIRE = {
    "usage full": (WHOLE, "complete", 377),
    "usage none": (start(NOTHING) + WRITTEN + delta(NOTHING) + STOP, "missing", None),
    "usage null": (start(None) + WRITTEN + delta(None) + STOP, "missing", None),
    "usage empty": (start({}) + WRITTEN + delta({}) + STOP, "missing", None),
    "usage zero": (start(ZEROS) + WRITTEN + delta(ZEROS) + STOP, "missing", None),
    "start only": (start() + WRITTEN + delta(NOTHING) + STOP, "partial", 1),
    "delta only": (
        start(NOTHING) + WRITTEN + delta({OUTPUT: 377}) + STOP,
        "partial",
        377,
    ),
    "delta full": (start(NOTHING) + WRITTEN + delta(FULL) + STOP, "complete", 377),
    "cut": (start() + WRITTEN, "partial", 1),
    "error event": (start() + WRITTEN + event("error", error={}), "partial", 1),
    "error first": (
        event("error", error={"type": "overloaded_error"}),
        "failed",
        None,
    ),
    "crlf": (WHOLE.replace(b"\n", b"\r\n"), "complete", 377),
    "refusal": (start() + delta(FULL, "refusal") + STOP, "refused", 377),
    "no stop": (start() + WRITTEN + FINAL, "complete", 377),
    "usage in stop": (
        start(NOTHING) + WRITTEN + event("message_stop", usage=FULL),
        "complete",
        377,
    ),
}


@pytest.mark.parametrize("case", WIRE)
def test_every_way_usage_may_lack_on_the_wire_is_known_for_what_it_is(
    case: str,
) -> None:
    stream, state, output = WIRE[case]
    said = meter(stream)

    assert said.state == state
    assert counts(said).get(OUTPUT) == output


@pytest.mark.parametrize("case", WIRE)
def test_a_lower_bound_never_looks_like_the_whole(case: str) -> None:
    stream, state, output = WIRE[case]
    for length in range(len(stream)):
        said = meter(stream[:length], ended=Ended.CUT)

        if said.state in {State.COMPLETE, State.REFUSED}:
            assert (said.state, counts(said).get(OUTPUT)) == (state, output)


@pytest.mark.parametrize("case", WIRE)
def test_what_a_client_gave_up_is_aborted_unless_it_was_over(case: str) -> None:
    stream, state, _ = WIRE[case]
    over = state in {"complete", "refused", "failed"} and case != "no stop"

    assert meter(stream, ended=Ended.LEFT).state == (state if over else State.ABORTED)


def test_which_events_carried_usage_and_which_lacked_it_is_told() -> None:
    said = meter(start() + WRITTEN + delta(None) + STOP)
    stop = event("message_stop", message={"usage": FULL})
    last = meter(start(None) + WRITTEN + delta(None) + stop)

    assert (said.seen_in, said.lacked) == (("message_start",), ("message_delta",))
    assert last.seen_in == ("message_stop",)
    assert last.lacked == ("message_start", "message_delta")


def test_a_placeholder_is_worse_than_the_input_beside_it() -> None:
    said = meter(start() + text(), ended=Ended.CUT)

    assert counts(said) == {**COUNTS, OUTPUT: 1}
    assert (said.evidence, said.lesser) == (Evidence.REPORTED, PARTIAL_OUTPUT)


def test_nothing_known_of_the_input_is_no_input_of_zero() -> None:
    said = meter(start(None) + WRITTEN + FINAL + STOP)

    assert counts(said) == {OUTPUT: 377}
    assert (said.evidence, said.lesser) == (Evidence.REPORTED, None)


def test_a_placeholder_alone_is_a_lower_bound() -> None:
    said = meter(start({OUTPUT: 3}) + text(), ended=Ended.CUT)

    assert (counts(said), said.evidence) == ({OUTPUT: 3}, Evidence.PARTIAL)


def test_later_sums_take_the_place_of_earlier_ones() -> None:
    growing = [delta({OUTPUT: count}) for count in (17, 25, 377)]

    assert meter(start(), WRITTEN, *growing, STOP) == meter(WHOLE)
    assert meter(start(), WRITTEN, FINAL, FINAL, STOP) == meter(WHOLE)


def test_a_sum_that_more_was_written_after_is_not_the_last_word() -> None:
    said = meter(start() + WRITTEN + delta({OUTPUT: 5}, None) + text() + STOP)
    again = meter(start() + delta({OUTPUT: 5}, None) + text() + FINAL + STOP)

    assert (said.state, said.lesser) == (State.PARTIAL, PARTIAL_OUTPUT)
    assert (again.state, counts(again)) == (State.COMPLETE, COUNTS)


def test_sums_on_every_event_are_taken_and_never_added() -> None:
    said = [
        event("content_block_delta", delta={"text": "ab"}, usage={OUTPUT: count})
        for count in (1, 2, 3)
    ]
    whole = meter(start(), *said, FINAL, STOP)
    lacking = meter(start(), *said, delta(None), STOP)

    assert (whole.state, counts(whole)) == (State.COMPLETE, COUNTS)
    assert whole.output_chars.text == 6
    assert (lacking.state, counts(lacking)[OUTPUT]) == (State.PARTIAL, 3)


def test_an_event_nobody_knows_says_nothing() -> None:
    stranger = event("vendor_event", usage={OUTPUT: 99999}, message={"id": "x"})

    assert meter(stranger, WHOLE, stranger) == meter(WHOLE)


def test_what_runs_at_the_provider_makes_the_input_a_lower_bound_too() -> None:
    for kind in ("server_tool_use", "compaction", "kind-of-tomorrow"):
        said = meter(start() + block(kind), ended=Ended.CUT)

        assert (said.evidence, said.lesser) == (Evidence.PARTIAL, None)
        assert meter(start() + block(kind) + FINAL + STOP).state == State.COMPLETE


def test_what_was_written_is_measured_by_class() -> None:
    deltas = [{"text": "日本語"}, {"thinking": "hm"}, {"partial_json": '{"a":1}'}, {}]
    written = [event("content_block_delta", delta=one) for one in deltas]
    started = event("content_block_start", content_block={"type": "text", "text": "a"})
    said = meter(start(), started, *written, event("content_block_delta"), FINAL, STOP)

    assert said.output_chars == OutputChars(text=4, thinking=2, tool_input=7)
    assert said.output_chars.total == 13


def test_an_answer_that_wrote_nothing_may_cost_no_output() -> None:
    said = meter(start() + delta({OUTPUT: 0}, "max_tokens") + STOP)

    assert said.state == State.COMPLETE
    assert counts(said) == {**COUNTS, OUTPUT: 0}


@pytest.mark.parametrize("kind", ["error", "overloaded_error", "<b>", ""])
def test_an_error_before_any_answer_names_the_failure(kind: str) -> None:
    said = meter(event("error", error={"type": kind}))
    named = kind if kind == "overloaded_error" else "error"

    assert (said.state, said.failure) == (State.FAILED, named)
    assert said.parts == (Part("asked-for", {}),)


def test_an_error_within_an_answer_keeps_what_is_known() -> None:
    said = meter(start() + text() + event("error", error={"type": "api_error"}))

    assert (said.state, said.error_type, said.failure) == ("partial", "api_error", None)
    assert said.flags == ()


@pytest.mark.parametrize(
    ("bad", "flags"),
    [
        (b'{"type":"content_block_delta","delta":{', (Flag.BAD_JSON,)),
        (b'{"type":"content_block_delta","delta":"x"}', (Flag.BAD_FIELD,)),
        (b'{"type":"ping","x":[' + b"[" * 9000 + b"]" * 9001 + b"}", (Flag.BAD_JSON,)),
        (b'{"type":"ping"} {"type":"ping"}', (Flag.BAD_JSON,)),
        (b"[]", (Flag.BAD_JSON,)),
        (b'{"type":"content_block_delta","delta":{"text":"\xff"}}', (Flag.BAD_FIELD,)),
        (b"", ()),
        (b" ", ()),
    ],
)
def test_a_bad_event_is_told_of_and_disturbs_nothing(
    bad: bytes, flags: tuple[Flag, ...]
) -> None:
    said = meter(start() + b"data:" + bad + b"\n\n" + WRITTEN + FINAL + STOP)

    assert (said.state, counts(said), said.flags) == ("complete", COUNTS, flags)


def test_content_that_cannot_be_read_is_still_content() -> None:
    torn = b'data: {"type":"content_block_delta","delta":{\n\n'
    said = meter(start() + FINAL + torn, ended=Ended.WHOLE)

    assert said.state == State.PARTIAL


@pytest.mark.parametrize("kind", ["message_start", "message_stop", "message_delta"])
def test_of_an_event_that_cannot_be_read_is_known_what_it_was(kind: str) -> None:
    said = meter(b'data: {"type": "' + kind.encode() + b'", "usage": NaN}\n\n')

    assert (said.state, said.flags[0]) == (State.MISSING, Flag.BAD_JSON)
    assert said.lacked == ((kind,) if kind != "message_stop" else ())


@pytest.mark.parametrize("count", [-5, 1.5, "12", True, 10**10, [], {}])
def test_a_count_that_is_none_is_unknown_and_the_others_count(count: object) -> None:
    final = delta({"input_tokens": 900, OUTPUT: count})
    said = meter(start() + WRITTEN + final + STOP)
    other = meter(start() + WRITTEN + delta({"input_tokens": count, OUTPUT: 9}) + STOP)

    assert (said.state, counts(said)["uncached_input_tokens"]) == ("partial", 900)
    assert (said.lesser, said.flags) == (PARTIAL_OUTPUT, (Flag.BAD_COUNT,))
    assert (other.state, counts(other)) == ("complete", {**COUNTS, OUTPUT: 9})
    assert other.flags == (Flag.BAD_COUNT,)


def test_an_event_may_have_its_name_outside() -> None:
    nameless = WHOLE.replace(b'"type": "message_delta", ', b"")

    assert meter(nameless) == meter(WHOLE)
    assert meter(WHOLE.replace(b"event: message_delta\n", b"")) == meter(WHOLE)


def test_the_last_event_counts_without_its_empty_line() -> None:
    cut = WHOLE[: -len(STOP)].rstrip(b"\n")

    assert counts(meter(cut)) == COUNTS
    assert meter(cut[:-1], ended=Ended.CUT).flags == ()
    assert meter(cut[:-1]).state == State.PARTIAL


def test_a_model_that_no_event_names_is_the_one_asked_for() -> None:
    said = meter(start(model=NOTHING) + FINAL + STOP)

    assert (said.model, said.parts[0].model) == ("asked-for", "asked-for")


def test_a_drain_may_end_when_nothing_more_is_to_come() -> None:
    machine = StreamMeter()
    machine.feed(start() + WRITTEN + FINAL)
    before = machine.is_final
    machine.feed(STOP)

    assert (before, machine.is_final) == (False, True)


def test_nothing_at_all_is_missing() -> None:
    assert meter().state == State.MISSING
    assert meter(b"<html>", ended=Ended.CUT).state == State.MISSING


def test_an_event_too_large_is_measured_and_not_kept() -> None:
    large = text("a" * 300_000)
    in_pieces = [large[place : place + 9_000] for place in range(0, len(large), 9_000)]
    said = meter(start(), *in_pieces, FINAL, STOP)
    late = meter(start(), FINAL, *in_pieces)

    assert (said.state, said.flags) == (State.COMPLETE, (Flag.OVERSIZED,))
    assert said.output_chars.unread_bytes == len(large) - 2
    assert said == meter(start() + large + FINAL + STOP)
    assert late.state == State.PARTIAL


def test_a_meter_of_a_huge_event_stays_small() -> None:
    machine = StreamMeter()
    machine.feed(start())
    for _ in range(400):
        machine.feed(b"data: " + b"a" * 10_000)
    said = machine.outcome(Ended.CUT)

    assert said.output_chars.unread_bytes > 3_900_000


PIECES = (
    start(), start(None), WRITTEN, text("日本語 😀"), block("tool_use"), FINAL, STOP,
    delta(None), delta(ZEROS), delta({OUTPUT: 5}, None), delta({OUTPUT: -1}),
    event("error", error={"type": "api_error"}), b": keep-alive\n\n", b"\n", b"\r\n",
    b"data: {\n\n", b"id: 7\nretry: 3\n\n", b"event: message_stop\n\n", b"data\n\n",
    b'data: {"type":"message_delta",\ndata: "usage":{"output_tokens":51}}\n\n',
    WHOLE.replace(b"\n", b"\r"), b"\xef\xbb\xbf", b"data:" + b"x" * 300_000 + b"\n\n",
)  # fmt: skip


@given(
    pieces=st.lists(st.sampled_from(PIECES), max_size=9),
    seed=st.integers(0, 2**32),
    ended=st.sampled_from(Ended),
)
def test_neither_order_nor_pieces_matter_to_what_is_understood(
    pieces: list[bytes], seed: int, ended: Ended
) -> None:
    stream = b"".join(pieces)
    dice = random.Random(seed)  # noqa: S311  # where to cut
    cuts = sorted(dice.randrange(len(stream) + 1) for _ in range(dice.randrange(9)))
    places = [0, *cuts, len(stream)]
    machine = StreamMeter()
    for begin, end in pairwise(places):
        machine.feed(stream[begin:end])
        if dice.random() < 0.5:
            assert machine.is_final in {True, False}
    whole = StreamMeter()
    whole.feed(stream)

    assert machine.outcome(ended) == whole.outcome(ended)


def check_random(seed: int) -> None:
    """Damage a good stream, or send nonsense: something is always said of it."""
    dice = random.Random(seed)  # noqa: S311  # what to damage
    stream = bytearray(WHOLE if dice.random() < 0.8 else dice.randbytes(400))
    for _ in range(dice.randrange(30)):
        stream[dice.randrange(len(stream))] = dice.randrange(256)
    said = meter(bytes(stream), ended=dice.choice(list(Ended)))

    assert said.parts
    assert all(0 <= n <= 10**9 for part in said.parts for n in part.usage.values())


def test_no_bytes_stop_a_meter() -> None:
    for seed in range(300):
        check_random(seed)


@pytest.mark.night
def test_no_bytes_stop_a_meter_however_many() -> None:
    for seed in range(10_000):
        check_random(seed)


@settings(max_examples=50)
@given(st.binary(max_size=200))
def test_nothing_is_known_from_nonsense(nonsense: bytes) -> None:
    assert meter(nonsense).state in {State.MISSING, State.FAILED}

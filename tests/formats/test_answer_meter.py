"""How ``tollbook.formats.answer_meter`` meters recorded answers, and any others.

The recordings are raw answers of a service that tells what it billed for each
(``manifest.json``). Where it billed more than it said, that must be flagged.
"""

from __future__ import annotations

import gzip
import json

import msgspec
import pytest

from sse_events import COUNTS, WHOLE
from sse_recordings import MANIFEST, metered, recorded
from tollbook.core.observation import Evidence
from tollbook.formats.answer_meter import BODY_MAX, AnswerMeter
from tollbook.formats.metered import Ended, Flag, Metered, State

# A service that sends this much and no more cannot be known better.
FLAGGED = {
    "error_event": State.PARTIAL,
    "error_first": State.FAILED,
    "eof_mid": State.PARTIAL,
    "cut_chunk": State.PARTIAL,
    "rst_mid": State.PARTIAL,
    "gzip_cut": State.PARTIAL,
    "usage_null": State.PARTIAL,
    "usage_weird": State.PARTIAL,
    "usage_missing": State.MISSING,
}
REFUSED = {"refusal"}
ODD = {
    "bad_utf8": Flag.BAD_FIELD,
    "json_bad": Flag.BAD_JSON,
    "usage_weird": Flag.BAD_JSON,
    "no_stop": Flag.NO_STOP,
    "eof_mid": Flag.NO_STOP,
}
every_recording = pytest.mark.parametrize("name", MANIFEST)


def billed(name: str) -> dict[str, int]:
    """What the service says it billed."""
    stated = MANIFEST[name]["billed_usage"]
    return {
        "uncached_input_tokens": stated["input_tokens"],
        "cache_read_input_tokens": stated["cache_read_input_tokens"],
        "cache_write_5m_tokens": stated["cache_creation"]["ephemeral_5m_input_tokens"],
        "cache_write_1h_tokens": stated["cache_creation"]["ephemeral_1h_input_tokens"],
        "output_tokens": stated["output_tokens"],
        **stated.get("server_tool_use", {}),
    }


def test_there_are_recordings() -> None:
    assert len(MANIFEST) == 57


@every_recording
def test_a_recording_is_exact_or_flagged(name: str) -> None:
    said = metered(recorded(name))

    if MANIFEST[name]["billed_usage"] is None:
        assert (said.state, said.evidence) == (State.FAILED, Evidence.MISSING)
        assert said.failure in {name[5:8], "connection"}
    elif name in FLAGGED:
        assert said.state == FLAGGED[name]
        assert said.parts[0].usage != billed(name)
        assert said.evidence == Evidence.MISSING or said.lesser is not None
    else:
        wanted = State.REFUSED if name in REFUSED else State.COMPLETE
        assert (said.state, said.parts[0].usage) == (wanted, billed(name))
        assert (said.evidence, said.lesser) == (Evidence.REPORTED, None)
    assert said.flags == ((ODD[name],) if name in ODD else ())


@every_recording
def test_a_recording_says_the_same_byte_by_byte(name: str) -> None:
    answer = recorded(name)

    assert metered(answer, step=1) == metered(answer)


def check_splits(name: str, stride: int) -> None:
    """Cut an answer in two, everywhere or at every so many bytes."""
    answer = recorded(name)
    whole = metered(answer)
    for place in range(0, len(answer.body) if answer is not None else 0, stride):
        assert metered(answer, place) == whole, place


@every_recording
def test_a_recording_says_the_same_in_two_pieces(name: str) -> None:
    check_splits(name, 37)


@pytest.mark.night
@every_recording
def test_a_recording_says_the_same_in_any_two_pieces(name: str) -> None:
    check_splits(name, 1)


@every_recording
def test_a_recording_that_is_cut_anywhere_is_exact_or_flagged(name: str) -> None:
    answer = recorded(name)
    if answer is None:
        return
    whole = metered(answer)
    for length in range(0, len(answer.body), 23):
        cut = msgspec.structs.replace(answer, body=answer.body[:length])
        said = metered(cut, ended=Ended.CUT)

        if said.state in {State.COMPLETE, State.REFUSED}:
            assert said.parts == whole.parts
        elif said.state == State.MISSING:
            assert said.evidence == Evidence.MISSING


BODY = json.dumps({"type": "message", "id": "msg_1", "content": [], "usage": {}})


def said_of(
    *chunks: bytes, status: int = 200, coding: str | None = None, asked: str = "m"
) -> Metered:
    """What an answer says."""
    meter = AnswerMeter(status=status, content_encoding=coding, asked=asked)
    for chunk in chunks:
        meter.feed(chunk)
    return meter.outcome(Ended.WHOLE)


def test_an_answer_is_known_by_how_it_begins() -> None:
    assert said_of(b"\xef\xbb", b"\xbf \r\n", WHOLE[:9], WHOLE[9:]).state == "complete"
    assert said_of(b"\xef\xbb\xbf", BODY.encode()).lacked == ("body",)
    assert said_of(b"\n ", BODY.encode()).lacked == ("body",)


def test_an_error_page_is_a_failure_by_its_status() -> None:
    said = said_of(b"<html>bad gateway</html>", status=502)

    assert (said.state, said.failure) == (State.FAILED, "502")
    assert said_of(b"", status=529).failure == "529"


def test_a_stream_with_a_bad_status_failed() -> None:
    assert said_of(WHOLE, status=500).state == State.FAILED


@pytest.mark.parametrize("coding", ["compress", "gzip, br, br, br"])
def test_a_coding_nobody_knows_leaves_usage_missing(coding: str) -> None:
    said = said_of(WHOLE, coding=coding)

    assert (said.state, said.flags) == (State.MISSING, (Flag.BAD_CODING,))


def test_a_damaged_coding_keeps_what_was_read_before() -> None:
    packed = gzip.compress(WHOLE)
    said = said_of(packed[:-8], b"damage", b"more", coding="gzip")
    nothing = said_of(b"damage", b"more", coding="gzip")

    assert said.parts[0].usage == COUNTS
    assert said.flags == (Flag.BAD_CODING,)
    assert (nothing.state, nothing.flags) == ("missing", (Flag.BAD_CODING,))


def test_a_body_too_large_is_measured_and_not_kept() -> None:
    said = said_of(b"{", b" " * BODY_MAX, b"}")

    assert (said.state, said.flags) == (State.MISSING, (Flag.OVERSIZED,))
    assert said.output_chars.unread_bytes == BODY_MAX + 2


def test_a_drain_of_a_body_goes_on_to_its_end() -> None:
    meter = AnswerMeter(status=200, content_encoding=None, asked=None)
    meter.feed(BODY.encode())

    assert not meter.is_final


def test_a_drain_of_a_stream_may_end_with_its_message() -> None:
    meter = AnswerMeter(status=200, content_encoding=None, asked=None)
    meter.feed(WHOLE)

    assert meter.is_final

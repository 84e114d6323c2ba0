"""tollbook.http.framing and head: where a request ends, however it is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbook.http.exchange import RefusedError
from tollbook.http.framing import Chunked, Framing, Sized
from tollbook.http.head import CHUNKED, body_length, check_start

NEXT = b"GET / HTTP/1.1\r\n"


def fed(framing: Framing, data: bytes, cuts: list[int]) -> tuple[bytes, bytes]:
    """The content, and what is left, when data comes in pieces."""
    content, rest, at = b"", b"", 0
    for cut in [*sorted(cuts), len(data)]:
        rest += data[at:cut]
        at = max(at, cut)
        if not framing.done:
            part, rest = framing.take(rest)
            content += part
    return content, rest


@st.composite
def chunked(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A body in chunks, and what it holds."""
    parts = draw(st.lists(st.binary(min_size=1, max_size=20), max_size=5))
    extension = draw(st.sampled_from([b"", b";a=b", b" ; a"]))
    trailers = draw(st.sampled_from([b"", b"X: a\r\n", b"X:\r\nY: b\r\n"]))
    chunks = b"".join(b"%X%s\r\n%s\r\n" % (len(p), extension, p) for p in parts)
    return chunks + b"0\r\n" + trailers + b"\r\n", b"".join(parts)


@given(chunked(), st.lists(st.integers(0, 150), max_size=8))
def test_a_body_in_chunks_reads_alike_however_it_is_cut(
    body: tuple[bytes, bytes], cuts: list[int]
) -> None:
    framing = Chunked()

    assert fed(framing, body[0] + NEXT, cuts) == (body[1], NEXT)
    assert framing.done


@given(st.binary(max_size=50), st.lists(st.integers(0, 60), max_size=5))
def test_a_sized_body_ends_at_its_size(body: bytes, cuts: list[int]) -> None:
    framing = Sized(len(body))

    assert fed(framing, body + NEXT, cuts) == (body, NEXT)


def outcome(data: bytes, cuts: list[int]) -> tuple[bytes, bytes] | str:
    framing = Chunked()
    try:
        content, rest = fed(framing, data, cuts)
    except RefusedError:
        return "refused"
    return (content, rest) if framing.done else "waits"


@given(
    st.lists(
        st.sampled_from(
            [b"\r", b"\n", b"0", b"a", b"1", b";", b"X: ", b"\r\n", b"\x00"]
        ),
        max_size=12,
    ).map(b"".join),
    st.lists(st.integers(0, 20), max_size=4),
)
def test_rubbish_is_judged_alike_however_it_is_cut(
    data: bytes, cuts: list[int]
) -> None:
    assert outcome(data, cuts) == outcome(data, [])


@given(st.binary(max_size=200))
def test_no_bytes_are_taken_for_a_head_that_is_none(data: bytes) -> None:
    with pytest.raises(RefusedError):
        body_length(data + b"\r\n\r\n")


@given(st.binary(max_size=60), st.integers(0, 60))
def test_a_head_that_can_still_become_one_is_waited_for(data: bytes, cut: int) -> None:
    """Whatever is refused early would have been refused as a whole."""
    head = b"GET / HTTP/1.1\r\nHost: a\r\n" + data + b"\r\n\r\n"
    try:
        check_start(head[:cut])
    except RefusedError:
        with pytest.raises(RefusedError):
            body_length(head)


@pytest.mark.parametrize(
    ("fields", "length"),
    [
        (b"", 0),
        (b"Content-Length: 12\r\n", 12),
        (b"content-length:\t0012 \r\n", 12),
        (b"Transfer-Encoding: CHUNKED\r\n", CHUNKED),
        (b"X-Content-Length: 7\r\nX-Host: b\r\n", 0),
        (b"X: \xe9\r\n", 0),
    ],
)
def test_a_plain_head_says_how_much_follows(fields: bytes, length: int) -> None:
    head = b"POST /ingest?a=b HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n"

    assert body_length(head) == length

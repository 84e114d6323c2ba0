"""How ``tollbook.formats.event_stream`` cuts events out of bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tollbook.formats.event_stream import (
    EVENT_MAX,
    EventStream,
    data_of_plain,
    parted,
)


def read(*blocks: bytes) -> tuple[list[bytes], int]:
    """The data of all events, and the bytes of those that were too large."""
    stream = EventStream()
    pieces = [piece for block in blocks for piece in stream.feed(block)]
    texts = [text for text, is_whole in pieces if is_whole]
    found = [data for text in texts for _, data in parted(text)]
    return found, stream.unread


def test_every_end_of_a_line_is_one() -> None:
    for end in (b"\n", b"\r\n", b"\r"):
        stream = b"data: a\n\n: note\n\nevent: x\ndata: b\ndata: c\n\ndata\n\n"

        assert read(stream.replace(b"\n", end))[0] == [b" a", b" b  c"]


def test_a_return_at_a_blocks_end_takes_its_newline_with_it() -> None:
    assert read(b"data: a\r", b"\ndata: b\r", b"\n\r", b"\n")[0] == [b" a  b"]
    assert read(b"data: a\r", b"\r", b"data: b\r\r")[0] == [b" a", b" b"]
    assert read(b"data: a\r", b"", b"\n\r\n")[0] == [b" a"]


def test_a_mark_before_everything_is_none_of_it() -> None:
    assert read(b"\xef", b"\xbb\xbf", b"data: a\n\n")[0] == [b" a"]
    stream = EventStream()
    stream.feed(b"\xef\xbb\xbfdata: a")

    assert stream.close() == b"data: a"


def test_names_stand_beside_data() -> None:
    text = b"event: a\ndata: 1\n\nevent:b\nid: 7\ndata: 2\n\ndata: 3\n\nevent: c\n\n"

    assert parted(text) == [("a", b" 1"), ("b", b" 2"), (None, b" 3")]


def test_plain_events_are_told_from_others() -> None:
    plain = b"event: a\ndata: 1\n\nevent: b\ndata: data: 2\n\n"

    assert data_of_plain(plain) == [b" 1", b" data: 2"]
    for odd in (
        b"\n",
        b": note\n\n",
        b"event: a\ndata: 1\ndata: 2\n\n",
        b"data: 3\n\n",
    ):
        assert data_of_plain(plain + odd) is None
        assert data_of_plain(odd + plain) is None


@given(
    sizes=st.lists(st.integers(-2, 3), min_size=1, max_size=3),
    ends=st.lists(st.sampled_from([b"\n\n", b"\n\n\n", b"\r\n\r\n"]), min_size=3),
    step=st.sampled_from([1_000, 65_535, EVENT_MAX, EVENT_MAX + 1]),
)
def test_what_is_too_large_does_not_depend_on_the_pieces(
    sizes: list[int], ends: list[bytes], step: int
) -> None:
    events = [b"data:" + b"x" * (EVENT_MAX - 5 + size) for size in sizes]
    stream = b"".join(map(bytes.__add__, events, ends)) + b"data: end\n\n"
    blocks = [stream[place : place + step] for place in range(0, len(stream), step)]

    assert read(*blocks) == read(stream)
    assert read(stream)[1] == sum(EVENT_MAX + size for size in sizes if size > 0)


def test_of_what_is_too_large_only_the_beginning_is_given() -> None:
    stream = EventStream()
    pieces = stream.feed(b"data: small\n\n\ndata: " + b"x" * EVENT_MAX)

    assert [is_whole for _, is_whole in pieces] == [True, False]
    assert pieces[1][0].startswith(b"data: xx")
    assert stream.feed(b"more") == []
    assert stream.close() == b""

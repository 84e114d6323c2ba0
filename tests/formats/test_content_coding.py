"""How ``tollbook.formats.content_coding`` undoes codings."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]  # a C extension without stubs
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from sse_events import WHOLE
from tollbook.formats.content_coding import DECODED_MAX, TooLargeError, decoder


def bare(data: bytes) -> bytes:
    """Deflate without any wrapping."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def streamed(data: bytes) -> bytes:
    """One zstd frame that does not say how large it is."""
    packer = zstandard.ZstdCompressor().compressobj()
    return packer.compress(data) + packer.flush()


PACKERS: dict[str, list[Callable[[bytes], bytes]]] = {
    "gzip": [gzip.compress],
    "x-gzip": [gzip.compress],
    "deflate": [zlib.compress, bare],
    "br": [brotli.compress],
    "zstd": [zstandard.ZstdCompressor().compress, streamed],
}
CASES = [(name, pack) for name, packs in PACKERS.items() for pack in packs]
every_coding = pytest.mark.parametrize(("name", "pack"), CASES)


def undo(coding: str, *chunks: bytes) -> tuple[bytes, int]:
    """What chunks stand for, and the largest piece of it."""
    pieces: list[bytes] = []
    feed = decoder(coding, pieces.append)
    assert feed is not None
    for chunk in chunks:
        feed(chunk)
    return b"".join(pieces), max(map(len, pieces), default=0)


@every_coding
def test_what_was_coded_comes_out_again(
    name: str, pack: Callable[[bytes], bytes]
) -> None:
    packed = pack(WHOLE)

    assert undo(name, packed)[0] == WHOLE
    assert undo(f" {name.upper()} ", *(bytes([n]) for n in packed))[0] == WHOLE


@every_coding
@given(data=st.binary(max_size=300), place=st.integers(0, 320))
def test_where_the_bytes_are_cut_does_not_matter(
    name: str, pack: Callable[[bytes], bytes], data: bytes, place: int
) -> None:
    packed = pack(data)

    assert undo(name, packed[:place], packed[place:])[0] == data


@every_coding
def test_a_cut_body_gives_what_it_held(
    name: str, pack: Callable[[bytes], bytes]
) -> None:
    out, _ = undo(name, pack(WHOLE * 2000)[:-20])

    assert WHOLE.startswith(out[: len(WHOLE)])


def test_codings_are_undone_in_turn() -> None:
    packed = brotli.compress(gzip.compress(WHOLE))

    assert undo("gzip, br", packed)[0] == WHOLE
    assert undo("gzip,identity, br", packed)[0] == WHOLE


def test_further_members_and_frames_go_on() -> None:
    pack = zstandard.ZstdCompressor().compress

    assert undo("gzip", gzip.compress(b"a") + gzip.compress(b"b") + b"\0\0")[0] == b"ab"
    assert undo("gzip", gzip.compress(b"a"), gzip.compress(b"b"))[0] == b"ab"
    assert undo("zstd", pack(b"a") + pack(b"b"))[0] == b"ab"


@pytest.mark.parametrize("coding", [None, "", "identity", " Identity , "])
def test_without_a_coding_there_is_nothing_to_undo(coding: str | None) -> None:
    assert decoder(coding, print) is None


@pytest.mark.parametrize("coding", ["compress", "gzip, what", "br, br, br, br"])
def test_a_coding_nobody_knows_is_refused(coding: str) -> None:
    with pytest.raises(ValueError, match="coding"):
        decoder(coding, print)


@pytest.mark.parametrize("name", PACKERS)
def test_damage_is_told(name: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        undo(name, b"\x1f\x8b nothing that any of them would write \xff" * 9)


@every_coding
def test_a_large_body_comes_out_in_small_pieces(
    name: str, pack: Callable[[bytes], bytes]
) -> None:
    out, largest = undo(name, pack(b"\0" * 3_000_000))

    assert len(out) == 3_000_000
    assert largest <= 131_072


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_a_body_that_stands_for_too_much_is_left(name: str) -> None:
    packed = PACKERS[name][0](b"\0" * (DECODED_MAX + 1))
    got = []
    feed = decoder(name, lambda piece: got.append(len(piece)))
    assert feed is not None

    with pytest.raises(TooLargeError):
        feed(packed)
    assert sum(got) <= DECODED_MAX

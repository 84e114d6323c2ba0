"""tollbook.http.bodies: what a body may cost, alone and beside others."""

from __future__ import annotations

import asyncio
import gzip
import time
import tracemalloc
import zlib
from collections.abc import Callable, MutableMapping
from typing import Any

import pytest
import zstandard

from tollbook.http.bodies import Body, Budget, DisconnectedError, Receive
from tollbook.http.exchange import RefusedError

SIZE_MAX = 1 << 20


def sender(*parts: bytes, whole: bool = True) -> Receive:
    """A client that sends parts, and stays or leaves."""
    messages: list[MutableMapping[str, Any]] = [
        {"type": "http.request", "body": part, "more_body": True} for part in parts
    ]
    messages += [{"type": "http.request"} if whole else {"type": "http.disconnect"}]

    async def receive() -> MutableMapping[str, Any]:
        return messages.pop(0)

    return receive


def read(
    receive: Receive, coding: str = "identity", budget: Budget | None = None
) -> bytes:
    body = Body(budget or Budget(64 << 20), SIZE_MAX)
    try:
        return asyncio.run(body.read(receive, {"content-encoding": coding}))
    finally:
        body.close()


def refusal(receive: Receive, coding: str = "identity") -> int:
    with pytest.raises(RefusedError) as refused:
        read(receive, coding)
    return refused.value.status


def test_parts_are_joined() -> None:
    assert read(sender(b"a", b"", b"b")) == b"ab"
    assert read(sender()) == b""


def test_a_body_without_end_is_refused_at_its_limit() -> None:
    sent = 0

    async def receive() -> MutableMapping[str, Any]:
        nonlocal sent
        sent += 1 << 16
        return {"type": "http.request", "body": b"a" * (1 << 16), "more_body": True}

    assert refusal(receive) == 413
    assert sent <= SIZE_MAX + (1 << 16)


def test_who_leaves_is_not_answered() -> None:
    with pytest.raises(DisconnectedError):
        read(sender(b"half", whole=False))


PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, 1),
    "zstd": zstandard.compress,
}


def unfinished(pack: bytes) -> list[bytes]:
    return [
        pack[:-1],
        pack[: len(pack) // 2],
        pack[:3],
        b"",
        b"no " + pack,
        pack + b"!",
    ]


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_what_is_not_whole_is_refused(coding: str) -> None:
    for damaged in unfinished(PACK[coding](b"usage" * 99)):
        assert refusal(sender(damaged), coding) == 400


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_files_that_were_joined_unpack_as_one_up_to_a_number(coding: str) -> None:
    one = PACK[coding](b"a\n")

    assert read(sender(one * 64), coding) == b"a\n" * 64
    assert refusal(sender(one * 65), coding) == 400


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_a_bomb_costs_neither_time_nor_memory(coding: str) -> None:
    bomb = PACK[coding](b"\0" * (256 << 20))[: SIZE_MAX - 1]
    tracemalloc.start()
    began = time.monotonic()

    assert refusal(sender(bomb), coding) == 413
    assert time.monotonic() - began < 1
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()


def test_a_window_that_is_too_wide_is_refused() -> None:
    wide = zstandard.ZstdCompressionParameters(window_log=27, enable_ldm=True)
    maker = zstandard.ZstdCompressor(compression_params=wide).compressobj()
    pack = maker.compress(b"usage") + maker.flush()

    assert refusal(sender(pack), "zstd") == 400


def test_a_packed_body_packed_again_stays_packed() -> None:
    inner = gzip.compress(b"usage")

    assert read(sender(gzip.compress(inner)), "gzip") == inner


def test_zlib_is_not_gzip() -> None:
    assert refusal(sender(zlib.compress(b"usage")), "gzip") == 400


def test_all_bodies_together_have_a_limit_and_give_it_back() -> None:
    budget = Budget(3 * SIZE_MAX)
    one, two = Body(budget, SIZE_MAX), Body(budget, SIZE_MAX)
    packed = {"content-encoding": "gzip"}
    full = b"a" * SIZE_MAX

    asyncio.run(one.read(sender(full), {}))
    asyncio.run(two.read(sender(full), {}))
    with pytest.raises(RefusedError, match="as many bodies") as refused:
        read(sender(gzip.compress(full)), "gzip", budget)
    assert (refused.value.status, refused.value.headers) == (
        503,
        (("Retry-After", "1"),),
    )
    two.close()

    assert asyncio.run(two.read(sender(gzip.compress(full)), packed)) == full
    one.close()
    two.close()
    budget.take(3 * SIZE_MAX)  # all of it is there again

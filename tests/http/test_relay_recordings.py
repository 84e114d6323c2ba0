"""Every recorded answer through the relay: in one piece, byte by byte, and split."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import msgspec
import pytest

from relaying import Heard, Relayed, ask, relaying, tags_of
from simulate.upstream import End, Step
from tollbook.core.units import Unit

GOLDEN = Path(__file__).parents[1] / "golden" / "messages_stream"
RECORDINGS = sorted(path.stem for path in GOLDEN.glob("*.http"))
RESET = {"rst_mid", "rst_before"}
OURS = {"date", "transfer-encoding", "connection", "content-length"}
ID = b"mock00000000000000000001"
NUMBERS = count(2)
SENT: dict[str, str] = {}
"""Ids of answers, and which recording each is."""

HINT_END = b"rel=preload\r\n\r\n"


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relayed]:
    with relaying(tmp_path_factory.mktemp("recorded"), lambda _: []) as relayed:
        yield relayed


@pytest.fixture(scope="module")
def billed() -> dict[str, dict[str, int]]:
    """What each recorded answer was billed as."""
    manifest = msgspec.json.decode((GOLDEN / "manifest.json").read_bytes())
    return {name: told["billed_usage"] or {} for name, told in manifest.items()}


def recording(name: str) -> bytes:
    """The bytes of an answer, under ids of its own where they can be read."""
    data = (GOLDEN / f"{name}.http").read_bytes()
    own = b"mock%020d" % next(NUMBERS)
    SENT[own.decode()] = name
    return data.replace(ID, own)


def pieces(data: bytes, way: str, name: str) -> list[Step]:
    """An answer in the pieces in which it is sent."""
    if way == "whole" or len(data) < 3:
        return [data]
    if way == "bytes":
        return [data[at : at + 1] for at in range(len(data))]
    at = random.Random(name + way).randrange(1, len(data))  # noqa: S311 - not for secrets
    return [data[:at], 0.02, data[at:]]


def lines_of(heard: Heard) -> dict[str, str]:
    """What a client is told, but for what concerns one connection."""
    return {name: told for name, told in heard.headers.items() if name not in OURS}


@pytest.mark.parametrize("way", ["whole", "bytes", "split 1", "split 2"])
@pytest.mark.parametrize("name", RECORDINGS)
def test_a_recorded_answer_passes_byte_for_byte(
    relay: Relayed, name: str, way: str
) -> None:
    data = recording(name)
    end: list[Step] = [0.05, End.RESET] if name in RESET else [End.CLOSE]
    relay.answers(lambda _: [*pieces(data, way, name), *end])
    relayed = ask(relay.url)
    data = data.partition(HINT_END)[2] or data  # our client here knows no hints
    relay.answers(lambda _: [data, *end])
    direct = ask(relay.upstream.url)

    if direct.status:
        assert (relayed.status, relayed.body) == (direct.status, direct.body)
        assert relayed.cut == direct.cut
        assert lines_of(relayed) == lines_of(direct)
    else:
        assert relayed.status == 502


def test_what_was_told_is_what_was_billed(
    relay: Relayed, billed: dict[str, dict[str, int]]
) -> None:
    relay.served.stop()
    told = {(row.message_id or "")[4:]: row for row in relay.new_rows()}
    complete = {
        own: row
        for own, row in told.items()
        if own in SENT and tags_of(row)["state"] == "complete"
    }
    outputs = {own: row.parts[0].usage[Unit.OUTPUT] for own, row in complete.items()}

    assert len(outputs) > len(RECORDINGS)
    assert outputs == {own: billed[SENT[own]]["output_tokens"] for own in outputs}

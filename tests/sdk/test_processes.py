"""tollbook.Client when memory, disk and processes come to an end."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from multiprocessing import get_context
from pathlib import Path

import pytest

import tollbook
from receiver import Receiver
from reporting_client import ANSWER, QUICK, SECONDS, is_balanced, said, spooled, until
from tollbook import AsyncClient, Client, Limits
from tollbook.sdk.spool import Segment

MORTAL = """
import os, sys
from tollbook import Client, Limits
how, url, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
limits = Limits(answer_s=1, exit_s=float(sys.argv[4]))
client = Client(url, "k", "shop", durable=how == "durable", limits=limits)
for number in range(count):
    client.record(model="m", id=f"{os.getpid()}-{number}")
if how == "durable":
    os.kill(os.getpid(), 9)
"""


def run(how: str, url: str, count: int, exit_s: float = 5) -> int:
    """A process that records, and ends or dies."""
    words = [sys.executable, "-c", MORTAL, how, url, str(count), str(exit_s)]
    return subprocess.run(words, check=False, timeout=60).returncode  # noqa: S603 - ours


def test_beyond_its_memory_a_client_goes_to_disk(receiver: Receiver, url: str) -> None:
    receiver.plans.append("hang")
    limits = Limits(memory_bytes_max=8_000, answer_s=2, batch_records_max=10)
    with Client(url, limits=limits) as client:
        for start in range(0, 300, 75):
            said(client, *map(str, range(start, start + 75)))
            time.sleep(0.05)
        until(lambda: client.stats.spooled > 100)
        assert client.flush(SECONDS)
        stats = client.stats

    assert len(receiver.taken) == 300
    assert is_balanced(stats)
    assert stats.dropped == 0


def test_without_memory_and_disk_the_oldest_are_lost_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "spool").write_text("no folder")
    limits = Limits(memory_bytes_max=2_000, batch_age_s=0.02, retry_min_s=0.02)
    client = Client("http://127.0.0.1:9", limits=limits)
    said(client, *map(str, range(300)))
    until(lambda: client.stats.failures > 0)
    stats = client.stats
    assert is_balanced(stats)
    assert 0 < stats.dropped < 300

    assert not client.close(0.1)
    assert client.stats.dropped == 300
    assert sum("the oldest records are lost" in text for text in caplog.messages) == 1
    assert sum("cannot be written" in text for text in caplog.messages) == 1


def test_a_full_spool_loses_the_oldest_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    limits = Limits(spool_bytes_max=2_000, batch_age_s=0.01)
    client = Client("http://127.0.0.1:9", durable=True, limits=limits)
    for number in range(60):
        said(client, str(number))
        time.sleep(0.001)
    stats = client.stats

    assert is_balanced(stats)
    assert stats.dropped > 0
    assert any("is full" in text for text in caplog.messages)
    client.close(0)


def test_a_disk_that_cannot_be_read_for_a_moment_costs_nothing(
    receiver: Receiver, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, faults = Segment.read, [OSError("no reading now")]

    def faulty(segment: Segment) -> list[bytes]:
        if faults:
            raise faults.pop()
        return read(segment)

    monkeypatch.setattr(Segment, "read", faulty)
    with Client(url, durable=True, limits=QUICK) as client:
        said(client, "a")
        assert client.flush(SECONDS)
        assert client.stats.failures == 1

    assert set(receiver.taken) == {"a"}


def test_a_record_of_another_project_alone_is_refused_not_kept(
    receiver: Receiver, url: str
) -> None:
    receiver.plans.append((403, {"x-code": "record-forbidden"}))
    with Client(url, limits=QUICK) as client:
        said(client, "a")
        assert client.flush(SECONDS)
        assert client.stats.refused == 1


def test_an_answer_that_is_no_json_is_no_answer(receiver: Receiver, url: str) -> None:
    receiver.plans.append("html")
    with Client(url, limits=QUICK) as client:
        said(client, "a")
        assert client.flush(SECONDS)
        assert client.stats.failures == 1


def test_a_durable_record_is_on_disk_at_once(receiver: Receiver, url: str) -> None:
    with Client(url, durable=True, limits=QUICK) as client:
        said(client, "a")
        assert client.stats.spooled == 1
        assert client.flush(SECONDS)

    assert set(receiver.taken) == {"a"}


def test_asyncio_waits_only_to_flush_and_to_close(receiver: Receiver, url: str) -> None:
    async def work() -> bool:
        async with AsyncClient(url, limits=QUICK) as client:
            client.record(model="m", id="a")
            client.record_usage(ANSWER, id="b")
            return await client.flush()

    assert asyncio.run(work())
    assert set(receiver.taken) == {"a", "b"}


def test_the_end_of_a_process_sends_what_waits(receiver: Receiver, url: str) -> None:
    assert run("plain", url, 700) == 0
    assert len(receiver.taken) == 700
    assert spooled() == []


def test_the_end_of_a_process_is_not_held_up(receiver: Receiver, url: str) -> None:
    receiver.always = "hang"
    before = time.monotonic()
    assert run("plain", url, 700, exit_s=0.3) == 0
    assert time.monotonic() - before < 5
    receiver.always = None
    with Client(url, "k", "shop", limits=QUICK) as client:
        until(lambda: len(receiver.taken) == 700)
        until(lambda: client.stats.adopted == 700)
    assert spooled() == []


def test_a_killed_process_loses_no_durable_record(receiver: Receiver, url: str) -> None:
    for _ in range(3):
        assert run("durable", url, 40) == -9
    with Client(url, "k", "shop", limits=QUICK):
        until(lambda: len(receiver.taken) == 120)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_sends_its_own_records_and_the_parent_its_own(
    receiver: Receiver, url: str
) -> None:
    limits = Limits(batch_age_s=30)
    with Client(url, limits=limits) as client:
        said(client, "parent-1")
        child = get_context("fork").Process(target=said, args=(client, "child-1"))
        child.start()
        child.join()
        said(client, "parent-2")

    assert child.exitcode == 0
    assert receiver.taken == {"parent-1": 1, "child-1": 1, "parent-2": 1}


def test_importing_tollbook_loads_no_client() -> None:
    code = "import sys, tollbook; print('httpx' in sys.modules, tollbook.__version__)"
    done = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-c", code], capture_output=True, check=True, env=os.environ
    )

    assert done.stdout.decode().split() == ["False", tollbook.__version__]
    with pytest.raises(AttributeError, match="no attribute 'Server'"):
        tollbook.Server  # type: ignore[attr-defined]  # noqa: B018 - that is the point

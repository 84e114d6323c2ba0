"""tollbook.Client against a server that fails in every way."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from multiprocessing import get_context
from pathlib import Path

import pytest
from anthropic.types import Message

import tollbook
from receiver import Receiver, free_port, served
from tollbook import AsyncClient, Client, Limits, Stats
from tollbook.core.errors import ConfigError
from tollbook.places import spool_folder
from tollbook.sdk.spool import Segment

QUICK = Limits(batch_age_s=0.02, retry_min_s=0.02, retry_max_s=0.1, answer_s=0.5)
SECONDS = 10.0
ANSWER = {
    "id": "msg_01" + "A" * 22,
    "type": "message",
    "role": "assistant",
    "model": "claude-opus-5-5",
    "content": [{"type": "text", "text": "what nobody may keep"}],
    "stop_reason": "end_turn",
    "usage": {
        "input_tokens": 5,
        "output_tokens": 7,
        "cache_read_input_tokens": 0,
        "cache_creation": {
            "ephemeral_5m_input_tokens": 1,
            "ephemeral_1h_input_tokens": 2,
        },
        "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 0},
        "service_tier": "standard",
    },
}

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


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOLLBOOK_HOME", str(tmp_path))


@pytest.fixture
def receiver() -> Receiver:
    """A server that keeps ids."""
    return Receiver()


@pytest.fixture
def url(receiver: Receiver) -> Iterator[str]:
    """Where it is."""
    with served(receiver) as found:
        yield found


def said(client: Client, *ids: str, model: str = "m") -> None:
    """Record something for each id."""
    for name in ids:
        client.record(model=model, id=name)


def spooled() -> list[Path]:
    """The files that wait on disk."""
    return sorted(Path(spool_folder()).rglob("*.ndjson"))


def until(met: Callable[[], bool]) -> None:
    """Wait for something that will be so."""
    end = time.monotonic() + SECONDS
    while not met():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)


def is_balanced(stats: Stats) -> bool:
    """Whether every record is somewhere."""
    answered = stats.accepted + stats.repeated + stats.refused
    return stats.recorded == answered + stats.dropped + stats.waiting


def run(how: str, url: str, count: int, exit_s: float = 5) -> int:
    """A process that records, and ends or dies."""
    words = [sys.executable, "-c", MORTAL, how, url, str(count), str(exit_s)]
    return subprocess.run(words, check=False, timeout=60).returncode  # noqa: S603 - ours


def test_a_record_says_what_was_given_and_when(receiver: Receiver, url: str) -> None:
    before = datetime.now(UTC)
    with Client(url, "tb_secret", "shop") as client:
        client.record(
            model="claude-opus-5-5",
            provider="anthropic",
            input_tokens=12,
            output_tokens=34,
            cost_usd=Decimal("0.0100"),
            latency_ms=1830.5,
            tags={"team": "a"},
            metadata={"user_id": "u", "deep": [1]},
        )
    [record] = receiver.records
    at = datetime.fromisoformat(record.pop("timestamp"))

    assert abs((at - before).total_seconds()) < 5
    assert len(record.pop("id")) == 35
    assert record == {
        "project_id": "shop",
        "model": "claude-opus-5-5",
        "provider": "anthropic",
        "input_tokens": 12,
        "output_tokens": 34,
        "cost_usd": "0.0100",
        "latency_ms": 1830.5,
        "tags": {"team": "a"},
        "metadata": {"user_id": "u", "deep": [1]},
    }
    assert receiver.requests[0][2]["authorization"] == "Bearer tb_secret"


@pytest.mark.parametrize("whole", [ANSWER, Message.model_validate(ANSWER)])
def test_of_a_message_only_ids_and_counts_are_sent(
    receiver: Receiver, url: str, whole: object
) -> None:
    with Client(url, "") as client:
        client.record_usage(whole, session_id="s1", timestamp="2026-11-22T10:00:00Z")
    [record] = receiver.records
    del record["id"]

    assert record == {
        "timestamp": "2026-11-22T10:00:00Z",
        "provider": "anthropic",
        "model": "claude-opus-5-5",
        "message_id": ANSWER["id"],
        "stop_reason": "end_turn",
        "session_id": "s1",
        "usage": ANSWER["usage"],
    }
    assert "authorization" not in receiver.requests[0][2]


def test_iterations_and_instants_are_taken_as_they_are(
    receiver: Receiver, url: str
) -> None:
    at = datetime(2026, 11, 22, 10, tzinfo=UTC)
    steps = [{"type": "message", "input_tokens": 1}]
    message = {"model": "m", "usage": {"input_tokens": 1, "iterations": steps}}
    with Client(url) as client:
        client.record_usage(message, timestamp=at, project_id="other")
    [record] = receiver.records

    assert record["usage"] == {"input_tokens": 1, "iterations": steps}
    assert record["timestamp"] == "2026-11-22T10:00:00.000+00:00"
    assert record["project_id"] == "other"


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"model": "m", "input_tokens": "3"}, TypeError),
        ({"modell": "m"}, TypeError),
        ({"model": "m", "prompt": "x"}, TypeError),
        ({"model": "m", "metadata": {"x": object()}}, TypeError),
        ({}, TypeError),
        ({"model": "m", "input_tokens": -1}, ValueError),
        ({"model": "m", "input_tokens": 2**60}, ValueError),
        ({"model": ""}, ValueError),
        ({"model": "m", "cost_usd": float("nan")}, ValueError),
        ({"model": "m", "timestamp": datetime(2026, 1, 1)}, ValueError),  # noqa: DTZ001
        ({"model": "m", "metadata": {"x": "y" * 70_000}}, ValueError),
        ({"model": "\ud800"}, ValueError),
    ],
)
def test_a_wrong_argument_is_told_at_once(
    wrong: dict[str, object], error: type[Exception]
) -> None:
    with Client("http://127.0.0.1:9") as client:
        with pytest.raises(error):
            client.record(**wrong)  # type: ignore[arg-type]  # that is the point

        assert client.stats == Stats()


def test_what_is_no_message_is_told_at_once() -> None:
    with (
        Client("http://127.0.0.1:9") as client,
        pytest.raises(TypeError, match="usage"),
    ):
        client.record_usage(object())


@pytest.mark.parametrize("address", ["", "tollbook.example.com", "ftp://x", "http://"])
def test_a_client_without_an_address_does_not_begin(address: str) -> None:
    with pytest.raises(ConfigError, match=r"TOLLBOOK_URL|no address"):
        Client(address)


def test_the_environment_says_where_and_who(
    receiver: Receiver, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOLLBOOK_URL", url + "/")
    monkeypatch.setenv("TOLLBOOK_KEY", "tb_env")
    monkeypatch.setenv("TOLLBOOK_PROJECT", "env")
    with Client() as client:
        client.record(model="m")

    assert receiver.records[0]["project_id"] == "env"
    assert receiver.requests[0][2]["authorization"] == "Bearer tb_env"


def test_many_threads_lose_nothing(receiver: Receiver, url: str) -> None:
    with Client(url, limits=QUICK) as client, ThreadPoolExecutor(8) as pool:
        for number in range(8):
            ids = [f"{number}-{n}" for n in range(500)]
            pool.submit(said, client, *ids)
        pool.shutdown()
        assert client.flush(SECONDS)
        stats = client.stats

    assert set(receiver.taken.values()) == {1}
    assert len(receiver.taken) == stats.recorded == stats.accepted == 4000
    assert max(count for _, count, _ in receiver.requests) <= 500


@pytest.mark.parametrize(
    "fault", ["cut", "lost", "hang", (503, {}), (500, {}), (429, {})]
)
def test_what_failed_is_sent_again_under_the_same_id(
    receiver: Receiver, url: str, fault: str | tuple[int, dict[str, str]]
) -> None:
    receiver.plans.extend([fault, fault])
    with Client(url, limits=QUICK) as client:
        said(client, "a", "b", "c")
        assert client.flush(SECONDS)
        stats = client.stats

    assert set(receiver.taken) == {"a", "b", "c"}
    assert stats.failures == 2
    assert stats.accepted + stats.repeated == 3
    assert (stats.trouble, stats.dropped, spooled()) == ("", 0, [])


@pytest.mark.parametrize("dated", [False, True])
def test_the_server_says_when_to_come_back(
    receiver: Receiver, url: str, *, dated: bool
) -> None:
    when = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 2))
    receiver.plans.append((429, {"retry-after": when if dated else "1"}))
    with Client(url, limits=QUICK) as client:
        said(client, "a")
        assert client.flush(SECONDS)
    (first, _, _), (second, _, _) = receiver.requests

    assert second - first > 0.9


def test_nonsense_about_when_to_come_back_means_nothing(
    receiver: Receiver, url: str
) -> None:
    receiver.plans.append((503, {"retry-after": "soon"}))
    with Client(url, limits=QUICK) as client:
        said(client, "a")
        assert client.flush(SECONDS)


def test_a_refused_record_is_told_once_and_never_sent_again(
    receiver: Receiver, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "tollbook")
    with Client(url, limits=QUICK) as client:
        said(client, "a", "c")
        said(client, "b1", "b2", model="bad")
        assert client.flush(SECONDS)
        said(client, "b3", model="bad")
        assert client.flush(SECONDS)
        stats = client.stats

    assert (stats.accepted, stats.refused) == (2, 3)
    assert stats.refusals == ("model is bad; send another",) * 3
    assert sum("refuses" in record.message for record in caplog.records) == 1
    assert len(receiver.requests) <= 3


def test_what_is_too_large_for_one_request_is_sent_in_halves(
    receiver: Receiver, url: str
) -> None:
    receiver.batch_max = 3
    with Client(url, limits=QUICK) as client:
        said(client, *map(str, range(10)))
        assert client.flush(SECONDS)

    assert Counter(receiver.taken.values()) == {1: 10}


def test_a_record_that_is_too_large_alone_is_refused(
    receiver: Receiver, url: str
) -> None:
    receiver.batch_max = 0
    with Client(url, limits=QUICK) as client:
        said(client, "a", "b")
        assert client.flush(SECONDS)
        stats = client.stats

    assert (stats.refused, stats.refusals[0]) == (2, "413 too_large")


@pytest.mark.parametrize("status", [401, 404, 200])
def test_with_a_wrong_key_or_address_records_are_kept(
    receiver: Receiver, url: str, status: int
) -> None:
    receiver.always = (status, {})
    client = Client(url, limits=QUICK)
    said(client, "a")

    assert not client.close(0.2)
    assert client.stats.trouble == f"{status} planned"
    assert len(spooled()) == 1


def test_while_the_server_is_away_records_wait_on_disk_and_go_when_it_is_back(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tollbook")
    port = free_port()
    client = Client(f"http://127.0.0.1:{port}", limits=QUICK)
    said(client, "a")
    until(lambda: client.stats.spooled == 1)
    said(client, "b")
    until(lambda: client.stats.spooled == 2)
    assert not client.flush(0.1)
    assert "ConnectError" in client.stats.trouble
    with served(receiver, port):
        assert client.flush(SECONDS)
        stats = client.stats
        client.close()

    assert set(receiver.taken) == {"a", "b"}
    assert (stats.accepted + stats.repeated, stats.waiting) == (2, 0)
    assert is_balanced(stats)
    assert spooled() == []
    assert "the server answers again" in caplog.messages[-1]


def test_what_a_client_left_is_sent_by_the_next(receiver: Receiver, url: str) -> None:
    receiver.always = (503, {})
    first = Client(url, project="shop", limits=QUICK)
    said(first, "a", "b")
    assert not first.close(0.1)
    assert not first.close()
    said(first, "late")
    assert is_balanced(first.stats)
    assert first.stats.waiting == 3

    receiver.always = None
    with Client(url, project="another", limits=QUICK) as stranger:
        time.sleep(0.1)
        assert stranger.stats.adopted == 0
    with Client(url, project="shop", limits=QUICK) as second:
        until(lambda: second.stats.adopted >= 2)
        assert second.stats.recorded == 0

    assert {"a", "b"} <= set(receiver.taken)


def test_a_cut_line_on_disk_costs_that_line_only(receiver: Receiver, url: str) -> None:
    receiver.always = (503, {})
    first = Client(url, limits=QUICK)
    said(first, "a", "b")
    first.close(0.1)
    [path] = spooled()
    path.write_bytes(path.read_bytes()[:-5])
    receiver.always = None
    with Client(url, limits=QUICK) as second:
        until(lambda: second.stats.adopted == 1)
        assert second.stats.damaged == 1
    assert set(receiver.taken) == {"a"}


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

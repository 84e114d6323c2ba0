"""tollbook.Client against a server that fails in every way."""

from __future__ import annotations

import logging
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from receiver import Receiver, free_port, served
from reporting_client import QUICK, SECONDS, is_balanced, said, spooled, until
from tollbook import Client


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

"""Questions wait for their turn, and for no longer than makes sense."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import msgspec
import pytest

from asking import serving
from query_world import world
from reporting import NOW, RATER, seen
from tollbook.core.errors import StoreUnavailableError
from tollbook.http import query_percentiles
from tollbook.http.exchange import RefusedError
from tollbook.http.query_desk import WAITING_MAX, Desk
from tollbook.http.query_events import NAMESAKES_MAX
from tollbook.ports import Batch, Total, UsageQuery
from tollbook.stores.memory import MemoryStore
from tollbook.stores.sqlite.connection import translated
from tollbook.stores.sqlite.store import SqliteStore

EMPTY = (
    "/v1/totals", "/v1/series", "/v1/series?since=2026-11-01", "/v1/top?by=user",
    "/v1/percentiles", "/v1/events", "/v1/coverage", "/v1/models", "/costs", "/metrics",
)  # fmt: skip


def test_who_comes_when_too_many_wait_is_told_to_come_back() -> None:
    async def crowd() -> tuple[list[int], RefusedError]:
        desk = Desk(world())
        open_now = threading.Event()
        waiting = [
            asyncio.ensure_future(desk.answer(lambda: int(open_now.wait(10))))
            for _ in range(WAITING_MAX)
        ]
        await asyncio.sleep(0)
        with pytest.raises(RefusedError) as refused:
            await desk.answer(lambda: 1)
        open_now.set()
        answers = await asyncio.gather(*waiting)
        await desk.answer(lambda: 1)
        desk.close()
        return answers, refused.value

    answers, error = asyncio.run(crowd())

    assert answers == [1] * WAITING_MAX
    assert (error.status, error.code) == (503, "busy")
    assert error.headers == (("Retry-After", "1"),)


def test_a_ledger_that_is_away_is_a_matter_of_time() -> None:
    def away() -> int:
        text = "locked"
        raise StoreUnavailableError(text)

    async def ask() -> None:
        desk = Desk(world())
        try:
            await desk.answer(away)
        finally:
            desk.close()

    with pytest.raises(RefusedError) as refused:
        asyncio.run(ask())

    assert (refused.value.status, refused.value.code) == (503, "ledger")


class Endless(SqliteStore):
    """A ledger so large that adding it up would never end."""

    def totals(self, query: UsageQuery) -> list[Total]:
        """Count for ever."""
        with translated(self.path):
            self._db.execute(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
                " SELECT max(i) FROM n"
            ).fetchall()
        raise AssertionError(query)


def test_a_question_that_takes_too_long_ends_and_holds_up_no_other(
    tmp_path: Path,
) -> None:
    store = Endless(tmp_path / "ledger.db", RATER, RATER.version)
    services = msgspec.structs.replace(world(), store=store)
    with serving(services) as client:
        began = time.monotonic()
        slow = client.get("/v1/totals")
        took = time.monotonic() - began
        other = client.get("/v1/events")
    store.close()

    assert (slow.status_code, slow.json()["error"]["code"]) == (422, "too_slow")
    assert "shorter period" in slow.json()["error"]["message"]
    assert took < 2  # a second, on a machine that has nothing else to do
    assert other.status_code == 200


def test_an_empty_ledger_answers_everything() -> None:
    services = world()
    store = MemoryStore(RATER, RATER.version)
    with serving(msgspec.structs.replace(services, store=store)) as client:
        found = {address: client.get(address) for address in EMPTY}

    assert {answer.status_code for answer in found.values()} == {200}
    assert found["/v1/series"].json()["times"] == []
    assert found["/v1/totals"].json()["totals"]["list_cost_usd"] == "0"


def test_one_request_id_brings_back_a_bounded_number() -> None:
    services = world()
    same = [
        seen(500 + number, "2026-11-20T10:00", request_id="req_same")
        for number in range(NAMESAKES_MAX + 5)
    ]
    batch = Batch(source="http", origin="loopback", observations=same)
    services.store.append([batch], now=NOW)
    with serving(services) as client:
        found = client.get("/v1/events/req_same").json()["responses"]

    assert len(found) == NAMESAKES_MAX


def test_percentiles_are_of_a_bounded_number_of_requests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(query_percentiles, "VALUES_MAX", 5)
    with serving(world()) as client:
        answer = client.get("/v1/percentiles")

    assert answer.status_code == 422
    assert answer.json()["error"]["message"].startswith("since: more than 5 requests;")

"""The intake, on a real ledger file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from strategies import OUTPUT, START, FlatPricer
from tollbook.core.errors import BusyError, StoreUnavailableError
from tollbook.core.observation import Conditions, Observation, Part
from tollbook.core.problem import Problem
from tollbook.ledger import intake as module
from tollbook.ledger.intake import Intake
from tollbook.ports import Batch, LedgerStore, UsageQuery
from tollbook.stores.sqlite.store import SqliteStore

PATIENCE = 10
UNKNOWN = cast("Observation", object())
EVER = UsageQuery(buckets=[(0, 2**50)])


def seen(number: int, count: int = 1) -> Observation:
    return Observation(
        message_id=f"msg_01{number:022}",
        request_id=None,
        session="one",
        first_at=START,
        at=START,
        line=0,
        parts=(Part("claude-large", {OUTPUT: count}),),
        conditions=Conditions(),
    )


def batch(*numbers: int) -> Batch:
    found = [seen(number) for number in numbers]
    return Batch(source="http", origin="test", observations=found)


def opener(folder: Path) -> Callable[[], LedgerStore]:
    return lambda: SqliteStore(folder / "ledger.db", FlatPricer(), "v1")


@asynccontextmanager
async def running(open_store: Callable[[], LedgerStore]) -> AsyncIterator[Intake]:
    intake = Intake(open_store, lambda: START)
    intake.start()
    try:
        yield intake
    finally:
        assert await asyncio.to_thread(intake.close, PATIENCE)


def responses(folder: Path) -> int:
    store = opener(folder)()
    try:
        return sum(total.tally.responses for total in store.totals(EVER))
    finally:
        store.close()


def test_many_senders_share_few_writes_and_all_are_counted_once(tmp_path: Path) -> None:
    async def send() -> list[str]:
        async with running(opener(tmp_path)) as intake:
            found = await asyncio.gather(
                *(intake.submit(batch(number % 150)) for number in range(200))
            )
        assert intake.state().posted == intake.state().received == 200
        return [receipt.status for [receipt] in found]

    statuses = asyncio.run(send())

    assert (statuses.count("added"), statuses.count("repeated")) == (150, 50)
    assert responses(tmp_path) == 150


def test_what_one_server_received_and_did_not_post_the_next_one_does(
    tmp_path: Path,
) -> None:
    store = opener(tmp_path)()
    store.receive([batch(1, 2, 3)], now=START)
    store.close()
    assert responses(tmp_path) == 0

    async def send() -> str:
        async with running(opener(tmp_path)) as intake:
            [receipt] = await intake.submit(batch(2))
        return receipt.status

    assert asyncio.run(send()) == "repeated"
    assert responses(tmp_path) == 3


def test_a_store_that_is_away_refuses_and_comes_back_without_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAUSE_SECONDS", 0.01)
    away = [True]
    real = opener(tmp_path)

    def open_store() -> LedgerStore:
        if away[0]:
            message = "the disk is full"
            raise StoreUnavailableError(message)
        return real()

    async def send() -> None:
        async with running(open_store) as intake:
            with pytest.raises(StoreUnavailableError, match="full"):
                await intake.submit(batch(1))
            assert intake.state().trouble == "the disk is full"
            away[0] = False
            while True:
                try:
                    await intake.submit(batch(1))
                    break
                except StoreUnavailableError:
                    await asyncio.sleep(0.01)
            assert intake.state().trouble is None

    asyncio.run(send())

    assert responses(tmp_path) == 1


def test_a_closed_intake_that_never_had_a_store_ends(tmp_path: Path) -> None:
    def open_store() -> LedgerStore:
        raise StoreUnavailableError(str(tmp_path))

    async def send() -> None:
        async with running(open_store):
            pass

    asyncio.run(send())


@pytest.mark.parametrize("limit", ["_QUEUED_FACTS_MAX", "_WAITING_FACTS_MAX"])
def test_more_than_it_can_hold_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(module, limit, 0)

    async def send() -> int:
        async with running(opener(tmp_path)) as intake:
            with pytest.raises(BusyError, match="again"):
                await intake.submit(batch(1))
        return intake.state().refused

    assert asyncio.run(send()) == 1


def test_a_batch_nobody_could_foresee_fails_alone(tmp_path: Path) -> None:
    hopeless = Batch(source="http", origin="x", observations=[UNKNOWN])

    async def send() -> str:
        async with running(opener(tmp_path)) as intake:
            with pytest.raises(AttributeError):
                await intake.submit(hopeless)
            [receipt] = await intake.submit(batch(1))
        return receipt.status

    assert asyncio.run(send()) == "added"


def test_a_hopeless_batch_does_not_spoil_those_it_shares_a_write_with(
    tmp_path: Path,
) -> None:
    hopeless = Batch(source="http", origin="x", observations=[UNKNOWN])

    async def send() -> list[object]:
        intake = Intake(opener(tmp_path), lambda: START)
        batches = (batch(1), hopeless, batch(2))
        waiting = [asyncio.create_task(intake.submit(each)) for each in batches]
        await asyncio.sleep(0)
        intake.start()  # all of them wait by now
        found = await asyncio.gather(*waiting, return_exceptions=True)
        assert await asyncio.to_thread(intake.close, PATIENCE)
        return list(found)

    good, bad, other = asyncio.run(send())

    assert isinstance(bad, AttributeError)
    assert isinstance(good, list)
    assert isinstance(other, list)
    assert responses(tmp_path) == 2


def test_a_sender_that_left_does_not_disturb_the_others(tmp_path: Path) -> None:
    async def send() -> str:
        async with running(opener(tmp_path)) as intake:
            gone = asyncio.create_task(intake.submit(batch(1)))
            await asyncio.sleep(0)
            gone.cancel()
            [receipt] = await intake.submit(batch(2))
        return receipt.status

    assert asyncio.run(send()) == "added"
    assert responses(tmp_path) == 2


def test_problems_are_kept_with_what_was_good(tmp_path: Path) -> None:
    problem = Problem(origin="test", line=1, code="bad-count", message="it is negative")
    told = Batch(source="http", origin="test", problems=[problem])

    async def send() -> None:
        async with running(opener(tmp_path)) as intake:
            assert await intake.submit(told) == []

    asyncio.run(send())

    store = opener(tmp_path)()
    assert store.problems() == [problem]
    store.close()

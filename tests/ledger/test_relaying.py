"""Opening and closing requests (``ledger.relaying``), and their rows (``relay_row``)."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from reporting import RATER
from tollbook.core.errors import BusyError, StoreUnavailableError
from tollbook.core.observation import Call, Conditions, Evidence, Observation, Part
from tollbook.core.problem import Problem
from tollbook.core.receipt import Receipt
from tollbook.core.units import Unit
from tollbook.formats.metered import Metered, OutputChars, State
from tollbook.ledger import relaying
from tollbook.ledger.relay_row import Asker, Told, lacks_input, row, with_input
from tollbook.ledger.relaying import Books, Opened, Policy, recover
from tollbook.ports import Batch
from tollbook.stores.memory import MemoryStore

AT = 1_795_349_400_000
CALL = Call("", asked=True, at=AT, model="claude-opus-5-5", session="s", project="shop")
MESSAGE = "msg_01AAAAAAAAAAAAAAAAAAAAAA"
SEEN = Observation(
    message_id=MESSAGE,
    request_id=None,
    session=None,
    first_at=AT,
    at=AT,
    line=0,
    parts=(Part("claude-opus-5-5", {"output_tokens": 1}),),
    conditions=Conditions(),
)


class Intake:
    """Takes batches into a store, or does not: a fault each time one is due."""

    def __init__(self, *faults: Exception | None, slow: bool = False) -> None:
        self.faults = list(faults)
        self.slow = slow
        self.store = MemoryStore(RATER, RATER.version)
        self.batches: list[Batch] = []

    async def submit(self, batch: Batch) -> list[Receipt]:
        """Take it, now or when it is too late."""
        if self.faults and (fault := self.faults.pop(0)) is not None:
            raise fault
        self.batches.append(batch)
        self.store.receive([batch], now=AT)
        if self.slow:
            await asyncio.sleep(9)
        return []


def books_of(intake: Intake, told: list[str], *, fail_open: bool = False) -> Books:
    return Books(
        intake, "0abc", Policy(fail_open=fail_open, write_seconds=1), told.append
    )


def opened(**more: object) -> Opened:
    usual = Opened(
        reference="relay:0abc:1",
        origin="loopback",
        at=AT,
        model="claude-opus-5-5",
        session="s",
        project="shop",
        secured=True,
    )
    return msgspec.structs.replace(usual, **more)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relaying, "_AGAIN_SECONDS", 0)


def test_a_request_is_asked_when_it_opens_and_answered_when_it_closes() -> None:
    intake, told = Intake(), list[str]()

    async def pass_through() -> None:
        books = books_of(intake, told)
        found = await books.open(CALL, "loopback")
        assert found.reference == "relay:0abc:1"
        intake.store.post(limit=100)
        assert len(intake.store.unrecorded(0, AT + 1)) == 1
        books.close(found, SEEN)
        await books.settle()

    asyncio.run(pass_through())
    intake.store.post(limit=100)

    assert intake.store.unrecorded(0, AT + 1) == []
    assert intake.store.coverage().responses == 1
    assert told == []


@pytest.mark.parametrize("fault", [BusyError(), StoreUnavailableError("locked")])
def test_what_cannot_be_written_does_not_go(fault: Exception) -> None:
    books = books_of(Intake(fault), [])

    with pytest.raises(type(fault)):
        asyncio.run(books.open(CALL, "loopback"))


def test_what_cannot_be_written_goes_where_that_is_wanted() -> None:
    told: list[str] = []
    books = books_of(Intake(BusyError()), told, fail_open=True)
    found = asyncio.run(books.open(CALL, "loopback"))

    assert not found.secured
    assert books.unsecured == 1
    assert "1 requests went unwritten" in told[0]


def test_what_was_written_too_late_is_taken_back() -> None:
    intake = Intake(slow=True)

    async def be_late() -> None:
        books = Books(
            intake, "0abc", Policy(fail_open=False, write_seconds=0), list[str]().append
        )
        with pytest.raises(BusyError):
            await books.open(CALL, "loopback")
        intake.slow = False
        await books.settle()

    asyncio.run(be_late())
    intake.store.post(limit=100)

    assert intake.store.unrecorded(0, AT + 1) == []


def test_an_outcome_is_written_as_soon_as_the_ledger_is_back() -> None:
    intake = Intake(None, BusyError(), StoreUnavailableError("locked"))

    async def pass_through() -> None:
        books = books_of(intake, [])
        books.close(await books.open(CALL, "loopback"), SEEN)
        await books.settle()

    asyncio.run(pass_through())

    assert intake.batches[-1].observations == (SEEN,)


def test_too_many_outcomes_at_once_are_left_to_the_next_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    monkeypatch.setattr(relaying, "_OWED_MAX", 0)
    books_of(Intake(), told).close(opened(), SEEN)

    assert told == ["too much waits for the ledger; the next start says what is lost"]


def test_what_an_answer_tells_of_others_is_noted_if_it_tells_anything() -> None:
    intake = Intake()
    problem = Problem(origin="b", line=1, code="line-not-json", message="x")

    async def note() -> None:
        books = books_of(intake, [])
        books.note("loopback", [])
        books.note("loopback", [SEEN], [problem])
        await books.settle()

    asyncio.run(note())
    [batch] = intake.batches

    assert (batch.lines, batch.refused) == (2, 1)


def test_calls_of_the_dead_are_closed_once_and_others_left_alone() -> None:
    store = MemoryStore(RATER, RATER.version)
    calls = [
        msgspec.structs.replace(CALL, reference=reference)
        for reference in ("relay:dead:1", "relay:dead:2", "relay:alive:1", "req_other")
    ]
    nameless = Call("relay:dead:3", asked=True)
    store.receive([Batch(source="relay", origin="o", calls=[*calls, nameless])], now=AT)

    assert recover(store, lambda name: name == "alive", now=AT) == 3
    assert recover(store, lambda name: name == "alive", now=AT) == 0
    assert {call.reference for call in store.unrecorded(0, AT + 1)} == {
        "relay:alive:1",
        "req_other",
    }
    coverage = store.coverage()
    assert coverage.responses == 3


TOLD = Told(latency_ms=5, at=AT + 7, marks={"upstream": "u", "client": None})


def test_a_row_goes_by_the_providers_ids() -> None:
    metered = Metered(
        state=State.COMPLETE, message_id=MESSAGE, output_chars=OutputChars(text=3)
    )
    told = msgspec.structs.replace(TOLD, request_id="req_0123456789")
    found = row(opened(), Asker(key="k"), metered, told)

    assert (found.message_id, found.request_id) == (MESSAGE, "req_0123456789")
    assert found.parts == (Part("claude-opus-5-5", {}),)
    assert (found.first_at, found.at, found.latency_ms) == (AT, AT + 7, 5)
    assert found.tags == (("chars_text", "3"), ("state", "complete"), ("upstream", "u"))


def test_ids_that_are_not_the_providers_cannot_join_two_requests() -> None:
    metered = Metered(state=State.MISSING, message_id="msg_same")
    told = msgspec.structs.replace(TOLD, request_id="1")
    one = row(opened(), Asker(), metered, told)
    other = row(opened(reference="relay:0abc:2", secured=False), Asker(), metered, told)

    assert one.message_id is None
    assert one.request_id == "shop:relay:0abc:1"
    assert other.request_id == "shop:relay:0abc:2"
    assert dict(other.tags) == {
        "state": "missing",
        "upstream": "u",
        "upstream_message_id": "msg_same",
        "upstream_request_id": "1",
        "unwritten": "yes",
    }


def test_an_input_that_was_asked_for_is_an_estimate() -> None:
    missing = Metered(state=State.MISSING)
    partial = Metered(
        state=State.PARTIAL,
        parts=(Part("m", {Unit.OUTPUT: 9}),),
        evidence=int(Evidence.REPORTED),
    )

    assert lacks_input(missing)
    assert lacks_input(partial)
    assert with_input(missing, 4).evidence == Evidence.ESTIMATED
    assert with_input(missing, 4).parts[0].usage == {Unit.UNCACHED_INPUT: 4}
    found = with_input(partial, 4)
    assert not lacks_input(found)
    assert found.evidence == Evidence.REPORTED
    assert found.lesser == {Unit.UNCACHED_INPUT: Evidence.ESTIMATED}
    assert not lacks_input(Metered(state=State.FAILED, failure="429"))

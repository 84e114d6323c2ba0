"""tollbook.http.station: a whole server, and an end that things stand in the way of."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import httpx

from reporting import store_of
from tollbook.config import Config
from tollbook.config import Server as Settings
from tollbook.core.errors import StoreUnavailableError
from tollbook.core.observation import Instant
from tollbook.core.receipt import Receipt
from tollbook.http.door import Door
from tollbook.http.exchange import Services
from tollbook.http.journal import Journal
from tollbook.http.listen import bind
from tollbook.http.station import Parts, run
from tollbook.ledger.intake import Intake
from tollbook.ledger.keyring import Keyring
from tollbook.ledger.keys import Grant, create_key
from tollbook.ledger.projects import ProjectBook
from tollbook.ports import Batch, LedgerStore
from tollbook.stores.memory_control import MemoryControl

RECORD = {"project_id": "shop", "model": "claude-opus-5-5", "input_tokens": 1}


class Forgetful(MemoryControl):
    """A store that is away when uses are noted."""

    def note_uses(self, uses: Mapping[str, Instant]) -> None:
        """Fail."""
        message = f"the disk is full; {len(uses)} use was not noted"
        raise StoreUnavailableError(message)


class Hanging:
    """A store that hangs when something that came in is derived."""

    def __init__(self, store: LedgerStore) -> None:
        self._store = store
        self.gone_on = threading.Event()
        self._received = False

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def receive(self, batches: Sequence[Batch], *, now: Instant) -> list[list[Receipt]]:
        """Take in as usual."""
        self._received = True
        return self._store.receive(batches, now=now)

    def post(self, *, limit: int) -> int:
        """Hang until told to go on."""
        if self._received:
            self.gone_on.wait(20)
        return self._store.post(limit=limit)


def clock() -> Instant:
    return time.time_ns() // 1_000_000


def test_an_end_that_cannot_be_orderly_is_told_of(tmp_path: Path) -> None:
    told: list[str] = []
    said: list[int] = []
    store = Hanging(store_of([]))
    control = Forgetful()
    _, text = create_key(
        control, Grant(name="a", scopes=frozenset({"ingest"})), now=clock()
    )
    intake, keyring = (
        Intake(lambda: cast("LedgerStore", store), clock),
        Keyring(control),
    )
    parts = Parts(
        services=Services(
            intake=intake,
            store=cast("LedgerStore", store),
            control=control,
            projects=ProjectBook(control),
            clock=clock,
            config=Config(server=Settings(drain_seconds=1)),
        ),
        intake=intake,
        keyring=keyring,
        door=Door(keyring, clock),
        journal=Journal(told.append),
        folder=str(tmp_path),
    )
    listener = bind("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/ingest"

    def report() -> None:
        said.append(
            httpx.post(url, json=RECORD, headers={"X-Api-Key": text}).status_code
        )
        os.kill(os.getpid(), signal.SIGTERM)

    sender = threading.Thread(target=report)
    run(parts, listener, works=[], started=sender.start)
    sender.join()
    store.gone_on.set()
    assert intake.close(10)

    assert said == [201]
    assert told == [
        "what is not derived yet is durable, and is derived at the next start",
        "the disk is full; 1 use was not noted",
    ]

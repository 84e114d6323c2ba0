"""Ingest without a server: real stores, and requests that reach the handler at once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from tollbook.config import Config
from tollbook.core.rate import Rater
from tollbook.core.receipt import Receipt
from tollbook.http.exchange import LOCAL, Answer, Request, Services
from tollbook.http.ingest import take
from tollbook.ledger.intake import IntakeState
from tollbook.ledger.projects import ProjectBook
from tollbook.ports import Batch, Key
from tollbook.prices import load_catalogue
from tollbook.stores.memory import MemoryStore
from tollbook.stores.sqlite.control import SqliteControl

NOW = 1_795_500_000_000  # 2026-11-24T06:00Z
_RATER = Rater(load_catalogue())


class Direct:
    """An intake that waits for nobody."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.batches: list[Batch] = []

    def state(self) -> IntakeState:
        """Nothing waits here."""
        return IntakeState()

    async def submit(self, batch: Batch) -> list[Receipt]:
        """Store it now."""
        self.batches.append(batch)
        return self.store.receive([batch], now=NOW)[0]


class Desk:
    """What answers requests."""

    def __init__(self, home: Path, key: Key = LOCAL) -> None:
        self.store = MemoryStore(_RATER, _RATER.version)
        self.intake = Direct(self.store)
        self.key = key
        self.control = SqliteControl(home / "ledger.sqlite")
        self.services = Services(
            intake=self.intake,
            store=self.store,
            control=self.control,
            projects=ProjectBook(self.control),
            clock=lambda: NOW,
            config=Config(),
        )

    def ask(self, body: object, **headers: str) -> Answer:
        """What is answered to a body: bytes, or something to write as JSON."""
        given = {"content-type": "application/json"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        request = Request(
            method="POST",
            path="/v1/events",
            headers=given,
            body=body if isinstance(body, bytes) else msgspec.json.encode(body),
            key=self.key,
        )
        return asyncio.run(_take(request, self.services))

    def say(self, body: object, **headers: str) -> tuple[int, dict[str, Any]]:
        """The status, and the document."""
        answer = self.ask(body, **headers)
        return answer.status, msgspec.json.decode(answer.body, type=dict[str, Any])


async def _take(request: Request, services: Services) -> Answer:
    return await take(request, services)

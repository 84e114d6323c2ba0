"""A relay in a server: what it needs from the start to the end."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping

import msgspec

from tollbook.http.exchange import Services
from tollbook.http.journal import Journal
from tollbook.http.relay_instance import Instance
from tollbook.http.relay_traffic import Traffic
from tollbook.http.relay_upstreams import Switchboard
from tollbook.ledger.relaying import Books, Policy, recover


class Relaying(msgspec.Struct, frozen=True, kw_only=True):
    """The relay of a server."""

    traffic: Traffic
    instance: Instance
    alone: bool  # nothing else is served, but for its health

    async def run(self) -> None:
        """Do nothing until the end; then see that every row is written."""
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await self.traffic.close()


def make_relaying(
    services: Services,
    folder: str,
    journal: Journal,
    *,
    alone: bool = False,
    environ: Mapping[str, str] = os.environ,
) -> Relaying:
    """Make ready, and close what relays before this one left open.

    Raises:
        ConfigError: An upstream's settings cannot be used.
        StoreUnavailableError: The ledger is locked or full.
    """
    switchboard = Switchboard(services.config, environ)
    instance = Instance(folder)
    lost = recover(services.store, instance.is_alive, now=services.clock())
    if lost:
        journal.say(f"{lost:,} requests were cut off by the end of an earlier relay")
    settings = services.config.relay
    policy = Policy(fail_open=settings.fail_open, write_seconds=settings.write_seconds)
    books = Books(services.intake, instance.name, policy, journal.say)
    traffic = Traffic(services, switchboard, books, journal)
    return Relaying(traffic=traffic, instance=instance, alone=alone)

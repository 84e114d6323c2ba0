"""What runs beside the requests: a scan now and then, and notes on keys' use."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from tollbook.core.errors import StoreUnavailableError
from tollbook.http.journal import Journal
from tollbook.ledger.keyring import USE_MS, Keyring
from tollbook.render.safe import safe

SCAN = (sys.executable, "-m", "tollbook", "scan", "--json")
_MS = 1000
_LINE_MAX = 500


class Scanner:
    """Reads what is new in local transcripts, again and again.

    Each scan is a process of its own: reading a large folder would take the time of
    those who wait for an answer.

    Args:
        seconds: How long to wait between two.
        journal: Where to tell.
        command: What scans.
    """

    def __init__(
        self, seconds: int, journal: Journal, command: Sequence[str] = SCAN
    ) -> None:
        self._seconds = seconds
        self._journal = journal
        self._command = command

    async def run(self) -> None:
        """Scan until cancelled."""
        while True:
            await self._scan()
            await asyncio.sleep(self._seconds)

    async def _scan(self) -> None:
        scan = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            _, said = await scan.communicate()
        except asyncio.CancelledError:
            scan.terminate()  # what it stored is stored; the rest is read next time
            await scan.wait()
            raise
        if scan.returncode:
            first = said.decode("utf-8", "replace").partition("\n")[0]
            text = first.removeprefix("tollbook: ")[:_LINE_MAX]
            self._journal.say(f"scan failed ({scan.returncode}): {safe(text)}")


async def note_uses(keyring: Keyring) -> None:
    """Write down now and then when keys were last used."""
    while True:
        await asyncio.sleep(USE_MS // _MS)
        try:
            await asyncio.to_thread(keyring.note_uses)
        except StoreUnavailableError:
            continue  # the next time will

"""The client an application reports through, for threads and for asyncio."""

from __future__ import annotations

import asyncio
import hashlib
import os
from types import TracebackType
from typing import Self, Unpack
from urllib.parse import urlsplit

from tollbook.core.errors import ConfigError
from tollbook.places import spool_folder
from tollbook.sdk.delivery import Courier
from tollbook.sdk.outbox import Outbox
from tollbook.sdk.record import Counted, Details, describe, encode
from tollbook.sdk.spool import Spool
from tollbook.sdk.stats import Limits, Stats

_FLUSH_S = 10.0


class _Reporter:
    """What both clients share."""

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        project: str | None = None,
        *,
        durable: bool = False,
        limits: Limits | None = None,
    ) -> None:
        limits = limits or Limits()
        where = _checked(url or os.environ.get("TOLLBOOK_URL", ""))
        key = os.environ.get("TOLLBOOK_KEY", "") if key is None else key
        project = project or os.environ.get("TOLLBOOK_PROJECT") or None
        name = hashlib.sha256(f"{where}\n{project or ''}".encode()).hexdigest()[:16]
        self._project = project
        self._outbox = Outbox(
            Courier(where, key, timeout_s=limits.answer_s),
            Spool(os.path.join(spool_folder(), name), bytes_max=limits.spool_bytes_max),
            limits,
            durable=durable,
        )

    @property
    def stats(self) -> Stats:
        """What was recorded, sent, refused and kept so far, in this process."""
        return self._outbox.stats

    def record(self, **said: Unpack[Counted]) -> None:
        """Report one response; returns at once, whatever the server does.

        Raises:
            TypeError: A field is missing, unknown or of another type.
            ValueError: A value is out of range.
        """
        self._outbox.add(encode(said, self._project))

    def record_usage(self, message: object, **said: Unpack[Details]) -> None:
        """Report an Anthropic ``Message``: its ids, model and counts, not its content.

        Raises:
            TypeError: It has no usage; or as ``record``.
            ValueError: As ``record``.
        """
        self._outbox.add(encode({**describe(message), **said}, self._project))


class Client(_Reporter):
    """Reports usage to a tollbook server, in the background.

    Args:
        url: Where the server is; else ``TOLLBOOK_URL``.
        key: A key with the scope ``ingest``; else ``TOLLBOOK_KEY``.
        project: The project of records that name none; else ``TOLLBOOK_PROJECT``.
        durable: Every record is on disk before ``record`` returns.
        limits: How much, how long, how often; see ``Limits``.

    Raises:
        ConfigError: There is no usable address.
    """

    def flush(self, timeout: float = _FLUSH_S) -> bool:
        """Wait until nothing waits; False when the seconds were over before."""
        return self._outbox.flush(timeout)

    def close(self, timeout: float = _FLUSH_S) -> bool:
        """Flush, leave the rest on disk for the next process, and stop."""
        return self._outbox.close(timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class AsyncClient(_Reporter):
    """``Client`` for asyncio: only ``flush`` and ``close`` are awaited."""

    async def flush(self, timeout: float = _FLUSH_S) -> bool:  # noqa: ASYNC109 - as Client
        """See ``Client.flush``."""
        return await asyncio.to_thread(self._outbox.flush, timeout)

    async def close(self, timeout: float = _FLUSH_S) -> bool:  # noqa: ASYNC109
        """See ``Client.close``."""
        return await asyncio.to_thread(self._outbox.close, timeout)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


def _checked(url: str) -> str:
    if not url:
        text = "Client: there is no server; give its url, or set TOLLBOOK_URL"
        raise ConfigError(text)
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        text = (
            f"Client: {url!r} is no address; write it like https://tollbook.example.com"
        )
        raise ConfigError(text)
    return url.rstrip("/")

"""Brings the parcels of a push to a server over HTTP, and comes back when it is away.

Somebody waits for it, so it gives up after some attempts; what was not taken is sent by
the next push.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from itertools import count
from typing import Self

import httpx
import msgspec
import zstandard

from tollbook import __version__
from tollbook.core.errors import (
    SourceError,
    SourceRejectedError,
    SourceUnavailableError,
)
from tollbook.formats.push import Reply
from tollbook.sdk.delivery import retry_after

PATH = "/v1/observations"
ATTEMPTS = 8
_TIMEOUT_S = 60.0
_WAIT_MIN_S = 0.5
_WAIT_MAX_S = 30.0
_AGAIN = frozenset((408, 425, 429, 500, 502, 503, 504))
_REASON_MAX = 300
_decode = msgspec.json.Decoder(Reply).decode


class _Said(msgspec.Struct):
    code: str = ""
    message: str = ""


class _Error(msgspec.Struct):
    error: _Said


class HttpReceiver:
    """A server that takes parcels.

    Args:
        url: Where it is.
        key: A key with the scope ``ingest``; empty where the server wants none.
        sleep: How to wait between attempts.
    """

    def __init__(
        self, url: str, key: str, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.name = url.rstrip("/")
        self._sleep = sleep
        self._pack = zstandard.ZstdCompressor(level=3).compress
        headers = {
            "content-type": "application/msgpack",
            "content-encoding": "zstd",
            "user-agent": f"tollbook-push/{__version__}",
        }
        if key:
            headers["authorization"] = f"Bearer {key}"
        self._client = httpx.Client(headers=headers, timeout=_TIMEOUT_S)

    def send(self, parcel: bytes) -> Reply:
        """Hand over one parcel, in several attempts if need be.

        Raises:
            SourceUnavailableError: The server cannot be reached, or has no time.
            SourceRejectedError: It will not listen: a wrong key or address.
        """
        body = self._pack(parcel)
        wait = _WAIT_MIN_S
        for attempt in count(1):
            found = self._post(body)
            if isinstance(found, Reply):
                return found
            error, told = found
            if isinstance(error, SourceRejectedError) or attempt == ATTEMPTS:
                raise error
            seconds = wait * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
            self._sleep(min(max(seconds, told or 0.0), _WAIT_MAX_S))
            wait *= 2
        raise AssertionError  # pragma: no cover - counting has no end

    def _post(self, body: bytes) -> Reply | tuple[SourceError, float | None]:
        try:
            answer = self._client.post(self.name + PATH, content=body)
        except (httpx.HTTPError, OSError) as error:
            text = f"{self.name}: cannot be reached ({error}); push again later"
            return SourceUnavailableError(text), None
        status = answer.status_code
        if status in _AGAIN:
            text = f"{self.name}: has no time ({_reason(answer)}); push again later"
            return SourceUnavailableError(text), retry_after(answer)
        try:
            if status == httpx.codes.OK:
                return _decode(answer.content)
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass
        text = (
            f"{self.name}: does not take it ({_reason(answer)}); "
            "check the address, the key and its projects"
        )
        return SourceRejectedError(text), None

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _reason(answer: httpx.Response) -> str:
    try:
        said = msgspec.json.decode(answer.content, type=_Error).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        said = _Said()
    return f"{answer.status_code} {said.code} {said.message}".strip()[:_REASON_MAX]

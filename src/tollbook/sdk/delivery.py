"""One batch of records to the server, once: what became of it, as a value.

The request is NDJSON, gzipped; the answer names each record's status in order::

    POST /v1/events    {"id": "tb-9f3c…", "model": "claude-opus-5-5", …}
    200                {"results": [{"status": "added", …}, {"status": "refused", …}]}
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from time import time

import httpx
import msgspec

from tollbook import __version__

PATH = "/v1/events"
RETRY_AFTER_MAX_S = 600.0
_GZIP = 16 + zlib.MAX_WBITS
_AGAIN = frozenset((408, 425, 429, 500, 502, 503, 504))
_NOT_SO = frozenset((400, 413, 422))
_FORBIDDEN = frozenset(("record-forbidden",))  # another project's, not another key's
_REASON_MAX = 300


class Verdict(msgspec.Struct, frozen=True):
    """What the server says of one record."""

    status: str
    reason: str = ""

    @property
    def refused(self) -> bool:
        """Whether sending it again would bring the same answer."""
        return self.status == "refused"


class Delivered(msgspec.Struct, frozen=True):
    """What became of a batch.

    With ``verdicts`` every record was answered. Without them the batch must be sent
    again: in two halves when ``split``, else after ``wait_s`` seconds, or when the sender
    thinks best.
    """

    verdicts: Sequence[Verdict] = ()
    reason: str = ""
    split: bool = False
    wait_s: float | None = None


class _Said(msgspec.Struct):
    code: str = ""
    message: str = ""


class _Item(msgspec.Struct):
    status: str
    error: _Said | None = None


class _Answer(msgspec.Struct):
    results: list[_Item] = []
    error: _Said | None = None


_decode = msgspec.json.Decoder(_Answer).decode


class Courier:
    """A connection to one server, made anew in every process.

    Args:
        url: Where the server is, e.g. ``https://tollbook.example.com``.
        key: The key that is sent with everything; empty where the server wants none.
        timeout_s: How long one answer may take.
    """

    def __init__(self, url: str, key: str, *, timeout_s: float) -> None:
        self._url = url.rstrip("/") + PATH
        self._headers = {
            "content-type": "application/x-ndjson",
            "content-encoding": "gzip",
            "user-agent": f"tollbook-client/{__version__}",
        }
        if key:
            self._headers["authorization"] = f"Bearer {key}"
        self._timeout_s = timeout_s
        self._client: httpx.Client | None = None

    def deliver(self, lines: Sequence[bytes]) -> Delivered:
        """Send some records, none of them twice in one batch."""
        packer = zlib.compressobj(level=1, wbits=_GZIP)
        body = packer.compress(b"\n".join(lines)) + packer.flush()
        if self._client is None:
            self._client = httpx.Client(timeout=self._timeout_s)
        try:
            answer = self._client.post(self._url, content=body, headers=self._headers)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return Delivered(reason=f"{type(error).__name__}: {error}"[:_REASON_MAX])
        return understood(answer, len(lines))

    def forget(self) -> None:  # pragma: no cover - runs in forked children only
        """After a fork: leave the parent's connection alone."""
        self._client = None

    def close(self) -> None:
        """Hang up."""
        if self._client is not None:
            self._client.close()
            self._client = None


def understood(answer: httpx.Response, count: int) -> Delivered:
    """What an answer means for the ``count`` records it speaks of."""
    try:
        said = _decode(answer.content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        said = _Answer()
    if len(said.results) == count:
        return Delivered([_verdict(item) for item in said.results])
    error = said.error or _Said()
    reason = f"{answer.status_code} {error.code} {error.message}".strip()[:_REASON_MAX]
    if count == 1 and (answer.status_code in _NOT_SO or error.code in _FORBIDDEN):
        return Delivered([Verdict("refused", reason)])
    return Delivered(
        reason=reason,
        split=answer.status_code in _NOT_SO,
        wait_s=retry_after(answer) if answer.status_code in _AGAIN else None,
    )


def _verdict(item: _Item) -> Verdict:
    error = item.error or _Said()
    return Verdict(item.status, f"{error.code} {error.message}".strip()[:_REASON_MAX])


def retry_after(answer: httpx.Response) -> float | None:
    """Seconds to wait, where the server says so; a date is held against our clock."""
    text = answer.headers.get("retry-after", "").strip()
    try:
        if text.isdigit():
            seconds = float(text)
        else:
            seconds = parsedate_to_datetime(text).timestamp() - time()
    except (TypeError, ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), RETRY_AFTER_MAX_S)

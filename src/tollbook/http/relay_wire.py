"""The way to the upstreams: one pool of connections, and what can go wrong on it."""

from __future__ import annotations

import aiohttp
import yarl

from tollbook.config import Relay as Settings

_BUFFER_BYTES = 16 << 10  # of each answer, before its sender has to wait
_KEEP_SECONDS = 20  # a pooled connection; upstreams keep theirs longer
_ADDRESS_SECONDS = 30
_ASKING_HEADERS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")

Response = aiohttp.ClientResponse
Lost = (aiohttp.ClientError, TimeoutError, OSError)
"""What an answer's bytes may end in before they are all there."""


class UnreachableError(Exception):
    """No byte of the request can have reached the upstream."""


class BrokenError(Exception):
    """The request may have reached the upstream, and no answer came."""


class SilentError(BrokenError):
    """The upstream said nothing for too long."""


class Wire:
    """Asks upstreams.

    Args:
        settings: ``[relay]``.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None

    async def ask(
        self, method: str, url: str, headers: list[tuple[str, str]], body: bytes
    ) -> Response:
        """Send a request once; gives the answer when its head is there.

        Raises:
            UnreachableError: Nothing was sent.
            BrokenError: Something may have been sent, and no answer came.
        """
        session = self._session or self._open()
        try:
            return await session.request(
                method,
                yarl.URL(url, encoded=True),
                data=body or None,
                headers=headers,
                allow_redirects=False,
            )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise UnreachableError(_kind(error)) from error
        except TimeoutError as error:
            raise SilentError from error
        except (aiohttp.ClientError, OSError) as error:
            raise BrokenError(_kind(error)) from error

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0, keepalive_timeout=_KEEP_SECONDS, ttl_dns_cache=_ADDRESS_SECONDS
            ),
            timeout=aiohttp.ClientTimeout(
                total=None,
                sock_connect=self._settings.connect_seconds,
                sock_read=self._settings.silence_seconds,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_ASKING_HEADERS,
            auto_decompress=False,
            read_bufsize=_BUFFER_BYTES,
            max_field_size=_BUFFER_BYTES,
            max_line_size=_BUFFER_BYTES,
        )
        return self._session


def _kind(error: Exception) -> str:
    """What went wrong, without addresses and without what was sent."""
    return type(error).__name__

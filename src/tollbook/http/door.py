"""Who is asking: a key's owner, or this machine while there are no keys."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

from tollbook.core.control import permits
from tollbook.core.errors import KeyRefusedError
from tollbook.core.observation import Instant
from tollbook.http.exchange import LOCAL, RefusedError, Scope
from tollbook.http.hosts import is_loopback
from tollbook.ledger.keyring import Guesses, Keyring
from tollbook.ports import Key

_BEARER = re.compile(r"bearer +([!-~]{1,256})", re.IGNORECASE | re.ASCII)
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
_MS = 1000
_NEEDED = (
    "this needs a valid key, as `Authorization: Bearer tb_...`; have one made with "
    "`tollbook key create`"
)


class Door:
    """Lets requests in by their key.

    Args:
        keyring: The ledger's keys.
        clock: What time it is.
    """

    def __init__(self, keyring: Keyring, clock: Callable[[], Instant]) -> None:
        self._keyring = keyring
        self._clock = clock
        self._guesses = Guesses()

    def enter(self, headers: Mapping[str, str], peer: str, scope: Scope) -> Key:
        """The key a request comes with, if it may do what ``scope`` names.

        Args:
            headers: The request's, names in lower case.
            peer: The address it comes from.
            scope: What it wants to do.

        Raises:
            RefusedError: No key, no valid one, two, or one without this scope.
            StoreUnavailableError: Whether a key is valid cannot be known for now.
        """
        key = self._key(headers, peer)
        if not permits(key, scope):
            text = f"this key lacks the scope {scope}; use one that has it"
            raise RefusedError(403, "scope_missing", text)
        return key

    def _key(self, headers: Mapping[str, str], peer: str) -> Key:
        bearer, plain = headers.get("authorization"), headers.get("x-api-key")
        now = self._clock()
        if bearer is None and plain is None:
            if self._is_owner(headers, peer) and not self._keyring.guards(now=now):
                return LOCAL
            raise _unauthorised()
        if bearer is not None and plain is not None:
            text = "Authorization and X-Api-Key are both there; send one of them"
            raise RefusedError(400, "two_keys", text)
        found = None if bearer is None else _BEARER.fullmatch(bearer)
        text = plain or (found[1] if found else "")
        try:
            return self._keyring.authenticate(text, now=now)
        except KeyRefusedError as error:
            wait = self._guesses.wait_ms(peer, now=now)
            raise _too_many(wait) if wait else _unauthorised() from error

    @staticmethod
    def _is_owner(headers: Mapping[str, str], peer: str) -> bool:
        """Whether this machine itself asks, and not somebody through a proxy on it."""
        return is_loopback(peer) and not any(name in headers for name in _FORWARDED)


def _unauthorised() -> RefusedError:
    return RefusedError(
        401, "unauthorised", _NEEDED, (("WWW-Authenticate", 'Bearer realm="tollbook"'),)
    )


def _too_many(wait_ms: int) -> RefusedError:
    seconds = str(math.ceil(wait_ms / _MS))
    return RefusedError(
        429,
        "too_many_refusals",
        f"too many invalid keys came from here; wait {seconds} s, and use a valid one",
        (("Retry-After", seconds),),
    )


def origin_of(key: Key) -> str:
    """What a batch's origin says of who sent it."""
    return f"key tb_{key.id}" if key.id else key.name

"""Keys at the door: who is it, how often did somebody guess, when was a key last used.

Every known key is held in memory, so that a request costs a hash and no read, an unknown
id takes as long as a known one, and a flood of guesses never reaches the store.
"""

from __future__ import annotations

import secrets
from hmac import compare_digest
from ipaddress import IPv6Address, ip_address

from tollbook.core.control import Credential, Key, in_force
from tollbook.core.errors import KeyRefusedError
from tollbook.core.observation import Instant
from tollbook.ledger.keys import digest_of, parse_key
from tollbook.ports import ControlStore

LOOK_MS = 250
"""How old the knowledge of other processes' changes may be."""

USE_MS = 60_000
"""How exactly it is kept when a key was last used."""

_GUESSES = 20  # which an address may make at once
_GUESS_MS = 3_000  # after which it may make one more
_ADDRESSES_MAX = 10_000
_TEXT_MAX = 64
_IPV6_NETWORK_BITS = 64  # of an address: what one customer has, whatever they append


class Changes:
    """Whether anybody changed projects or keys, asked at most every ``LOOK_MS``."""

    def __init__(self, control: ControlStore) -> None:
        self._control = control
        self._looked_at: Instant | None = None
        self._version = -1

    def came(self, now: Instant) -> bool:
        """Whether something changed since the last time; at first it has.

        Raises:
            StoreUnavailableError: The store cannot be read; ask again.
        """
        looked_at = self._looked_at
        if looked_at is not None and abs(now - looked_at) < LOOK_MS:
            return False
        version = self._control.version()
        self._looked_at = now
        changed = version != self._version
        self._version = version
        return changed


class Keyring:
    """Every key, for those who must tell a right one from a wrong one many times."""

    def __init__(self, control: ControlStore) -> None:
        self._control = control
        self._changes = Changes(control)
        self._known: dict[str, Credential] = {}
        self._nobody = Credential(
            key=Key(id="", name="", scopes=frozenset(), created_at=0),
            digest=secrets.token_bytes(32),
        )
        self._used: dict[str, Instant] = {}
        self._noted: dict[str, Instant] = {}

    def authenticate(self, text: str, *, now: Instant) -> Key:
        """The key that somebody presents as ``tb_…``.

        Raises:
            KeyRefusedError: No key, unknown, wrong, expired or revoked.
            StoreUnavailableError: Whether it was revoked cannot be known for now.
        """
        self._look(now)
        key_id, secret = parse_key(text)
        credential = self._known.get(key_id, self._nobody)
        right = compare_digest(digest_of(secret), credential.digest)
        key = credential.key
        if not (right and in_force(key, now)):
            raise KeyRefusedError(self._why(key, right=right))
        self._used[key.id] = now
        return key

    def guards(self, *, now: Instant) -> bool:
        """Whether a key is needed: since the first one was made, and for ever.

        Raises:
            StoreUnavailableError: It cannot be known for now.
        """
        self._look(now)
        return bool(self._known)

    def opens(self, *, now: Instant) -> bool:
        """Whether any key is in force.

        Raises:
            StoreUnavailableError: It cannot be known for now.
        """
        self._look(now)
        return any(in_force(known.key, now) for known in self._known.values())

    def note_uses(self, *, last: bool = False) -> None:
        """Write down when keys were last used, each at most once a minute.

        For a timer, away from requests; ``last`` before the end, for what is left.

        Raises:
            StoreUnavailableError: Nothing was written; the next time will.
        """
        due = {
            key_id: at
            for key_id, at in self._used.copy().items()
            if at - self._noted.get(key_id, at - USE_MS) >= (1 if last else USE_MS)
        }
        if due:
            self._control.note_uses(due)
            self._noted |= due

    def _look(self, now: Instant) -> None:
        if self._changes.came(now):
            self._known = {each.key.id: each for each in self._control.credentials()}

    def _why(self, key: Key, *, right: bool) -> str:
        if key is self._nobody.key:
            return "no such key"
        if not right:
            return f"key {key.id}: wrong secret"
        state = "expired" if key.revoked_at is None else "revoked"
        return f"key {key.id}: {state}"


class Guesses:
    """How often each address has been refused, for as many as fit.

    It slows down noise and what noise costs; 160 random bits need no such help. So a
    right key is never refused for what others tried from the same address.
    """

    def __init__(self) -> None:
        self._free_at: dict[str, Instant] = {}

    def wait_ms(self, address: str, *, now: Instant) -> int:
        """Count one refusal; how long to tell the address to wait, 0 for not at all."""
        place = _network(address)
        free_at = max(self._free_at.pop(place, now), now)
        wait = free_at + _GUESS_MS - now - _GUESSES * _GUESS_MS
        self._free_at[place] = free_at if wait > 0 else free_at + _GUESS_MS
        if len(self._free_at) > _ADDRESSES_MAX:
            del self._free_at[next(iter(self._free_at))]
        return max(wait, 0)


def _network(address: str) -> str:
    """An address without what its owner may choose freely."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address[:_TEXT_MAX]
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(int(found) >> _IPV6_NETWORK_BITS)

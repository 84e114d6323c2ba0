"""Under which names a server answers, and which pages may make a browser ask it.

A page in a browser can have its own name point at this machine (DNS rebinding), or send
a form to it (request forgery). The first is told by the ``Host`` line, the second by
what browsers add: ``Sec-Fetch-Site`` and ``Origin``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_address

from tollbook.http.exchange import RefusedError

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_HOST = re.compile(
    r"(?:\[([0-9a-f:.]{2,45})\]|([a-z0-9._-]{1,253}))(?::[0-9]{1,5})?", re.ASCII
)
_OWN_PAGES = ("same-origin", "none")
_REMEMBERED_MAX = 256


def is_loopback(address: str) -> bool:
    """Whether an address is this machine's own; a name is not."""
    try:
        return ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False


class Hosts:
    """The names a server answers under.

    Args:
        names: Besides those of this machine's own addresses.
        addresses: Whether any address will do: nobody can point one elsewhere.
    """

    def __init__(self, names: Iterable[str], *, addresses: bool) -> None:
        self._names = {"localhost", *(name.lower().rstrip(".") for name in names)}
        self._addresses = addresses
        self._known: set[str] = set()

    def check(self, host: str) -> None:
        """Take a ``Host`` line's value.

        Raises:
            RefusedError: The server is not known by it.
        """
        if host in self._known:
            return
        if not self._ours(host.lower()):
            raise RefusedError(
                421,
                "unknown_host",
                "the server is not known by this Host; add the name to server.hosts",
            )
        if len(self._known) < _REMEMBERED_MAX:
            self._known.add(host)

    def _ours(self, host: str) -> bool:
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = found[1] or found[2].removesuffix(".")
        if name in self._names or is_loopback(name):
            return True
        try:
            ip_address(name)
        except ValueError:
            return False
        return self._addresses


def check_browser(method: str, headers: Mapping[str, str]) -> None:
    """Take a request that changes something only from the server's own pages.

    Raises:
        RefusedError: Another site made a browser send it.
    """
    if method in SAFE_METHODS:
        return
    origin = headers.get("origin")
    _, _, site = ("", "", "") if origin is None else origin.partition("://")
    foreign = origin is not None and site != headers.get("host")
    if foreign or headers.get("sec-fetch-site", "none") not in _OWN_PAGES:
        text = "another site's page sent this; send it from a program, or our own page"
        raise RefusedError(403, "foreign_origin", text)

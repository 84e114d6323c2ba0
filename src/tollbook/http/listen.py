"""Where the server listens."""

from __future__ import annotations

import errno
import socket
import sys

from tollbook.core.errors import ConfigError
from tollbook.http.hosts import is_loopback

if sys.platform != "win32":
    import resource

_BACKLOG = 1024
_FILES_SPARE = 100  # for the ledger, logs and others, besides connections


def bind(host: str, port: int, *, option: str = "--port") -> socket.socket:
    """Take an address; port 0 takes a free one. ``option`` is what chooses another.

    Raises:
        ConfigError: It is in use, not this machine's, or needs more rights.
    """
    try:
        found = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError) as error:
        text = f"{host}: is no address of this machine; correct --host"
        raise ConfigError(text) from error
    family, _, _, _, address = min(found)  # version 4 of the protocol before 6
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigError(_why(error, shown(host, port), option)) from error
    return listener


def _why(error: OSError, place: str, option: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"{place}: another program listens there; end it, or choose {option}"
    if error.errno == errno.EACCES:
        return f"{place}: this port needs more rights; choose {option} above 1023"
    return f"{place}: cannot listen there ({error.strerror}); correct --host"


def shown(host: str, port: int) -> str:
    """An address as it stands in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_open(listener: socket.socket) -> bool:
    """Whether other machines may reach it."""
    return not is_loopback(str(listener.getsockname()[0]))


def room_for(connections: int) -> int:
    """How many connections there is room for: as many as wanted, if the system lets us.

    Each takes a file's place, of which a process often has 1024 until it asks for more.
    """
    if sys.platform == "win32":
        return connections
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _FILES_SPARE
    if soft < wanted:
        soft = min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, min(connections, soft - _FILES_SPARE))

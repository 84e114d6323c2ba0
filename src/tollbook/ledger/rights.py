"""Who is asking, and whether they may change projects and keys.

The owner of the ledger's file may do everything; at the command line nobody else can
ask. A key needs the scope ``admin``, and one that is limited to projects stays there.
"""

from __future__ import annotations

from tollbook.core.control import ADMIN, Key, permits
from tollbook.core.errors import NotAllowedError

OWNER = "owner"


def actor(maker: Key | None) -> str:
    """How the audit names who asks; ``None`` is the owner."""
    if maker is None:
        return OWNER
    return f"key {maker.id}" if maker.id else maker.name


def must_administer(maker: Key | None) -> None:
    """Let only those go on who may change projects and keys.

    Raises:
        NotAllowedError: The key lacks the scope ``admin``.
    """
    if maker is not None and not permits(maker, ADMIN):
        message = (
            f"{actor(maker)}: projects and keys need the scope admin; use such a key"
        )
        raise NotAllowedError(message)


def limits(maker: Key | None) -> tuple[str, ...] | None:
    """The projects somebody is limited to; ``None``: all of them."""
    return None if maker is None else maker.projects

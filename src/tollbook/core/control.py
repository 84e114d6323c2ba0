"""Projects, the keys that report into them, and the record of who changed either."""

from __future__ import annotations

import msgspec

from tollbook.core.observation import Instant

AGENTS = "agents"
DEVTOOLS = "devtools"
KINDS = (AGENTS, DEVTOOLS)
"""What a project is: applications in production; or Claude Code and the like."""

TEXT_MAX = 128
"""How many characters an id or a name may have."""

ADMIN = "admin"
SCOPES = ("ingest", "read", "relay", ADMIN)
"""What a key may do: report, ask, send requests through the relay, and everything."""


_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Printable by their class, and yet nobody sees them. So are variation selectors."""

_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """What applications report under: the ``project_id`` they send."""

    id: str  # 1 to 128 printable characters
    workspace: str = "default"
    kind: str  # one of ``KINDS``
    title: str | None = None
    created_at: Instant


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """Who may do what. Its secret is not part of it, and kept nowhere else either."""

    id: str  # the part of ``tb_<id>_<secret>`` that may be shown
    name: str
    scopes: frozenset[str]  # of ``SCOPES``
    projects: tuple[str, ...] | None = None  # sorted; ``None``: all of them
    created_at: Instant
    expires_at: Instant | None = None  # excluded
    revoked_at: Instant | None = None
    last_used_at: Instant | None = None  # to the minute


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """A key, and what its secret is recognised by."""

    key: Key
    digest: bytes  # SHA-256 of the secret


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One change to projects or keys. It never holds a secret."""

    at: Instant
    who: str  # "owner" at the command line, else "key <id>"
    what: str  # "project added", "key revoked", ...
    subject: str  # the id of the project or key
    detail: str = ""


def permits(key: Key, scope: str) -> bool:
    """Whether a key may do what a scope names; ``admin`` implies all."""
    return scope in key.scopes or ADMIN in key.scopes


def allowed(key: Key, project_id: str) -> bool:
    """Whether a key may speak of a project."""
    return key.projects is None or project_id in key.projects


def in_force(key: Key, now: Instant) -> bool:
    """Whether a key is neither revoked nor expired."""
    return key.revoked_at is None and (key.expires_at is None or now < key.expires_at)


def unfit(text: str) -> str | None:
    """What keeps a text from being an id or a name; ``None`` when nothing does.

    Two texts that look the same must not be two projects, and a name must not do
    anything to a screen: nothing invisible, nothing that steers, no blank at an end.
    """
    if not text:
        return "is empty"
    if len(text) > TEXT_MAX:
        return f"has {len(text):,} characters, {TEXT_MAX} are the most"
    if not text.isprintable() or any(map(_unseen, text)):
        return "holds an invisible or control character"
    if text != text.strip():
        return "begins or ends with a blank"
    return None


def _unseen(char: str) -> bool:
    return char in _BLANK or any(ord(char) in each for each in _SELECTORS)

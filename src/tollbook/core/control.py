"""Projects, the keys that report into them, and the record of who changed either."""

from __future__ import annotations

import msgspec

from tollbook.core.observation import Instant

AGENTS = "agents"
DEVTOOLS = "devtools"
KINDS = (AGENTS, DEVTOOLS)
"""What a project is: applications in production; or Claude Code and the like."""

ADMIN = "admin"
SCOPES = ("ingest", "read", "relay", ADMIN)
"""What a key may do: report, ask, send requests through the relay, and everything."""


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

"""By what usage may be divided, and what the parts are called."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from tollbook.ledger.naming import Naming
from tollbook.ports import TAG

STORED = {
    "project": "project",
    "group": "project",
    "kind": "project",
    "session": "session",
    "model": "model",
    "family": "model",
    "branch": "branch",
    "agent": "agent",
    "skill": "skill",
    "tool": "tools",
    "provider": "provider",
    "app": "app",
    "user": "user",
    "machine": "machine",
    "key": "key",
    "source": "source",
}
"""What may be asked for, and the store's dimension it is made of. Tags come on top."""

JOINED = "+"
"""Stands between the sources that spoke of one response."""

_tools = msgspec.json.Decoder(list[str]).decode


def stored_dimension(name: str) -> str | None:
    """The store's dimension behind a name; ``None``: there is no such name."""
    if name.startswith(TAG) and name != TAG:
        return name
    return STORED.get(name)


def called(
    dimension: str, value: str | None, naming: Naming, kinds: Mapping[str, str]
) -> str | None:
    """What a stored value is called; ``None``: its sources did not say.

    Args:
        dimension: One of ``STORED``, or a tag.
        value: As the store keeps it.
        naming: The names of models and projects.
        kinds: Of registered projects.
    """
    if not value:
        return None
    match dimension:
        case "model" | "family" | "project" | "group":
            name: str | None = getattr(naming, dimension)(value)
            return name
        case "kind":
            return kinds.get(value)
        case "tool":
            return ", ".join(_tools(value))
    return value

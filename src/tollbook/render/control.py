"""Projects and keys as people and programs read them."""

from __future__ import annotations

from collections.abc import Sequence

from tollbook.core.control import Key, Project, in_force
from tollbook.core.observation import Instant
from tollbook.render.columns import columns
from tollbook.render.fields import moment

_NONE = "-"
_TIMES = ("created_at", "expires_at", "revoked_at", "last_used_at")


def state(key: Key, now: Instant) -> str:
    """``in force``, ``revoked`` or ``expired``."""
    if in_force(key, now):
        return "in force"
    return "expired" if key.revoked_at is None else "revoked"


def project_fields(project: Project) -> dict[str, object]:
    """The published shape of a project."""
    return {
        "id": project.id,
        "workspace": project.workspace,
        "kind": project.kind,
        "title": project.title,
        "created_at": moment(project.created_at),
    }


def key_fields(key: Key, now: Instant) -> dict[str, object]:
    """The published shape of a key."""
    return {
        "id": key.id,
        "name": key.name,
        "state": state(key, now),
        "scopes": sorted(key.scopes),
        "projects": key.projects,
        **{name: moment(getattr(key, name)) for name in _TIMES},
    }


def project_table(projects: Sequence[Project]) -> str:
    """A line for each project."""
    rows = [
        (p.id, p.kind, p.workspace, moment(p.created_at) or _NONE, p.title or "")
        for p in projects
    ]
    return columns(("project", "kind", "workspace", "created", "title"), rows)


def key_table(keys: Sequence[Key], now: Instant) -> str:
    """A line for each key."""
    heads = ("key", "name", "state", "scopes", "projects", "expires", "last used")
    rows = [
        (
            key.id,
            key.name,
            state(key, now),
            ", ".join(sorted(key.scopes)),
            _projects(key),
            moment(key.expires_at) or _NONE,
            moment(key.last_used_at) or _NONE,
        )
        for key in keys
    ]
    return columns(heads, rows)


def facts(fields: dict[str, object]) -> str:
    """The fields of one project or key, below each other."""
    rows = [(name.replace("_at", ""), _text(value)) for name, value in fields.items()]
    return columns(("", ""), [(name.replace("_", " "), text) for name, text in rows])


def _projects(key: Key) -> str:
    return "all" if key.projects is None else ", ".join(key.projects)


def _text(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return _NONE if value is None else str(value)

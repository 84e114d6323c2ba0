"""``tollbook.render.control``: projects and keys, harmless to look at."""

from __future__ import annotations

import msgspec

from tollbook.core.control import Key, Project
from tollbook.render.control import facts, key_fields, key_table, project_table, state

KEY = Key(
    id="abcdefghij",
    name="ci",
    scopes=frozenset({"read", "ingest"}),
    projects=("desk", "shop"),
    created_at=0,
    expires_at=1_000,
)


def test_a_key_is_in_force_until_it_expires_or_is_revoked() -> None:
    revoked = msgspec.structs.replace(KEY, revoked_at=500)

    assert [state(KEY, 999), state(KEY, 1_000)] == ["in force", "expired"]
    assert [state(revoked, 999), state(revoked, 1_000)] == ["revoked", "revoked"]


def test_a_keys_fields_say_everything_but_its_secret() -> None:
    assert key_fields(KEY, 0) == {
        "id": "abcdefghij",
        "name": "ci",
        "state": "in force",
        "scopes": ["ingest", "read"],
        "projects": ("desk", "shop"),
        "created_at": "1970-01-01T00:00:00Z",
        "expires_at": "1970-01-01T00:00:01Z",
        "revoked_at": None,
        "last_used_at": None,
    }
    assert "projects   desk, shop\n" in facts(key_fields(KEY, 0))


def test_names_that_steer_are_written_out() -> None:
    hostile = "\x1b[31m\u202e"
    project = Project(id=hostile, kind="agents", title=hostile, created_at=0)
    key = msgspec.structs.replace(KEY, name=hostile, projects=None)
    text = project_table([project]) + key_table([key], 0)

    assert "\\x1b[31m\\u202e" in text
    assert "\x1b" not in text
    assert "  all  " in text

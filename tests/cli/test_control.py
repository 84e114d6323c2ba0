"""``tollbook project`` and ``tollbook key``, as a person at a shell meets them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from program import Program

KEY = r"tb_[a-z2-7]{10}_[a-z2-7]{32}"


def rows(program: Program, *words: str) -> list[dict[str, Any]]:
    """The rows of a document."""
    found: Any = program.json(*words)["rows"]
    return list(found)


def refused(program: Program, *words: str) -> str:
    """What is said when something cannot be."""
    done = program(*words)
    assert done.returncode == 2
    assert not done.stdout
    assert done.stderr.count(b"\n") == 1
    return done.stderr.decode()


def test_a_project_is_added_changed_shown_and_removed(program: Program) -> None:
    assert "no projects" in program.text("project", "list")
    program.text("project", "add", "shop", "--title", "The shop")
    program.text(
        "project", "set", "shop", "--kind", "devtools", "--workspace", "retail"
    )
    [shop] = rows(program, "project", "list")

    assert program.json("project", "show", "shop") == {"version": 1, "project": shop}
    assert shop.pop("created_at").endswith("Z")
    assert shop == {
        "id": "shop",
        "workspace": "retail",
        "kind": "devtools",
        "title": "The shop",
    }
    assert "The shop" in program.text("project", "list")
    assert "title      -" in program.text("project", "set", "shop", "--title", "")
    assert "stays in the ledger" in program.text("project", "rm", "shop")
    assert rows(program, "project", "list") == []


def test_a_key_is_printed_once_and_never_again(program: Program) -> None:
    done = program("key", "create", "ci")
    text = done.stdout.decode()
    secret = text.strip().rpartition("_")[2]

    assert re.fullmatch(KEY + "\n", text)
    assert b"never shown again" in done.stderr
    assert secret not in done.stderr.decode()
    shown = program.text("key", "list") + program.text("key", "show", "ci")
    assert text[3:13] in shown
    assert secret not in shown
    for path in (program.home / "ledger").iterdir():
        assert secret.encode() not in path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0


def test_a_key_is_limited_as_asked_and_revoked_for_good(program: Program) -> None:
    program.text("project", "add", "shop")
    options = ("--project", "shop", "--scope", "read", "--expires", "90d")
    made: Any = program.json("key", "create", "ci", *options)
    key = made["key"]
    begun = datetime.fromisoformat(key["created_at"])

    assert re.fullmatch(KEY, made["secret"])
    assert (key["scopes"], key["projects"], key["state"]) == (
        ["read"],
        ["shop"],
        "in force",
    )
    assert datetime.fromisoformat(key["expires_at"]) - begun == timedelta(days=90)
    program.text("key", "revoke", key["id"])
    [shown] = rows(program, "key", "list")
    assert shown["state"] == "revoked"
    assert "revoked" in program.text("key", "list")
    assert "shop" in program.text("key", "show", key["id"])


def test_a_key_may_do_little_and_for_ever_if_nothing_is_said(program: Program) -> None:
    assert "no keys" in program.text("key", "list")
    program.text("key", "create", "ci")
    [key] = rows(program, "key", "list")

    assert (key["scopes"], key["projects"], key["expires_at"]) == (
        ["ingest"],
        None,
        None,
    )
    assert "projects   all" in program.text("key", "show", "ci")


def test_a_day_to_expire_on_is_the_first_without_the_key(program: Program) -> None:
    day = (datetime.now(UTC) + timedelta(days=9)).date().isoformat()
    made: Any = program.json("key", "create", "ci", "--expires", day)

    assert made["key"]["expires_at"] == f"{day}T00:00:00Z"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("project", "show", "nope"), "no project 'nope'; `tollbook project list`"),
        (("project", "set", "nope"), "nothing to change; give --kind"),
        (("project", "rm", "nope"), "no project 'nope'"),
        (("project", "add", "a\u202eb"), "invisible or control character; send"),
        (("key", "create", ""), "name is empty; choose"),
        (("key", "create", "ci", "--project", "nope"), "make it first"),
        (("key", "create", "ci", "--expires", "soon"), "write 2027-02-01, 90d or 12w"),
        (("key", "create", "ci", "--expires", "2001-01-01"), "correct the date"),
        (("key", "revoke", "nope"), "no key 'nope'; `tollbook key list`"),
        (("key", "show", "\x1b[31m"), r"no key '\\x1b[31m'"),
    ],
)
def test_what_cannot_be_done_is_said_with_a_remedy(
    program: Program, words: tuple[str, ...], message: str
) -> None:
    said = refused(program, *words)

    assert message.replace("\\\\", "\\") in said
    assert "\x1b" not in said


def test_a_ledger_that_others_can_read_is_made_private_again(program: Program) -> None:
    program.text("key", "create", "ci")
    ledger = program.home / "ledger" / "ledger.db"
    ledger.chmod(0o644)
    program.text("key", "list")

    assert ledger.stat().st_mode & 0o777 == 0o600

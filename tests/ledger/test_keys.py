"""``tollbook.ledger.keys``: what a key looks like, and who may make which."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbook.core.control import ADMIN, SCOPES, Credential, Key, Project
from tollbook.core.errors import ControlError, NotAllowedError, NothingMatchesError
from tollbook.ledger.keys import (
    Grant,
    create_key,
    digest_of,
    ensure_admin_key,
    find_key,
    list_keys,
    parse_key,
    revoke_key,
)
from tollbook.ledger.projects import add_project
from tollbook.stores.memory_control import MemoryControl

NOW = 1_795_000_000_000
DAY_MS = 86_400_000
BASE32 = "abcdefghijklmnopqrstuvwxyz234567"


@pytest.fixture
def control() -> MemoryControl:
    """A store with two projects."""
    store = MemoryControl()
    for name in ("desk", "shop"):
        add_project(store, Project(id=name, kind="agents", created_at=1))
    return store


def grant(
    *scopes: str,
    name: str = "ci",
    projects: tuple[str, ...] | None = None,
    expires_at: int | None = None,
) -> Grant:
    """To report, if nothing else is said."""
    return Grant(
        name=name,
        scopes=frozenset(scopes or ("ingest",)),
        projects=projects,
        expires_at=expires_at,
    )


def made(control: MemoryControl, wanted: Grant, maker: Key | None = None) -> Key:
    """The new key."""
    return create_key(control, wanted, now=NOW, maker=maker)[0]


def test_a_key_has_an_id_to_show_and_160_random_bits(control: MemoryControl) -> None:
    key, text = create_key(control, grant(), now=NOW)
    key_id, secret = parse_key(text)

    assert re.fullmatch(r"tb_[a-z2-7]{10}_[a-z2-7]{32}", text)
    assert key_id == key.id
    assert len(secret) * 5 >= 160
    assert len({create_key(control, grant(), now=NOW)[1] for _ in range(50)}) == 50


def test_only_the_hash_of_a_secret_is_kept_and_no_audit_tells_it(
    control: MemoryControl,
) -> None:
    _, text = create_key(control, grant(), now=NOW)
    secret = parse_key(text)[1]

    assert [each.digest for each in control.credentials()] == [digest_of(secret)]
    assert secret not in repr((control.credentials(), control.audit(limit=9)))


@given(st.text(BASE32, min_size=10, max_size=10), st.text(BASE32, min_size=32))
def test_a_key_is_read_as_it_was_shown(key_id: str, secret: str) -> None:
    whole = len(secret) == 32

    assert parse_key(f"tb_{key_id}_{secret}") == (
        (key_id, secret) if whole else ("", "")
    )


@given(st.text() | st.from_regex(r"tb_[a-z2-7]{9,11}_[a-zA-Z0-9]{31,33}\n?"))
def test_whatever_is_presented_is_a_key_or_nothing(text: str) -> None:
    key_id, secret = parse_key(text)

    assert text == f"tb_{key_id}_{secret}" or (key_id, secret) == ("", "")


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (grant(name=""), "name is empty; choose"),
        (grant(name="a\u202eb"), "invisible or control character"),
        (grant("root"), "'root' is no scope; choose from ingest, read, relay, admin"),
        (Grant(name="ci", scopes=frozenset()), "has no scope; choose"),
        (grant(projects=()), "limited to no project; name some"),
        (grant(projects=("shop", "nope")), "no project 'nope'; make it first"),
        (grant(expires_at=NOW), "correct the date"),
        (grant(expires_at=2**62), "correct the date"),
    ],
)
def test_a_grant_that_makes_no_sense_is_refused_with_a_remedy(
    control: MemoryControl, wanted: Grant, message: str
) -> None:
    with pytest.raises(ControlError, match=message):
        create_key(control, wanted, now=NOW)
    assert control.credentials() == []


@pytest.mark.parametrize("scope", [each for each in SCOPES if each != ADMIN])
def test_only_an_admin_key_makes_lists_and_revokes_keys(
    control: MemoryControl, scope: str
) -> None:
    key = made(control, grant(scope))

    with pytest.raises(NotAllowedError, match="need the scope admin"):
        made(control, grant(scope), key)
    with pytest.raises(NotAllowedError):
        list_keys(control, maker=key)
    with pytest.raises(NotAllowedError):
        revoke_key(control, key.id, now=NOW, maker=key)
    assert [each.key for each in control.credentials()] == [key]


def test_no_key_gives_more_projects_than_it_has(control: MemoryControl) -> None:
    maker = made(control, grant(ADMIN, projects=("shop",)))

    for projects in (None, ("desk",), ("desk", "shop")):
        with pytest.raises(NotAllowedError, match="limited to the projects shop"):
            made(control, grant(projects=projects), maker)
    child = made(control, grant(ADMIN, projects=("shop", "shop")), maker)

    assert child.projects == ("shop",)


def test_no_key_outlives_the_one_that_made_it(control: MemoryControl) -> None:
    maker = made(control, grant(ADMIN, expires_at=NOW + DAY_MS))

    for expires_at in (None, NOW + DAY_MS + 1):
        with pytest.raises(NotAllowedError, match="let the new key expire by then"):
            made(control, grant(expires_at=expires_at), maker)
    assert made(control, grant(expires_at=NOW + DAY_MS), maker).expires_at


def test_a_limited_admin_sees_and_revokes_only_keys_within_its_limits(
    control: MemoryControl,
) -> None:
    admin = made(control, grant(ADMIN, name="a", projects=("shop",)))
    inside = made(control, grant(name="b", projects=("shop",)))
    others = [made(control, grant(name="c", projects=("desk", "shop")))]
    others.append(made(control, grant(name="d")))

    assert list_keys(control, maker=admin) == [admin, inside]
    for other in others:
        with pytest.raises(NothingMatchesError):
            revoke_key(control, other.id, now=NOW, maker=admin)
    assert revoke_key(control, "b", now=NOW, maker=admin).revoked_at == NOW


def test_a_key_goes_by_its_id_by_itself_and_by_a_name_of_its_own(
    control: MemoryControl,
) -> None:
    key, text = create_key(control, grant(name="ci"), now=NOW)

    for name in (key.id, f"tb_{key.id}", text, "ci"):
        assert find_key(control, name) == key
    made(control, grant(name="ci"))
    with pytest.raises(
        NothingMatchesError, match=f"several keys .*{key.id}.*give an id"
    ):
        find_key(control, "ci")
    revoke_key(control, key.id, now=NOW)
    assert find_key(control, "ci").id != key.id


def test_a_key_that_is_not_there_is_not_repeated_with_its_secret(
    control: MemoryControl,
) -> None:
    text = f"tb_{'a' * 10}_{'b' * 32}"

    with pytest.raises(NothingMatchesError, match="no key 'tb_aaaaaaaaaa'; ") as caught:
        find_key(control, text)
    assert "b" * 32 not in str(caught.value)


def test_a_key_is_revoked_once_and_the_first_time_counts(
    control: MemoryControl,
) -> None:
    key = made(control, grant())

    assert revoke_key(control, key.id, now=NOW + 1).revoked_at == NOW + 1
    assert revoke_key(control, key.id, now=NOW + 2).revoked_at == NOW + 1
    assert [each.what for each in control.audit(limit=2)] == [
        "key revoked",
        "key created",
    ]


def test_the_audit_says_who_made_which_key(control: MemoryControl) -> None:
    admin = made(control, grant(ADMIN, name="boss", expires_at=NOW + DAY_MS))
    wanted = grant("read", "ingest", projects=("shop",), expires_at=NOW + DAY_MS)
    key = made(control, wanted, admin)
    local = Key(id="", name="loopback", scopes=frozenset({ADMIN}), created_at=0)
    made(control, grant(), local)
    latest, second, first = control.audit(limit=3)

    assert (first.who, first.subject) == ("owner", admin.id)
    assert (second.who, second.subject, second.at) == (f"key {admin.id}", key.id, NOW)
    assert second.detail == "ci; ingest, read; shop; expires 2026-11-19"
    assert (latest.who, latest.detail) == ("loopback", "ci; ingest; all projects")


def test_the_first_start_makes_one_key_that_may_do_everything(
    control: MemoryControl,
) -> None:
    first = ensure_admin_key(control, now=NOW)

    assert first is not None
    assert first[0].scopes == {ADMIN}
    assert first[0].projects is None
    assert ensure_admin_key(control, now=NOW) is None
    revoke_key(control, first[0].id, now=NOW)
    assert ensure_admin_key(control, now=NOW) is None


def test_of_two_first_starts_at_once_one_makes_the_key(control: MemoryControl) -> None:
    class Late(MemoryControl):
        """Another process makes its key just after this one has looked."""

        def credentials(self) -> list[Credential]:
            found = super().credentials()
            if not found:
                other, _ = create_key(control, grant(ADMIN), now=NOW)
                del other
                self._keys.update(control._keys)  # noqa: SLF001  # the other's
            return found

    assert ensure_admin_key(Late(), now=NOW) is None

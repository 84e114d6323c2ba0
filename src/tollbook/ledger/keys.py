"""Keys are made, listed and revoked here: ``tb_<id>_<secret>``.

The id may be shown anywhere. The secret has 160 random bits and is shown once, when the
key is made; the ledger keeps its SHA-256. A slow hash would protect secrets that people
choose, and only slow down these.
"""

from __future__ import annotations

import re
import secrets
from hashlib import sha256

import msgspec

from tollbook.core.catalogue import day
from tollbook.core.control import ADMIN, SCOPES, AuditEntry, Credential, Key, unfit
from tollbook.core.errors import ControlError, NotAllowedError, NothingMatchesError
from tollbook.core.observation import Instant
from tollbook.ledger.rights import actor, limits, must_administer
from tollbook.ports import ControlStore

_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"  # five bits a character
_ID_LENGTH = 10
_SECRET_LENGTH = 32
_KEY = re.compile(
    rf"tb_([a-z2-7]{{{_ID_LENGTH}}})(?:_([a-z2-7]{{{_SECRET_LENGTH}}}))?", re.ASCII
)
_LATEST = 253_402_300_800_000  # the year 10000


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What a new key is to be."""

    name: str
    scopes: frozenset[str]
    projects: tuple[str, ...] | None = None  # ``None``: all of them
    expires_at: Instant | None = None


def parse_key(text: str) -> tuple[str, str]:
    """The id and the secret of a key as it was shown; both empty when it is none."""
    found = _KEY.fullmatch(text)
    return (found[1], found[2]) if found and found[2] else ("", "")


def digest_of(secret: str) -> bytes:
    """What a secret is recognised by."""
    return sha256(secret.encode()).digest()


def create_key(
    control: ControlStore, grant: Grant, *, now: Instant, maker: Key | None = None
) -> tuple[Key, str]:
    """Make a key; ``maker`` is the key that asks for it, ``None`` the owner.

    Returns:
        The key, and its text with the secret: to be shown once, and kept nowhere.

    Raises:
        ControlError: The grant makes no sense.
        NotAllowedError: It gives more than the maker has.
    """
    must_administer(maker)
    _check(control, grant, now)
    _check_rights(grant, maker)
    credential, text = _forge(grant, now)
    added = control.add_key(credential, _made(credential.key, actor(maker)))
    assert added, "two keys drew the same 50 random bits"
    return credential.key, text


def ensure_admin_key(control: ControlStore, *, now: Instant) -> tuple[Key, str] | None:
    """Make a ledger's first key, which may do everything.

    Returns:
        As ``create_key``; ``None`` when a key was ever made before.
    """
    if control.credentials():
        return None
    grant = Grant(name="first key", scopes=frozenset({ADMIN}))
    credential, text = _forge(grant, now)
    entry = _made(credential.key, "first start")
    return (
        (credential.key, text)
        if control.add_key(credential, entry, first=True)
        else None
    )


def list_keys(control: ControlStore, *, maker: Key | None = None) -> list[Key]:
    """Every key the maker may know of, in the order they were made.

    Raises:
        NotAllowedError: The maker may not ask.
    """
    must_administer(maker)
    keys = [credential.key for credential in control.credentials()]
    own = limits(maker)
    if own is None:
        return keys
    return [k for k in keys if k.projects is not None and set(k.projects) <= set(own)]


def find_key(control: ControlStore, name: str, *, maker: Key | None = None) -> Key:
    """The key with an id, or with a name that only one key in force has.

    Raises:
        NothingMatchesError: None, or several.
        NotAllowedError: The maker may not ask.
    """
    keys = list_keys(control, maker=maker)
    whole = _KEY.fullmatch(name)
    key_id = whole[1] if whole else name
    for key in keys:
        if key.id == key_id:
            return key
    named = [key for key in keys if key.name == name and key.revoked_at is None]
    if len(named) == 1:
        return named[0]
    shown = repr(f"tb_{key_id}" if whole else name)
    if named:
        ids = ", ".join(key.id for key in named)
        message = f"{shown} is the name of several keys ({ids}); give an id"
        raise NothingMatchesError(message)
    message = f"there is no key {shown}; `tollbook key list` shows ids and names"
    raise NothingMatchesError(message)


def revoke_key(
    control: ControlStore, name: str, *, now: Instant, maker: Key | None = None
) -> Key:
    """Revoke a key for good, by id or name. One that was revoked stays as it is.

    Raises:
        NothingMatchesError: There is no such key, or several.
        NotAllowedError: The maker may not do that.
    """
    key = find_key(control, name, maker=maker)
    entry = AuditEntry(
        at=now, who=actor(maker), what="key revoked", subject=key.id, detail=key.name
    )
    control.revoke_key(key.id, entry)
    return find_key(control, key.id, maker=maker)


def _forge(grant: Grant, now: Instant) -> tuple[Credential, str]:
    key_id, secret = (
        "".join(secrets.choice(_ALPHABET) for _ in range(length))
        for length in (_ID_LENGTH, _SECRET_LENGTH)
    )
    projects = grant.projects
    key = Key(
        id=key_id,
        name=grant.name,
        scopes=grant.scopes,
        projects=None if projects is None else tuple(sorted(set(projects))),
        created_at=now,
        expires_at=grant.expires_at,
    )
    return Credential(key=key, digest=digest_of(secret)), f"tb_{key_id}_{secret}"


def _made(key: Key, who: str) -> AuditEntry:
    projects = "all projects" if key.projects is None else ", ".join(key.projects)
    parts = [key.name, ", ".join(sorted(key.scopes)), projects]
    if key.expires_at is not None:
        parts.append(f"expires {day(key.expires_at)}")
    return AuditEntry(
        at=key.created_at,
        who=who,
        what="key created",
        subject=key.id,
        detail="; ".join(parts),
    )


def _check(control: ControlStore, grant: Grant, now: Instant) -> None:
    if why := unfit(grant.name):
        message = f"the key's name {why}; choose a plain one, e.g. ci"
        raise ControlError(message)
    strange = sorted(grant.scopes - set(SCOPES))
    if strange or not grant.scopes:
        said = f"{strange[0]!r} is no scope" if strange else "the key has no scope"
        message = f"{said}; choose from {', '.join(SCOPES)}"
        raise ControlError(message)
    if grant.projects is not None and not grant.projects:
        message = "the key is limited to no project; name some, or leave the limit out"
        raise ControlError(message)
    for project_id in grant.projects or ():
        if unfit(project_id) or control.project(project_id) is None:
            message = (
                f"there is no project {project_id!r}; make it first: "
                "`tollbook project add`"
            )
            raise ControlError(message)
    if grant.expires_at is not None and not now < grant.expires_at < _LATEST:
        message = "the key would expire before it is used, or never; correct the date"
        raise ControlError(message)


def _check_rights(grant: Grant, maker: Key | None) -> None:
    """Nobody gives what they do not have."""
    if maker is None:
        return
    own = maker.projects
    if own is not None and not set(grant.projects or ("",)) <= set(own):
        message = (
            f"{actor(maker)} is limited to the projects {', '.join(own)}; "
            "limit the new key to some of them"
        )
        raise NotAllowedError(message)
    end = maker.expires_at
    if end is not None and (grant.expires_at is None or grant.expires_at > end):
        message = (
            f"{actor(maker)} expires on {day(end)}; let the new key expire by then"
        )
        raise NotAllowedError(message)

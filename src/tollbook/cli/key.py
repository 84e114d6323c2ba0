"""``tollbook key``: who may report, ask, relay and administer."""

from __future__ import annotations

import re
from datetime import date

import click

from tollbook.cli.context import clock
from tollbook.cli.control import answer, json_option, with_control
from tollbook.core.catalogue import midnight
from tollbook.core.control import SCOPES, Key
from tollbook.core.errors import InvalidPeriodError
from tollbook.core.observation import Instant
from tollbook.ledger.keys import Grant, create_key, find_key, list_keys, revoke_key
from tollbook.ports import ControlStore
from tollbook.render.control import facts, key_fields, key_table
from tollbook.render.safe import safe

_DAY_MS = 86_400_000
_LENGTH = re.compile(r"(\d{1,4})([dw])", re.ASCII)
_DAYS = {"d": 1, "w": 7}
_ONCE = "This key is never shown again, and only its hash is kept: store it safely now."
_key_argument = click.argument("name", metavar="KEY")


@click.group(name="key", epilog="Example: tollbook key list")
def command() -> None:
    """Make, list and revoke keys. A KEY is named by its id or by its name."""


@command.command(
    name="create", epilog="Example: tollbook key create deploy --expires 90d"
)
@click.argument("name", metavar="NAME")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(SCOPES),
    default=("ingest",),
    help="What it may do; may be repeated; admin implies all  [default: ingest]",
)
@click.option(
    "--project",
    "projects",
    multiple=True,
    metavar="ID",
    help="Only this project; may be repeated  [default: all]",
)
@click.option(
    "--expires",
    metavar="WHEN",
    help="The first day without it (2027-02-01, UTC), or after 90d or 12w",
)
@json_option
@with_control
def create_command(
    control: ControlStore,
    name: str,
    *,
    scopes: tuple[str, ...],
    projects: tuple[str, ...],
    expires: str | None,
    as_json: bool,
) -> None:
    """Make a key and print it: this once, for only a hash of it is kept."""
    now = clock()
    grant = Grant(
        name=name,
        scopes=frozenset(scopes),
        projects=projects or None,
        expires_at=None if expires is None else _end(expires, now),
    )
    key, text = create_key(control, grant, now=now)
    answer({"key": key_fields(key, now), "secret": text}, text, as_json=as_json)
    click.echo(_ONCE, err=True)


@command.command(name="list", epilog="Example: tollbook key list --json")
@json_option
@with_control
def list_command(control: ControlStore, *, as_json: bool) -> None:
    """List every key, also those that expired or were revoked."""
    keys, now = list_keys(control), clock()
    text = key_table(keys, now) if keys else "no keys; `tollbook key create NAME`"
    rows = [key_fields(key, now) for key in keys]
    answer({"rows": rows}, text, as_json=as_json)


@command.command(name="show", epilog="Example: tollbook key show ci")
@_key_argument
@json_option
@with_control
def show_command(control: ControlStore, name: str, *, as_json: bool) -> None:
    """Show one key: what it may do, and when it was last used."""
    key = find_key(control, name)
    fields = key_fields(key, clock())
    answer({"key": fields}, facts(_shown(key, fields)), as_json=as_json)


@command.command(name="revoke", epilog="Example: tollbook key revoke ci")
@_key_argument
@json_option
@with_control
def revoke_command(control: ControlStore, name: str, *, as_json: bool) -> None:
    """Revoke a key for good; a running server refuses it within a second."""
    now = clock()
    key = revoke_key(control, name, now=now)
    text = f"revoked the key {key.id} ({safe(key.name)})"
    answer({"key": key_fields(key, now)}, text, as_json=as_json)


def _shown(key: Key, fields: dict[str, object]) -> dict[str, object]:
    return fields if key.projects is not None else fields | {"projects": "all"}


def _end(text: str, now: Instant) -> Instant:
    """When a key is to expire.

    Raises:
        InvalidPeriodError: It cannot be understood.
    """
    if found := _LENGTH.fullmatch(text):
        return now + int(found[1]) * _DAYS[found[2]] * _DAY_MS
    try:
        return midnight(date.fromisoformat(text))
    except ValueError as error:
        message = f"{text!r} is no day to expire on; write 2027-02-01, 90d or 12w"
        raise InvalidPeriodError(message) from error

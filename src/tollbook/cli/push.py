"""``tollbook push``: tell a team's server what this ledger knows."""

from __future__ import annotations

import getpass
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click
import msgspec

from tollbook.cli.context import App, clock, with_app
from tollbook.cli.speak import EXIT_FOUND, warn
from tollbook.core.errors import ConfigError
from tollbook.formats.push import Sender
from tollbook.ledger.push import Progress, Pushed, no_progress, push
from tollbook.render.figures import plural
from tollbook.render.report_json import write_json
from tollbook.wiring import make_receiver

URL = "TOLLBOOK_URL"
KEY = "TOLLBOOK_KEY"


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line said. The names are those of the options."""

    url: str | None = None
    key: str | None = None
    user: str | None = None
    machine: str | None = None
    project: str | None = None
    again: bool = False
    as_json: bool = False


@click.command(
    name="push", epilog="Example: tollbook push https://tollbook.example.com"
)
@click.argument("url", required=False)
@click.option("--key", metavar="KEY", help=f"The server's key; better in {KEY}")
@click.option("--user", metavar="NAME", help="Whose it is; usually your login name")
@click.option("--machine", metavar="NAME", help="Where it is; usually the host's name")
@click.option("--project", metavar="ID", help="Send everything under this project")
@click.option("--again", is_flag=True, help="Send everything, also what was sent")
@click.option("--json", "as_json", is_flag=True, help="The counts as one JSON object")
@with_app
def command(app: App, /, **options: object) -> int:
    """Send what is new in the ledger to the server at URL, or at TOLLBOOK_URL."""
    asked = msgspec.convert(options, Given)
    return send(app, asked)


def send_on(app: App, *, as_json: bool) -> int:
    """Push behind a scan, with what the environment says; gives the exit code."""
    return send(app, Given(as_json=as_json))


def send(app: App, asked: Given) -> int:
    """Push, and say what came of it; gives the exit code.

    Raises:
        ConfigError: There is no address to push to.
        SourceError: The server cannot be reached, or will not listen.
    """
    url = asked.url or os.environ.get(URL, "")
    if not url.startswith(("http://", "https://")):
        text = f"push: {url!r} is no address; give the server's URL, or set {URL}"
        raise ConfigError(text)
    sender = Sender(
        user=asked.user or _login(),
        machine=asked.machine or socket.gethostname() or "unknown",
        project=asked.project,
    )
    key = os.environ.get(KEY, "") if asked.key is None else asked.key
    quiet = asked.as_json or not sys.stderr.isatty()
    with make_receiver(url, key) as receiver, _bar(app, quiet=quiet) as progress:
        found = push(
            app.store, receiver, sender, now=clock, again=asked.again, progress=progress
        )
    click.echo(_json(found) if asked.as_json else _text(found))
    for reason in found.reasons:
        warn(f"{url}: refused: {reason}")
    return EXIT_FOUND if found.refused or found.refused_others else 0


@contextmanager
def _bar(app: App, *, quiet: bool) -> Iterator[Progress]:
    """A bar while somebody is watching; it counts facts that have arrived."""
    if quiet:
        yield no_progress
        return
    there = app.store.health().batches
    with click.progressbar(length=there, label="sending", file=sys.stderr) as bar:
        yield lambda facts: bar.update(facts - bar.pos)


def _login() -> str | None:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name, in a container
        return None


def _json(found: Pushed) -> str:
    return write_json({"version": 1, **msgspec.to_builtins(found)})


def _text(found: Pushed) -> str:
    if not found.facts:
        return "nothing new to send"
    counts = (
        f"{plural(found.observations, 'observation')} sent = {found.added:,} added"
        f" + {found.repeated:,} repeated + {found.refused:,} refused"
    )
    if found.refused_others:
        counts += f"; {plural(found.refused_others, 'other fact')} refused"
    return counts

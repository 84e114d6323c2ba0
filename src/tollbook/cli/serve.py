"""``tollbook serve``: the server."""

from __future__ import annotations

import gc
import os
import socket
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

import click
import msgspec

from tollbook.cli.connect import claude_code, exports
from tollbook.cli.context import App, clock, with_app
from tollbook.cli.late import GRPC, RELAY, late
from tollbook.config import Config
from tollbook.core.errors import ConfigError
from tollbook.http.beside import Scanner
from tollbook.http.door import Door
from tollbook.http.exchange import Services
from tollbook.http.journal import Journal
from tollbook.http.listen import bind, is_open, shown
from tollbook.http.server import Work
from tollbook.http.station import Parts, run
from tollbook.ledger.intake import Intake
from tollbook.ledger.keyring import Keyring
from tollbook.ledger.keys import ensure_admin_key
from tollbook.ledger.projects import ProjectBook
from tollbook.places import ledger_path
from tollbook.ports import ControlStore
from tollbook.wiring import make_control, make_rater, make_store

_NEW_OBJECTS = 25_000  # before they are looked through for rubbish
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - to know it, not to listen there


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says."""

    host: str | None
    port: int | None
    grpc: bool
    grpc_port: int | None
    scan: bool
    relay: bool
    alone: bool = False  # the relay, and nothing else
    verbose: bool


@click.command(name="serve", epilog="Example: tollbook serve --scan")
@click.option("--host", metavar="ADDRESS", help="Where to listen; see server.host")
@click.option("--port", type=click.IntRange(0, 65_535), help="For HTTP; 0: a free one")
@click.option("--grpc", is_flag=True, help="OpenTelemetry over gRPC, too")
@click.option("--grpc-port", type=click.IntRange(0, 65_535), help="For gRPC")
@click.option("--scan", is_flag=True, help="Keep reading local transcripts")
@click.option("--relay", is_flag=True, help="Pass requests on to the Messages API, too")
@click.option("--verbose", is_flag=True, help="A line for each request, on stderr")
@with_app
def command(app: App, /, **options: object) -> None:
    """Take in what applications and Claude Code report, and answer questions.

    Only this machine is served until another address is named; then a key is needed.
    """
    serve(app, msgspec.convert(options, Wish))


def serve(app: App, wish: Wish) -> None:
    """Serve until told to end."""
    _collect_garbage()
    config = _config(app.config, wish)
    with ExitStack() as ends:
        listener = ends.enter_context(bind(config.server.host, config.server.port))
        grpc_place = _grpc_place(config) if wish.grpc else None
        control = make_control(config)
        ends.callback(control.close)
        parts = _parts(app, config, control, verbose=wish.verbose)
        if wish.relay:
            parts = _with_relay(parts, alone=wish.alone)
        key = _guard(control, parts.keyring, listener)
        greet = partial(click.echo, _greeting(parts, listener, grpc_place, key))
        works: list[Work] = []
        if wish.scan:
            works.append(Scanner(config.server.scan_seconds, parts.journal).run)
        if grpc_place is not None:
            works.append(partial(_answer_grpc, grpc_place, parts, greet))
        started = greet if grpc_place is None else _wait
        run(parts, listener, works=works, started=started)


def _collect_garbage() -> None:
    """Unlike other commands, this one stays.

    But what a batch is made of must not be looked through again and again meanwhile.
    """
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, 20, 20)
    gc.enable()


def _config(config: Config, wish: Wish) -> Config:
    """The settings, and above them the command line."""
    said = {"host": wish.host, "port": wish.port, "grpc_port": wish.grpc_port}
    server = msgspec.structs.replace(
        config.server, **{name: v for name, v in said.items() if v is not None}
    )
    return msgspec.structs.replace(config, server=server)


def _parts(app: App, config: Config, control: ControlStore, *, verbose: bool) -> Parts:
    intake = Intake(lambda: make_store(config, make_rater(config)), clock)
    keyring = Keyring(control)
    return Parts(
        services=Services(
            intake=intake,
            store=app.store,
            control=control,
            projects=ProjectBook(control),
            clock=clock,
            config=config,
        ),
        intake=intake,
        keyring=keyring,
        door=Door(keyring, clock),
        journal=Journal(verbose=verbose),
        folder=os.path.dirname(ledger_path()),
    )


def _with_relay(parts: Parts, *, alone: bool) -> Parts:
    relaying = late(RELAY).make_relaying(
        parts.services, parts.folder, parts.journal, alone=alone
    )
    return msgspec.structs.replace(parts, relaying=relaying)


def _guard(
    control: ControlStore, keyring: Keyring, listener: socket.socket
) -> str | None:
    """See that nobody else gets in without a key; gives the first one, if it was made.

    Raises:
        ConfigError: Other machines could come in, and no key is in force.
    """
    if not is_open(listener):
        return None
    made = ensure_admin_key(control, now=clock())
    if made is None and not keyring.opens(now=clock()):
        text = (
            "other machines could reach the ledger, and no key is in force; make one "
            "with `tollbook key create`, or listen on 127.0.0.1"
        )
        raise ConfigError(text)
    return None if made is None else made[1]


def _grpc_place(config: Config) -> str:
    """Where gRPC will be answered, once it is sure that it can be.

    Raises:
        ConfigError: It cannot: the package lacks, or the port is taken.
    """
    try:
        late(GRPC)
    except ModuleNotFoundError as error:
        text = f"--grpc needs the package {error.name}; install tollbook[grpc]"
        raise ConfigError(text) from error
    host = config.server.host
    with bind(host, config.server.grpc_port, option="--grpc-port") as probe:
        return shown(host, probe.getsockname()[1])


def _wait() -> None:
    """Say nothing yet: gRPC does when it answers, too."""


async def _answer_grpc(place: str, parts: Parts, greet: Callable[[], None]) -> None:
    server = await late(GRPC).listen(place, parts.services, parts.door, parts.journal)
    greet()
    try:
        await server.wait_for_termination()
    finally:
        await server.stop(parts.services.config.server.drain_seconds)


def _greeting(
    parts: Parts, listener: socket.socket, grpc_place: str | None, key: str | None
) -> str:
    """Where it listens and what to do next; ends with an empty line."""
    host = parts.services.config.server.host
    name = socket.gethostname() if host in _EVERYWHERE else host
    url = f"http://{shown(name, listener.getsockname()[1])}"
    lines = [f"listening on {url}"]
    if grpc_place is not None:
        lines.append(f"OpenTelemetry over gRPC on {grpc_place}")
    if key is not None:
        lines.append(f"the first key, which may do everything, shown only now: {key}")
    relaying = parts.relaying
    guarded = parts.keyring.guards(now=clock())
    if relaying is not None:
        lines += _relay_greeting(url, guarded=guarded)
    if relaying is None or not relaying.alone:
        lines += _reporting_greeting(url, guarded=guarded)
    return "\n".join([*lines, ""])


def _reporting_greeting(url: str, *, guarded: bool) -> list[str]:
    """What makes Claude Code report."""
    if guarded:
        return [
            "What makes Claude Code report to it, with a key of its own:",
            "  tollbook key create claude-code --scope ingest",
            f"  tollbook connect claude-code --url {url} --key -",
        ]
    return [
        "What makes Claude Code report to it:",
        *(f"  {line}" for line in exports(claude_code(url)).splitlines()),
    ]


def _relay_greeting(url: str, *, guarded: bool) -> list[str]:
    """What makes programs send their requests through the relay."""
    lines = ["What sends requests through it, with a key of ours instead of theirs:"]
    if not guarded:
        lines.append("  tollbook key create NAME --scope relay")
    return [
        *lines,
        f"  export ANTHROPIC_BASE_URL={url}",
        "  export ANTHROPIC_API_KEY=tb_...",
    ]

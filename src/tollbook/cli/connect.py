"""``tollbook connect``: what makes other programs report to a server."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlsplit

import click

from tollbook.cli.speak import spoken
from tollbook.core.errors import ConfigError
from tollbook.ledger.keys import parse_key
from tollbook.render.report_json import write_json

Protocol = Literal["http/protobuf", "http/json", "grpc"]
PROTOCOLS: tuple[Protocol, ...] = ("http/protobuf", "http/json", "grpc")
HTTP_URL = "http://127.0.0.1:4318"
GRPC_URL = "http://127.0.0.1:4317"


def claude_code(
    url: str, protocol: Protocol = "http/protobuf", key: str | None = None
) -> dict[str, str]:
    """The environment in which Claude Code reports its requests and totals.

    Prompts, answers and tool input stay where they are: nothing here turns them on.
    """
    environment = {
        "CLAUDE_CODE_ENABLE_TELEMETRY": "1",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_LOGS_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_EXPORTER_OTLP_ENDPOINT": url,
    }
    if (
        key is not None
    ):  # in lower case for gRPC; over HTTP it is sent as it stands here
        environment["OTEL_EXPORTER_OTLP_HEADERS"] = f"authorization=Bearer {key}"
    return environment


def exports(environment: Mapping[str, str]) -> str:
    """Lines for a shell."""
    return "\n".join(
        f"export {name}={shlex.quote(value)}" for name, value in environment.items()
    )


@click.group(name="connect", epilog="Example: tollbook connect claude-code")
def command() -> None:
    """Print what makes a program report to a server.

    `tollbook connect claude-code` prints the environment of Claude Code.
    """


@command.command(
    name="claude-code",
    epilog="Example: tollbook connect claude-code --url https://ledger.example",
)
@click.option("--url", metavar="URL", help=f"The server; {HTTP_URL} unless given")
@click.option("--key", metavar="KEY", help="A key with the scope ingest; - reads it")
@click.option(
    "--protocol",
    type=click.Choice(PROTOCOLS),
    default=PROTOCOLS[0],
    help="How to report; http/protobuf unless given",
)
@click.option("--json", "as_json", is_flag=True, help='As "env" of a settings.json')
def claude_code_command(
    url: str | None, key: str | None, protocol: Protocol, *, as_json: bool
) -> None:
    """Print the environment in which Claude Code reports to a server."""
    with spoken():
        usual = GRPC_URL if protocol == "grpc" else HTTP_URL
        environment = claude_code(_url(url or usual), protocol, _key(key))
        if as_json:
            click.echo(write_json({"env": environment}))
        else:
            click.echo(exports(environment))


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        usable = parts.hostname and parts.port != 0 and text.isprintable()
    except ValueError:
        usable = False
    else:
        plain = not (parts.query or parts.fragment or parts.username or " " in text)
        usable = usable and plain and parts.scheme in ("http", "https")
    if not usable:
        message = f"--url {text!r}: write it like {HTTP_URL}"
        raise ConfigError(message)
    return text.rstrip("/")


def _key(text: str | None) -> str | None:
    """A key, from the command line or, not to be seen in the list of processes, read."""
    if text == "-":
        text = sys.stdin.readline().strip()
    if text is not None and not parse_key(text)[0]:
        message = "--key: is no key; it looks like tb_..., see `tollbook key create`"
        raise ConfigError(message)
    return text

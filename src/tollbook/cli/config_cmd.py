"""``tollbook config``: the settings, their origins, and a file to begin with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from tollbook.cli.forms import AS_CSV, AS_JSON, forms, say_csv
from tollbook.cli.speak import spoken
from tollbook.config import load_config
from tollbook.core.errors import ConfigError
from tollbook.places import ledger_path, settings_path
from tollbook.render.columns import columns
from tollbook.render.report_json import write_json

EXAMPLE = """\
# The settings of tollbook. Every line is optional; take away its # to use it.
# https://toml.io; `tollbook config` shows what is in force and where it comes from.

[sources]
#roots = ["~/backup/claude", "/srv/shared/.claude"]  # besides the usual folders

[display]
#timezone = "Europe/Zurich"  # where days begin; else the system's
#week_start = "monday"
#currency = "EUR"            # shown instead of dollars,
#rate = "0.92"               # at this fixed rate: euros for one dollar

#[plan]                      # a subscription, held against the list value
#name = "Max"
#price_usd_per_month = "100"
#from = 2026-10-01
#to = 2027-01-01             # the first day without it

#[[prices.terms]]            # what you pay where it is not the list price
#model = "opus"              # a model, a family, or "*"
#start = 2026-10-01
#end = 2027-10-01            # the first day without it
#discount = "0.15"           # 15 % off the list
# or: rates = { uncached_input_tokens = "3.40", output_tokens = "17" }

[prices.aliases]
#"arn:aws:bedrock:us-east-1:1:application-inference-profile/x" = "claude-opus-5-5"

[projects.aliases]
#"/home/me/work/shop" = "shop"

[projects.groups]
#customer = ["shop", "shop-api"]

#[import.billing]            # `tollbook import FILE --map billing`: field = "column"
#model = "Model"
#timestamp = "Time"
#"tags.team" = "Team"

[server]                     # `tollbook serve`
#host = "127.0.0.1"          # only this machine
#port = 4318
#grpc_port = 4317
#hosts = ["ledger.example"]  # names it is known by
#scan_seconds = 30
#bodies_bytes_max = 67108864 # of all requests at one time
#connections_max = 1000
#head_seconds = 10           # how long a client may take
#body_seconds = 10
#idle_seconds = 75
#drain_seconds = 10          # for what is under way at the end

[relay]                      # `tollbook relay`
#fail_open = false           # true: pass on what could not be written down first
#write_seconds = 5           # how long a request may wait for that
#body_bytes_max = 33554432
#connect_seconds = 10        # how long an upstream may take
#silence_seconds = 600
#cool_seconds = 30           # how long an account rests after 429 and 529
#drain_seconds = 60          # of an answer whose client has gone
#drain_bytes_max = 16777216
#drains_max = 100

#[upstreams.anthropic]       # where it sends requests; this one is there by itself
#base_url = "https://api.anthropic.com"
#auth = "x-api-key"          # or "bearer"
#on_missing = "flag"         # streams without usage: or "count", or "nonstream"
#models = ["claude-*"]       # what it takes; without: all
#projects = ["shop"]
#keys = ["ci"]
#set_headers = { "x-team" = "shop" }
#drop_headers = ["x-app"]
#betas = ["context-1m-2025-08-07"]
#paths = ["GET /v1/files/*"] # more that may pass

#[upstreams.anthropic.accounts.main]
#key_env = "ANTHROPIC_API_KEY"
#[upstreams.anthropic.accounts.spare]
#key_file = "/run/secrets/anthropic"
"""


@click.group(
    name="config",
    invoke_without_command=True,
    epilog="Example: TOLLBOOK_TIMEZONE=UTC tollbook config",
)
@forms(json="As one JSON object", csv="a row for each setting")
@click.pass_context
def command(ctx: click.Context, *, form: str) -> None:
    """Show the settings in force and where each comes from.

    `tollbook config path` says which file is read; `tollbook config init` writes one
    with every setting explained.
    """
    if ctx.invoked_subcommand is None:
        with spoken():
            if form == AS_CSV:
                rows = ({"setting": n, "value": v, "from": o} for n, v, o in _texts())
                say_csv(("setting", "value", "from"), rows)
            else:
                click.echo(_json() if form == AS_JSON else _text())


@command.command(name="path", epilog="Example: tollbook config path")
def path_command() -> None:
    """Say which file is read."""
    click.echo(settings_path())


@command.command(name="init", epilog="Example: tollbook config init")
def init_command() -> None:
    """Write a file with every setting as a comment; an existing one is left alone."""
    with spoken():
        path = Path(settings_path())
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
                file.write(EXAMPLE)
        except OSError as error:
            text = f"{path}: cannot be written ({error.strerror}); set TOLLBOOK_HOME"
            if isinstance(error, FileExistsError) and path.exists():
                text = f"{path}: is there already and was left alone; edit it"
            raise ConfigError(text) from error
        click.echo(path)


def _values() -> Iterator[tuple[str, object, str]]:
    """Name, value and origin of every setting."""
    loaded = load_config()
    for table, fields in msgspec.to_builtins(loaded.config).items():
        for key, value in (fields or {}).items():
            name = f"{table}.{key}"
            inner = [origin for n, origin in loaded.origins.items() if _is(n, name)]
            yield name, value, inner[0] if inner else "default"


def _texts() -> Iterator[tuple[str, str, str]]:
    """The same, values as JSON."""
    for name, value, origin in _values():
        yield name, msgspec.json.encode(value).decode(), origin


def _is(stated: str, name: str) -> bool:
    return stated == name or stated.startswith(f"{name}.")


def _json() -> str:
    document = {
        "version": 1,
        "path": settings_path(),
        "ledger": ledger_path(),
        "settings": {n: {"value": v, "from": o} for n, v, o in _values()},
    }
    return write_json(document)


def _text() -> str:
    rows = list(_texts())
    there = "" if Path(settings_path()).exists() else " (not there; `config init`)"
    places = [("settings", settings_path() + there), ("ledger", ledger_path())]
    table = columns(("setting", "value", "from"), rows)
    return "\n".join([columns(("", ""), places), "", table])

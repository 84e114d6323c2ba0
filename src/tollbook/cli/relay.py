"""``tollbook relay``: the relay, and nothing beside it."""

from __future__ import annotations

import click

from tollbook.cli.context import App, with_app
from tollbook.cli.serve import Wish, serve


@click.command(name="relay", epilog="Example: ANTHROPIC_API_KEY=... tollbook relay")
@click.option("--host", metavar="ADDRESS", help="Where to listen; see server.host")
@click.option("--port", type=click.IntRange(0, 65_535), help="For HTTP; 0: a free one")
@click.option("--verbose", is_flag=True, help="A line for each request, on stderr")
@with_app
def command(app: App, /, *, host: str | None, port: int | None, verbose: bool) -> None:
    """Pass requests on to the Messages API, and write down what each one used.

    Clients send a key of ours with the scope relay; it is exchanged for the upstream's.
    The settings [upstreams] say where requests go, see `tollbook config`.
    """
    serve(
        app,
        Wish(
            host=host,
            port=port,
            grpc=False,
            grpc_port=None,
            scan=False,
            relay=True,
            alone=True,
            verbose=verbose,
        ),
    )

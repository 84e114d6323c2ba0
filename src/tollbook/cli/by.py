"""``tollbook by``: what it cost, by anything the ledger knows."""

from __future__ import annotations

import click

from tollbook.cli.answer import answer
from tollbook.cli.context import App, with_app
from tollbook.cli.options import Dimension, report_options


@click.command(name="by", epilog="Example: tollbook by tool --since week --model opus")
@click.argument("dimension", metavar="DIM", type=Dimension())
@report_options
@with_app
def command(app: App, /, *, dimension: str, **options: object) -> None:
    """What it cost by DIM: branch, agent, tool, weekday, user, app, tag:NAME, ...

    A response that called several tools is counted once, under all of their names
    together, so that the lines add up.
    """
    answer(app, options, name="by", dimension=dimension)

"""``tollbook by``: what it cost, by anything the ledger knows."""

from __future__ import annotations

import click

from tollbook.cli.answer import answer
from tollbook.cli.context import App, with_app
from tollbook.cli.options import report_options
from tollbook.core.report import DIMENSIONS


@click.command(name="by", epilog="Example: tollbook by tool --since week --model opus")
@click.argument("dimension", metavar="DIM", type=click.Choice(DIMENSIONS))
@report_options
@with_app
def command(app: App, /, *, dimension: str, **options: object) -> None:
    """What it cost by DIM: branch, family, agent, skill, tool, group, weekday, ...

    A response that called several tools is counted once, under all of their names
    together, so that the lines add up.
    """
    answer(app, options, name="by", dimension=dimension)

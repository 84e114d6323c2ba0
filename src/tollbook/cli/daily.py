"""``tollbook daily``: what every local day cost."""

from __future__ import annotations

import click

from tollbook.cli.answer import answer
from tollbook.cli.context import App, with_app
from tollbook.cli.options import report_options


@click.command(name="daily", epilog="Example: tollbook daily --since 7d --breakdown")
@report_options
@with_app
def command(app: App, /, **options: object) -> None:
    """What every day cost, in your time zone."""
    answer(app, options, name="daily", dimension="day")

"""``tollbook monthly``: what every month cost."""

from __future__ import annotations

import click

from tollbook.cli.answer import answer
from tollbook.cli.context import App, with_app
from tollbook.cli.options import report_options


@click.command(name="monthly", epilog="Example: tollbook monthly --since year --csv")
@report_options
@with_app
def command(app: App, /, **options: object) -> None:
    """What every calendar month cost."""
    answer(app, options, name="monthly", dimension="month")

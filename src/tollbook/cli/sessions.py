"""``tollbook sessions``: what every conversation cost."""

from __future__ import annotations

import click

from tollbook.cli.answer import answer
from tollbook.cli.context import App, with_app
from tollbook.cli.options import report_options


@click.command(
    name="sessions", epilog="Example: tollbook sessions --since today --sort cost"
)
@report_options
@with_app
def command(app: App, /, **options: object) -> None:
    """What every conversation cost, the latest last."""
    answer(app, options, name="sessions", dimension="session")

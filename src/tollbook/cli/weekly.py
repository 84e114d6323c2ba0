"""``tollbook weekly``: what every week cost."""

from __future__ import annotations

import click

from tollbook.cli.answer import answer
from tollbook.cli.context import App, with_app
from tollbook.cli.options import report_options


@click.command(name="weekly", epilog="Example: tollbook weekly --since 3m --json")
@report_options
@with_app
def command(app: App, /, **options: object) -> None:
    """What every week cost, by its first day."""
    answer(app, options, name="weekly", dimension="week")

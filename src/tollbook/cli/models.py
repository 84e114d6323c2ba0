"""``tollbook models``: what every model cost."""

from __future__ import annotations

import click

from tollbook.cli.answer import answer
from tollbook.cli.context import App, with_app
from tollbook.cli.options import report_options


@click.command(
    name="models", epilog="Example: tollbook models --since 30d --sort tokens"
)
@report_options
@with_app
def command(app: App, /, **options: object) -> None:
    """What every model cost, the dearest first."""
    answer(app, options, name="models", dimension="model")

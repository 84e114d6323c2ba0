"""``tollbook projects``: what every project cost."""

from __future__ import annotations

import click

from tollbook.cli.answer import answer
from tollbook.cli.context import App, with_app
from tollbook.cli.options import report_options


@click.command(
    name="projects", epilog="Example: tollbook projects --since month --breakdown model"
)
@report_options
@with_app
def command(app: App, /, **options: object) -> None:
    """What every project cost, the dearest first."""
    answer(app, options, name="projects", dimension="project")

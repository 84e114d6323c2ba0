"""``tollbook blocks``: what every five-hour window of use cost."""

from __future__ import annotations

from datetime import timedelta

import click
import msgspec

from tollbook.cli.answer import ink, say
from tollbook.cli.context import App, with_app
from tollbook.cli.options import (
    books_of,
    breakdown_option,
    display_of,
    filter_options,
    given,
    order_option,
    question_of,
)
from tollbook.ledger.blocks import load_blocks
from tollbook.render.blocks import blocks_csv, blocks_document, blocks_text
from tollbook.render.report_json import write_json

_RECENT = timedelta(days=2)  # and today: three days


@click.command(name="blocks", epilog="Example: tollbook blocks --active")
@click.option("--active", is_flag=True, help="Only the window that is not over")
@click.option("--recent", is_flag=True, help="Only those of the last three days")
@order_option
@breakdown_option
@filter_options
@with_app
def command(app: App, /, *, active: bool, recent: bool, **options: object) -> None:
    """What every five-hour window of use cost, and where the present one leads.

    A window begins at the full hour of the first response after the last window.
    """
    asked = given(options)
    question = question_of(app, asked, name="blocks", dimension="block")
    if active or recent:
        since = question.today - _RECENT
        first = max(since, question.since or since)
        question = msgspec.structs.replace(question, since=first)
    app.refresh(quiet=asked.as_json or asked.as_csv)
    now = app.now if active else None
    report, blocks = load_blocks(books_of(app, question), question, now=app.now, at=now)
    report = msgspec.structs.replace(report, display=display_of(app))
    if asked.order == "desc":
        blocks.reverse()
    if asked.as_json:
        click.echo(write_json(blocks_document(report, blocks)))
    elif asked.as_csv:
        click.echo(blocks_csv(report, blocks), nl=False)
    else:
        say(blocks_text(report, blocks, ink()))

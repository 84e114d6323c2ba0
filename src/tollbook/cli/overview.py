"""``tollbook``: today, this week, this month, the trend, and where it goes."""

from __future__ import annotations

import click
import msgspec

from tollbook.cli.answer import in_order, ink, say
from tollbook.cli.context import App, with_app
from tollbook.cli.options import (
    books_of,
    display_of,
    given,
    question_of,
    report_options,
)
from tollbook.ledger.overview import load_overview
from tollbook.render.overview import overview_document, overview_text
from tollbook.render.report_csv import report_csv
from tollbook.render.report_json import write_json


@click.command(
    name="overview", epilog="Example: tollbook overview --since month --model opus"
)
@report_options
@with_app
def command(app: App, /, **options: object) -> None:
    """Today, this week, this month, the last 30 days, the dearest projects and models.

    --since and --until bound the trend and what stands below it; --sort and --order
    say which projects and models stand first.
    """
    asked = given(options)
    question = question_of(app, asked, name="overview", dimension="period")
    app.refresh(quiet=asked.as_json or asked.as_csv)
    found = load_overview(books_of(app, question), question)
    display = display_of(app)
    report = msgspec.structs.replace(found.report, display=display)
    tops = [
        msgspec.structs.replace(top, lines=in_order(top, asked), display=display)
        for top in (found.projects, found.models)
    ]
    if asked.as_json:
        click.echo(write_json(overview_document(report, found.trend, tops)))
    elif asked.as_csv:
        click.echo(report_csv(report), nl=False)
    else:
        say(overview_text(report, found.trend, tops, ink()))

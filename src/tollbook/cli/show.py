"""``tollbook show``: one session or response, down to file and line."""

from __future__ import annotations

import click

from tollbook.cli.context import App, no_scan_option, timezone_option, with_app
from tollbook.cli.forms import AS_CSV, AS_JSON, AS_TEXT, forms, say_csv
from tollbook.cli.show_text import response_text, session_text
from tollbook.ledger.show import SessionView, find
from tollbook.ledger.show_json import response_document, session_document, show_table
from tollbook.render.report_json import write_json


@click.command(name="show", epilog="Example: tollbook show 4bc1a0de")
@click.argument("name", metavar="SESSION|RESPONSE")
@forms(csv="a row for each response of a session, each price line of a response")
@timezone_option
@no_scan_option
@with_app
def command(app: App, name: str, *, form: str) -> None:
    """Show a session by the beginning of its id, or a response by its id.

    A response's id is a message id (msg_...) or a request id (req_...).
    """
    app.refresh(quiet=form != AS_TEXT)
    found = find(app.store, app.rater, name)
    if form == AS_CSV:
        say_csv(*show_table(found))
    elif isinstance(found, SessionView):
        if form == AS_JSON:
            click.echo(write_json(session_document(found)))
        else:
            click.echo("\n".join(session_text(found, app.zone)))
    elif form == AS_JSON:
        click.echo(write_json(response_document(found.responses, more=found.more)))
    else:
        pages = ["\n".join(response_text(v, app.zone)) for v in found.responses]
        if found.more:
            pages.append(f"these are the latest {len(pages)}; older ones are not shown")
        click.echo("\n\n".join(pages))

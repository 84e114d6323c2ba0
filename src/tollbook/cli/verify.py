"""``tollbook verify``: derive everything again and compare."""

from __future__ import annotations

import click
import msgspec

from tollbook.cli.context import App, with_app
from tollbook.cli.forms import AS_CSV, AS_JSON, forms, say_csv
from tollbook.cli.speak import EXIT_FOUND
from tollbook.ledger.verify import Verification, verify
from tollbook.render.figures import plural
from tollbook.render.report_json import write_json
from tollbook.render.safe import safe


@click.command(name="verify", epilog="Example: tollbook verify --repair")
@click.option("--repair", is_flag=True, help="Keep what was derived anew")
@forms(json="The result as one JSON object", csv="a row for each difference")
@with_app
def command(app: App, *, repair: bool, form: str) -> int:
    """Hold every stored event and total against the facts, and say what differs.

    Ends with 1 when something does, unless it was repaired.
    """
    found = verify(app.store, repair=repair)
    if form == AS_JSON:
        document = {"version": 1, **msgspec.to_builtins(found)}
        click.echo(write_json(document))
    elif form == AS_CSV:
        say_csv(("difference",), ({"difference": each} for each in found.differences))
    else:
        click.echo(_text(found))
    return EXIT_FOUND if found.differences and not repair else 0


def _text(found: Verification) -> str:
    responses = plural(found.responses, "response")
    calls = plural(found.unrecorded_calls, "unrecorded call")
    batches = plural(found.batches, "batch", "batches")
    lines = [
        f"compared {responses}, all totals and {calls}",
        f"with {batches} of facts, each checked for damage",
        *(f"differs: {safe(text)}" for text in found.differences),
    ]
    if not found.differences:
        lines.append("everything agrees")
    if found.repaired:
        lines.append("everything was derived anew and stored")
    elif found.differences:
        lines.append("the facts are whole; `tollbook verify --repair` derives the rest")
    return "\n".join(lines)

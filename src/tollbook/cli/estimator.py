"""``tollbook estimator``: how tokens are estimated where nobody counted them."""

from __future__ import annotations

import click

from tollbook.cli.context import App, no_scan_option, with_app
from tollbook.core.estimator import RULES
from tollbook.ledger.estimating import make_estimating
from tollbook.ledger.naming import Naming
from tollbook.render.report_json import write_json
from tollbook.render.review import fit_fields, fits_table

_EMPTY = (
    "no response is known with both its length and its count: estimates use published"
    " rates; the relay notes lengths"
)


@click.group(name="estimator", epilog="Example: tollbook estimator report")
def command() -> None:
    """Look at how tokens are estimated where nobody counted them."""


@command.command(name="report", epilog="Example: tollbook estimator report --json")
@click.option("--json", "as_json", is_flag=True, help="As JSON")
@no_scan_option
@with_app
def report_command(app: App, *, as_json: bool) -> None:
    """Show each model's characters per token, and how far off they were.

    Each known response is estimated by a fit that has not seen it.
    """
    app.refresh(quiet=as_json)
    naming = Naming(lambda raw: app.rater.model(raw, app.now), app.store.labels())
    fits = make_estimating(app.store, naming, app.rater).fits
    if as_json:
        rows = [fit_fields(name, each) for name, each in fits.items()]
        click.echo(write_json({"version": 1, "rules": RULES, "rows": rows}))
    else:
        click.echo(fits_table(fits) if fits else _EMPTY)

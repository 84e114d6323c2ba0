"""``tollbook probe``: what an upstream reports."""

from __future__ import annotations

import click
import msgspec

from tollbook.cli.late import PROBE, late
from tollbook.cli.speak import EXIT_FOUND, spoken
from tollbook.config import load_config
from tollbook.render.columns import columns
from tollbook.render.report_json import write_json

_MODEL = "claude-haiku-5-5"


@click.command(name="probe", epilog="Example: tollbook probe anthropic")
@click.argument("upstream")
@click.option("--model", default=_MODEL, help=f"Whom to ask; {_MODEL} unless given")
@click.option("--json", "as_json", is_flag=True, help="As one JSON object")
def command(upstream: str, model: str, *, as_json: bool) -> int:
    """Ask an upstream a few tiny requests, and say what it reports of their use.

    UPSTREAM is a name from the settings, or anthropic. This costs a few tokens. Ends with
    1 when something is wrong.
    """
    with spoken():
        finding = late(PROBE).probe(load_config().config, upstream, model)
        if as_json:
            click.echo(write_json({"version": 1} | msgspec.to_builtins(finding)))
        else:
            rows = [
                (
                    trial.way,
                    str(trial.status or "-"),
                    trial.state or "-",
                    ", ".join(trial.seen_in) or "-",
                    ", ".join(trial.lacked) or "-",
                    trial.error or "",
                )
                for trial in finding.trials
            ]
            head = ("asked", "status", "state", "usage in", "lacked in", "error")
            click.echo(columns(head, rows))
            click.echo(f"\n{finding.upstream}: {finding.verdict}")
        return 0 if finding.sound else EXIT_FOUND

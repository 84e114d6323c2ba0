"""``tollbook problems``: what could not be read, and why."""

from __future__ import annotations

from collections import Counter

import click
import msgspec

from tollbook.cli.context import App, no_scan_option, with_app
from tollbook.core.problem import Problem
from tollbook.render.columns import columns
from tollbook.render.report_csv import write_csv
from tollbook.render.report_json import write_json
from tollbook.render.safe import safe


@click.command(
    name="problems", epilog="Example: tollbook problems --code line-not-json"
)
@click.option("--code", metavar="CODE", help="Only problems with this code")
@click.option("--json", "as_json", is_flag=True, help="As JSON, with counts by code")
@click.option("--csv", "as_csv", is_flag=True, help="As CSV")
@no_scan_option
@with_app
def command(app: App, code: str | None, *, as_json: bool, as_csv: bool) -> None:
    """List the input that could not be used: where it is, what is wrong, what to do."""
    app.refresh(quiet=as_json or as_csv)
    found = [p for p in app.store.problems() if code is None or p.code == code]
    if as_json:
        click.echo(_json(found))
    elif as_csv:
        rows = [msgspec.to_builtins(problem) for problem in found]
        click.echo(write_csv(Problem.__struct_fields__, rows), nl=False)
    elif found:
        click.echo(_text(found))
    elif code is not None:
        click.echo(f"no problem has the code {safe(code)!r}")
    else:
        click.echo("no problems: everything that was found could be read")


def _counts(found: list[Problem]) -> list[tuple[str, int]]:
    return sorted(Counter(problem.code for problem in found).items())


def _json(found: list[Problem]) -> str:
    document = {"version": 1, "counts": dict(_counts(found)), "rows": found}
    return write_json(document)


def _text(found: list[Problem]) -> str:
    lines = []
    for problem in found:
        place = f"{problem.origin}:{problem.line}" if problem.line else problem.origin
        lines += [safe(place), f"  {safe(problem.code)}: {safe(problem.message)}"]
    counts = [(code, f"{number:,}") for code, number in _counts(found)]
    table = columns(("problem", "count"), counts, right=("count",))
    return "\n".join([*lines, "", table])

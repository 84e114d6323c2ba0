"""``tollbook problems``: what could not be read, and why."""

from __future__ import annotations

from collections import Counter

import click
import msgspec

from tollbook.cli.context import App, no_scan_option, with_app
from tollbook.cli.forms import AS_CSV, AS_JSON, AS_TEXT, forms, say_csv
from tollbook.core.errors import NothingMatchesError
from tollbook.core.observation import Instant
from tollbook.core.problem import Problem
from tollbook.render.columns import columns
from tollbook.render.fields import moment
from tollbook.render.figures import plural
from tollbook.render.report_json import write_json
from tollbook.render.safe import safe

_ALL = "all"
Listed = list[tuple[Problem, Instant | None]]
"""Problems, and when each was acknowledged."""


@click.command(
    name="problems", epilog="Example: tollbook problems --code line-not-json"
)
@click.option("--code", metavar="CODE", help="Only problems with this code")
@click.option(
    "--acknowledge",
    metavar="ORIGIN",
    help="Take note of a file's problems, or of all: they are listed no more",
)
@click.option("--all", "with_known", is_flag=True, help="Those you took note of, too")
@forms(json="As JSON, with counts by code", csv="a row for each problem")
@no_scan_option
@with_app
def command(
    app: App,
    code: str | None,
    acknowledge: str | None,
    *,
    with_known: bool,
    form: str,
) -> None:
    """List the input that could not be used: where it is, what is wrong, what to do.

    What you acknowledge (a file that is gone, say) no longer counts as a problem; it
    comes back when the file is read again and the problem has been away.
    """
    app.refresh(quiet=form != AS_TEXT)
    count = None if acknowledge is None else _acknowledge(app, acknowledge)
    found = [
        each
        for each in _listed(app, with_known=with_known)
        if code in (None, each[0].code)
    ]
    if form == AS_JSON:
        click.echo(_json(found))
    elif form == AS_CSV:
        titles = (*Problem.__struct_fields__, "acknowledged_at")
        say_csv(titles, map(_fields, found))
    elif count is not None:
        click.echo(f"took note of {plural(count, 'problem')}")
    elif found:
        click.echo(_text(found))
    elif code is not None:
        click.echo(f"no problem has the code {safe(code)!r}")
    else:
        click.echo("no problems: everything that was found could be read")


def _acknowledge(app: App, origin: str) -> int:
    """Take note of problems; how many were news."""
    count = app.store.acknowledge(None if origin == _ALL else origin, now=app.now)
    known = {problem.origin for problem, _ in app.store.acknowledged()}
    if origin not in {_ALL, *known}:
        text = f"{safe(origin)}: no problem has this origin; `tollbook problems` lists them"
        raise NothingMatchesError(text)
    return count


def _listed(app: App, *, with_known: bool) -> Listed:
    news: Listed = [(problem, None) for problem in app.store.problems()]
    return sorted([*news, *app.store.acknowledged()]) if with_known else news


def _fields(listed: tuple[Problem, Instant | None]) -> dict[str, object]:
    problem, at = listed
    return {**msgspec.structs.asdict(problem), "acknowledged_at": moment(at)}


def _counts(found: Listed) -> list[tuple[str, int]]:
    return sorted(Counter(problem.code for problem, _ in found).items())


def _json(found: Listed) -> str:
    rows = [_fields(each) for each in found]
    document = {"version": 1, "counts": dict(_counts(found)), "rows": rows}
    return write_json(document)


def _text(found: Listed) -> str:
    lines = []
    for problem, at in found:
        place = f"{problem.origin}:{problem.line}" if problem.line else problem.origin
        lines += [safe(place), f"  {safe(problem.code)}: {safe(problem.message)}"]
        if at is not None:
            lines.append(f"  acknowledged {moment(at)}")
    counts = [(code, f"{number:,}") for code, number in _counts(found)]
    table = columns(("problem", "count"), counts, right=("count",))
    return "\n".join([*lines, "", table])

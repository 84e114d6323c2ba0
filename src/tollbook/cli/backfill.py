"""``tollbook backfill``: fill what requests lack, and take it back."""

from __future__ import annotations

import os
from secrets import token_hex
from typing import Literal

import click
import msgspec

from tollbook.cli.answer import say
from tollbook.cli.backfill_steps import (
    Pending,
    ask_for_each,
    from_file,
    from_words,
    login,
)
from tollbook.cli.context import App, no_scan_option, timezone_option, with_app
from tollbook.cli.speak import EXIT_FOUND, warn
from tollbook.core.adjustment import PERSON, Author
from tollbook.ledger.backfill import Desk, adjustments, apply, undoing
from tollbook.render.backfill import (
    adjustment_fields,
    adjustments_table,
    change_fields,
    changes_table,
    done,
)
from tollbook.render.report_json import write_json

_BY_HAND = "typed in"


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line said. The names are those of the options."""

    file: str | None = None
    maps: tuple[str, ...] = ()
    window: int = 5
    response: str | None = None
    counts: tuple[str, ...] = ()
    evidence: Literal["reported", "apportioned", "estimated"] = "reported"
    why: str | None = None
    who: str | None = None
    dry_run: bool = False
    listing: bool = False
    undo: str | None = None
    as_json: bool = False


@click.command(
    name="backfill", epilog="Example: tollbook backfill console.csv --dry-run"
)
@click.argument("file", required=False, metavar="[FILE|-]")
@click.option(
    "--map",
    "maps",
    multiple=True,
    metavar="FIELD=COLUMN,...",
    help="Which column of the console's file holds which field; may be repeated",
)
@click.option(
    "--window",
    type=click.IntRange(0, 3600),
    default=5,
    metavar="SECONDS",
    help="How far the console's clock may be off, where no id matches; 5 unless given",
)
@click.option("--response", metavar="ID", help="Fill this request, with --set")
@click.option(
    "--set",
    "counts",
    multiple=True,
    metavar="UNIT=COUNT",
    help="A count of it, e.g. output_tokens=640; may be repeated",
)
@click.option(
    "--evidence",
    type=click.Choice(["reported", "apportioned", "estimated"]),
    default="reported",
    help="How good counts set by hand are; the provider's own unless given",
)
@click.option("--why", metavar="TEXT", help="What it is based on, kept with it")
@click.option(
    "--by", "who", metavar="NAME", help="Who says so; usually your login name"
)
@click.option("--dry-run", is_flag=True, help="Show what would change; store nothing")
@click.option("--list", "listing", is_flag=True, help="List what was filled before")
@click.option("--undo", metavar="ID", help="Take back an adjustment, or all of its run")
@click.option("--json", "as_json", is_flag=True, help="As JSON")
@timezone_option
@no_scan_option
@with_app
def command(app: App, /, **options: object) -> int:
    """Fill what flagged requests lack: from a console's FILE, by hand, or one by one.

    Without a FILE, and without --response, it asks about each request in turn. What
    changes is kept with who, when, why and from what, and can be taken back.
    """
    asked = msgspec.convert(options, Given)
    _hold(asked)
    if asked.listing:
        return _list(app, asked)
    app.refresh(quiet=asked.as_json)
    author = _author(app, asked)
    if asked.undo is not None:
        changes = undoing(app.store, asked.undo, author, app.rater)
        origin = _BY_HAND
        pending = Pending(changes=changes)
    else:
        desk = Desk(author, app.rater)
        origin = os.path.abspath(asked.file) if asked.file else _BY_HAND
        pending = _pending(app, asked, desk)
    return _finish(app, asked, pending, origin=origin, run=author.run)


def _hold(asked: Given) -> None:
    """Refuse a command line that asks for two things at once."""
    chosen = (asked.file, asked.response, asked.undo, asked.listing or None)
    if sum(each is not None for each in chosen) > 1:
        text = "FILE, --response, --undo and --list exclude each other; choose one"
        raise click.UsageError(text)
    if (asked.response is None) != (not asked.counts):
        text = "--response names a request and --set its counts; give both"
        raise click.UsageError(text)


def _author(app: App, asked: Given) -> Author:
    console = asked.file is not None
    why = asked.why or (f"console export {asked.file}" if console else "by hand")
    return Author(
        run=f"adj_{token_hex(4)}",
        who=asked.who or login(),
        at=app.now,
        why=why,
        basis="console" if console else PERSON,
    )


def _pending(app: App, asked: Given, desk: Desk) -> Pending:
    if asked.file is not None:
        return from_file(
            app, desk, asked.file, maps=asked.maps, window=asked.window * 1000
        )
    if asked.response is not None:
        return from_words(
            app, desk, asked.response, asked.counts, evidence=asked.evidence
        )
    return ask_for_each(app, desk, evidence=asked.evidence)


def _list(app: App, asked: Given) -> int:
    found = adjustments(app.store)
    if asked.as_json:
        rows = [adjustment_fields(each) for each in found]
        click.echo(write_json({"version": 1, "rows": rows}))
    else:
        say((adjustments_table(found) if found else "nothing was ever filled") + "\n")
    return 0


def _finish(app: App, asked: Given, pending: Pending, *, origin: str, run: str) -> int:
    """Store what changes, unless it is only to be shown, and say what became of it."""
    changes = pending.changes
    stored = bool(changes) and not asked.dry_run
    if stored and pending.asked:
        stored = click.confirm("store this?", err=True)
    if stored:
        apply(app.store, changes, origin=origin, now=app.now)
    if asked.as_json:
        click.echo(write_json(_document(pending, run=run, stored=stored)))
    else:
        say(_text(asked, pending, run=run, stored=stored) + "\n")
        for text in pending.left:
            warn(text)
    return EXIT_FOUND if pending.needs_care else 0


def _document(pending: Pending, *, run: str, stored: bool) -> dict[str, object]:
    return {
        "version": 1,
        "run": run if stored else None,
        "stored": stored,
        "rows": [change_fields(each) for each in pending.changes],
        **pending.told,
    }


def _text(asked: Given, pending: Pending, *, run: str, stored: bool) -> str:
    changes = pending.changes
    if not changes:
        return "\n".join([*pending.notes, "nothing changes"])
    before = sum(each.cost_before for each in changes)
    after = sum(each.cost_after for each in changes)
    lines = [changes_table(changes), "", *pending.notes]
    if not stored:
        remedy = "; leave out --dry-run to store it" if asked.dry_run else ""
        lines.append(f"nothing was stored{remedy}")
    elif asked.undo is not None:
        lines.append(f"taken back: {asked.undo}")
    else:
        lines.append(done(len(changes), run, before=before, after=after))
    return "\n".join(lines)

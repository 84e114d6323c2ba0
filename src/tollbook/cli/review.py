"""``tollbook review``: which requests are to be checked, and how well all is known."""

from __future__ import annotations

from collections.abc import Sequence

import click
import msgspec

from tollbook.cli.answer import ink, say
from tollbook.cli.context import App, with_app
from tollbook.cli.options import books_of, filter_options, given, question_of
from tollbook.core.calendar import Bucket, day_start
from tollbook.core.report import TAG
from tollbook.core.review import STATE, UPSTREAM, Flagged
from tollbook.ledger.naming import EVER
from tollbook.ledger.report import Question
from tollbook.ledger.review import Asked, Review, Sort, review
from tollbook.render.figures import plural
from tollbook.render.report_csv import write_csv
from tollbook.render.report_json import write_json
from tollbook.render.review import (
    FLAT,
    answers,
    flat_fields,
    group_fields,
    group_table,
    row_fields,
    rows_table,
)

_SHOWN = 20
_GROUPS = ("upstream", "account", "state", "project", "model", "user")
_TAGGED = _GROUPS[:3]


@click.command(name="review", epilog="Example: tollbook review --since month --by user")
@filter_options
@click.option("--upstream", metavar="NAME", help="Only what this upstream answered")
@click.option("--state", metavar="NAME", help="Only what the relay marked so: missing")
@click.option(
    "--by",
    "group",
    type=click.Choice(_GROUPS),
    default="upstream",
    help="What the summary is grouped by; by upstream unless given",
)
@click.option(
    "--sort",
    type=click.Choice(["cost", "time"]),
    default="cost",
    help="Likely cost, the dearest first, unless given",
)
@click.option("--all", "every", is_flag=True, help=f"Show more than {_SHOWN} requests")
@with_app
def command(
    app: App,
    /,
    *,
    upstream: str | None,
    state: str | None,
    group: str,
    sort: Sort,
    every: bool,
    **options: object,
) -> None:
    """List requests whose usage is missing, partial or estimated, and sum up.

    A likely count and cost stand beside what is known, never in its place.
    """
    asked = given(options)
    tags = {UPSTREAM: upstream, STATE: state}
    app.refresh(quiet=asked.as_json or asked.as_csv)
    question = question_of(app, asked, name="review", dimension="total")
    found = review(
        books_of(app, question),
        Asked(
            bucket=bucket_of(question),
            wanted=narrowed(question, tags),
            by=TAG + group if group in _TAGGED else group,
            sort=sort,
        ),
    )
    if asked.as_json:
        click.echo(write_json(_document(found)))
    elif asked.as_csv:
        click.echo(_csv(found.flagged), nl=False)
    else:
        say(_text(found, len(found.flagged) if every else _SHOWN) + "\n")


def bucket_of(question: Question) -> Bucket:
    """The period of a question, as instants."""
    since, before, zone = question.since, question.before, question.zone
    return (
        EVER[0] if since is None else day_start(since, zone),
        EVER[1] if before is None else day_start(before, zone),
    )


def narrowed(question: Question, tags: dict[str, str | None]) -> Question:
    """The same question about only what has some tags."""
    named = {TAG + name: text for name, text in tags.items() if text is not None}
    where = {**question.where, **named}
    return msgspec.structs.replace(question, where=where)


def _document(found: Review) -> dict[str, object]:
    return {
        "version": 1,
        "by": found.by,
        "totals": group_fields(found.whole) | {"filled_by_other_sources": found.healed},
        "groups": [group_fields(group) for group in found.groups],
        "rows": [row_fields(each) for each in found.flagged],
    }


def _csv(found: Sequence[Flagged]) -> str:
    return write_csv(FLAT, map(flat_fields, found))


def _text(found: Review, most: int) -> str:
    lines = []
    if found.flagged:
        lines += [rows_table(found.flagged[:most], ink()), ""]
    left = len(found.flagged) - most
    if left > 0:
        lines += [f"and {plural(left, 'more request')}; --all shows them", ""]
    lines += [group_table(found.groups, found.whole, found.by, ink()), ""]
    return "\n".join([*lines, answers(found.whole, found.healed)])

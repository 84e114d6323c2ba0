"""Where ``tollbook backfill`` gets counts from: a console's file, words, or answers."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TextIO

import click
import msgspec

from tollbook.cli.answer import ink
from tollbook.cli.context import App
from tollbook.core.adjustment import Change, Correction
from tollbook.core.errors import NothingMatchesError, SourceRejectedError
from tollbook.core.event import UsageEvent
from tollbook.core.observation import Evidence
from tollbook.core.problem import Problem
from tollbook.core.review import Flagged
from tollbook.core.units import COUNT_MAX, TOKEN_UNITS, Unit
from tollbook.formats.console_csv import (
    FIELDS,
    ConsoleError,
    ConsoleRow,
    read_console,
)
from tollbook.ledger.backfill import Desk
from tollbook.ledger.estimating import make_estimating
from tollbook.ledger.filters import Filter
from tollbook.ledger.matching import Left, Matched, Matcher
from tollbook.ledger.naming import EVER, Naming
from tollbook.ledger.review import flagged
from tollbook.render.backfill import counts
from tollbook.render.figures import money, plural
from tollbook.render.review import rows_table
from tollbook.render.safe import safe

_STDIN = "-"
_LEFT_MAX = 20
_SKIP, _QUIT = "s", "q"


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """What would change, and what was left alone."""

    changes: Sequence[Change]
    notes: Sequence[str] = ()
    left: Sequence[str] = ()  # said on standard error
    told: Mapping[str, object] = {}  # for JSON
    needs_care: bool = False
    asked: bool = False  # one by one: whoever answered must still agree to all of it


def login() -> str:
    """Who is at the keyboard."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name, in a container
        return "unknown"


def all_flagged(app: App) -> list[Flagged]:
    """Everything there is to fill, the dearest first."""
    naming = naming_of(app)
    estimating = make_estimating(app.store, naming, app.rater)
    found = list(flagged(app.store, estimating, Filter({}), EVER))
    return sorted(found, key=lambda each: -(each.added_cost or 0))


def naming_of(app: App) -> Naming:
    """The ledger's own names."""
    return Naming(lambda raw: app.rater.model(raw, app.now), app.store.labels())


# -- from a console's file -------------------------------------------------------------


def from_file(
    app: App, desk: Desk, path: str, *, maps: Sequence[str], window: int
) -> Pending:
    """What a console's lines fill.

    Raises:
        SourceRejectedError: It cannot be read, or is no console's list.
        NothingMatchesError: The map names no field.
    """
    columns = _columns(maps)
    rows: list[ConsoleRow] = []
    problems: list[Problem] = []
    try:
        with _opened(path) as file:
            for each in read_console(file, columns, origin=path, zone=app.zone):
                if isinstance(each, ConsoleRow):
                    rows.append(each)
                else:
                    problems.append(each)
    except (ConsoleError, UnicodeDecodeError, OSError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        text = f"{path}: {why or error}; see `tollbook backfill --help`"
        raise SourceRejectedError(text) from error
    matcher = Matcher(app.store, naming_of(app), all_flagged(app), window=window)
    matched = matcher.match(rows)
    changes = list(desk.changes(matched.matches))
    return Pending(
        changes=changes,
        notes=[_counted(matched, problems, len(rows))],
        left=list(_left(path, matched, problems)),
        told=_told(matched, problems),
        needs_care=bool(matched.ambiguous or problems),
    )


@contextmanager
def _opened(path: str) -> Iterator[TextIO]:
    if path == _STDIN:
        yield sys.stdin
        return
    with open(path, encoding="utf-8", newline="") as file:
        yield file


def _columns(maps: Sequence[str]) -> dict[str, str]:
    columns: dict[str, str] = {}
    for part in (part for given in maps for part in given.split(",")):
        field, _, column = (word.strip() for word in part.partition("="))
        if not column or field not in FIELDS:
            text = (
                f"--map: {part.strip()!r} is no FIELD=COLUMN; fields are "
                f"{', '.join(FIELDS)}"
            )
            raise NothingMatchesError(text)
        columns[field] = column
    return columns


def _counted(matched: Matched, problems: Sequence[Problem], rows: int) -> str:
    """``lines = filling + known + ambiguous + unmatched + unusable``."""
    return (
        f"{plural(rows + len(problems), 'line')} = {len(matched.matches):,} matched"
        f" + {len(matched.known):,} known + {len(matched.ambiguous):,} ambiguous"
        f" + {len(matched.unmatched):,} unmatched + {len(problems):,} unusable"
    )


def _left(path: str, matched: Matched, problems: Sequence[Problem]) -> Iterator[str]:
    lines = [*matched.ambiguous]
    lines += [each for each in matched.known if each.why.startswith("measured as")]
    for each in lines[:_LEFT_MAX]:
        among = f" ({', '.join(each.among)})" if each.among else ""
        yield f"{path}:{each.line}: {each.why}{among}"
    for problem in problems[:_LEFT_MAX]:
        yield f"{path}:{problem.line}: {problem.message}"
    more = max(0, len(lines) - _LEFT_MAX) + max(0, len(problems) - _LEFT_MAX)
    if more:
        yield f"and {plural(more, 'more line')}; --json tells all of them"


def _told(matched: Matched, problems: Sequence[Problem]) -> dict[str, object]:
    groups: Mapping[str, Sequence[Left]] = {
        "known": matched.known,
        "ambiguous": matched.ambiguous,
        "unmatched": matched.unmatched,
    }
    found: dict[str, object] = {
        name: [msgspec.to_builtins(each) for each in group]
        for name, group in groups.items()
    }
    return found | {"problems": [msgspec.to_builtins(each) for each in problems]}


# -- by hand ---------------------------------------------------------------------------


def from_words(
    app: App, desk: Desk, name: str, words: Sequence[str], *, evidence: str
) -> Pending:
    """What counts on the command line fill.

    Raises:
        NothingMatchesError: There is no such request, or a word is no count.
    """
    usage: dict[str, int] = {}
    for word in words:
        unit, _, text = word.partition("=")
        number = _number(text)
        if unit not in set(Unit) or number is None:
            text = f"--set: {word!r} is no UNIT=COUNT; units are {', '.join(Unit)}"
            raise NothingMatchesError(text)
        usage[unit] = number
    known_as, event = _named(app, name)
    correction = Correction(usage=usage, evidence=Evidence[evidence.upper()])
    change = desk.change(known_as, event, correction, "hand")
    if change is None:
        return Pending(changes=[], notes=["all of that is known as well, or better"])
    return Pending(changes=[change])


def _named(app: App, name: str) -> tuple[str, UsageEvent]:
    for each in all_flagged(app):
        if name in (each.id, each.event.message_id, each.event.request_id):
            return each.id, each.event
    stored = next(iter(app.store.find_events(response=name)), None)
    if stored is None:
        text = f"no request is called {safe(name)!r}; `tollbook review` lists them"
        raise NothingMatchesError(text)
    return name, stored.event


def _number(text: str) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(COUNT_MAX))):
        return None
    return int(text) if int(text) <= COUNT_MAX else None


# -- one by one ------------------------------------------------------------------------


def ask_for_each(app: App, desk: Desk, *, evidence: str) -> Pending:
    """What the answers of whoever is there fill."""
    changes: list[Change] = []
    found = all_flagged(app)
    for n, each in enumerate(found, 1):
        click.echo(f"{n} of {len(found)}", err=True)
        click.echo(rows_table([each], ink()), err=True)
        usage = _ask(each)
        if usage is None:
            break
        correction = Correction(usage=usage, evidence=Evidence[evidence.upper()])
        change = desk.change(each.id, each.event, correction, "hand")
        if change is not None:
            before, after = counts(change.before), counts(change.after)
            costs = f"{money(change.cost_before)} -> {money(change.cost_after)}"
            click.echo(safe(f"{before} -> {after}; {costs}"), err=True)
            changes.append(change)
    return Pending(changes=changes, asked=bool(changes))


def _ask(each: Flagged) -> dict[str, int] | None:
    """Counts, none to go on to the next request; ``None`` to end."""
    usage: dict[str, int] = {}
    for unit in TOKEN_UNITS:
        likely = each.likely.counts.get(unit.value)
        hint = f" (probably {likely.count:,})" if likely else ""
        while True:
            try:
                text = click.prompt(
                    f"{unit.value}{hint}, empty if unknown, s to skip, q to end",
                    default="",
                    show_default=False,
                    err=True,
                ).strip()
            except click.Abort:  # the end of the input
                return None
            if text in (_SKIP, _QUIT):
                return {} if text == _SKIP else None
            number = _number(text) if text else None
            if not text or number is not None:
                break
        if number is not None:
            usage[unit.value] = number
    return usage

"""The options every report has, and the question they add up to."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Literal, TypeVar

import click
import msgspec

from tollbook.cli.context import App, no_scan_option, timezone_option
from tollbook.config import USD
from tollbook.core.calendar import WEEKDAYS, local_day, parse_period
from tollbook.core.control import KINDS
from tollbook.core.report import DIMENSIONS, TAG, Display
from tollbook.ledger.naming import Naming
from tollbook.ledger.plan import Plan
from tollbook.ledger.projects import kinds_of
from tollbook.ledger.report import Books, Question
from tollbook.wiring import make_control

_F = TypeVar("_F", bound=Callable[..., Any])
SORTS = ("name", "cost", "tokens", "responses", "time")


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line said. The names are those of the options."""

    as_json: bool = False
    as_csv: bool = False
    since: str | None = None
    until: str | None = None
    projects: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    kind: str | None = None
    user: str | None = None
    app: str | None = None
    provider: str | None = None
    source: str | None = None
    tags: tuple[str, ...] = ()
    breakdown: str | None = None
    order: Literal["asc", "desc"] | None = None
    sort: str | None = None


class Dimension(click.Choice[str]):
    """One of the dimensions, or any tag: ``tag:team``."""

    def __init__(self) -> None:
        super().__init__(DIMENSIONS)

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """What is no tag must be one of the names."""
        if isinstance(value, str) and value.startswith(TAG) and value != TAG:
            return value
        return super().convert(value, param, ctx)


def _many(name: str, target: str, text: str) -> Callable[[_F], _F]:
    return click.option(f"--{name}", target, multiple=True, metavar="NAME", help=text)


def _one(name: str, text: str) -> Callable[[_F], _F]:
    return click.option(f"--{name}", metavar="NAME", help=text)


_FORM = (
    click.option("--json", "as_json", is_flag=True, help="As JSON, with exact figures"),
    click.option("--csv", "as_csv", is_flag=True, help="As CSV, with exact figures"),
)
_FILTERS = (
    click.option(
        "--since",
        metavar="WHEN",
        help="From this day on: 2026-11-03, 2026-11, today, yesterday, 7d, 4w, 3m, "
        "week, month, year",
    ),
    click.option("--until", metavar="WHEN", help="Up to and with this day"),
    timezone_option,
    _many(
        "project", "projects", "Only this project: its path, folder, base name or alias"
    ),
    _many("model", "models", "Only this model: any of its ids, or its family"),
    _many("session", "sessions", "Only this session: its id, or how the id begins"),
    click.option("--kind", type=click.Choice(KINDS), help="Only projects of this kind"),
    _one("user", "Only what this user asked for"),
    _one("app", "Only what came through this application"),
    _one("provider", "Only answers of this provider"),
    _one("source", "Only responses that this source spoke of"),
    click.option(
        "--tag",
        "tags",
        multiple=True,
        metavar="NAME=VALUE",
        help="Only what has this tag; without a VALUE, what has none of that name",
    ),
    no_scan_option,
)
breakdown_option = click.option(
    "--breakdown",
    is_flag=False,
    flag_value="model",
    metavar="[DIM]",
    type=Dimension(),
    help=f"Split each line, by model or by one of: {', '.join(DIMENSIONS)}, {TAG}NAME",
)
order_option = click.option(
    "--order", type=click.Choice(["asc", "desc"]), help="Which way"
)
_SHAPE = (
    breakdown_option,
    click.option("--sort", type=click.Choice(SORTS), help="What lines stand by"),
    order_option,
)


def report_options(command: _F) -> _F:
    """Every option of a report with lines."""
    return _apply(command, (*_FORM, *_FILTERS, *_SHAPE))


def filter_options(command: _F) -> _F:
    """The options of a report whose lines have their own order."""
    return _apply(command, (*_FORM, *_FILTERS))


def _apply(command: _F, options: tuple[Callable[[_F], _F], ...]) -> _F:
    for option in reversed(options):
        command = option(command)
    return command


def given(options: dict[str, object]) -> Given:
    """What the command line said, checked."""
    found = msgspec.convert(options, Given)
    if found.as_json and found.as_csv:
        text = "--json and --csv exclude each other; leave one of them out"
        raise click.UsageError(text)
    return found


def question_of(app: App, asked: Given, *, name: str, dimension: str) -> Question:
    """The question behind a command line.

    Raises:
        InvalidPeriodError: ``--since`` and ``--until`` name no period.
    """
    today = local_day(app.now, app.zone)
    start = [day.lower() for day in WEEKDAYS].index(app.config.display.week_start)
    since, before = parse_period(
        asked.since, asked.until, today=today, week_start=start
    )
    return Question(
        name=name,
        dimension=dimension,
        breakdown=asked.breakdown,
        since=since,
        before=before,
        today=today,
        zone=app.zone,
        zone_name=app.zone.key,
        week_start=start,
        projects=asked.projects,
        models=asked.models,
        sessions=asked.sessions,
        kind=asked.kind,
        source=asked.source,
        where=_where(asked),
    )


def _where(asked: Given) -> dict[str, str | None]:
    """The only value of some dimensions; an empty one is what nobody stated."""
    named = {"user": asked.user, "app": asked.app, "provider": asked.provider}
    found = {name: value or None for name, value in named.items() if value is not None}
    for tag in asked.tags:
        name, equals, value = tag.partition("=")
        if not (name and equals) or TAG + name in found:
            text = f"--tag {tag!r}: is no NAME=VALUE, or names a tag twice"
            raise click.UsageError(text)
        found[TAG + name] = value or None
    return found


def books_of(app: App, question: Question) -> Books:
    """Where the answers come from, under the user's own names and terms."""
    config, now, rater = app.config, app.now, app.rater
    return Books(
        store=app.store,
        naming=Naming(
            lambda raw: rater.model(raw, now),
            app.store.labels(),
            aliases=config.projects.aliases,
            groups=config.projects.groups,
        ),
        pricer=rater,
        kinds=_kinds(app, question),
        net=bool(config.prices.terms),
        plan=_plan(app),
    )


def _kinds(app: App, question: Question) -> dict[str, str]:
    """The kind of every project, where the question is about kinds."""
    if question.kind is None and "kind" not in (question.dimension, question.breakdown):
        return {}
    control = make_control(app.config)
    try:
        return kinds_of(app.store, control)
    finally:
        control.close()


def _plan(app: App) -> Plan | None:
    plan = app.config.plan
    if plan is None:
        return None
    dates = {"first": plan.since, "end": plan.until}
    held = {name: day for name, day in dates.items() if day is not None}
    return Plan(name=plan.name, price=plan.price, **held)


def display_of(app: App) -> Display | None:
    """The second currency, if the user wants one."""
    display = app.config.display
    if display.currency == USD:
        return None
    up, down = Decimal(display.rate).as_integer_ratio()
    return Display(
        currency=display.currency, rate=display.rate, numerator=up, denominator=down
    )

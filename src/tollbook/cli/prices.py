"""``tollbook prices``: what the catalogue says, and whether it can be trusted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import click
import msgspec

from tollbook.cli.context import clock
from tollbook.cli.forms import AS_CSV, AS_JSON, forms, say_csv
from tollbook.cli.price_page import HEADS, Page, card_page, model_page, page_text
from tollbook.cli.price_page import per_mtok as usd_per_mtok
from tollbook.cli.price_table import Row, check_table, list_table, show_table
from tollbook.cli.speak import EXIT_FOUND, spoken
from tollbook.config import load_config
from tollbook.core.catalogue import FAST, PriceCatalogue, day, midnight
from tollbook.core.model_id import looks_like_claude
from tollbook.core.observation import Instant
from tollbook.core.terms import EVERY_MODEL, PriceTerms
from tollbook.core.units import Unit
from tollbook.prices import load_catalogue
from tollbook.prices.check import Difference, Doubt, compare, doubts
from tollbook.render.columns import columns
from tollbook.render.report_json import write_json
from tollbook.render.safe import safe
from tollbook.wiring import make_book, make_rater


def _instant(
    ctx: click.Context, param: click.Parameter, value: datetime | None
) -> Instant | None:
    del ctx, param
    return None if value is None else midnight(value.date())


_at_option = click.option(
    "--at",
    type=click.DateTime(["%Y-%m-%d"]),
    callback=_instant,
    metavar="DATE",
    help="The prices at the beginning of a day, UTC",
)


def _print_json(document: Mapping[str, object]) -> None:
    click.echo(write_json(document))


@click.group(name="prices", epilog="Example: tollbook prices show claude-opus-5-5")
def command() -> None:
    """List, show and check the prices: US dollars per million tokens."""


@command.command(name="list", epilog="Example: tollbook prices list --at 2026-11-01")
@_at_option
@forms(csv="a row for each model, and each length of prompt")
def list_command(at: Instant | None, *, form: str) -> None:
    """List the price of every Claude model that has one, today or on a day."""
    with spoken():
        catalogue = load_catalogue()
        when = clock() if at is None else at
        rows = list(_rows(catalogue, when))
        if form == AS_CSV:
            say_csv(*list_table(rows))
            return
        if form == AS_JSON:
            head = {"version": 1, "catalogue": catalogue.version, "at": day(when)}
            _print_json(head | {"rows": rows})
            return
        heads = ("model", "status", *HEADS.values(), "fast in/out")
        cells = [(_name(r), r.status, *_prices(r), _fast(r)) for r in rows]
        click.echo(columns(heads, cells, right=heads[2:]))
        click.echo(f"\nUSD per million tokens on {day(when)}, list {catalogue.version}")


def _rows(catalogue: PriceCatalogue, at: Instant) -> Iterator[Row]:
    today = datetime.fromtimestamp(at / 1000, UTC).date()
    for model in catalogue.models():
        card = catalogue.card(model.name, at)
        if card is None:
            continue
        fast = card.variants.get(FAST)
        tiers = [(tier.prompt_tokens_over, tier.prices) for tier in card.standard.tiers]
        for over, prices in ((0, card.standard.prices), *tiers):
            yield Row(
                model=model.name,
                family=model.family,
                status=model.status(today),
                usd_per_mtok=usd_per_mtok(prices),
                prompt_tokens_over=over,
                fast_usd_per_mtok=usd_per_mtok(fast.prices) if fast else None,
                confidence=card.standard.confidence,
            )


def _name(row: Row) -> str:
    over = row.prompt_tokens_over
    return f"{row.model}, prompt over {over:,}" if over else row.model


def _prices(row: Row) -> tuple[str, ...]:
    return tuple(row.usd_per_mtok.get(unit, "-") for unit in HEADS)


def _fast(row: Row) -> str:
    fast = row.fast_usd_per_mtok
    return f"{fast[Unit.UNCACHED_INPUT]}/{fast[Unit.OUTPUT]}" if fast else ""


@command.command(name="show", epilog="Example: tollbook prices show claude-opus-5-5")
@click.argument("model")
@_at_option
@forms(csv="a row for each price and how long it held")
def show_command(model: str, at: Instant | None, *, form: str) -> None:
    """Show every price a model had, in any spelling of its name.

    Other providers' models are looked up in the installed genai-prices package.
    """
    with spoken():
        page = _page(model, at)
        if page is None:
            text = f"there is no model {safe(model)!r}; see tollbook prices list"
            raise click.UsageError(text)
        if form == AS_CSV:
            say_csv(*show_table(page))
        elif form == AS_JSON:
            _print_json(msgspec.to_builtins(page))
        else:
            click.echo(page_text(page))


def _page(raw: str, at: Instant | None) -> Page | None:
    catalogue = load_catalogue()
    name = catalogue.resolve(raw)
    known = catalogue.model(name) if name else None
    if known is not None:
        return model_page(known, catalogue, at)
    if looks_like_claude(raw):
        return None
    book = make_book()
    name = book.resolve(raw)
    card = book.card(name, clock() if at is None else at) if name else None
    return card_page(card, book.version) if card else None


@command.command(name="check", epilog="Example: tollbook prices check --json")
@forms(csv="a row for each of them")
@click.pass_context
def check_command(ctx: click.Context, *, form: str) -> None:
    """Check the list and your own terms, and say what is in doubt.

    A list that contradicts itself ends with 3, a term for a model nobody knows with 1.
    """
    with spoken():
        catalogue, config = load_catalogue(), load_config().config
        make_rater(config)
        strays = list(_strays(catalogue, config.terms()))
        doubted = doubts(catalogue)
        others = compare(catalogue, make_book(), clock())
        if form == AS_CSV:
            say_csv(*check_table(strays, doubted, others))
        elif form == AS_JSON:
            _print_json(
                {
                    "version": 1,
                    "catalogue": catalogue.version,
                    "strays": strays,
                    "doubts": doubted,
                    "differences": others,
                }
            )
        else:
            click.echo("\n".join(_report(catalogue, strays, doubted, others)))
        ctx.exit(EXIT_FOUND if strays else 0)


def _strays(catalogue: PriceCatalogue, terms: PriceTerms) -> Iterator[str]:
    """Terms and aliases that nothing will ever match."""
    families = {model.family for model in catalogue.models()}
    names = {*families, *terms.aliases, EVERY_MODEL}
    for model in sorted({term.model for term in terms.terms} - names):
        if catalogue.resolve(model) is None and looks_like_claude(model):
            yield f"prices.terms {model!r}: no model or family is called that"
    for alias, model in terms.aliases.items():
        if catalogue.resolve(model) is None and looks_like_claude(model):
            yield f"prices.aliases {alias!r}: no model is called {model!r}"


def _report(
    catalogue: PriceCatalogue,
    strays: list[str],
    doubted: tuple[Doubt, ...],
    others: tuple[Difference, ...],
) -> Iterator[str]:
    count = len(catalogue.models())
    yield f"list {catalogue.version}: {count} models, no contradiction"
    yield from map(safe, strays)
    for doubt in doubted:
        why = f"{doubt.confidence} confidence, {doubt.valid}: {doubt.note}"
        yield safe(f"in doubt: {doubt.subject}, {why}")
    for other in others:
        yield safe(
            f"genai-prices has another {other.unit} for {other.model}"
            + (
                f", prompt over {other.prompt_tokens_over:,}"
                * bool(other.prompt_tokens_over)
            )
        )

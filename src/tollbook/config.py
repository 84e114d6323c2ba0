"""The user's settings: one TOML file, and the environment above it.

A setting that is unknown or wrong stops the start, with its file, its name and what to
do. Without a file everything has its usual value::

    [display]
    timezone = "Europe/Zurich"

    [[prices.terms]]
    model = "opus"
    start = 2026-10-01
    discount = "0.15"
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Annotated, Literal, NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from tollbook.core.errors import ConfigError, InexactAmountError
from tollbook.core.money import Money, parse_usd
from tollbook.core.terms import PriceTerms, price_term
from tollbook.places import settings_path

USD = "USD"
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_PLACE = re.compile(r"(.*?)(?: - at `\$\.?(.*)`)?", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_QUOTES = "`str`, got `"
_ROOTS = "roots"

Weekday = Literal[
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"
]


_Port = Annotated[int, msgspec.Meta(ge=0, le=65_535)]
_Count = Annotated[int, msgspec.Meta(ge=1)]


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file: an unknown key is an error."""


class Sources(_Strict, frozen=True, kw_only=True):
    """``[sources]``: where transcripts are, besides the usual folders."""

    roots: tuple[str, ...] = ()


class Display(_Strict, frozen=True, kw_only=True):
    """``[display]``: how reports look. A dollar is ``rate`` units of ``currency``."""

    timezone: str = ""  # empty: the system's
    currency: str = USD
    rate: str = "1"
    week_start: Weekday = "monday"


class Term(_Strict, frozen=True, kw_only=True):
    """``[[prices.terms]]``: a discount, or rates in dollars per million tokens."""

    model: str
    start: date | None = None
    end: date | None = None
    discount: str | None = None
    rates: dict[str, str] = {}


class Prices(_Strict, frozen=True, kw_only=True):
    """``[prices]``: what you pay, where it is not the list price."""

    terms: tuple[Term, ...] = ()
    aliases: dict[str, str] = {}


class Plan(_Strict, frozen=True, kw_only=True):
    """``[plan]``: the subscription whose price is held against the list value."""

    name: str
    price_usd_per_month: str
    since: date | None = msgspec.field(default=None, name="from")
    until: date | None = msgspec.field(default=None, name="to")  # exclusive

    @property
    def price(self) -> Money:
        """What a month costs."""
        return parse_usd(self.price_usd_per_month)


class Projects(_Strict, frozen=True, kw_only=True):
    """``[projects]``: names of your own for folders, and groups of those names."""

    aliases: dict[str, str] = {}
    groups: dict[str, tuple[str, ...]] = {}


class Server(_Strict, frozen=True, kw_only=True):
    """``[server]``: where it listens, for whom, and how much it bears."""

    host: str = "127.0.0.1"
    port: _Port = 4318  # where OTLP over HTTP is expected
    grpc_port: _Port = 4317  # where OTLP over gRPC is
    hosts: tuple[str, ...] = ()  # names it is known by, besides those of this machine
    scan_seconds: _Count = 30
    bodies_bytes_max: _Count = 64 << 20  # of all requests at one time
    connections_max: _Count = 1000
    head_seconds: _Count = 10
    body_seconds: _Count = 10
    idle_seconds: _Count = 75
    drain_seconds: _Count = 10


class Relay(_Strict, frozen=True, kw_only=True):
    """``[relay]``: how requests are passed on."""

    fail_open: bool = False  # pass on what could not be written down first
    write_seconds: _Count = 5  # how long a request may wait for that
    body_bytes_max: _Count = 32 << 20  # what the Messages API takes
    connect_seconds: _Count = 10
    silence_seconds: _Count = 600  # how long an upstream may say nothing
    cool_seconds: _Count = (
        30  # an account rests after 429 and 529, if not told how long
    )
    drain_seconds: _Count = 60  # of an answer whose reader has gone
    drain_bytes_max: _Count = 16 << 20
    drains_max: _Count = 100  # at one time


class Account(_Strict, frozen=True, kw_only=True):
    """``[upstreams.NAME.accounts.NAME]``: where one of our keys is; it is never here."""

    key_env: str = ""
    key_file: str = ""


class Upstream(_Strict, frozen=True, kw_only=True):
    """``[upstreams.NAME]``: a Messages API, and who is sent there."""

    base_url: str
    accounts: dict[str, Account]  # in the order in which they are tried
    auth: Literal["x-api-key", "bearer"] = "x-api-key"
    on_missing: Literal["flag", "count", "nonstream"] = "flag"
    models: tuple[str, ...] = ()  # patterns such as claude-haiku-*; none: any
    projects: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()  # clients' keys, by id or name
    set_headers: dict[str, str] = {}
    drop_headers: tuple[str, ...] = ()
    betas: tuple[str, ...] = ()  # more values of anthropic-beta
    paths: tuple[str, ...] = ()  # more that may pass: "GET /v1/files/*"


ANTHROPIC = Upstream(
    base_url="https://api.anthropic.com",
    accounts={"main": Account(key_env="ANTHROPIC_API_KEY")},
)
"""Where requests go when no upstream is named."""


class Config(_Strict, frozen=True, kw_only=True):
    """Everything that can be set."""

    sources: Sources = Sources()
    display: Display = Display()
    prices: Prices = Prices()
    plan: Plan | None = None
    projects: Projects = Projects()
    server: Server = Server()
    relay: Relay = Relay()
    upstreams: dict[str, Upstream] = {}
    imports: dict[str, dict[str, str]] = msgspec.field(default={}, name="import")

    def terms(self) -> PriceTerms:
        """The user's own prices.

        Raises:
            ConfigError: A term is no usable one.
            OverlappingRatesError: Two of them share an instant.
        """
        return PriceTerms(
            [
                price_term(
                    term.model,
                    start=term.start,
                    end=term.end,
                    discount=term.discount,
                    rates=term.rates,
                )
                for term in self.prices.terms
            ],
            aliases=self.prices.aliases,
        )


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """The settings and where they come from."""

    config: Config
    path: str
    exists: bool
    origins: Mapping[str, str]  # "display.timezone" -> the file, or a variable's name


VARIABLES: Mapping[str, tuple[str, str]] = {
    "TOLLBOOK_ROOTS": ("sources", "roots"),
    "TOLLBOOK_TIMEZONE": ("display", "timezone"),
    "TOLLBOOK_CURRENCY": ("display", "currency"),
    "TOLLBOOK_RATE": ("display", "rate"),
    "TOLLBOOK_WEEK_START": ("display", "week_start"),
}
"""What the environment may say, above the file. ``TOLLBOOK_HOME`` moves the files."""
_ELSEWHERE = {"TOLLBOOK_HOME", "TOLLBOOK_KEY", "TOLLBOOK_PROJECT", "TOLLBOOK_URL"}
_PREFIX = "TOLLBOOK_"
_PROJECTS = "projects"


def load_config(environ: Mapping[str, str] = os.environ) -> Loaded:
    """Read the file and the environment.

    Raises:
        ConfigError: A setting is unknown or wrong, or the file cannot be read.
        OverlappingRatesError: Two price terms for one model share an instant.
    """
    path = settings_path(environ)
    data = _read(path)
    config, names = (Config(), []) if data is None else parse_config(data, path)
    origins = dict.fromkeys(names, path)
    _check(config, path)
    config, stated = _override(config, environ)
    return Loaded(
        config=config, path=path, exists=data is not None, origins=origins | stated
    )


def parse_config(data: bytes, path: str) -> tuple[Config, list[str]]:
    """Understand a settings file; beside it the names it sets.

    Raises:
        ConfigError: It is no TOML, or says something unknown or wrong.
    """
    try:
        tables = msgspec.toml.decode(data)
        config = msgspec.toml.decode(data, type=Config)
    except msgspec.ValidationError as error:
        _refuse(path, _explained(str(error)))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        _refuse(path, f"is no TOML ({error}); correct it there")
    return config, list(_names(tables))


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        _refuse(path, f"cannot be read ({error.strerror}); check its permissions")


def _refuse(where: str, what: str) -> NoReturn:
    text = f"{where}: {what}"
    raise ConfigError(text)


def _explained(message: str) -> str:
    """What a decoder found, with the setting's name first and the remedy last."""
    found = _PLACE.fullmatch(message)
    assert found is not None, message
    what, place = found[1], (found[2] or "")
    unknown = _UNKNOWN.fullmatch(what)
    if unknown is not None:
        name = f"{place}.{unknown[1]}" if place else unknown[1]
        return f"{name}: there is no such setting; `tollbook config` lists them"
    remedy = 'write it in quotes: "..."' if _QUOTES in what else "correct it there"
    return f"{place or 'the file'}: {what[:1].lower()}{what[1:]}; {remedy}"


def _names(table: Mapping[str, object], prefix: str = "") -> Iterator[str]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _names(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def _override(
    config: Config, environ: Mapping[str, str]
) -> tuple[Config, dict[str, str]]:
    """Let the environment have the last word."""
    stated: dict[str, str] = {}
    for name in sorted(environ):
        if not name.startswith(_PREFIX) or name in _ELSEWHERE:
            continue
        if name not in VARIABLES:
            known = ", ".join(sorted({*VARIABLES, *_ELSEWHERE}))
            _refuse(
                "environment", f"{name}: there is no such variable; there is {known}"
            )
        table, key = VARIABLES[name]
        text = environ[name]
        value = _roots(text) if key == _ROOTS else text
        try:
            changed = msgspec.convert(
                msgspec.to_builtins(getattr(config, table)) | {key: value},
                type(getattr(config, table)),
            )
        except msgspec.ValidationError as error:
            _refuse(f"{name}={text!r}", _explained(str(error)))
        config = msgspec.structs.replace(config, **{table: changed})
        stated[f"{table}.{key}"] = name
    if stated:
        _check(config, "environment " + ", ".join(stated.values()))
    return config, stated


def _roots(text: str) -> list[str]:
    return [root for root in text.split(os.pathsep) if root]


def _check(config: Config, where: str) -> None:
    """What no type can say."""
    display = config.display
    if display.timezone:
        zone_of(display.timezone, where=f"{where}: display.timezone")
    if not _CURRENCY.fullmatch(display.currency):
        _refuse(where, f"display.currency {display.currency!r}: use a code like EUR")
    try:
        rate = Decimal(display.rate)
    except InvalidOperation:
        rate = Decimal(0)
    if not (rate.is_finite() and rate > 0):
        _refuse(where, f"display.rate {display.rate!r}: use a figure above 0 in quotes")
    if display.currency == USD and rate != 1:
        _refuse(where, "display.rate: a dollar is one dollar; set display.currency too")
    if config.plan is not None:
        _check_plan(config.plan, where)
    try:
        config.terms()
    except ConfigError as error:
        _refuse(where, str(error))


def _check_plan(plan: Plan, where: str) -> None:
    try:
        price = plan.price
    except InexactAmountError as error:
        _refuse(where, f"plan.price_usd_per_month: {error}")
    if price < 0:
        _refuse(where, "plan.price_usd_per_month: is below zero; correct it")
    if plan.since and plan.until and plan.until <= plan.since:
        _refuse(where, f"plan.to: {plan.until} is not after plan.from {plan.since}")


def zone_of(name: str, *, where: str) -> ZoneInfo:
    """A time zone by its name.

    Raises:
        ConfigError: There is none of that name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        _refuse(where, f"{name!r} is no time zone; use a name like Europe/Zurich")


def system_zone(environ: Mapping[str, str] = os.environ) -> ZoneInfo:
    """The zone the system's clock shows; UTC where it cannot be told."""
    name = environ.get("TZ", "").removeprefix(":")
    if not name:
        target = os.path.realpath("/etc/localtime")
        name = target.rpartition("/zoneinfo/")[2] if "/zoneinfo/" in target else ""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def transcript_folders(
    config: Config, environ: Mapping[str, str] = os.environ
) -> list[str]:
    """Every folder to look for transcripts in, whether it is there or not."""
    stated = environ.get("CLAUDE_CONFIG_DIR", "")
    homes = [name.strip() for name in stated.split(",") if name.strip()]
    if not homes:
        xdg = environ.get("XDG_CONFIG_HOME", "").strip() or "~/.config"
        homes = ["~/.claude", f"{xdg}/claude"]
    usual = [os.path.join(os.path.expanduser(home), _PROJECTS) for home in homes]
    own = [os.path.expanduser(root) for root in config.sources.roots]
    below = [(root, os.path.join(root, _PROJECTS)) for root in own]
    inner = [inside if os.path.isdir(inside) else root for root, inside in below]
    return list(dict.fromkeys([*usual, *inner]))

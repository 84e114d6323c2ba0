"""What an upstream's own console lists, a request a line: a table, or lines of JSON.

Every console has headings of its own; a map says which holds what. Without one, headings
are known by our names and by some usual ones, whatever their spelling::

    Request ID,Time,Account,Model,Input Tokens,Output Tokens,Cost
    req_011C…,2026-11-22T10:00:00Z,main,claude-opus-5-5,1200,640,$0.0123

    {"request_id": "req_011C…", "input_tokens": 1200, "output_tokens": 640}

``total_input_tokens`` holds cached tokens, too, and ``input_tokens`` does not. A time
without a zone is that of the zone the reader names. An empty cell says nothing. What
cannot be used of a file is a problem of its line; the rest is read.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal

import msgspec

from tollbook.core.money import Money, nearest_pico
from tollbook.core.observation import Instant
from tollbook.core.problem import Problem
from tollbook.core.units import COUNT_MAX, PROMPT_UNITS, Unit

TEXT_MAX = 200
_TOTAL_INPUT = "total_input_tokens"
_USUAL: Mapping[str, tuple[str, ...]] = {
    "request_id": ("requestid", "reqid"),
    "message_id": ("messageid", "responseid"),
    "time": ("timestamp", "createdat", "date", "datetime", "at"),
    "account": ("accountid", "accountname", "organization", "workspace"),
    "model": ("modelid", "modelname"),
    Unit.UNCACHED_INPUT: ("inputtokens", "prompttokens", "input"),
    _TOTAL_INPUT: (),
    Unit.CACHE_READ: ("cachereadtokens", "cachedtokens", "cacheread"),
    Unit.CACHE_WRITE_5M: (
        "cachecreationinputtokens",
        "cachecreationtokens",
        "cachewritetokens",
        "cachewrite",
    ),
    Unit.CACHE_WRITE_1H: (),
    Unit.OUTPUT: ("completiontokens", "output"),
    Unit.WEB_SEARCH: (),
    "cost": ("costusd", "amount", "price"),
}
FIELDS = tuple(map(str, _USUAL))
"""What a map may name."""

_TEXTS = ("request_id", "message_id", "account", "model")
_COUNTS = tuple(name for name in FIELDS if name not in (*_TEXTS, "time", "cost"))
_COUNT = re.compile(r"\d{1,3}(?:,\d{3})+|\d{1,10}", re.ASCII)
_STAMP = re.compile(r"\d{10}|\d{13}", re.ASCII)  # seconds or milliseconds since 1970
_SECONDS_DIGITS = 10
_COST = re.compile(r"\$?(\d{1,12}(?:\.\d{1,18})?)(?: ?USD)?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_plain = re.compile(r"[^a-z0-9]").sub


class ConsoleRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a console says of one request. Unknown is absent."""

    line: int
    request_id: str | None = None
    message_id: str | None = None
    account: str | None = None
    model: str | None = None
    at: Instant | None = None
    usage: Mapping[str, int]
    cost: Money | None = None


class ConsoleError(ValueError):
    """The file as a whole cannot be read as a console's list."""


class _RowError(ValueError):
    """One line cannot be used."""


def read_console(
    lines: Iterable[str],
    columns: Mapping[str, str],
    *,
    origin: str,
    zone: tzinfo = UTC,
) -> Iterator[ConsoleRow | Problem]:
    """Every line of a console's list, in its order.

    Args:
        lines: The text, line by line; it may begin with a byte order mark.
        columns: Fields, and the headings (or JSON names) that hold them.
        origin: What problems name as their place.
        zone: Where the times are that name no zone.

    Raises:
        ConsoleError: It has no heading, lacks a mapped column, or is no table.
    """
    text = iter(lines)
    first = next(text, "").removeprefix("\ufeff")
    whole = _chained(first, text)
    read = _read_json if first.lstrip().startswith("{") else _read_table
    for line, found in read(whole, columns):
        try:
            if isinstance(found, str):
                raise _RowError(found)  # noqa: TRY301 - the one place that tells
            yield _row(found, line, zone)
        except _RowError as error:
            yield Problem(
                origin=origin, line=line, code="console-row", message=str(error)
            )


def _chained(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


_Cells = dict[str, str]


def _read_table(
    lines: Iterable[str], columns: Mapping[str, str]
) -> Iterator[tuple[int, _Cells | str]]:
    rows = csv.reader(lines, strict=True)
    try:
        heading = next(rows, None) or []
        places = _places([name.strip() for name in heading], columns)
        for row in rows:
            if not any(row):
                continue
            if len(row) != len(heading):
                why = f"{len(row)} cells under {len(heading)} headings"
                yield rows.line_num, f"{why}; give each its column"
                continue
            yield rows.line_num, {name: row[n].strip() for name, n in places.items()}
    except csv.Error as error:
        message = f"line {rows.line_num}: {error}; write sound CSV"
        raise ConsoleError(message) from error


def _places(heading: Sequence[str], columns: Mapping[str, str]) -> dict[str, int]:
    """In which column each field stands."""
    for field, column in columns.items():
        if heading.count(column) != 1:
            found = "twice" if column in heading else "not there"
            message = f"the column {column!r}, for {field}, is {found}; correct the map"
            raise ConsoleError(message)
    named = dict(columns) or _usual(heading)
    if not any(name in named for name in (*_COUNTS, "cost")):
        message = "no column holds a count; name one: --map output_tokens=COLUMN"
        raise ConsoleError(message)
    return {field: heading.index(column) for field, column in named.items()}


def _usual(heading: Iterable[str]) -> dict[str, str]:
    """The fields that some headings mean, each by the first that does."""
    found: dict[str, str] = {}
    for name in heading:
        plain = _plain("", name.lower())
        for field, others in _USUAL.items():
            if plain in (_plain("", field), *others):
                found.setdefault(str(field), name)
    return found


def _read_json(
    lines: Iterable[str], columns: Mapping[str, str]
) -> Iterator[tuple[int, _Cells | str]]:
    for line, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            found = _decode(text)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            yield line, "no JSON object of texts and numbers; write one a line"
            continue
        named = columns or _usual(found)
        yield (
            line,
            {
                field: _as_text(found[column])
                for field, column in named.items()
                if column in found
            },
        )


_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_text = msgspec.json.Decoder(str).decode


def _as_text(raw: msgspec.Raw) -> str:
    """A text without its marks, ``null`` as nothing, and the rest as it is written."""
    written = bytes(raw).decode()
    if written.startswith('"'):
        return _text(raw).strip()
    return "" if written == "null" else written


def _row(cells: _Cells, line: int, zone: tzinfo) -> ConsoleRow:
    told = {name: text for name, text in cells.items() if text}
    for name in _TEXTS:
        text = told.get(name, "")
        if len(text) > TEXT_MAX or not text.isprintable():
            message = f"{name}: too long, or not plain text; correct it"
            raise _RowError(message)
    usage = {name: _count(name, told[name]) for name in _COUNTS if name in told}
    cost = _cost(told["cost"]) if "cost" in told else None
    if not usage and cost is None:
        message = "it holds no count; leave it out"
        raise _RowError(message)
    return ConsoleRow(
        line=line,
        **{name: told.get(name) for name in _TEXTS},
        at=_instant(told["time"], zone) if "time" in told else None,
        usage=_without_cache(usage),
        cost=cost,
    )


def _count(name: str, text: str) -> int:
    number = int(text.replace(",", "")) if _COUNT.fullmatch(text) else COUNT_MAX + 1
    if number > COUNT_MAX:
        message = f"{name}: {text[:TEXT_MAX]!r} is no count; write digits alone"
        raise _RowError(message)
    return number


def _without_cache(usage: dict[str, int]) -> dict[str, int]:
    """Counts that do not overlap."""
    total = usage.pop(_TOTAL_INPUT, None)
    if total is None:
        return usage
    if Unit.UNCACHED_INPUT in usage:
        message = f"{_TOTAL_INPUT} beside {Unit.UNCACHED_INPUT}; map one of them"
        raise _RowError(message)
    uncached = total - sum(usage.get(unit, 0) for unit in PROMPT_UNITS[1:])
    if uncached < 0:
        message = f"{_TOTAL_INPUT}: less than what was cached of it; correct the map"
        raise _RowError(message)
    return {Unit.UNCACHED_INPUT.value: uncached, **usage}


def _cost(text: str) -> Money:
    found = _COST.fullmatch(text)
    if found is None:
        message = f"cost: {text[:TEXT_MAX]!r} is no amount in USD; write 0.0123"
        raise _RowError(message)
    return nearest_pico(Decimal(found[1]))


def _instant(text: str, zone: tzinfo) -> Instant:
    if _STAMP.fullmatch(text):
        return int(text) * (1000 if len(text) == _SECONDS_DIGITS else 1)
    try:
        at = datetime.fromisoformat(text)
        aware = at if at.tzinfo is not None else at.replace(tzinfo=zone)
        return (aware - _EPOCH) // _MILLISECOND
    except (ValueError, OverflowError):
        message = f"time: {text[:TEXT_MAX]!r} is no time; write 2026-11-22T10:00:00Z"
        raise _RowError(message) from None

"""Percentiles of what requests and sessions cost, used or took."""

from __future__ import annotations

import re
from typing import Any, get_args

from tollbook.core.measure import Measure
from tollbook.core.money import usd_exact
from tollbook.http.query_desk import Asked, Desk
from tollbook.http.query_events import events_query
from tollbook.http.query_parameters import (
    Parameter,
    choice_of,
    choice_schema,
    refuse,
    text_of,
)
from tollbook.http.query_shapes import (
    PercentilesAnswer,
    PercentileValue,
    period_shape,
)
from tollbook.ledger.percentiles import SCALE, percentile, session_values
from tollbook.ledger.query import Ask, chosen_totals

RANKS_MAX = 20
VALUES_MAX = 500_000
"""Of how many requests percentiles are worked out at most."""

_USUAL = "50,90,95,99"
_PER = ("request", "session")
_UNITS = {"cost": "usd", "tokens": "tokens", "latency": "ms"}
_RANK = re.compile(r"(\d{1,3})(?:\.(\d{1,3}))?", re.ASCII)

PERCENTILES = (
    Parameter(
        name="of",
        text="What is measured.",
        schema=choice_schema(get_args(Measure), "cost"),
    ),
    Parameter(name="per", text="Of each what.", schema=choice_schema(_PER, "request")),
    Parameter(
        name="p",
        text=f"Up to {RANKS_MAX} percentiles above 0 and up to 100, joined by commas.",
        schema={"type": "string", "maxLength": 256, "default": _USUAL},
    ),
)


def percentiles(asked: Asked, desk: Desk) -> PercentilesAnswer:
    """Values that were really seen, by nearest rank."""
    values = asked.values
    of: Any = choice_of(values, "of", get_args(Measure), "cost")
    per = choice_of(values, "per", _PER, "request")
    ranks = _ranks(text_of(values, "p") or _USUAL)
    period = desk.period(asked)
    if per == "session":
        books = desk.books(asked)
        ask = Ask(buckets=[period.bucket], where=desk.where(asked, books.naming))
        found = session_values(chosen_totals(books, ask, "session"), of)
    else:
        query = events_query(asked, desk, period, limit=VALUES_MAX + 1)
        found = desk.store.measures(query, of)
    if len(found) > VALUES_MAX:
        refuse("since", f"more than {VALUES_MAX} requests; narrow since and until")
    found.sort()
    return PercentilesAnswer(
        period=period_shape(period),
        of=of,
        per=per,
        unit=_UNITS[of],
        count=len(found),
        percentiles=[
            PercentileValue(p=text, value=_published(percentile(found, rank), of))
            for text, rank in ranks
        ],
    )


def _published(value: int | None, of: Measure) -> str | int | None:
    return usd_exact(value) if value is not None and of == "cost" else value


def _ranks(text: str) -> list[tuple[str, int]]:
    """Percentiles as they were written, and in thousandths of a percent."""
    found = []
    for word in (part.strip() for part in text.split(",")):
        match = _RANK.fullmatch(word)
        rank = 0
        if match is not None:
            rank = int(match[1]) * SCALE + int((match[2] or "").ljust(3, "0"))
        if not 0 < rank <= 100 * SCALE:
            refuse("p", "holds no percentile; write figures up to 100, like 50,95,99.9")
        found.append((word, rank))
    if len(found) > RANKS_MAX:
        refuse("p", f"holds {len(found)} percentiles; ask for at most {RANKS_MAX}")
    return found

"""Prices as rows, for CSV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from tollbook.cli.price_page import HEADS, Page
from tollbook.prices.check import Difference, Doubt

Table = tuple[Sequence[str], list[dict[str, object]]]
"""Titles and rows."""

_UNITS = tuple(str(unit) for unit in HEADS)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A model's prices on a day."""

    model: str
    family: str
    status: str
    usd_per_mtok: dict[str, str]
    prompt_tokens_over: int
    fast_usd_per_mtok: dict[str, str] | None
    confidence: str


def _prices(found: Mapping[str, str] | None, prefix: str = "") -> dict[str, object]:
    return {f"{prefix}{u}_usd_per_mtok": (found or {}).get(u) for u in _UNITS}


def list_table(rows: Iterable[Row]) -> Table:
    """A row for each model, and each length of prompt."""
    found: list[dict[str, object]] = [
        {
            "model": row.model,
            "family": row.family,
            "status": row.status,
            "prompt_tokens_over": row.prompt_tokens_over,
            **_prices(row.usd_per_mtok),
            **_prices(row.fast_usd_per_mtok, "fast_"),
            "confidence": row.confidence,
        }
        for row in rows
    ]
    head = ("model", "family", "status", "prompt_tokens_over")
    units = (*_prices(None), *_prices(None, "fast_"))
    return (*head, *units, "confidence"), found


def show_table(page: Page) -> Table:
    """A row for each price of a model and how long it held."""
    found: list[dict[str, object]] = [
        {
            "model": page.model,
            "start": window.start,
            "end": window.end,
            "kind": window.kind,
            "prompt_tokens_over": window.prompt_tokens_over,
            **_prices(window.usd_per_mtok),
            "confidence": window.confidence,
            "evidence": window.evidence,
            "note": window.note,
        }
        for window in page.windows
    ]
    head = ("model", "start", "end", "kind", "prompt_tokens_over")
    return (*head, *_prices(None), "confidence", "evidence", "note"), found


def check_table(
    strays: Iterable[str], doubts: Iterable[Doubt], others: Iterable[Difference]
) -> Table:
    """A row for each stray term, each doubt and each difference."""
    titles = ("kind", "subject", "detail")
    rows = _checks(strays, doubts, others)
    return titles, [dict(zip(titles, row, strict=True)) for row in rows]


def _checks(
    strays: Iterable[str], doubts: Iterable[Doubt], others: Iterable[Difference]
) -> Iterator[tuple[str, str, str]]:
    for stray in strays:
        subject, _, detail = stray.rpartition(": ")
        yield "stray", subject, detail
    for doubt in doubts:
        why = f"{doubt.confidence} confidence, {doubt.valid}: {doubt.note}"
        yield "doubt", doubt.subject, why
    for other in others:
        over = other.prompt_tokens_over
        detail = f"{other.unit}, prompt over {over}" if over else other.unit
        yield "difference", other.model, detail

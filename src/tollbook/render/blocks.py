"""Five-hour windows, as text, JSON and CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from tollbook.core.money import usd_exact
from tollbook.core.report import Block, Line, Report
from tollbook.render.fields import frame, line_amounts, line_fields, line_name, moment
from tollbook.render.figures import duration, money, short
from tollbook.render.ink import Ink
from tollbook.render.plots import bar
from tollbook.render.report_csv import write_csv
from tollbook.render.report_text import figures, name_of, notes
from tollbook.render.table import Column, Table, draw

_BAR = 30


def blocks_text(report: Report, blocks: Sequence[Block], ink: Ink) -> str:
    """A table of windows, and how the present one is going."""
    if not blocks:
        return "No window of use in this period.\n"
    lines = draw(_table(report, blocks), ink)
    for block in blocks:
        if block.pace is not None:
            lines += ["", *_pace(block, ink)]
    said = [line for note in notes(report) for line in ink.fold(note)]
    return "\n".join([*lines, *([""] if said else []), *said]) + "\n"


def _table(report: Report, blocks: Sequence[Block]) -> Table:
    rows: list[tuple[str, str, Line]] = []
    inner: set[int] = set()
    for block in blocks:
        rows.append((block.title, "active" if block.pace else "over", block.line))
        for part in block.line.breakdown:
            inner.add(len(rows))
            rows.append((f"  {name_of(part, report.breakdown or '')}", "", part))
    rows.append(("Total", "", report.total))
    costs = [line.used.list_cost for _, _, line in rows[:-1]]
    return Table(
        columns=[
            Column(title="Window", texts=[title for title, _, _ in rows], right=False),
            Column(
                title="State",
                texts=[state for _, state, _ in rows],
                right=False,
                rank=3,
            ),
            *figures(report, [line for _, _, line in rows]),
        ],
        bars=[0 if n in inner else cost for n, cost in enumerate(costs)],
        inner=frozenset(inner),
    )


def _pace(block: Block, ink: Ink) -> Iterator[str]:
    pace = block.pace
    assert pace is not None
    length = block.end - block.start
    passed = length - pace.left_ms
    drawn = bar(passed, length, _BAR, plain=ink.plain)
    whole = drawn.ljust(_BAR, "." if ink.plain else "░")
    yield f"Active  {ink.style(whole, 'cyan')} {duration(pace.left_ms)} left"
    yield (
        f"Burning {short(pace.tokens_per_minute)} tokens/min, "
        f"{money(pace.cost_per_hour)}/h at list prices"
    )
    yield (
        f"At this pace {short(pace.projected_tokens)} tokens and "
        f"{money(pace.projected_cost)} when it ends"
    )


def _place(block: Block) -> dict[str, object]:
    return {
        "start_at": moment(block.start),
        "end_at": moment(block.end),
        "active": block.pace is not None,
        "first_at": moment(block.line.first_at),
        "last_at": moment(block.line.last_at),
    }


def blocks_document(report: Report, blocks: Sequence[Block]) -> dict[str, object]:
    """The published shape of the windows."""
    document = frame(report)
    rows = []
    for block in blocks:
        row = {**_place(block), **line_amounts(block.line, net=report.net)}
        if report.breakdown is not None:
            row["breakdown"] = [
                line_fields(part, report.breakdown, report)
                for part in block.line.breakdown
            ]
        if block.pace is not None:
            pace = block.pace
            row["burn_rate"] = {
                "tokens_per_minute": pace.tokens_per_minute,
                "list_cost_usd_per_hour": usd_exact(pace.cost_per_hour),
            }
            row["projection"] = {
                "tokens": pace.projected_tokens,
                "list_cost_usd": usd_exact(pace.projected_cost),
                "minutes_left": pace.left_ms // 60_000,
            }
        rows.append(row)
    document["rows"] = rows
    return document


def blocks_csv(report: Report, blocks: Sequence[Block]) -> str:
    """A row for each window; with a breakdown, one for each of its parts."""
    total = msgspec.structs.replace(report.total, name="", place="0")
    sample = Block(start=0, end=0, title="", line=total)
    inner = line_name(total, report.breakdown) if report.breakdown is not None else {}
    titles = {**_place(sample), **inner, **line_amounts(total, net=report.net)}
    return write_csv(titles, (row for block in blocks for row in _rows(report, block)))


def _rows(report: Report, block: Block) -> Iterator[dict[str, object]]:
    if report.breakdown is None:
        yield {**_place(block), **line_amounts(block.line, net=report.net)}
        return
    for part in block.line.breakdown:
        inner = line_name(part, report.breakdown)
        yield {**_place(block), **inner, **line_amounts(part, net=report.net)}

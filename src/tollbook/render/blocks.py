"""Five-hour windows, as text, JSON and CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tollbook.core.money import usd_exact
from tollbook.core.report import Block, Report
from tollbook.render.fields import frame, line_amounts, moment
from tollbook.render.figures import duration, money, short
from tollbook.render.ink import Ink
from tollbook.render.plots import bar
from tollbook.render.report_csv import write_csv
from tollbook.render.report_text import figures, notes
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
    lines = [*(block.line for block in blocks), report.total]
    columns = [
        Column(
            title="Window",
            texts=[*(block.title for block in blocks), "Total"],
            right=False,
        ),
        Column(
            title="State",
            texts=[*("active" if block.pace else "over" for block in blocks), ""],
            right=False,
            rank=3,
        ),
        *figures(report, lines),
    ]
    return Table(columns=columns, bars=[line.used.list_cost for line in lines[:-1]])


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


def _fields(block: Block, *, net: bool) -> dict[str, object]:
    return {
        "start_at": moment(block.start),
        "end_at": moment(block.end),
        "active": block.pace is not None,
        "first_at": moment(block.line.first_at),
        "last_at": moment(block.line.last_at),
        **line_amounts(block.line, net=net),
    }


def blocks_document(report: Report, blocks: Sequence[Block]) -> dict[str, object]:
    """The published shape of the windows."""
    document = frame(report)
    rows = []
    for block in blocks:
        row = _fields(block, net=report.net)
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
    """One row for each window."""
    sample = Block(start=0, end=0, title="", line=report.total)
    rows = [_fields(block, net=report.net) for block in blocks]
    return write_csv(_fields(sample, net=report.net), rows)

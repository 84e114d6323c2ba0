"""Aligned columns that fit a screen: the least important ones go first."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tollbook.render.ink import Ink, cells, fit, pad
from tollbook.render.plots import bar

_GAP = "  "
_BAR_MIN = 8
_BAR_MAX = 30


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One column with all its cells, the total last."""

    title: str
    texts: Sequence[str]
    right: bool = True
    rank: int = 0  # columns of a higher rank are left out first; 0 always stays
    least: int = 0  # may be cut down to this; 0: not at all
    tail: bool = False  # cut at its beginning
    style: str = ""


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Columns side by side; ``bars`` are drawn where room is left."""

    columns: Sequence[Column]
    bars: Sequence[int] = ()
    inner: frozenset[int] = frozenset()  # rows that explain the one above
    total: bool = True  # the last row adds up the others


def _natural(column: Column) -> int:
    return max(map(cells, (column.title, *column.texts)))


def _chosen(table: Table, width: int) -> tuple[list[Column], list[int]]:
    """The columns that fit, and how wide each is."""
    columns = list(table.columns)
    while True:
        widths = [_natural(column) for column in columns]
        surplus = sum(widths) + len(_GAP) * (len(columns) - 1) - width
        least = [
            min(w, max(c.least, cells(c.title))) if c.least else w
            for c, w in zip(columns, widths, strict=True)
        ]
        spare = sum(widths) - sum(least)
        worst = max(column.rank for column in columns)
        if surplus <= spare or worst == 0:
            break
        columns.remove(next(c for c in reversed(columns) if c.rank == worst))
    for place in sorted(range(len(widths)), key=lambda n: -columns[n].rank):
        cut = min(max(0, surplus), widths[place] - least[place])
        widths[place] -= cut
        surplus -= cut
    return columns, widths


def draw(table: Table, ink: Ink) -> list[str]:
    """The lines of a table: titles, a rule, the rows, and the total below a rule."""
    columns, widths = _chosen(table, ink.width)
    rows = len(columns[0].texts)
    width = sum(widths) + len(_GAP) * (len(columns) - 1)
    room = min(_BAR_MAX, ink.width - width - len(_GAP))
    rule = ink.style(("-" if ink.plain else "─") * width, "dim")
    titles = [column.title for column in columns]
    head = _row(titles, columns, widths, ink=ink, style="bold")
    lines = [head.rstrip(), rule]
    largest = max(table.bars, default=0)
    for n in range(rows):
        last = table.total and n == rows - 1
        if last:
            lines.append(rule)
        style = "bold" if last else "dim" if n in table.inner else ""
        texts = [column.texts[n] for column in columns]
        line = _row(texts, columns, widths, ink=ink, style=style)
        if room >= _BAR_MIN and n < len(table.bars) and table.bars[n] > 0:
            drawn = bar(table.bars[n], largest, room, plain=ink.plain)
            line += _GAP + ink.style(drawn, "cyan")
        lines.append(line.rstrip())
    return lines


def _row(
    texts: Sequence[str],
    columns: Sequence[Column],
    widths: Sequence[int],
    *,
    ink: Ink,
    style: str,
) -> str:
    found = []
    for text, column, width in zip(texts, columns, widths, strict=True):
        shown = fit(text, width, ink, tail=column.tail)
        filled = pad(shown, width, right=column.right)
        found.append(filled.replace(shown, ink.style(shown, style or column.style), 1))
    return _GAP.join(found)

"""The first screen, as text and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from tollbook.core.money import Money, usd_exact
from tollbook.core.report import Line, Report
from tollbook.render.fields import line_fields
from tollbook.render.figures import money
from tollbook.render.ink import Ink
from tollbook.render.plots import sparkline
from tollbook.render.report_json import document
from tollbook.render.report_text import figures, joined, name_of, notes
from tollbook.render.table import Column, Table, draw

_TOPS = 5
Trend = Sequence[tuple[date, Money]]


def overview_text(
    report: Report, trend: Trend, tops: Sequence[Report], ink: Ink
) -> str:
    """One screen: now, lately, where it goes, and what is missing."""
    if not report.total.used.responses and not report.known.sources:
        return (
            "The ledger is empty. Use Claude Code, then run tollbook again; it reads "
            "~/.claude/projects.\nOther folders: `tollbook scan FOLDER`.\n"
        )
    said = [line for note in notes(report) for line in ink.fold(note)]
    return joined(
        [
            draw(_now(report), ink),
            _trend(report, trend, ink),
            *(draw(_top(top), ink) for top in tops if top.lines),
            said,
        ]
    )


def _now(report: Report) -> Table:
    named = [((line.name or "").capitalize(), line) for line in report.lines]
    texts, lines, inner = _with_parts(report, named)
    return Table(
        columns=[Column(title="", texts=texts, right=False), *figures(report, lines)],
        inner=inner,
        total=False,
    )


def _with_parts(
    report: Report, named: Sequence[tuple[str, Line]]
) -> tuple[list[str], list[Line], frozenset[int]]:
    """Names and lines with the parts below each, and which of them are parts."""
    texts: list[str] = []
    lines: list[Line] = []
    inner: set[int] = set()
    for name, line in named:
        texts.append(name)
        lines.append(line)
        for part in line.breakdown:
            inner.add(len(lines))
            texts.append(f"  {name_of(part, report.breakdown or '')}")
            lines.append(part)
    return texts, lines, frozenset(inner)


def _trend(report: Report, trend: Trend, ink: Ink) -> list[str]:
    if not trend:
        return []
    shown = trend[-ink.width :]
    values = [cost for _, cost in shown]
    total = report.total.used.list_cost
    drawn = sparkline(values, plain=ink.plain)
    days = f"{len(trend)} days" if len(trend) > 1 else "1 day"
    said = (
        f"{shown[0][0]} to {shown[-1][0]}: {money(total)} in {days}, "
        f"{money(total // len(trend))} a day, {money(max(values))} the most"
    )
    return [ink.style(drawn, "cyan"), *ink.fold(said)]


def _top(report: Report) -> Table:
    named = [(name_of(line, report.dimension), line) for line in report.lines[:_TOPS]]
    more = len(report.lines) - len(named)
    title = f"Top {report.dimension}s" + (f" ({more} more)" if more else "")
    texts, lines, inner = _with_parts(report, named)
    costs = [line.used.list_cost for line in lines]
    return Table(
        columns=[
            Column(
                title=title,
                texts=texts,
                right=False,
                least=24,
                tail=report.dimension == "project" and not inner,
            ),
            *figures(report, lines),
        ],
        bars=[0 if n in inner else cost for n, cost in enumerate(costs)],
        inner=inner,
        total=False,
    )


def overview_document(
    report: Report, trend: Trend, tops: Sequence[Report]
) -> dict[str, object]:
    """The published shape of the overview."""
    days = [{"day": day, "list_cost_usd": usd_exact(cost)} for day, cost in trend]
    more: dict[str, object] = {"trend": days}
    for top in tops:
        fields = [line_fields(line, top.dimension, top) for line in top.lines]
        more[f"{top.dimension}s"] = fields
    return document(report, **more)

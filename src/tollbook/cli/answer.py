"""Load a report, put its lines in order and write it the way that was asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import click
import msgspec

from tollbook.cli.context import App
from tollbook.cli.late import CSV, JSON, TEXT, late
from tollbook.cli.options import Given, books_of, display_of, given, question_of
from tollbook.core.report import TIME_DIMENSIONS, Line, Report
from tollbook.ledger.report import load
from tollbook.render.ink import WIDTH_MIN, Ink

_WIDTH = 100  # of a pipe
_KEYS: dict[str, Callable[[Line], Any]] = {
    "name": lambda line: line.place,
    "cost": lambda line: line.used.list_cost,
    "tokens": lambda line: line.tokens,
    "responses": lambda line: line.used.responses,
    "time": lambda line: line.last_at or 0,
}


def answer(app: App, options: dict[str, object], *, name: str, dimension: str) -> None:
    """Do what a report command is for."""
    asked = given(options)
    question = question_of(app, asked, name=name, dimension=dimension)
    app.refresh(quiet=asked.as_json or asked.as_csv)
    report = load(books_of(app, question), question)
    report = msgspec.structs.replace(
        report, lines=in_order(report, asked), display=display_of(app)
    )
    write(app, asked, report)


def write(app: App, asked: Given, report: Report) -> None:
    """Write a report with lines."""
    del app
    if asked.as_json:
        form = late(JSON)
        click.echo(form.write_json(form.document(report)))
    elif asked.as_csv:
        click.echo(late(CSV).report_csv(report), nl=False)
    else:
        say(late(TEXT).report_text(report, ink()))


def in_order(report: Report, asked: Given) -> tuple[Line, ...]:
    """Time runs down the screen; of everything else the dearest comes first."""
    sort = asked.sort
    if sort is None:
        usual = "name" if report.dimension in TIME_DIMENSIONS else "cost"
        sort = "time" if report.dimension == "session" else usual
    order = asked.order or ("asc" if sort in {"name", "time"} else "desc")
    lines = sorted(report.lines, key=_KEYS[sort], reverse=order == "desc")
    if report.breakdown is None or report.breakdown in TIME_DIMENSIONS:
        return tuple(lines)
    return tuple(
        msgspec.structs.replace(
            line,
            breakdown=tuple(sorted(line.breakdown, key=_KEYS["cost"], reverse=True)),
        )
        for line in lines
    )


def ink() -> Ink:
    """How to write on this terminal, or into this pipe."""
    terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    return Ink(
        colour=terminal and not os.environ.get("NO_COLOR"),
        plain=not encoding.startswith("utf"),
        width=max(WIDTH_MIN, _width()),
    )


def _width() -> int:
    stated = os.environ.get("COLUMNS", "")
    if stated.isascii() and stated.isdigit() and int(stated):
        return int(stated)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or _WIDTH
    except (OSError, ValueError):
        return _WIDTH


def say(text: str) -> None:
    """Write text that may hold signs this terminal does not know."""
    encoding = sys.stdout.encoding or "ascii"
    click.echo(text.encode(encoding, "replace").decode(encoding), nl=False)

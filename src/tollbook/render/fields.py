"""A report's lines as named values, the same for JSON and CSV.

These names are a published contract (docs/reference/json.md): a change that could
break a reader needs a new ``VERSION``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from tollbook.core.money import usd_exact
from tollbook.core.observation import Instant
from tollbook.core.report import Line, Report
from tollbook.core.units import Unit

VERSION = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = tuple(unit.value for unit in Unit)
_NAMELESS = {"total"}
_tools = msgspec.json.Decoder(list[str]).decode


def moment(at: Instant | None) -> str | None:
    """An instant as UTC text: ``2026-11-03T14:15:00Z``."""
    if at is None:
        return None
    text = (_EPOCH + timedelta(milliseconds=at)).replace(tzinfo=None)
    return text.isoformat(timespec="seconds") + "Z"


def line_name(line: Line, dimension: str) -> dict[str, object]:
    """What a line is about."""
    match dimension:
        case "hour":
            return {"hour": int(line.place)}
        case "project":
            return {"project": line.name, "path": line.path}
        case "session":
            return {
                "session": line.name,
                "projects": line.projects,
                "first_at": moment(line.first_at),
                "last_at": moment(line.last_at),
            }
        case "tool":
            return {"tools": _tools(line.place) if line.name else []}
    return {} if dimension in _NAMELESS else {dimension: line.name}


def line_amounts(line: Line, *, net: bool) -> dict[str, object]:
    """What a line counted and cost."""
    used = line.used
    amounts: dict[str, object] = {
        "models": line.models,
        "responses": used.responses,
        "failed_requests": used.failed_requests,
        "partial_responses": used.partial_responses,
        "missing_responses": used.missing_responses,
        "tokens": line.tokens,
        **{unit: getattr(used, unit) for unit in _UNITS},
        "other_units": used.other_units,
        "list_cost_usd": usd_exact(used.list_cost),
    }
    if net:
        amounts["net_cost_usd"] = usd_exact(used.net_cost)
    estimate = line.estimated_cost
    amounts["estimated_cost_usd"] = None if estimate is None else usd_exact(estimate)
    amounts["unpriced"] = line.unpriced
    return amounts


def line_fields(line: Line, dimension: str, report: Report) -> dict[str, object]:
    """Everything of one line, its breakdown too."""
    found = {**line_name(line, dimension), **line_amounts(line, net=report.net)}
    if report.breakdown is not None and dimension == report.dimension:
        found["breakdown"] = [
            line_fields(part, report.breakdown, report) for part in line.breakdown
        ]
    return found


def frame(report: Report) -> dict[str, object]:
    """What stands around the rows."""
    known, used = report.known, report.total.used
    document: dict[str, object] = {
        "version": VERSION,
        "report": report.name,
        "period": {
            "since": report.since,
            "until": report.until,
            "timezone": report.timezone,
        },
        "rows": [],
        "totals": line_fields(report.total, "total", report),
        "coverage": {
            "sources": {
                name: {"first_at": moment(first), "last_at": moment(last)}
                for name, (first, last) in known.sources.items()
            },
            "responses": used.responses,
            "partial_responses": used.partial_responses,
            "missing_responses": used.missing_responses,
            "unrecorded_calls": known.unrecorded_calls,
            "problems": known.problems,
        },
    }
    if report.plan is not None:
        plan = report.plan
        percent = plan.percent
        document["plan"] = {
            "name": plan.name,
            "cost_usd": usd_exact(plan.cost),
            "list_cost_usd": usd_exact(plan.list_cost),
            "percent": percent,
        }
    if report.display is not None:
        display = report.display
        document["display"] = {"currency": display.currency, "rate": display.rate}
    return document

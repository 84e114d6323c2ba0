"""A session or a response as JSON: money as decimal strings, times in UTC."""

from __future__ import annotations

from tollbook.core.adjustment import name_of
from tollbook.core.money import TOKENS_PER_MTOK, Money, usd_exact
from tollbook.core.observation import Evidence, Observation
from tollbook.core.rate import PriceLine
from tollbook.core.tally import UNITS, Tally
from tollbook.ledger.show import NamesakesView, PricedPart, ResponseView, SessionView
from tollbook.render.fields import moment

Document = dict[str, object]
_IDS = ("at", "message_id", "request_id", "session")
_LINE = (
    "unit",
    "count",
    "base_usd_per_mtok",
    "steps",
    "usd_per_mtok",
    "list_cost_usd",
    "net_cost_usd",
    "terms",
    "evidence",
    "confidence",
    "unpriced",
)

_NO_COST: Document = {"list_cost_usd": None, "net_cost_usd": None}


def session_document(view: SessionView) -> Document:
    """A session with the short form of its responses."""
    return {
        "version": 1,
        "session": view.session,
        "project": view.project,
        "path": view.path,
        "totals": _totals(view.tally) | {"unpriced": view.unpriced},
        "agents": {agent: _totals(tally) for agent, tally in view.agents.items()},
        "unrecorded_calls": view.unrecorded_calls,
        "stated": [
            {
                "source": each.source,
                "origin": each.origin,
                "line": each.line.line,
                "stated_cost_usd": usd_exact(each.line.stated_cost),
                "models": {
                    total.model: dict(total.usage) for total in each.line.models
                },
            }
            for each in view.statements
        ],
        "responses": [_summary(each) for each in view.responses],
    }


def response_document(
    views: tuple[ResponseView, ...], *, more: bool = False
) -> Document:
    """Responses with everything that speaks for them; ``more``: not all of that id."""
    return {
        "version": 1,
        "responses": [_whole(view) for view in views],
        "more": more,
    }


def show_table(
    view: SessionView | NamesakesView,
) -> tuple[tuple[str, ...], list[Document]]:
    """Titles and rows: a session's responses, or the price lines of what an id names."""
    if isinstance(view, SessionView):
        rows = [_summary(each) for each in view.responses]
        for row, each in zip(rows, view.responses, strict=True):
            row["unpriced"] = [f"{unit}={n}" for unit, n in each.unpriced.items()]
        return tuple(rows[0]) if rows else (), rows
    rows = [
        {**_ids(each), "kind": part.part.kind, "model": part.part.model, **_line(line)}
        for each in view.responses
        for part in each.parts
        for line in part.lines
    ]
    return (*_IDS, "kind", "model", *_LINE), rows


def _ids(view: ResponseView) -> Document:
    event = view.stored.event
    return {
        "at": moment(event.at),
        "message_id": event.message_id,
        "request_id": event.request_id,
        "session": event.session,
    }


def _totals(tally: Tally) -> Document:
    return {
        "responses": tally.responses,
        "partial_responses": tally.partial_responses,
        "missing_responses": tally.missing_responses,
        **{unit: getattr(tally, unit) for unit in UNITS},
        "other_units": tally.other_units,
        "list_cost_usd": usd_exact(tally.list_cost),
        "net_cost_usd": usd_exact(tally.net_cost),
    }


def _summary(view: ResponseView) -> Document:
    event = view.stored.event
    return {
        "at": moment(event.at),
        "message_id": event.message_id,
        "request_id": event.request_id,
        "model": event.parts[0].model,
        "agent": event.agent,
        "sidechain": event.sidechain,
        "evidence": evidence_name(event.evidence),
        "context_tokens": view.context_tokens,
        "tools": event.tools,
        **_totals(view.tally),
        **({} if _has_cost(view) else _NO_COST),
        "unpriced": view.unpriced,
    }


def _has_cost(view: ResponseView) -> bool:
    """Whether anything of a response has a price: what is not known is not free."""
    stored = view.stored
    known = stored.event.evidence != Evidence.MISSING
    return known and any(share.priced for share in stored.shares)


def _whole(view: ResponseView) -> Document:
    event = view.stored.event
    stated = event.stated_cost
    return {
        **_summary(view),
        "session": event.session,
        "project": event.project,
        "path": view.path,
        "branch": event.branch,
        "skill": event.skill,
        "provider": event.provider,
        "app": event.app,
        "user": event.user,
        "machine": event.machine,
        "key": event.key,
        "tags": dict(event.tags),
        "latency_ms": event.latency_ms,
        "failure": event.failure,
        "first_at": moment(event.first_at),
        "lesser_evidence": {
            unit: evidence_name(level) for unit, level in (event.lesser or {}).items()
        },
        "conditions": {
            name: getattr(event.conditions, name)
            for name in event.conditions.__struct_fields__
        },
        "stated_cost_usd": None if stated is None else usd_exact(stated),
        "parts": [_part(part) for part in view.parts],
        "observations": [
            _observation(source, origin, seen)
            for source, origin, seen in view.stored.seen
        ],
    }


def _part(priced: PricedPart) -> Document:
    return {
        "kind": priced.part.kind,
        "model": priced.part.model,
        "usage": dict(priced.part.usage),
        "lines": [_line(line) for line in priced.lines],
    }


def _line(line: PriceLine) -> Document:
    return {
        "unit": line.unit,
        "count": line.count,
        "base_usd_per_mtok": _per_mtok(line.base_price),
        "steps": line.steps,
        "usd_per_mtok": _per_mtok(line.price),
        "list_cost_usd": usd_exact(line.amount),
        "net_cost_usd": usd_exact(line.net_amount),
        **({} if line.price is not None else _NO_COST),
        "terms": line.terms,
        "evidence": line.evidence,
        "confidence": line.confidence,
        "unpriced": line.why or None,
    }


def _per_mtok(price: Money | None) -> str | None:
    return None if price is None else usd_exact(price * TOKENS_PER_MTOK)


def _observation(source: str, origin: str, seen: Observation) -> Document:
    return {
        "source": source,
        "origin": origin,
        "line": seen.line,
        "lines": seen.lines,
        "at": moment(seen.at),
        "message_id": seen.message_id,
        "request_id": seen.request_id,
        "session": seen.session,
        "latency_ms": seen.latency_ms,
        "failure": seen.failure,
        "evidence": evidence_name(seen.evidence),
        "lesser_evidence": {
            unit: evidence_name(level) for unit, level in (seen.lesser or {}).items()
        },
        "parts": [
            {"kind": part.kind, "model": part.model, "usage": dict(part.usage)}
            for part in seen.parts
        ],
        **_adjustment(seen),
    }


def _adjustment(seen: Observation) -> Document:
    """Who corrected the response, or took that back, where the observation does so."""
    made = seen.adjustment
    if made is None:
        return {}
    return {
        "adjustment": {
            "name": name_of(made),
            "withdrawn": made.withdrawn,
            "who": made.who,
            "at": moment(made.at),
            "why": made.why,
            "basis": made.basis,
        }
    }


def evidence_name(level: int) -> str:
    """The word for how good a statement is."""
    return Evidence(level).name.lower()

"""A session or a response for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from tollbook.core.adjustment import name_of
from tollbook.core.money import TOKENS_PER_MTOK, Money, usd_exact
from tollbook.core.observation import Evidence, Instant, Observation
from tollbook.core.rate import PriceLine
from tollbook.core.units import TOKEN_UNITS, Unit
from tollbook.ledger.show import PricedPart, ResponseView, SessionView
from tollbook.ledger.show_json import evidence_name
from tollbook.render.columns import columns
from tollbook.render.figures import count, money, plural, short
from tollbook.render.safe import safe

_SHORT_ID = 12
_TOOLS_MAX = 3
_FEE_USES = 1_000  # as the price pages state fees
_FIGURES = ("responses", "list cost")


def session_text(view: SessionView, zone: ZoneInfo) -> Iterator[str]:
    """A session: its responses in order, its totals, and what others say it cost."""
    project = view.path or view.project or "-"
    yield f"session {safe(view.session)}, project {safe(project)}"
    yield ""
    heads = ("time", "response", "model", "agent", "context", "output", "cost", "tools")
    rows = [_row(each, zone) for each in view.responses]
    yield columns(heads, rows, right=("context", "output", "cost"))
    yield ""
    agents = [
        (agent or "conversation", count(tally.responses), money(tally.list_cost))
        for agent, tally in view.agents.items()
    ]
    agents.append(("total", count(view.tally.responses), money(view.tally.list_cost)))
    yield columns(("", "responses", "list cost"), agents, right=_FIGURES)
    yield from _unpriced(view.unpriced)
    if view.tally.net_cost != view.tally.list_cost:
        yield f"at your terms: {money(view.tally.net_cost)}"
    if view.tally.partial_responses:
        partial = plural(view.tally.partial_responses, "response")
        yield f"~ {partial} without a final count: the total is a lower bound"
    if view.tally.missing_responses:
        missing = plural(view.tally.missing_responses, "response")
        yield f"{missing} whose usage no file holds: the total is without them"
    if view.unrecorded_calls:
        calls = plural(view.unrecorded_calls, "call")
        yield f"{calls} sent whose usage no line holds"
    for each in view.statements:
        place = f"{safe(each.origin)}:{each.line.line}"
        yield f"stated: {money(each.line.stated_cost)} in {place}, kept as a check"


def _row(view: ResponseView, zone: ZoneInfo) -> tuple[str, ...]:
    event = view.stored.event
    known = event.evidence != Evidence.MISSING
    partial = "~" if view.tally.partial_responses else ""
    more = len(event.tools) - _TOOLS_MAX
    tools = ", ".join(event.tools[:_TOOLS_MAX]) + (f" + {more}" if more > 0 else "")
    return (
        _moment(event.at, zone),
        (event.message_id or event.request_id or "-")[-_SHORT_ID:],
        event.parts[0].model,
        (event.agent or "sub-agent") if event.sidechain else "",
        short(view.context_tokens) if known else "-",
        partial + short(view.tally.output_tokens) if known else "-",
        _cost(view),
        tools,
    )


def _cost(view: ResponseView) -> str:
    """Its list cost; what has no price, or is not known, is never shown as free."""
    if view.stored.event.evidence == Evidence.MISSING:
        return "unknown"
    if not view.unpriced:
        return money(view.tally.list_cost)
    cost = view.tally.list_cost
    return f"{money(cost)} + unpriced" if cost else "unpriced"


def _unpriced(counts: Mapping[str, int]) -> Iterator[str]:
    if counts:
        text = ", ".join(f"{number:,} {unit}" for unit, number in counts.items())
        yield f"unpriced, and not in the cost: {safe(text)}"


def response_text(view: ResponseView, zone: ZoneInfo) -> Iterator[str]:
    """A response: its price lines, who said what, and where."""
    event = view.stored.event
    facts = [
        ("message", event.message_id),
        ("request", event.request_id),
        ("session", event.session),
        ("project", view.path or event.project),
        ("branch", event.branch),
        ("agent", event.agent),
        ("skill", event.skill),
        ("tools", ", ".join(event.tools)),
        ("time", _moment(event.at, zone)),
        ("evidence", evidence_name(event.evidence)),
        ("conditions", _conditions(view)),
        ("stated cost", money(event.stated_cost) if event.stated_cost else None),
    ]
    yield columns(("", ""), [(name, text) for name, text in facts if text])
    for priced in view.parts:
        yield ""
        yield from _part(priced, event.lesser or {}, event.evidence)
    yield ""
    if event.evidence == Evidence.MISSING:
        yield "list cost unknown: no file holds the usage"
    else:
        yield f"list cost {usd_exact(view.tally.list_cost)} USD"
    yield from _unpriced(view.unpriced)
    if view.tally.net_cost != view.tally.list_cost:
        yield f"at your terms {usd_exact(view.tally.net_cost)} USD"
    yield ""
    yield "said by"
    for each in view.stored.seen:
        yield from _said(*each)


def _said(source: str, origin: str, seen: Observation) -> Iterator[str]:
    lines = f", {seen.lines} lines" if seen.lines > 1 else ""
    yield f"  {safe(source)}  {safe(origin)}:{seen.line}{lines}"
    for part in seen.parts:
        counts = ", ".join(f"{unit} {n:,}" for unit, n in part.usage.items() if n)
        what = f"{part.model}: {counts or 'nothing'}"
        yield f"    {evidence_name(seen.evidence)}  {safe(what)}"
    made = seen.adjustment
    if made is not None:
        did = "taken back" if made.withdrawn else "adjusted"
        yield safe(f"    {did} by {made.who}: {made.why} ({name_of(made)})")


def _conditions(view: ResponseView) -> str:
    conditions = view.stored.event.conditions
    known = {name: getattr(conditions, name) for name in conditions.__struct_fields__}
    return ", ".join(f"{name} {value}" for name, value in known.items() if value)


def _part(priced: PricedPart, lesser: dict[str, int], level: int) -> Iterator[str]:
    yield f"{safe(priced.part.kind)}  {safe(priced.part.model)}"
    heads = ("unit", "count", "evidence", "USD per million", "USD", "how")
    rows = [
        (
            line.unit,
            count(line.count),
            evidence_name(lesser.get(line.unit, level)),
            "-" if line.price is None else _price(line.unit, line.price),
            "unpriced" if line.price is None else usd_exact(line.amount),
            _how(line),
        )
        for line in priced.lines
    ]
    yield columns(heads, rows, right=("count", "USD per million", "USD"))
    for text in dict.fromkeys(t for line in priced.lines for t in line.evidence):
        yield f"  price read in {safe(text)}"
    output = lesser.get(Unit.OUTPUT, level)
    if output == Evidence.PARTIAL:
        yield "  the output count is a lower bound: no final count was written"


def _price(unit: str, price: Money) -> str:
    """For a million tokens, or a thousand uses of what is paid by its use."""
    if unit in TOKEN_UNITS:
        return usd_exact(price * TOKENS_PER_MTOK)
    return f"{usd_exact(price * _FEE_USES)} per {_FEE_USES:,}"


def _how(line: PriceLine) -> str:
    if line.why:
        return line.why
    steps = [*line.steps, *([f"{line.terms}"] if line.terms else [])]
    base = line.base_price
    start = "" if base is None or not steps else _price(line.unit, base)
    return ", ".join([start, *steps]) if steps else "list price"


def _moment(at: Instant, zone: ZoneInfo) -> str:
    local = datetime.fromtimestamp(at // 1000, UTC).astimezone(zone)
    return f"{local:%Y-%m-%d %H:%M:%S}"

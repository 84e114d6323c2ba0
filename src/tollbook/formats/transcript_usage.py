"""From decoded transcript lines to observations: one for each response in a block.

Claude Code writes one line per content block, each with the message's usage so far. The
lines of one response, seen together, become one observation here; the ledger's merge
would give the same from one observation per line, only slower.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tollbook.core.money import Money, nearest_pico
from tollbook.core.observation import (
    MESSAGE,
    Conditions,
    Evidence,
    Instant,
    Observation,
    Part,
)
from tollbook.core.units import COUNT_MAX, Unit
from tollbook.formats.transcript_lines import (
    Block,
    Counts,
    Iteration,
    Line,
    Message,
    Usage,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_STATED_COST_MAX = Decimal(1_000_000)  # dollars for one session; beyond it is noise

_UNCACHED = Unit.UNCACHED_INPUT.value
_READ = Unit.CACHE_READ.value
_WRITE_5M = Unit.CACHE_WRITE_5M.value
_WRITE_1H = Unit.CACHE_WRITE_1H.value
_OUTPUT = Unit.OUTPUT.value
_PARTIAL_OUTPUT = {_OUTPUT: int(Evidence.PARTIAL)}
_REPORTED = int(Evidence.REPORTED)
_MISSING = int(Evidence.MISSING)

_STATED = ("service_tier", "speed", "inference_geo")

_TOOL_BLOCKS = ("tool_use", "server_tool_use")
_conditions: dict[tuple[str | None, str | None, str | None], Conditions] = {}


def instant(moment: datetime) -> Instant:
    """An aware time as whole milliseconds UTC."""
    return (moment - _EPOCH) // _MILLISECOND


def stated(cost: Decimal | None) -> Money | None:
    """A cost another program computed, when it can be one."""
    if cost is None or not cost.is_finite() or not 0 <= cost <= _STATED_COST_MAX:
        return None
    return nearest_pico(cost)


class Draft:
    """The lines of one response at one place, as far as they have been read."""

    __slots__ = ("at", "cost", "first", "first_at", "line", "lines", "message", "tools")

    def __init__(self, line: Line, message: Message, number: int, at: datetime) -> None:
        self.first = line
        self.message = message
        self.cost = None if line.costUSD is None else stated(line.costUSD)
        self.first_at = self.at = at
        self.line = number
        self.lines = 1
        self.tools: tuple[str, ...] = ()

    def absorb(self, line: Line, message: Message, number: int, at: datetime) -> bool:
        """Take a further line of the same response; False when it must stand alone."""
        known = self.message
        if (
            message.usage != known.usage
            or message.stop_reason != known.stop_reason
            or message.model != known.model
        ):
            verdict = _compare(message, known)
            if verdict is None:
                return False
            if verdict > 0:
                self.message, self.line, self.at = message, number, at
            if at < self.first_at:
                self.first_at, self.first = at, line
        elif at >= self.at:
            self.at, self.line = at, number
        elif at < self.first_at:
            self.first_at, self.first = at, line
        if line.costUSD is not None:
            costs = (self.cost, stated(line.costUSD))
            self.cost = max((cost for cost in costs if cost is not None), default=None)
        self.lines += 1
        return True

    def add_tools(self, blocks: Iterable[Block]) -> None:
        """Remember which tools the response calls."""
        for block in blocks:
            name = block.name
            if name and name not in self.tools and block.type in _TOOL_BLOCKS:
                self.tools = tuple(sorted((*self.tools, name)))


def _compare(new: Message, old: Message) -> int | None:
    """Which line knows more (1, 0, -1); None when they are not the same statement.

    They are, when the better one repeats all that the other says but the output.
    """
    ranks = [_rank(message) for message in (new, old)]
    newer = ranks[0] > ranks[1]
    better, worse = (new, old) if newer else (old, new)
    one, other = better.usage, worse.usage
    assert one is not None
    assert other is not None
    if ranks[0] == ranks[1] or new.model != old.model:
        return None
    for name in _STATED:
        value = getattr(other, name)
        if value and value != getattr(one, name):
            return None
    parts, less = parts_of("", one), parts_of("", other)
    if len(parts) != 1 or len(less) != 1 or not parts[0].usage or not less[0].usage:
        return None
    known = {**less[0].usage, _OUTPUT: parts[0].usage[_OUTPUT]}
    if parts[0].model != less[0].model or not known.items() <= parts[0].usage.items():
        return None
    return 1 if newer else -1


def _rank(message: Message) -> tuple[bool, int]:
    usage = message.usage
    assert usage is not None
    return message.stop_reason is not None, usage.output_tokens or 0


def observation(draft: Draft, *, project: str | None, agent: str | None) -> Observation:
    """What a block of lines said of one response."""
    first, message = draft.first, draft.message
    usage = message.usage
    assert usage is not None
    session, copied = first.sessionId, False
    if first.requestSessionId is not None or first.forkedFrom is not None:
        session, copied = _original_session(first)
    parts = parts_of(message.model or "", usage)
    known = bool(parts[0].usage) or any(part.usage for part in parts)
    first_at = at = (draft.at - _EPOCH) // _MILLISECOND
    if draft.first_at is not draft.at:
        first_at = (draft.first_at - _EPOCH) // _MILLISECOND
    condition = (usage.service_tier, usage.speed, usage.inference_geo)
    return Observation(
        message.id,
        first.requestId,
        session,
        first_at,
        at,
        draft.line,
        parts,
        _conditions.get(condition) or _condition(condition),
        _REPORTED if known else _MISSING,
        None if message.stop_reason is not None or not known else _PARTIAL_OUTPUT,
        first.isSidechain,
        copied,
        project,
        first.gitBranch,
        first.attributionAgent or (agent if first.isSidechain else None),
        first.attributionSkill,
        draft.tools,
        draft.cost,
        draft.lines,
    )


def _original_session(line: Line) -> tuple[str | None, bool]:
    """The session a copied line names as its own, and whether it is a copy."""
    if line.requestSessionId and line.requestSessionId != line.sessionId:
        return line.requestSessionId, True
    if line.forkedFrom is not None and line.forkedFrom.sessionId:
        return line.forkedFrom.sessionId, True
    return line.sessionId, False


def _condition(stated_as: tuple[str | None, str | None, str | None]) -> Conditions:
    """The conditions of a usage object, each combination built once."""
    known = _conditions[stated_as] = Conditions(*(value or None for value in stated_as))
    return known


def parts_of(model: str, usage: Usage) -> tuple[Part, ...]:
    """Iterations are the bill where they exist; the top level only repeats some."""
    steps = usage.iterations
    if not steps:
        counts = _counts(usage)
    elif len(steps) == 1 and steps[0].type == MESSAGE:
        counts = _counts(steps[0])
        model = steps[0].model or model
    else:
        return _several_parts(model, usage, steps)
    tools = usage.server_tool_use
    if tools is not None and any(tools.values()):
        _add_server_tools(counts, tools)
    return (Part(model, counts),)


def _several_parts(
    model: str, usage: Usage, steps: list[Iteration]
) -> tuple[Part, ...]:
    parts = [
        Part(
            step.model or model,
            {unit: count for unit, count in _counts(step).items() if count},
            step.type,
        )
        for step in steps
    ]
    main = next((part for part in parts if part.kind == MESSAGE), parts[0])
    _add_server_tools(main.usage, usage.server_tool_use or {})
    return tuple(parts)


def _counts(usage: Counts) -> dict[str, int]:
    """Counts by unit; nothing when the object holds no number but zeros.

    A response always reads something, so a usage of zeros was written by a client that
    received none. Writes without a split were for five minutes.
    """
    uncached = usage.input_tokens or 0
    read = usage.cache_read_input_tokens or 0
    written = usage.cache_creation_input_tokens or 0
    output = usage.output_tokens or 0
    split = usage.cache_creation
    hour = (split.ephemeral_1h_input_tokens or 0) if split is not None else 0
    minutes = (split.ephemeral_5m_input_tokens or 0) if split is not None else 0
    minutes = max(minutes, written - hour)
    if not (uncached or read or minutes or hour or output):
        return {}
    return {
        _UNCACHED: uncached,
        _READ: read,
        _WRITE_5M: minutes,
        _WRITE_1H: hour,
        _OUTPUT: output,
    }


def _add_server_tools(counts: dict[str, int], tools: dict[str, Any]) -> None:
    """Server tools are counted at the top level only; unknown counters keep their name."""
    counts.update(
        (name, count)
        for name, count in tools.items()
        if count and type(count) is int and 0 < count <= COUNT_MAX
    )

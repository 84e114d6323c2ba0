"""Reports as text, for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tollbook.core.report import TIME_DIMENSIONS, Line, PlanShare, Report, tag_of
from tollbook.render.figures import count, money, plural, short
from tollbook.render.ink import Ink
from tollbook.render.safe import safe
from tollbook.render.table import Column, Table, draw

_NAMELESS = {
    "branch": "(no branch)",
    "agent": "(main)",
    "skill": "(no skill)",
    "tool": "(no tool)",
    "group": "(no group)",
    "project": "(no project)",
    "session": "(no session)",
    "kind": "(not registered)",
}
_PATHS = {"project", "group", "branch"}
_WHOLE = TIME_DIMENSIONS | {"session"}  # never cut: a whole id is of use elsewhere
_NAME_MIN = 24
_BASE_MIN = 10
_UNPRICED_MAX = 5


def name_of(line: Line, dimension: str) -> str:
    """What a line is called on a screen."""
    if line.name:
        return safe(line.name)
    tag = tag_of(dimension)
    return f"(no {safe(tag)})" if tag else _NAMELESS.get(dimension, "(unknown)")


def _base(project: str) -> str:
    return safe(project.replace("\\", "/").rstrip("/").rpartition("/")[2])


def report_text(report: Report, ink: Ink) -> str:
    """A table, and below it everything that qualifies its figures."""
    if not report.lines:
        lines = [f"Nothing was used {_period(report)}."]
    else:
        lines = draw(_table(report), ink)
    said = [line for note in notes(report) for line in ink.fold(note)]
    return "\n".join([*lines, *([""] if said else []), *said]) + "\n"


def _period(report: Report) -> str:
    until = f"until {report.until} ({safe(report.timezone)})"
    return f"from {report.since} {until}" if report.since else until


def _table(report: Report) -> Table:
    rows: list[tuple[Line, str]] = []
    inner = set()
    for line in report.lines:
        rows.append((line, name_of(line, report.dimension)))
        for part in line.breakdown:
            inner.add(len(rows))
            rows.append((part, f"  {name_of(part, report.breakdown or '')}"))
    bars = [
        0 if n in inner else line.used.list_cost for n, (line, _) in enumerate(rows)
    ]
    rows.append((report.total, "Total"))
    return Table(
        columns=list(_columns(report, rows)), bars=bars, inner=frozenset(inner)
    )


def _columns(report: Report, rows: Sequence[tuple[Line, str]]) -> Iterator[Column]:
    lines = [line for line, _ in rows]
    used = [line.used for line in lines]
    kind = report.dimension
    yield Column(
        title=safe(tag_of(kind)) or kind.capitalize(),
        texts=[name for _, name in rows],
        right=False,
        least=0 if kind in _WHOLE and report.breakdown is None else _NAME_MIN,
        tail=kind in _PATHS,
    )
    if kind == "session":
        texts = [", ".join(map(_base, line.projects)) for line in lines[:-1]]
        yield Column(
            title="Project", texts=[*texts, ""], right=False, rank=3, least=_BASE_MIN
        )
    yield Column(title="Responses", texts=[count(t.responses) for t in used], rank=4)
    yield Column(
        title="Input", texts=[short(t.uncached_input_tokens) for t in used], rank=5
    )
    written = [t.cache_write_5m_tokens + t.cache_write_1h_tokens for t in used]
    yield Column(title="Cache write", texts=[short(n) for n in written], rank=6)
    yield Column(
        title="Cache read",
        texts=[short(t.cache_read_input_tokens) for t in used],
        rank=6,
    )
    yield Column(title="Output", texts=[short(t.output_tokens) for t in used], rank=5)
    yield Column(title="Tokens", texts=[short(line.tokens) for line in lines], rank=2)
    yield from costs(report, lines)


def figures(report: Report, lines: Sequence[Line]) -> list[Column]:
    """The columns of a short table."""
    return [
        Column(
            title="Responses",
            texts=[count(line.used.responses) for line in lines],
            rank=4,
        ),
        Column(
            title="Output",
            texts=[short(line.used.output_tokens) for line in lines],
            rank=5,
        ),
        Column(title="Tokens", texts=[short(line.tokens) for line in lines], rank=2),
        *costs(report, lines),
    ]


def costs(report: Report, lines: Sequence[Line]) -> Iterator[Column]:
    """The columns of money."""
    amounts = [line.used.list_cost for line in lines]
    marks = [" +?" if line.unpriced else "" for line in lines]
    if any(marks):
        marks = [mark.ljust(3) for mark in marks]
    yield Column(
        title="List cost",
        texts=[money(c) + m for c, m in zip(amounts, marks, strict=True)],
        style="green",
    )
    if any(line.estimated_cost is not None for line in lines):
        texts = [
            "" if line.estimated_cost is None else money(line.estimated_cost)
            for line in lines
        ]
        yield Column(title="Estimated", texts=texts, rank=4, style="dim")
    if report.net:
        texts = [money(line.used.net_cost) for line in lines]
        yield Column(title="Your cost", texts=texts, rank=1)
    if report.display is not None:
        paid = [
            line.used.net_cost if report.net else line.used.list_cost for line in lines
        ]
        texts = [money(report.display.amount(cost), "") for cost in paid]
        yield Column(title=report.display.currency, texts=texts, rank=1)


def notes(report: Report) -> Iterator[str]:
    """Everything that a reader of the figures must know."""
    used, known = report.total.used, report.known
    if used.partial_responses:
        yield _partial(report.total)
    if used.failed_requests:
        failed = plural(used.failed_requests, "request")
        yield f"Failed: {failed} brought no answer."
    if used.missing_responses:
        missing = plural(used.missing_responses, "response")
        yield f"Missing: {missing} whose usage no file holds; they are not in the cost."
    if known.unrecorded_calls:
        calls = plural(known.unrecorded_calls, "call")
        yield f"Unrecorded: {calls} sent to the API whose answer no file holds."
    yield from _unpriced(report.total)
    if known.problems:
        problems = plural(known.problems, "problem")
        yield f"Problems: {problems} in the files read; see `tollbook problems`."
    if report.plan is not None:
        yield plan_note(report.plan)


def _partial(total: Line) -> str:
    partial = plural(total.used.partial_responses, "response")
    note = f"Partial: of {partial} the final output count was never written"
    if total.estimated_cost is None:
        return f"{note}; the cost is a lower bound."
    estimate = money(total.estimated_cost)
    return f"{note}; the list cost is a lower bound, {estimate} the estimate."


def _unpriced(total: Line) -> Iterator[str]:
    for model, units in list(total.unpriced.items())[:_UNPRICED_MAX]:
        listed = ", ".join(f"{count(n)} {safe(unit)}" for unit, n in units.items())
        yield f"Unpriced (+?): {safe(model) or '(no model)'}: {listed}."
    more = len(total.unpriced) - _UNPRICED_MAX
    if more > 0:
        yield f"Unpriced (+?): {plural(more, 'more model')}."


def plan_note(plan: PlanShare) -> str:
    """What the plan cost beside what it gave."""
    text = f"Plan: {safe(plan.name)} cost {money(plan.cost)} in this period"
    text += f"; at list prices its use was worth {money(plan.list_cost)}"
    percent = plan.percent
    return f"{text}, {percent / 100:.1f} times as much." if percent else f"{text}."


def joined(sections: Iterable[Sequence[str]]) -> str:
    """Sections with a blank line between them."""
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"

"""Adjustments: what they change, who made them, and what was left alone."""

from __future__ import annotations

from collections.abc import Sequence

from tollbook.core.adjustment import Change, Made
from tollbook.core.money import Money, usd_exact
from tollbook.core.observation import Adjustment, Evidence, Standing
from tollbook.render.columns import columns
from tollbook.render.fields import moment
from tollbook.render.figures import money, plural
from tollbook.render.review import standing_fields

_NONE = "-"
_SHORT = {
    "uncached_input_tokens": "input",
    "cache_read_input_tokens": "read",
    "cache_write_5m_tokens": "write 5m",
    "cache_write_1h_tokens": "write 1h",
    "output_tokens": "output",
}


def changes_table(changes: Sequence[Change]) -> str:
    """A line for each change, and the sum."""
    heads = ("adjustment", "request", "model", "by", "before", "after", "cost", "then")
    rows = [
        (
            each.name,
            each.id,
            each.said.parts[0].model or _NONE,
            each.by or _NONE,
            counts(each.before),
            counts(each.after),
            money(each.cost_before),
            money(each.cost_after),
        )
        for each in changes
    ]
    before = sum(each.cost_before for each in changes)
    after = sum(each.cost_after for each in changes)
    rows.append(("total", "", "", "", "", "", money(before), money(after)))
    return columns(heads, rows, right=("cost", "then"))


def change_fields(each: Change) -> dict[str, object]:
    """The published shape of a change."""
    return {
        "adjustment": each.name,
        "id": each.id,
        "model": each.said.parts[0].model or None,
        "matched_by": each.by or None,
        "at": moment(each.said.at),
        "line": each.said.line or None,
        "before": standing_fields(each.before),
        "after": standing_fields(each.after),
        "list_cost_before_usd": usd_exact(each.cost_before),
        "list_cost_after_usd": usd_exact(each.cost_after),
    }


def adjustments_table(found: Sequence[Made]) -> str:
    """Every adjustment, who made it and who took it back."""
    heads = (
        "adjustment", "when", "who", "from", "why", "request", "before", "after",
        "taken back",
    )  # fmt: skip
    rows = [
        (
            each.name,
            moment(each.about.at) or _NONE,
            each.about.who,
            _place(each),
            each.about.why,
            each.id,
            counts(each.about.before),
            counts(each.about.after),
            _taken_back(each.withdrawn),
        )
        for each in found
    ]
    return columns(heads, rows)


def adjustment_fields(each: Made) -> dict[str, object]:
    """The published shape of an adjustment."""
    made, gone = each.about, each.withdrawn
    return {
        "adjustment": each.name,
        "id": each.id,
        "who": made.who,
        "at": moment(made.at),
        "why": made.why,
        "basis": made.basis,
        "origin": each.origin,
        "line": each.said.line or None,
        "before": standing_fields(made.before),
        "after": standing_fields(made.after),
        "withdrawn": None
        if gone is None
        else {"who": gone.who, "at": moment(gone.at), "why": gone.why},
    }


def done(count: int, run: str, *, before: Money, after: Money) -> str:
    """What was stored, and how it is taken back."""
    return (
        f"{plural(count, 'request')} filled: {money(before)} is now {money(after)};"
        f" to take it back: tollbook backfill --undo {run}"
    )


def counts(known: Standing) -> str:
    """Counts in few words: ``input 12, output ~2``."""
    if not known:
        return "unknown"
    return ", ".join(
        f"{_SHORT.get(unit, unit)} {_mark(level)}{number:,}"
        for unit, (number, level) in known.items()
    )


def _mark(level: int) -> str:
    return "" if level == Evidence.REPORTED else "~"


def _place(each: Made) -> str:
    place = f"{each.origin}:{each.said.line}" if each.said.line else each.origin
    return f"{each.about.basis}, {place}"


def _taken_back(gone: Adjustment | None) -> str:
    return "" if gone is None else f"{moment(gone.at)} by {gone.who}: {gone.why}"

"""Flagged requests, what was filled and what remains, for people and programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from tollbook.core.adjustment import standing
from tollbook.core.estimator import CLASSES, PERMILLE, PPM, Estimate, Fit
from tollbook.core.money import Money, usd_exact
from tollbook.core.observation import Evidence, Standing
from tollbook.core.review import Flagged, Group
from tollbook.render.columns import columns
from tollbook.render.fields import moment
from tollbook.render.figures import count, money, plural, short
from tollbook.render.ink import Ink
from tollbook.render.safe import safe
from tollbook.render.table import Column, Table, draw

_NONE = "-"
_UNKNOWN = "unknown"
_EVIDENCE = {int(each): each.name.lower() for each in Evidence}


def row_fields(row: Flagged) -> dict[str, object]:
    """The published shape of a flagged request."""
    event = row.event
    return {
        "id": row.id,
        "at": moment(event.at),
        "doubt": row.doubt,
        "upstream": row.tag("upstream"),
        "account": row.tag("account"),
        "state": row.tag("state"),
        "project": event.project,
        "user": event.user,
        "model": row.model or None,
        "message_id": event.message_id,
        "request_id": event.request_id,
        "session": event.session,
        "known": standing_fields(standing(row.event)),
        "estimates": {
            unit: estimate_fields(e) for unit, e in row.likely.counts.items()
        },
        "list_cost_usd": usd_exact(row.list_cost),
        "added_cost_usd": _exact(row.added_cost),
    }


FLAT = (
    "id", "at", "doubt", "upstream", "account", "state", "project", "user", "model",
    "message_id", "request_id", "session", "known", "estimates", "list_cost_usd",
    "added_cost_usd", "methods",
)  # fmt: skip
"""The columns of a flagged request in a table."""


def flat_fields(row: Flagged) -> dict[str, object]:
    """The same for a table, by ``FLAT``: counts in texts of their own."""
    told = row.likely.counts
    methods = sorted({each.method for each in told.values()})
    fields = row_fields(row) | {
        "known": _counts(standing(row.event)),
        "estimates": "; ".join(f"{unit}={each.count}" for unit, each in told.items()),
        "methods": "; ".join(methods),
    }
    return {name: fields[name] for name in FLAT}


def estimate_fields(each: Estimate) -> dict[str, object]:
    """The published shape of an estimate."""
    fields: dict[str, object] = msgspec.to_builtins(each)
    return fields


def standing_fields(known: Standing) -> dict[str, object]:
    """Counts with their evidence."""
    return {
        unit: {"count": number, "evidence": _EVIDENCE[level]}
        for unit, (number, level) in known.items()
    }


def group_fields(group: Group) -> dict[str, object]:
    """The published shape of a group."""
    fields: dict[str, object] = msgspec.to_builtins(group)
    fields["list_cost_usd"] = usd_exact(group.list_cost)
    fields["added_cost_usd"] = usd_exact(group.added_cost)
    del fields["list_cost"], fields["added_cost"]
    return fields | {"to_check": group.to_check}


def rows_table(rows: Sequence[Flagged], ink: Ink) -> str:
    """A line for each flagged request, as wide as there is room."""
    outputs = [_likely(row.likely.counts.get("output_tokens")) for row in rows]
    columns_ = (
        _column("Time", [moment(row.event.at) or _NONE for row in rows], rank=1),
        _column("Request", [row.id for row in rows]),
        _column("Upstream", [row.tag("upstream") or _NONE for row in rows], rank=4),
        _column("Model", [row.model or _NONE for row in rows], rank=3),
        _column("User", [row.event.user or _NONE for row in rows], rank=5),
        _column("Is", [row.doubt for row in rows]),
        _column("Output", [_known_output(row) for row in rows], right=True, rank=2),
        _column("Likely", [count for count, _ in outputs], right=True),
        _column("Between", [band for _, band in outputs], rank=6),
        _column("Cost", [_likely_cost(row) for row in rows], right=True),
    )
    return "\n".join(draw(Table(columns=columns_, total=False), ink))


def group_table(groups: Sequence[Group], whole: Group, by: str, ink: Ink) -> str:
    """A line for each group, and one for all together."""
    every = [*groups, whole]
    names = [*(group.name or _NONE for group in groups), "Total"]

    def counted(title: str, field: str, rank: int = 0) -> Column:
        texts = [count(getattr(group, field)) for group in every]
        return _column(title, texts, right=True, rank=rank)

    tokens = [short(group.measured_tokens + group.partial_tokens) for group in every]
    costs = [money(group.list_cost) for group in every]
    columns_ = (
        _column(by.removeprefix("tag:").capitalize(), names, least=8),
        counted("Requests", "requests"),
        counted("Measured", "measured", rank=3),
        counted("Adjusted", "adjusted", rank=4),
        counted("Partial", "partial", rank=2),
        counted("Missing", "missing", rank=2),
        counted("Failed", "failed", rank=5),
        _column("Tokens", tokens, right=True, rank=6),
        _column("List cost", costs, right=True),
        _column("Likely more", [_more(group) for group in every], right=True),
        counted("To check", "to_check"),
    )
    return "\n".join(draw(Table(columns=columns_), ink))


def _column(
    title: str,
    texts: Sequence[str],
    *,
    right: bool = False,
    rank: int = 0,
    least: int = 0,
) -> Column:
    harmless = [safe(text) for text in texts]
    return Column(title=title, texts=harmless, right=right, rank=rank, least=least)


def _likely_cost(row: Flagged) -> str:
    return _UNKNOWN if row.added_cost is None else f"+{money(row.added_cost)}"


def answers(whole: Group, healed: int) -> str:
    """What people want to know, as questions and answers."""
    to_check = whole.to_check
    answered = whole.requests - whole.failed
    complete = (
        "yes" if not to_check else f"no, {to_check:,} of {answered:,} told too little"
    )
    counted = (
        f"{whole.measured:,} measured, {whole.adjusted:,} adjusted,"
        f" {whole.partial:,} partial, {whole.missing:,} missing"
    )
    tokens = (
        f"{whole.measured_tokens:,} measured; {whole.partial_tokens:,} a lower bound;"
        f" unknown for {plural(whole.missing, 'request')}"
    )
    rows = [
        ("requests complete?", complete),
        (
            "counts right?",
            counted,
        ),
        (
            "tokens",
            tokens,
        ),
        ("cost", f"{money(whole.list_cost)} known; likely more: {_more(whole)}"),
        ("filled by other sources", f"{plural(healed, 'request')}, by themselves"),
        (
            "left to check",
            f"{to_check:,}: `tollbook backfill`" if to_check else "nothing",
        ),
    ]
    return columns(("", ""), rows)


def fits_table(fits: Mapping[str, Fit]) -> str:
    """How each model is estimated, and how far off that was."""
    heads = (
        "model",
        "method",
        "pairs",
        *CLASSES,
        "mean error",
        "p95",
        "bias",
        "version",
    )
    rows = [
        (
            name,
            fit.method,
            count(fit.pairs),
            *(_per_token(rate) for rate in fit.rates),
            *_errors(fit),
            fit.version,
        )
        for name, fit in fits.items()
    ]
    return columns(heads, rows, right=heads[2:-1])


def fit_fields(name: str, fit: Fit) -> dict[str, object]:
    """The published shape of a fit: rates in millionths, errors in thousandths."""
    errors = fit.errors
    return {
        "model": name,
        "method": fit.method,
        "version": fit.version,
        "pairs": fit.pairs,
        **{
            f"{each}_tokens_per_million_chars": rate
            for each, rate in zip(CLASSES, fit.rates, strict=True)
        },
        "mean_error_permille": errors and errors.mean,
        "p95_error_permille": errors and errors.p95,
        "bias_permille": errors and errors.bias,
    }


def _errors(fit: Fit) -> Iterable[str]:
    if fit.errors is None:
        return (_UNKNOWN, _UNKNOWN, _UNKNOWN)
    return (
        _percent(fit.errors.mean),
        _percent(fit.errors.p95),
        _percent(fit.errors.bias),
    )


def _percent(permille: int) -> str:
    sign, size = ("-" if permille < 0 else ""), abs(permille)
    return f"{sign}{size * 100 // PERMILLE}.{size * 1000 // PERMILLE % 10}%"


def _per_token(rate: int) -> str:
    """Characters per token, with two decimals."""
    if not rate:
        return _NONE
    hundredths = 100 * PPM // rate
    return f"{hundredths // 100}.{hundredths % 100:02}"


def _known_output(row: Flagged) -> str:
    known = standing(row.event).get("output_tokens")
    if known is None:
        return _NONE
    mark = "" if known[1] == Evidence.REPORTED else "~"
    return mark + count(known[0])


def _likely(output: Estimate | None) -> tuple[str, str]:
    if output is None:
        return _NONE, _NONE
    if output.low is None or output.high is None:
        return count(output.count), f"? ({output.method})"
    band = f"{output.low:,} and {output.high:,} ({output.method})"
    return count(output.count), band


def _more(group: Group) -> str:
    if not group.to_check:
        return _NONE
    text = f"+{money(group.added_cost)}"
    return text + " + ?" if group.untold else text


def _counts(known: Standing) -> str:
    return "; ".join(
        f"{unit}={number} {_EVIDENCE[level]}" for unit, (number, level) in known.items()
    )


def _exact(amount: Money | None) -> str | None:
    return None if amount is None else usd_exact(amount)

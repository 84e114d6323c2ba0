"""What the ledger holds, as figures for Prometheus; how many, however much it holds."""

from __future__ import annotations

from collections.abc import Iterable

from tollbook.core.money import usd_exact
from tollbook.core.tally import UNITS, Tally
from tollbook.http.query_desk import Asked, Desk
from tollbook.ledger.intake import IntakeState
from tollbook.ledger.naming import EVER
from tollbook.ledger.query import Ask, Where, chosen_totals
from tollbook.render.prometheus import Family, Sample, exposition

PAIRS_MAX = 100
"""Of so many pairs of project and model there are figures; the rest is one more."""

OTHER = "(other)"
_COUNTS = {
    "responses": "Responses, each counted once.",
    "failed_requests": "Requests that brought no answer.",
    "partial_responses": "Responses whose final output count nobody told.",
    "missing_responses": "Responses whose usage nobody told; they are in no cost.",
    "timed_requests": "Requests whose latency is known.",
}

_Pair = tuple[str, str]


def exposition_of(asked: Asked, desk: Desk) -> str:
    """Everything the key may see, since the beginning."""
    own = asked.key.projects
    books = desk.books(asked)
    naming = books.naming
    where = Where(projects=None if own is None else frozenset(own))
    ask = Ask(buckets=[EVER], by="project", where=where)
    used: dict[_Pair, Tally] = {}
    unpriced: dict[_Pair, Tally] = {}
    for total in chosen_totals(books, ask):
        pair = (
            naming.project(total.dimensions["project"]) or "",
            naming.model(total.dimensions["model"]) or "",
        )
        for sums in (used,) if total.priced else (used, unpriced):
            sums[pair] = sums.get(pair, Tally()).plus(total.tally)
    shown = sorted(used, key=lambda pair: (-used[pair].list_cost, pair))[:PAIRS_MAX]
    families = _families(_folded(used, shown), _folded(unpriced, shown))
    if own is None:
        known = desk.store.coverage()
        families += [
            _plain("problems", "Input that could not be used.", known.problems),
            _plain(
                "unrecorded_calls",
                "Requests whose answer nobody told.",
                known.unrecorded_calls,
            ),
            *_ingest(desk.services.intake.state()),
        ]
    return exposition(families)


def _folded(sums: dict[_Pair, Tally], shown: Iterable[_Pair]) -> dict[_Pair, Tally]:
    """The chosen pairs, and one for all others."""
    kept = set(shown)
    found: dict[_Pair, Tally] = {}
    for pair, tally in sorted(sums.items()):
        name = pair if pair in kept else (OTHER, OTHER)
        found[name] = found.get(name, Tally()).plus(tally)
    return found


def _families(used: dict[_Pair, Tally], unpriced: dict[_Pair, Tally]) -> list[Family]:
    families = [
        Family(
            f"tollbook_{name}",
            text,
            [Sample(_labels(p), str(getattr(t, name))) for p, t in used.items()],
        )
        for name, text in _COUNTS.items()
    ]
    cost = [Sample(_labels(p), usd_exact(t.list_cost)) for p, t in used.items()]
    time = [Sample(_labels(p), str(t.latency_ms)) for p, t in used.items()]
    return [
        *families,
        Family("tollbook_usage", "Tokens and other counts by unit.", _by_unit(used)),
        Family(
            "tollbook_unpriced_usage",
            "Those of them that have no price, and are in no cost.",
            _by_unit(unpriced),
        ),
        Family("tollbook_list_cost_dollars", "At list prices, in dollars.", cost),
        Family("tollbook_latency_milliseconds", "Of timed requests, added up.", time),
    ]


def _ingest(state: IntakeState) -> list[Family]:
    """What this process has taken in since it began; a fact is what a sender said."""
    done = (
        ("received", "Facts that were made durable.", state.received),
        ("posted", "Facts from which everything was derived.", state.posted),
        ("refused", "Batches refused because too much was waiting.", state.refused),
    )
    waiting = "Facts that are durable, and not derived from yet."
    return [
        *(
            Family(f"tollbook_ingest_{name}_total", text, [_sample(value)], "counter")
            for name, text, value in done
        ),
        _plain("ingest_waiting", waiting, state.waiting),
    ]


def _by_unit(sums: dict[_Pair, Tally]) -> list[Sample]:
    return [
        Sample(_labels(pair) | {"unit": unit}, str(getattr(tally, unit)))
        for pair, tally in sums.items()
        for unit in (*UNITS, "other_units")
        if getattr(tally, unit)
    ]


def _labels(pair: _Pair) -> dict[str, str]:
    return {"project": pair[0], "model": pair[1]}


def _plain(name: str, text: str, value: int) -> Family:
    return Family(f"tollbook_{name}", text, [_sample(value)])


def _sample(value: int) -> Sample:
    return Sample({}, str(value))

"""Correct what a response counted, and take the correction back.

An adjustment is an observation like any other: it speaks of one response, its evidence
decides what it may replace, and it is never changed. To withdraw it is another one, of
the same response and the same name. ``core.event`` leaves out what was withdrawn.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from tollbook.core.event import UsageEvent, main_model
from tollbook.core.event_id import event_id
from tollbook.core.identity import identify, looks_like_the_providers
from tollbook.core.money import Money
from tollbook.core.observation import (
    Adjustment,
    Conditions,
    Evidence,
    Instant,
    Observation,
    Part,
    Standing,
)

SOURCE = "adjustment"
CONSOLE, WINDOW, PERSON = "console", "window", "person"


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """What a response is now said to have counted."""

    usage: Mapping[str, int]
    evidence: int = Evidence.REPORTED
    model: str | None = None  # where no source knew it
    stated_cost: Money | None = None
    line: int = 0  # of the file it stands in


class Author(msgspec.Struct, frozen=True, kw_only=True):
    """Who corrects something, and why; all of one ``run`` can be taken back at once."""

    run: str
    who: str
    at: Instant
    why: str
    basis: str


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One response before and after, and the fact that makes the difference."""

    id: str  # see ``core.event_id``
    said: Observation
    cost_before: Money
    cost_after: Money
    by: str = ""  # how it was matched

    @property
    def before(self) -> Standing:
        """What was known."""
        return _made(self.said).before

    @property
    def after(self) -> Standing:
        """What is known with it."""
        return _made(self.said).after

    @property
    def name(self) -> str:
        """By what it can be taken back."""
        return name_of(_made(self.said))


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """An adjustment that a ledger holds, and who took it back."""

    said: Observation
    origin: str
    withdrawn: Adjustment | None = None

    @property
    def about(self) -> Adjustment:
        """Who, when, why."""
        return _made(self.said)

    @property
    def name(self) -> str:
        """By what it can be taken back."""
        return name_of(self.about)

    @property
    def id(self) -> str:
        """Which response it speaks of."""
        return event_id(identify(self.said))


def name_of(made: Adjustment) -> str:
    """What people call an adjustment: its run and its number."""
    return f"{made.run}.{made.number}"


def _made(said: Observation) -> Adjustment:
    assert said.adjustment is not None, "only an adjustment is corrected or withdrawn"
    return said.adjustment


def standing(event: UsageEvent) -> Standing:
    """What is known of each unit, over all parts, and how well."""
    lesser = event.lesser or {}
    found: Standing = {}
    for part in event.parts:
        for unit, count in part.usage.items():
            known = found.get(unit, (0, 0))[0]
            found[unit] = known + count, int(lesser.get(unit, event.evidence))
    return found


def level(event: UsageEvent, unit: str) -> int:
    """How well one unit is known; ``MISSING`` where no source told it.

    A response of several parts is told whole: what it does not name there was none of.
    """
    known = standing(event).get(unit)
    if known is not None:
        return known[1]
    return int(Evidence.MISSING if len(event.parts) == 1 else event.evidence)


def news(event: UsageEvent, correction: Correction) -> dict[str, int]:
    """The counts of a correction that are better known than what they would replace."""
    return {
        unit: count
        for unit, count in correction.usage.items()
        if level(event, unit) < correction.evidence
    }


def adjust(
    event: UsageEvent, correction: Correction, author: Author, number: int
) -> Observation | None:
    """The observation that corrects an event; ``None`` where it has no news.

    It says nothing of counts that are known as well or better: an adjustment fills what
    is missing and never contradicts a measurement.
    """
    usage = news(event, correction)
    if not usage:
        return None
    before = standing(event)
    after = before | {unit: (n, int(correction.evidence)) for unit, n in usage.items()}
    model = main_model(event.parts) or correction.model or ""
    message_id, request_id = _names(event)
    return Observation(
        message_id=message_id,
        request_id=request_id,
        session=event.session,
        first_at=event.first_at,
        at=event.at,
        line=correction.line,
        parts=(Part(model, usage),),
        conditions=Conditions(),
        evidence=int(correction.evidence),
        sidechain=event.sidechain,
        copied=event.copied,
        project=event.project,
        stated_cost=correction.stated_cost,
        adjustment=_signed(author, (author.run, number), before, after),
    )


def withdraw(said: Observation, author: Author) -> Observation:
    """The observation that takes an adjustment back, signed by whoever does so."""
    made = _made(said)
    return msgspec.structs.replace(
        said,
        parts=(Part(said.parts[0].model, {}),),
        evidence=int(Evidence.MISSING),
        stated_cost=None,
        adjustment=msgspec.structs.replace(
            _signed(author, (made.run, made.number), made.after, made.before),
            withdrawn=True,
        ),
    )


def _signed(
    author: Author, name: tuple[str, int], before: Standing, after: Standing
) -> Adjustment:
    run, number = name
    return Adjustment(
        run=run,
        number=number,
        withdrawn=False,
        who=author.who,
        at=author.at,
        why=author.why,
        basis=author.basis,
        before=before,
        after=after,
    )


def _names(event: UsageEvent) -> tuple[str | None, str | None]:
    """The one id by which an observation is known to speak of an event.

    What it does not repeat it cannot keep a better source from correcting.
    """
    message_id = event.message_id
    if message_id is not None and looks_like_the_providers(message_id):
        return message_id, None
    return (message_id, None) if event.request_id is None else (None, event.request_id)

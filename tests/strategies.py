"""What sources may say, and all that goes wrong with it, for property tests.

Few ids, sessions and instants, so that observations meet: forks copy a response into
another session, asides repeat it under a new request id and a later time, streams leave
stale partial lines behind final ones, relays send one constant message id.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from hypothesis import strategies as st

from tollbook.core.money import Money
from tollbook.core.observation import (
    MESSAGE,
    Adjustment,
    Call,
    Conditions,
    Evidence,
    Instant,
    ModelTotal,
    Observation,
    Part,
    StatementLine,
)
from tollbook.core.problem import Problem
from tollbook.core.tally import Pricer
from tollbook.core.units import COUNT_MAX, TOKEN_UNITS, Unit

START: Instant = 1_795_000_000_000 // 900_000 * 900_000
DAY_MS = 86_400_000
OUTPUT = Unit.OUTPUT.value
PRICES = {"claude-large": 40_000_000, "claude-small": 1_000_001, "": 3}
DISCOUNTED = ("claude-large",)
HOSTILE = "\x1b[31m\x00'; DROP TABLE events; --\u202e"

MESSAGE_IDS = (*(f"msg_01{letter * 22}" for letter in "ABC"), "msg_bdrk_01" + "D" * 20)
FOREIGN_IDS = ("chatcmpl-constant", "msg_short", HOSTILE)
REQUEST_IDS = ("req_1", "req_2", "req_3")
SESSIONS = ("session-1", "session-2", HOSTILE)
SOURCES = ("claude-code", "relay")
COUNTS = (0, 1, 3, 500, COUNT_MAX)
MODELS = (*PRICES, "mystery", "claude-unheard-of")
_T = TypeVar("_T")


class FlatPricer:
    """Every token of a known model at one price; a tenth off; the rest unpriced."""

    def part_cost(
        self, part: Part, conditions: Conditions, at: Instant
    ) -> tuple[Money, Money, dict[str, int]]:
        """See ``Pricer``."""
        price = PRICES.get(part.model)
        if price is None:
            return 0, 0, dict(part.usage)
        price *= 2 if conditions.speed == "fast" else 1
        price += at >= START + DAY_MS // 8
        tokens = sum(part.usage.get(unit, 0) for unit in TOKEN_UNITS)
        unpriced = {u: n for u, n in part.usage.items() if u not in TOKEN_UNITS and n}
        net = tokens * price * 9 // 10 if part.model in DISCOUNTED else tokens * price
        return tokens * price, net, unpriced

    def token_prices(
        self, model: str, conditions: Conditions, at: Instant
    ) -> tuple[Money, ...] | None:
        """See ``Pricer``."""
        if model not in PRICES or model in DISCOUNTED:
            return None
        price, _, _ = self.part_cost(Part(model, {Unit.OUTPUT: 1}), conditions, at)
        return (price,) * len(TOKEN_UNITS)


def flat_pricer() -> Pricer:
    """A pricer that prices some and leaves some unpriced."""
    return FlatPricer()


class Dice:
    """Choices from one large number: one draw, which is what property tests pay for."""

    def __init__(self, number: int) -> None:
        self._left = number

    def pick(self, *options: _T) -> _T:
        """One of some values; the first when the number is spent."""
        self._left, place = divmod(self._left, len(options))
        return options[place]

    def flip(self, chances: int = 2) -> bool:
        """True, once in so many chances."""
        place: int = self.pick(*range(chances))
        return place == chances - 1

    def some(self, *options: _T) -> list[_T]:
        """Any of some values, in their order."""
        return [option for option in options if self.flip()]


def diced(make: Callable[[Dice], _T]) -> st.SearchStrategy[_T]:
    """What can be made of a few dozen choices."""
    return st.integers(0, 2**700 - 1).map(lambda number: make(Dice(number)))


def usage_of(dice: Dice) -> dict[str, int]:
    """Token counts, at times with searches, counters we do not know, or only some."""
    wanted = dice.pick("tokens", "tokens", "more", "some")
    if wanted == "some":
        chosen = dice.some(*(unit.value for unit in Unit)) or [OUTPUT]
        return {unit: dice.pick(*COUNTS) for unit in chosen}
    usage = {unit.value: dice.pick(*COUNTS) for unit in TOKEN_UNITS}
    if wanted == "more":
        extra = dice.some(Unit.WEB_SEARCH.value, "moon_phases", "code_runs")
        usage |= {unit: dice.pick(1, 2, 7) for unit in extra}
    return usage


def parts_of(dice: Dice) -> tuple[Part, ...]:
    """One message, one that lost its usage, or several iterations."""
    shape = dice.pick("one", "one", "one", "none", "step", "two", "three")
    if shape == "none":
        return (Part(dice.pick(*MODELS), {}),)
    if shape == "one":
        return (Part(dice.pick(*MODELS), usage_of(dice)),)
    return tuple(
        Part(
            dice.pick(*MODELS),
            {} if dice.flip(3) else usage_of(dice),
            dice.pick(MESSAGE, MESSAGE, "compaction", "advisor_message"),
        )
        for _ in range(("step", "two", "three").index(shape) + 1)
    )


def observation_of(dice: Dice) -> Observation:
    """What one source said about one response."""
    said = parts_of(dice)
    known = {unit for part in said for unit in part.usage}
    evidence = Evidence.MISSING
    lesser = None
    if known:
        evidence = dice.pick(Evidence.REPORTED, *Evidence)
        evidence = max(evidence, Evidence.ESTIMATED)
        if evidence > Evidence.PARTIAL and OUTPUT in known and len(known) > 1:
            lesser = dice.pick(None, {OUTPUT: int(Evidence.PARTIAL)})
    first_at = START + dice.pick(*range(41)) * 400_001
    return Observation(
        message_id=dice.pick(*MESSAGE_IDS * 3, *FOREIGN_IDS, "", None),
        request_id=dice.pick(None, *REQUEST_IDS),
        session=dice.pick(None, *SESSIONS),
        first_at=first_at,
        at=first_at + dice.pick(0, 0, 1, 600_000),
        line=dice.pick(1, 2, 3),
        parts=said,
        conditions=Conditions(
            dice.pick(None, "standard", "batch"),
            dice.pick(None, "standard", "fast"),
            dice.pick(None, "us", "global"),
            dice.pick(None, None, "bedrock"),
        ),
        evidence=int(evidence),
        lesser=lesser,
        sidechain=dice.flip(),
        copied=dice.flip(3),
        project=dice.pick(None, "-work", HOSTILE),
        branch=dice.pick(None, "main", "fix"),
        agent=dice.pick(None, "Explore"),
        skill=dice.pick(None, "review"),
        tools=dice.pick((), ("Bash",), ("Bash", "Read"), (HOSTILE,)),
        stated_cost=dice.pick(None, None, 0, 10**12),
        lines=dice.pick(1, 1, 2, 3),
        provider=dice.pick(None, None, "anthropic"),
        app=dice.pick(None, None, "llm_router"),
        user=dice.pick(None, "ada", HOSTILE),
        machine=dice.pick(None, None, "lab"),
        key=dice.pick(None, None, "tb_one"),
        tags=dice.pick((), (), (("team", "blue"),), (("a", HOSTILE), ("team", "red"))),
        latency_ms=dice.pick(None, None, 0, 1200),
        failure=None if known else dice.pick(None, "429", "connection"),
        adjustment=dice.pick(None, None, None, adjustment_of(dice)),
    )


def adjustment_of(dice: Dice) -> Adjustment:
    """One of few corrections, made or taken back."""
    return Adjustment(
        run="adj_one",
        number=dice.pick(1, 2),
        withdrawn=dice.flip(),
        who=dice.pick("ada", HOSTILE),
        at=START,
        why="the console says so",
        basis="console",
        before={},
        after=dice.pick({}, {OUTPUT: (5, int(Evidence.REPORTED))}),
    )


def call_of(dice: Dice) -> Call:
    """A request, or an answer's word that there was one."""
    return Call(
        reference=dice.pick("ask-1", "ask-2", "ask-3"),
        asked=not dice.flip(3),
        session=dice.pick(None, *SESSIONS),
        at=dice.pick(None, START, START + 3_600_000),
        model=dice.pick(None, "claude-large"),
        project=dice.pick(None, "-work"),
    )


def statement_of(dice: Dice) -> StatementLine:
    """One of few running totals, so that several are the latest."""
    return StatementLine(
        session=dice.pick(*SESSIONS),
        sequence=dice.pick(0, 1, 2),
        stated_cost=dice.pick(0, 1, 2),
        models=dice.pick((), (ModelTotal("claude-large", {OUTPUT: 1}, 1),)),
        line=dice.pick(1, 2),
        series=dice.pick("", "", "a", "b"),
    )


def problem_of(dice: Dice, origin: str) -> Problem:
    """What may be wrong with an origin."""
    return Problem(
        origin=origin,
        line=dice.pick(0, 1, 2),
        code=dice.pick("line-not-json", "line-time"),
        message="it is cut; look",
    )


OBSERVATIONS = diced(observation_of)
SAID = diced(lambda dice: (dice.pick(*SOURCES), observation_of(dice)))
"""A source and what it said."""

CALLS = diced(call_of)
STATEMENTS = diced(statement_of)

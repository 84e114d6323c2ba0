"""What sources may say, and all that goes wrong with it, for property tests.

Few ids, sessions and instants, so that observations meet: forks copy a response into
another session, asides repeat it under a new request id and a later time, streams leave
stale partial lines behind final ones, relays send one constant message id.
"""

from __future__ import annotations

from hypothesis import strategies as st

from tollbook.core.money import Money
from tollbook.core.observation import (
    MESSAGE,
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
from tollbook.core.units import TOKEN_UNITS, Unit

START: Instant = 1_795_000_000_000 // 900_000 * 900_000
DAY_MS = 86_400_000
OUTPUT = Unit.OUTPUT.value
PRICES = {"claude-large": 40_000_000, "claude-small": 1_000_001, "": 3}
HOSTILE = "\x1b[31m\x00'; DROP TABLE events; --\u202e"

MESSAGE_IDS = (*(f"msg_01{letter * 22}" for letter in "ABC"), "msg_bdrk_01" + "D" * 20)
FOREIGN_IDS = ("chatcmpl-constant", "msg_short", HOSTILE)
REQUEST_IDS = ("req_1", "req_2", "req_3")
SESSIONS = ("session-1", "session-2", HOSTILE)
SOURCES = ("claude-code", "relay")
COUNTS = st.sampled_from((0, 1, 3, 500, 10**10))
TIMES = st.integers(0, 40).map(lambda step: START + step * 400_001)


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
        return tokens * price, tokens * price * 9 // 10, unpriced


def flat_pricer() -> Pricer:
    """A pricer that prices some and leaves some unpriced."""
    return FlatPricer()


def optional(*values: str) -> st.SearchStrategy[str | None]:
    """One of some texts, or nothing."""
    return st.sampled_from((None, *values))


def usages() -> st.SearchStrategy[dict[str, int]]:
    """Token counts, at times with searches, counters we do not know, or only some."""
    tokens = st.fixed_dictionaries({unit.value: COUNTS for unit in TOKEN_UNITS})
    extra = st.dictionaries(
        st.sampled_from((Unit.WEB_SEARCH.value, "moon_phases", "code_runs")),
        st.integers(1, 9),
        max_size=2,
    )
    some = st.dictionaries(
        st.sampled_from([unit.value for unit in Unit]), COUNTS, min_size=1
    )
    full = st.builds(lambda one, other: {**one, **other}, tokens, extra)
    return st.one_of(tokens, full, some)


def parts() -> st.SearchStrategy[tuple[Part, ...]]:
    """One message, one that lost its usage, or several iterations."""
    models = st.sampled_from((*PRICES, "mystery", "claude-unheard-of"))
    one = st.builds(lambda model, usage: (Part(model, usage),), models, usages())
    none = models.map(lambda model: (Part(model, {}),))
    kinds = st.sampled_from((MESSAGE, MESSAGE, "compaction", "advisor_message"))
    step = st.builds(Part, models, usages(), kinds)
    several = st.lists(step, min_size=1, max_size=3).map(tuple)
    return st.one_of(one, one, several, none)


CONDITIONS = st.builds(
    Conditions,
    optional("standard", "batch"),
    optional("standard", "fast"),
    optional("us", "global"),
    optional("bedrock"),
)


@st.composite
def observations(draw: st.DrawFn) -> Observation:
    """What one source said about one response."""
    said = draw(parts())
    known = {unit for part in said for unit in part.usage}
    evidence = Evidence.MISSING
    lesser = None
    if known:
        evidence = draw(st.sampled_from((Evidence.REPORTED, *list(Evidence)[1:])))
        if evidence > Evidence.PARTIAL and OUTPUT in known and len(known) > 1:
            lesser = draw(st.sampled_from((None, {OUTPUT: int(Evidence.PARTIAL)})))
    first_at = draw(TIMES)
    return Observation(
        message_id=draw(st.sampled_from((*MESSAGE_IDS * 3, *FOREIGN_IDS, "", None))),
        request_id=draw(optional(*REQUEST_IDS)),
        session=draw(optional(*SESSIONS)),
        first_at=first_at,
        at=first_at + draw(st.sampled_from((0, 0, 1, 600_000))),
        line=draw(st.integers(0, 3)),
        parts=said,
        conditions=draw(CONDITIONS),
        evidence=int(evidence),
        lesser=lesser,
        sidechain=draw(st.booleans()),
        copied=draw(st.sampled_from((False, False, True))),
        project=draw(optional("-work", HOSTILE)),
        branch=draw(optional("main", "fix")),
        agent=draw(optional("Explore")),
        skill=draw(optional("review")),
        tools=draw(st.sampled_from(((), ("Bash",), ("Bash", "Read"), (HOSTILE,)))),
        stated_cost=draw(st.sampled_from((None, 0, 10**12))),
        lines=draw(st.integers(1, 3)),
    )


SAID = st.tuples(st.sampled_from(SOURCES), observations())
"""A source and what it said."""

CALLS = st.builds(
    Call,
    reference=st.sampled_from(("ask-1", "ask-2", "ask-3")),
    asked=st.booleans(),
    session=optional(*SESSIONS),
    at=st.one_of(st.none(), TIMES),
    model=optional("claude-large"),
    project=optional("-work"),
)
STATEMENTS = st.builds(
    StatementLine,
    session=st.sampled_from(SESSIONS),
    sequence=st.integers(0, 2),
    stated_cost=st.integers(0, 2),
    models=st.sampled_from(((), (ModelTotal("claude-large", {OUTPUT: 1}, 1),))),
    line=st.integers(1, 2),
)


def problems(origin: str) -> st.SearchStrategy[Problem]:
    """What may be wrong with an origin."""
    return st.builds(
        Problem,
        origin=st.just(origin),
        line=st.integers(0, 3),
        code=st.sampled_from(("line-not-json", "line-time")),
        message=st.just("it is cut; look"),
    )

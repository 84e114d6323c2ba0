"""A small world for the tests of reports: three weeks of two projects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

import msgspec
from hypothesis import strategies as st

from tollbook.core.observation import Call, Conditions, Evidence, Observation, Part
from tollbook.core.problem import Problem
from tollbook.core.rate import Rater
from tollbook.core.report import Report
from tollbook.ledger.naming import Naming
from tollbook.ledger.report import Books, Question, load
from tollbook.ports import Batch, LedgerStore
from tollbook.prices import load_catalogue
from tollbook.stores.memory import MemoryStore

TODAY = date(2026, 11, 22)
NOW = 1_795_349_400_000  # 2026-11-22T12:10Z
HOSTILE = "=cmd|' /C calc'\x1b[31m\u202eevil\x07"
ATLAS, NOTES = "-home-dev-atlas", "-home-dev-notes"
RATER = Rater(load_catalogue())


def instant(text: str) -> int:
    """Milliseconds of an ISO time; UTC where it names no zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def seen(
    number: int,
    at: str | int,
    *,
    model: str = "claude-opus-5",
    usage: Mapping[str, int] | None = None,
    **marks: object,
) -> Observation:
    """One response, with what is special about it."""
    when = at if isinstance(at, int) else instant(at)
    counts = {
        "uncached_input_tokens": 100,
        "cache_read_input_tokens": 20_000,
        "cache_write_5m_tokens": 1_000,
        "output_tokens": 500,
    }
    usual = Observation(
        message_id=f"msg_01{number:022}",
        request_id=f"req_{number}",
        session="5e551011-0000-4000-8000-000000000001",
        first_at=when,
        at=when,
        line=number,
        parts=(Part(model, counts | dict(usage or {})),),
        conditions=Conditions(),
        project=ATLAS,
    )
    return msgspec.structs.replace(usual, **marks)


ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu")
RESPONSES = st.builds(
    lambda number, minutes, model, project, session: seen(
        number,
        instant("2026-10-24T00:00") + minutes * 60_000,
        model=model,
        project=project,
        session=session,
        evidence=number % 2 + 3,
        tools=("Bash", "Read")[: number % 3],
    ),
    st.integers(1, 40),
    st.integers(0, 30 * 24 * 60 - 1),
    st.sampled_from(["claude-opus-5", "claude-haiku-5-5", "mystery", ""]),
    st.sampled_from([ATLAS, NOTES, HOSTILE, None]),
    st.sampled_from(["one", "two", HOSTILE, None]),
)


def history() -> list[Observation]:
    """Two projects, a session over midnight, a partial and an unpriced response."""
    second = "5e551011-0000-4000-8000-000000000002"
    notes: dict[str, Any] = {"project": NOTES, "session": second}
    helper: dict[str, Any] = {"agent": "Explore", "sidechain": True}
    small = "claude-haiku-4-5-20251001"
    cut: dict[str, Any] = {"usage": {"output_tokens": 3}, "evidence": Evidence.PARTIAL}
    return [
        seen(1, "2026-10-30T09:00", branch="main", tools=("Bash",)),
        seen(2, "2026-10-30T09:20", branch="main", tools=("Bash", "Read")),
        seen(3, "2026-11-16T22:50", model="claude-sonnet-5-5[1m]", **notes),
        seen(4, "2026-11-16T23:50", model="claude-sonnet-5-5", **notes),
        seen(5, "2026-11-17T00:10", model="claude-sonnet-5-5", **notes),
        seen(6, "2026-11-20T15:00", model=small, **helper),
        seen(7, "2026-11-20T15:10", model=small, **helper, **cut),
        seen(8, "2026-11-21T08:00", model="mystery-1", skill="review"),
        seen(9, "2026-11-22T10:05", usage={"web_search_requests": 2}),
        seen(10, "2026-11-22T11:40", branch="feature/x"),
    ]


def store_of(observations: Iterable[Observation], **more: object) -> LedgerStore:
    """A store that was told all of this."""
    store = MemoryStore(RATER, RATER.version)
    batch = Batch(
        source="claude-code",
        origin="/transcripts/a.jsonl",
        cursor=b"1",
        afresh=True,
        observations=list(observations),
        labels={ATLAS: "/home/dev/atlas", NOTES: "/home/dev/notes"},
    )
    store.append([msgspec.structs.replace(batch, **more)], now=NOW)
    return store


def sample_store() -> LedgerStore:
    """The small world."""
    at = instant("2026-11-21T09:00")
    return store_of(
        history(),
        calls=[Call("req_lost", asked=True, at=at, project=ATLAS)],
        problems=[
            Problem(
                origin="/transcripts/a.jsonl",
                line=9,
                code="line-not-json",
                message="cut",
            )
        ],
    )


def books_of(store: LedgerStore, **names: object) -> Books:
    """Where answers come from; ``names`` are the user's own."""
    naming = Naming(
        lambda raw: RATER.model(raw, NOW),
        store.labels(),
        **names,  # type: ignore[arg-type]  # a test's own words
    )
    return Books(store=store, naming=naming, pricer=RATER)


def question(dimension: str, *, zone: tzinfo = UTC, **more: object) -> Question:
    """A question on the day of the small world."""
    asked = Question(
        name=dimension, dimension=dimension, today=TODAY, zone=zone, zone_name=str(zone)
    )
    return msgspec.structs.replace(asked, **more)


def ask(store: LedgerStore, dimension: str, **more: object) -> Report:
    """The answer of a store."""
    zone = more.pop("zone", UTC)
    assert isinstance(zone, tzinfo)
    return load(books_of(store), question(dimension, zone=zone, **more))

"""Reports by who asked and through what: ``tollbook.ledger.filters``, ``dimensions``."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from reporting import NOW, ask, books_of, instant, question, seen, store_of
from tollbook.core.errors import NothingMatchesError
from tollbook.core.observation import Call, Part
from tollbook.ledger.report import load
from tollbook.ports import Batch, LedgerStore


def askers() -> LedgerStore:
    """Four responses of two users, and a request that failed."""
    ada: dict[str, Any] = {"user": "ada", "app": "shop", "tags": (("team", "blue"),)}
    bob: dict[str, Any] = {
        "user": "bob",
        "provider": "anthropic",
        "key": "tb_1",
        "machine": "lab",
    }
    lost: dict[str, Any] = {
        "parts": (Part("claude-opus-5", {}),),
        "evidence": 1,
        "failure": "429",
    }
    store = store_of(
        [
            seen(1, "2026-11-20T15:00", **ada),
            seen(2, "2026-11-20T15:00", **ada, project="shop"),
            seen(3, "2026-11-20T15:00", **bob),
            seen(4, "2026-11-20T15:00", tags=(("team", "red"),)),
            seen(5, "2026-11-20T15:00", **bob, **lost),
        ],
        calls=[Call("req_lost", asked=True, at=instant("2026-11-20T15:00"))],
    )
    relay = Batch(
        source="relay", origin="r", observations=[seen(3, "2026-11-20T15:00", **bob)]
    )
    store.append([relay], now=NOW)
    return store


@pytest.mark.parametrize(
    ("dimension", "lines"),
    [
        ("user", {"ada": 2, "bob": 1, None: 1}),
        ("app", {"shop": 2, None: 2}),
        ("provider", {"anthropic": 1, None: 3}),
        ("machine", {"lab": 1, None: 3}),
        ("key", {"tb_1": 1, None: 3}),
        ("source", {"claude-code": 3, "claude-code+relay": 1}),
        ("tag:team", {"blue": 2, "red": 1, None: 1}),
        ("kind", {"agents": 1, None: 3}),
    ],
)
def test_a_report_by_who_asked_and_through_what(
    dimension: str, lines: dict[str | None, int]
) -> None:
    books = msgspec.structs.replace(books_of(askers()), kinds={"shop": "agents"})
    report = load(books, question(dimension, breakdown="model"))

    assert {line.name: line.used.responses for line in report.lines} == lines
    assert report.total.used.failed_requests == 1


@pytest.mark.parametrize(
    ("wanted", "responses"),
    [
        ({"where": {"user": "ada"}}, 2),
        ({"where": {"user": None}}, 1),
        ({"where": {"tag:team": "blue", "app": "shop"}}, 2),
        ({"source": "relay"}, 1),
        ({"source": "claude-code", "where": {"user": "bob"}}, 1),
        ({"kind": "agents"}, 1),
        ({"kind": "agents", "projects": ("atlas",)}, 0),
        ({"kind": "devtools"}, 0),
        ({"where": {"user": "bob"}, "models": ("opus",)}, 1),
    ],
)
def test_a_filter_by_who_asked_and_through_what(
    wanted: dict[str, Any], responses: int
) -> None:
    books = msgspec.structs.replace(books_of(askers()), kinds={"shop": "agents"})
    for dimension in ("day", "session", "user", "hour"):
        report = load(books, question(dimension, **wanted))

        assert report.total.used.responses == responses
        assert report.known.unrecorded_calls == 0


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"where": {"user": "eve"}}, "user 'eve' is not in the ledger; there are ada"),
        ({"where": {"tag:team": "x"}}, "tag team 'x' is not in the ledger"),
        ({"source": "claude-code+relay"}, "there are claude-code, relay"),
    ],
)
def test_who_never_asked_is_no_filter(wanted: dict[str, Any], said: str) -> None:
    with pytest.raises(NothingMatchesError, match=re.escape(said)):
        ask(askers(), "day", **wanted)

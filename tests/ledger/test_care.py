"""tollbook.ledger.verify, doctor and show, on the in-memory store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from strategies import FlatPricer
from tollbook.core.catalogue import PriceCatalogue
from tollbook.core.observation import (
    Call,
    Conditions,
    ModelTotal,
    Observation,
    Part,
    StatementLine,
)
from tollbook.core.problem import Problem
from tollbook.core.rate import Rater
from tollbook.ledger.doctor import CARE, Finding, examine
from tollbook.ledger.show import (
    NAMESAKES_MAX,
    NamesakesView,
    NotFoundError,
    SessionView,
    find,
)
from tollbook.ledger.verify import verify
from tollbook.ports import Batch
from tollbook.prices import load_catalogue
from tollbook.sources.transcript_files import (
    SURVEY,
    cursor_of,
    encode_cursor,
    encode_problems,
)
from tollbook.sources.unfinished import unfinished
from tollbook.stores.memory import MemoryStore

NOW = 1_795_000_000_000
CATALOGUE: PriceCatalogue = load_catalogue()
RATER = Rater(CATALOGUE)


def seen(number: int, *, model: str = "claude-opus-5-5", at: int = NOW) -> Observation:
    """100 tokens in and 500 out."""
    return Observation(
        message_id=f"msg_01{number:022d}",
        request_id=f"req_{number}",
        session="session-a",
        first_at=at,
        at=at,
        line=number,
        parts=(Part(model, {"uncached_input_tokens": 100, "output_tokens": 500}),),
        conditions=Conditions(),
        sidechain=number > 1,
        agent="Explore" if number > 1 else None,
        project="-home-me-shop",
    )


def store_of(
    *observations: Observation,
    calls: Sequence[Call] = (),
    statements: Sequence[StatementLine] = (),
    problems: Sequence[Problem] = (),
) -> MemoryStore:
    store = MemoryStore(RATER, RATER.version)
    batch = Batch(
        source="claude-code",
        origin="/a.jsonl",
        observations=observations,
        labels={"-home-me-shop": "/home/me/shop"},
        calls=calls,
        statements=statements,
        problems=problems,
    )
    store.append([batch], now=NOW)
    return store


def cares(store: MemoryStore, prices: str = RATER.version) -> dict[str, Finding]:
    found = examine(store, now=NOW, prices=prices)
    return {each.name: each for each in found if each.state == CARE}


def test_a_sound_ledger_needs_no_care() -> None:
    assert cares(store_of(seen(1))) == {}


def test_an_empty_ledger_needs_no_care() -> None:
    assert cares(MemoryStore(FlatPricer(), "v1"), "v1") == {}


def test_what_needs_care_comes_with_a_remedy() -> None:
    problem = Problem(origin="/a.jsonl", line=3, code="line-shape", message="odd")
    store = store_of(
        seen(1, model="claude-none"),
        seen(2, at=NOW + 86_400_000),
        problems=[problem],
    )

    found = cares(store, "newer")

    assert set(found) == {"prices", "clock", "unpriced models", "problems"}
    assert all(each.remedy for each in found.values())
    assert found["unpriced models"].what == "claude-none"


def test_a_unit_without_a_price_is_no_model_without_one() -> None:
    ran = Part("claude-opus-5-5", {"output_tokens": 5, "code_execution_requests": 15})
    store = store_of(msgspec.structs.replace(seen(1), parts=(ran,)))

    found = {each.name: each for each in examine(store, now=NOW, prices=RATER.version)}

    assert found["unpriced models"].what == "every model has a price"
    assert found["unpriced units"].what.startswith("15 code_execution_requests;")
    assert cares(store) == {}


def test_verification_says_how_much_it_compared() -> None:
    found = verify(store_of(seen(1), seen(2)), repair=True)

    assert (found.responses, found.batches, found.repaired) == (2, 1, True)
    assert found.differences == ()


def test_a_session_has_its_agents_calls_and_statements() -> None:
    total = ModelTotal("claude-opus-5-5", {"output_tokens": 1000}, 2 * 10**10)
    stated = StatementLine("session-a", 1, 2 * 10**10, (total,), 9)
    asked = Call("req_lost", asked=True, session="session-a", at=NOW)
    store = store_of(seen(1), seen(2), calls=[asked], statements=[stated])

    view = find(store, RATER, "session")

    assert isinstance(view, SessionView)
    assert view.path == "/home/me/shop"
    assert view.tally.list_cost == 2 * 10_400_000_000
    assert {name: t.responses for name, t in view.agents.items()} == {
        "": 1,
        "Explore": 1,
    }
    assert view.unrecorded_calls == 1
    assert view.stated_cost == 2 * 10**10


def test_a_response_explains_its_cost() -> None:
    found = find(store_of(seen(1)), RATER, f"msg_01{1:022d}")

    assert isinstance(found, NamesakesView)
    (view,) = found.responses
    assert not found.more
    lines = [line for part in view.parts for line in part.lines]
    assert sum(line.amount for line in lines) == view.tally.list_cost
    assert view.context_tokens == 100


def test_of_many_answers_with_one_id_the_latest_are_shown() -> None:
    constant = [
        msgspec.structs.replace(seen(n, at=NOW + n), message_id="msg_const")
        for n in range(NAMESAKES_MAX + 1)
    ]
    found = find(store_of(*constant), RATER, "msg_const")

    assert isinstance(found, NamesakesView)
    assert found.more
    requests = [view.stored.event.request_id for view in found.responses]
    assert requests == [f"req_{n}" for n in range(NAMESAKES_MAX, 0, -1)]


def test_the_beginning_of_two_sessions_names_none() -> None:
    other = msgspec.structs.replace(seen(2), session="session-b")

    with pytest.raises(NotFoundError, match="session-a, session-b"):
        find(store_of(seen(1), other), RATER, "sess")


@pytest.mark.parametrize("name", ["", "nothing"])
def test_what_nobody_is_called_is_not_found(name: str) -> None:
    with pytest.raises(NotFoundError):
        find(store_of(seen(1)), RATER, name)


def test_a_file_that_goes_on_behind_its_last_line_is_unfinished(tmp_path: Path) -> None:
    whole, cut, grown, gone = (tmp_path / name for name in "abcd")
    cursors = {}
    for path, text in ((whole, "x\n"), (cut, "x\ny"), (grown, "x\ny"), (gone, "x\ny")):
        path.write_text(text)
        cursor = cursor_of(path.stat())
        read = msgspec.structs.replace(cursor, offset=2)
        cursors[str(path)] = encode_cursor(read)
    grown.write_text("x\nyz\n")
    gone.unlink()
    cursors[SURVEY] = encode_problems([])

    assert unfinished(cursors) == [str(cut)]

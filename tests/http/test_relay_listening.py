"""What listens to an answer, and that no trouble of its own reaches the client."""

from __future__ import annotations

import gzip
from types import SimpleNamespace
from typing import cast

import msgspec
import pytest

from simulate.upstream import message, message_of
from tollbook.config import Account
from tollbook.config import Upstream as Settings
from tollbook.core.observation import Observation
from tollbook.core.problem import Problem
from tollbook.formats.answer_meter import AnswerMeter
from tollbook.formats.batch_results import Fetched
from tollbook.formats.messages_request import Asked
from tollbook.formats.metered import State
from tollbook.http import relay_results
from tollbook.http.journal import Journal
from tollbook.http.relay_passage import Sent
from tollbook.http.relay_results import ResultsListener, Silence
from tollbook.http.relay_story import Story
from tollbook.http.relay_upstreams import Upstream
from tollbook.http.relay_wire import Response
from tollbook.ledger.relaying import Books

SETTINGS = Settings(base_url="https://x.example", accounts={"a": Account(key_env="K")})
UPSTREAM = Upstream("u", SETTINGS, environ={"K": "k"})
LINES = b"".join(
    msgspec.json.encode(
        {"custom_id": "a", "result": {"type": "succeeded", "message": message(number)}}
    )
    + b"\n"
    for number in (1, 2)
)


class Notes:
    """Keeps what is noted."""

    def __init__(self) -> None:
        self.seen: list[str | None] = []
        self.problems: list[str] = []

    def note(
        self,
        origin: str,
        seen: list[Observation],
        problems: tuple[Problem, ...] = (),
    ) -> None:
        """Keep it."""
        assert origin == "loopback"
        self.seen += [each.message_id for each in seen]
        self.problems += [each.code for each in problems]


def answer(status: int = 200, coding: str | None = None) -> Response:
    """The head of an answer."""
    headers = {} if coding is None else {"content-encoding": coding}
    return cast("Response", SimpleNamespace(status=status, headers=headers))


def heard(response: Response, *chunks: bytes) -> Notes:
    """What is noted of an answer."""
    notes = Notes()
    listener = ResultsListener(
        response, Fetched(batch="b", at=0), cast("Books", notes), "loopback"
    )
    for chunk in chunks:
        listener.feed(chunk)
    listener.close()
    return notes


@pytest.mark.parametrize("portion", [1, 1000])
def test_results_are_noted_in_portions(
    monkeypatch: pytest.MonkeyPatch, portion: int
) -> None:
    monkeypatch.setattr(relay_results, "_PORTION", portion)
    both = [message_of(1), message_of(2)]

    assert heard(answer(), LINES[:99], LINES[99:-1]).seen == both
    assert heard(answer(coding="gzip"), gzip.compress(LINES)).seen == both


def test_results_that_cannot_be_read_are_left() -> None:
    assert heard(answer(404), LINES).seen == []
    assert heard(answer(coding="snappy"), LINES).seen == []
    assert heard(answer(coding="gzip"), LINES, LINES).seen == []
    assert heard(answer(), b"odd\n").problems == ["line-not-json"]


def test_silence_wants_nothing_more() -> None:
    silence = Silence()
    silence.feed(b"anything")

    assert silence.is_final


def test_trouble_in_listening_is_told_and_stays_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def break_down(meter: AnswerMeter, chunk: bytes) -> None:
        del meter, chunk
        raise ZeroDivisionError

    told: list[str] = []
    story = Story(Asked(model="m"), UPSTREAM, Journal(told.append))
    story.feed(b"before there is an answer")
    [account] = UPSTREAM.accounts(0)
    sent = Sent(response=answer(), upstream=UPSTREAM, account=account, attempts=1)
    story.answered(sent)
    monkeypatch.setattr(AnswerMeter, "feed", break_down)
    final = [story.is_final]
    story.feed(b"one")
    story.feed(b"two")
    final.append(story.is_final)

    assert len(told) == 1
    assert final == [False, True]
    assert str(story.marks["unheard"]) in told[0]
    assert story.outcome().parts[0].model == "m"


def test_a_request_that_was_left_before_its_answer_is_aborted() -> None:
    story = Story(Asked(model="m"), UPSTREAM, Journal())

    assert story.is_final
    assert story.outcome().state == State.ABORTED
    assert story.outcome() is story.outcome()

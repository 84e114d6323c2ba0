"""tollbook.Client.record: what an application says arrives, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from anthropic.types import Message

from receiver import Receiver
from reporting_client import ANSWER
from tollbook import Client, Stats
from tollbook.core.errors import ConfigError


def test_a_record_says_what_was_given_and_when(receiver: Receiver, url: str) -> None:
    before = datetime.now(UTC)
    with Client(url, "tb_secret", "shop") as client:
        client.record(
            model="claude-opus-5-5",
            provider="anthropic",
            input_tokens=12,
            output_tokens=34,
            cost_usd=Decimal("0.0100"),
            latency_ms=1830.5,
            tags={"team": "a"},
            metadata={"user_id": "u", "deep": [1]},
        )
    [record] = receiver.records
    at = datetime.fromisoformat(record.pop("timestamp"))

    assert abs((at - before).total_seconds()) < 5
    assert len(record.pop("id")) == 35
    assert record == {
        "project_id": "shop",
        "model": "claude-opus-5-5",
        "provider": "anthropic",
        "input_tokens": 12,
        "output_tokens": 34,
        "cost_usd": "0.0100",
        "latency_ms": 1830.5,
        "tags": {"team": "a"},
        "metadata": {"user_id": "u", "deep": [1]},
    }
    assert receiver.requests[0][2]["authorization"] == "Bearer tb_secret"


@pytest.mark.parametrize("whole", [ANSWER, Message.model_validate(ANSWER)])
def test_of_a_message_only_ids_and_counts_are_sent(
    receiver: Receiver, url: str, whole: object
) -> None:
    with Client(url, "") as client:
        client.record_usage(whole, session_id="s1", timestamp="2026-11-22T10:00:00Z")
    [record] = receiver.records
    del record["id"]

    assert record == {
        "timestamp": "2026-11-22T10:00:00Z",
        "provider": "anthropic",
        "model": "claude-opus-5-5",
        "message_id": ANSWER["id"],
        "stop_reason": "end_turn",
        "session_id": "s1",
        "usage": ANSWER["usage"],
    }
    assert "authorization" not in receiver.requests[0][2]


def test_iterations_and_instants_are_taken_as_they_are(
    receiver: Receiver, url: str
) -> None:
    at = datetime(2026, 11, 22, 10, tzinfo=UTC)
    steps = [{"type": "message", "input_tokens": 1}]
    message = {"model": "m", "usage": {"input_tokens": 1, "iterations": steps}}
    with Client(url) as client:
        client.record_usage(message, timestamp=at, project_id="other")
    [record] = receiver.records

    assert record["usage"] == {"input_tokens": 1, "iterations": steps}
    assert record["timestamp"] == "2026-11-22T10:00:00.000+00:00"
    assert record["project_id"] == "other"


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"model": "m", "input_tokens": "3"}, TypeError),
        ({"modell": "m"}, TypeError),
        ({"model": "m", "prompt": "x"}, TypeError),
        ({"model": "m", "metadata": {"x": object()}}, TypeError),
        ({}, TypeError),
        ({"model": "m", "input_tokens": -1}, ValueError),
        ({"model": "m", "input_tokens": 2**60}, ValueError),
        ({"model": ""}, ValueError),
        ({"model": "m", "cost_usd": float("nan")}, ValueError),
        ({"model": "m", "timestamp": datetime(2026, 1, 1)}, ValueError),  # noqa: DTZ001 - naive
        ({"model": "m", "metadata": {"x": "y" * 70_000}}, ValueError),
        ({"model": "\ud800"}, ValueError),
    ],
)
def test_a_wrong_argument_is_told_at_once(
    wrong: dict[str, object], error: type[Exception]
) -> None:
    with Client("http://127.0.0.1:9") as client:
        with pytest.raises(error):
            client.record(**wrong)  # type: ignore[arg-type]  # that is the point

        assert client.stats == Stats()


def test_what_is_no_message_is_told_at_once() -> None:
    with (
        Client("http://127.0.0.1:9") as client,
        pytest.raises(TypeError, match="usage"),
    ):
        client.record_usage(object())


@pytest.mark.parametrize("address", ["", "tollbook.example.com", "ftp://x", "http://"])
def test_a_client_without_an_address_does_not_begin(address: str) -> None:
    with pytest.raises(ConfigError, match=r"TOLLBOOK_URL|no address"):
        Client(address)


def test_the_environment_says_where_and_who(
    receiver: Receiver, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOLLBOOK_URL", url + "/")
    monkeypatch.setenv("TOLLBOOK_KEY", "tb_env")
    monkeypatch.setenv("TOLLBOOK_PROJECT", "env")
    with Client() as client:
        client.record(model="m")

    assert receiver.records[0]["project_id"] == "env"
    assert receiver.requests[0][2]["authorization"] == "Bearer tb_env"

"""What a request says of itself (``tollbook.formats.messages_request``)."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbook.formats.messages_request import (
    Asked,
    countable,
    counted,
    name,
    parse_request,
    program_of,
    unstreamed,
)

FULL = {
    "model": "claude-opus-5-5",
    "max_tokens": 9,
    "stream": True,
    "temperature": 0.10,
    "messages": [{"role": "user", "content": "hello"}],
    "metadata": {"user_id": "u1"},
}


def test_the_model_the_stream_and_the_user_are_read() -> None:
    assert parse_request(msgspec.json.encode(FULL)) == Asked(
        model="claude-opus-5-5", stream=True, user="u1"
    )


@pytest.mark.parametrize(
    ("user_id", "user", "session"),
    [
        ('{"device_id":"d","account_uuid":"a","session_id":"s"}', "a", "s"),
        ('{"session_id":"s"}', None, "s"),
        ('{"session_id":7}', None, None),
        ("{", None, None),
        ("user_0a_account_0b-1_session_0c-2", "0b-1", "0c-2"),
        ("user_0a_account__session_0c", None, "0c"),
        ("me", "me", None),
        ("", None, None),
        ("a\x1bb", None, None),
    ],
)
def test_a_user_id_may_name_a_session(
    user_id: str, user: str | None, session: str | None
) -> None:
    asked = parse_request(msgspec.json.encode({"metadata": {"user_id": user_id}}))

    assert (asked.user, asked.session) == (user, session)


@given(st.binary(max_size=200))
def test_no_bytes_stop_the_reading(body: bytes) -> None:
    assert isinstance(parse_request(body), Asked)
    assert isinstance(counted(body), int | None)
    assert isinstance(countable(body), bytes | None)


def test_a_name_is_bounded_and_plain() -> None:
    assert name("x" * 999) == "x" * 200
    assert [name(each) for each in (None, "", 7, "a\nb")] == [None] * 4


@pytest.mark.parametrize(
    ("user_agent", "program"),
    [
        ("claude-cli/2.1.330 (external, cli)", "claude_code"),
        ("claude-code/3", "claude_code"),
        ("Anthropic/Python 2.12.0", "Anthropic/Python"),
        ("AsyncAnthropic/Python 2.12.0", "AsyncAnthropic/Python"),
        ("curl/8.1", "curl"),
        ("", None),
        ("(odd)", None),
    ],
)
def test_a_program_is_known_by_its_user_agent(
    user_agent: str, program: str | None
) -> None:
    assert program_of(user_agent) == program


def test_a_request_can_be_asked_in_one_piece_with_nothing_else_changed() -> None:
    body = b'{"a":1.10,"stream":true,"z":{"k":"\\u00e9"}}'

    assert unstreamed(body) == b'{"a":1.10,"stream":false,"z":{"k":"\\u00e9"}}'
    assert unstreamed(b"[]") is None


def test_what_is_counted_is_the_prompt() -> None:
    body = countable(msgspec.json.encode(FULL))

    assert body is not None
    assert msgspec.json.decode(body).keys() == {"model", "messages"}
    assert countable(b"no") is None
    assert counted(b'{"input_tokens":14}') == 14
    assert counted(b"{}") is None

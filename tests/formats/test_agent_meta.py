"""``tollbook.formats.agent_meta``: what kind of sub-agent wrote a transcript."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbook.formats.agent_meta import agent_type


def test_the_type_is_read_from_the_file_beside_the_transcript() -> None:
    assert agent_type(b'{"agentType": "Explore", "isBuiltIn": true}') == "Explore"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b'{"agentType":null}',
        b'{"agentType":7}',
        b"[]",
        b'{"agentType":"\xff"}',
        b"[" * 100_000,
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_an_unusable_file_names_nobody(text: bytes) -> None:
    assert agent_type(text) is None


@given(text=st.binary())
def test_no_bytes_can_stop_a_run(text: bytes) -> None:
    agent_type(text)

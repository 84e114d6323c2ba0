"""Real clients through the relay: they see no difference, and the ledger sees all."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anthropic
import pytest

from claude_program import messages_api, run_claude
from program import Program
from relaying import ledger_of, settings
from servers import real_server
from simulate.messages_api import MessagesApi
from tollbook.core.observation import Evidence

MODEL = "claude-opus-5-5"
PROMPT: list[anthropic.types.MessageParam] = [
    {"role": "user", "content": "SECRETPROMPT"}
]


@contextmanager
def relayed(home: Path) -> Iterator[tuple[Program, MessagesApi, str, str]]:
    """A relay before a Messages API, and a key for it."""
    program = Program(home)
    program.environ["MOCK_KEY"] = "k"
    with messages_api() as (api, api_url):
        program.settings(settings(api_url))
        words = ("key", "create", "app", "--scope", "relay")
        key = next(word for word in program.text(*words).split() if "tb_" in word)
        with real_server(program, command="relay") as served:
            yield program, api, served.url, key
            assert served.stop() == 0
            assert served.told() == ""


def known(program: Program) -> list[tuple[str | None, dict[str, int]]]:
    """What the ledger knows of each message."""
    rows = ledger_of(program)
    assert {row.evidence for row in rows} == {Evidence.REPORTED}
    return [(row.message_id, row.parts[0].usage) for row in rows]


def served(api: MessagesApi) -> list[tuple[str | None, dict[str, int]]]:
    """What the API says it served."""
    return [(each.message_id, each.usage) for each in api.served]


def test_the_library_sees_no_difference(tmp_path: Path) -> None:
    with (
        relayed(tmp_path) as (program, api, url, key),
        anthropic.Anthropic(base_url=url, api_key=key) as client,
    ):
        whole = client.messages.create(model=MODEL, max_tokens=9, messages=PROMPT)
        streaming = client.messages.stream(model=MODEL, max_tokens=9, messages=PROMPT)
        with streaming as stream:
            final = stream.get_final_message()

    assert [whole.id, final.id] == [each.message_id for each in api.served]
    assert whole.usage.output_tokens == api.served[0].usage["output_tokens"]
    assert final.usage.output_tokens == api.served[1].usage["output_tokens"]
    assert known(program) == served(api)


def test_the_library_sees_no_difference_many_at_once(tmp_path: Path) -> None:
    async def ask(url: str, key: str) -> list[str]:
        async with anthropic.AsyncAnthropic(base_url=url, api_key=key) as client:

            async def one() -> str:
                async with client.messages.stream(
                    model=MODEL, max_tokens=9, messages=PROMPT
                ) as stream:
                    return (await stream.get_final_message()).id

            return await asyncio.gather(*(one() for _ in range(20)))

    with relayed(tmp_path) as (program, api, url, key):
        ids = asyncio.run(ask(url, key))

    assert sorted(ids) == sorted(each.message_id for each in api.served)
    assert sorted(known(program), key=str) == sorted(served(api), key=str)


def test_a_wrong_key_is_told_as_the_library_expects(tmp_path: Path) -> None:
    with relayed(tmp_path) as (_, api, url, _):
        wrong = anthropic.Anthropic(base_url=url, api_key="sk-ant-mine", max_retries=0)
        with wrong, pytest.raises(anthropic.AuthenticationError):
            wrong.messages.create(model=MODEL, max_tokens=9, messages=PROMPT)

    assert api.served == []


def test_claude_code_works_through_it_and_no_word_is_kept(tmp_path: Path) -> None:
    with relayed(tmp_path) as (program, api, url, key):
        quiet = {"ANTHROPIC_API_KEY": key, "OTEL_TRACES_EXPORTER": "none"}
        said = run_claude(program.home, url, quiet)
    rows = ledger_of(program)

    assert "SECRETANSWER" in said
    assert len(api.served) >= 2
    assert sorted(known(program), key=str) == sorted(served(api), key=str)
    assert {row.app for row in rows} == {"claude_code"}
    assert None not in {row.session for row in rows}
    folder = program.home / "ledger"
    kept = b"".join(each.read_bytes() for each in folder.iterdir() if each.is_file())
    assert b"SECRET" not in kept
    assert key.encode() not in kept

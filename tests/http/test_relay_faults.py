"""The relay when things go wrong around it: the ledger, the end, accounts, upstreams."""

from __future__ import annotations

import signal
import socket
import threading
import time
from contextlib import closing
from pathlib import Path

import apsw
import msgspec
import pytest

from program import Program
from relaying import ASKED, Relayed, ask, ledger_of, relaying, settings, tags_of
from servers import real_server
from simulate.upstream import (
    End,
    Seen,
    Step,
    UpstreamServer,
    chunk,
    events,
    head,
    message,
    message_of,
    reply,
    stream,
)
from tollbook.core.observation import Evidence
from tollbook.core.units import Unit

WHOLE = {**ASKED, "stream": False}
ACCOUNTS = """
[upstreams.mock.accounts.first]
key_env = "MOCK_KEY"
[upstreams.mock.accounts.second]
key_file = "{file}"
"""


def test_nothing_goes_upstream_that_cannot_be_written_down(tmp_path: Path) -> None:
    quick = "write_seconds = 1"
    with relaying(tmp_path, lambda _: stream(1), relay=quick) as relay:
        with locked(relay):
            heard = ask(relay.url)

        assert (heard.status, heard.error) == (503, "overloaded_error")
        assert heard.headers["retry-after"]
        assert relay.upstream.seen == []
        assert ask(relay.url).status == 200
        relay.row()


def test_open_by_choice_it_goes_and_is_told_of(tmp_path: Path) -> None:
    free = "fail_open = true\nwrite_seconds = 1"
    with relaying(tmp_path, lambda _: stream(1), relay=free) as relay:
        with locked(relay):
            heard = ask(relay.url)
        row = relay.row()

        assert heard.status == 200
        assert tags_of(row)["unwritten"] == "yes"
        assert row.parts[0].usage[Unit.OUTPUT] == 51
        assert "1 requests went unwritten" in relay.served.told()


class locked:  # noqa: N801 - reads as what it does
    """Hold the ledger, so that nobody else can write."""

    def __init__(self, relay: Relayed) -> None:
        self._path = relay.program.home / "ledger" / "ledger.db"

    def __enter__(self) -> None:
        self._db = apsw.Connection(str(self._path))
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, *error: object) -> None:
        self._db.close()


def test_what_is_under_way_is_finished_before_the_end(tmp_path: Path) -> None:
    said = list(events(1))
    steps: list[Step] = [head(1), *map(chunk, said[:3]), 0.5, *map(chunk, said[3:])]
    steps.append(chunk(b""))
    with relaying(tmp_path, lambda _: steps) as relay:
        heard: list[bytes] = []
        asking = threading.Thread(target=lambda: heard.append(ask(relay.url).body))
        asking.start()
        wait_for(lambda: relay.upstream.seen)
        assert relay.served.stop() == 0
        asking.join()
        [row] = ledger_of(relay.program)

        assert heard == [b"".join(said)]
        assert tags_of(row)["state"] == "complete"


def test_what_cannot_be_finished_before_the_end_is_aborted(tmp_path: Path) -> None:
    steps: list[Step] = [head(1), *map(chunk, list(events(1))[:3]), End.HANG]
    program = Program(tmp_path)
    program.environ["MOCK_KEY"] = "k"
    with UpstreamServer(lambda _: steps) as upstream:
        program.settings(f"[server]\ndrain_seconds = 1\n{settings(upstream.url)}")
        with real_server(program, command="relay") as served:
            asking = threading.Thread(target=lambda: ask(served.url))
            asking.start()
            wait_for(lambda: upstream.seen)
            time.sleep(0.2)
            assert served.stop() == 0
            asking.join()
    [row] = ledger_of(program)

    assert tags_of(row)["state"] == "aborted"
    assert row.parts[0].usage[Unit.UNCACHED_INPUT] == 1001


def test_what_a_killed_relay_left_open_is_closed_by_the_next(tmp_path: Path) -> None:
    steps: list[Step] = [head(1), *map(chunk, list(events(1))[:3]), End.HANG]
    program = Program(tmp_path)
    program.environ["MOCK_KEY"] = "k"
    with UpstreamServer(lambda _: steps) as upstream:
        program.settings(settings(upstream.url))
        with real_server(program, command="relay") as served:
            asking = threading.Thread(target=lambda: ask(served.url))
            asking.start()
            wait_for(lambda: upstream.seen)
            served.process.send_signal(signal.SIGKILL)
            served.wait()
            asking.join()
        with real_server(program, "--relay") as served:
            pass
    [row] = ledger_of(program)

    assert "1 requests were cut off" in served.told()
    assert row.evidence == Evidence.MISSING
    assert row.parts[0].model == "claude-opus-5-5"
    assert tags_of(row) == {"state": "aborted"}
    assert list((tmp_path / "ledger" / "relay").iterdir()) == []


def wait_for(what: object) -> None:
    assert callable(what)
    until = time.monotonic() + 10
    while not what():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_an_account_that_must_rest_is_left_alone(tmp_path: Path) -> None:
    key_file = tmp_path / "second.key"
    key_file.write_text("SECONDKEY\n", "utf-8")

    def answer(seen: Seen) -> list[Step]:
        if seen.header("x-api-key") == ["SECONDKEY"]:
            return list(stream(1))
        return [reply(b"{}", 429, ("retry-after", "60"))]

    program = Program(tmp_path)
    program.environ["MOCK_KEY"] = "FIRSTKEY"
    with UpstreamServer(answer) as upstream:
        accounts = ACCOUNTS.format(file=key_file)
        program.settings(f'[upstreams.mock]\nbase_url = "{upstream.url}"\n{accounts}')
        with real_server(program, command="relay") as served:
            relay = Relayed(program, served, upstream)
            first = ask(relay.url)
            row = relay.row()
            second = ask(relay.url)

    assert (first.status, second.status) == (200, 200)
    assert [seen.header("x-api-key")[0] for seen in upstream.seen] == [
        "FIRSTKEY",
        "SECONDKEY",
        "SECONDKEY",
    ]
    assert tags_of(row)["account"] == "second"
    assert tags_of(row)["attempts"] == "2"


def test_when_all_must_rest_the_upstreams_own_word_passes(tmp_path: Path) -> None:
    overloaded = reply(b'{"type":"error"}', 529, ("retry-after", "9"))
    with relaying(tmp_path, lambda _: [overloaded]) as relay:
        heard = [ask(relay.url) for _ in range(2)]
        row = relay.rows(2)[0]

    assert [each.status for each in heard] == [529, 529]
    assert heard[0].headers["retry-after"] == "9"
    assert row.failure == "529"


def test_an_upstream_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    program = Program(tmp_path)
    program.environ["MOCK_KEY"] = "k"
    program.settings(settings(f"http://127.0.0.1:{port}"))
    with real_server(program, command="relay") as served:
        heard = ask(served.url)
    [row] = ledger_of(program)

    assert (heard.status, heard.error) == (502, "api_error")
    assert row.failure == "connection"
    assert row.evidence == Evidence.MISSING


def test_an_upstream_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    with relaying(tmp_path, lambda _: [End.HANG], relay="silence_seconds = 1") as relay:
        heard = ask(relay.url)
        row = relay.row()

    assert (heard.status, heard.error) == (504, "timeout_error")
    assert row.failure == "timeout"


def test_a_key_that_may_not_relay_may_not(tmp_path: Path) -> None:
    with relaying(tmp_path, lambda _: stream(1)) as relay:
        shop = ["key", "create", "shop", "--scope", "relay", "--project", "shop"]
        relay.program("project", "add", "shop")
        key = made(relay.program.text(*shop))
        reader = made(relay.program.text("key", "create", "reader", "--scope", "read"))
        time.sleep(0.5)
        refused = [
            ask(relay.url),
            ask(relay.url, headers={"x-api-key": reader}),
            ask(relay.url, headers={"x-api-key": key, "x-tollbook-project": "other"}),
        ]
        assert relay.upstream.seen == []
        heard = ask(relay.url, headers={"Authorization": f"Bearer {key}"})
        row = relay.row()

    assert [each.status for each in refused] == [401, 403, 403]
    assert heard.status == 200
    assert row.project == "shop"
    assert row.key is not None
    assert row.key in key


def made(told: str) -> str:
    """The key in what ``key create`` prints."""
    return next(word for word in told.split() if word.startswith("tb_"))


def test_missing_input_can_be_counted(tmp_path: Path) -> None:
    def answer(seen: Seen) -> list[Step]:
        if "count_tokens" in seen.line:
            return [reply(b'{"input_tokens":14}')]
        return list(stream(1, usage=False))

    with relaying(tmp_path, answer, 'on_missing = "count"') as relay:
        asked = {**ASKED, "metadata": {"user_id": "u1"}}
        ask(relay.url, asked)
        row = relay.row()

    assert row.parts[0].usage == {Unit.UNCACHED_INPUT: 14}
    assert row.evidence == Evidence.ESTIMATED
    assert tags_of(row)["counted"] == "count_tokens"
    assert tags_of(row)["state"] == "missing"
    assert relay.upstream.seen[1].body == b'{"model":"claude-opus-5-5","messages":[]}'


def test_a_stream_can_be_fetched_whole(tmp_path: Path) -> None:
    body = msgspec.json.encode(message(1))
    with relaying(
        tmp_path, lambda _: [reply(body)], 'on_missing = "nonstream"'
    ) as relay:
        heard = ask(relay.url)
        row = relay.row()

    assert heard.headers["content-type"].startswith("text/event-stream")
    assert heard.body.count(b"event: message_stop\n") == 1
    assert msgspec.json.decode(relay.upstream.seen[0].body)["stream"] is False
    assert row.message_id == message_of(1)
    assert row.parts[0].usage[Unit.OUTPUT] == 51
    assert tags_of(row)["resent"] == "nonstream"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            '[upstreams.a]\nbase_url = "http://x.example"\n[upstreams.a.accounts]',
            "https",
        ),
        (
            '[upstreams.a]\nbase_url = "https://x.example"\n[upstreams.a.accounts]',
            "account",
        ),
        (settings("https://x.example", 'paths = ["GET /a/../b"]'), "method and path"),
        (settings("https://x.example"), "MOCK_KEY is empty"),
    ],
)
def test_settings_that_cannot_work_stop_the_start(
    tmp_path: Path, text: str, told: str
) -> None:
    program = Program(tmp_path)
    program.settings(text)
    if "paths" in text:
        program.environ["MOCK_KEY"] = "k"
    done = program("relay", "--port", "0")

    assert done.returncode == 3
    assert told in done.stderr.decode()

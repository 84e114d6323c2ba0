"""A ledger pushed to a real server, and a client that reports to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import zstandard

from program import Program, answer
from servers import Served, real_server
from strategies import Dice, observation_of
from tollbook import Client
from tollbook.formats.push import Sender, WireFact, encode_item, write_parcel


@pytest.fixture
def team(tmp_path: Path) -> Program:
    """The server's own home."""
    home = tmp_path / "team"
    home.mkdir()
    return Program(home)


@pytest.fixture
def server(team: Program) -> Iterator[Served]:
    """A server nobody has reported to."""
    with real_server(team) as served:
        yield served


@pytest.fixture
def machines(tmp_path: Path) -> list[Program]:
    """Two machines; a session of the first was copied to the second, and went on."""
    found = []
    for name, numbers in (("one", range(1, 6)), ("two", range(3, 9))):
        home = tmp_path / name
        home.mkdir()
        program = Program(home)
        program.write("s", *(answer(n) for n in numbers))
        found.append(program)
    return found


def pushed(program: Program, server: Served, *words: str) -> dict[str, object]:
    """What a push says, as JSON."""
    program.environ["TOLLBOOK_KEY"] = server.key or ""
    return program.json("push", server.url, *words)


def totals(program: Program) -> dict[str, Any]:
    """What a ledger adds up to."""
    document: dict[str, Any] = program.json("models", "--no-scan")
    return document


def test_the_server_counts_what_two_machines_saw_once(
    team: Program, server: Served, machines: list[Program], tmp_path: Path
) -> None:
    for number, machine in enumerate(machines):
        machine.text("scan")
        found = pushed(machine, server, "--machine", f"m{number}", "--user", "ada")
        assert found["refused"] == 0
    again = [pushed(machine, server, "--again") for machine in machines]
    server.stop()

    both = Program(tmp_path / "both")
    both.home.mkdir()
    both.write("s", *(answer(n) for n in range(1, 9)))
    both.text("scan")

    assert [found["added"] for found in again] == [0, 0]
    assert totals(team)["totals"] == totals(both)["totals"]
    assert "m0:" in team.text("show", f"msg_01{1:022d}", "--no-scan")


def test_a_scan_may_end_with_a_push(server: Served, machines: list[Program]) -> None:
    program = machines[0]
    program.environ |= {"TOLLBOOK_URL": server.url, "TOLLBOOK_KEY": server.key or ""}

    assert "5 observations sent = 5 added" in program.text("scan", "--push")
    assert program.text("scan", "--push").endswith("nothing new to send\n")


def test_a_wrong_key_or_address_is_told(
    server: Served, machines: list[Program]
) -> None:
    program = machines[0]
    program.text("scan")
    program.environ["TOLLBOOK_KEY"] = "tb_abcdefgh_wrong"

    wrong = [program("push", server.url), program("push", "example.com")]
    assert [done.returncode for done in wrong] == [4, 3]
    assert b"check the address, the key" in wrong[0].stderr
    assert b"set TOLLBOOK_URL" in wrong[1].stderr


def test_a_limited_key_takes_its_project_and_no_other(
    team: Program, server: Served, machines: list[Program]
) -> None:
    made = (
        team.text("project", "add", "shop"),
        team.text("key", "create", "ci", "--scope", "ingest", "--project", "shop"),
    )
    key = next(word for word in made[1].split() if word.startswith("tb_"))
    program = machines[0]
    program.text("scan")
    program.environ["TOLLBOOK_KEY"] = key

    other = program("push", server.url, "--project", "other")
    assert (other.returncode, b"may not report" in other.stderr) == (4, True)
    assert b"5 observations sent = 0 added + 0 repeated + 5" in (
        program("push", server.url).stdout
    )
    done = program("push", server.url, "--project", "shop", "--again")
    assert b"5 added" in done.stdout, done.stderr


@pytest.fixture
def ask(server: Served) -> Callable[[bytes], httpx.Response]:
    """Send any bytes as a parcel."""

    def post(body: bytes) -> httpx.Response:
        headers = {"content-encoding": "zstd"}
        if server.key:
            headers["authorization"] = f"Bearer {server.key}"
        packed = zstandard.compress(body)
        url = f"{server.url}/v1/observations"
        return httpx.post(url, content=packed, headers=headers)

    return post


def test_what_cannot_be_used_is_refused_beside_what_can(
    ask: Callable[[bytes], httpx.Response],
) -> None:
    good = msgspec.Raw(encode_item(observation_of(Dice(7))))
    bad = msgspec.Raw(b"\xc0")
    body = write_parcel(
        Sender(machine="m"), [WireFact(1, "claude-code", "a", [bad, good])]
    )
    answered = ask(body)

    assert answered.status_code == 200
    assert answered.json()["added"] == 1
    assert [each["index"] for each in answered.json()["refusals"]] == [0]


@pytest.mark.parametrize("body", [b"", b"\x91" * 1_000_000, b"{}", b"\x80", b"\xc1"])
def test_what_is_no_parcel_is_refused_as_a_whole(
    ask: Callable[[bytes], httpx.Response], body: bytes
) -> None:
    answered = ask(body)

    assert (answered.status_code, answered.json()["error"]["code"]) == (
        400,
        "not_a_parcel",
    )


def test_what_a_client_records_is_in_the_ledger(
    team: Program, server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOLLBOOK_HOME", str(tmp_path / "app"))
    message = {
        "id": "msg_01" + "B" * 22,
        "model": "claude-opus-5-5",
        "usage": {"input_tokens": 100, "output_tokens": 500},
    }
    with Client(server.url, server.key, "shop") as client:
        client.record(model="claude-opus-5-5", input_tokens=100, output_tokens=500)
        client.record_usage(message)
        client.record_usage(message)
        client.record(model="a\nb")
        assert client.flush()
        stats = client.stats
    server.stop()

    assert (stats.accepted + stats.repeated, stats.refused) == (3, 1)
    [row] = totals(team)["rows"]
    assert row["responses"] == 2

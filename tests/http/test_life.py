"""The server's life: where it listens, what runs beside, whether it is ready, its end."""

from __future__ import annotations

import asyncio
import resource
import signal
import socket
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from http_frame import CANARY, Frame
from servers import Served, echo_server, status_of
from tollbook.core.errors import ConfigError, StoreUnavailableError
from tollbook.http.beside import Scanner, note_uses
from tollbook.http.exchange import RefusedError, Request
from tollbook.http.health import Flow, Readiness
from tollbook.http.journal import Journal
from tollbook.http.listen import bind, is_open, room_for, shown
from tollbook.ledger.intake import IntakeState

# -- where it listens --------------------------------------------------------------------


def test_a_free_port_is_found_on_either_protocol() -> None:
    for host in ("127.0.0.1", "::1"):
        with bind(host, 0) as listener:
            place = listener.getsockname()

            assert place[1] > 0
            assert not is_open(listener)
            with pytest.raises(ConfigError, match="choose --x"):
                bind(host, place[1], option="--x")


def test_an_open_address_is_known_as_one() -> None:
    with bind("0.0.0.0", 0) as listener:  # noqa: S104 - asked about, not served
        assert is_open(listener)


def test_a_low_port_is_said_to_need_rights(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)

    with pytest.raises(ConfigError, match="choose --port above 1023"):
        bind("127.0.0.1", 80)


def test_addresses_are_shown_as_in_urls() -> None:
    assert shown("::1", 80) == "[::1]:80"
    assert shown("localhost", 80) == "localhost:80"


def test_there_is_room_for_as_many_as_the_system_lets_us() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (150, hard))
        assert room_for(500) == min(500, hard - 100)
        assert room_for(10) == 10
        assert room_for(hard * 2) == hard - 100
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# -- whether it is ready -----------------------------------------------------------------


def state(
    *, received: int = 0, queued: int = 0, trouble: str | None = None
) -> IntakeState:
    return IntakeState(
        received=received,
        posted=0,
        refused=0,
        queued=queued,
        waiting=0,
        trouble=trouble,
    )


def ready(readiness: Readiness) -> bool:
    request, services = Request("GET", "/readyz"), Frame().services
    try:
        return asyncio.run(readiness.answer(request, services)).status == 200
    except RefusedError as error:
        return error.status != 503


def test_it_is_ready_while_the_disk_and_the_intake_are(tmp_path: Path) -> None:
    assert ready(Readiness(str(tmp_path)))
    assert not ready(Readiness(str(tmp_path / "away")))
    assert not ready(Readiness(str(tmp_path), (Flow(lambda: state(trouble="full")),)))


def test_an_intake_that_does_not_move_is_stuck() -> None:
    states = [state(), state(queued=5), state(received=5, queued=5)]
    states += [state(received=5, queued=6), state(received=11)]
    flow = Flow(lambda: states.pop(0))

    assert [asyncio.run(flow()) for _ in range(4)] == [True, True, False, True]


def test_a_flood_of_questions_is_answered_from_one_look(tmp_path: Path) -> None:
    looks = []

    async def look() -> bool:
        looks.append(1)
        return True

    async def ask() -> None:
        readiness, services = Readiness(str(tmp_path), (look,)), Frame().services
        request = Request("GET", "/readyz")
        await asyncio.gather(*(readiness.answer(request, services) for _ in range(50)))

    asyncio.run(ask())

    assert looks == [1]


# -- what runs beside --------------------------------------------------------------------


async def soon_cancelled(task: asyncio.Task[None], seconds: float) -> None:
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_a_scan_that_fails_is_told_of_and_tried_again() -> None:
    told: list[str] = []
    script = "import sys; sys.exit('tollbook: \\x1b[31m the disk is full\\nmore')"

    async def run() -> None:
        scanner = Scanner(0, Journal(told.append), (sys.executable, "-c", script))
        task = asyncio.create_task(scanner.run())
        while len(told) < 2:  # noqa: ASYNC110 - a list has no event
            await asyncio.sleep(0.02)
        await soon_cancelled(task, 0)

    asyncio.run(run())

    assert told[:2] == ["scan failed (1): \\x1b[31m the disk is full"] * 2


def test_a_scan_is_ended_with_the_server() -> None:
    async def run() -> float:
        command = (sys.executable, "-c", "import time; time.sleep(60)")
        task = asyncio.create_task(Scanner(1, Journal(), command).run())
        began = time.monotonic()
        await soon_cancelled(task, 0.3)
        return time.monotonic() - began

    assert asyncio.run(run()) < 5


def test_notes_of_use_are_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = Frame()
    tries = []

    class Ring:
        def note_uses(self) -> None:
            tries.append(1)
            raise StoreUnavailableError

    monkeypatch.setattr("tollbook.http.beside.USE_MS", 0)

    async def run() -> None:
        task = asyncio.create_task(note_uses(Ring()))  # type: ignore[arg-type]  # all it asks of a keyring
        while len(tries) < 2:  # noqa: ASYNC110 - a list has no event
            await asyncio.sleep(0.01)
        await soon_cancelled(task, 0)

    asyncio.run(run())
    assert frame.told == []


def test_what_breaks_is_told_without_its_words(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(ValueError, match=CANARY) as broken:
        int(CANARY)
    number = Journal().unforeseen(broken.value)

    told = capfd.readouterr().err
    assert told.startswith(f"tollbook: error {number}: ValueError at ")
    assert CANARY not in told


# -- the end -----------------------------------------------------------------------------

SLOW = b"POST /slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"


def asked(served: Served) -> socket.socket:
    """A client whose request is being answered."""
    line = served.connect()
    line.sendall(SLOW)
    time.sleep(0.2)
    return line


def test_the_end_waits_for_what_is_under_way() -> None:
    with echo_server() as served, closing(asked(served)) as line:
        idle = served.connect()
        served.process.send_signal(signal.SIGTERM)
        answer = line.recv(1 << 16)
        code = served.wait()
        idle.close()

    assert status_of(answer) == 200
    assert b"connection: close" in answer
    assert code == 0


def test_the_second_signal_ends_it_at_once() -> None:
    with echo_server() as served, closing(asked(served)):
        began = time.monotonic()
        served.process.send_signal(signal.SIGTERM)
        time.sleep(0.15)
        served.process.send_signal(signal.SIGINT)
        code = served.wait()

    assert code == 0
    assert time.monotonic() - began < 3

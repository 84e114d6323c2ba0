"""tollbook serve: it starts, says where it is, and ends in order."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from pathlib import Path

import httpx
import pytest

from program import Program, answer
from servers import Served, real_server

RECORD = {
    "project_id": "shop",
    "model": "claude-opus-5-5",
    "provider": "anthropic",
    "input_tokens": 100,
    "output_tokens": 500,
}


def responses(served: Served, key: str | None = None) -> int:
    """How many the ledger counts."""
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    told = httpx.get(f"{served.url}/v1/totals", headers=headers).raise_for_status()
    count = told.json()["totals"]["responses"]
    assert isinstance(count, int)
    return count


def until(served: Served, wanted: int) -> None:
    """Wait for the ledger to count some responses."""
    end = time.monotonic() + 20
    while responses(served) != wanted:
        assert time.monotonic() < end, served.told()
        time.sleep(0.1)


def test_it_takes_in_answers_and_ends_in_order(program: Program) -> None:
    with real_server(program) as served:
        ready = httpx.get(f"{served.url}/readyz")
        taken = httpx.post(f"{served.url}/ingest", json=RECORD)
        until(served, 1)
        code = served.stop()

    assert ready.json() == {"status": "ready"}
    assert taken.status_code == 201
    assert code == 0
    assert served.told() == ""  # and no word of any request
    assert f"OTEL_EXPORTER_OTLP_ENDPOINT={served.url}\n" in served.said
    assert program.json("daily")["totals"]["responses"] == 1  # type: ignore[index]  # JSON


def test_the_line_of_a_request_says_nothing_of_what_was_sent(program: Program) -> None:
    canary = "CANARY"
    with real_server(program, "--verbose") as served:
        secret = {"Authorization": f"Bearer {canary}"}
        httpx.post(f"{served.url}/ingest?{canary}", json=RECORD | {"metadata": canary})
        httpx.get(f"{served.url}/v1/totals?project={canary}", headers=secret)
        served.stop()

    assert "POST /ingest status=" in served.told()
    assert "GET /v1/totals status=401" in served.told()
    assert canary not in served.told()
    for path in (program.home / "ledger").iterdir():
        assert canary.encode() not in path.read_bytes(), path


def test_transcripts_are_scanned_beside(program: Program) -> None:
    program.settings("[server]\nscan_seconds = 1\n")
    program.write("one", answer(1))
    with real_server(program, "--scan") as served:
        until(served, 1)
        program.write("two", answer(2), answer(3))
        until(served, 3)


def test_a_taken_port_is_said_so(program: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        http = program("serve", "--port", port)
        grpc = program("serve", "--port", "0", "--grpc", "--grpc-port", port)

    place = f"tollbook: 127.0.0.1:{port}: another program listens there; end it, or "
    assert (http.returncode, http.stderr.decode()) == (3, f"{place}choose --port\n")
    assert (grpc.returncode, grpc.stderr.decode()) == (
        3,
        f"{place}choose --grpc-port\n",
    )


@pytest.mark.parametrize("host", ["no.such.host.invalid", "203.0.113.1", "a" * 300])
def test_an_address_that_is_not_this_machines_is_said_so(
    program: Program, host: str
) -> None:
    done = program("serve", "--port", "0", "--host", host)

    assert done.returncode == 3
    assert done.stderr.decode().endswith("correct --host\n")


def test_an_open_server_makes_the_first_key_and_shows_it_once(program: Program) -> None:
    with real_server(program, "--host", "0.0.0.0") as served:  # noqa: S104 - refused without
        served.host = "127.0.0.1"
        key = served.key
        without = httpx.get(f"{served.url}/v1/totals")
        assert key is not None
        assert responses(served, key) == 0
    with real_server(program, "--host", "0.0.0.0") as again:  # noqa: S104
        pass

    assert without.status_code == 401
    assert again.key is None
    assert "tollbook key create" in again.said
    assert key not in (again.said + again.told() + served.told())
    for path in (program.home / "ledger").iterdir():
        assert key.rpartition("_")[2].encode() not in path.read_bytes()


def test_an_open_server_whose_keys_are_all_revoked_does_not_start(
    program: Program,
) -> None:
    with real_server(program, "--host", "0.0.0.0") as served:  # noqa: S104
        assert served.key is not None
        program.text("key", "revoke", served.key.split("_")[1])

    done = program("serve", "--port", "0", "--host", "0.0.0.0")  # noqa: S104

    assert done.returncode == 3
    assert b"tollbook key create" in done.stderr


def test_two_servers_on_one_ledger_count_once(program: Program) -> None:
    record = RECORD | {"idempotency_key": "once"}
    with real_server(program) as one, real_server(program) as two:
        said = [
            httpx.post(f"{served.url}/ingest", json=record).json()["status"]
            for served in (one, two, one)
        ]
        httpx.post(f"{two.url}/ingest", json=RECORD | {"idempotency_key": "more"})
        until(one, 2)
        until(two, 2)

    assert said[0] == "added"
    assert "added" not in said[1:]


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_what_is_under_way_at_the_end_is_finished(program: Program, sign: int) -> None:
    said: list[int] = []
    with real_server(program) as served:

        def send() -> None:
            """As fast as it goes, until it refuses the connection."""
            with httpx.Client(base_url=served.url) as client:
                try:
                    while True:
                        said.append(client.post("/ingest", json=RECORD).status_code)
                except httpx.TransportError:
                    pass

        senders = [threading.Thread(target=send) for _ in range(3)]
        for sender in senders:
            sender.start()
        time.sleep(0.5)
        began = time.monotonic()
        code = served.stop(sign)
        for sender in senders:
            sender.join()

    assert code == 0
    assert time.monotonic() - began < 5
    assert set(said) == {201}
    counted = program.json("daily")["totals"]["responses"]  # type: ignore[index]  # JSON
    assert counted >= len(said)  # all that was acknowledged, and what was on its way
    assert counted <= len(said) + 3


def test_the_ledger_is_its_owners_alone(program: Program) -> None:
    with real_server(program) as served:
        httpx.post(f"{served.url}/ingest", json=RECORD)
        files = list((program.home / "ledger").iterdir())

        assert files
        assert {path.stat().st_mode & 0o077 for path in files} == {0}


def test_grpc_answers_beside_http(program: Program) -> None:
    with real_server(program, "--grpc", "--grpc-port", "0") as served:
        place = served.said.partition("gRPC on ")[2].split()[0]
        host, _, port = place.partition(":")
        with socket.create_connection((host, int(port)), 5) as line:
            line.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
            frame = line.recv(9)

    assert frame[3] == 4  # SETTINGS: it speaks HTTP/2


def test_without_the_package_grpc_says_what_to_install(
    program: Program, tmp_path: Path
) -> None:
    away = tmp_path / "away" / "grpc"
    away.mkdir(parents=True)
    text = 'raise ModuleNotFoundError("No module named \'grpc\'", name="grpc")'
    (away / "__init__.py").write_text(text, "utf-8")
    program.environ["PYTHONPATH"] = os.fspath(away.parent)

    done = program("serve", "--port", "0", "--grpc")

    assert done.returncode == 3
    assert b"needs the package grpc; install tollbook[grpc]" in done.stderr

"""Measure the relay: what it adds to a request, what it costs, how much it holds.

    python benchmarks/relay.py [--seconds 5] [--streams 1000]

Starts an upstream and ``tollbook relay`` as processes of their own, with a key and the
durable ledger, and asks both from this one: all share the machine. In the end the ledger
must know every answer that the upstream gave. Times are printed, never asserted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Coroutine, Iterator
from itertools import count
from pathlib import Path
from statistics import median, quantiles
from typing import IO, cast

WORK = Path(__file__).parent / ".work" / "relay"
TOLLBOOK = str(Path(sys.executable).with_name("tollbook"))
TICKS = os.sysconf("SC_CLK_TCK")
DELTAS = 20
DIRECT = 1000  # requests that go past the relay
USAGE = {"input_tokens": 1000, "cache_read_input_tokens": 40_000, "output_tokens": 60}
NUMBERS = count(1)


class Upstream(asyncio.Protocol):
    """Answers at once; a stream that is asked to wait waits in its middle."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be ready."""
        self.transport = cast("asyncio.Transport", transport)
        self.rest = b""

    def data_received(self, data: bytes) -> None:
        """Answer each request once it is whole."""
        self.rest += data
        head, end, body = self.rest.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split()[0])
        if not end or len(body) < length:
            return
        self.rest = b""
        number = next(NUMBERS)
        if b'"stream":true' not in body:
            self.transport.write(whole(number))
            return
        begin, ending = stream(number)
        self.transport.write(begin)
        wait = 5.0 if b'"wait"' in body else 0.0
        asyncio.get_running_loop().call_later(wait, self.transport.write, ending)


def message(number: int) -> dict[str, object]:
    """A message under an id of its own."""
    return {
        "id": f"msg_01{number:022}",
        "type": "message",
        "role": "assistant",
        "model": "claude-opus-5-5",
        "content": [{"type": "text", "text": "word " * 60}],
        "stop_reason": "end_turn",
        "usage": USAGE,
    }


def whole(number: int) -> bytes:
    """A message in one piece."""
    body = json.dumps(message(number)).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{name(number)}"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def stream(number: int) -> tuple[bytes, bytes]:
    """A message as a stream: its first half, its second."""
    begun = {**message(number), "content": [], "stop_reason": None}
    delta = {"index": 0, "delta": {"type": "text_delta", "text": "word word word "}}
    ended = {"delta": {"stop_reason": "end_turn"}, "usage": USAGE}
    middle = [event("content_block_delta", delta) for _ in range(DELTAS)]
    head = f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n{name(number)}"
    begin = [f"{head}transfer-encoding: chunked\r\n\r\n".encode()]
    begin.append(event("message_start", {"message": begun}))
    ending = [event("message_delta", ended), event("message_stop", {}), b"0\r\n\r\n"]
    half = DELTAS // 2
    return b"".join(begin + middle[:half]), b"".join(middle[half:] + ending)


def name(number: int) -> str:
    """The request's id, as a header line."""
    return f"request-id: req_01{number:022}\r\n"


def event(kind: str, said: dict[str, object]) -> bytes:
    """One event, in a chunk of its own."""
    text = f"event: {kind}\ndata: {json.dumps({'type': kind, **said})}\n\n".encode()
    return b"%x\r\n%b\r\n" % (len(text), text)


async def serve() -> None:
    """Be the upstream until the end; say where, and at the end how often it answered."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    server = await loop.create_server(Upstream, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await ended.wait()
    print(next(NUMBERS) - 1, flush=True)


class Client:
    """One connection that asks the same again and again."""

    def __init__(self, port: int, key: str, body: bytes) -> None:
        self.port = port
        self.request = (
            b"POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
            b"x-api-key: %b\r\nanthropic-version: 2023-06-01\r\n"
            b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
            % (port, key.encode(), len(body), body)
        )

    async def open(self) -> None:
        """Connect."""
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)

    async def ask(self) -> None:
        """One request, and its answer to the end."""
        self.writer.write(self.request)
        head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
        if not head.startswith(b"http/1.1 200"):
            raise ConnectionError(head)
        length = head.partition(b"content-length:")[2].split(maxsplit=1)
        if length:
            await self.reader.readexactly(int(length[0]))
        else:
            await self.reader.readuntil(b"\r\n0\r\n\r\n")

    def close(self) -> None:
        """Hang up."""
        self.writer.close()


def body_of(*, streamed: bool, wait: bool = False) -> bytes:
    """A request of some size."""
    asked: dict[str, object] = {"model": "claude-opus-5-5", "stream": streamed}
    asked |= {"max_tokens": 99, "messages": [{"role": "user", "content": "x" * 1000}]}
    return json.dumps(
        asked | ({"wait": 1} if wait else {}), separators=(",", ":")
    ).encode()


def written() -> float:
    """How many milliseconds the disk takes to keep something."""
    times = []
    with (WORK / "disk").open("wb", buffering=0) as file:
        for _ in range(200):
            began = time.perf_counter()
            file.write(b"x" * 4096)
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - began) * 1000)
    return median(times)


def spent(pid: int) -> float:
    """Seconds of processor time a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident(pid: int) -> int:
    """Bytes of memory a process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * 4096


async def one_by_one(port: int, key: str, requests: int) -> list[float]:
    """How many milliseconds each of some requests takes, one after the other."""
    client = Client(port, key, body_of(streamed=False))
    await client.open()
    times = []
    for _ in range(requests):
        began = time.perf_counter()
        await client.ask()
        times.append((time.perf_counter() - began) * 1000)
    client.close()
    return sorted(times[requests // 10 :])


async def many(port: int, key: str, body: bytes, seconds: float) -> tuple[int, float]:
    """How many requests 32 clients get through, and in how many seconds."""
    until = time.perf_counter() + seconds

    async def work() -> int:
        client = Client(port, key, body)
        await client.open()
        asked = 0
        while time.perf_counter() < until:
            await client.ask()
            asked += 1
        client.close()
        return asked

    began = time.perf_counter()
    done = sum(await asyncio.gather(*(work() for _ in range(32))))
    return done, time.perf_counter() - began


async def hold(port: int, key: str, streams: int, pid: int) -> tuple[int, int]:
    """Open many streams at once; the memory before, and while all are open."""
    before = resident(pid)
    clients = [
        Client(port, key, body_of(streamed=True, wait=True)) for _ in range(streams)
    ]
    for client in clients:
        await client.open()
    asking = [asyncio.create_task(client.ask()) for client in clients]
    await asyncio.sleep(4)
    during = resident(pid)
    await asyncio.gather(*asking)
    for client in clients:
        client.close()
    return before, during


Answer = Coroutine[None, None, tuple[int, float]]


def figures(kind: str, asking: Answer, pid: int) -> None:
    """Print a rate, and what each request costs the relay."""
    before = spent(pid)
    done, seconds = asyncio.run(asking)
    each = (spent(pid) - before) / done * 1000
    print(f"{kind:<22}{done / seconds:10,.0f}/s{each:10.3f} ms of processor each")


def started() -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The upstream, then the relay, each with its port."""
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    upstream = subprocess.Popen(
        [sys.executable, __file__, "--upstream"], stdout=subprocess.PIPE, text=True
    )
    port = int(said(upstream).readline())
    yield upstream, port
    (WORK / "config.toml").write_text(
        "[server]\nconnections_max = 5000\n"
        f'[upstreams.it]\nbase_url = "http://127.0.0.1:{port}"\n'
        '[upstreams.it.accounts.main]\nkey_env = "BENCH_KEY"\n',
        "utf-8",
    )
    relay = subprocess.Popen(
        [TOLLBOOK, "relay", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env=environ(),
    )
    yield relay, int(said(relay).readline().rpartition(":")[2])


def said(process: subprocess.Popen[str]) -> IO[str]:
    """What a process prints."""
    return cast("IO[str]", process.stdout)


def environ() -> dict[str, str]:
    """What the programs see."""
    return os.environ | {"TOLLBOOK_HOME": str(WORK), "BENCH_KEY": "sk"}


def tollbook(*words: str) -> str:
    """What a command prints."""
    return subprocess.run(
        [TOLLBOOK, *words], check=True, capture_output=True, text=True, env=environ()
    ).stdout


def main() -> None:
    """Measure, print, and compare the ledger with the truth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--upstream", action="store_true", help=argparse.SUPPRESS)
    wish = parser.parse_args()
    if wish.upstream:
        asyncio.run(serve())
        return
    (upstream, direct), (relay, through) = started()
    print(f"{'the disk, one write':<22}p50 {written():8.3f} ms")
    key = tollbook("key", "create", "bench", "--scope", "relay").split()[-1]
    time.sleep(1)
    for place, port in (("direct", direct), ("relay", through)):
        times = asyncio.run(one_by_one(port, key, DIRECT))
        p99 = quantiles(times, n=100)[98]
        print(f"{place:<22}p50 {median(times):8.3f} ms   p99 {p99:8.3f} ms")
    for kind, streamed in (
        ("whole messages", False),
        (f"streams, {DELTAS} deltas", True),
    ):
        body = body_of(streamed=streamed)
        figures(kind, many(through, key, body, wish.seconds), relay.pid)
    before, during = asyncio.run(hold(through, key, wish.streams, relay.pid))
    each = (during - before) / wish.streams / 1024
    print(f"{wish.streams} streams at once: {during >> 20} MiB, {each:.1f} KiB each")
    for process in (relay, upstream):
        process.send_signal(signal.SIGTERM)
    relay.wait(60)
    served = int(said(upstream).read()) - DIRECT
    told = json.loads(
        tollbook("models", "--json", "--no-scan", "--since", "2020-01-01")
    )
    known = sum(row["responses"] for row in told["rows"])
    print(f"served {served:,}, in the ledger {known:,}")
    if known != served:
        sys.exit(1)


if __name__ == "__main__":
    main()

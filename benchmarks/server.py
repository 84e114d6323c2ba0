"""Measure the server: what it takes in, how fast it answers, on a ledger of any size.

    python benchmarks/server.py [--events 10000000] [--seconds 10] [--sustain 600]

Builds a ledger of that many events once (under ``.work``), starts ``tollbook serve`` on
it as a process of its own and loads it from this one: both share the machine, as the
figures in docs/performance.md say. Every event that was acknowledged is looked for
afterwards; times are printed, never asserted.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import apsw
from load import MODELS, Result, closed, paced, requests

from tollbook.config import Config
from tollbook.core.observation import Conditions, Observation, Part
from tollbook.ports import Batch
from tollbook.stores.sqlite.store import SqliteStore
from tollbook.wiring import make_rater

WORK = Path(__file__).parent / ".work"
TOLLBOOK = str(Path(sys.executable).with_name("tollbook"))
START = 1_779_753_600_000  # 2026-05-26, 180 days before the figures were first taken
SPAN_MS = 180 * 86_400_000
PART = 40_000
_OCTOBER = "since=2026-10-01&until=2026-10-31"
_SESSION = "5e551011-0000-4000-8000-000000005007"
QUERIES = {
    "totals, all time": "/v1/totals",
    "by day, a month": f"/v1/series?by=model&interval=day&{_OCTOBER}",
    "by day, Rome": f"/v1/series?interval=day&tz=Europe/Rome&{_OCTOBER}",
    "by hour, a week": "/v1/series?by=project&interval=hour"
    "&since=2026-10-01&until=2026-10-07",
    "top users, a month": f"/v1/top?by=user&measure=cost&{_OCTOBER}",
    "top projects": "/v1/top?by=project&measure=tokens",
    "one user, a month": f"/v1/totals?user=user7@example.com&{_OCTOBER}",
    "latest events": "/v1/events?limit=50",
    "one session": f"/v1/events?limit=200&session={_SESSION}",
    "percentiles, a day": "/v1/percentiles?of=cost&per=request"
    "&since=2026-10-01&until=2026-10-01",
    "percentiles, a month": f"/v1/percentiles?of=cost&per=session&{_OCTOBER}",
    "coverage": "/v1/coverage",
}


def observation(number: int, total: int) -> Observation:
    """One of ``total`` responses, spread evenly over 180 days."""
    session = number // 700 * 10 + number % 10
    at = START + number * SPAN_MS // total
    counts = {
        "uncached_input_tokens": number % 100,
        "cache_read_input_tokens": 20_000 + number % 120_000,
        "cache_write_5m_tokens": number % 2_200,
        "cache_write_1h_tokens": 0,
        "output_tokens": number % 700 + 1,
    }
    return Observation(
        message_id=f"msg_01FILL{number:018}",
        request_id=f"req_011FILL{number:017}",
        session=f"5e551011-0000-4000-8000-{session:012}",
        first_at=at,
        at=at,
        line=0,
        parts=(Part(MODELS[session % 3], counts),),
        conditions=Conditions("standard"),
        project=f"project-{session % 40}",
        provider="anthropic",
        app="llm_router",
        user=f"user{session % 2_000}@example.com",
        tags=(("env", "dev" if session % 5 else "ci"),),
        latency_ms=number % 9_000,
    )


def ledger(total: int) -> Path:
    """A home whose ledger holds that many events; made once."""
    home = WORK / f"ledger-{total}"
    done = home / "complete"
    if done.exists():
        return home
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    rater = make_rater(Config())
    store = SqliteStore(home / "ledger.db", rater, rater.version)
    started = time.perf_counter()
    for first in range(0, total, PART):
        seen = [observation(n, total) for n in range(first, min(first + PART, total))]
        store.append(
            [Batch(source="http", origin="fill", observations=seen)], now=START
        )
        rate = (first + len(seen)) / (time.perf_counter() - started)
        print(
            f"\rfilling: {first + len(seen):,} events, {rate:,.0f}/s",
            end="",
            flush=True,
        )
    print()
    store.close()
    done.touch()
    return home


class Served:
    """A server on a ledger, as a process of its own."""

    def __init__(self, home: Path) -> None:
        env = {**os.environ, "TOLLBOOK_HOME": str(home)}
        self._process = subprocess.Popen(
            [TOLLBOOK, "serve", "--port", "0"],
            env=env,
            stdout=subprocess.PIPE,
            text=True,
        )
        line = self._process.stdout.readline() if self._process.stdout else ""
        self.port = int(line.rsplit(":", 1)[1])

    def memory_mb(self) -> tuple[float, float]:
        """Resident now, and at most."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        found = dict(line.split(":", 1) for line in status.splitlines())
        now, most = (int(found[name].split()[0]) for name in ("VmRSS", "VmHWM"))
        return now / 1024, most / 1024

    def cpu(self) -> float:
        """Seconds used so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1]
        ticks = sum(map(int, fields.split()[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def get(self, path: str) -> bytes:
        """A query's answer."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}") as answer:
            body: bytes = answer.read()
        return body

    def stop(self) -> None:
        """Let it finish."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)


def waiting(home: Path) -> tuple[int, float]:
    """How many facts are not derived yet, and how old the oldest of them is."""
    connection = apsw.Connection(str(home / "ledger.db"), apsw.SQLITE_OPEN_READONLY)
    try:
        count, oldest = connection.execute(
            "SELECT coalesce(sum(size), 0), min(recorded_at) FROM inbox"
        ).get
    finally:
        connection.close()
    return count, 0.0 if oldest is None else time.time() - oldest / 1000


def told(name: str, result: Result, size: int) -> None:
    """One line of the report."""
    sent = len(result.latencies)
    rate = sent / result.seconds
    print(
        f"{name:34} {rate:9,.0f} requests/s {rate * size:10,.0f} events/s"
        f"  p50 {result.quantile(0.5):6.1f} ms  p99 {result.quantile(0.99):7.1f} ms"
        f"  {dict(result.statuses)}",
        flush=True,
    )


def throughput(served: Served, seconds: int) -> None:
    """As fast as it goes: one event a request, and a hundred."""
    for name, path, size, count in (
        ("single events", "/ingest", 1, 3_500 * seconds),
        ("batches of 100", "/v1/events", 100, 350 * seconds),
    ):
        made = requests(path, count, size, secrets.token_hex(3))
        before = served.cpu()
        result = closed(served.port, made, 32)
        told(name, result, size)
        events = len(made) * size
        print(f"{'':34} {(served.cpu() - before) / events * 1e6:9.1f} us CPU an event")


def steady(served: Served, home: Path, rate: int, seconds: int) -> None:
    """A steady load in batches of 100, and how far the derived tables lag behind."""
    lags: list[float] = []
    size, run = 100, secrets.token_hex(3)
    pool = requests("/v1/events", 200, size, run)
    numbers = itertools.count(secrets.randbelow(1 << 24))

    def made() -> Iterator[bytes]:
        looked = time.perf_counter()
        for number in range(rate * seconds // size):
            if time.perf_counter() - looked > 1:
                looked = time.perf_counter()
                lags.append(waiting(home)[1])
            spread = next(numbers) * 0x9E3779B1 % (1 << 24)  # as provider's ids are
            fresh = f"{spread:06x}".encode()
            yield pool[number % len(pool)].replace(run.encode(), fresh)

    result = paced(served.port, made, rate / size, 64)
    told(f"steady {rate:,}/s for {seconds} s", result, size)
    now, peak = served.memory_mb()
    lag = max(lags, default=0)
    print(
        f"{'':34} oldest not derived {lag:.2f} s; {now:.0f} MB, at most {peak:.0f} MB"
    )


def queries(served: Served) -> None:
    """Each query three times; the median."""
    for name, path in QUERIES.items():
        times = []
        for _ in range(3):
            started = time.perf_counter()
            size = len(served.get(path))
            times.append(time.perf_counter() - started)
        print(
            f"{name:34} {sorted(times)[1] * 1000:9.1f} ms {size:9,} bytes", flush=True
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--sustain", type=int, default=20)
    parser.add_argument("--rate", type=int, default=8_000)
    asked = parser.parse_args()
    home = ledger(asked.events)
    served = Served(home)
    try:
        queries(served)
        throughput(served, asked.seconds)
        while waiting(home)[0]:
            time.sleep(0.1)
        steady(served, home, asked.rate // 2, asked.seconds)
        steady(served, home, asked.rate, asked.sustain)
        while waiting(home)[0]:
            time.sleep(0.1)
        totals = json.loads(served.get("/v1/totals"))["totals"]
        print(f"{'responses in the ledger':34} {totals['responses']:9,}")
    finally:
        served.stop()


if __name__ == "__main__":
    main()

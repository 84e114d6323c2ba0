"""A relay in a process of its own, before an upstream that a test decides."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import msgspec

from program import Program
from servers import Served, real_server
from simulate.upstream import Answer, UpstreamServer
from tollbook.core.event import UsageEvent
from tollbook.core.rate import Rater
from tollbook.ports import EventQuery
from tollbook.prices import load_catalogue
from tollbook.stores.sqlite.store import SqliteStore

KEY = "UPSTREAMKEY"
SECONDS_MAX = 20
ASKED = {"model": "claude-opus-5-5", "stream": True, "max_tokens": 9, "messages": []}
_FOREVER = 1 << 60


class Heard(msgspec.Struct, frozen=True):
    """An answer as a client got it; ``cut`` when it broke off."""

    status: int
    headers: dict[str, str]
    body: bytes
    cut: bool

    @property
    def error(self) -> str:
        """The kind of a refusal."""
        told = msgspec.json.decode(self.body, type=dict[str, object])
        error = told["error"]
        assert isinstance(error, dict)
        return str(error["type"])


def ask(
    url: str,
    body: bytes | Mapping[str, object] = ASKED,
    headers: Mapping[str, str] | None = None,
    *,
    method: str = "POST",
    path: str = "/v1/messages",
) -> Heard:
    """Ask, and hear all that comes back."""
    sent = body if isinstance(body, bytes) else msgspec.json.encode(body)
    said = {"anthropic-version": "2023-06-01"} | dict(headers or {})
    with closing(HTTPConnection(url.removeprefix("http://"), timeout=10)) as line:
        try:
            line.request(method, path, sent or None, said)
            answer = line.getresponse()
        except (OSError, HTTPException):
            return Heard(0, {}, b"", cut=True)
        found = {name.lower(): value for name, value in answer.getheaders()}
        parts, cut = [], False
        try:
            while part := answer.read1(1 << 16):
                parts.append(part)
        except (OSError, HTTPException):
            cut = True
        body = b"".join(parts)
        short = len(body) < int(found.get("content-length", "0"))
        return Heard(answer.status, found, body, cut=cut or short)


class Relayed:
    """The relay, the upstream behind it, and the ledger."""

    def __init__(
        self, program: Program, served: Served, upstream: UpstreamServer
    ) -> None:
        self.program = program
        self.served = served
        self.upstream = upstream
        self._known: set[tuple[str | None, str | None]] = set()

    @property
    def url(self) -> str:
        """Where clients ask."""
        return self.served.url

    def answers(self, answer: Answer) -> None:
        """Decide what the upstream answers from now on."""
        self.upstream.answer = answer
        self.upstream.seen.clear()

    def row(self) -> UsageEvent:
        """The one row that is new since the last look."""
        [row] = self.rows(1)
        return row

    def rows(self, count: int) -> list[UsageEvent]:
        """The rows that are new since the last look: so many, once they are there."""
        until = time.monotonic() + SECONDS_MAX
        while True:
            new = [
                row
                for row in ledger_of(self.program)
                if name_of(row) not in self._known
            ]
            if len(new) >= count or time.monotonic() > until:
                break
            time.sleep(0.05)
        assert len(new) == count, new
        self._known |= {name_of(row) for row in new}
        return new

    def new_rows(self) -> list[UsageEvent]:
        """The rows that are new since the last look, whatever is on its way."""
        new = [
            row for row in ledger_of(self.program) if name_of(row) not in self._known
        ]
        self._known |= {name_of(row) for row in new}
        return new


def name_of(row: UsageEvent) -> tuple[str | None, str | None]:
    """By what a row is known."""
    return row.message_id, row.request_id


def ledger_of(program: Program) -> list[UsageEvent]:
    """Every row of a program's ledger, in the order of time."""
    path = program.home / "ledger" / "ledger.db"
    rater = Rater(load_catalogue())
    store = SqliteStore(path, rater, rater.version)
    with closing(store):
        query = EventQuery(start=0, end=_FOREVER, limit=10_000, newest_first=False)
        return [listed.event for listed in store.page(query)]


def settings(url: str, more: str = "", *, relay: str = "") -> str:
    """A file with one upstream, and one account there."""
    return f"""
[relay]
{relay}
[upstreams.mock]
base_url = "{url}"
{more}
[upstreams.mock.accounts.main]
key_env = "MOCK_KEY"
"""


@contextmanager
def relaying(
    home: Path, answer: Answer, more: str = "", *, relay: str = "", words: str = "relay"
) -> Iterator[Relayed]:
    """Run a relay before an upstream."""
    program = Program(home)
    program.environ["MOCK_KEY"] = KEY
    with UpstreamServer(answer) as upstream:
        program.settings(settings(upstream.url, more, relay=relay))
        with real_server(program, command=words) as served:
            yield Relayed(program, served, upstream)


def tags_of(row: UsageEvent) -> dict[str, str]:
    """A row's tags."""
    return dict(row.tags)

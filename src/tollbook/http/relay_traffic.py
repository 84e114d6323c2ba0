"""What the relay does with a request that may pass, by its kind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import msgspec
from starlette.types import Receive, Send

from tollbook.core.observation import Call
from tollbook.formats.batch_results import Fetched
from tollbook.formats.messages_request import Asked, name, parse_request, program_of
from tollbook.formats.metered import Metered
from tollbook.http.exchange import RefusedError, Services
from tollbook.http.journal import Journal
from tollbook.http.relay_passage import (
    Bound,
    Drains,
    Lines,
    Passage,
    Sent,
    UnansweredError,
    send_up,
)
from tollbook.http.relay_remedies import carry_unstreamed, count_input, to_unstream
from tollbook.http.relay_results import ResultsListener, Silence
from tollbook.http.relay_rules import Kind, Rule
from tollbook.http.relay_story import Story
from tollbook.http.relay_upstreams import Switchboard
from tollbook.http.relay_wire import Wire
from tollbook.ledger.relay_row import Asker, lacks_input, row, with_input
from tollbook.ledger.relaying import Books, Opened
from tollbook.ports import Key


class Visit(msgspec.Struct, kw_only=True):
    """One request at the relay, let in and read."""

    rule: Rule
    target: str  # path and query
    lines: Lines
    headers: Mapping[str, str]
    body: bytes
    free: Callable[[], None]  # called when the body is needed no longer
    key: Key
    who: str
    project: str | None
    receive: Receive
    send: Send


class Traffic:
    """Passes requests on, and writes down what they used.

    Args:
        services: What routes work with.
        switchboard: Where requests go.
        books: Where they are written.
        journal: Where to tell.
    """

    def __init__(
        self,
        services: Services,
        switchboard: Switchboard,
        books: Books,
        journal: Journal,
    ) -> None:
        self._journal = journal
        self._clock = services.clock
        self._settings = services.config.relay
        self._switchboard = switchboard
        self._books = books
        self._wire = Wire(self._settings)
        self._drains = Drains(self._settings.drains_max)
        self._under_way = 0
        self._idle = asyncio.Event()

    async def close(self) -> None:
        """When all under way has ended, write what is not written yet, and hang up."""
        while self._under_way:
            self._idle.clear()
            await self._idle.wait()
        await self._books.settle()
        await self._wire.close()

    async def take(self, visit: Visit) -> None:
        """Pass one request on.

        Raises:
            RefusedError: It was not; nothing was said to the client.
            BusyError: It could not be written down; nothing went upstream.
            StoreError: The same.
        """
        asked = parse_request(visit.body)
        upstream = self._switchboard.route(visit.key, visit.project, asked.model)
        only = visit.rule.upstreams
        if only is not None and upstream.name not in only:
            raise RefusedError(404, "not_found", "there is nothing here")
        passage = Passage(visit.receive, visit.send, self._settings, self._drains)
        bound = Bound(
            method=visit.rule.method,
            target=visit.target,
            lines=visit.lines,
            body=visit.body,
            upstream=upstream,
        )
        visit.body = b""
        self._under_way += 1
        try:
            if visit.rule.kind is Kind.MESSAGE:
                await self._message(
                    visit, bound, passage, Story(asked, upstream, self._journal)
                )
            else:
                await self._other(visit, bound, passage)
        finally:
            self._under_way -= 1
            self._idle.set()

    async def _message(
        self, visit: Visit, bound: Bound, passage: Passage, story: Story
    ) -> None:
        """A request whose answer uses tokens: one row, whatever happens."""
        opened = await self._open(visit, story.asked)
        metered: Metered | None = None
        try:
            await self._converse(visit, bound, passage, story)
            metered = story.outcome()
            if bound.upstream.settings.on_missing == "count" and lacks_input(metered):
                metered = await self._count(bound, story, metered)
        except UnansweredError as error:
            story.failure = error.failure
            raise
        finally:
            if passage.gone:
                story.marks["client"] = "gone"
            seen = metered or story.outcome()
            told = story.told(self._clock())
            self._books.close(opened, row(opened, _asker(visit, story), seen, told))

    async def _open(self, visit: Visit, asked: Asked) -> Opened:
        session = name(visit.headers.get("x-claude-code-session-id"))
        call = Call(
            reference="",
            asked=True,
            session=session or asked.session,
            at=self._clock(),
            model=asked.model,
            project=visit.project,
        )
        return await self._books.open(call, visit.who)

    async def _converse(
        self, visit: Visit, bound: Bound, passage: Passage, story: Story
    ) -> None:
        """Send it up and carry the answer down."""
        wanted = bound.upstream.settings.on_missing
        again = (
            to_unstream(bound) if wanted == "nonstream" and story.asked.stream else None
        )
        sent: Sent | None = None
        try:
            async with passage:
                sent = await send_up(again or bound, self._wire, self._settings)
                story.answered(sent)
                if wanted != "count":
                    bound.body = b""
                    visit.free()
                if again is None:
                    story.ended = await passage.carry(sent.response, story)
                else:
                    story.marks["resent"] = "nonstream"
                    story.ended = await carry_unstreamed(passage, sent.response, story)
        except TimeoutError:
            story.marks["drain"] = "given_up"
        finally:
            if sent is not None:
                sent.response.close()

    async def _count(self, bound: Bound, story: Story, metered: Metered) -> Metered:
        tokens = await count_input(bound, self._wire, self._settings)
        story.marks["counted"] = "no" if tokens is None else "count_tokens"
        return metered if tokens is None else with_input(metered, tokens)

    async def _other(self, visit: Visit, bound: Bound, passage: Passage) -> None:
        """A request that uses nothing itself."""
        sent: Sent | None = None
        results: ResultsListener | None = None
        try:
            async with passage:
                sent = await send_up(bound, self._wire, self._settings)
                if visit.rule.kind is Kind.RESULTS:
                    results = self._results(visit, sent)
                await passage.carry(sent.response, results or Silence())
        except TimeoutError:
            pass  # the client has gone, and nothing is owed
        finally:
            if results is not None:
                results.close()
            if sent is not None:
                sent.response.close()

    def _results(self, visit: Visit, sent: Sent) -> ResultsListener:
        fetched = Fetched(
            batch=visit.target.partition("?")[0].split("/")[-2],
            at=self._clock(),
            project=visit.project,
            key=visit.key.id or None,
            app=program_of(visit.headers.get("user-agent", "")),
            tags=(("account", sent.account.name), ("upstream", sent.upstream.name)),
        )
        return ResultsListener(sent.response, fetched, self._books, visit.who)


def _asker(visit: Visit, story: Story) -> Asker:
    return Asker(
        key=visit.key.id or None,
        user=story.asked.user,
        app=program_of(visit.headers.get("user-agent", "")),
        sidechain="x-claude-code-agent-id" in visit.headers,
    )

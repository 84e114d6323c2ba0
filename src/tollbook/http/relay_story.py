"""What the relay knows of one request while it lasts."""

from __future__ import annotations

import time

from tollbook.core.observation import Instant, Part
from tollbook.formats.answer_meter import AnswerMeter
from tollbook.formats.messages_request import Asked
from tollbook.formats.metered import Ended, Metered, State, unanswered
from tollbook.http.journal import Journal
from tollbook.http.relay_passage import Sent
from tollbook.http.relay_upstreams import Upstream
from tollbook.ledger.relay_row import Told


class Story:
    """What is known of a request so far.

    Args:
        asked: What it said of itself.
        upstream: Where it goes.
        journal: Where to tell of what nobody foresaw.
    """

    def __init__(self, asked: Asked, upstream: Upstream, journal: Journal) -> None:
        self.asked = asked
        self.upstream = upstream
        self.began = time.perf_counter_ns()
        self.marks: dict[str, str | None] = {"upstream": upstream.name}
        self.request_id: str | None = None
        self._journal = journal
        self._meter: AnswerMeter | None = None
        self._deaf = False
        self.ended = Ended.LEFT
        self.failure: str | None = None
        self._metered: Metered | None = None

    def answered(self, sent: Sent) -> None:
        """Begin to listen to an answer."""
        response = sent.response
        self.request_id = response.headers.get("request-id")
        self.marks["account"] = sent.account.name
        self.marks["attempts"] = str(sent.attempts) if sent.attempts > 1 else None
        self._meter = AnswerMeter(
            status=response.status,
            content_encoding=response.headers.get("content-encoding"),
            asked=self.asked.model,
        )

    def feed(self, chunk: bytes) -> None:
        """Hear some of it. Whatever that does here, the answer itself passes on."""
        if self._deaf or self._meter is None:
            return
        try:
            self._meter.feed(chunk)
        except Exception as error:  # noqa: BLE001 - the client must not suffer
            self._deaf = True
            self.marks["unheard"] = self._journal.unforeseen(error)

    @property
    def is_final(self) -> bool:
        """Whether what is still to come can tell nothing new."""
        return self._deaf or self._meter is None or self._meter.is_final

    def outcome(self) -> Metered:
        """What the answer said, or that there was none."""
        if self._metered is None:
            self._metered = self._judge()
        return self._metered

    def _judge(self) -> Metered:
        model = self.asked.model
        if self._meter is not None:
            return self._meter.outcome(Ended.LEFT if self._deaf else self.ended)
        if self.failure is not None:
            return unanswered(model, self.failure)
        return Metered(state=State.ABORTED, model=model, parts=(Part(model or "", {}),))

    def told(self, now: Instant) -> Told:
        """What the answer said besides."""
        return Told(
            request_id=self.request_id,
            latency_ms=(time.perf_counter_ns() - self.began) // 1_000_000,
            at=now,
            marks=self.marks,
        )

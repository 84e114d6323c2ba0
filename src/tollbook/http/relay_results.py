"""The results of a message batch, on their way through: many messages in one answer."""

from __future__ import annotations

from collections.abc import Callable

from tollbook.core.observation import Observation
from tollbook.formats.batch_results import BatchResults, Fetched
from tollbook.formats.content_coding import decoder
from tollbook.http.relay_wire import Response
from tollbook.ledger.relaying import Books

_PORTION = 1_000
_FINE = 200


class Silence:
    """Listens to an answer that uses nothing."""

    is_final = True  # whatever is still to come

    def feed(self, chunk: bytes) -> None:
        """Forget it."""


class ResultsListener:
    """Writes down the messages of a batch as they pass.

    Args:
        response: The answer that holds them.
        fetched: Whose they are.
        books: Where they are written.
        origin: Who asked.
    """

    is_final = False  # each line tells of another message

    def __init__(
        self, response: Response, fetched: Fetched, books: Books, origin: str
    ) -> None:
        self._results = BatchResults(fetched)
        self._books = books
        self._origin = origin
        self._found: list[Observation] = []
        self._readable = response.status == _FINE
        self._decode: Callable[[bytes], object] = self._take
        try:
            coding = response.headers.get("content-encoding")
            self._decode = decoder(coding, self._take) or self._take
        except ValueError:
            self._readable = False

    def feed(self, chunk: bytes) -> None:
        """Take in the next bytes, as they were sent."""
        if not self._readable:
            return
        try:
            self._decode(chunk)
        except ValueError:
            self._readable = False

    def close(self) -> None:
        """Write down the rest, and what could not be read."""
        self._found += self._results.close() if self._readable else []
        self._books.note(self._origin, self._found, self._results.problems)

    def _take(self, piece: bytes) -> None:
        self._found += self._results.feed(piece)
        if len(self._found) >= _PORTION:
            self._books.note(self._origin, self._found)
            self._found = []

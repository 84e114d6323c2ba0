"""Where questions are answered: one at a time, and never on the event loop.

A store is one connection, so one thread reads it. Whoever asks waits for a turn; when
too many wait already the answer is to come back, so that slow questions never pile up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import msgspec

from tollbook.core.control import KINDS
from tollbook.core.errors import StoreError, TooSlowError
from tollbook.core.observation import Instant
from tollbook.http.exchange import LOCAL, RefusedError, Services
from tollbook.http.query_parameters import (
    Parameter,
    Values,
    choice_of,
    choice_schema,
    refuse,
    text_of,
)
from tollbook.http.query_period import Period, period_of
from tollbook.ledger.naming import Naming
from tollbook.ledger.projects import kinds_of
from tollbook.ledger.query import Where
from tollbook.ledger.report import Books
from tollbook.ports import TAG, Key
from tollbook.wiring import make_rater

_T = TypeVar("_T")
WAITING_MAX = 32
ANSWER_MS = 900
"""Longer than that no question occupies the only reader there is."""
_RETRY = (("Retry-After", "1"),)
_EQUAL = ("user", "session", "app", "provider", "machine", "key")

FILTERS = (
    Parameter(
        name="project",
        text="Only this project: its id, path, folder, base name or alias.",
        many=True,
    ),
    Parameter(
        name="model", text="Only this model: any of its ids, or its family.", many=True
    ),
    *(
        Parameter(name=name, text=f"Only this {name}; empty: where it is not known.")
        for name in _EQUAL
    ),
    Parameter(
        name="kind", text="Only projects of this kind.", schema=choice_schema(KINDS)
    ),
    Parameter(name="source", text="Only what this source spoke of."),
    Parameter(name="tag", text="Only what has this tag, as NAME=VALUE.", many=True),
)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A question as it came in."""

    values: Values
    path: Mapping[str, str] = {}
    key: Key = LOCAL
    origin: str = "loopback"
    now: Instant


class Desk:
    """What answering needs, made once for a server."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.store = services.store
        self.rater = make_rater(services.config)
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="tollbook-query")
        self._waiting = 0

    def close(self) -> None:
        """Let the last question end, and answer no more."""
        self._reader.shutdown()

    async def answer(self, question: Callable[[], _T]) -> _T:
        """Answer a question in its turn.

        Raises:
            RefusedError: 503; others are waiting, or the ledger cannot be read now.
                422; it takes too long.
        """
        if self._waiting >= WAITING_MAX:
            text = "too many questions are waiting; ask again in a moment"
            raise RefusedError(503, "busy", text, _RETRY)
        self._waiting += 1
        loop = asyncio.get_running_loop()
        turn = loop.run_in_executor(self._reader, self._in_time, question)
        turn.add_done_callback(self._answered)
        try:
            return await turn
        except TooSlowError as error:
            raise RefusedError(422, "too_slow", str(error)) from error
        except StoreError as error:
            text = "the ledger cannot be read now; ask again in a moment"
            raise RefusedError(503, "ledger", text, _RETRY) from error

    def _in_time(self, question: Callable[[], _T]) -> _T:
        self.store.limit(ANSWER_MS)
        try:
            return question()
        finally:
            self.store.limit(None)

    def _answered(self, turn: asyncio.Future[_T]) -> None:
        del turn
        self._waiting -= 1

    def books(self, asked: Asked) -> Books:
        """Where answers come from, under the user's own names and terms."""
        config, rater = self.services.config, self.rater
        return Books(
            store=self.store,
            naming=Naming(
                lambda raw: rater.model(raw, asked.now),
                self.store.labels(),
                aliases=config.projects.aliases,
                groups=config.projects.groups,
            ),
            pricer=rater,
            net=bool(config.prices.terms),
        )

    def period(self, asked: Asked) -> Period:
        """The period asked for."""
        return period_of(asked.values, self.services.config, asked.now)

    def kinds(self) -> dict[str, str]:
        """The kind of every project."""
        return kinds_of(self.store, self.services.control)

    def where(self, asked: Asked, naming: Naming) -> Where:
        """Which responses were asked for, and may be seen.

        Raises:
            RefusedError: 403; the key may not see one of the projects. 422; a filter
                cannot be understood.
        """
        values, own = asked.values, asked.key.projects
        projects = None if own is None else frozenset(own)
        names = values.get("project", [])
        if names:
            candidates = self._candidates(names)
            wanted = {
                folder
                for name in names
                for folder in naming.projects_called(name, candidates)
            }
            if projects is not None and not wanted <= projects:
                text = "project: this key may not see it; ask for one of the key's own"
                raise RefusedError(403, "project", text)
            projects = frozenset(wanted)
        if "kind" in values:
            kind = choice_of(values, "kind", KINDS)
            of_kind = frozenset(p for p, k in self.kinds().items() if k == kind)
            projects = of_kind if projects is None else projects & of_kind
        return Where(
            projects=projects,
            models=tuple(values.get("model", ())),
            source=text_of(values, "source"),
            dimensions=_dimensions(values),
        )

    def _candidates(self, names: list[str]) -> list[str]:
        """Folders that a name may stand for; every name may be an id, too."""
        known = self.store.labels() | dict(self.services.config.projects.aliases)
        return [*known, *names]


def _dimensions(values: Values) -> dict[str, str | None]:
    found: dict[str, str | None] = {
        name: values[name][0] or None for name in _EQUAL if name in values
    }
    for given in values.get("tag", ()):
        name, equals, value = given.partition("=")
        if not name or not equals or TAG + name in found:
            refuse("tag", "is no tag, or given twice; write tag=NAME=VALUE")
        found[TAG + name] = value or None
    return found

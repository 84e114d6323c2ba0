"""The registries: the only module that names the concrete parts.

What is slow to load stands here as text and is imported when it is first asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

from tollbook.config import Config, transcript_folders
from tollbook.core.catalogue import PriceBook
from tollbook.core.rate import Rater
from tollbook.places import ledger_path
from tollbook.ports import Batch, ControlStore, LedgerStore, Pending, Source, StrPath
from tollbook.prices import load_catalogue
from tollbook.sources.transcript_files import SOURCE, Found, survey
from tollbook.sources.unfinished import unfinished
from tollbook.stores.sqlite.control import SqliteControl
from tollbook.stores.sqlite.store import SqliteStore

BOOKS: Mapping[str, str] = {"genai-prices": "tollbook.sources.genai_prices:GenaiPrices"}
"""Price books of other providers: ``module:class``."""

READERS: Mapping[str, str] = {SOURCE: "tollbook.sources.transcripts:TranscriptFolders"}
"""Sources by name: what reads them."""

RECEIVERS: Mapping[str, str] = {"http": "tollbook.sdk.parcels:HttpReceiver"}
"""Ways to another ledger, by name."""


def make_book(name: str = "genai-prices") -> PriceBook:
    """Load a price book; the package behind it may take half a second."""
    book: PriceBook = _load(BOOKS[name])()
    return book


def _load(place: str) -> Any:  # noqa: ANN401  # whatever stands there
    module, _, member = place.partition(":")
    return getattr(import_module(module), member)


def make_rater(config: Config) -> Rater:
    """Today's prices, and the user's own.

    Raises:
        CatalogueError: The catalogue, or the terms beside it, contradict themselves.
    """
    return Rater(load_catalogue(), config.terms(), fallback=make_book)


class _Transcripts:
    """Transcript folders whose reader is loaded when there is something to read."""

    name = SOURCE

    def __init__(self, folders: Sequence[StrPath]) -> None:
        self._folders = folders

    def survey(self, cursors: Mapping[str, bytes]) -> Pending:
        return survey(self._folders, cursors)

    def read(self, pending: Pending) -> Iterator[Batch]:
        folders: Source = _load(READERS[SOURCE])(self._folders)
        return folders.read(pending)


def make_transcripts(folders: Sequence[StrPath]) -> Source:
    """Transcripts below some folders; those that are not there have none."""
    return _Transcripts([folder for folder in folders if os.path.exists(folder)])


def make_receiver(url: str, key: str) -> Any:  # noqa: ANN401 - a ledger.push.Receiver
    """A server that takes what this ledger knows."""
    return _load(RECEIVERS["http"])(url, key)


def unread_files(pending: Pending) -> int:
    """How many transcripts have news; what a survey itself has to tell is none."""
    return sum(isinstance(item, Found) for item in pending.items)


def find_unfinished(cursors: Mapping[str, bytes]) -> list[str]:
    """Transcripts whose last line has no end, by the cursors of their source."""
    return unfinished(cursors)


def make_sqlite(rater: Rater) -> LedgerStore:
    """The ledger in its own file."""
    return SqliteStore(ledger_path(), rater, rater.version)


SOURCES: Mapping[str, Callable[[Config], Source]] = {
    SOURCE: lambda config: make_transcripts(transcript_folders(config)),
}
STORES: Mapping[str, Callable[[Rater], LedgerStore]] = {"sqlite": make_sqlite}


def make_sources(config: Config) -> list[Source]:
    """Every source there is."""
    return [make(config) for make in SOURCES.values()]


def make_store(config: Config, rater: Rater) -> LedgerStore:
    """The ledger that the settings ask for.

    Raises:
        StoreError: It cannot be opened.
    """
    del config  # so far there is one
    return STORES["sqlite"](rater)


def make_control(config: Config) -> ControlStore:
    """Projects and keys, beside the ledger that the settings ask for.

    Raises:
        StoreError: It cannot be opened.
    """
    del config  # so far there is one
    return SqliteControl(ledger_path())

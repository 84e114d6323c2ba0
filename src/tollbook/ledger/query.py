"""Answer the server's questions: the totals behind every report, by anything.

A line of an answer adds up as a line of a report does (``ledger.report``): the same
counts, the same picodollars, the same estimate for responses that ended early.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

import msgspec

from tollbook.core.calendar import Bucket
from tollbook.core.report import Line
from tollbook.core.slots import DAY_MS
from tollbook.ledger.dimensions import JOINED, called, stored_dimension
from tollbook.ledger.estimate import make_estimator, month_pieces
from tollbook.ledger.naming import Naming
from tollbook.ledger.report import Books, Key, Sum
from tollbook.ports import Total, UsageQuery


class Where(msgspec.Struct, frozen=True, kw_only=True):
    """Which responses count.

    ``dimensions`` gives the only value that counts of some; ``None``: where it is not
    known. A source counts where it is among those that spoke of a response.
    """

    projects: frozenset[str] | None = None  # as they are stored; ``None``: every one
    models: tuple[str, ...] = ()  # ids, names or families; none: every one
    source: str | None = None
    dimensions: Mapping[str, str | None] = {}


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One question: sums over some stretches of time, by a dimension or none."""

    buckets: Sequence[Bucket]
    by: str | None = None
    where: Where = Where()
    kinds: Mapping[str, str] = {}  # of projects, for ``by="kind"``
    split: bool = True  # the lines into their buckets


class Sums(msgspec.Struct, frozen=True, kw_only=True):
    """The answer. The parts of a line are its buckets, by number."""

    total: Line
    lines: tuple[Line, ...]


def add_up(books: Books, ask: Ask) -> Sums:
    """Answer a question."""
    pieces = list(_pieces(books, ask.buckets))
    cut = msgspec.structs.replace(ask, buckets=[piece for _, piece, _ in pieces])
    everything = Sum(("", None))
    sums: dict[Key, Sum] = {}
    for total in chosen_totals(books, cut):
        number, _, month = pieces[total.bucket]
        model = books.naming.model(total.dimensions["model"]) or ""
        key = _key(total, ask, books)
        if key not in sums:
            sums[key] = Sum(key)
        bucket = (f"{number}", None)
        for line in (everything, sums[key]):
            line.add(total, model, month)
            if ask.split:
                line.part(bucket).add(total, model, month)
    estimator = make_estimator(
        books.store, books.naming, books.pricer, everything.partials
    )
    return Sums(
        total=everything.line(books.naming, estimator),
        lines=tuple(sums[key].line(books.naming, estimator) for key in sums),
    )


def _pieces(
    books: Books, buckets: Sequence[Bucket]
) -> Iterator[tuple[int, Bucket, date]]:
    """Buckets cut by months, by which responses that ended early are estimated."""
    spans = books.store.coverage().sources.values()
    seen = [at for span in spans for at in span if at is not None] or [0]
    used = (min(seen), max(seen) + DAY_MS)
    for number, bucket in enumerate(buckets):
        for piece, month in month_pieces(bucket, used):
            yield number, piece, month


def chosen_totals(books: Books, ask: Ask, *more: str) -> list[Total]:
    """The totals of a question, by its dimension, by model and by ``more``."""
    where = ask.where
    by = {"model", *more}
    if ask.by is not None:
        stored = stored_dimension(ask.by)
        assert stored is not None, ask.by
        by.add(stored)
    if where.projects is not None:
        by.add("project")
    if where.source is not None:
        by.add("source")
    query = UsageQuery(
        buckets=ask.buckets, by=frozenset(by), where=dict(where.dimensions)
    )
    models = ModelFilter(books.naming, where.models)
    return [
        total
        for total in books.store.totals(query)
        if _counts(total.dimensions, where) and models(total.dimensions["model"])
    ]


def _counts(dimensions: Mapping[str, str | None], where: Where) -> bool:
    if where.projects is not None and dimensions["project"] not in where.projects:
        return False
    if where.source is None:
        return True
    return where.source in (dimensions["source"] or "").split(JOINED)


class ModelFilter:
    """Which models some names mean: an id, the catalogue's name, or a family."""

    def __init__(self, naming: Naming, wanted: Iterable[str]) -> None:
        self._naming = naming
        self._wanted = set(wanted)
        self._names = {naming.model(name) for name in self._wanted}

    def __call__(self, raw: str | None) -> bool:
        """Whether a model counts."""
        if not self._wanted:
            return True
        naming = self._naming
        return naming.model(raw) in self._names or naming.family(raw) in self._wanted


def _key(total: Total, ask: Ask, books: Books) -> Key:
    if ask.by is None:
        return "", None
    value = total.dimensions[stored_dimension(ask.by) or ""]
    name = called(ask.by, value, books.naming, ask.kinds)
    return name or "", name

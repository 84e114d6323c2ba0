"""Answer the server's questions: the totals behind every report, by anything.

A line of an answer adds up as a line of a report does (``ledger.report``): the same
counts, the same picodollars, the same estimate for responses that ended early.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from tollbook.core.calendar import Bucket
from tollbook.core.report import Line
from tollbook.ledger.estimate import Basis, Estimator, bases
from tollbook.ledger.naming import EVER, Naming
from tollbook.ledger.report import Books, Key, Sum
from tollbook.ports import TAG, Total, UsageQuery

STORED = {
    "project": "project",
    "group": "project",
    "kind": "project",
    "session": "session",
    "model": "model",
    "family": "model",
    "branch": "branch",
    "agent": "agent",
    "skill": "skill",
    "tool": "tools",
    "provider": "provider",
    "app": "app",
    "user": "user",
    "machine": "machine",
    "key": "key",
    "source": "source",
}
"""What may be asked for, and the store's dimension it is made of. Tags come on top."""

_JOINED = "+"  # between the sources that spoke of one response
_tools = msgspec.json.Decoder(list[str]).decode


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


class Sums(msgspec.Struct, frozen=True, kw_only=True):
    """The answer. The parts of a line are its buckets, by number."""

    total: Line
    lines: tuple[Line, ...]


def stored_dimension(by: str) -> str | None:
    """The store's dimension behind a name; ``None``: there is no such name."""
    if by.startswith(TAG) and by != TAG:
        return by
    return STORED.get(by)


def add_up(books: Books, ask: Ask) -> Sums:
    """Answer a question."""
    totals = chosen_totals(books, ask)
    everything = Sum(("", None))
    sums: dict[Key, Sum] = {}
    for total in totals:
        model = books.naming.model(total.dimensions["model"]) or ""
        key = _key(total, ask, books.naming)
        if key not in sums:
            sums[key] = Sum(key)
        bucket = (f"{total.bucket}", None)
        for line in (everything, sums[key]):
            line.add(total, model, total.last_at)
            line.part(bucket).add(total, model, total.last_at)
    estimator = _estimator(books, totals)
    return Sums(
        total=everything.line(books.naming, estimator),
        lines=tuple(sums[key].line(books.naming, estimator) for key in sums),
    )


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
    return where.source in (dimensions["source"] or "").split(_JOINED)


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


def _key(total: Total, ask: Ask, naming: Naming) -> Key:
    by = ask.by
    if by is None:
        return "", None
    value = total.dimensions[STORED.get(by, by)]
    match by:
        case "model":
            name = naming.model(value)
        case "family":
            name = naming.family(value)
        case "project":
            name = naming.project(value)
        case "group":
            name = naming.group(value)
        case "kind":
            name = ask.kinds.get(value or "")
        case "tool":
            name = ", ".join(_tools(value)) if value else None
        case _:
            name = value
    return name or "", name


def _estimator(books: Books, totals: Iterable[Total]) -> Estimator:
    """Means come from what was chosen; where it holds too little, from everything."""
    asked = _bases(books, totals)
    ever: Mapping[str, Basis] = {}
    if any(basis.is_open for basis in asked.values()):
        query = UsageQuery(buckets=[EVER], by=frozenset({"model"}))
        ever = _bases(books, books.store.totals(query))
    return Estimator(asked, ever, books.pricer)


def _bases(books: Books, totals: Iterable[Total]) -> dict[str, Basis]:
    name = books.naming.model
    return bases((name(t.dimensions["model"]) or "", t.tally) for t in totals)

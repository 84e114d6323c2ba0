"""Which responses a question is about, and what its words mean in this ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from tollbook.core.errors import NothingMatchesError
from tollbook.core.observation import Call
from tollbook.ledger.dimensions import JOINED
from tollbook.ledger.naming import EVER, Naming
from tollbook.ports import TAG, LedgerStore, UsageQuery
from tollbook.render.safe import safe

_LISTED_MAX = 12


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody named. Nothing named is everything."""

    projects: Sequence[str] = ()  # any of these, by any of their names
    models: Sequence[str] = ()
    sessions: Sequence[str] = ()  # ids, or how they begin
    kind: str | None = None  # of registered projects
    source: str | None = None  # it is among those that spoke of a response
    where: Mapping[str, str | None] = {}  # as in ``UsageQuery``


class Filter:
    """Which totals a question is about.

    ``where`` is what the store is asked for; ``by`` are the dimensions that totals must
    be divided by, so that the rest can be told here.
    """

    def __init__(
        self,
        allowed: Mapping[str, frozenset[str]],
        *,
        source: str | None = None,
        where: Mapping[str, str | None] | None = None,
    ) -> None:
        self._allowed = allowed
        self._source = source
        self.where: Mapping[str, str | None] = where or {}
        self.by = frozenset((*allowed, *(("source",) if source else ())))

    def __bool__(self) -> bool:
        """Whether it leaves anything out."""
        return bool(self.by or self.where)

    def __call__(self, dimensions: Mapping[str, str | None]) -> bool:
        """Whether a total's dimensions pass."""
        if not all(dimensions[n] in chosen for n, chosen in self._allowed.items()):
            return False
        if self._source is None:
            return True
        return self._source in (dimensions["source"] or "").split(JOINED)

    def counts(self, call: Call) -> bool:
        """Whether a call passes. Who sent it, and through what, nobody knows."""
        if self._source is not None or self.where:
            return False
        marks = {"project": call.project, "model": call.model, "session": call.session}
        return self(marks)


def filter_of(
    store: LedgerStore, naming: Naming, wanted: Wanted, kinds: Mapping[str, str]
) -> Filter:
    """Find what the names of a question mean in this ledger.

    Raises:
        NothingMatchesError: One of them means nothing, or more than one session.
    """
    allowed: dict[str, frozenset[str]] = {}
    if wanted.projects:
        allowed["project"] = _projects(store, naming, wanted.projects)
    if wanted.kind is not None:
        of_kind = frozenset(p for p, kind in kinds.items() if kind == wanted.kind)
        allowed["project"] = allowed.get("project", of_kind) & of_kind
    if wanted.models:
        allowed["model"] = _models(store, naming, wanted.models)
    if wanted.sessions:
        allowed["session"] = frozenset(_session(store, s) for s in wanted.sessions)
    if wanted.source is not None:
        joined = _values(store, "source")
        _known("source", wanted.source, {s for each in joined for s in each.split("+")})
    for dimension, value in wanted.where.items():
        if value is not None:
            what = dimension.replace(TAG, "tag ")
            _known(what, value, _values(store, dimension))
    return Filter(allowed, source=wanted.source, where=wanted.where)


def _projects(
    store: LedgerStore, naming: Naming, names: Sequence[str]
) -> frozenset[str]:
    folders = _values(store, "project")
    chosen: set[str] = set()
    for wanted in names:
        found = naming.projects_called(wanted, folders)
        if not found:
            _refuse("project", wanted, [naming.project(f) or f for f in folders])
        chosen |= found
    return frozenset(chosen)


def _models(store: LedgerStore, naming: Naming, names: Sequence[str]) -> frozenset[str]:
    ids = _values(store, "model")
    chosen: set[str] = set()
    for wanted in names:
        found = naming.models_called(wanted, ids)
        if not found:
            _refuse("model", wanted, [naming.model(raw) or raw for raw in ids])
        chosen |= found
    return frozenset(chosen)


def _session(store: LedgerStore, wanted: str) -> str:
    found = store.sessions(wanted)
    if wanted in found:
        return wanted
    if len(found) != 1:
        _refuse("session", wanted, found or store.sessions(""), many=len(found) > 1)
    return found[0]


def _values(store: LedgerStore, dimension: str) -> set[str]:
    query = UsageQuery(buckets=[EVER], by=frozenset({dimension}))
    found = {total.dimensions[dimension] for total in store.totals(query)}
    return {value for value in found if value}


def _known(what: str, wanted: str, values: set[str]) -> None:
    if wanted not in values:
        _refuse(what, wanted, sorted(values))


def _refuse(
    what: str, wanted: str, known: Sequence[str], *, many: bool = False
) -> None:
    names = sorted(set(known))
    names.sort(key=lambda name: wanted.lower() not in name.lower())
    listed = ", ".join(safe(name) for name in names[:_LISTED_MAX])
    more = max(0, len(names) - _LISTED_MAX)
    rest = f" and {more} more" if more else ""
    problem = "means more than one" if many else "is not in the ledger"
    there = f"there are {listed}{rest}" if names else "the ledger is empty"
    message = f"{safe(what)} {safe(wanted)!r} {problem}; {there}"
    raise NothingMatchesError(message)

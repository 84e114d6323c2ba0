"""What models and projects are called, and which of them a name means."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from tollbook.core.errors import NothingMatchesError
from tollbook.ports import LedgerStore, UsageQuery
from tollbook.render.safe import safe

_LISTED_MAX = 12
EVER = (-(10**15), 10**15)


class Naming:
    """Names for what the ledger stores under foreign ones.

    Args:
        model: Gives the catalogue's name and family of an id it knows.
        labels: The path that a project's folder name stands for.
        aliases: Your names, by a project's folder name, path or base name.
        groups: The projects (by any of their names) that you add up under one.
    """

    def __init__(
        self,
        model: Callable[[str], tuple[str, str] | None],
        labels: Mapping[str, str],
        *,
        aliases: Mapping[str, str] | None = None,
        groups: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._resolve = model
        self._labels = labels
        self._aliases = aliases or {}
        self._groups = {
            member: group
            for group, members in (groups or {}).items()
            for member in members
        }
        self._models: dict[str, tuple[str, str]] = {}

    def _known(self, raw: str) -> tuple[str, str]:
        known = self._models.get(raw)
        if known is None:
            known = self._models[raw] = self._resolve(raw) or (raw, raw)
        return known

    def model(self, raw: str | None) -> str | None:
        """The catalogue's name of a model; an unknown id stays as it is."""
        return self._known(raw)[0] if raw else None

    def family(self, raw: str | None) -> str | None:
        """The family of a model; an unknown id is a family of its own."""
        return self._known(raw)[1] if raw else None

    def path(self, folder: str | None) -> str | None:
        """The path of a project, where a line told it."""
        return self._labels.get(folder or "")

    def project(self, folder: str | None) -> str | None:
        """Your name of a project, else its path, else its folder's name."""
        if not folder:
            return None
        for name in self._names(folder):
            if name in self._aliases:
                return self._aliases[name]
        return self._labels.get(folder, folder)

    def group(self, folder: str | None) -> str | None:
        """The group you put a project into."""
        if not folder:
            return None
        names = (*self._names(folder), self.project(folder) or "")
        return next((self._groups[n] for n in names if n in self._groups), None)

    def _names(self, folder: str) -> tuple[str, ...]:
        path = self._labels.get(folder)
        if path is None:
            return (folder,)
        return folder, path, _base(path)

    def projects_called(self, wanted: str, folders: Iterable[str]) -> set[str]:
        """The folder names of all projects that a name means."""
        plain = wanted.rstrip("/\\") or wanted
        exact = {
            folder
            for folder in folders
            if plain in (*self._names(folder), self.project(folder))
        }
        if exact:
            return exact
        # A folder name is a path with dashes, and where no line told the path, the end
        # of it is all we have for a base name.
        ending = "-" + "".join(c if c.isascii() and c.isalnum() else "-" for c in plain)
        return {f for f in folders if f not in self._labels and f.endswith(ending)}

    def models_called(self, wanted: str, models: Iterable[str]) -> set[str]:
        """The ids of all models that a name, alias or family means."""
        name = self.model(wanted)
        same = {raw for raw in models if raw == wanted or self.model(raw) == name}
        return same or {raw for raw in models if self.family(raw) == wanted}


def _base(path: str) -> str:
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2]


class Filter:
    """Which totals a question is about."""

    def __init__(self, **allowed: frozenset[str] | None) -> None:
        self._allowed = {name: v for name, v in allowed.items() if v is not None}
        self.by = frozenset(self._allowed)

    def __call__(self, dimensions: Mapping[str, str | None]) -> bool:
        """Whether a total's dimensions pass."""
        return all(dimensions[n] in allowed for n, allowed in self._allowed.items())


def filter_of(
    store: LedgerStore,
    naming: Naming,
    *,
    projects: Sequence[str] = (),
    models: Sequence[str] = (),
    sessions: Sequence[str] = (),
) -> Filter:
    """Find what the names of a question mean in this ledger.

    Raises:
        NothingMatchesError: One of them means nothing, or more than one session.
    """
    folders = _values(store, "project") if projects else ()
    ids = _values(store, "model") if models else ()
    chosen_projects: set[str] = set()
    for wanted in projects:
        found = naming.projects_called(wanted, folders)
        if not found:
            _refuse("project", wanted, [naming.project(f) or f for f in folders])
        chosen_projects |= found
    chosen_models: set[str] = set()
    for wanted in models:
        found = naming.models_called(wanted, ids)
        if not found:
            _refuse("model", wanted, [naming.model(raw) or raw for raw in ids])
        chosen_models |= found
    return Filter(
        project=frozenset(chosen_projects) if projects else None,
        model=frozenset(chosen_models) if models else None,
        session=frozenset(_session(store, s) for s in sessions) if sessions else None,
    )


def _values(store: LedgerStore, dimension: str) -> list[str]:
    query = UsageQuery(buckets=[EVER], by=frozenset({dimension}))
    found = {total.dimensions[dimension] for total in store.totals(query)}
    return sorted(value for value in found if value)


def _session(store: LedgerStore, wanted: str) -> str:
    found = store.sessions(wanted)
    if wanted in found:
        return wanted
    if len(found) != 1:
        _refuse("session", wanted, found or store.sessions(""), many=len(found) > 1)
    return found[0]


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
    message = f"{what} {safe(wanted)!r} {problem}; {there}"
    raise NothingMatchesError(message)

"""What models and projects are called, and which of them a name means."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

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

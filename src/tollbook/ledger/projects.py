"""Projects: what applications report under, made by hand or when first heard of."""

from __future__ import annotations

from tollbook.core.control import (
    AGENTS,
    DEVTOOLS,
    KINDS,
    AuditEntry,
    Key,
    Project,
    allowed,
    in_force,
    unfit,
)
from tollbook.core.errors import ControlError, NotAllowedError, NothingMatchesError
from tollbook.core.observation import Instant
from tollbook.ledger.keyring import Changes
from tollbook.ledger.rights import actor, limits, must_administer
from tollbook.ports import ControlStore, LedgerStore

PROJECTS_MAX = 10_000
"""So many may come into being by being named; beyond, somebody has to want them."""

_DEVTOOLS = ("claude_code", "claude_desktop")


class ProjectBook:
    """The projects that reports name, at the cost of a look into a dictionary."""

    def __init__(self, control: ControlStore) -> None:
        self._control = control
        self._changes = Changes(control)
        self._known: dict[str, Project] = {}

    def known(self, project_id: str, *, now: Instant) -> Project | None:
        """A project that was asked for before; what others change is seen in a second.

        Raises:
            StoreUnavailableError: It cannot be known for now.
        """
        if self._changes.came(now):
            self._known = {}
        return self._known.get(project_id)

    def admit(self, project_id: str, *, key: Key, kind: str, now: Instant) -> Project:
        """The project that somebody reports under, made when it is new.

        Args:
            project_id: What was sent.
            key: Who sent it. Only a key that is not limited to projects makes one.
            kind: What a new project is, see ``kind_of``.
            now: The present.

        Raises:
            NotAllowedError: The key is limited to others, or there are too many.
            ControlError: The id is none.
            StoreUnavailableError: Nothing was made; try again.
        """
        found = self.known(project_id, now=now)
        if found is None:
            _check_id(project_id)
        if not allowed(key, project_id):
            message = (
                f"project {project_id!r}: the key is limited to other projects; "
                "report under one of them"
            )
            raise NotAllowedError(message)
        if found is None:
            found = self._control.project(project_id)
            if found is None:
                found = self._make(project_id, key=key, kind=kind, now=now)
            self._known[project_id] = found
        return found

    def _make(self, project_id: str, *, key: Key, kind: str, now: Instant) -> Project:
        if key.projects is not None:
            message = (
                f"project {project_id!r} is not there any more; have it added again"
            )
            raise NotAllowedError(message)
        project = Project(id=project_id, kind=kind, created_at=now)
        entry = _entry(project, "project added", now, key)
        self._control.add_project(project, entry, projects_max=PROJECTS_MAX)
        found = self._control.project(project_id)  # also when another was faster
        if found is None:
            message = (
                f"project {project_id!r} is new, and there are {PROJECTS_MAX:,} already; "
                "add it with `tollbook project add`"
            )
            raise NotAllowedError(message)
        return found


def kind_of(reported_by: str | None) -> str:
    """The kind of a new project, by the program that reports first under it."""
    name = (reported_by or "").lower().replace("-", "_")
    return DEVTOOLS if name in _DEVTOOLS else AGENTS


def add_project(
    control: ControlStore, project: Project, *, maker: Key | None = None
) -> None:
    """Add a project that is not there.

    Raises:
        ControlError: It is there, or some of it makes no sense.
        NotAllowedError: The maker may not do that.
    """
    must_administer(maker)
    if limits(maker) is not None:
        message = (
            f"{actor(maker)} is limited to projects and can make none; use another"
        )
        raise NotAllowedError(message)
    _check(project)
    entry = _entry(project, "project added", project.created_at, maker)
    if not control.add_project(project, entry):
        message = (
            f"there is a project {project.id!r}; change it with `tollbook project set`"
        )
        raise ControlError(message)


def list_projects(control: ControlStore, *, maker: Key | None = None) -> list[Project]:
    """Every project the maker may know of, by id."""
    own = limits(maker)
    found = control.projects()
    return found if own is None else [each for each in found if each.id in own]


def find_project(
    control: ControlStore, project_id: str, *, maker: Key | None = None
) -> Project:
    """One project.

    Raises:
        NothingMatchesError: There is none of that id that the maker may know of.
    """
    found = control.project(project_id) if _visible(project_id, maker) else None
    if found is None:
        raise _missing(project_id)
    return found


def change_project(
    control: ControlStore, project: Project, *, now: Instant, maker: Key | None = None
) -> None:
    """Put a project in the place of the one with its id.

    Raises:
        ControlError: Some of it makes no sense.
        NothingMatchesError: There is none of that id.
        NotAllowedError: The maker may not do that.
    """
    must_administer(maker)
    _check(project)
    entry = _entry(project, "project changed", now, maker)
    if not (_visible(project.id, maker) and control.change_project(project, entry)):
        raise _missing(project.id)


def remove_project(
    control: ControlStore, project_id: str, *, now: Instant, maker: Key | None = None
) -> None:
    """Forget a project. What was reported under it stays, and so do its reports.

    Raises:
        ControlError: A key in force is limited to it.
        NothingMatchesError: There is none of that id.
        NotAllowedError: The maker may not do that.
    """
    must_administer(maker)
    project = find_project(control, project_id, maker=maker)
    holders = [
        each.key.id
        for each in control.credentials()
        if in_force(each.key, now) and project_id in (each.key.projects or ())
    ]
    if holders:
        message = (
            f"keys are limited to the project {project_id!r} ({', '.join(holders)}); "
            "revoke them first"
        )
        raise ControlError(message)
    control.remove_project(project_id, _entry(project, "project removed", now, maker))


def _entry(project: Project, what: str, now: Instant, maker: Key | None) -> AuditEntry:
    named = (project.workspace, project.kind, project.title)
    return AuditEntry(
        at=now,
        who=actor(maker),
        what=what,
        subject=project.id,
        detail="; ".join(filter(None, named)),
    )


def _visible(project_id: str, maker: Key | None) -> bool:
    own = limits(maker)
    return not unfit(project_id) and (own is None or project_id in own)


def _missing(project_id: str) -> NothingMatchesError:
    return NothingMatchesError(
        f"there is no project {project_id!r}; `tollbook project list` shows them"
    )


def _check_id(project_id: str) -> None:
    if why := unfit(project_id):
        message = f"the project's id {why}; send a plain name, e.g. shop"
        raise ControlError(message)


def _check(project: Project) -> None:
    _check_id(project.id)
    for name in ("workspace", "title"):
        text = getattr(project, name)
        if text is not None and (why := unfit(text)):
            message = f"the project's {name} {why}; choose a plain one"
            raise ControlError(message)
    if project.kind not in KINDS:
        message = (
            f"{project.kind!r} is no kind of project; choose from {', '.join(KINDS)}"
        )
        raise ControlError(message)


def kinds_of(store: LedgerStore, control: ControlStore) -> dict[str, str]:
    """The kind of every project: as registered, else by where it is known from.

    Folders that transcripts stand for are Claude Code's, registered or not.
    """
    found = dict.fromkeys(store.labels(), DEVTOOLS)
    return found | {each.id: each.kind for each in control.projects()}

"""Projects, keys and their audit in memory: what other control stores are held to."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock

import msgspec

from tollbook.core.control import AuditEntry, Credential, Project
from tollbook.core.observation import Instant


class MemoryControl:
    """What ``ports.ControlStore`` promises, for one process and as long as it lives."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._projects: dict[str, Project] = {}
        self._keys: dict[str, Credential] = {}
        self._audit: list[AuditEntry] = []

    def close(self) -> None:
        """See ``ControlStore.close``."""

    def version(self) -> int:
        """See ``ControlStore.version``."""
        return len(self._audit)

    def projects(self) -> list[Project]:
        """See ``ControlStore.projects``."""
        with self._lock:
            return sorted(self._projects.values(), key=lambda project: project.id)

    def project(self, project_id: str) -> Project | None:
        """See ``ControlStore.project``."""
        return self._projects.get(project_id)

    def add_project(
        self, project: Project, entry: AuditEntry, *, projects_max: int | None = None
    ) -> bool:
        """See ``ControlStore.add_project``."""
        with self._lock:
            full = projects_max is not None and len(self._projects) >= projects_max
            if full or project.id in self._projects:
                return False
            self._projects[project.id] = project
            self._audit.append(entry)
            return True

    def change_project(self, project: Project, entry: AuditEntry) -> bool:
        """See ``ControlStore.change_project``."""
        with self._lock:
            if project.id not in self._projects:
                return False
            self._projects[project.id] = project
            self._audit.append(entry)
            return True

    def remove_project(self, project_id: str, entry: AuditEntry) -> bool:
        """See ``ControlStore.remove_project``."""
        with self._lock:
            if self._projects.pop(project_id, None) is None:
                return False
            self._audit.append(entry)
            return True

    def credentials(self) -> list[Credential]:
        """See ``ControlStore.credentials``."""
        with self._lock:
            return list(self._keys.values())

    def add_key(
        self, credential: Credential, entry: AuditEntry, *, first: bool = False
    ) -> bool:
        """See ``ControlStore.add_key``."""
        with self._lock:
            if credential.key.id in self._keys or (first and self._keys):
                return False
            self._keys[credential.key.id] = credential
            self._audit.append(entry)
            return True

    def revoke_key(self, key_id: str, entry: AuditEntry) -> bool:
        """See ``ControlStore.revoke_key``."""
        with self._lock:
            known = self._keys.get(key_id)
            if known is None or known.key.revoked_at is not None:
                return False
            self._put(known, revoked_at=entry.at)
            self._audit.append(entry)
            return True

    def note_uses(self, uses: Mapping[str, Instant]) -> None:
        """See ``ControlStore.note_uses``."""
        with self._lock:
            for known in [self._keys[each] for each in uses if each in self._keys]:
                at, before = uses[known.key.id], known.key.last_used_at
                self._put(known, last_used_at=at if before is None else max(at, before))

    def _put(self, known: Credential, **changes: Instant) -> None:
        key = msgspec.structs.replace(known.key, **changes)
        self._keys[key.id] = Credential(key=key, digest=known.digest)

    def audit(self, *, limit: int) -> list[AuditEntry]:
        """See ``ControlStore.audit``."""
        with self._lock:
            return self._audit[::-1][:limit]

"""Projects, keys and their audit, beside the facts in the ledger's file.

Reading has a connection of its own, so that nobody who only asks waits for another
process's transaction. The number of the latest audit entry is the version of it all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

import msgspec

from tollbook.core.control import AuditEntry, Credential, Key, Project
from tollbook.core.observation import Instant
from tollbook.ports import StrPath
from tollbook.stores.sqlite.connection import open_ledger, transaction, translated

_Row = tuple[Any, ...]

_PROJECT = "id, workspace, kind, title, created_at"
_KEY = (
    "id, name, scopes, projects, created_at, expires_at, revoked_at, last_used_at,"
    " digest"
)
_ENTRY = "at, who, what, subject, detail"


class SqliteControl:
    """What ``ports.ControlStore`` promises, on a ledger's file."""

    def __init__(self, path: StrPath) -> None:
        self.path = path
        self._reader, self._reading = open_ledger(path), Lock()
        self._writer, self._writing = open_ledger(path), Lock()

    def close(self) -> None:
        """See ``ControlStore.close``."""
        self._reader.close()
        self._writer.close()

    def version(self) -> int:
        """See ``ControlStore.version``."""
        found = self._read("SELECT coalesce(max(number), 0) FROM audit")
        return int(found[0][0])

    # -- projects --------------------------------------------------------------------

    def projects(self) -> list[Project]:
        """See ``ControlStore.projects``."""
        rows = self._read(f"SELECT {_PROJECT} FROM projects ORDER BY id")  # noqa: S608  # constants
        return [_project(row) for row in rows]

    def project(self, project_id: str) -> Project | None:
        """See ``ControlStore.project``."""
        rows = self._read(
            f"SELECT {_PROJECT} FROM projects WHERE id = ?",  # noqa: S608  # constants
            project_id,
        )
        return _project(rows[0]) if rows else None

    def add_project(
        self, project: Project, entry: AuditEntry, *, projects_max: int | None = None
    ) -> bool:
        """See ``ControlStore.add_project``."""
        return self._change(
            entry,
            f"INSERT INTO projects ({_PROJECT}) SELECT ?, ?, ?, ?, ?"  # noqa: S608  # constants
            " WHERE ? IS NULL OR (SELECT count(*) FROM projects) < ?"
            " ON CONFLICT DO NOTHING",
            *msgspec.structs.astuple(project),
            projects_max,
            projects_max,
        )

    def change_project(self, project: Project, entry: AuditEntry) -> bool:
        """See ``ControlStore.change_project``."""
        return self._change(
            entry,
            "UPDATE projects SET workspace = ?, kind = ?, title = ?, created_at = ?"
            " WHERE id = ?",
            project.workspace,
            project.kind,
            project.title,
            project.created_at,
            project.id,
        )

    def remove_project(self, project_id: str, entry: AuditEntry) -> bool:
        """See ``ControlStore.remove_project``."""
        return self._change(entry, "DELETE FROM projects WHERE id = ?", project_id)

    # -- keys ------------------------------------------------------------------------

    def credentials(self) -> list[Credential]:
        """See ``ControlStore.credentials``."""
        rows = self._read(f"SELECT {_KEY} FROM keys ORDER BY number")  # noqa: S608  # constants
        return [_credential(row) for row in rows]

    def add_key(
        self, credential: Credential, entry: AuditEntry, *, first: bool = False
    ) -> bool:
        """See ``ControlStore.add_key``."""
        return self._change(
            entry,
            f"INSERT INTO keys ({_KEY}) SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?"  # noqa: S608  # constants
            " WHERE NOT (? AND EXISTS (SELECT 1 FROM keys)) ON CONFLICT DO NOTHING",
            *_row(credential),
            first,
        )

    def revoke_key(self, key_id: str, entry: AuditEntry) -> bool:
        """See ``ControlStore.revoke_key``."""
        return self._change(
            entry,
            "UPDATE keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL",
            entry.at,
            key_id,
        )

    def note_uses(self, uses: Mapping[str, Instant]) -> None:
        """See ``ControlStore.note_uses``."""
        with self._writing, transaction(self._writer, self.path):
            self._writer.executemany(
                "UPDATE keys SET last_used_at = ?2"
                " WHERE id = ?1 AND coalesce(last_used_at < ?2, TRUE)",
                uses.items(),
            )

    # -- who changed what ------------------------------------------------------------

    def audit(self, *, limit: int) -> list[AuditEntry]:
        """See ``ControlStore.audit``."""
        rows = self._read(
            f"SELECT {_ENTRY} FROM audit ORDER BY number DESC LIMIT ?",  # noqa: S608  # constants
            limit,
        )
        fields = AuditEntry.__struct_fields__
        return [AuditEntry(**dict(zip(fields, row, strict=True))) for row in rows]

    def _read(self, statement: str, *values: object) -> Sequence[_Row]:
        with self._reading, translated(self.path):
            rows: list[_Row] = self._reader.execute(statement, values).fetchall()
        return rows

    def _change(self, entry: AuditEntry, statement: str, *values: object) -> bool:
        """Do it, and note it when that changed something."""
        with self._writing, transaction(self._writer, self.path):
            self._writer.execute(statement, values)
            changed = self._writer.changes() > 0
            if changed:
                self._writer.execute(
                    f"INSERT INTO audit ({_ENTRY}) VALUES (?, ?, ?, ?, ?)",  # noqa: S608  # constants
                    msgspec.structs.astuple(entry),
                )
        return changed


def _project(row: _Row) -> Project:
    return Project(**dict(zip(Project.__struct_fields__, row, strict=True)))


def _row(credential: Credential) -> _Row:
    key = credential.key
    return (
        key.id,
        key.name,
        " ".join(sorted(key.scopes)),
        None if key.projects is None else msgspec.json.encode(key.projects).decode(),
        key.created_at,
        key.expires_at,
        key.revoked_at,
        key.last_used_at,
        credential.digest,
    )


def _credential(row: _Row) -> Credential:
    fields = dict(zip(Key.__struct_fields__, row[:-1], strict=True))
    fields["scopes"] = frozenset(fields["scopes"].split())
    if fields["projects"] is not None:
        fields["projects"] = msgspec.json.decode(
            fields["projects"], type=tuple[str, ...]
        )
    return Credential(key=Key(**fields), digest=row[-1])

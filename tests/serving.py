"""The parts a server works with, in memory."""

from __future__ import annotations

from typing import cast

from tollbook.config import Config
from tollbook.core.control import AuditEntry, Project
from tollbook.core.observation import Instant
from tollbook.http.exchange import Intake, Services
from tollbook.ledger.projects import ProjectBook
from tollbook.ports import ControlStore, LedgerStore
from tollbook.stores.memory_control import MemoryControl


def control_of(**kinds: str) -> ControlStore:
    """Projects by their id: what kind each is."""
    control = MemoryControl()
    for name, kind in kinds.items():
        entry = AuditEntry(at=0, who="owner", what="project added", subject=name)
        control.add_project(Project(id=name, kind=kind, created_at=0), entry)
    return control


def services_of(
    store: LedgerStore, control: ControlStore, *, now: Instant, config: Config
) -> Services:
    """Services that only answer: nothing is taken in."""
    return Services(
        intake=cast("Intake", None),
        store=store,
        control=control,
        projects=ProjectBook(control),
        clock=lambda: now,
        config=config,
    )

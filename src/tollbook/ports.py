"""What the verbs need from the outside, said once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from typing import Protocol

import msgspec

from tollbook.core.control import AuditEntry, Credential
from tollbook.core.control import Key as Key  # noqa: PLC0414  # known as ports.Key
from tollbook.core.control import Project as Project  # noqa: PLC0414  # the same
from tollbook.core.coverage import Coverage as Coverage  # noqa: PLC0414  # the same
from tollbook.core.coverage import Health as Health  # noqa: PLC0414  # the same
from tollbook.core.event import UsageEvent
from tollbook.core.measure import Measure
from tollbook.core.observation import Call, Instant, Observation, StatementLine
from tollbook.core.problem import Problem
from tollbook.core.receipt import Receipt
from tollbook.core.report import TAG as TAG  # noqa: PLC0414  # known as ports.TAG
from tollbook.core.tally import Share, Tally

StrPath = str | PathLike[str]
"""A place in the file system. ``pathlib`` is for those who start less often."""


class Batch(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one read of one origin gave, and the cursor to save with it."""

    source: str  # "claude-code"
    origin: str  # a file's path
    previous: bytes | None = None  # the cursor this read began from
    cursor: bytes | None = None  # the cursor to save
    afresh: bool = False  # the origin was read from its beginning
    observations: Sequence[Observation] = ()
    calls: Sequence[Call] = ()
    statements: Sequence[StatementLine] = ()
    problems: Sequence[Problem] = ()
    labels: Mapping[str, str] = {}  # a project's folder name -> the path it stands for
    lines: int = 0  # lines that spoke of usage, readable or not
    refused: int = 0  # those of them that became problems
    size: int = 0  # bytes read, for progress


class Appended(msgspec.Struct, frozen=True, kw_only=True):
    """What became of batches. ``lines = added + repeated + refused``."""

    lines: int = 0
    added: int = 0  # lines that taught the ledger something
    repeated: int = 0  # lines that said what it knew
    refused: int = 0  # lines that became problems
    responses: int = 0  # responses it did not know before
    problems: int = 0  # all problems, also of lines without usage and of whole files
    superseded: int = 0  # batches another process had stored first

    def plus(self, other: Appended) -> Appended:
        """The sum of two."""
        return Appended(
            **{
                name: getattr(self, name) + getattr(other, name)
                for name in self.__struct_fields__
            }
        )


class Fact(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One batch of facts as a store keeps it, to be told to another."""

    id: int  # later ones have larger numbers, not always the next
    source: str
    origin: str
    observations: Sequence[Observation] = ()
    calls: Sequence[Call] = ()
    statements: Sequence[StatementLine] = ()


def size_of(batch: Batch) -> int:
    """How many facts a batch holds."""
    return len(batch.observations) + len(batch.calls) + len(batch.statements)


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """What a source has that the ledger has not read."""

    items: Sequence[object]  # what ``read`` needs, nothing when nothing is new
    origins: int  # how many origins were looked at
    size: int  # bytes to read


class Source(Protocol):
    """Reads observations from one place in the outside world."""

    @property
    def name(self) -> str:
        """Stable identifier, used in cursors and reports."""
        ...

    def survey(self, cursors: Mapping[str, bytes]) -> Pending:
        """Look what is new since ``cursors``, without reading it.

        Raises:
            SourceUnavailableError: Try the same survey again later.
        """
        ...

    def read(self, pending: Pending) -> Iterator[Batch]:
        """Yield what a survey found, in bounded batches.

        An origin that vanished or cannot be read becomes a problem in a batch.
        """
        ...


NARROW = frozenset(("project", "session", "model"))
"""Dimensions whose sums are kept by the quarter hour."""

DAILY = frozenset(("source", "provider", "app", "user", "machine", "key"))
"""Dimensions whose sums, beside project and model, are kept by the UTC day."""

DIMENSIONS = NARROW | DAILY | {"branch", "agent", "skill", "tools"}


class UsageQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which totals are wanted.

    ``buckets`` are half-open instants, ascending and without overlap; each total tells
    in which it lies. ``by`` names ``DIMENSIONS`` and tags (``tag:team``). ``where``
    gives the only value that counts of some of them; ``None``: where it is not known.
    ``source`` is every source that spoke of a response, joined by ``+``.
    """

    buckets: Sequence[tuple[Instant, Instant]]
    by: frozenset[str] = frozenset()
    where: Mapping[str, str | None] = {}

    @property
    def grain(self) -> str:
        """How narrow the sums are that answer it: ``slot``, ``day`` or ``event``."""
        named = self.by | self.where.keys()
        if named <= NARROW:
            return "slot"
        rest = named - {"project", "model"}
        return "day" if len(rest) == 1 and rest <= DAILY else "event"


class Total(msgspec.Struct, frozen=True, gc=False):
    """One row of totals. Dimensions that were not asked for are ``None``."""

    bucket: int
    priced: bool
    dimensions: dict[str, str | None]
    tally: Tally
    first_at: Instant  # to the quarter hour, or day, when no events had to be read
    last_at: Instant


class StoredEvent(msgspec.Struct, frozen=True, gc=False):
    """An event with what it costs and where its numbers came from."""

    event: UsageEvent
    shares: Sequence[Share]
    seen: Sequence[tuple[str, str, Observation]]  # source, origin, what it said


class EventQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which single events are wanted, and from where on.

    ``start <= at < end``. Events come by time and, within a millisecond, by id;
    ``newest_first`` turns that round. ``models`` are ids as sources wrote them, and an
    event goes by the model of its first share.
    """

    start: Instant
    end: Instant
    projects: frozenset[str] | None = None  # ``None``: every project
    models: frozenset[str] | None = None
    source: str | None = None  # it is among those that spoke of the response
    where: Mapping[str, str | None] = {}  # as in ``UsageQuery``
    in_doubt: bool = False  # only answers whose usage is not, or not fully, reported
    after: tuple[Instant, str] | None = None  # time and id of the last event known
    newest_first: bool = True
    limit: int


class ListedEvent(msgspec.Struct, frozen=True, gc=False):
    """An event in a list, without what was said of it."""

    id: str  # see ``core.event_id``
    event: UsageEvent
    shares: Sequence[Share]


class Statement(msgspec.Struct, frozen=True, gc=False):
    """The latest statement a source made of a session."""

    source: str
    origin: str
    line: StatementLine


class LedgerStore(Protocol):
    """Keeps observations for ever and answers what they add up to.

    Every implementation passes ``tests/contracts/test_store.py`` and gives the same
    answers as the in-memory one, incrementally and rebuilt.
    """

    def cursors(self, source: str) -> dict[str, bytes]:
        """The saved cursor of every origin of a source."""
        ...

    def append(self, batches: Sequence[Batch], *, now: Instant) -> Appended:
        """Store batches, all that follows from them and their cursors, or nothing.

        A batch whose ``previous`` cursor is not the saved one was read by somebody else
        in the meantime: it is left out.

        Raises:
            StoreUnavailableError: Locked, or the disk is full; nothing was stored.
        """
        ...

    def receive(self, batches: Sequence[Batch], *, now: Instant) -> list[list[Receipt]]:
        """Take batches in durably, at the price of one small write, and say what they mean.

        They count in every answer as soon as they are posted. Receipts follow the
        batches and their observations. Batches with a cursor are for ``append``.

        Raises:
            StoreUnavailableError: Locked, or the disk is full; nothing was taken in.
        """
        ...

    def post(self, *, limit: int) -> int:
        """Derive what follows from facts taken in: about ``limit`` of them, oldest first.

        Returns:
            How many were posted; 0 when nothing waits.
        """
        ...

    def facts(self, after: int, limit: int, *, source: str | None = None) -> list[Fact]:
        """The first batches of facts whose number is above ``after``, in order.

        ``source``: only what this one said.

        Raises:
            StoreDamagedError: Facts are damaged.
        """
        ...

    def totals(self, query: UsageQuery) -> list[Total]:
        """Add up, exactly."""
        ...

    def labels(self) -> dict[str, str]:
        """The path each project's folder name stands for, as far as known."""
        ...

    def sessions(self, prefix: str) -> list[str]:
        """Session ids that begin with ``prefix``, at most a few."""
        ...

    def find_events(
        self, *, session: str | None = None, response: str | None = None
    ) -> Iterator[StoredEvent]:
        """The events of a session in time order; those of an id, the latest first.

        A message id that is none of the provider's may be that of many responses.
        """
        ...

    def page(self, query: EventQuery) -> list[ListedEvent]:
        """Some events, at most ``query.limit`` of them."""
        ...

    def measures(self, query: EventQuery, measure: Measure) -> list[int]:
        """What each request cost, used or took, where that is known, in no order.

        At most ``query.limit`` of them; see ``core.measure``.
        """
        ...

    def statements(self, session: str) -> list[Statement]:
        """What others said the session cost."""
        ...

    def unrecorded(
        self, start: Instant, end: Instant, *, session: str | None = None
    ) -> list[Call]:
        """Calls that were asked and never answered, in time order."""
        ...

    def problems(self) -> list[Problem]:
        """Every problem that stands and nobody acknowledged, by origin and line."""
        ...

    def acknowledged(self) -> list[tuple[Problem, Instant]]:
        """Every problem that stands and was acknowledged, and when."""
        ...

    def acknowledge(self, origin: str | None, *, now: Instant) -> int:
        """Keep that an origin's problems, or all, are known, until they go away.

        Returns:
            How many were not.

        Raises:
            StoreUnavailableError: Nothing was changed.
        """
        ...

    def coverage(self) -> Coverage:
        """What is known and what is known to be missing."""
        ...

    def health(self) -> Health:
        """What it is made of."""
        ...

    def price_version(self) -> str | None:
        """At which prices the stored costs were rated."""
        ...

    def rerate(self) -> int:
        """Rate every event again at today's catalogue; returns how many."""
        ...

    def rebuild(self) -> int:
        """Derive everything from the observations again; returns how many events."""
        ...

    def verify(self) -> list[str]:
        """Differences between what is stored and what the observations say.

        Raises:
            StoreDamagedError: Observations are lost or damaged; nothing was changed.
        """
        ...

    def limit(self, milliseconds: int | None) -> None:
        """Let reads from now on take so long together, or raise ``TooSlowError``."""

    def close(self) -> None:
        """Let go of the file."""
        ...


class ControlStore(Protocol):
    """Keeps projects, keys and who changed them: small, transactional, for all threads.

    A change and its audit entry are stored together, or neither is. Every method may
    raise ``StoreUnavailableError``; nothing was changed then. Every implementation
    passes ``tests/contracts/test_control.py``.
    """

    def version(self) -> int:
        """The number of the latest change by any process; it only grows.

        When a key was last used is no change.
        """

    def projects(self) -> list[Project]:
        """Every project, by id."""

    def project(self, project_id: str) -> Project | None:
        """One project."""

    def add_project(
        self, project: Project, entry: AuditEntry, *, projects_max: int | None = None
    ) -> bool:
        """Add a project; ``False`` when its id is known or there are that many."""

    def change_project(self, project: Project, entry: AuditEntry) -> bool:
        """Put it in the place of the one with its id; ``False`` when there is none."""

    def remove_project(self, project_id: str, entry: AuditEntry) -> bool:
        """Forget a project, never what it used; ``False`` when there is none."""

    def credentials(self) -> list[Credential]:
        """Every key ever made, in the order they were made."""

    def add_key(
        self, credential: Credential, entry: AuditEntry, *, first: bool = False
    ) -> bool:
        """Add a key, unless its id is known or it must be the ``first`` and is not."""

    def revoke_key(self, key_id: str, entry: AuditEntry) -> bool:
        """Revoke a key from ``entry.at`` on; ``False`` when unknown or revoked before."""

    def note_uses(self, uses: Mapping[str, Instant]) -> None:
        """Note when keys were last used; an earlier instant changes nothing."""

    def audit(self, *, limit: int) -> list[AuditEntry]:
        """The latest changes, the latest first."""

    def close(self) -> None:
        """Let go of the file."""

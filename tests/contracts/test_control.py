"""What every control store must do, whoever else has it open."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from strategies import HOSTILE
from tollbook.core.control import AuditEntry, Credential, Key, Project
from tollbook.ports import ControlStore
from tollbook.stores.memory_control import MemoryControl
from tollbook.stores.sqlite.control import SqliteControl

Make = Callable[[Path], ControlStore]

STORES: dict[str, Make] = {
    "memory": lambda _: MemoryControl(),
    "sqlite": lambda folder: SqliteControl(folder / "ledger.db"),
}
every_store = pytest.mark.parametrize("make", STORES.values(), ids=list(STORES))

SHOP = Project(id="shop", kind="agents", title="The shop", created_at=7)
DESK = Project(id="desk", workspace="lab", kind="devtools", created_at=8)
IDS = st.sampled_from(("shop", "desk", HOSTILE, "é", "naïve ☂"))
INSTANTS = st.integers(0, 2**53)


@contextmanager
def opened(make: Make, *, handles: int = 1) -> Iterator[list[ControlStore]]:
    """Some handles on one new store."""
    with tempfile.TemporaryDirectory() as folder:
        first = make(Path(folder))
        shared = isinstance(first, MemoryControl)
        others = (first if shared else make(Path(folder)) for _ in range(1, handles))
        stores = [first, *others]
        try:
            yield stores
        finally:
            for store in stores:
                store.close()


def told(what: str, subject: str = "shop", at: int = 9) -> AuditEntry:
    """An entry of the owner's."""
    return AuditEntry(at=at, who="owner", what=what, subject=subject, detail=HOSTILE)


def credential(key_id: str, **more: object) -> Credential:
    """A key that may report, if nothing else is said."""
    fields = {
        "id": key_id,
        "name": "ci",
        "scopes": frozenset({"ingest"}),
        "created_at": 5,
    }
    return Credential(key=Key(**(fields | more)), digest=key_id.encode())  # type: ignore[arg-type]  # as given


@every_store
def test_a_new_store_knows_nothing(make: Make) -> None:
    with opened(make) as [store]:
        assert (store.projects(), store.credentials(), store.audit(limit=9)) == (
            [],
            [],
            [],
        )
        assert store.project("shop") is None
        assert store.version() == 0


@every_store
def test_a_project_is_kept_as_it_was_given_and_stands_by_its_id(make: Make) -> None:
    with opened(make, handles=2) as [one, other]:
        assert one.add_project(SHOP, told("project added"))
        assert one.add_project(DESK, told("project added", "desk"))

        assert other.projects() == [DESK, SHOP]
        assert other.project("shop") == SHOP


@every_store
def test_a_project_is_added_once(make: Make) -> None:
    with opened(make) as [store]:
        store.add_project(SHOP, told("project added"))
        again = Project(id="shop", kind="devtools", created_at=99)

        assert not store.add_project(again, told("project added"))
        assert store.projects() == [SHOP]
        assert len(store.audit(limit=9)) == 1


@every_store
def test_no_project_is_added_beyond_the_most(make: Make) -> None:
    with opened(make) as [store]:
        assert store.add_project(SHOP, told("project added"), projects_max=1)
        assert not store.add_project(DESK, told("project added"), projects_max=1)
        assert store.add_project(DESK, told("project added"), projects_max=2)


@every_store
def test_a_project_is_changed_and_removed_only_where_there_is_one(make: Make) -> None:
    moved = Project(id="shop", workspace="lab", kind="devtools", created_at=7)
    with opened(make) as [store]:
        assert not store.change_project(moved, told("project changed"))
        assert not store.remove_project("shop", told("project removed"))
        store.add_project(SHOP, told("project added"))

        assert store.change_project(moved, told("project changed"))
        assert store.projects() == [moved]
        assert store.remove_project("shop", told("project removed"))
        assert store.projects() == []


@every_store
@pytest.mark.parametrize("projects", [None, (), ("desk", HOSTILE)])
def test_a_key_is_kept_as_it_was_given(
    make: Make, projects: tuple[str, ...] | None
) -> None:
    scopes = frozenset({"admin", "read"})
    given_key = credential("b", projects=projects, scopes=scopes, expires_at=2**53)
    with opened(make, handles=2) as [one, other]:
        assert one.add_key(credential("c"), told("key made", "c"))
        assert one.add_key(given_key, told("key made", "b"))

        assert other.credentials() == [credential("c"), given_key]


@every_store
def test_a_keys_id_is_given_once(make: Make) -> None:
    with opened(make) as [store]:
        store.add_key(credential("b"), told("key made", "b"))

        assert not store.add_key(credential("b", name="x"), told("key made", "b"))
        assert store.credentials() == [credential("b")]
        assert len(store.audit(limit=9)) == 1


@every_store
def test_of_many_who_make_the_first_key_one_does(make: Make) -> None:
    with opened(make, handles=4) as stores, ThreadPoolExecutor(4) as threads:
        made = threads.map(
            lambda n: stores[n].add_key(
                credential(f"k{n}"), told("key made"), first=True
            ),
            range(4),
        )

        assert sorted(made) == [False, False, False, True]
        assert len(stores[0].credentials()) == 1


@every_store
def test_a_key_is_revoked_once_and_for_all(make: Make) -> None:
    with opened(make, handles=2) as [one, other]:
        one.add_key(credential("b"), told("key made", "b"))
        before = other.version()

        assert other.revoke_key("b", told("key revoked", "b", at=20))
        assert not one.revoke_key("b", told("key revoked", "b", at=30))
        assert not one.revoke_key("nobody", told("key revoked", "nobody"))
        assert one.credentials() == [credential("b", revoked_at=20)]
        assert one.version() > before


@every_store
def test_a_use_is_noted_forwards_only_and_is_no_change(make: Make) -> None:
    with opened(make) as [store]:
        for name in ("b", "c"):
            store.add_key(credential(name), told("key made", name))
        before = store.version()
        for at in (50, 40):
            store.note_uses({"b": at, "nobody": 60})
        store.note_uses({})

        assert [each.key.last_used_at for each in store.credentials()] == [50, None]
        assert store.version() == before


@every_store
def test_the_audit_tells_the_latest_first_as_much_as_is_asked(make: Make) -> None:
    entries = [told(f"thing {n}", HOSTILE, at=n) for n in range(3)]
    with opened(make) as [store]:
        for entry in entries:
            store.add_project(
                Project(id=entry.what, kind="agents", created_at=1), entry
            )

        assert store.audit(limit=2) == [entries[2], entries[1]]
        assert store.version() == 3


@every_store
@settings(max_examples=10)
@given(IDS, INSTANTS)
def test_text_and_times_come_back_as_they_went_in(
    make: Make, text: str, at: int
) -> None:
    project = Project(id=text, workspace=text, kind="agents", title=text, created_at=at)
    key = credential("b", name=text, projects=(text,), created_at=at, expires_at=at)
    with opened(make) as [store]:
        store.add_project(project, told("project added"))
        store.add_key(key, told("key made"))

        assert store.project(text) == project
        assert store.credentials() == [key]


class Agreement(RuleBasedStateMachine):
    """Whatever is asked in whatever order, SQLite answers as memory does."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._stores = [make(Path(self._folder.name)) for make in STORES.values()]
        self._at = 0

    def teardown(self) -> None:
        """Leave nothing behind."""
        for store in self._stores:
            store.close()
        self._folder.cleanup()

    def both(self, ask: Callable[[ControlStore], object]) -> None:
        """Both say the same."""
        one, other = map(ask, self._stores)
        assert one == other

    def entry(self) -> AuditEntry:
        """The next one."""
        self._at += 1
        return told("changed", at=self._at)

    @rule(
        name=IDS,
        kind=st.sampled_from(("agents", "devtools")),
        most=st.sampled_from((None, 2)),
    )
    def _add_project(self, name: str, kind: str, most: int | None) -> None:
        project, entry = Project(id=name, kind=kind, created_at=1), self.entry()
        self.both(lambda store: store.add_project(project, entry, projects_max=most))

    @rule(name=IDS, kind=st.sampled_from(("agents", "devtools")))
    def _change_project(self, name: str, kind: str) -> None:
        project, entry = Project(id=name, kind=kind, created_at=1), self.entry()
        self.both(lambda store: store.change_project(project, entry))

    @rule(name=IDS)
    def _remove_project(self, name: str) -> None:
        entry = self.entry()
        self.both(lambda store: store.remove_project(name, entry))

    @rule(name=IDS, first=st.booleans())
    def _add_key(self, name: str, *, first: bool) -> None:
        made, entry = credential(name), self.entry()
        self.both(lambda store: store.add_key(made, entry, first=first))

    @rule(name=IDS)
    def _revoke_key(self, name: str) -> None:
        entry = self.entry()
        self.both(lambda store: store.revoke_key(name, entry))

    @rule(uses=st.dictionaries(IDS, st.integers(0, 9), max_size=3))
    def _note_uses(self, uses: dict[str, int]) -> None:
        self.both(lambda store: store.note_uses(uses))

    @invariant()
    def they_agree(self) -> None:
        """On everything."""
        self.both(lambda store: (store.version(), store.projects()))
        self.both(lambda store: (store.credentials(), store.audit(limit=5)))


TestAgreement = Agreement.TestCase
TestAgreement.settings = settings(max_examples=12, stateful_step_count=20)

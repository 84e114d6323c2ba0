"""``tollbook.ledger.projects``: made by hand, or when first heard of."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import FlatPricer
from tollbook.core.control import ADMIN, TEXT_MAX, Key, Project, unfit
from tollbook.core.errors import ControlError, NotAllowedError, NothingMatchesError
from tollbook.ledger import projects
from tollbook.ledger.keyring import LOOK_MS
from tollbook.ledger.keys import Grant, create_key
from tollbook.ledger.projects import (
    ProjectBook,
    add_project,
    change_project,
    find_project,
    kind_of,
    kinds_of,
    list_projects,
    remove_project,
)
from tollbook.ports import Batch
from tollbook.stores.memory import MemoryStore
from tollbook.stores.memory_control import MemoryControl

NOW = 1_795_000_000_000
SHOP = Project(id="shop", kind="agents", title="The shop", created_at=NOW)
DESK = Project(id="desk", kind="devtools", created_at=NOW)


class Counting(MemoryControl):
    """A store that counts how often a project is read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    def project(self, project_id: str) -> Project | None:
        """As before, counted."""
        self.reads += 1
        return super().project(project_id)


@pytest.fixture
def control() -> Counting:
    """A store with one project."""
    store = Counting()
    add_project(store, SHOP)
    return store


def key(*only: str, scope: str = "ingest") -> Key:
    """A key, limited to projects if some are named."""
    return Key(
        id="abcdefghij",
        name="ci",
        scopes=frozenset({scope}),
        projects=only or None,
        created_at=1,
    )


def test_an_unknown_project_comes_into_being_when_it_is_first_named(
    control: Counting,
) -> None:
    book = ProjectBook(control)
    made = book.admit("new", key=key(), kind="devtools", now=NOW)

    assert made == Project(id="new", kind="devtools", created_at=NOW)
    assert control.project("new") == made
    [entry] = control.audit(limit=1)
    assert (entry.who, entry.what, entry.subject) == (
        "key abcdefghij",
        "project added",
        "new",
    )


def test_a_project_that_is_there_stays_as_it_is(control: Counting) -> None:
    book = ProjectBook(control)

    assert book.admit("shop", key=key(), kind="devtools", now=NOW) == SHOP
    assert len(control.audit(limit=9)) == 1


def test_a_project_that_is_named_often_is_read_once(control: Counting) -> None:
    book = ProjectBook(control)
    for number in range(LOOK_MS):
        book.admit("shop", key=key(), kind="agents", now=NOW + number)

    assert control.reads == 1


def test_what_others_change_is_seen_soon(control: Counting) -> None:
    book = ProjectBook(control)
    book.admit("shop", key=key(), kind="agents", now=NOW)
    moved = msgspec.structs.replace(SHOP, kind="devtools")
    change_project(control, moved, now=NOW)

    assert book.known("shop", now=NOW + LOOK_MS) is None
    assert book.admit("shop", key=key(), kind="agents", now=NOW + LOOK_MS) == moved
    assert book.known("shop", now=NOW + LOOK_MS) == moved


def test_a_limited_key_reports_under_its_projects_and_makes_none(
    control: Counting,
) -> None:
    book = ProjectBook(control)
    limited = key("shop", "gone")

    assert book.admit("shop", key=limited, kind="agents", now=NOW) == SHOP
    add_project(control, DESK)
    with pytest.raises(NotAllowedError, match="'desk': the key is limited to other"):
        book.admit("desk", key=limited, kind="agents", now=NOW)
    with pytest.raises(NotAllowedError, match="'gone' is not there"):
        book.admit("gone", key=limited, kind="agents", now=NOW)
    assert list_projects(control) == [DESK, SHOP]


def test_a_project_known_to_one_key_stays_closed_to_another(control: Counting) -> None:
    book = ProjectBook(control)
    book.admit("shop", key=key(), kind="agents", now=NOW)

    with pytest.raises(NotAllowedError):
        book.admit("shop", key=key("desk"), kind="agents", now=NOW)


def test_names_cannot_flood_the_ledger(
    control: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projects, "PROJECTS_MAX", 3)
    book = ProjectBook(control)
    for name in ("a", "b"):
        book.admit(name, key=key(), kind="agents", now=NOW)

    with pytest.raises(NotAllowedError, match="'c' is new, and there are 3 already"):
        book.admit("c", key=key(), kind="agents", now=NOW)
    add_project(control, Project(id="c", kind="agents", created_at=NOW))
    assert book.admit("c", key=key(), kind="agents", now=NOW).id == "c"


@given(st.text(max_size=TEXT_MAX + 2))
def test_an_id_is_admitted_when_it_can_be_read_and_only_then(text: str) -> None:
    store = MemoryControl()
    book = ProjectBook(store)
    if unfit(text) is None:
        assert book.admit(text, key=key(), kind="agents", now=NOW).id == text
    else:
        with pytest.raises(ControlError, match=r"the project's id .*; send a plain"):
            book.admit(text, key=key(), kind="agents", now=NOW)
        assert store.projects() == []


@pytest.mark.parametrize(
    ("reported_by", "kind"),
    [
        ("claude_code", "devtools"),
        ("claude-code", "devtools"),
        ("Claude_Code", "devtools"),
        ("llm_router", "agents"),
        ("", "agents"),
        (None, "agents"),
    ],
)
def test_who_reports_first_says_what_a_project_is(
    reported_by: str | None, kind: str
) -> None:
    assert kind_of(reported_by) == kind


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": ""}, "id is empty"),
        ({"id": "\u202e"}, "id holds an invisible"),
        ({"workspace": " x"}, "workspace begins or ends with a blank; choose"),
        ({"title": "a\nb"}, "title holds an invisible"),
        (
            {"kind": "toys"},
            "'toys' is no kind of project; choose from agents, devtools",
        ),
    ],
)
def test_a_project_that_makes_no_sense_is_refused(
    control: Counting, changes: dict[str, str], message: str
) -> None:
    wrong = msgspec.structs.replace(DESK, **changes)

    with pytest.raises(ControlError, match=message):
        add_project(control, wrong)
    with pytest.raises(ControlError, match=message):
        change_project(control, wrong, now=NOW)
    assert control.projects() == [SHOP]


def test_a_project_is_added_once(control: Counting) -> None:
    with pytest.raises(ControlError, match="there is a project 'shop'; change it"):
        add_project(control, SHOP)


def test_what_is_not_there_is_not_shown_changed_or_removed(control: Counting) -> None:
    for ask in (
        lambda: find_project(control, "desk"),
        lambda: find_project(control, "\udcff"),
        lambda: change_project(control, DESK, now=NOW),
        lambda: remove_project(control, "desk", now=NOW),
    ):
        with pytest.raises(NothingMatchesError, match=r"no project '.*project list"):
            ask()


def test_a_project_that_keys_need_stays(control: Counting) -> None:
    only = ("shop",)
    grant = Grant(name="ci", scopes=frozenset({"read"}), projects=only)
    short = msgspec.structs.replace(grant, expires_at=NOW + 5)
    create_key(control, short, now=NOW)
    made, _ = create_key(control, grant, now=NOW)

    with pytest.raises(ControlError, match=rf"limited .*\({made.id}\); revoke them"):
        remove_project(control, "shop", now=NOW + 5)
    assert find_project(control, "shop") == SHOP


def test_only_admins_change_projects_and_limited_ones_only_their_own(
    control: Counting,
) -> None:
    add_project(control, DESK)
    limited = key("shop", scope=ADMIN)

    for maker in (key(), key("shop"), key(scope="read"), key(scope="relay")):
        with pytest.raises(NotAllowedError, match="need the scope admin"):
            add_project(control, DESK, maker=maker)
        with pytest.raises(NotAllowedError):
            change_project(control, SHOP, now=NOW, maker=maker)
        with pytest.raises(NotAllowedError):
            remove_project(control, "shop", now=NOW, maker=maker)
    with pytest.raises(NotAllowedError, match="can make none"):
        add_project(
            control, Project(id="x", kind="agents", created_at=1), maker=limited
        )
    with pytest.raises(NothingMatchesError):
        change_project(control, DESK, now=NOW, maker=limited)
    with pytest.raises(NothingMatchesError):
        remove_project(control, "desk", now=NOW, maker=limited)
    assert list_projects(control, maker=limited) == [SHOP]
    change_project(control, SHOP, now=NOW, maker=limited)
    remove_project(control, "shop", now=NOW, maker=limited)
    assert list_projects(control) == [DESK]
    assert control.audit(limit=1)[0].who == "key abcdefghij"


def test_a_folder_of_transcripts_is_a_development_tools_unless_registered_otherwise(
    control: Counting,
) -> None:
    store = MemoryStore(FlatPricer(), "v1")
    labels = {"-home-ada-atlas": "/home/ada/atlas", "-home-ada-shop": "/home/ada/shop"}
    store.append([Batch(source="claude-code", origin="a", labels=labels)], now=NOW)
    add_project(control, Project(id="-home-ada-shop", kind="agents", created_at=NOW))

    assert kinds_of(store, control) == {
        "shop": "agents",
        "-home-ada-atlas": "devtools",
        "-home-ada-shop": "agents",
    }

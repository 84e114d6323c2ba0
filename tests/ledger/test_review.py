"""Which requests are to be checked, and how well all of it is known."""

from __future__ import annotations

import msgspec
import pytest

from flagged import (
    ALL,
    INPUT,
    NAMING,
    OUTPUT,
    PRICE,
    T,
    flags,
    ledger,
    measured,
    partial,
    request,
    tell,
)
from strategies import FlatPricer
from tollbook.core.adjustment import SOURCE, Author, Correction, adjust
from tollbook.core.errors import NothingMatchesError
from tollbook.core.observation import Evidence, Observation, Part
from tollbook.core.review import Group
from tollbook.ledger.filters import Wanted
from tollbook.ledger.naming import EVER
from tollbook.ledger.report import Books
from tollbook.ledger.review import Asked, Review, review
from tollbook.ports import LedgerStore

ADA = Author(run="adj_1", who="ada", at=T, why="console", basis="console")


def asked_of(store: LedgerStore, **asked: object) -> Review:
    """A review of everything, unless asked otherwise."""
    books = Books(store=store, naming=NAMING, pricer=FlatPricer())
    return review(books, Asked(**{"bucket": EVER, **asked}))  # type: ignore[arg-type]  # any field


def fill(
    store: LedgerStore, name: str, usage: dict[str, int], evidence: int = 4
) -> None:
    """Adjust one flagged request."""
    event = flags(store)[name].event
    said = adjust(event, Correction(usage=usage, evidence=evidence), ADA, 1)
    assert said is not None
    tell(store, said, source=SOURCE)


@pytest.mark.parametrize(
    ("seen", "doubt"),
    [
        (measured(1), None),
        (request(1, failure="429", state="failed"), None),
        (request(1), "missing"),
        (partial(1), "partial"),
        (request(1, {INPUT: 5}, evidence=int(Evidence.ESTIMATED)), "partial"),
        (request(1, ALL, evidence=int(Evidence.ESTIMATED)), "estimated"),
        (request(1, ALL, evidence=int(Evidence.APPORTIONED)), "apportioned"),
        (request(1, {OUTPUT: 5}, state="partial"), "partial"),
        (request(1, {INPUT: 5}, state="complete"), None),
        (request(1, ALL, lesser={INPUT: 1}, state="partial"), "estimated"),
        (measured(1, state="missing"), None),
        (measured(1, parts=(Part("m", ALL), Part("n", ALL, "compaction"))), None),
    ],
)
def test_a_request_is_flagged_for_what_is_not_the_providers_own(
    seen: Observation, doubt: str | None
) -> None:
    found = flags(ledger(seen))

    assert [each.doubt for each in found.values()] == ([doubt] if doubt else [])


def test_one_table_says_how_far_the_totals_can_be_trusted() -> None:
    store = ledger(
        measured(1), measured(2), partial(3), request(4), request(5, failure="529")
    )

    found = asked_of(store)

    assert found.whole == msgspec.structs.replace(found.groups[0], name=None)
    assert found.groups == [
        Group(
            name="acme",
            requests=5,
            measured=2,
            partial=1,
            missing=1,
            failed=1,
            measured_tokens=1_400,
            partial_tokens=2,
            list_cost=1_402 * PRICE,
            added_cost=(98 + 500) * PRICE,
        )
    ]
    assert found.whole.to_check == 2


def test_what_is_filled_is_no_longer_to_be_checked() -> None:
    store = ledger(measured(1), request(2), partial(3))
    fill(store, "req_000000000002", ALL)
    fill(store, "req_000000000003", {OUTPUT: 60})

    found = asked_of(store)

    assert (found.whole.measured, found.whole.adjusted) == (1, 2)
    assert found.whole.to_check == 0
    assert found.whole.list_cost == (500 + 500 + 460) * PRICE


def test_what_somebody_filled_by_half_is_to_be_checked_still() -> None:
    store = ledger(request(1), request(2))
    fill(store, "req_000000000001", {INPUT: 9})
    fill(store, "req_000000000002", ALL, int(Evidence.ESTIMATED))

    found = asked_of(store)

    assert [each.id for each in found.flagged] == ["req_000000000001"]
    assert (found.whole.adjusted, found.whole.partial) == (1, 1)


def test_what_a_transcript_counted_is_filled_by_itself_and_shown() -> None:
    store = ledger(request(1), partial(2), measured(3))
    tell(store, measured(1, tags=()), source="claude-code")

    found = asked_of(store)

    assert found.healed == 1
    assert found.whole.to_check == 1


def test_the_dearest_stand_first_and_what_nobody_can_tell_last() -> None:
    mystery = request(5, parts=(Part("mystery", {}),))
    store = ledger(measured(1), partial(2, 90), request(3), partial(4), mystery)

    by_cost = [each.id[-1] for each in asked_of(store).flagged]
    by_time = [each.id[-1] for each in asked_of(store, sort="time").flagged]

    assert by_cost == ["3", "4", "2", "5"]
    assert by_time == ["5", "4", "3", "2"]
    assert asked_of(store).whole.untold == 1


def test_it_can_be_narrowed_and_grouped() -> None:
    ben = request(2, user="ben", tags=(("state", "missing"), ("upstream", "other")))
    store = ledger(request(1), ben, measured(3), partial(4, project=None))

    assert [group.name for group in asked_of(store).groups] == ["acme", "other"]
    by_user = asked_of(store, by="user").groups
    assert [(group.name, group.to_check) for group in by_user] == [
        ("ada", 2),
        ("ben", 1),
    ]
    by_model = asked_of(store, by="model").groups
    assert [(group.name, group.requests) for group in by_model] == [("claude-large", 4)]
    by_project = asked_of(store, by="project").groups
    assert [group.name for group in by_project] == ["shop", None]

    def ids(**wanted: object) -> list[str]:
        found = asked_of(store, wanted=Wanted(**wanted))  # type: ignore[arg-type]  # any field
        assert found.whole.to_check == len(found.flagged)
        return sorted(each.id[-1] for each in found.flagged)

    assert ids(where={"tag:upstream": "other"}) == ["2"]
    assert ids(where={"user": "ada"}) == ["1", "4"]
    assert ids(where={"tag:state": "partial"}) == ["4"]
    assert ids(where={"tag:state": "missing"}) == ["1", "2"]
    assert ids(projects=("shop",)) == ["1", "2"]
    assert ids(source="relay") == ["1", "2", "4"]
    with pytest.raises(NothingMatchesError):
        ids(where={"user": "carl"})


def test_only_the_period_counts() -> None:
    store = ledger(*(request(n) for n in range(6)))
    found = asked_of(store, bucket=(T + 60_000, T + 3 * 60_000))

    assert sorted(each.id[-1] for each in found.flagged) == ["1", "2"]
    assert found.whole.requests == 2


def test_many_requests_come_page_by_page() -> None:
    store = ledger(*(request(n) for n in range(1_001)))

    assert len(flags(store)) == 1_001

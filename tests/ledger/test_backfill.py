"""What an adjustment changes, who made it, and that it can be taken back."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from flagged import (
    ALL,
    INPUT,
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
from tollbook.core.adjustment import SOURCE, Author, Change, Correction
from tollbook.core.errors import NothingMatchesError
from tollbook.core.observation import Evidence, Observation, Part
from tollbook.formats.console_csv import ConsoleRow
from tollbook.ledger.backfill import Desk, adjustments, apply, undoing
from tollbook.ledger.matching import Match
from tollbook.ports import EventQuery, LedgerStore, UsageQuery
from tollbook.stores.sqlite.store import SqliteStore

ADA = Author(run="adj_aa", who="ada", at=T, why="invoice 17", basis="person")
BEN = Author(run="adj_bb", who="ben", at=T + 9, why="wrong account", basis="person")
EVER = (0, 2**60)


def changes(
    store: LedgerStore, usage: dict[str, int], evidence: int = 4
) -> list[Change]:
    """The same correction of everything that is flagged."""
    desk = Desk(ADA, FlatPricer())
    correction = Correction(usage=usage, evidence=evidence)
    found = [desk.change(e.id, e.event, correction) for e in flags(store).values()]
    return [each for each in found if each is not None]


def cost(store: LedgerStore) -> int:
    """What everything costs."""
    query = UsageQuery(buckets=[EVER], by=frozenset({"user"}))
    return sum(total.tally.list_cost for total in store.totals(query))


def undo(store: LedgerStore, name: str) -> list[Change]:
    """Take something back."""
    found = undoing(store, name, BEN, FlatPricer())
    apply(store, found, origin="typed in", now=T + 9)
    return found


def test_what_is_shown_before_is_what_is_so_after() -> None:
    store = ledger(request(1), partial(2), measured(3))
    before = cost(store)
    found = changes(store, ALL)

    assert [(c.name, c.cost_before, c.cost_after) for c in found] == [
        ("adj_aa.1", 402 * PRICE, 500 * PRICE),
        ("adj_aa.2", 0, 500 * PRICE),
    ]
    apply(store, found, origin="typed in", now=T)
    assert cost(store) == before + sum(c.cost_after - c.cost_before for c in found)
    assert flags(store) == {}


def test_a_console_s_line_becomes_an_adjustment_with_its_place() -> None:
    store = ledger(request(1))
    (flagged,) = flags(store).values()
    row = ConsoleRow(line=7, usage={OUTPUT: 5, INPUT: 6}, cost=10**10, model="other")
    match = Match(row=row, flagged=flagged, by="request id")
    (change,) = Desk(ADA, FlatPricer()).changes([match])

    assert change.by == "request id"
    assert (change.said.line, change.said.stated_cost) == (7, 10**10)
    assert change.said.evidence == Evidence.REPORTED
    assert change.before == {}
    assert change.after == {OUTPUT: (5, 4), INPUT: (6, 4)}
    assert change.said.parts[0].model == "claude-large"


def test_a_line_without_news_changes_nothing() -> None:
    store = ledger(partial(1))
    (flagged,) = flags(store).values()
    row = ConsoleRow(line=7, usage={INPUT: 99})
    match = Match(row=row, flagged=flagged, by="time")

    assert list(Desk(ADA, FlatPricer()).changes([match])) == []


def test_worse_evidence_does_not_replace_a_lower_bound() -> None:
    store = ledger(partial(1))

    assert changes(store, {OUTPUT: 600}, int(Evidence.ESTIMATED)) == []
    assert changes(store, {OUTPUT: 600}, int(Evidence.APPORTIONED)) == []
    assert len(changes(store, {OUTPUT: 600})) == 1


def test_the_providers_own_count_that_comes_later_goes_before_an_estimate() -> None:
    store = ledger(request(1))
    apply(store, changes(store, ALL, 1), origin="typed in", now=T)
    final = ALL | {OUTPUT: 77}
    tell(store, measured(1, parts=(Part("claude-large", final),)), source="otlp")

    assert cost(store) == 477 * PRICE


def test_the_list_says_who_when_why_and_what_was_taken_back() -> None:
    store = ledger(request(1), request(2))
    apply(store, changes(store, ALL), origin="typed in", now=T)
    undo(store, "adj_aa.1")

    first, second = adjustments(store)

    assert (first.name, first.id, first.origin) == (
        "adj_aa.1", "req_000000000002", "typed in",
    )  # fmt: skip
    assert (first.about.who, first.about.why) == ("ada", "invoice 17")
    assert first.withdrawn is not None
    assert (first.withdrawn.who, first.withdrawn.why) == ("ben", "wrong account")
    assert second.withdrawn is None
    assert list(flags(store)) == ["req_000000000002"]


@pytest.mark.parametrize("name", ["adj_aa", "adj_aa.1"])
def test_taking_back_shows_what_it_changes_and_restores_it(
    name: str, tmp_path: Path
) -> None:
    store = SqliteStore(tmp_path / "ledger.db", FlatPricer(), "v1")
    tell(store, partial(1), measured(2))
    before = cost(store)
    apply(store, changes(store, ALL), origin="typed in", now=T)
    (found,) = undo(store, name)

    assert (found.cost_before, found.cost_after) == (500 * PRICE, 402 * PRICE)
    assert found.before[OUTPUT] == (100, 4)
    assert found.after[OUTPUT] == (2, 3)
    assert cost(store) == before
    assert store.verify() == []
    assert store.rebuild() == 2
    assert cost(store) == before
    store.close()


def test_what_has_no_id_is_adjusted_and_taken_back_by_its_time() -> None:
    nameless = request(1, request_id=None, session="s1")
    store = ledger(nameless, request(2, request_id=None, session="s1"))
    apply(store, changes(store, ALL), origin="typed in", now=T)
    assert cost(store) == 1_000 * PRICE

    (earlier,) = undo(store, "adj_aa.2")
    assert earlier.cost_before == 500 * PRICE
    assert cost(store) == 500 * PRICE
    assert [each.event.at for each in flags(store).values()] == [nameless.at]

    (later,) = undo(store, "adj_aa.1")
    assert later.cost_before == 500 * PRICE
    assert cost(store) == 0


def test_a_correction_of_what_this_ledger_does_not_know_is_taken_back_too() -> None:
    elsewhere = ledger(request(1))
    made = [change.said for change in changes(elsewhere, ALL)]
    stranger = msgspec.structs.replace(made[0], request_id=None, session=None)
    store = ledger(made[0], source=SOURCE)
    tell(store, _numbered(stranger, 2), source=SOURCE)
    tell(store, msgspec.structs.replace(request(1), adjustment=None), source=SOURCE)

    assert len(undo(store, "adj_aa")) == 2
    query = EventQuery(start=0, end=EVER[1], limit=9)
    assert {each.event.evidence for each in store.page(query)} == {Evidence.MISSING}


def _numbered(said: Observation, number: int) -> Observation:
    assert said.adjustment is not None
    made = msgspec.structs.replace(said.adjustment, number=number)
    return msgspec.structs.replace(said, adjustment=made)


def test_there_is_nothing_to_take_back_twice_or_by_a_wrong_name() -> None:
    store = ledger(request(1))
    apply(store, changes(store, ALL), origin="typed in", now=T)
    undo(store, "adj_aa")

    with pytest.raises(NothingMatchesError, match="taken back already"):
        undo(store, "adj_aa")
    with pytest.raises(NothingMatchesError, match="no adjustment is called"):
        undo(store, "adj_\x1b")

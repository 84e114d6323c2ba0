"""Which line of a console speaks of which request, and which is left alone."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from flagged import (
    ALL,
    INPUT,
    MODEL,
    NAMING,
    OUTPUT,
    T,
    flags,
    ledger,
    measured,
    partial,
    request,
)
from tollbook.core.observation import Observation
from tollbook.formats.console_csv import ConsoleRow
from tollbook.ledger.matching import Matched, Matcher
from tollbook.ports import LedgerStore

MESSAGE = "msg_01" + "A" * 22
COUNTS = {INPUT: 12, OUTPUT: 640}
MINUTE = 60_000


def row(line: int, **said: object) -> ConsoleRow:
    """One line of a console."""
    return ConsoleRow(line=line, **{"usage": COUNTS, **said})  # type: ignore[arg-type]  # any field


def timed(line: int, number: int, **said: object) -> ConsoleRow:
    """One line that knows no id of ours."""
    at = T + number * MINUTE + 1_000
    return row(line, **{"at": at, "model": MODEL, "account": "main", **said})


def held(store: LedgerStore, *rows: ConsoleRow, window: int = 5_000) -> Matched:
    """What becomes of some lines; each becomes one thing."""
    flagged = list(flags(store).values())
    found = Matcher(store, NAMING, flagged, window=window).match(rows)
    lines = [each.row.line for each in found.matches]
    lines += [
        each.line
        for group in (found.known, found.ambiguous, found.unmatched)
        for each in group
    ]
    assert sorted(lines) == sorted(each.line for each in rows)
    return found


def filled(found: Matched) -> list[tuple[int, str, str]]:
    """Line, request and how it was found."""
    return [(m.row.line, m.flagged.id, m.by) for m in found.matches]


def why(found: Matched) -> list[str]:
    """Why lines were left alone."""
    return [each.why for each in (*found.ambiguous, *found.unmatched, *found.known)]


def test_ids_decide_the_messages_first() -> None:
    store = ledger(request(1, message_id=MESSAGE), request(2), measured(3))
    found = held(
        store,
        row(1, message_id=MESSAGE, request_id="req_000000000002"),
        row(2, request_id="req_000000000002"),
        row(3, request_id="req_000000000003", usage={OUTPUT: 100}),
        row(4, request_id="nobody"),
    )

    assert filled(found) == [
        (1, MESSAGE, "message id"),
        (2, "req_000000000002", "request id"),
    ]
    assert why(found) == [
        "it has no id we know, and no time and model to go by",
        "measured, and the same",
    ]


def test_our_own_id_is_known_with_and_without_its_project() -> None:
    store = ledger(request(1, request_id="shop:relay:aa:1"))

    for name in ("shop:relay:aa:1", "relay:aa:1"):
        assert filled(held(store, row(1, request_id=name)))[0][1] == "shop:relay:aa:1"


def test_an_id_that_two_projects_use_is_left_alone() -> None:
    store = ledger(request(1, request_id="a:x"), request(2, request_id="b:x"))
    found = held(store, row(1, request_id="x"))

    assert filled(found) == []
    assert found.ambiguous[0].among == ("a:x", "b:x")


def test_where_the_console_says_otherwise_than_the_provider_that_is_told() -> None:
    store = ledger(measured(1))
    found = held(store, row(1, request_id="req_000000000001"))

    assert why(found) == [
        "measured as uncached_input_tokens 100, here 12; output_tokens 100, here 640"
    ]


def test_account_model_and_time_decide_where_only_one_can_be_meant() -> None:
    store = ledger(request(1), request(2), measured(3))
    found = held(
        store,
        timed(1, 1),
        timed(2, 2, request_id="theirs", model=f"anthropic/{MODEL}"),
        timed(3, 9),
        timed(4, 2, account="other"),
        timed(5, 2, model="claude-small"),
    )

    assert filled(found) == [
        (1, "req_000000000001", "time"),
        (2, "req_000000000002", "time"),
    ]
    assert why(found) == ["no request of its account and model at its time"] * 3


def test_a_long_request_is_found_by_its_beginning_and_by_its_end() -> None:
    long = request(1, at=T + 20 * MINUTE)
    store = ledger(long)

    assert len(held(store, row(1, at=T + MINUTE, model=MODEL)).matches) == 1
    assert len(held(store, row(1, at=T + 20 * MINUTE, model=MODEL)).matches) == 1
    assert len(held(store, row(1, at=T + 22 * MINUTE, model=MODEL)).matches) == 0
    assert len(held(store, row(1, at=T, model=MODEL)).matches) == 0


def test_two_requests_at_one_time_are_never_guessed_at() -> None:
    twin = request(2, first_at=T + MINUTE, at=T + MINUTE + 2_000)
    found = held(ledger(request(1), twin), timed(1, 1))

    assert filled(found) == []
    assert why(found) == ["several requests at its time"]


def test_two_lines_for_one_request_are_never_guessed_at() -> None:
    found = held(ledger(request(1)), timed(1, 1), timed(2, 1))

    assert filled(found) == []
    assert why(found) == ["several lines could be of this request"] * 2


def test_what_is_measured_takes_its_own_line_first() -> None:
    twin = measured(2, first_at=T + MINUTE, at=T + MINUTE + 2_000)
    store = ledger(request(1), twin)
    found = held(store, timed(1, 1), timed(2, 1, usage=ALL))

    assert filled(found) == [(1, "req_000000000001", "time")]
    assert why(found) == ["measured, and the same"]


def test_a_measured_request_that_could_be_meant_stands_in_the_way() -> None:
    twin = measured(2, first_at=T + MINUTE, at=T + MINUTE + 2_000)
    found = held(ledger(request(1), twin), timed(1, 1))

    assert why(found) == ["several requests at its time"]


def test_a_measured_request_alone_at_its_time_is_what_the_line_means() -> None:
    found = held(ledger(measured(1)), timed(1, 1))

    assert why(found)[0].startswith("measured as")


def test_what_an_id_has_taken_is_no_candidate_any_more() -> None:
    twin = request(2, first_at=T + MINUTE, at=T + MINUTE + 2_000)
    found = held(
        ledger(request(1), twin),
        row(1, request_id="req_000000000002"),
        timed(2, 1, usage={OUTPUT: 3}),
    )

    assert [line for line, _, _ in filled(found)] == [1, 2]


def test_a_failed_request_is_no_candidate() -> None:
    found = held(ledger(request(1, failure="529")), timed(1, 1))

    assert why(found) == ["no request of its account and model at its time"]


def test_the_same_line_twice_counts_once_and_two_counts_of_one_request_not_at_all() -> (
    None
):
    name = {"request_id": "req_000000000001"}
    store = ledger(request(1))

    same = held(store, row(1, **name), row(2, **name))
    assert filled(same) == [(1, "req_000000000001", "request id")]
    assert why(same) == ["a line before says the same"]

    other = held(store, row(1, **name), row(2, **name, usage={OUTPUT: 1}))
    assert filled(other) == []
    assert why(other) == ["other lines say other counts of the same request"] * 2


def test_a_line_that_says_less_than_was_seen_is_left_alone() -> None:
    found = held(
        ledger(partial(1, 700), partial(2, 700)),
        row(1, request_id="req_000000000001"),
        row(2, request_id="req_000000000002", usage={INPUT: 3}),
    )

    assert [line for line, _, _ in filled(found)] == [2]
    assert why(found) == ["output_tokens 640, and at least 700 were seen"]


def test_a_request_whose_model_nobody_knows_may_be_any() -> None:
    nameless = request(1)
    nameless = msgspec.structs.replace(
        nameless, parts=(msgspec.structs.replace(nameless.parts[0], model=""),)
    )

    assert len(held(ledger(nameless), timed(1, 1)).matches) == 1


SEEN = st.lists(
    st.builds(
        lambda make, number, late: make(
            number, first_at=T + late * 1_000, at=T + late * 1_000 + 500
        ),
        st.sampled_from([request, measured, partial]),
        st.integers(1, 9),
        st.integers(0, 20),
    ),
    max_size=6,
    unique_by=lambda seen: seen.request_id,
)
ROWS = st.lists(
    st.builds(
        lambda name, late, usage: {
            "request_id": name and f"req_{name:012}",
            "at": T + late * 1_000,
            "model": MODEL,
            "usage": usage,
        },
        st.sampled_from([None, 1, 2, 3]),
        st.integers(0, 20),
        st.sampled_from([ALL, COUNTS, {OUTPUT: 1}]),
    ),
    max_size=6,
)


@given(seen=SEEN, said=ROWS)
def test_no_request_is_filled_twice_and_the_order_of_lines_decides_nothing(
    seen: list[Observation], said: list[dict[str, object]]
) -> None:
    store = ledger(*seen)
    rows = [row(line, **each) for line, each in enumerate(said, 1)]

    def pairs(found: Matched) -> list[tuple[str, dict[str, int]]]:
        return sorted((m.flagged.id, dict(m.row.usage)) for m in found.matches)

    found = held(store, *rows)
    names = [match.flagged.id for match in found.matches]

    assert len(set(names)) == len(names)
    again = [msgspec.structs.replace(each, line=n) for n, each in enumerate(rows[::-1])]
    assert [n for n, _ in pairs(held(store, *again))] == [n for n, _ in pairs(found)]

"""What single responses probably counted, by what the ledger knows of others."""

from __future__ import annotations

from flagged import (
    ALL,
    INPUT,
    MODEL,
    NAMING,
    OUTPUT,
    PRICE,
    flags,
    ledger,
    measured,
    partial,
    request,
    tell,
)
from strategies import FlatPricer
from tollbook.core.observation import Evidence, Part
from tollbook.ledger.estimating import known_pairs, make_estimating

KNOWN = [
    measured(n, parts=(Part(MODEL, ALL | {OUTPUT: 10 * n}),), chars=(20 * n, 0, 0))
    for n in range(1, 41)
]
"""Two characters make a token."""


def test_what_was_written_is_estimated_from_its_length_by_the_ledgers_own_rates() -> (
    None
):
    store = ledger(*KNOWN, request(50, chars=(1_000, 0, 0)))

    (found,) = flags(store).values()
    output = found.likely.counts[OUTPUT]

    assert 440 <= output.count <= 500
    assert output.method == "fitted"
    assert output.version.startswith("1.40.")
    assert output.low is not None
    assert output.high is not None
    assert output.low <= output.count <= output.high


def test_what_was_read_is_what_others_read_and_says_so() -> None:
    store = ledger(*KNOWN, request(50, chars=(1_000, 0, 0)))

    (found,) = flags(store).values()
    read = found.likely.counts[INPUT]

    assert (read.count, read.method) == (100, "mean")
    assert (read.low, read.high) == (None, None)
    tokens = sum(each.count for each in found.likely.counts.values())
    assert found.likely.list_cost == tokens * PRICE
    assert found.added_cost == tokens * PRICE


def test_without_a_length_the_mean_of_the_model_stands() -> None:
    store = ledger(measured(1), measured(2), request(3), partial(4))

    found = flags(store)

    assert found["req_000000000003"].likely.counts[OUTPUT].count == 100
    assert found["req_000000000004"].likely.counts.keys() == {OUTPUT}
    assert found["req_000000000004"].added_cost == 98 * PRICE


def test_an_estimate_is_never_below_the_bound() -> None:
    store = ledger(measured(1), partial(2, 5_000), partial(3, 5_000, chars=(9, 0, 0)))

    for found in flags(store).values():
        assert found.likely.counts[OUTPUT].count == 5_000
        assert found.added_cost == 0


def test_what_was_counted_beforehand_is_taken_as_it_is() -> None:
    counted = request(
        2, {INPUT: 777}, evidence=int(Evidence.ESTIMATED), chars=(300, 0, 0)
    )
    (found,) = flags(ledger(counted)).values()

    assert found.likely.counts[INPUT].count == 777
    assert found.likely.counts[INPUT].method == "count_tokens"
    assert found.likely.counts[OUTPUT].method == "published"
    assert found.list_cost == 777 * PRICE


def test_of_a_model_nobody_knows_nothing_is_made_up() -> None:
    (found,) = flags(ledger(request(1))).values()

    assert found.likely.counts == {}
    assert found.likely.list_cost is None
    assert found.added_cost is None


def test_what_has_no_price_has_no_likely_cost() -> None:
    parts = (Part("mystery", {}),)
    store = ledger(request(1, parts=parts, chars=(400, 0, 0)))

    (found,) = flags(store).values()

    assert found.likely.counts[OUTPUT].count > 0
    assert found.added_cost is None


def test_only_what_the_provider_counted_of_a_whole_text_teaches() -> None:
    cut = measured(5, state="aborted", chars=(100, 0, 0))
    many = (Part(MODEL, ALL), Part(MODEL, ALL, "compaction"))
    store = ledger(
        KNOWN[0],
        cut,
        partial(6, chars=(100, 0, 0)),
        measured(7, parts=many, chars=(100, 0, 0)),
        measured(8),
        measured(9, parts=(Part(f"anthropic/{MODEL}", ALL),), chars=(7, 8, 9)),
    )

    pairs = known_pairs(store, NAMING)

    assert [pair.chars for pair in pairs[MODEL]] == [(20, 0, 0), (7, 8, 9)]


def test_a_stream_that_another_source_counted_teaches_too() -> None:
    store = ledger(request(1, chars=(50, 0, 0)), source="relay")
    whole = measured(1, tags=())
    tell(store, whole, source="claude-code")

    assert [pair.tokens for pair in known_pairs(store, NAMING)[MODEL]] == [100]


def test_lengths_that_are_none_are_not_believed() -> None:
    tags = {"state": "missing", "chars_text": "-5", "chars_tool": "9" * 30}
    store = ledger(request(1, tags=tuple(sorted(tags.items()))))

    (found,) = flags(store).values()

    assert found.likely.counts == {}


def test_the_same_ledger_gives_the_same_fit() -> None:
    fits = [make_estimating(ledger(*KNOWN), NAMING, FlatPricer()).fits for _ in "ab"]

    assert fits[0] == fits[1]
    assert list(fits[0]) == [MODEL]

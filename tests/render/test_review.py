"""How flagged requests, groups and fits are shown."""

from __future__ import annotations

from typing import Any

import msgspec

from flagged import ALL, OUTPUT, flags, ledger, measured, partial, request
from tollbook.core.estimator import Errors, Estimate, Fit
from tollbook.core.observation import Part
from tollbook.core.review import Group
from tollbook.render.ink import Ink
from tollbook.render.review import (
    FLAT,
    answers,
    fit_fields,
    fits_table,
    flat_fields,
    group_table,
    row_fields,
    rows_table,
)

WIDE = Ink(colour=False, plain=True, width=200)
NARROW = Ink(colour=False, plain=True, width=60)
HOSTILE = "\x1b]0;gone\x07\u202e"
FIT = Fit(
    rates=(250_000, 0, 400_000),
    method="fitted",
    version="1.40.x",
    pairs=40,
    errors=Errors(mean=29, p95=83, bias=-8),
)


def test_a_count_is_shown_with_its_bounds_and_a_lower_bound_as_one() -> None:
    known = [
        measured(
            n, parts=(Part("claude-large", ALL | {OUTPUT: n}),), chars=(4 * n, 0, 0)
        )
        for n in range(1, 30)
    ]
    store = ledger(*known, partial(40), request(41, chars=(400, 0, 0)))
    shown = rows_table(list(flags(store).values()), WIDE)

    assert "~2" in shown
    assert " and " in shown
    assert "(fitted)" in shown
    assert "? (mean)" in shown


def test_what_nobody_can_tell_is_not_shown_as_free() -> None:
    shown = rows_table(list(flags(ledger(request(1))).values()), WIDE)

    assert "unknown" in shown
    assert "$0" not in shown


def test_a_narrow_screen_keeps_what_matters_and_foreign_text_is_harmless() -> None:
    parts = (Part(HOSTILE, {}),)
    hostile = request(1, parts=parts, request_id=HOSTILE, user=HOSTILE)
    rows = list(flags(ledger(hostile)).values())

    for ink in (WIDE, NARROW):
        shown = rows_table(rows, ink)
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        assert "gone" in shown
    assert "Upstream" not in rows_table(rows, NARROW)


def test_programs_get_every_count_with_its_evidence() -> None:
    (row,) = flags(ledger(measured(2), partial(1))).values()
    fields: dict[str, Any] = row_fields(row)

    assert fields["known"][OUTPUT] == {"count": 2, "evidence": "partial"}
    assert fields["estimates"][OUTPUT]["count"] == 100
    assert fields["added_cost_usd"] is not None
    flat = flat_fields(row)
    assert tuple(flat) == FLAT
    assert "output_tokens=2 partial" in str(flat["known"])
    assert flat["methods"] == "mean"


def test_a_group_that_is_sound_has_nothing_more_to_come() -> None:
    sound = Group(name="acme", requests=2, measured=2)
    doubtful = Group(name=None, requests=1, missing=1, untold=1)
    whole = Group(name=None, requests=3, measured=2, missing=1, untold=1)
    shown = group_table([sound, doubtful], whole, "tag:upstream", WIDE).splitlines()

    assert shown[0].split()[0] == "Upstream"
    assert shown[2].split()[-2:] == ["-", "0"]
    assert "+$0.00 + ?" in shown[3]
    assert "yes" in answers(sound, 0)
    assert "no, 1 of 3 told too little" in answers(whole, 2)
    assert "2 requests, by themselves" in answers(whole, 2)


def test_a_fit_is_shown_as_characters_a_token_and_its_errors() -> None:
    start = msgspec.structs.replace(FIT, method="published", errors=None, pairs=3)
    shown = fits_table({"claude-large": FIT, "other": start}).splitlines()

    assert shown[1].split() == [
        "claude-large", "fitted", "40", "4.00", "-", "2.50", "2.9%", "8.3%", "-0.8%",
        "1.40.x",
    ]  # fmt: skip
    assert shown[2].split().count("unknown") == 3
    assert fit_fields("claude-large", FIT)["p95_error_permille"] == 83
    assert fit_fields("other", start)["p95_error_permille"] is None


def test_an_estimate_is_published_with_method_and_version() -> None:
    (row,) = flags(ledger(request(1, chars=(0, 500, 0)))).values()
    fields: dict[str, Any] = row_fields(row)
    output = row.likely.counts[OUTPUT]

    assert isinstance(output, Estimate)
    assert fields["estimates"][OUTPUT] == {
        "count": output.count,
        "low": None,
        "high": None,
        "method": "published",
        "version": "1.0",
    }

"""Reports as text, JSON and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting import (
    ATLAS,
    HOSTILE,
    NOW,
    ask,
    books_of,
    question,
    sample_store,
    seen,
    store_of,
)
from tollbook.core.money import parse_usd, usd_exact
from tollbook.core.observation import Part
from tollbook.core.report import DIMENSIONS, Display, PlanShare
from tollbook.ledger.blocks import load_blocks
from tollbook.ledger.overview import load_overview
from tollbook.ports import LedgerStore
from tollbook.render.blocks import blocks_csv, blocks_document, blocks_text
from tollbook.render.fields import line_amounts
from tollbook.render.ink import Ink, cells
from tollbook.render.overview import overview_document, overview_text
from tollbook.render.report_csv import cell, report_csv
from tollbook.render.report_json import document, write_json
from tollbook.render.report_text import report_text

GOLDEN = Path(__file__).parents[1] / "golden" / "reports"
STORE = sample_store()
VIEWS = ("day", "week", "month", "session", "project", "model", "tool", "hour")
Golden = Callable[[Path, str], None]


@pytest.mark.parametrize("dimension", VIEWS)
def test_a_report_looks_like_this(dimension: str, golden: Golden) -> None:
    report = ask(STORE, dimension)

    golden(GOLDEN / f"{dimension}.txt", report_text(report, Ink()))
    golden(GOLDEN / f"{dimension}.json", write_json(document(report)) + "\n")
    golden(GOLDEN / f"{dimension}.csv", report_csv(report))


def test_a_breakdown_looks_like_this(golden: Golden) -> None:
    report = ask(STORE, "project", breakdown="model")

    golden(GOLDEN / "breakdown.txt", report_text(report, Ink()))
    golden(GOLDEN / "breakdown.json", write_json(document(report)) + "\n")
    golden(GOLDEN / "breakdown.csv", report_csv(report))


def test_the_windows_look_like_this(golden: Golden) -> None:
    report, found = load_blocks(books_of(STORE), question("block"), now=NOW)

    golden(GOLDEN / "blocks.txt", blocks_text(report, found, Ink()))
    golden(GOLDEN / "blocks.json", write_json(blocks_document(report, found)) + "\n")
    golden(GOLDEN / "blocks.csv", blocks_csv(report, found))
    assert blocks_text(report, [], Ink()) == "No window of use in this period.\n"


@pytest.mark.parametrize("width", [60, 100])
def test_the_overview_looks_like_this(width: int, golden: Golden) -> None:
    found = load_overview(books_of(STORE), question("period"))
    tops = (found.projects, found.models)
    text = overview_text(found.report, found.trend, tops, Ink(width=width))

    golden(GOLDEN / f"overview-{width}.txt", text)
    if width == 100:
        shown = overview_document(found.report, found.trend, tops)
        golden(GOLDEN / "overview.json", write_json(shown) + "\n")


def test_terms_a_currency_and_a_plan_are_shown_beside_the_list(golden: Golden) -> None:
    plan = PlanShare(name="Max", cost=parse_usd("50"), list_cost=parse_usd("125"))
    report = msgspec.structs.replace(
        ask(STORE, "month"),
        net=True,
        plan=plan,
        display=Display(currency="CHF", rate="0.8", numerator=4, denominator=5),
    )

    golden(GOLDEN / "money.txt", report_text(report, Ink(width=120)))
    golden(GOLDEN / "money.json", write_json(document(report)) + "\n")


def test_requests_without_an_answer_are_said_to_have_failed() -> None:
    lost = seen(1, "2026-11-20T15:00", parts=(Part("claude-opus-5", {}),))
    lost = msgspec.structs.replace(lost, evidence=1, failure="429")
    report = ask(store_of([lost, seen(2, "2026-11-20T15:00")]), "day")

    assert "Failed: 1 request brought no answer." in report_text(report, Ink())
    assert line_amounts(report.total, net=False)["failed_requests"] == 1
    assert "Failed" not in report_text(ask(STORE, "day"), Ink())


def test_an_empty_report_says_so() -> None:
    empty = store_of([])
    found = load_overview(books_of(empty), question("period"))
    text = overview_text(found.report, found.trend, (), Ink())

    assert report_text(ask(empty, "day"), Ink()).startswith("Nothing was used until")
    assert "The ledger is empty" in text
    since = ask(STORE, "day", since=date(2026, 11, 18), before=date(2026, 11, 19))
    assert "from 2026-11-18 until 2026-11-18 (UTC)" in report_text(since, Ink())


@pytest.mark.parametrize("width", [40, 60, 80, 100, 140])
@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_a_report_fits_a_screen_of_60_columns_and_more(
    width: int, dimension: str
) -> None:
    text = report_text(ask(STORE, dimension), Ink(width=width))

    assert max(map(cells, text.splitlines())) <= max(width, 60)


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_plain_text_is_plain(dimension: str) -> None:
    report = ask(STORE, dimension, breakdown="model")

    assert report_text(report, Ink(plain=True)).isascii()
    assert "\x1b" not in report_text(report, Ink())
    assert "\x1b[" in report_text(report, Ink(colour=True))


def hostile_store(name: str) -> LedgerStore:
    return store_of(
        [
            seen(
                1,
                "2026-11-20T15:00",
                model=name,
                project=name,
                session=name,
                branch=name,
                agent=name,
                skill=name,
                tools=(name,),
                usage={name: 3},
            ),
            seen(2, "2026-11-20T15:00"),
        ],
        labels={ATLAS: name},
    )


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_hostile_names_cannot_move_the_cursor_or_hide(dimension: str) -> None:
    report = ask(hostile_store(HOSTILE), dimension, breakdown="model")
    texts = [report_text(report, Ink()), report_csv(report)]
    texts.append(write_json(document(report)))

    for text in texts:
        assert all(line.isprintable() for line in text.split("\n"))
    assert texts[2].isascii()
    assert msgspec.json.decode(texts[2])["rows"]


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20))
def test_no_name_breaks_a_report(name: str) -> None:
    store = hostile_store(name)
    for dimension in ("project", "tool"):
        report = ask(store, dimension)
        lines = report_text(report, Ink(width=60)).split("\n")

        assert all(line.isprintable() for line in lines)
        found = msgspec.json.decode(write_json(document(report)))
        names = [row.get("project") or row.get("tools") for row in found["rows"]]
        assert name in names or [name] in names


@given(st.text(st.characters(codec="utf-8"), max_size=20))
def test_no_text_is_a_formula(text: str) -> None:
    (row,) = csv.reader(io.StringIO(f'"{cell(text).replace(chr(34), chr(34) * 2)}"'))

    harmless = not row[0].startswith(("=", "+", "-", "@", "\t", "\r"))
    assert harmless or row[0].lstrip("-").replace(".", "").isdigit()


def test_json_is_exact_and_its_rows_add_up() -> None:
    found = msgspec.json.decode(write_json(document(ask(STORE, "day"))))
    costs = [Decimal(row["list_cost_usd"]) for row in found["rows"]]

    assert found["version"] == 1
    assert sum(costs) == Decimal(found["totals"]["list_cost_usd"])
    tokens = sum(row["output_tokens"] for row in found["rows"])
    assert tokens == found["totals"]["output_tokens"]


def test_csv_holds_what_json_holds() -> None:
    report = ask(STORE, "session")
    rows = list(csv.DictReader(io.StringIO(report_csv(report))))

    assert len(rows) == len(report.lines)
    for row, line in zip(rows, report.lines, strict=True):
        assert row["session"] == line.name
        assert row["list_cost_usd"] == usd_exact(line.used.list_cost)
        assert set(line_amounts(line, net=False)) <= set(row)


def test_an_empty_csv_still_names_its_columns() -> None:
    text = report_csv(ask(store_of([]), "hour", breakdown="session"))

    assert text.count("\n") == 1
    assert text.startswith("hour,session,projects,")


def test_what_is_not_known_is_said_below() -> None:
    store = store_of(
        [
            seen(1, "2026-11-20T15:00", evidence=0),
            seen(2, "2026-11-20T15:00", evidence=3),
            *(seen(9 + n, "2026-11-20T15:00", model=f"mystery-{n}") for n in range(7)),
        ]
    )

    text = report_text(ask(store, "day"), Ink(width=200))

    assert "Missing: 1 response whose usage no file holds" in text
    assert "was never written; the cost is a lower bound." in text
    assert "Unpriced (+?): 2 more models." in text


def test_an_overview_of_no_days_has_no_trend() -> None:
    future = question("period", since=date(2026, 12, 24))
    found = load_overview(books_of(STORE), future)
    text = overview_text(found.report, found.trend, (), Ink())

    assert found.trend == ()
    assert text.startswith(" " * 12 + "Responses")


def test_where_all_has_a_price_no_cost_is_marked() -> None:
    text = report_text(ask(STORE, "day", since=date(2026, 11, 22)), Ink())

    assert "+?" not in text

"""``tollbook review``, ``backfill`` and ``estimator``, as they are typed."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import msgspec
import pytest

from flagged import ALL, INPUT, OUTPUT, measured, partial, request, tell
from program import Done, Program
from tollbook.cli.backfill_steps import login
from tollbook.core.observation import Part
from tollbook.core.rate import Rater
from tollbook.prices import load_catalogue
from tollbook.stores.sqlite.store import SqliteStore

MODEL = "claude-opus-5-5"
HOSTILE = "=cmd|'/C calc'!A0\x1b[31m"


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """A ledger with requests of the relay, some of which told no usage."""
    found = Program(tmp_path)
    (tmp_path / "ledger").mkdir()
    rater = Rater(load_catalogue())
    store = SqliteStore(tmp_path / "ledger" / "ledger.db", rater, rater.version)
    known = [
        measured(n, parts=(Part(MODEL, ALL | {OUTPUT: 10 * n}),), chars=(30 * n, 0, 0))
        for n in range(1, 31)
    ]
    lost = (Part(MODEL, {}),)
    hostile = request(43, parts=(Part(HOSTILE, {}),), user=HOSTILE)
    broken = partial(42)
    broken = msgspec.structs.replace(
        broken, parts=(Part(MODEL, broken.parts[0].usage),)
    )
    missing = request(41, parts=lost, chars=(900, 0, 0))
    tell(store, *known, missing, broken, hostile, request(44, failure="529"))
    store.close()
    return found


def text(done: Done, code: int = 0) -> str:
    """What it wrote; it ended as expected."""
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stdout.decode()


def json(done: Done, code: int = 0) -> Any:  # noqa: ANN401 - as it is published
    """The same, as JSON."""
    return msgspec.json.decode(text(done, code))


def totals(program: Program) -> object:
    """What every report adds up to."""
    found = json(program("by", "source", "--json", "--no-scan"))
    return found["totals"], found["rows"]


def test_review_lists_what_is_to_be_checked_and_sums_up(program: Program) -> None:
    said = text(program("review"))

    assert "no, 3 of 33 told too little" in said
    assert "30 measured, 0 adjusted, 1 partial, 2 missing" in said
    assert "req_000000000041" in said
    assert "\x1b" not in said


def test_review_as_json_and_csv_tells_the_same(program: Program) -> None:
    found = json(program("review", "--json", "--by", "state"))
    table = list(csv.DictReader(io.StringIO(text(program("review", "--csv")))))

    assert [row["id"] for row in found["rows"]] == [row["id"] for row in table]
    assert [group["name"] for group in found["groups"]] == [
        "complete", "missing", "partial",
    ]  # fmt: skip
    assert found["totals"]["to_check"] == 3
    first = next(row for row in found["rows"] if row["id"].endswith("41"))
    assert first["estimates"][OUTPUT]["method"] == "fitted"
    hostile = next(row for row in table if row["id"].endswith("43"))
    assert hostile["user"].startswith("'=cmd")
    assert "\x1b" not in hostile["user"]


def test_review_can_be_narrowed(program: Program) -> None:
    found = json(program("review", "--json", "--state", "partial", "--sort", "time"))

    assert [row["id"] for row in found["rows"]] == ["req_000000000042"]
    assert text(program("review", "--upstream", "nobody"), 2) == ""
    empty = text(program("review", "--csv", "--until", "2020"))
    assert empty.startswith("id,at,doubt,")


def test_a_console_s_file_is_shown_stored_and_taken_back(program: Program) -> None:
    console = program.home / "console.csv"
    console.write_text(
        "Id,In,Out\nreq_000000000041,12,640\nreq_000000000042,100,900\n"
        "req_000000000001,100,10\nnobody,1,1\nreq_000000000041,x,1\n",
        "utf-8",
    )
    before = totals(program)
    names = "request_id=Id,uncached_input_tokens=In"
    words = ("backfill", "console.csv", "--map", names, "--map", "output_tokens=Out")

    shown = text(program(*words, "--dry-run"), 1)
    assert (
        "5 lines = 2 matched + 1 known + 0 ambiguous + 1 unmatched + 1 unusable"
        in shown
    )
    assert totals(program) == before

    stored = json(program(*words, "--by", "ada", "--json"), 1)
    assert [row["id"] for row in stored["rows"]] == [
        "req_000000000041", "req_000000000042",
    ]  # fmt: skip
    assert stored["rows"][1]["before"][OUTPUT] == {"count": 2, "evidence": "partial"}
    assert stored["problems"][0]["line"] == 6
    assert totals(program) != before
    assert json(program("review", "--json"))["totals"]["adjusted"] == 2

    (first, _) = json(program("backfill", "--list", "--json"))["rows"]
    assert (first["who"], first["why"]) == ("ada", "console export console.csv")
    assert (first["origin"], first["line"]) == (str(console), 2)
    run = stored["run"]
    shown = text(program("show", "req_000000000041"))
    assert f"adjusted by ada: console export console.csv ({run}.1)" in shown
    (response,) = json(program("show", "req_000000000041", "--json"))["responses"]
    assert response["observations"][1]["adjustment"]["who"] == "ada"
    assert "nothing was stored" in text(program("backfill", "--undo", run, "--dry-run"))
    assert f"taken back: {run}" in text(program("backfill", "--undo", run))
    assert totals(program) == before
    assert "taken back by " in text(program("show", "req_000000000041"))
    assert "by " in text(program("backfill", "--list"))
    text(program("verify"))
    text(program("backfill", "--undo", run), 2)


def test_what_is_left_alone_is_told_but_not_without_end(program: Program) -> None:
    same = "req_000000000041,5\nreq_000000000041,6\n"
    wrong = "".join(f"req_{n},x\n" for n in range(30))
    (program.home / "f.csv").write_text(f"request_id,output\n{same}{wrong}", "utf-8")
    done = program("backfill", "f.csv")

    assert "2 ambiguous" in text(done, 1)
    told = done.stderr.decode().splitlines()
    assert "f.csv:2: other lines say other counts" in told[0]
    assert "(req_000000000041)" in told[0]
    assert told[-1].endswith("and 10 more lines; --json tells all of them")


def test_a_long_list_is_shown_in_part(tmp_path: Path) -> None:
    program = Program(tmp_path)
    (tmp_path / "ledger").mkdir()
    rater = Rater(load_catalogue())
    store = SqliteStore(tmp_path / "ledger" / "ledger.db", rater, rater.version)
    tell(store, *(request(n) for n in range(25)))
    store.close()

    assert "and 5 more requests; --all shows them" in text(program("review"))
    assert "more requests" not in text(program("review", "--all"))


def test_who_has_no_name_is_called_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise OSError

    monkeypatch.setattr("getpass.getuser", nobody)

    assert login() == "unknown"


def test_a_console_may_be_a_pipe_and_go_by_the_time(program: Program) -> None:
    line = {
        "time": "2026-11-22 11:41:01",
        "model": MODEL,
        "account": "main",
        "output_tokens": 5,
    }
    words = ("backfill", "-", "--timezone", "Europe/Zurich", "--json")
    found = json(program(*words, stdin=msgspec.json.encode(line)))

    assert [row["matched_by"] for row in found["rows"]] == ["time"]
    assert found["rows"][0]["id"] == "req_000000000041"


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"a,b\n1,2\n", b"no column holds a count"), (b"output\n\xff\n", b"utf-8")],
)
def test_what_is_no_list_is_refused(
    program: Program, content: bytes, message: bytes
) -> None:
    (program.home / "f.csv").write_bytes(content)
    done = program("backfill", "f.csv")

    assert done.returncode == 4
    assert message in done.stderr
    assert program("backfill", "gone.csv").returncode == 4


def test_one_request_is_filled_by_hand(program: Program) -> None:
    words = ("backfill", "--response", "req_000000000041")
    done = text(program(*words, "--set", f"{OUTPUT}=7", "--why", "invoice 17"))

    assert "1 request filled" in done
    again = text(program(*words, "--set", f"{OUTPUT}=9"))
    assert "known as well, or better" in again
    measured_already = ("backfill", "--response", "req_000000000001")
    assert "nothing changes" in text(program(*measured_already, "--set", f"{OUTPUT}=9"))
    estimated = program(*words, "--set", f"{INPUT}=9", "--evidence", "estimated")
    assert "input ~9" in text(estimated)


@pytest.mark.parametrize(
    "words",
    [
        ("--response", "nobody", "--set", "output_tokens=1"),
        ("--response", "req_000000000041", "--set", "moons=1"),
        ("--response", "req_000000000041", "--set", "output_tokens=-1"),
        ("--response", "req_000000000041", "--set", "output_tokens=9999999999"),
        ("--response", "req_000000000041", "--set", f"output_tokens={'9' * 9000}"),
        ("--response", "req_000000000041"),
        ("--set", "output_tokens=1"),
        ("f.csv", "--list"),
        ("f.csv", "--map", "moons=Out"),
        ("f.csv", "--map", "output_tokens"),
        ("--undo", "adj_none"),
    ],
)
def test_what_means_nothing_is_refused(
    program: Program, words: tuple[str, ...]
) -> None:
    assert program("backfill", *words).returncode == 2


def test_it_asks_about_each_request_and_stores_what_is_agreed_to(
    program: Program,
) -> None:
    before = totals(program)
    answers = b"x\n12\n\n\n\n640\ns\nq\n"

    refused = program("backfill", stdin=answers + b"n\n")
    assert "nothing was stored" in text(refused)
    assert totals(program) == before
    shown = text(program("backfill", "--dry-run", stdin=answers))
    assert "input 12, output 640" in shown
    assert totals(program) == before
    assert "1 request filled" in text(program("backfill", stdin=answers + b"y\n"))
    assert totals(program) != before


def test_an_input_that_ends_fills_nothing(program: Program) -> None:
    assert "nothing changes" in text(program("backfill", stdin=b""))
    assert text(program("backfill", "--list")) == "nothing was ever filled\n"


def test_the_estimator_says_how_far_off_it_is(program: Program) -> None:
    (row,) = json(program("estimator", "report", "--json"))["rows"]

    assert (row["model"], row["method"], row["pairs"]) == (MODEL, "fitted", 30)
    assert row["p95_error_permille"] < 200
    assert MODEL in text(program("estimator", "report"))


def test_an_empty_ledger_has_nothing_to_estimate_by(tmp_path: Path) -> None:
    program = Program(tmp_path)

    assert "published" in text(program("estimator", "report"))
    assert "requests complete?       yes" in text(program("review"))
    assert "nothing changes" in text(program("backfill"))

"""The report commands, from the words of the command line to what is printed."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from os import terminal_size
from pathlib import Path

import msgspec
import pytest

import tollbook.cli.context
from reporting import HOSTILE, NOW
from tollbook.cli.answer import ink, say
from tollbook.cli.group import run

SESSION = "5e551011-0000-4000-8000-00000000000{}"
DAYS = (
    "2026-10-30T09:00:00.000Z",
    "2026-11-20T23:30:00.000Z",
    "2026-11-22T10:05:00.000Z",
)
REPORTS = (
    ["daily"],
    ["weekly"],
    ["monthly"],
    ["sessions"],
    ["projects"],
    ["models"],
    ["by", "hour"],
    ["by", "branch"],
    ["by", "tool"],
    ["blocks"],
)


def line(number: int, at: str, *, project: str, model: str) -> bytes:
    message = {
        "id": f"msg_01{number:022}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "stop_reason": "end_turn",
        "content": [{"type": "tool_use", "id": "t", "name": HOSTILE, "input": {}}],
        "usage": {
            "input_tokens": 10,
            "output_tokens": 1_000 * number,
            "cache_read_input_tokens": 5_000,
            "cache_creation_input_tokens": 100,
            "cache_creation": {
                "ephemeral_5m_input_tokens": 100,
                "ephemeral_1h_input_tokens": 0,
            },
        },
    }
    return msgspec.json.encode(
        {
            "type": "assistant",
            "uuid": f"u{number}",
            "timestamp": at,
            "sessionId": SESSION.format(number % 2),
            "requestId": f"req_{number}",
            "cwd": f"/home/dev/{project}",
            "gitBranch": HOSTILE,
            "version": "2.1.330",
            "message": message,
        }
    )


@pytest.fixture(autouse=True)
def _small_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six responses of two projects, and a clock that stands still."""
    for project, model in (("atlas", "claude-opus-5"), ("notes", "mystery-1")):
        folder = tmp_path / ".claude" / "projects" / f"-home-dev-{project}"
        folder.mkdir(parents=True)
        first = 1 if project == "atlas" else 4
        lines = [
            line(first + n, at, project=project, model=model)
            for n, at in enumerate(DAYS)
        ]
        (folder / f"{SESSION.format(first)}.jsonl").write_bytes(
            b"\n".join([*lines, b""])
        )
    monkeypatch.setenv("TOLLBOOK_HOME", str(tmp_path / "tollbook"))
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / ".claude"))
    monkeypatch.setattr(tollbook.cli.context, "clock", lambda: NOW)


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert run(words) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("words", REPORTS, ids=" ".join)
def test_a_report_says_the_same_in_every_form(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    text = said(capsys, *words)
    found = msgspec.json.decode(said(capsys, *words, "--json"))
    rows = list(csv.DictReader(io.StringIO(said(capsys, *words, "--csv"))))

    assert found["report"] == words[0]
    assert all(part.isprintable() for part in text.split("\n"))
    assert "Total" in text
    assert "mystery-1" in text
    costs = [row["list_cost_usd"] for row in found["rows"]]
    assert [row["list_cost_usd"] for row in rows] == costs
    assert sum(map(Decimal, costs)) == Decimal(found["totals"]["list_cost_usd"])
    assert found["totals"]["responses"] == 6
    assert found["totals"]["output_tokens"] == 21_000
    assert found["totals"]["unpriced"]["mystery-1"]["output_tokens"] == 15_000


def test_without_a_command_the_overview_is_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = said(capsys)
    found = msgspec.json.decode(said(capsys, "--json"))

    assert "Today" in text
    assert "/home/dev/atlas" in text
    assert [row["period"] for row in found["rows"]] == [
        "today",
        "this week",
        "this month",
    ]
    assert len(found["trend"]) == 30
    assert said(capsys, "overview", "--csv").startswith("period,")


def test_time_runs_down_and_the_dearest_comes_first(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def names(*words: str) -> list[str]:
        found = msgspec.json.decode(said(capsys, *words, "--json"))
        return [row.get("day") or row.get("project") for row in found["rows"]]

    days = ["2026-10-30", "2026-11-20", "2026-11-22"]
    assert names("daily") == days
    assert names("daily", "--order", "desc") == days[::-1]
    assert names("daily", "--sort", "cost", "--order", "asc") == days
    assert names("projects") == ["/home/dev/atlas", "/home/dev/notes"]
    assert names("projects", "--sort", "tokens")[0] == "/home/dev/notes"
    assert (
        names("projects", "--sort", "name", "--order", "desc")[0] == "/home/dev/notes"
    )
    for sort in ("responses", "time"):
        assert len(names("projects", "--sort", sort)) == 2


def test_the_overview_stands_and_splits_as_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ("overview", "--since", "2026-10-30", "--breakdown", "--sort", "tokens")
    found = msgspec.json.decode(said(capsys, *words, "--json"))
    back = msgspec.json.decode(said(capsys, *words, "--order", "asc", "--json"))
    rows = list(csv.DictReader(io.StringIO(said(capsys, *words, "--csv"))))
    projects = [row["project"] for row in found["projects"]]

    assert projects == ["/home/dev/notes", "/home/dev/atlas"]
    assert [row["project"] for row in back["projects"]] == projects[::-1]
    for row in (*found["rows"], *found["models"], *found["projects"]):
        parts = [Decimal(part["list_cost_usd"]) for part in row["breakdown"]]
        assert sum(parts) == Decimal(row["list_cost_usd"])
    assert [row["model"] for row in rows] == ["claude-opus-5", "mystery-1"] * 3
    assert "\n  mystery-1" in said(capsys, *words)


def test_users_apps_kinds_and_tags_divide_and_choose(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["project", "add", "--kind", "agents", "--", "-home-dev-atlas"]) == 0
    capsys.readouterr()
    for dimension in ("user", "app", "provider", "kind", "tag:team", "source"):
        assert "mystery-1" in said(capsys, "by", dimension, "--breakdown")

    def responses(*words: str) -> int:
        found = msgspec.json.decode(said(capsys, "daily", "--json", *words))
        count = found["totals"]["responses"]
        assert isinstance(count, int)
        return count

    assert responses("--kind", "devtools") == responses("--kind", "agents") == 3
    assert responses("--user", "", "--app", "", "--tag", "team=") == 6
    assert responses("--source", "claude-code") == 6
    assert "(no team)" in said(capsys, "by", "tag:team")
    assert said(capsys, "by", "tag:=x", "--csv").startswith("tag:=x,")


@pytest.mark.parametrize(
    "words",
    [
        ["daily", "--tag", "team"],
        ["daily", "--tag", "team=blue", "--tag", "team=red"],
        ["by", "tag:"],
        ["by", "colour"],
        ["daily", "--breakdown", "colour"],
    ],
)
def test_what_is_no_tag_and_no_dimension_is_refused(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == 2
    assert capsys.readouterr().err


def test_a_breakdown_needs_no_word(capsys: pytest.CaptureFixture[str]) -> None:
    found = msgspec.json.decode(said(capsys, "daily", "--breakdown", "--json"))
    by_project = msgspec.json.decode(
        said(capsys, "models", "--breakdown", "day", "--json")
    )

    models = [part["model"] for part in found["rows"][0]["breakdown"]]
    assert models == ["claude-opus-5", "mystery-1"]
    assert len(by_project["rows"][0]["breakdown"]) == 3


def test_a_period_a_zone_and_a_name_choose(capsys: pytest.CaptureFixture[str]) -> None:
    def responses(*words: str) -> int:
        found = msgspec.json.decode(said(capsys, "daily", "--json", *words))
        count = found["totals"]["responses"]
        assert isinstance(count, int)
        return count

    assert responses("--since", "today") == 2
    assert responses("--until", "7d") == 2
    assert responses("--since", "2026-11-21", "--timezone", "Europe/Berlin") == 4
    assert responses("--project", "atlas") == 3
    assert responses("--project", "atlas", "--project", "notes") == 6
    assert responses("--model", "opus", "--since", "month") == 2
    assert responses("--session", SESSION.format(0)) == 3


def test_only_the_ledger_is_asked_without_a_scan(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "The ledger is empty" in said(capsys, "--no-scan")


def test_the_active_window_alone(capsys: pytest.CaptureFixture[str]) -> None:
    found = msgspec.json.decode(said(capsys, "blocks", "--active", "--json"))
    recent = msgspec.json.decode(
        said(capsys, "blocks", "--recent", "--order", "desc", "--json")
    )

    (row,) = found["rows"]
    assert row["start_at"] == "2026-11-22T10:00:00Z"
    assert row["projection"]["minutes_left"] == 170
    assert row["burn_rate"]["tokens_per_minute"] == row["tokens"] // 125
    assert [row["active"] for row in recent["rows"]] == [True, False]
    assert "min" in said(capsys, "blocks", "--active")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["daily", "--since", "soon"], "write 2026-11-03"),
        (["daily", "--since", "today", "--until", "yesterday"], "holds no day"),
        (["daily", "--project", "nowhere"], "there are /home/dev/atlas"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_a_remedy(
    words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        run(words)

    assert left.value.code == 2
    assert complaint in capsys.readouterr().err


def test_a_form_is_chosen_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["daily", "--json", "--csv"]) == 2
    assert "exclude each other" in capsys.readouterr().err


def test_names_terms_a_plan_and_a_currency_come_from_the_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "tollbook"
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text(
        """
        [display]
        currency = "CHF"
        rate = "0.8"
        [plan]
        name = "Max"
        price_usd_per_month = "100"
        [projects.aliases]
        atlas = "The Atlas"
        [projects.groups]
        clients = ["The Atlas"]
        [[prices.terms]]
        model = "opus"
        discount = "0.5"
        """,
        "utf-8",
    )

    found = msgspec.json.decode(said(capsys, "by", "group", "--json"))
    text = said(capsys, "projects")

    assert found["rows"][0]["group"] == "clients"
    totals = found["totals"]
    assert Decimal(totals["net_cost_usd"]) * 2 == Decimal(totals["list_cost_usd"])
    assert found["display"] == {"currency": "CHF", "rate": "0.8"}
    assert found["plan"]["name"] == "Max"
    assert "The Atlas" in text
    assert "CHF" in text
    assert "Plan: Max" in text


def test_a_screen_may_know_neither_colours_nor_unicode(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Screen(io.StringIO):
        encoding = "ascii"

        def isatty(self) -> bool:
            return True

    screen = Screen()
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.delenv("COLUMNS")
    plain = ink()
    monkeypatch.delenv("NO_COLOR")
    colour = ink()
    monkeypatch.setenv("TERM", "dumb")

    assert (plain.colour, plain.plain, plain.width) == (False, True, 100)
    assert colour.colour
    assert not ink().colour
    say("é\n")
    assert screen.getvalue() == "?\n"


def test_a_terminal_says_how_wide_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS")
    monkeypatch.setattr("os.get_terminal_size", lambda _: terminal_size((72, 20)))
    monkeypatch.setattr("sys.stdout.fileno", lambda: 1, raising=False)

    assert ink().width == 72

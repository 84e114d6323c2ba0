"""Every list as CSV, and which command takes which option."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import click
import pytest

from program import Program, answer
from tollbook.cli import table

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "commands.md"
SESSION = "4bc1a0de-0000-4000-8000-000000000001"
SHARED = (
    "--json", "--csv", "--since", "--timezone", "--project", "--user", "--breakdown",
    "--sort", "--order", "--no-scan",
)  # fmt: skip


def rows(program: Program, *words: str, code: int = 0) -> list[dict[str, str]]:
    """What a command says as CSV."""
    return list(csv.DictReader(io.StringIO(program.text(*words, "--csv", code=code))))


def test_lists_are_tables_too(program: Program) -> None:
    program.write("one", answer(1), answer(2), b'{"message":{"usage":')

    (scanned,) = rows(program, "scan")
    assert (scanned["lines"], scanned["responses"]) == ("3", "2")
    assert rows(program, "verify") == []
    assert {"name": "problems", "state": "care"}.items() <= next(
        row.items() for row in rows(program, "doctor", code=1) if row["state"] == "care"
    )
    settings = {row["setting"]: row["value"] for row in rows(program, "config")}
    assert settings["display.currency"] == '"USD"'
    assert rows(program, "problems")[0]["code"] == "line-not-json"


def test_a_session_and_a_response_are_tables_too(program: Program) -> None:
    program.write("one", answer(1), answer(2, model="claude-unknown-9"))

    one, other = rows(program, "show", SESSION)
    assert one["list_cost_usd"] == "0.0104"
    assert other["unpriced"].startswith("uncached_input_tokens=100; ")
    lines = rows(program, "show", f"msg_01{1:022d}")
    assert [line["list_cost_usd"] for line in lines] == ["0.0004", "0.01"]
    assert {line["unit"] for line in lines} == {
        "uncached_input_tokens",
        "output_tokens",
    }


def test_prices_are_tables_too(program: Program) -> None:
    program.settings('[[prices.terms]]\nmodel = "claude-typo"\ndiscount = "0.1"\n')

    listed = {row["model"]: row for row in rows(program, "prices", "list")}
    assert listed["claude-opus-5-5"]["output_tokens_usd_per_mtok"] == "20"
    shown = rows(program, "prices", "show", "claude-opus-5-5")
    assert shown[0]["uncached_input_tokens_usd_per_mtok"] == "4"
    checked = rows(program, "prices", "check", code=1)
    assert checked[0]["kind"] == "stray"
    assert "doubt" in {row["kind"] for row in checked}


@pytest.mark.parametrize("words", [("verify",), ("doctor",), ("config",), ("scan",)])
def test_two_forms_are_one_too_many(program: Program, words: tuple[str, ...]) -> None:
    done = program(*words, "--json", "--csv")

    assert done.returncode == 2
    assert b"exclude each other" in done.stderr


def test_a_table_is_not_followed_by_what_was_pushed(program: Program) -> None:
    assert program("scan", "--push", "--csv").returncode == 2


def taken(name: str) -> set[str]:
    """The options of a command and of those below it."""
    entry = table.COMMANDS[name]
    if entry.bare:
        return set()
    command = table.load(entry.module).command
    below = command.commands.values() if isinstance(command, click.Group) else ()
    return {o for each in (command, *below) for p in each.params for o in p.opts}


def test_the_page_says_which_command_takes_which_option() -> None:
    text = PAGE.read_text("utf-8")
    section = text[text.index("## Which command takes what") :]
    section = section[: section.index("\n## ", 1)]
    head, _, *lines = re.findall(r"^\|.*\|$", section, re.MULTILINE)
    options = [re.findall(r"--[a-z-]+", each) for each in head.split("|")[2:-1]]
    said: dict[str, set[str]] = {}
    for line in lines:
        names, *marks = [each.strip() for each in line.strip("|").split("|")]
        ticked = {
            o for each, mark in zip(options, marks, strict=True) if mark for o in each
        }
        said |= dict.fromkeys(re.findall(r"`([a-z]+)`", names), ticked)
    shared = {option for each in options for option in each}

    assert shared >= set(SHARED)
    assert said == {name: taken(name) & shared for name in table.COMMANDS}

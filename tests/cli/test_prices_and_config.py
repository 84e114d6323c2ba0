"""tollbook prices and tollbook config, from outside."""

from __future__ import annotations

import msgspec
import pytest

from program import Program


def test_the_list_shows_what_a_day_cost(program: Program) -> None:
    rows = program.json("prices", "list", "--at", "2026-11-20")["rows"]
    found = {
        row["model"]: row for row in msgspec.convert(rows, list[dict[str, object]])
    }

    assert found["claude-opus-5-5"]["usd_per_mtok"] == {
        "uncached_input_tokens": "4",
        "output_tokens": "20",
        "cache_write_5m_tokens": "5",
        "cache_write_1h_tokens": "8",
        "cache_read_input_tokens": "0.2",
    }
    assert "claude-opus-5-5" not in program.text("prices", "list", "--at", "2026-01-01")


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("us.anthropic.claude-opus-5-5", "claude-opus-5-5"),
        ("claude-haiku-4-5@20251001", "claude-haiku-4-5-20251001"),
        ("gpt-5", "openai/gpt-5"),
    ],
)
def test_a_model_is_found_in_any_spelling(
    program: Program, name: str, model: str
) -> None:
    page = program.json("prices", "show", name)

    assert page["model"] == model
    assert page["windows"]
    assert model in program.text("prices", "show", name, "--at", "2026-11-20")


@pytest.mark.parametrize("name", ["claude-opus-99", "no-such-model-anywhere"])
def test_an_unknown_model_gets_no_neighbours_price(program: Program, name: str) -> None:
    done = program("prices", "show", name)

    assert done.returncode == 2
    assert name.encode() in done.stderr


def test_the_list_is_sound_and_says_what_it_doubts(program: Program) -> None:
    assert "no contradiction" in program.text("prices", "check")
    assert program.json("prices", "check")["doubts"]


def test_terms_that_nothing_matches_are_named(program: Program) -> None:
    program.settings(
        "[[prices.terms]]\nmodel = 'claude-opos'\ndiscount = '0.1'\n"
        "[[prices.terms]]\nmodel = 'claude-opus-5-5@20260901'\ndiscount = '0.1'\n"
        "[[prices.terms]]\nmodel = 'gpt-5'\ndiscount = '0.1'\n"
        "[prices.aliases]\n'arn:x' = 'claude-opos'\n'arn:y' = 'claude-opus-5-5'\n"
    )

    said = program.text("prices", "check", code=1)

    assert "prices.terms 'claude-opos'" in said
    assert "prices.aliases 'arn:x'" in said
    assert "gpt-5'" not in said
    assert "arn:y" not in said


def test_config_says_where_each_value_comes_from(program: Program) -> None:
    program.settings('[display]\ntimezone = "UTC"\n[projects.aliases]\n"/a" = "a"\n')
    program.environ["TOLLBOOK_WEEK_START"] = "sunday"

    shown = program.json("config")["settings"]
    settings = msgspec.convert(shown, dict[str, dict[str, object]])

    path = program.text("config", "path").strip()
    assert settings["display.timezone"] == {"value": "UTC", "from": path}
    assert settings["projects.aliases"]["from"] == path
    assert settings["display.week_start"]["from"] == "TOLLBOOK_WEEK_START"
    assert settings["display.currency"]["from"] == "default"
    assert "sunday" in program.text("config")


def test_a_wrong_setting_stops_every_command(program: Program) -> None:
    program.settings("[display]\ncolour = 1\n")

    for words in (("config",), ("scan",), ("doctor",), ("prices", "check")):
        done = program(*words)
        assert done.returncode == 3
        assert b"display.colour: there is no such setting" in done.stderr
        assert done.stderr.count(b"\n") == 1


def test_init_writes_a_file_once(program: Program) -> None:
    path = program.text("config", "init").strip()
    program.text("config")

    done = program("config", "init")

    assert done.returncode == 3
    assert path.encode() in done.stderr
    assert program.json("config")["path"] == path

"""tollbook.config and tollbook.places: settings, and what a wrong one says."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

import platformdirs
import pytest

from tollbook.cli.config_cmd import EXAMPLE
from tollbook.config import (
    Config,
    Plan,
    load_config,
    parse_config,
    system_zone,
    transcript_folders,
)
from tollbook.core.errors import CatalogueError, ConfigError
from tollbook.places import ledger_path, settings_path

GOOD = """
[sources]
roots = ["~/backup"]
[display]
timezone = "Europe/Zurich"
currency = "EUR"
rate = "0.92"
week_start = "sunday"
[plan]
name = "Max"
price_usd_per_month = "100"
from = 2026-10-01
[[prices.terms]]
model = "opus"
start = 2026-10-01
discount = "0.15"
[prices.aliases]
"arn:x" = "claude-opus-5-5"
[projects.aliases]
"/home/me/shop" = "shop"
[projects.groups]
customer = ["shop"]
"""


def home(tmp_path: Path, text: str | None = None, **more: str) -> dict[str, str]:
    """An environment whose settings say ``text``."""
    if text is not None:
        (tmp_path / "config.toml").write_text(text, "utf-8")
    return {"TOLLBOOK_HOME": str(tmp_path)} | more


def test_without_a_file_everything_is_usual(tmp_path: Path) -> None:
    loaded = load_config(home(tmp_path))

    assert loaded.config == Config()
    assert loaded.exists is False
    assert loaded.origins == {}


def test_a_file_says_all_there_is_to_say(tmp_path: Path) -> None:
    loaded = load_config(home(tmp_path, GOOD))

    assert loaded.config.display.week_start == "sunday"
    assert loaded.config.plan == Plan(
        name="Max", price_usd_per_month="100", since=date(2026, 10, 1)
    )
    assert loaded.config.plan.price == 100 * 10**12
    assert loaded.config.projects.groups == {"customer": ("shop",)}
    assert loaded.config.terms().aliases == {"arn:x": "claude-opus-5-5"}
    assert loaded.origins["display.rate"] == str(tmp_path / "config.toml")


def test_the_environment_has_the_last_word(tmp_path: Path) -> None:
    environ = home(tmp_path, GOOD, TOLLBOOK_TIMEZONE="UTC", TOLLBOOK_ROOTS="/a:/b")
    loaded = load_config(environ)

    assert loaded.config.display.timezone == "UTC"
    assert loaded.config.display.currency == "EUR"
    assert loaded.config.sources.roots == ("/a", "/b")
    assert loaded.origins["display.timezone"] == "TOLLBOOK_TIMEZONE"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[display]\ntimezon = 'UTC'", "display.timezon: there is no such setting"),
        ("color = 1", "color: there is no such setting"),
        ("[display]\ntimezone = 1", "display.timezone: expected `str`, got `int`"),
        (
            "[display]\nrate = 0.92",
            "display.rate: expected `str`, got `float`; write it",
        ),
        ("[display]\ntimezone = 'Mars/Base'", "'Mars/Base' is no time zone"),
        ("[display]\ntimezone = '../etc/passwd'", "is no time zone"),
        ("[display]\nweek_start = 'caturday'", "display.week_start: invalid enum"),
        ("[display]\ncurrency = 'euro'", "display.currency 'euro'"),
        ("[display]\ncurrency = 'EUR'\nrate = '-1'", "display.rate '-1'"),
        ("[display]\ncurrency = 'EUR'\nrate = 'x'", "display.rate 'x'"),
        ("[display]\ncurrency = 'EUR'\nrate = 'NaN'", "display.rate 'NaN'"),
        ("[display]\nrate = '2'", "set display.currency too"),
        ("[plan]\nname = 'Max'", "missing required field `price_usd_per_month`"),
        ("[plan]\nname = 'x'\nprice_usd_per_month = 'x'", "plan.price_usd_per_month"),
        ("[plan]\nname = 'x'\nprice_usd_per_month = '-1'", "below zero"),
        (
            "plan = {name='x', price_usd_per_month='1', from=2026-10-01, to=2026-10-01}",
            "plan.to: 2026-10-01 is not after plan.from",
        ),
        ("[[prices.terms]]\nmodel = 'opus'", "either `discount` or `rates`"),
        ("[[prices.terms]]\nmodel = 'opus'\ndiscount = '15'", "no share between"),
        (
            "[[prices.terms]]\nmodel = 'opus'\ndiscount = 0.1",
            "prices.terms[0].discount",
        ),
        (
            "[[prices.terms]]\nmodel = 'opus'\nrates = {beer = '1'}",
            "no rate can be set for 'beer'",
        ),
        ("[display", "is no TOML"),
        ("[projects.groups]\nx = 'shop'", "projects.groups[...]: expected `array`"),
        ("\ud800".encode("utf-8", "surrogatepass"), "is no TOML"),
    ],
)
def test_a_wrong_setting_is_refused_with_file_name_and_remedy(
    tmp_path: Path, text: str | bytes, said: str
) -> None:
    data = text if isinstance(text, bytes) else text.encode()
    (tmp_path / "config.toml").write_bytes(data)

    with pytest.raises(ConfigError) as caught:
        load_config(home(tmp_path))

    assert said in str(caught.value)
    assert str(tmp_path / "config.toml") in str(caught.value)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("TOLLBOOK_TIMEZON", "UTC", "TOLLBOOK_TIMEZON: there is no such variable"),
        ("TOLLBOOK_TIMEZONE", "Mars", "'Mars' is no time zone"),
        ("TOLLBOOK_WEEK_START", "caturday", "TOLLBOOK_WEEK_START='caturday'"),
        ("TOLLBOOK_RATE", "2", "TOLLBOOK_RATE: display.rate"),
    ],
)
def test_a_wrong_variable_is_refused_by_its_name(
    tmp_path: Path, name: str, value: str, said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(home(tmp_path, **{name: value}))

    assert said in str(caught.value)


def test_terms_that_overlap_stop_the_start(tmp_path: Path) -> None:
    term = "[[prices.terms]]\nmodel = 'opus'\ndiscount = '0.1'\n"

    with pytest.raises(CatalogueError, match="two terms"):
        load_config(home(tmp_path, term + term))


def test_settings_that_cannot_be_read_stop_the_start(tmp_path: Path) -> None:
    (tmp_path / "config.toml").mkdir()

    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(home(tmp_path))


def test_every_line_of_the_example_can_be_used() -> None:
    lines = [
        line.removeprefix("#") if line[:2] != "# " else ""
        for line in EXAMPLE.splitlines()
    ]
    config, names = parse_config("\n".join(lines).encode(), "example")

    assert config.plan is not None
    assert len(names) > 10
    assert parse_config(EXAMPLE.encode(), "example")[0] == Config()


def test_transcripts_lie_where_claude_code_puts_them() -> None:
    usual = transcript_folders(Config(), {"XDG_CONFIG_HOME": "/x"})
    stated = transcript_folders(Config(), {"CLAUDE_CONFIG_DIR": "/a, /b,,/a"})

    assert usual == [str(Path.home() / ".claude/projects"), "/x/claude/projects"]
    assert stated == ["/a/projects", "/b/projects"]


def test_a_root_may_be_a_folder_of_transcripts_or_a_whole_home(tmp_path: Path) -> None:
    (tmp_path / "whole" / "projects").mkdir(parents=True)
    (tmp_path / "bare").mkdir()
    text = f"[sources]\nroots = ['{tmp_path}/whole', '{tmp_path}/bare']"
    config, _ = parse_config(text.encode(), "x")

    assert transcript_folders(config, {"CLAUDE_CONFIG_DIR": "/a"})[1:] == [
        str(tmp_path / "whole" / "projects"),
        str(tmp_path / "bare"),
    ]


@pytest.mark.parametrize(
    ("stated", "key"),
    [(":Asia/Tokyo", "Asia/Tokyo"), ("nonsense", "UTC"), ("UTC", "UTC")],
)
def test_the_systems_zone_is_asked_for_once(stated: str, key: str) -> None:
    assert system_zone({"TZ": stated}).key == key


def test_without_a_stated_zone_the_clock_still_has_one() -> None:
    assert system_zone({}).key


@pytest.mark.skipif(sys.platform == "win32", reason="asks the registry there")
def test_files_lie_where_the_platform_wants_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for environ in ({}, {"XDG_DATA_HOME": "/d", "XDG_CONFIG_HOME": "/c"}):
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        data = platformdirs.user_data_dir("tollbook", appauthor=False)
        settings = platformdirs.user_config_dir("tollbook", appauthor=False)

        assert ledger_path(environ) == f"{data}/ledger.db"
        assert settings_path(environ) == f"{settings}/config.toml"


@pytest.mark.parametrize("system", ["darwin", "win32", "linux"])
def test_every_platform_has_a_place(
    monkeypatch: pytest.MonkeyPatch, system: str
) -> None:
    monkeypatch.setattr(sys, "platform", system)

    assert "tollbook" in ledger_path({"LOCALAPPDATA": "/local"})
    assert ledger_path({"TOLLBOOK_HOME": "/t"}) == str(Path("/t/ledger.db"))
